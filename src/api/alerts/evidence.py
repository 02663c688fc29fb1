"""Frozen evidence as GeoJSON: what was driven, and what it was judged against. Pure.

Whatever the rule: the parts of evidence that have a place are drawn (track, fences, destination, station, route,
places, silences), the rest is told as ``facts``.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import shapely

from runtime.units import CHINA, from_us
from telemetry.geo import from_local_plane

# After this no calendar helps; evidence writes "no end" as the largest int64.
_LAST_US = 4_102_444_800_000_000

#: Drawn, or told in a member of their own.
_NOT_FACTS: Final = frozenset(
    ("rule", "rule_version", "parameters", "track", "fences", "destination", "order", "orders")
)
#: Texts as long as that are for programs (packed states, encoded lines).
_LONGEST_TEXT: Final = 500
#: Lists of so many bare numbers, or of lists, are columns and shapes.
_LONGEST_LIST: Final = 50


def time_text(us: int | None) -> str | None:
    """RFC 3339 of microseconds since 1970; None for none, or for "no end"."""
    if us is None or not 0 <= us < _LAST_US:
        return None
    return from_us(us).astimezone(CHINA).isoformat()


def feature_collection(
    alert: str, version: int, sha256: str, body: dict[str, Any], sm3: str | None = None
) -> dict[str, Any]:
    """A FeatureCollection (RFC 7946, WGS-84): ``role`` of each feature is track, fence, destination, circle, station,
    route, place or silence.

    ``body``: parsed evidence, see the rule's check. What it does not hold is left out.
    """
    # Of an order that several vehicles served each has its own track.
    tracks = [_track(part.get("track") or {}) for part in (body, *(body.get("legs") or []))]
    features: list[dict[str, Any]] = [track for track in tracks if track]
    features += [_fence(fence) for fence in body.get("fences") or []]
    parameters = body.get("parameters") or {}
    if (place := body.get("destination")) is not None:
        features += _destination(place, parameters.get("radius_m"))
    if (station := body.get("station")) is not None:
        features += _station(station, parameters.get("station_radius_m"))
    if (route := body.get("route")) is not None:
        features += _route(route)
    features += _places(_itinerary(body))
    features += [_silence(silence) for silence in body.get("silences") or []]
    return {
        "type": "FeatureCollection",
        "datum": "wgs84",
        "alert": alert,
        "version": version,
        "evidence_hash": sha256,
        "evidence_sm3": sm3,
        "rule": body.get("rule"),
        "rule_version": body.get("rule_version"),
        "parameters": body.get("parameters"),
        "orders": [
            order | {"from": time_text(order.get("from_us")), "to": time_text(order.get("to_us"))}
            for order in body.get("orders") or ([body["order"]] if body.get("order") else [])
        ],
        "facts": _told({name: value for name, value in body.items() if name not in _NOT_FACTS}),
        "features": features,
    }


def _told(value: Any) -> Any:
    """Facts for people: times as text (``at_us`` -> ``at``), without columns, shapes and packed states."""
    if isinstance(value, dict):
        told = {}
        for name, item in value.items():
            if name.endswith("_us") and (item is None or type(item) is int):
                told[name[:-3]] = time_text(item)
            elif not _for_programs(item):
                told[name] = _told(item)
        return told
    if isinstance(value, list):
        return [_told(item) for item in value]
    return value


def _for_programs(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) > _LONGEST_TEXT
    if isinstance(value, list):
        return any(isinstance(v, list) for v in value) or (
            len(value) > _LONGEST_LIST and all(type(v) is int for v in value)
        )
    return isinstance(value, dict) and "t_us" in value and isinstance(value["t_us"], list)


def _feature(role: str, geometry: dict[str, Any] | None, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {"role": role, "datum": "wgs84"} | properties,
    }


def _line(lats_e6: list[int], lons_e6: list[int]) -> dict[str, Any]:
    line = [[lon / 1e6, lat / 1e6] for lat, lon in zip(lats_e6, lons_e6, strict=True)]
    if len(line) > 1:
        return {"type": "LineString", "coordinates": line}
    return {"type": "Point", "coordinates": line[0]}


def _track(track: dict[str, list[int]]) -> dict[str, Any] | None:
    times = track.get("t_us") or []
    if not times:
        return None
    return _feature(
        "track",
        _line(track["lat_e6"], track["lon_e6"]),
        times=[time_text(t) for t in times],
        speeds_kmh=[speed / 10 for speed in track.get("speed_dkmh") or []],
        points=len(times),
        **({"valid": [bool(v) for v in track["valid"]]} if not all(track.get("valid") or [1]) else {}),
    )


def _fence(fence: dict[str, Any]) -> dict[str, Any]:
    shape = shapely.from_wkb(bytes.fromhex(fence["wkb"]))
    more = {key: value for key, value in fence.items() if key not in ("wkb", "from_us", "to_us")}
    geometry = None if shape.is_empty else shapely.geometry.mapping(shape)
    return _feature(
        "fence",
        geometry,
        **{"from": time_text(fence.get("from_us")), "to": time_text(fence.get("to_us"))},
        **more,
    )


def _destination(place: dict[str, Any], radius_m: int | None) -> list[dict[str, Any]]:
    if place.get("lat_e6") is None or place.get("lon_e6") is None:
        return [_feature("destination", None, name=place.get("name"))]
    return [_point("destination", place), *_circle(place, radius_m)]


def _station(station: dict[str, Any], radius_m: int | None) -> list[dict[str, Any]]:
    named = {"id": station.get("id"), "name": station.get("name")}
    if polygons := station.get("polygons"):
        shape = [[[[lon / 1e6, lat / 1e6] for lat, lon in ring] for ring in rings] for rings in polygons]
        return [_feature("station", {"type": "MultiPolygon", "coordinates": shape}, **named)]
    if station.get("lat_e6") is None or station.get("lon_e6") is None:
        return [_feature("station", None, **named)]
    return [_point("station", station), *_circle(station, radius_m)]


def _point(role: str, place: dict[str, Any]) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": [place["lon_e6"] / 1e6, place["lat_e6"] / 1e6]}
    return _feature(role, geometry, name=place.get("name"), **({"id": place["id"]} if "id" in place else {}))


def _circle(place: dict[str, Any], radius_m: int | None) -> list[dict[str, Any]]:
    if not radius_m:
        return []
    angles = np.linspace(0, 2 * math.pi, 65)
    lats, lons = from_local_plane(
        place["lat_e6"] / 1e6, place["lon_e6"] / 1e6, radius_m * np.cos(angles), radius_m * np.sin(angles)
    )
    ring = np.column_stack((lons, lats)).round(7).tolist()
    ring[-1] = ring[0]
    circle = {"type": "Polygon", "coordinates": [ring]}
    return [_feature("circle", circle, name=place.get("name"), radius_m=radius_m)]


def _route(route: dict[str, Any]) -> list[dict[str, Any]]:
    if (line := route.get("line")) is not None:  # one that an order names, not one that an engine found
        return [_feature("route", _line([lat for lat, _ in line], [lon for _, lon in line]))]
    lats, lons = decode_polyline(route.get("shape") or "")
    more = {name: route.get(name) for name in ("engine", "map_date", "distance_m", "duration_s", "problem")}
    return [_feature("route", _line(lats, lons) if lats else None, **more)]


def _itinerary(body: dict[str, Any]) -> list[Any]:
    """The places of an order as it names them, else those of the route."""
    if body.get("places"):
        return list(body["places"])
    if "destinations" in body:
        named = [body.get("origin"), *body["destinations"], body.get("return_point")]
        return [place for place in named if place is not None]
    return list((body.get("route") or {}).get("places") or [])


def _silence(silence: dict[str, Any]) -> dict[str, Any]:
    """Where a terminal was seen before it fell silent and after: a straight line, not a way. Its fixes are [t_us, lat_e6,
    lon_e6, ...]."""
    seen = [*silence["before"][-1:], *silence["after"][:1]]
    geometry = _line([fix[1] for fix in seen], [fix[2] for fix in seen]) if seen else None
    return _feature(
        "silence",
        geometry,
        before=[time_text(fix[0]) for fix in silence["before"][-1:]],
        after=[time_text(fix[0]) for fix in silence["after"][:1]],
        unplugged=silence.get("unplugged"),
    )


def _places(places: list[Any]) -> list[dict[str, Any]]:
    """Places of an order or a route: {name, lat_e6, lon_e6} or [lat_e6, lon_e6], in the order of travel."""
    features = []
    for number, place in enumerate(places):
        known = place if isinstance(place, dict) else dict(zip(("lat_e6", "lon_e6"), place, strict=True))
        lat, lon = known.get("lat_e6"), known.get("lon_e6")
        geometry = (
            None if lat is None or lon is None else {"type": "Point", "coordinates": [lon / 1e6, lat / 1e6]}
        )
        features.append(_feature("place", geometry, number=number, name=known.get("name")))
    return features


def decode_polyline(text: str) -> tuple[list[int], list[int]]:
    """Latitudes and longitudes (1e-6 degree) of an encoded polyline of precision 6. Raises ValueError for a text that
    is none."""
    deltas: list[int] = []
    value = shift = 0
    for character in text:
        chunk = ord(character) - 63
        if not 0 <= chunk < 64:
            raise ValueError("not an encoded polyline")
        value |= (chunk & 31) << shift
        shift += 5
        if chunk < 32:
            deltas.append(~(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    if shift or len(deltas) % 2:
        raise ValueError("an encoded polyline that is cut off")
    return np.cumsum(deltas[::2]).astype(int).tolist(), np.cumsum(deltas[1::2]).astype(int).tolist()
