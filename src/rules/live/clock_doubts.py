"""The clocks of the terminals of a batch: corrected by what is known, and looked at for what is wrong (``clocks``)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from registry.changes import LOOK_BACK_US
from rules.live import metrics
from rules.live.clocks import WRONG_US, ClockWatch, Found
from runtime.connection import Connection
from runtime.units import US_PER_S, from_us
from telemetry.archive.clock_lags import proposed_shift_s
from telemetry.archive.clocks import (
    Doubt,
    close_doubts,
    derive,
    open_doubts,
    open_lags,
    read_clocks,
    wrong_since,
)
from telemetry.archive.store import StoreResult
from telemetry.positions import PositionBatch
from telemetry.terminals import notices

#: A stored live report that lags so much less (or, of a clock ahead, is so much nearer) speaks against a lag.
_AGAINST_S: Final = 120


async def by_clocks(
    conn: Connection, watch: ClockWatch, batch: PositionBatch, stored: StoreResult
) -> tuple[PositionBatch, NDArray[np.int16]]:
    """``batch`` and its quality as they are by the clocks of its terminals; in the transaction that stored it. What is found
    wrong, or right again, is noted: the vehicles are judged again then."""
    if not len(batch):
        return batch, stored.quality
    since_us = int(batch.received_us.min())
    # Of those in the batch: a whole make of terminals may have a correction.
    terminals = np.unique(batch.terminal).tolist()
    clocks = await read_clocks(conn, terminals, since_us=since_us)
    lags = {no: lag_s * US_PER_S for no, lag_s in (await open_lags(conn)).items()}
    derived, quality = derive(batch, stored.quality, clocks)
    found = watch.take(derived, quality, stored.new, lags)
    # Where the office says that a clock is right, it is.
    right = {no for no, pieces in clocks.items() if pieces[-1].said and not pieces[-1].shift_us}
    found = Found([one for one in found.wrong if one[0] not in right], found.right)
    if found.wrong or found.right:
        await _note(conn, found, int(batch.received_us.max()))
        clocks = await read_clocks(conn, terminals, since_us=since_us)
        derived, quality = derive(batch, stored.quality, clocks)
        lags = await open_lags(conn)
    metrics.CLOCKS_IN_DOUBT.set(len(lags))
    return derived, quality


async def _note(conn: Connection, found: Found, now_us: int) -> None:
    await close_doubts(conn, found.right)
    await notices.settle(conn, [no for no, _ in found.right], "clock_wrong")
    doubts = []
    proposed: dict[int, dict[str, object]] = {}
    for no, since_us, lag_us in found.wrong:
        lag_s = round(lag_us / US_PER_S)
        known = await read_clocks(conn, [no])
        if not any(piece.said for piece in known.get(no, ())):  # what is stored has the very lag
            tolerance_s = _AGAINST_S if lag_us > 0 else -lag_s - WRONG_US // US_PER_S
            stored_us = await wrong_since(conn, no, lag_s, tolerance_s, now_us - LOOK_BACK_US)
            since_us = min(since_us, since_us if stored_us is None else stored_us)
        doubts.append(Doubt(no, since_us, lag_s))
        shift_s = known[no][-1].shift_us // US_PER_S if no in known else 0
        proposed[no] = {
            "shift_s": proposed_shift_s(lag_s, shift_s),
            "valid_from": from_us(since_us).isoformat(),
        }
    if doubts:
        await open_doubts(conn, doubts)
    await notices.put(
        conn,
        [
            notices.Notice(
                d.terminal,
                "clock_wrong",
                "clock",
                {"lag_s": d.lag_s, "since": from_us(d.from_us).isoformat(), "proposed": proposed[d.terminal]},
            )
            for d in doubts
        ],
    )
    metrics.CLOCKS.labels("wrong").inc(len(doubts))
    metrics.CLOCKS.labels("right").inc(len(found.right))
