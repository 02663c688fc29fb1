"""Coordinates that cannot be meant: latitude and longitude swapped, or given in a datum that exists in China alone.
A place at the wrong end of the world accuses whoever really went there. Pure.

What can be known: the rectangle of China (``telemetry.geo.in_china``) turned over, latitude for longitude, has no point in
common with itself. So a point outside it that lies inside when it is turned over is a swapped one: nobody keeps an official
vehicle between 72 and 90 degrees north. A point that is in China either way does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import numpy as np
from pydantic import ValidationInfo

from registry.refusals import NO_DATUM, PlacedError
from runtime.arrays import Floats
from telemetry.geo import in_china

#: Nearer to 0, 0 than this it is kept as 0, 0: what receivers and forms give for "not known".
_NOWHERE_DEG: Final = 5e-7

T = TypeVar("T")


def _shown(value: float) -> str:
    return format(value, ".10g")


def _swapped(lat: float, lon: float) -> str:
    a, b = _shown(lon), _shown(lat)
    return f"经纬度疑似写反，是否应为纬度 {a}、经度 {b}？ · latitude and longitude look swapped; is it latitude {a}, longitude {b}?"


def misplaced(lat: float, lon: float, datum: str | None) -> str | None:
    """What is wrong with a coordinate (degrees; ``datum`` None: not known yet), None: nothing that can be known."""
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        if -90 <= lon <= 90 and -180 <= lat <= 180:
            return _swapped(lat, lon)
        return (
            f"经纬度超出范围：纬度 {_shown(lat)}、经度 {_shown(lon)}，单位应为度 · out of range; give degrees: latitude"
            " -90 to 90, longitude -180 to 180"
        )
    if abs(lat) < _NOWHERE_DEG and abs(lon) < _NOWHERE_DEG:
        return (
            "坐标为 0, 0（海上）：不知道坐标时请留空 · 0, 0 lies in the sea; leave unknown coordinates empty"
        )
    if in_china(lat, lon):
        return None
    if in_china(lon, lat):
        return _swapped(lat, lon)
    if datum in ("gcj02", "bd09"):
        return (
            f"纬度 {_shown(lat)}、经度 {_shown(lon)} 不在中国境内，而坐标系 {datum} 只用于中国：请检查坐标，境外请用 wgs84"
            f" · outside China, where {datum} does not exist; check the coordinates, or give them in wgs84"
        )
    return None


def refuse_misplaced(lat: float, lon: float, datum: str | None, *path: str | int) -> None:
    """Raises PlacedError for a coordinate that is ``misplaced``, at ``path``."""
    if (message := misplaced(lat, lon, datum)) is not None:
        raise PlacedError(message, *path)


def come_together(lon: float | None, info: ValidationInfo) -> float | None:
    """Validator of a field ``lon`` after a field ``lat``: both are given, or neither."""
    if "lat" in info.data and (lon is None) != (info.data["lat"] is None):
        raise ValueError("经纬度须同时给出 · latitude and longitude come together")
    return lon


def names_datum(datum: T | None, info: ValidationInfo) -> T | None:
    """Validator of a field ``datum`` after those of the coordinates: who gives any says in which datum."""
    if datum is None and any(info.data.get(name) is not None for name in ("lat", "lon", "geometry")):
        raise ValueError(NO_DATUM)
    return datum


def in_range(cls: type, values: Any) -> Any:
    """Validator of a model before its fields. Raises PlacedError when the fields ``lat`` and ``lon`` are numbers of which one
    is out of range: then both together say what was meant. Everything else is left to the fields' own checks."""
    if not isinstance(values, Mapping):
        return values
    lat, lon = (
        v if isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e12 else None
        for v in (values.get("lat"), values.get("lon"))
    )
    if lat is not None and lon is not None and not (-90 <= lat <= 90 and -180 <= lon <= 180):
        refuse_misplaced(lat, lon, None, "lat" if not -90 <= lat <= 90 else "lon")
    return values


def first_misplaced(lat: Floats, lon: Floats, datum: str | None) -> tuple[int, str] | None:
    """Index of the first of many points (degrees, shape (n,)) that is misplaced, and what is wrong with it."""
    nowhere = (np.abs(lat) < _NOWHERE_DEG) & (np.abs(lon) < _NOWHERE_DEG)
    good = in_china(lat, lon) & ~nowhere
    for index in np.flatnonzero(~good).tolist():
        if (message := misplaced(float(lat[index]), float(lon[index]), datum)) is not None:
            return index, message
    return None


def mostly_swapped(lat: Any, lon: Any) -> bool:
    """Whether every point of a track (degrees, shape (n,), n > 0) is outside China and inside when it is turned over. A
    single stray fix among good ones is not looked at here."""
    a, o = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    return bool(len(a)) and bool((~in_china(a, o) & in_china(o, a)).all())
