"""``Group``: the frames of all viewers who see the same vehicles in the same window. Each is encoded once a second.

What a viewer is shown follows what a screen can show. Places are given in steps of about a pixel, and a vehicle is told again when
it has moved by more than a step, when its state has changed, or when its fix is ``quiet_s`` newer than the one that was told. Where
that still gives more than ``MOST_BYTES`` a second, the distance is doubled until it does not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from api.live.frames import Flag, Kind, Rows, changed_part, fits, frame, full_part
from api.live.scopes import View
from runtime.arrays import AnyInts, Bools

#: Of a frame, on average; the next ones are made smaller when it is more.
MOST_BYTES: Final = 36_000
#: A viewer who is further behind gets a snapshot.
KEPT: Final = 5
#: Without a window: about 20 m.
WIDE_STEP: Final = 200
_STEPS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
#: A window is about so many pixels wide.
_PIXELS: Final = 1_000
#: From this step on single seconds cannot be seen.
_COARSE: Final = 100
_QUIET_S: Final = 10
_MOST_DOUBLED: Final = 10
#: Frames that are measured together.
_MEASURED: Final = 8


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the map: west, south, east, north, in 1e-6 degree WGS-84, edges included."""

    west: int
    south: int
    east: int
    north: int

    @property
    def step(self) -> int:
        """About a pixel of it, in 1e-6 degree."""
        pixel = max(self.east - self.west, self.north - self.south) // _PIXELS
        return max((step for step in _STEPS if step <= pixel), default=1)

    def holds(self, view: View) -> Bools:
        """Which vehicles are in it."""
        inside: Bools = (
            (view.lon_e6 >= self.west)
            & (view.lon_e6 <= self.east)
            & (view.lat_e6 >= self.south)
            & (view.lat_e6 <= self.north)
        )
        return inside


class Group:
    """See the module. ``viewers``: how many there are; the owner counts them."""

    def __init__(self, window: Window | None = None) -> None:
        self.window = window
        self.viewers = 0
        self.seq = 0
        self._step = WIDE_STEP if window is None else window.step
        self._doubled = 0
        self._sizes: deque[int] = deque(maxlen=_MEASURED)
        self._frames: deque[bytes] = deque(maxlen=KEPT)  # the last ones, of seq and before
        self._head: dict[str, float | int | bool] = {}
        self._snapshot: bytes | None = None
        self._clear(0)

    def _clear(self, vehicles: int) -> None:
        """Forget what was told: the next frame that a viewer gets is a snapshot."""
        self._known = np.zeros(vehicles, np.bool_)
        self._told = Rows(
            np.arange(vehicles), *(np.zeros(vehicles, np.int64) for _ in range(3)),
            *(np.zeros(vehicles, np.uint8) for _ in range(3)),
        )  # fmt: skip
        self._frames.clear()

    def advance(self, view: View, now_ms: int, epoch: int, *, stale: bool) -> bytes:
        """The frame of this second; ``epoch``: of the roster of ``view``."""
        anew = len(view.known) != len(self._known) or epoch != self._head.get("epoch")
        if anew:
            self._clear(len(view.known))
        self.seq += 1
        self._snapshot = None
        self._head = {
            "now_ms": now_ms, "epoch": epoch, "vehicles": len(view.known), "step": self._step, "stale": stale,
        }  # fmt: skip
        rows, there = self._news(view)
        now_s = now_ms // 1000
        before = self._told.take(rows.index)
        close = self._known[rows.index] & there
        for after, old in ((rows.lon, before.lon), (rows.lat, before.lat), (now_s, rows.fix_s)):
            close &= fits(after - old)
        near, far = np.flatnonzero(close), np.flatnonzero(~close)
        full, changed = rows.take(far), rows.take(near)
        body = full_part(full) + changed_part(changed, before.take(near), len(view.known), now_s)
        kind = Kind.SNAPSHOT if anew else Kind.DELTA if len(rows) else Kind.HEARTBEAT
        made = frame(
            kind, self.seq, full=len(full), changed=len(changed), body=body,
            **self._head,  # type: ignore[arg-type]  # the names are those of frame
        )  # fmt: skip
        for name in ("lon", "lat", "fix_s", "speed", "direction", "flags"):
            getattr(self._told, name)[rows.index] = getattr(rows, name)
        self._known[rows.index] = there
        self._frames.append(made)
        if not anew:
            self._adapt(len(made))
        return made

    def _adapt(self, size: int) -> None:
        """Double or halve the distance by what the last frames had on average; then wait for as many new ones."""
        self._sizes.append(size)
        mean = sum(self._sizes) / _MEASURED
        if mean > MOST_BYTES:
            self._doubled = min(self._doubled + 1, _MOST_DOUBLED)
            self._sizes.clear()
        elif len(self._sizes) == _MEASURED and mean < MOST_BYTES / 4 and self._doubled:
            self._doubled -= 1
            self._sizes.clear()

    def since(self, seq: int | None) -> list[bytes]:
        """What a viewer needs who has everything up to ``seq`` (None = nothing): the frames after it, or a snapshot."""
        if seq is not None and 0 <= self.seq - seq <= len(self._frames):
            behind = self.seq - seq
            return list(self._frames)[len(self._frames) - behind :]
        return [self.snapshot()]

    def snapshot(self) -> bytes:
        """All that was told up to ``seq``. Whoever joins in the same second gets the same bytes."""
        if self._snapshot is None:
            rows = self._told.take(np.flatnonzero(self._known))
            self._snapshot = frame(
                Kind.SNAPSHOT, self.seq, full=len(rows), body=full_part(rows),
                **self._head,  # type: ignore[arg-type]  # the names are those of frame
            )  # fmt: skip
        return self._snapshot

    def _news(self, view: View) -> tuple[Rows, Bools]:
        """The rows to be told, by index, and whether each is there: what was told and is not shown any more is GONE."""
        shown = view.known if self.window is None else view.known & self.window.holds(view)
        told, step = self._told, self._step
        far = (step * 3 // 5) << self._doubled
        moved = (np.abs(view.lon_e6 - told.lon * step) > far) | (np.abs(view.lat_e6 - told.lat * step) > far)
        quiet_s = 1 if step < _COARSE and not self._doubled else _QUIET_S
        newer = view.fix_s - told.fix_s
        other = (
            moved
            | (view.flags != told.flags)
            | ((view.speed == 0) != (told.speed == 0))
            | (newer >= quiet_s)
            | (newer < 0)
        )
        tell = shown & (~self._known | other)
        at = np.flatnonzero(tell | (self._known & ~shown))
        there = shown[at]
        # One that has hardly moved stays where it was told: noise at the edge of a step would move it each second.
        stays = self._known[at] & ~moved[at]

        def steps(now: AnyInts, before: AnyInts) -> AnyInts:
            return np.where(stays, before[at], (now[at] + step // 2) // step)

        rows = Rows(
            at, steps(view.lon_e6, told.lon), steps(view.lat_e6, told.lat), view.fix_s[at], view.speed[at],
            view.direction[at], view.flags[at],
        )  # fmt: skip
        for name in ("lon", "lat", "fix_s", "speed", "direction"):
            getattr(rows, name)[~there] = 0
        rows.flags[~there] = Flag.GONE
        return rows, there
