"""Many things of which one may be what the program fails on: that one is found by halves, and the others go on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from prometheus_client import Counter

from runtime.connection import Connection
from runtime.faults import of_one_fact

K = TypeVar("K")
T = TypeVar("T")
_logger = logging.getLogger(__name__)

NOT_SHOWN: Final = Counter(
    "gongche_rows_not_shown_total",
    "Stored rows that were left out of a page because the program failed on them",
    ["what"],
)
for _what in ("alert", "reason", "record"):
    NOT_SHOWN.labels(_what)


async def read_apart(
    conn: Connection, keys: Sequence[K], read: Callable[[Sequence[K]], Awaitable[Iterable[T]]]
) -> tuple[list[T], list[tuple[K, Exception]]]:
    """What ``read`` finds of ``keys``, and the keys on which it fails for a fault, each with that fault. By halves: few facts
    cost few attempts. In a transaction each attempt is a savepoint."""
    found: list[T] = []
    failed: list[tuple[K, Exception]] = []
    stack = [list(keys)]
    while stack:
        part = stack.pop()
        if not part:
            continue
        try:
            async with conn.transaction():
                found += await read(part)
        except Exception as error:
            if not of_one_fact(error):
                raise
            _narrow(part, error, stack, failed)
    return found, failed


def sift(
    items: Sequence[T], build: Callable[[Sequence[T]], object]
) -> tuple[list[T], list[tuple[T, Exception]]]:
    """Those of ``items`` that ``build`` takes, and the others, each with the fault it comes with."""
    good: list[T] = []
    bad: list[tuple[T, Exception]] = []
    stack = [list(items)]
    while stack:
        part = stack.pop()
        if not part:
            continue
        try:
            build(part)
        except Exception as error:
            if not of_one_fact(error):
                raise
            _narrow(part, error, stack, bad)
        else:
            good += part
    return good, bad


def _narrow(part: list[T], error: Exception, stack: list[list[T]], failed: list[tuple[T, Exception]]) -> None:
    """``part`` failed with ``error``: both its halves come next, the first one first, or it is one thing, and that is it."""
    if len(part) == 1:
        failed.append((part[0], error))
    else:
        half = len(part) // 2
        stack += [part[half:], part[:half]]


def shown(rows: Iterable[K], show: Callable[[K], T], what: str, name: Callable[[K], object]) -> list[T]:
    """What ``show`` makes of each of ``rows``. One on which it fails for a fault is left out, counted as ``what`` and named in the
    log: it must not keep the others from being read."""
    found: list[T] = []
    for row in rows:
        try:
            found.append(show(row))
        except Exception as error:
            if not of_one_fact(error):
                raise
            not_shown(what, name(row), error)
    return found


def not_shown(what: str, name: object, error: Exception) -> None:
    """The row ``name`` of ``what`` is left out for ``error``."""
    NOT_SHOWN.labels(what).inc()
    _logger.error("%s %s cannot be shown and is left out", what, name, exc_info=error)
