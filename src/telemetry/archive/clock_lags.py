"""Constants by which clocks are known to be wrong, and the correction that a lag proposes. Pure.

Whole hours of a wrong zone, and the rollover of the GPS week (1,024 weeks), alone or with such hours.
"""

from __future__ import annotations

from typing import Final

_HOUR_S: Final = 3600
_ROLLOVER_S: Final = 1024 * 7 * 24 * _HOUR_S
_MOST_HOURS: Final = 14
#: Networks delay, clocks drift: so near to a constant is that constant.
NEAR_S: Final = 30


def known_constant_s(lag_s: float) -> int | None:
    """The constant that a lag (s; below 0 = ahead) is, within NEAR_S; None: it is none that clocks are known for."""
    for rollovers in (0, 1, 2):
        rest = lag_s - rollovers * _ROLLOVER_S
        hours = round(rest / _HOUR_S)
        near = abs(hours) <= _MOST_HOURS and abs(rest - hours * _HOUR_S) <= NEAR_S
        if near and (hours or rollovers):
            return rollovers * _ROLLOVER_S + hours * _HOUR_S
    return None


def proposed_shift_s(lag_s: int, shift_s: int = 0) -> int:
    """What is to be added to the times of a clock that lags so much although ``shift_s`` is added already."""
    constant = known_constant_s(lag_s)
    return shift_s + (lag_s if constant is None else constant)
