"""Times as GPS recordings write them.

Taken: ISO 8601 with ``T`` or a blank, fractions, zone ``Z``, ``+08:00``, ``+0800``, ``+08``; the same with slashes and
single digits (``2008/2/2 9:05``); ``20/03/2021 00:22`` where it is known whether the day or the month comes first;
``YYYYMMDDhhmmss``; seconds, milliseconds or microseconds since 1970 (told apart by size: 1e11 s is the year 5138, 1e11 ms
is 1973). A date without a time of day is no time: it would put every point at midnight.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from runtime.units import to_us

DAY_FIRST: Final = "dmy"
MONTH_FIRST: Final = "mdy"

_CLOCK = (
    r"(?:[T ]\s*(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,9}))?)?)\s*(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
)
_CIVIL = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?" + _CLOCK, re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})" + _CLOCK, re.ASCII)
_YEAR_LAST_DATE = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.]\d{4}(?!\d)", re.ASCII)
_COMPACT = re.compile(r"\d{14}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,9})?", re.ASCII)


def date_order(text: str) -> str:
    """What a date with its year last tells: ``dmy``, ``mdy``, ``?`` when both can be, "" when it is no such date."""
    match = _YEAR_LAST_DATE.match(text)
    if match is None:
        return ""
    first, second = int(match[1]), int(match[2])
    if first > 12:
        return DAY_FIRST
    return MONTH_FIRST if second > 12 else "?"


def parse_time(text: str, utc_offset_s: int, order: str | None = None) -> tuple[int, bool]:
    """(microseconds since 1970 UTC, whether the zone was assumed). ``order`` says how dates with their year last begin
    (``dmy``, ``mdy``); None refuses them. Raises ValueError when it is no time."""
    text = text.strip()
    if _COMPACT.fullmatch(text):
        moment = datetime.strptime(text, "%Y%m%d%H%M%S").replace(
            tzinfo=timezone(timedelta(seconds=utc_offset_s))
        )
        return to_us(moment), True
    if _NUMBER.fullmatch(text):
        return epoch_us(float(text)), False
    match = _CIVIL.fullmatch(text)
    if match is not None:
        year, month, day = match.groups()[:3]
    else:
        match = _YEAR_LAST.fullmatch(text) if order else None
        if match is None:
            raise ValueError(f"not a time: {text[:40]!r}")
        first, second, year = match.groups()[:3]
        day, month = (first, second) if order == DAY_FIRST else (second, first)
    hour, minute, second_text, fraction, zone = match.groups()[3:]
    micro = int(((fraction or "") + "000000")[:6])
    whole_second = int(second_text or 0)
    if whole_second == 60:  # a leap second, or a device that rounds up
        whole_second, extra = 59, 1_000_000
    else:
        extra = 0
    moment = datetime(
        int(year), int(month), int(day), int(hour), int(minute), whole_second, micro,
        tzinfo=_zone(zone, utc_offset_s),
    )  # fmt: skip
    return to_us(moment) + extra, zone is None


def _zone(zone: str | None, utc_offset_s: int) -> timezone:
    """Raises ValueError beyond 24 h."""
    if zone is None:
        return timezone(timedelta(seconds=utc_offset_s))
    if zone in ("Z", "z", "UTC", "GMT"):
        return UTC
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(offset if zone[0] == "+" else -offset)


def epoch_us(number: float) -> int:
    """Microseconds since 1970 UTC of a number in seconds, milliseconds or microseconds. ValueError if not finite."""
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    size = abs(number)
    if size < 1e11:
        return round(number * 1_000_000)
    return round(number * 1_000) if size < 1e14 else round(number)
