"""Valhalla (valhalla.github.io/valhalla/api): ``POST /route``, ``POST /sources_to_targets``, ``GET /status``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rules.navigation.base import SNAP_M, Answer, EngineError, Places
from rules.navigation.engines import documented, no_way
from rules.navigation.http import EngineHttp, Limits, whole, word
from rules.navigation.matrix import Place
from rules.navigation.polyline import decode, encode, join

#: Its error codes that say something about the places, not about the moment: too far apart, not connected, no road
#: near, no path.
_NO_WAY: Final = frozenset({154, 170, 171, 172, 441, 442, 443, 444, 445})


class Valhalla:
    """See the module docstring. ``map_date``: date of the map data, if it is known ('' = not)."""

    name = "valhalla"
    most_places = 20  # service_limits.auto.max_locations as it is delivered

    def __init__(self, url: str, map_date: str = "", limits: Limits | None = None) -> None:
        self._http = EngineHttp(self.name, url, limits)
        self._map_date = map_date

    async def map_date(self, near: tuple[int, int]) -> str:
        """Date of the data, when the tiles were built of it, the program's version."""
        status, answer = await self._http.ask("GET", "status")
        try:
            built = datetime.fromtimestamp(whole(answer["tileset_last_modified"]), UTC)
            version = word(answer["version"])
        except (KeyError, ValueError, ArithmeticError, OSError):
            raise EngineError(f"valhalla: HTTP {status} on /status without the age of its tiles") from None
        tiles = f"tiles {built:%Y-%m-%dT%H:%M:%SZ}, valhalla {version}"
        return f"{self._map_date}, {tiles}" if self._map_date else tiles

    async def ask(self, places: Places) -> Answer:
        """See Engine. Turning round at a place is allowed (type ``break``)."""
        status, answer = await self._http.ask(
            "POST",
            "route",
            body={
                "locations": [
                    {"lat": lat / 1e6, "lon": lon / 1e6, "type": "break", "search_cutoff": SNAP_M}
                    for lat, lon in places
                ],
                "costing": "auto",
                "units": "kilometers",
                "directions_type": "none",
            },
        )
        if status != 200:
            code = answer.get("error_code")
            if isinstance(code, int) and code in _NO_WAY:
                return no_way(code, answer.get("error", ""))
            raise EngineError(f"valhalla: HTTP {status}, error {word(code)}")
        return documented(lambda: _answer(answer["trip"], len(places) - 1))

    async def matrix(self, sources: Sequence[Place], targets: Sequence[Place]) -> list[list[tuple[int, int] | None]]:  # fmt: skip
        """See MatrixEngine: ``POST /sources_to_targets``."""
        status, answer = await self._http.ask(
            "POST",
            "sources_to_targets",
            body={
                "sources": [{"lat": lat / 1e6, "lon": lon / 1e6} for lat, lon in sources],
                "targets": [{"lat": lat / 1e6, "lon": lon / 1e6} for lat, lon in targets],
                "costing": "auto",
                "units": "kilometers",
            },
        )
        try:
            if status != 200 or answer.get("units", "kilometers") != "kilometers":
                raise ValueError("units or status")
            rows = answer["sources_to_targets"]
            if len(rows) != len(sources) or any(len(row) != len(targets) for row in rows):
                raise ValueError("size")
            return [[_way(each) for each in row] for row in rows]
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
            raise EngineError(
                f"valhalla: HTTP {status}, no matrix ({word(answer.get('error_code'))})"
            ) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _way(each: dict[str, Any]) -> tuple[int, int] | None:
    if each["distance"] is None or each["time"] is None:
        return None
    return whole(each["distance"], 1000), whole(each["time"])


def _answer(trip: dict[str, Any], count: int) -> Answer:
    legs = trip["legs"]
    if trip["units"] != "kilometers" or len(legs) != count:
        raise ValueError("units or legs")
    return Answer(
        sum(whole(leg["summary"]["length"], 1000) for leg in legs),
        sum(whole(leg["summary"]["time"]) for leg in legs),
        encode(join([decode(leg["shape"]) for leg in legs])),
    )
