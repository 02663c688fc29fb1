"""What ``store`` has to know of files: the newest position of a terminal, and whether a late one is there already.

A file that cannot be read must not keep what is received now from being stored: it is stored once more, and whoever reads both
finds it once (``reading``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import numpy as np

from runtime.arrays import AnyInts, Bools
from runtime.connection import Connection
from runtime.errors import UnavailableError
from runtime.units import US_PER_DAY
from telemetry.archive.cold import catalogue
from telemetry.archive.cold.layout import ColdDamagedError
from telemetry.archive.cold.reading import Span, edges_of, rows_in
from telemetry.archive.cold.rows import Rows
from telemetry.quality import Quality

_logger = logging.getLogger(__name__)

_EVER: Final = 1 << 62
#: (terminal, newest believable device time or None, the fingerprints of that time, newest device time of any or None)
Newest = tuple[int, int | None, Sequence[int], int | None]


async def newest_in_files(conn: Connection, terminals: Sequence[int]) -> dict[int, Newest]:
    """Of those of ``terminals`` that have positions in files, what ``NewestPositions.learn`` wants."""
    known = await catalogue.known(conn, terminals)
    if not known:
        return {}
    spans = [Span(no, 0, _EVER) for no in known]
    try:
        tops = await edges_of(conn, spans, 1, lambda rows, _: np.ones(len(rows), bool), newest=True)
        marks = await edges_of(conn, spans, 1, _believable, newest=True)
        mark = {int(rows.columns["terminal"][0]): int(rows.columns["device_us"][0]) for rows in marks}
        there = await rows_in(conn, [Span(no, us, us + 1) for no, us in mark.items()])
    except (ColdDamagedError, UnavailableError) as error:
        _logger.error("what is newest of %d terminals is not known: %s", len(known), error)
        # Whatever comes up to there may be known already: it is looked for in the table.
        return {no: (no, None, [], (each.last_day + 1) * US_PER_DAY - 1) for no, each in known.items()}
    found: dict[int, Newest] = {}
    for rows in tops:
        no = int(rows.columns["terminal"][0])
        prints = there.columns["fingerprint"][there.columns["terminal"] == no].tolist()
        found[no] = (no, mark.get(no), prints, int(rows.columns["device_us"][0]))
    return found


def newer_of(hot: Newest, cold: Newest | None) -> Newest:
    """What is newest of a terminal, of what the table and files have."""
    if cold is None:
        return hot
    tops = [top for top in (hot[3], cold[3]) if top is not None]
    newest = max(tops, default=None)
    if hot[1] is not None and hot[1] == cold[1]:
        return hot[0], hot[1], sorted({*hot[2], *cold[2]}), newest
    first = hot if cold[1] is None or (hot[1] is not None and hot[1] > cold[1]) else cold
    return first[0], first[1], first[2], newest


async def stored_in_files(conn: Connection, terminals: AnyInts, device: AnyInts, prints: AnyInts) -> Bools:
    """Which of the keys files have; shape (n,)."""
    found = np.zeros(len(terminals), bool)
    times = sorted(set(zip(terminals.tolist(), device.tolist(), strict=True)))
    try:
        rows = await rows_in(conn, [Span(no, us, us + 1) for no, us in times])
    except (ColdDamagedError, UnavailableError) as error:
        _logger.error("late positions are stored without a look at the files: %s", error)
        return found
    if len(rows):
        there = set(
            zip(
                *(rows.columns[name].tolist() for name in ("terminal", "device_us", "fingerprint")),
                strict=True,
            )
        )
        keys = zip(terminals.tolist(), device.tolist(), prints.tolist(), strict=True)
        found[:] = [key in there for key in keys]
    return found


def _believable(rows: Rows, _: Span) -> Bools:
    found: Bools = (rows.columns["quality"] & int(Quality.TIME_AHEAD)) == 0
    return found
