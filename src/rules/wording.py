"""Chinese for people: times, numbers, reasons. Pure."""

from __future__ import annotations

from runtime.units import CHINA, from_us


def moment(us: int) -> str:
    """``2026-03-02 21:14`` in Asia/Shanghai."""
    return from_us(us).astimezone(CHINA).strftime("%Y-%m-%d %H:%M")


def span(start_us: int, end_us: int | None) -> str:
    """``2026-03-02 21:14 至 22:40``; the second day is named only when it is another one."""
    if end_us is None:
        return f"{moment(start_us)} 起"
    start, end = moment(start_us), moment(end_us)
    return f"{start} 至 {end[11:] if end[:10] == start[:10] else end}"


def metres(value: int) -> str:
    """``3,412 米``."""
    return f"{value:,} 米"


def kilometres(value_m: int) -> str:
    """``12.6 公里`` of a number of metres, half up, in integers."""
    tenths = (value_m + 50) // 100
    return f"{tenths // 10:,}.{tenths % 10} 公里"
