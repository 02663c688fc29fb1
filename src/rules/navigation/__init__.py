"""Navigation mileage from a routing engine: one small interface, several engines, answers frozen.

* ``base``: what is asked and answered
* ``http``: bounded requests; ``engines``: long routes, answers that cannot be true
* ``valhalla``, ``osrm``, ``amap``: the engines
* ``cache``: the routes kept; ``matrix``: ways between many places, for planning
"""

from __future__ import annotations

from collections.abc import Sequence

from rules.navigation.amap import PUBLIC_URL, Amap
from rules.navigation.base import Answer, Engine, EngineError, Navigator, Places, Route
from rules.navigation.cache import CachedNavigator
from rules.navigation.http import Limits
from rules.navigation.matrix import QUICK, TravelTimes
from rules.navigation.osrm import Osrm
from rules.navigation.valhalla import Valhalla
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.settings import Settings

__all__ = [
    "Answer",
    "CachedNavigator",
    "Engine",
    "EngineError",
    "Limits",
    "Navigator",
    "NoNavigator",
    "Places",
    "Route",
    "TravelTimes",
    "engine_of",
    "navigator",
    "travel_times",
]


class NoNavigator:
    """There is no engine: no route is ever there, and what needs one waits."""

    async def fetch(self, conn: Connection, wanted: Sequence[Places]) -> None:
        """Nothing to ask."""

    async def routes(self, conn: Connection, wanted: Sequence[Places]) -> list[Route | None]:
        """None of them."""
        return [None] * len(wanted)

    async def close(self) -> None:
        """Nothing to close."""


def navigator(settings: Settings) -> CachedNavigator | NoNavigator:
    """The Navigator that the settings ask for. Raises ConfigurationError (Amap without a key, no http address)."""
    engine = engine_of(settings)
    return NoNavigator() if engine is None else CachedNavigator(engine)


def travel_times(settings: Settings) -> TravelTimes:
    """Ways for planning, by the engine that the settings name. None of Amap: it takes one target at a time. Raises ConfigurationError."""
    if settings.navigation_engine == "amap":
        return TravelTimes(None)
    engine = engine_of(settings, QUICK)
    return TravelTimes(engine if isinstance(engine, Valhalla | Osrm) else None)


def engine_of(settings: Settings, limits: Limits | None = None) -> Engine | None:
    """The engine that the settings name; None = none. Raises ConfigurationError."""
    url, map_date = settings.navigation_url, settings.navigation_map_date
    if settings.navigation_engine == "amap":
        key = settings.navigation_key.get_secret_value() if settings.navigation_key else ""
        if not key:
            raise ConfigurationError(
                "GONGCHE_NAVIGATION_KEY: Amap needs a key", hint="lbs.amap.com, Web 服务"
            )
        return Amap(_checked(url or PUBLIC_URL), key, map_date, limits)
    if not url:
        return None
    made = Osrm if settings.navigation_engine == "osrm" else Valhalla
    return made(_checked(url), map_date, limits)


def _checked(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"GONGCHE_NAVIGATION_URL: {url!r} is not an http address", hint="http://127.0.0.1:8002"
        )
    return url
