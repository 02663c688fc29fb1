"""Bodies of 0x0200 position reports from columns, many at once (JT/T 808-2013 clause 8.18, 2019 clause 8.12)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import AnyArray, Ints

BASIC_LENGTH = 28
STATUS_SOUTH, STATUS_WEST = 1 << 2, 1 << 3
_CHINA_OFFSET_S = 8 * 3600
#: 2000-01-01 and 2100-01-01 00:00 GMT+8: what a two-digit year can say.
FIRST_TIME_S, LAST_TIME_S = 946_656_000, 4_102_416_000

_BCD = np.array([(v // 10) << 4 | v % 10 for v in range(100)], np.uint8)


def encode_reports(
    time_s: AnyArray,
    lat_e6: AnyArray,
    lon_e6: AnyArray,
    *,
    altitude_m: AnyArray,
    speed_dkmh: AnyArray,
    direction_deg: AnyArray,
    status: AnyArray,
    odometer_dkm: AnyArray | None = None,
) -> list[bytes]:
    """One body a row; inputs of shape (n,), units as in ``telemetry.positions``.

    ``time_s``: whole seconds since 1970 UTC within FIRST_TIME_S..LAST_TIME_S (ValueError otherwise).
    The south and west bits follow from the signs. With ``odometer_dkm`` item 0x01 (0.1 km) is appended.
    """
    n = len(time_s)
    if n == 0:
        return []
    seconds = np.asarray(time_s, np.int64)
    if int(seconds.min()) < FIRST_TIME_S or int(seconds.max()) >= LAST_TIME_S:
        raise ValueError("a device time outside 2000..2099 cannot be written as YYMMDDhhmmss")
    rows = np.zeros((n, BASIC_LENGTH + (6 if odometer_dkm is not None else 0)), np.uint8)
    bits = np.asarray(status, np.uint32).copy()
    bits[np.asarray(lat_e6) < 0] |= np.uint32(STATUS_SOUTH)
    bits[np.asarray(lon_e6) < 0] |= np.uint32(STATUS_WEST)
    _put(rows, 4, bits, ">u4")
    _put(rows, 8, np.abs(np.asarray(lat_e6, np.int64)), ">u4")
    _put(rows, 12, np.abs(np.asarray(lon_e6, np.int64)), ">u4")
    _put(rows, 16, altitude_m, ">i2")
    _put(rows, 18, speed_dkmh, ">u2")
    _put(rows, 20, direction_deg, ">u2")
    rows[:, 22:28] = _bcd_times(seconds)
    if odometer_dkm is not None:
        rows[:, 28], rows[:, 29] = 0x01, 4
        _put(rows, 30, odometer_dkm, ">u4")
    data, width = rows.tobytes(), rows.shape[1]
    return [data[at : at + width] for at in range(0, n * width, width)]


def _put(rows: NDArray[np.uint8], at: int, values: AnyArray, kind: str) -> None:
    raw = np.ascontiguousarray(np.asarray(values).astype(kind))
    rows[:, at : at + raw.itemsize] = raw.view(np.uint8).reshape(len(rows), -1)


def _bcd_times(seconds: Ints) -> NDArray[np.uint8]:
    """BCD YYMMDDhhmmss in GMT+8, shape (n, 6)."""
    local = (seconds + _CHINA_OFFSET_S).astype("datetime64[s]")
    days = local.astype("datetime64[D]")
    months = local.astype("datetime64[M]")
    years = local.astype("datetime64[Y]")
    of_day = (local - days).astype(np.int64)
    parts = (
        years.astype(np.int64) - 30,  # years since 1970, made years since 2000
        (months - years).astype(np.int64) + 1,
        (days - months).astype(np.int64) + 1,
        of_day // 3600,
        of_day // 60 % 60,
        of_day % 60,
    )
    return np.stack([_BCD[part] for part in parts], axis=-1)
