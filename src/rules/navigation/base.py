"""What a navigation engine is asked and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from rules.checks import mileage
from runtime.connection import Connection

#: Places of a route in the order of travel: (lat, lon) in 1e-6 degree, WGS-84.
Places = tuple[tuple[int, int], ...]

#: A place that is farther than this from the road the engine took it to is not on the engine's map, in metres.
SNAP_M: Final = 1000


class EngineError(Exception):
    """The engine gives no answer now: down, slow, overloaded, misconfigured. Asked again later."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine says of one route. ``distance_m`` None: ``problem`` says why, ``problem_en`` in English; the engine's own
    word that there is no way, or ``doubtful``: what it says cannot be true, and an engine that is mended says something
    else. ``shape``: polyline of precision 6, WGS-84."""

    distance_m: int | None
    duration_s: int | None
    shape: str = ""
    problem: str = ""
    problem_en: str = ""
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """A frozen answer. ``distance_m`` None: the engine says there is no such way, or its answer is nonsense
    (``problem`` and ``problem_en`` say what). ``shape``: polyline of precision 6, WGS-84. ``key``: hex, names it in the table.
    ``ask_again_us``: when nonsense is asked again (None = it is believed, for ever); no evidence."""

    key: str
    engine: str
    map_date: str
    places: Places
    distance_m: int | None
    duration_s: int | None
    shape: str
    problem: str
    problem_en: str
    ask_again_us: int | None = None

    def evidence(self) -> mileage.Route:
        """The route as it is frozen: integers, strings, lists."""
        frozen: mileage.Route = {
            "key": self.key, "engine": self.engine, "map_date": self.map_date, "places": [list(p) for p in self.places],
            "distance_m": self.distance_m, "duration_s": self.duration_s, "shape": self.shape, "problem": self.problem,
        }  # fmt: skip
        if self.problem_en:  # a route with a distance has none, and its evidence the bytes that it always had
            frozen["problem_en"] = self.problem_en
        return frozen


class Engine(Protocol):
    """One routing engine over HTTP."""

    @property
    def name(self) -> str:
        """Name in evidence, the table and metrics."""

    @property
    def most_places(self) -> int:
        """So many places fit into one request."""

    async def map_date(self, near: tuple[int, int]) -> str:
        """What names the map in use; a route is asked again when it changes. Raises EngineError."""

    async def ask(self, places: Places) -> Answer:
        """The way through 2 to ``most_places`` places, neighbours distinct. Raises EngineError."""

    async def close(self) -> None:
        """Close the connections."""


class Navigator(Protocol):
    """Routes, cached in the table ``navigation_routes``."""

    async def fetch(self, conn: Connection, wanted: Sequence[Places]) -> None:
        """Ask the engine for every route of ``wanted`` that is not kept yet, or is nonsense and to be asked again, and
        keep the answers (own transactions).
        An engine that is down, or slow, or not configured: nothing is kept and nothing raised; it is counted and logged.
        """

    async def routes(self, conn: Connection, wanted: Sequence[Places]) -> list[Route | None]:
        """The kept route of each of ``wanted``; None = not there (yet). No network."""
