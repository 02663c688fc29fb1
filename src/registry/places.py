"""Coordinates as they come in: places of orders and geometries of fences, with their datum, converted once,
here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import shapely
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from registry.misplaced import (
    come_together,
    first_misplaced,
    in_range,
    misplaced,
    names_datum,
    refuse_misplaced,
)
from registry.refusals import PlacedError
from registry.values import readable
from telemetry.geo import Datum, geometry_to_wgs84, to_wgs84_e6

DatumName = Literal["wgs84", "gcj02", "bd09"]

#: Bounds of one fence.
MAX_VERTICES: Final = 5_000
MAX_RINGS: Final = 200
#: How deep a geometry may be wrapped in features and collections.
MAX_WRAPPED: Final = 4


class Place(BaseModel):
    """A place of an order. Without coordinates (市区) it is a name only; with them, their datum is
    required.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, allow_inf_nan=False, frozen=True)

    name: str = Field("", max_length=200)
    lat: float | None = Field(None, ge=-90, le=90, strict=True, description="degrees, in `datum`")
    lon: float | None = Field(None, ge=-180, le=180, strict=True, validate_default=True)
    datum: DatumName | None = Field(None, validate_default=True)

    @field_validator("name")
    @classmethod
    def _readable(cls, value: str) -> str:
        return readable(value)

    _both = field_validator("lon")(come_together)

    _says_where = field_validator("datum")(names_datum)

    @field_validator("datum")
    @classmethod
    def _is_said(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("lat", 0) is None and info.data.get("name") == "":
            raise ValueError("地点须有名称或坐标 · a place needs a name or coordinates")
        return value

    _in_range = model_validator(mode="before")(in_range)

    @model_validator(mode="after")
    def _can_be_meant(self) -> Place:
        if self.lat is not None and self.lon is not None:
            refuse_misplaced(self.lat, self.lon, self.datum, "lat")
        return self

    def original(self) -> dict[str, Any]:
        """The place as it was given: {name, lat, lon, datum}."""
        return self.model_dump()


def stored_places(places: Sequence[Place]) -> list[dict[str, Any]]:
    """Of each place ``original`` and ``wgs84``: {lat_e6, lon_e6}, whole 1e-6 degrees, or None without coordinates. All
    together, for one by one an import of 20,000 orders would keep everybody waiting for seconds."""
    found: list[dict[str, Any]] = [place.original() | {"wgs84": None} for place in places]
    for datum in Datum:
        at = [k for k, place in enumerate(places) if place.lat is not None and place.datum == datum.value]
        if not at:
            continue
        given = np.array([(places[k].lat, places[k].lon) for k in at], np.float64).reshape(-1, 2)
        lat_e6, lon_e6 = to_wgs84_e6(datum, given[:, 0], given[:, 1])
        for k, lat, lon in zip(at, lat_e6.tolist(), lon_e6.tolist(), strict=True):
            found[k]["wgs84"] = {"lat_e6": lat, "lon_e6": lon}
    return found


#: Reference systems of old GeoJSON (2008) that are longitude and latitude in WGS-84, or in a centimetre of it.
_LON_LAT: Final = re.compile(r"(CRS:?84|EPSG:+4326|EPSG:+4490)$", re.IGNORECASE)


def one_geometry(value: dict[str, Any], datum: str | None) -> tuple[dict[str, Any], tuple[str | int, ...]]:
    """The one geometry of what a map program saves (a Feature, a FeatureCollection, a GeometryCollection), and the way to it;
    a geometry itself is given back. Raises PlacedError for none or several, for coordinates that are not longitude and latitude,
    and where the file names another datum than ``datum``."""
    path: list[str | int] = []
    for _ in range(MAX_WRAPPED):
        kind = value.get("type")
        member = {
            "Feature": "geometry",
            "FeatureCollection": "features",
            "GeometryCollection": "geometries",
        }.get(str(kind))
        if member is None:
            break
        _refuse_other_reference(value, datum, path)
        inner = value.get(member)
        path.append(member)
        if isinstance(inner, list) and member != "geometry":
            if len(inner) != 1:
                raise PlacedError(
                    f"{kind} 中有 {len(inner)} 个图形，只能有一个：请分开，各登记一条 · {len(inner)} geometries in it; give one",
                    *path,
                )
            inner = inner[0]
            path.append(0)
        if not isinstance(inner, dict):
            raise PlacedError(f"{kind} 中没有图形 · no geometry in it", *path)
        value = inner
    return value, tuple(path)


def _refuse_other_reference(value: dict[str, Any], datum: str | None, path: Sequence[str | int]) -> None:
    crs = value.get("crs")
    if crs is not None:
        properties = crs.get("properties") if isinstance(crs, dict) else None
        name = properties.get("name") if isinstance(properties, dict) else None
        if not isinstance(name, str) or not _LON_LAT.search(name[:200]):
            raise PlacedError(
                f"坐标参照系 {str(name)[:60]} 不是经纬度，请另存为 EPSG:4326 · not longitude and latitude; save it as EPSG:4326",
                *path,
                "crs",
            )
    about = value.get("properties")
    for said, at in (
        (value.get("datum"), "datum"),
        (about.get("datum") if isinstance(about, dict) else None, "properties"),
    ):
        if isinstance(said, str) and datum is not None and said.lower() != datum:
            raise PlacedError(
                f"图形注明坐标系 {said[:20]}，而 datum 为 {datum} · it says {said[:20]}, but `datum` is {datum}",
                *path,
                at,
            )


def read_geometry(value: dict[str, Any], datum: str | None = None, *, points: bool = False) -> dict[str, Any]:
    """``one_geometry`` of ``value``, checked: see ``_read``. Raises PlacedError."""
    geometry, path = one_geometry(value, datum)
    try:
        return _read(geometry, points=points)
    except PlacedError as error:
        raise PlacedError(str(error), *path, *error.path) from None


def _read(value: dict[str, Any], *, points: bool = False) -> dict[str, Any]:
    """A GeoJSON Polygon or MultiPolygon (with ``points`` also a Point), checked; returns it with ``type`` and
    ``coordinates`` only.

    Raises PlacedError that says what is wrong and where: not closed, out of range, too large, crossing
    itself.
    """
    kind, coordinates = value.get("type"), value.get("coordinates")
    if extra := value.keys() - {"type", "coordinates", "bbox"}:
        raise PlacedError(
            "未知字段（坐标系请写在 datum） · unknown field (the datum goes beside it)", str(min(extra))[:64]
        )
    if points and kind == "Point":
        _check_position(coordinates, "coordinates")
        return {"type": kind, "coordinates": coordinates}
    if points and kind not in ("Polygon", "MultiPolygon"):
        raise PlacedError(
            "应为 Point、Polygon 或 MultiPolygon · must be Point, Polygon or MultiPolygon", "type"
        )
    if kind not in ("Polygon", "MultiPolygon"):
        raise PlacedError("应为 Polygon 或 MultiPolygon · must be a Polygon or a MultiPolygon", "type")
    polygons = coordinates if kind == "MultiPolygon" else [coordinates]
    if not isinstance(polygons, list) or not polygons:
        raise PlacedError("没有坐标 · no coordinates", "coordinates")
    vertices = rings = 0
    for p, polygon in enumerate(polygons):
        at: tuple[str | int, ...] = ("coordinates", p) if kind == "MultiPolygon" else ("coordinates",)
        if not isinstance(polygon, list) or not polygon:
            raise PlacedError("多边形应为环的数组 · a polygon is an array of rings", *at)
        for r, ring in enumerate(polygon):
            _check_ring(ring, *at, r)
            vertices, rings = vertices + len(ring), rings + 1
            if vertices > MAX_VERTICES or rings > MAX_RINGS:
                raise PlacedError(
                    f"过大：至多 {MAX_VERTICES} 个顶点、{MAX_RINGS} 个环 · at most {MAX_VERTICES} vertices, {MAX_RINGS} rings",
                    *at,
                )
    clean = {"type": kind, "coordinates": coordinates}
    _check_shape(to_shape(clean))
    return clean


def _check_ring(ring: object, *at: str | int) -> None:
    if not isinstance(ring, list) or len(ring) < 4:
        raise PlacedError(
            "环至少四个点，首尾相同 · a ring has at least four positions, the last like the first", *at
        )
    for i, position in enumerate(ring[: MAX_VERTICES + 1]):
        _check_position(position, *at, i)
    if ring[0] != ring[-1]:
        raise PlacedError(
            "环未闭合：首尾两点不同 · the ring is not closed: first and last position differ", *at
        )


def _check_position(position: object, *at: str | int) -> None:
    if (
        not isinstance(position, list)
        or len(position) not in (2, 3)
        or not all(type(v) in (int, float) and abs(v) <= 1e9 for v in position)
    ):
        raise PlacedError("点应为 [经度, 纬度] · a position is [longitude, latitude]", *at)
    if not (-180 <= position[0] <= 180 and -90 <= position[1] <= 90):
        why = misplaced(float(position[1]), float(position[0]), None)
        raise PlacedError(f"点应为 [经度, 纬度]：{why} (GeoJSON: longitude comes first)", *at)


def _check_shape(shape: Any) -> None:
    if not shapely.is_valid(shape):
        reason = shapely.is_valid_reason(shape)  # e.g. "Self-intersection[120.89 31.98]": what, and where
        chinese = "围栏自相交" if "ntersection" in reason else "围栏几何无效"
        raise PlacedError(f"{chinese} · invalid polygon: {reason}", "coordinates")
    if not shapely.area(shape) > 0:
        raise PlacedError("围栏没有面积 · the polygon has no area", "coordinates")


def to_shape(geometry: dict[str, Any]) -> Any:
    """The shapely geometry (longitude, latitude; still in its datum) of a checked GeoJSON geometry."""
    if geometry["type"] == "Point":
        return shapely.Point(geometry["coordinates"][:2])
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    shapes = [
        shapely.Polygon([q[:2] for q in p[0]], [[q[:2] for q in hole] for hole in p[1:]]) for p in polygons
    ]
    return shapes[0] if geometry["type"] == "Polygon" else shapely.MultiPolygon(shapes)


def refuse_misplaced_geometry(geometry: dict[str, Any], datum: str) -> None:
    """Raises PlacedError when a vertex of a checked geometry cannot be meant in ``datum``: see ``misplaced``."""
    shape = to_shape(geometry)
    points = shapely.get_coordinates(shape)
    found = first_misplaced(points[:, 1], points[:, 0], datum)
    if found is not None:
        index, why = found
        raise PlacedError(f"第 {index + 1} 个点 · position {index + 1}: {why}", "coordinates")


def geometry_wkb(geometry: dict[str, Any], datum: str) -> bytes:
    """WKB in WGS-84 of a checked geometry given in ``datum``; little-endian, the same bytes every time."""
    return shapely.to_wkb(geometry_to_wgs84(Datum(datum), to_shape(geometry)), byte_order=1)  # type: ignore[no-any-return]  # shapely has no types
