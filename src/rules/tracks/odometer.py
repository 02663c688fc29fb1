"""What a terminal's own odometer (item 0x01, steps of 0.1 km) says about driving, and when it says nothing. Pure.

The counter is a device: it is set when it is installed or calibrated, it falls back to 0, it rolls over, it changes its
unit (m, 0.1 km, km), it sends "no data". A difference that no car can drive in the time is such a fault and no evidence.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import numpy as np

from runtime.arrays import AnyInts, Bools, Ints

#: What is sent for "no data" (all bits set), and what stands here for a report without an odometer.
NO_DATA: Final = 0xFFFFFFFF
ABSENT: Final = -1
STEP_M: Final = 100
#: 1 km/h for 1 us is 1/3,600,000 m.
_PER_M: Final = 3_600_000
#: A counter at 0 does not count yet: one that is here (100 km) or above at its next report was set or connected meanwhile. Less
#: than that a new one may have counted.
_SET_FROM_ZERO_DKM: Final = 1_000
#: From here on a counter that is 10, 100 or 1,000 times what it was, to a hundredth, has changed its unit.
_UNIT_FROM_DKM: Final = 1_000
_UNITS: Final = (10, 100, 1000)


class Counted(Enum):
    """What became of a counter between two reports."""

    DRIVEN = "driven"  # a car can have driven the difference (0 among them)
    ABSENT = "absent"  # one of the reports has no odometer
    FAULT = "fault"  # set, reset, rolled over, another unit: no car drives this


def drivable(metres: Any, elapsed_us: Any, max_speed_kmh: Any, *, steps: int = 1) -> Any:
    """Whether a car can drive the metres that its odometer counted in ``elapsed_us``: integers, or int64 columns of one
    shape, compared as integers. ``steps`` of the odometer are left for rounding."""
    return (metres - steps * STEP_M) * _PER_M <= max_speed_kmh * elapsed_us


def can_be_driven(metres: int, elapsed_us: int, max_speed_kmh: int) -> bool:
    """``drivable`` where an odometer that went back is none."""
    return metres >= 0 and bool(drivable(metres, elapsed_us, max_speed_kmh))


def counted(before_dkm: int, after_dkm: int, elapsed_us: int, max_speed_kmh: int) -> Counted:
    """What the counter of one terminal did between two of its reports, ``elapsed_us`` apart. ABSENT (or anything below
    0, or NO_DATA) = that report has none."""
    if not (0 <= before_dkm < NO_DATA and 0 <= after_dkm < NO_DATA):
        return Counted.ABSENT
    difference = after_dkm - before_dkm
    if not can_be_driven(difference * STEP_M, elapsed_us, max_speed_kmh):
        return Counted.FAULT
    if not before_dkm and after_dkm >= _SET_FROM_ZERO_DKM:
        return Counted.FAULT
    if before_dkm >= _UNIT_FROM_DKM and any(
        100 * abs(after_dkm - before_dkm * unit) <= before_dkm * unit for unit in _UNITS
    ):
        return Counted.FAULT
    return Counted.DRIVEN


def faulty_steps(odometer_dkm: AnyInts, t_us: Ints, max_speed_kmh: AnyInts | int) -> Bools:
    """``counted`` for the steps of a track by columns: whether step k (from row k to row k + 1) is a FAULT. Shape
    (n - 1,). ``odometer_dkm``: ABSENT where there is none. ``max_speed_kmh``: one for all, or of each step."""
    reading = np.asarray(odometer_dkm, np.int64)
    before, after = reading[:-1], reading[1:]
    known = (before >= 0) & (before < NO_DATA) & (after >= 0) & (after < NO_DATA)
    difference = after - before
    limit = np.asarray(max_speed_kmh, np.int64)
    too_far = (difference < 0) | ~drivable(difference * STEP_M, np.diff(t_us), limit)
    was_set = (before == 0) & (after >= _SET_FROM_ZERO_DKM)
    another = np.zeros(len(before), np.bool_)
    for unit in _UNITS:
        another |= 100 * np.abs(after - before * unit) <= before * unit
    another &= before >= _UNIT_FROM_DKM
    found: Bools = known & (too_far | was_set | another)
    return found
