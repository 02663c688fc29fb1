"""What a driver drove without a rest, from the tracks of his vehicles. Pure.

道路交通安全法实施条例 art. 62: nobody drives for more than four hours without stopping for a rest of at least 20 minutes. What is shown is a proposal to ask, no finding:
the track says that the vehicle drove, not who slept beside the driver. Whatever may have been a rest is taken for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from runtime.arrays import Ints

#: So long a rest ends what is driven at a stretch, and so long a stretch is too long, in seconds.
REST_S: Final = 20 * 60
MOST_S: Final = 4 * 3600
#: A vehicle drives from this speed on (0.1 km/h), as everywhere where driving is counted.
DRIVES_DKMH: Final = 50
#: Fixes further apart say nothing of the time between them, in seconds.
GAP_S: Final = 120


@dataclass(frozen=True, slots=True)
class Stretch:
    """Driving without a rest: from and to in seconds since 1970, how much of it was driven, in seconds, and with which dispatches (numbers)."""

    since_s: int
    until_s: int
    driven_s: int
    dispatches: tuple[str, ...] = field(default=())

    @property
    def too_long(self) -> bool:
        """More than four hours."""
        return self.driven_s > MOST_S


def pieces(t_us: Ints, dkmh: Ints) -> list[tuple[int, int]]:
    """When a vehicle drove: (from, to) in seconds, between fixes that are near and both say so."""
    if len(t_us) < 2:
        return []
    at = t_us // 1_000_000
    drives = (dkmh[:-1] >= DRIVES_DKMH) & (dkmh[1:] >= DRIVES_DKMH) & (np.diff(at) <= GAP_S)
    return [(int(at[k]), int(at[k + 1])) for k in np.flatnonzero(drives)]


def stretches(drives: Iterable[tuple[str, Sequence[tuple[int, int]]]]) -> list[Stretch]:
    """What was driven at a stretch, by time. ``drives``: number of a dispatch, and its ``pieces``. It goes on over dispatches that follow each other within REST_S."""
    found: list[Stretch] = []
    every = sorted((since, until, number) for number, own in drives for since, until in own)
    for since, until, number in every:
        last = found[-1] if found else None
        if last is None or since - last.until_s >= REST_S:
            found.append(Stretch(since, until, until - since, (number,)))
            continue
        # Two vehicles at one time are one driver.
        more = max(until - max(since, last.until_s), 0)
        named = last.dispatches if number in last.dispatches else (*last.dispatches, number)
        found[-1] = Stretch(last.since_s, max(until, last.until_s), last.driven_s + more, named)
    return found
