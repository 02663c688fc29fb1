"""Frozen evidence as GeoJSON: what was driven, and what it was judged against. Pure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely

from rules.geo import from_local_plane
from telemetry.units import CHINA, from_us

# After this no calendar helps; evidence writes "no end" as the largest int64.
_LAST_US = 4_102_444_800_000_000


def time_text(us: int | None) -> str | None:
    """RFC 3339 of microseconds since 1970; None for none, or for "no end"."""
    if us is None or not 0 <= us < _LAST_US:
        return None
    return from_us(us).astimezone(CHINA).isoformat()


def feature_collection(alert: str, version: int, sha256: str, body: dict[str, Any]) -> dict[str, Any]:
    """A FeatureCollection (RFC 7946, WGS-84): ``role`` of each feature is track, fence, destination or
    circle.

    ``body``: parsed evidence, see the rule's check. What it does not hold is left out.
    """
    features: list[dict[str, Any]] = []
    if track := _track(body.get("track") or {}):
        features.append(track)
    features += [_fence(fence) for fence in body.get("fences") or []]
    if (place := body.get("destination")) is not None:
        features += _destination(place, (body.get("parameters") or {}).get("radius_m"))
    return {
        "type": "FeatureCollection",
        "datum": "wgs84",
        "alert": alert,
        "version": version,
        "evidence_hash": sha256,
        "rule": body.get("rule"),
        "rule_version": body.get("rule_version"),
        "parameters": body.get("parameters"),
        "orders": [
            order | {"from": time_text(order.get("from_us")), "to": time_text(order.get("to_us"))}
            for order in body.get("orders") or ([body["order"]] if body.get("order") else [])
        ],
        "features": features,
    }


def _feature(role: str, geometry: dict[str, Any] | None, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {"role": role, "datum": "wgs84"} | properties,
    }


def _track(track: dict[str, list[int]]) -> dict[str, Any] | None:
    times = track.get("t_us") or []
    if not times:
        return None
    line = [[lon / 1e6, lat / 1e6] for lat, lon in zip(track["lat_e6"], track["lon_e6"], strict=True)]
    geometry = (
        {"type": "LineString", "coordinates": line}
        if len(line) > 1
        else {"type": "Point", "coordinates": line[0]}
    )
    return _feature(
        "track",
        geometry,
        times=[time_text(t) for t in times],
        speeds_kmh=[speed / 10 for speed in track.get("speed_dkmh") or []],
        points=len(times),
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
    lat, lon = place["lat_e6"] / 1e6, place["lon_e6"] / 1e6
    found = [_feature("destination", {"type": "Point", "coordinates": [lon, lat]}, name=place.get("name"))]
    if radius_m:
        angles = np.linspace(0, 2 * math.pi, 65)
        lats, lons = from_local_plane(lat, lon, radius_m * np.cos(angles), radius_m * np.sin(angles))
        ring = np.column_stack((lons, lats)).round(7).tolist()
        ring[-1] = ring[0]
        circle = {"type": "Polygon", "coordinates": [ring]}
        found.append(_feature("circle", circle, name=place.get("name"), radius_m=radius_m))
    return found
