"""Fix validity: why a position may not be used as evidence.

``rules.md``, "Valid fix". These bits depend on the row alone, so they are the same in whatever order rows arrive and
are stored with the position. The implied-speed test (``JUMP``) depends on the row before and is computed by
``rules.tracks`` over the sorted track; it is never stored here.
"""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import AnyInts, Bools
from telemetry.positions import PositionBatch

#: A device time this far ahead of receipt cannot be true (rules.md: 10 min).
MAX_AHEAD_US = 10 * 60 * 1_000_000

STATUS_POSITIONED = 1 << 1
STATUS_SOUTH = 1 << 2
STATUS_WEST = 1 << 3
STATUS_ENCRYPTED = 1 << 5


class Quality(IntFlag):
    """Bit set = the reason holds; 0 = a valid fix as far as the row alone tells."""

    NOT_POSITIONED = 1
    NULL_ISLAND = 2
    OUT_OF_WORLD = 4
    TIME_AHEAD = 8
    TIME_UNREADABLE = 16
    ENCRYPTED = 32
    JUMP = 64  # implied speed from the previous valid fix; set by rules.tracks only
    CLOCK_WRONG = 128  # by what is known of the terminal's clock; set by telemetry.archive.clocks when read, never stored
    TOO_OLD = 256  # older at its receipt than track.max_age_days; set for the rules, never stored


def too_old(batch: PositionBatch, max_age_us: int) -> Bools:
    """Which rows were older at their receipt than ``max_age_us``. Shape (n,)."""
    old: Bools = batch.received_us - batch.device_us > max_age_us
    return old


def assess(batch: PositionBatch) -> NDArray[np.int16]:
    """Quality bits of each row, shape (n,), int16."""
    flags = np.zeros(len(batch), np.int16)
    flags[(batch.status & STATUS_POSITIONED) == 0] |= Quality.NOT_POSITIONED
    flags[(batch.lat_e6 == 0) & (batch.lon_e6 == 0)] |= Quality.NULL_ISLAND
    flags[
        (batch.lat_e6 > 90_000_000)
        | (batch.lat_e6 < -90_000_000)
        | (batch.lon_e6 > 180_000_000)
        | (batch.lon_e6 < -180_000_000)
        | _contradicted(batch.lat_e6, batch.status, STATUS_SOUTH)
        | _contradicted(batch.lon_e6, batch.status, STATUS_WEST)
    ] |= Quality.OUT_OF_WORLD
    flags[batch.device_us > batch.received_us + MAX_AHEAD_US] |= Quality.TIME_AHEAD
    flags[batch.device_us == 0] |= Quality.TIME_UNREADABLE
    flags[(batch.status & STATUS_ENCRYPTED) != 0] |= Quality.ENCRYPTED
    return flags


def _contradicted(degrees: AnyInts, status: AnyInts, bit: int) -> Bools:
    """Where a coordinate's sign is not the one that the status says: what was sent is no magnitude (the protocol has its
    sign in the status), but a number in two's complement or nonsense. Shape (n,)."""
    negative = (status & bit) != 0
    wrong: Bools = np.where(negative, degrees > 0, degrees < 0)
    return wrong
