"""Units and clocks shared by every room. Standard library only.

Names carry their unit: ``_us`` microseconds since 1970 UTC, ``_s`` seconds, ``_m`` metres, ``_e6`` 1e-6 degree,
``_dkmh`` 0.1 km/h, ``_dkm`` 0.1 km, ``_dl`` 0.1 litre.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, TypeVar

US_PER_S = 1_000_000
S_PER_DAY = 86_400
US_PER_DAY = S_PER_DAY * US_PER_S

#: No time that is asked for is later: year 2096, well within what PostgreSQL and datetime can hold.
LATEST_US = 4_000_000_000_000_000

#: JT/T 808 device time and Chinese civil time. China has had no daylight saving since 1991, so a fixed offset is exact.
CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
CHINA_OFFSET_US = 8 * 3600 * US_PER_S

K = TypeVar("K")
T = TypeVar("T", int, datetime)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime, exactly (no float on the way)."""
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    """Aware UTC datetime of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=us)


def in_us(row: Iterable[Any]) -> list[Any]:
    """The values of a row of the database, times as ``to_us``: what a dataclass of the same fields takes."""
    return [to_us(value) if isinstance(value, datetime) else value for value in row]


def keep_earliest(found: dict[K, T], times: Iterable[tuple[K, T]]) -> None:
    """Put ``times`` (key, time) into ``found``, where of each key the earliest stays."""
    for key, time in times:
        found[key] = min(time, found.get(key, time))


def earliest(times: Iterable[tuple[K, T]]) -> dict[K, T]:
    """The earliest of ``times`` (key, time) of each key."""
    found: dict[K, T] = {}
    keep_earliest(found, times)
    return found


def china_day(us: int) -> int:
    """Natural day (days since 1970-01-01) in Asia/Shanghai of a UTC time in microseconds."""
    return (us + CHINA_OFFSET_US) // US_PER_DAY


def midnight(day: date) -> datetime:
    """When a natural day begins in Asia/Shanghai."""
    return datetime(day.year, day.month, day.day, tzinfo=CHINA)


def midnight_us(day: date) -> int:
    """When a natural day begins in Asia/Shanghai, microseconds since 1970 UTC."""
    return (day - _EPOCH.date()).days * US_PER_DAY - CHINA_OFFSET_US
