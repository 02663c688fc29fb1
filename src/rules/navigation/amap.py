"""Amap 高德地图, driving directions 2.0 (lbs.amap.com/api/webservice/guide/api/newroute): ``GET /v5/direction/driving``.

Its coordinates are GCJ-02; they are converted on the way out and in. Its map changes daily and has no date: what it
answered once is kept, and asked again when the setting ``navigation_map_date`` changes.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from rules.navigation.base import Answer, EngineError, Places
from rules.navigation.engines import degrees, documented, no_way
from rules.navigation.http import EngineHttp, Failure, Limits, whole, word
from rules.navigation.polyline import Point, encode
from telemetry.geo import Datum, from_wgs84, to_wgs84

PUBLIC_URL: Final = "https://restapi.amap.com"
#: infocodes (lbs.amap.com/api/webservice/guide/tools/info) that pass: too many in a minute or second, a gateway, a busy
#: server. Whatever else begins with 1 or 4 is the key, its rights or its quota, with 3 the service behind it.
_PASSING: Final = frozenset({"10004", "10014", "10015", "10016", "10017", "10019", "10020", "10021", "20003"})
#: infocode: not covered, no road near, no way, too far.
_NO_WAY: Final = frozenset({"20800", "20801", "20802", "20803"})
#: The quickest way whatever the traffic: a trip is not judged by the jam of the day on which it is looked at.
_STRATEGY: Final = "38"
_NUMBER: Final = re.compile(r"\d{1,11}(\.\d{1,6})?")
_DEGREES: Final = re.compile(r"(-?\d{1,3}(?:\.\d{1,8})?),(-?\d{1,2}(?:\.\d{1,8})?)")


class Amap:
    """See the module docstring. ``key``: of the account; it goes nowhere but into requests."""

    name = "amap"
    most_places = 18  # 16 between origin and destination

    def __init__(self, url: str, key: str, map_date: str = "", limits: Limits | None = None) -> None:
        self._http = EngineHttp(self.name, url, limits, proxies=True, failure=_failure)
        self._key, self._map_date = key, map_date

    async def map_date(self, near: tuple[int, int]) -> str:
        """The date given."""
        return self._map_date or "online"

    async def ask(self, places: Places) -> Answer:
        """See Engine."""
        words = _to_amap(places)
        params = {
            "key": self._key, "origin": words[0], "destination": words[-1], "strategy": _STRATEGY,
            "show_fields": "cost,polyline", "output": "json",
        }  # fmt: skip
        if len(words) > 2:
            params["waypoints"] = ";".join(words[1:-1])
        status, answer = await self._http.ask("GET", "v5/direction/driving", params=params)
        code = word(answer.get("infocode"), 10)
        if code in _NO_WAY:
            return no_way(code, answer.get("info", ""))
        if status != 200 or answer.get("status") != "1":
            raise EngineError(
                f"amap: HTTP {status}, infocode {code}"
            )  # says something of this question alone
        return documented(lambda: _answer(answer["route"]["paths"][0]))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _failure(answer: dict[str, Any]) -> Failure | None:
    """Amap says with HTTP 200 that its key, quota or service fails: no other question would fare better now."""
    code = word(answer.get("infocode"), 10)
    if answer.get("status") == "1" or (code[:1] not in ("1", "3", "4") and code not in _PASSING):
        return None
    passes = code in _PASSING or code[:1] == "3"
    return Failure("refused", f"infocode {code} {word(answer.get('info', ''))}", passes)


def _answer(path: dict[str, Any]) -> Answer:
    steps = [step["polyline"] for step in path["steps"]]
    return Answer(_whole(path["distance"]), _whole(path["cost"]["duration"]), encode(_from_amap(steps)))


def _whole(value: Any) -> int:
    """Its numbers are strings."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError("not a number")
        value = int(value.split(".")[0])
    return whole(value)


def _to_amap(places: Places) -> list[str]:
    """``lon,lat`` in GCJ-02 of each place, six decimals."""
    lat, lon = np.array(places, np.float64).T / 1e6
    gcj_lat, gcj_lon = (np.rint(v * 1e6).astype(np.int64).tolist() for v in from_wgs84(Datum.GCJ02, lat, lon))
    return [f"{degrees(o)},{degrees(a)}" for a, o in zip(gcj_lat, gcj_lon, strict=True)]


def _from_amap(steps: list[str]) -> list[Point]:
    """WGS-84 of the ``lon,lat;lon,lat`` of all steps; a repeated point once."""
    pairs = []
    for pair in (pair for step in steps for pair in step.split(";")):
        match = _DEGREES.fullmatch(pair)
        if match is None:
            raise ValueError("not a polyline")
        pairs.append((float(match[2]), float(match[1])))
    if not pairs:
        return []
    lat, lon = to_wgs84(Datum.GCJ02, *np.array(pairs, np.float64).T)
    points = np.column_stack((np.rint(lat * 1e6), np.rint(lon * 1e6))).astype(np.int64)
    keep = np.r_[True, (np.diff(points, axis=0) != 0).any(axis=1)]
    return [(a, o) for a, o in points[keep].tolist()]
