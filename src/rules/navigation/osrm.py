"""OSRM (project-osrm.org/docs): ``GET /route/v1/driving``, ``GET /nearest/v1/driving``, ``GET /table/v1/driving``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rules.navigation.base import SNAP_M, Answer, EngineError, Places
from rules.navigation.engines import degrees, documented, no_way
from rules.navigation.http import EngineHttp, Limits, whole, word
from rules.navigation.matrix import Place

#: Codes that say something about the places.
_NO_WAY: Final = frozenset({"NoRoute", "NoSegment"})


class Osrm:
    """See the module docstring. ``map_date``: date of the map data ('' = what the data says of itself)."""

    name = "osrm"
    most_places = (
        100  # osrm-routed --max-viaroute-size is 500 as it is delivered; an address has to stay short
    )

    def __init__(self, url: str, map_date: str = "", limits: Limits | None = None) -> None:
        self._http = EngineHttp(self.name, url, limits)
        self._map_date = map_date

    async def map_date(self, near: tuple[int, int]) -> str:
        """The date given, else ``data_version`` of the data (empty in data prepared without one)."""
        if self._map_date:
            return self._map_date
        status, answer = await self._http.ask(
            "GET", f"nearest/v1/driving/{degrees(near[1])},{degrees(near[0])}", params={"number": "1"}
        )
        if answer.get("code") not in ("Ok", "NoSegment"):
            raise EngineError(f"osrm: HTTP {status}, {word(answer.get('code'))} on /nearest")
        return word(answer.get("data_version") or "unknown", 80)

    async def ask(self, places: Places) -> Answer:
        """See Engine. Turning round at a place is allowed."""
        status, answer = await self._http.ask(
            "GET",
            "route/v1/driving/" + ";".join(f"{degrees(lon)},{degrees(lat)}" for lat, lon in places),
            params={
                "overview": "full",
                "geometries": "polyline6",
                "steps": "false",
                "alternatives": "false",
                "continue_straight": "false",
                "generate_hints": "false",
                "radiuses": ";".join([str(SNAP_M)] * len(places)),
            },
        )
        code = answer.get("code")
        if isinstance(code, str) and code in _NO_WAY:
            return no_way(code, answer.get("message", ""))
        if code != "Ok":
            raise EngineError(f"osrm: HTTP {status}, {word(code)}")
        return documented(lambda: _answer(answer, len(places) - 1))

    async def matrix(self, sources: Sequence[Place], targets: Sequence[Place]) -> list[list[tuple[int, int] | None]]:  # fmt: skip
        """See MatrixEngine: ``GET /table/v1/driving``."""
        places, size = [*sources, *targets], len(sources)
        status, answer = await self._http.ask(
            "GET",
            "table/v1/driving/" + ";".join(f"{degrees(lon)},{degrees(lat)}" for lat, lon in places),
            params={
                "sources": ";".join(map(str, range(size))),
                "destinations": ";".join(map(str, range(size, len(places)))),
                "annotations": "duration,distance",
                "generate_hints": "false",
            },
        )
        try:
            if answer.get("code") != "Ok":
                raise ValueError("code")
            metres, seconds = answer["distances"], answer["durations"]
            if any(
                len(rows) != size or any(len(row) != len(targets) for row in rows)
                for rows in (metres, seconds)
            ):
                raise ValueError("size")
            return [
                [_way(*each) for each in zip(*rows, strict=True)]
                for rows in zip(metres, seconds, strict=True)
            ]
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
            raise EngineError(f"osrm: HTTP {status}, no matrix ({word(answer.get('code'))})") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _way(metres: Any, seconds: Any) -> tuple[int, int] | None:
    return None if metres is None or seconds is None else (whole(metres), whole(seconds))


def _answer(answer: dict[str, Any], count: int) -> Answer:
    found = answer["routes"][0]
    if len(found["legs"]) != count:
        raise ValueError("legs")
    return Answer(whole(found["distance"]), whole(found["duration"]), str(found["geometry"]))
