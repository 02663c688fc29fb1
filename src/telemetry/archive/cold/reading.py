"""Positions that are in files, for whoever reads positions: by terminal and time, or the first and last of a kind.

The catalogue is asked after the table: a day that moves between both is found twice and counted once, never missed. A file that
cannot be read raises ColdDamagedError.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Lock
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from runtime.arrays import AnyInts, Bools
from runtime.connection import Connection
from runtime.units import US_PER_DAY
from telemetry.archive.cold import catalogue, layout, metrics
from telemetry.archive.cold.catalogue import ColdFile, Known
from telemetry.archive.cold.folder import Folder
from telemetry.archive.cold.rows import Rows

#: Days that are read at once, where it is not known how many are needed.
_DAYS_AT_ONCE: Final = 31
#: Files that are read side by side.
_SIDE_BY_SIDE: Final = 4
#: Footers that are kept in memory, parsed.
_FOOTERS: Final = 2_048

_EVER: Final = (-(1 << 62), 1 << 62)


class Span(NamedTuple):
    """Positions of ``terminal`` with a device time as it was received in [``from_us``, ``to_us``), received in [``received_from``,
    ``received_to``). ``shift_us``: what is added to their times by whoever asks."""

    terminal: int
    from_us: int
    to_us: int
    received_from: int = _EVER[0]
    received_to: int = _EVER[1]
    shift_us: int = 0


#: Which rows are wanted, of a span: a mask of shape (n,).
Wanted = Callable[[Rows, Span], Bools]


async def rows_in(
    conn: Connection, spans: Sequence[Span], *, enough: Callable[[Rows], bool] | None = None
) -> Rows:
    """The rows in ``spans``, each once, in the order of the key. ``enough``: told what the earliest days have, it may say that no
    later one is needed."""
    spans = await _visible(conn, spans)
    if not spans:
        return Rows.empty()
    found: list[Rows] = []
    for first, last in _stretches(spans, backwards=False, all_at_once=enough is None):
        files = await _files(conn, first, last, spans)
        found.append(await asyncio.to_thread(_read, files, spans))
        if enough is not None and enough(Rows.concat(found)):
            break
    return Rows.concat(found).in_order()


async def edges_of(
    conn: Connection, spans: Sequence[Span], count: int, wanted: Wanted, *, newest: bool
) -> list[Rows]:
    """Of each of ``spans`` its first ``count`` rows that are ``wanted`` (``newest``: the last), in the order of the key; those that
    have none are left out."""
    visible = await _visible(conn, spans)
    held: dict[Span, Rows] = {}
    open_ = list(visible)
    if not open_:
        return []
    for first, last in _stretches(open_, backwards=newest, all_at_once=False):
        files = await _files(conn, first, last, open_)
        rows = await asyncio.to_thread(_read, files, open_)
        for span in open_:
            mine = rows.take(inside(rows, span))
            if len(mine):
                mine = mine.take(wanted(mine, span))
                held[span] = first_of(Rows.concat([held.get(span, Rows.empty()), mine]), count, newest=newest)
        open_ = [span for span in open_ if len(held.get(span, ())) < count]
        if not open_:
            break
    return [rows for rows in held.values() if len(rows)]


def first_of(rows: Rows, count: int, *, newest: bool) -> Rows:
    """The first ``count`` of rows of one terminal (``newest``: the last), in order, each once."""
    rows = rows.in_order()
    return rows.take(np.arange(len(rows))[-count:] if newest else np.arange(len(rows))[:count])


async def _visible(conn: Connection, spans: Sequence[Span]) -> list[Span]:
    """The spans, cut to the days on which their terminals may be in files and to the times that may be seen."""
    known = await catalogue.known(conn, [span.terminal for span in spans]) if spans else {}
    found = (each for span in spans if span.terminal in known for each in _cut(span, known[span.terminal]))
    return [span for span in found if span.from_us < span.to_us]


def _cut(span: Span, known: Known) -> Iterable[Span]:
    first, last = known.first_day * US_PER_DAY, (known.last_day + 1) * US_PER_DAY
    for since, until in known.visible if known.visible is not None else (_EVER,):
        yield span._replace(from_us=max(span.from_us, first, since), to_us=min(span.to_us, last, until))


def _stretches(spans: Sequence[Span], *, backwards: bool, all_at_once: bool) -> Iterable[tuple[int, int]]:
    """Days from and to (both included), in the order in which they are read."""
    first = min(span.from_us for span in spans) // US_PER_DAY
    last = (max(span.to_us for span in spans) - 1) // US_PER_DAY
    step = last - first + 1 if all_at_once else _DAYS_AT_ONCE
    if backwards:
        return [(max(first, day - step + 1), day) for day in range(last, first - 1, -step)]
    return [(day, min(last, day + step - 1)) for day in range(first, last + 1, step)]


async def _files(conn: Connection, first: int, last: int, spans: Sequence[Span]) -> list[ColdFile]:
    """The files that may have something of ``spans`` on these days."""
    wanted = sorted(
        {s.terminal for s in spans if s.from_us < (last + 1) * US_PER_DAY and s.to_us > first * US_PER_DAY}
    )
    return await catalogue.files_of(conn, first, last, wanted) if wanted else []


def _read(files: Sequence[ColdFile], spans: Sequence[Span]) -> Rows:
    """What ``files`` have of ``spans``, each position once, in the order of the key."""
    by_day: dict[int, list[Span]] = defaultdict(list)
    days = {file.day for file in files}
    for span in spans:
        a, b = span.from_us // US_PER_DAY, (span.to_us - 1) // US_PER_DAY
        for day in range(a, b + 1) if b - a < len(days) else days:
            if a <= day <= b:
                by_day[day].append(span)
    work = [(file, by_day[file.day]) for file in files if by_day.get(file.day)]
    each = map if len(work) < _SIDE_BY_SIDE else _readers().map
    tables = [table for found in each(lambda one: _of_file(*one), work) for table in found]
    if not tables:
        return Rows.empty()
    # In the order of the files: of equal rows the first was stored first.
    rows = layout.rows_of(pa.concat_tables(tables)).in_order()
    there = np.zeros(len(rows), bool)
    for span in spans:
        there[inside(rows, span)] = True
    return rows if there.all() else rows.take(there)


@lru_cache(maxsize=1)
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_SIDE_BY_SIDE, "cold")


def _of_file(file: ColdFile, spans: Sequence[Span]) -> list[Any]:
    """The rows of the terminals of ``spans``, as tables of the layout."""
    terminals = np.unique(np.array([span.terminal for span in spans], np.int64))
    groups = file.groups_of(terminals)
    if not groups:
        return []
    try:
        if file.layout != layout.LAYOUT:
            raise layout.ColdDamagedError(
                file.file, f"it has layout {file.layout}, which this release does not know"
            )
        with _folder(file.folder).open(file.file) as source:
            return list(layout.read_tables(source, _footer(file, source), groups, terminals))
    except layout.ColdDamagedError:
        metrics.DAMAGED.inc()
        raise


_folder = lru_cache(maxsize=16)(Folder)
_footers: OrderedDict[tuple[str, str], Any] = OrderedDict()
_footers_lock: Final = Lock()


def _footer(file: ColdFile, source: Any) -> Any:
    """The metadata of an open file, which is what the catalogue says."""
    key = (file.folder, file.file)
    with _footers_lock:
        if key in _footers:
            _footers.move_to_end(key)
            return _footers[key]
    if (size := source.size()) != file.bytes:
        raise ValueError(f"it has {size} bytes, {file.bytes} were written")
    footer, data = layout.footer_of(source, file.bytes)
    if footer.sha256 != file.footer_sha256:
        raise ValueError("its footer is not the one that was written")
    metadata = layout.parse_footer(data)
    with _footers_lock:
        _footers[key] = metadata
        if len(_footers) > _FOOTERS:
            _footers.popitem(last=False)
    return metadata


def inside(rows: Rows, span: Span) -> AnyInts:
    """Indices of those of ``rows``, which are in order, that are in ``span``."""
    terminal = rows.columns["terminal"]
    low, high = (
        np.searchsorted(terminal, span.terminal, "left"),
        np.searchsorted(terminal, span.terminal, "right"),
    )
    device = rows.columns["device_us"][low:high]
    a, b = (
        low + np.searchsorted(device, span.from_us, "left"),
        low + np.searchsorted(device, span.to_us, "left"),
    )
    received = rows.columns["received_us"][a:b]
    if span.received_from == _EVER[0] and span.received_to == _EVER[1]:
        return np.arange(a, b)
    return a + np.flatnonzero((received >= span.received_from) & (received < span.received_to))
