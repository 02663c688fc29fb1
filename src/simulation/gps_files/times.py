"""Times as GPS recordings write them.

Taken: ISO 8601 with ``T`` or a blank, fractions, zone ``Z``, ``+08:00``, ``+0800``, ``+08``; the same with slashes and
single digits (``2008/2/2 9:05``); ``YYYYMMDDhhmmss``; seconds, milliseconds or microseconds since 1970 (told apart by
size: 1e11 s is the year 5138, 1e11 ms is 1973).
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone

from runtime.units import to_us

_CIVIL = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]\s*(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,9}))?)?)?"
    r"\s*(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_COMPACT = re.compile(r"\d{14}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,9})?", re.ASCII)


def parse_time(text: str, utc_offset_s: int) -> tuple[int, bool]:
    """(microseconds since 1970 UTC, whether the zone was assumed). Raises ValueError when it is no time."""
    text = text.strip()
    if _COMPACT.fullmatch(text):
        moment = datetime.strptime(text, "%Y%m%d%H%M%S").replace(
            tzinfo=timezone(timedelta(seconds=utc_offset_s))
        )
        return to_us(moment), True
    if _NUMBER.fullmatch(text):
        return epoch_us(float(text)), False
    match = _CIVIL.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time: {text[:40]!r}")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micro = int(((fraction or "") + "000000")[:6])
    whole_second = int(second or 0)
    if whole_second == 60:  # a leap second, or a device that rounds up
        whole_second, extra = 59, 1_000_000
    else:
        extra = 0
    assumed = zone is None
    if zone is None:
        tz = timezone(timedelta(seconds=utc_offset_s))
    elif zone in ("Z", "z", "UTC", "GMT"):
        tz = UTC
    else:
        digits = zone[1:].replace(":", "").ljust(4, "0")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        tz = timezone(offset if zone[0] == "+" else -offset)  # ValueError beyond 24 h
    moment = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), whole_second, micro, tzinfo=tz
    )
    return to_us(moment) + extra, assumed


def epoch_us(number: float) -> int:
    """Microseconds since 1970 UTC of a number in seconds, milliseconds or microseconds. ValueError if not finite."""
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    size = abs(number)
    if size < 1e11:
        return round(number * 1_000_000)
    return round(number * 1_000) if size < 1e14 else round(number)
