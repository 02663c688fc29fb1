"""Many things of which one may be what the program fails on: that one is found by halves, and the others go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from runtime.connection import Connection
from runtime.faults import of_one_fact

K = TypeVar("K")
T = TypeVar("T")


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
            if len(part) == 1:
                failed.append((part[0], error))
            else:
                half = len(part) // 2
                stack += [part[half:], part[:half]]
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
            if len(part) == 1:
                bad.append((part[0], error))
            else:
                half = len(part) // 2
                stack += [part[half:], part[:half]]
        else:
            good += part
    return good, bad
