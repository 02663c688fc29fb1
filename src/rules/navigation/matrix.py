"""Ways between many places at once, by an engine's matrix, kept in memory: for planning, never for evidence. An engine that is slow, down or not there gives none, and whoever asked measures
straight lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import numpy as np

from rules.navigation.base import EngineError
from rules.navigation.http import Limits
from telemetry import geo

_logger = logging.getLogger(__name__)
Place = tuple[int, int]
#: A dispatcher waits for it: one try, and soon none while the engine is down.
QUICK: Final = Limits(timeout_s=0.3, tries=1, concurrency=2)
#: Pairs of one question (Valhalla takes 2,500 as it is delivered; OSRM 100 places), and kept, at most.
MOST_PLACES, MOST_KEPT = 50, 200_000
#: Kept for so long: the map may be exchanged.
KEPT_S: Final = 24 * 3600.0
#: A way that is shorter than the straight line by more than that is nonsense, in permille and metres: places are taken to the next road.
_SHORTER_PERMILLE, _SNAP_M = 900, 2_000
_MOST_M: Final = 10_000_000


class MatrixEngine(Protocol):
    """An engine that has a matrix."""

    @property
    def name(self) -> str:
        """Name of the engine."""

    async def matrix(self, sources: Sequence[Place], targets: Sequence[Place]) -> list[list[tuple[int, int] | None]]:  # fmt: skip
        """(metres, seconds) of each way, None = there is none. Raises EngineError."""

    async def close(self) -> None:
        """Close the connections."""


class TravelTimes:
    """Ways of one engine; None = there is none."""

    def __init__(self, engine: MatrixEngine | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._clock = engine, clock
        self._kept: dict[tuple[Place, Place], tuple[tuple[int, int] | None, float]] = {}

    @property
    def name(self) -> str:
        """Name of the engine, '' = none."""
        return "" if self._engine is None else self._engine.name

    async def between(self, sources: Sequence[Place], targets: Sequence[Place]) -> dict[tuple[Place, Place], tuple[int, int]]:  # fmt: skip
        """(metres, seconds) of the ways from each of ``sources`` to each of ``targets`` (places in 1e-6 degree, WGS-84), as far as the engine knows them; at most MOST_PLACES of each are
        asked for. Never raises for an engine."""
        if self._engine is None or not sources or not targets:
            return {}
        now = self._clock()
        known = self._known(sources, targets, now)
        missing = [s for s in dict.fromkeys(sources) if any((s, t) not in known for t in targets)][
            :MOST_PLACES
        ]
        wanted = [t for t in dict.fromkeys(targets) if any((s, t) not in known for s in missing)][
            :MOST_PLACES
        ]
        if missing and wanted:
            await self._ask(self._engine, missing, wanted, now)
            known = self._known(sources, targets, now)
        return {pair: way for pair, way in known.items() if way is not None}

    async def close(self) -> None:
        """Close the engine's connections."""
        if self._engine is not None:
            await self._engine.close()

    def _known(self, sources: Sequence[Place], targets: Sequence[Place], now: float) -> dict[tuple[Place, Place], tuple[int, int] | None]:  # fmt: skip
        found = {}
        for source in sources:
            for target in targets:
                kept = self._kept.get((source, target))
                if kept is not None and now - kept[1] < KEPT_S:
                    found[source, target] = kept[0]
        return found

    async def _ask(self, engine: MatrixEngine, sources: Sequence[Place], targets: Sequence[Place], now: float) -> None:  # fmt: skip
        try:
            rows = await engine.matrix(sources, targets)
        except EngineError as error:
            _logger.warning("no travel times now, straight lines instead: %s", error)
            return
        if len(self._kept) + len(sources) * len(targets) > MOST_KEPT:
            self._kept.clear()
        for source, row in zip(sources, rows, strict=True):
            for target, way in zip(targets, row, strict=True):
                self._kept[source, target] = (way if way is not None and _can_be(source, target, way) else None, now)  # fmt: skip


def _can_be(source: Place, target: Place, way: tuple[int, int]) -> bool:
    """Whether the way can be true: no shorter than the straight line, but for the way to the next road."""
    metres, seconds = way
    points = np.array([source, target], np.int64)
    straight_m = int(geo.distance_mm(points[:1, 0], points[:1, 1], points[1:, 0], points[1:, 1])[0]) // 1000
    least_m = straight_m * _SHORTER_PERMILLE // 1000 - _SNAP_M
    # No car drives 180 km/h on the average.
    return least_m <= metres < _MOST_M and (metres < _SNAP_M or seconds * 50 >= metres)
