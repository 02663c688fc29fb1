"""GeoJSON (RFC 7946) with times: lines with ``coordTimes``/``times``/``timestamps``, or points with a time each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from simulation.gps_files.columns import COLUMNS
from simulation.gps_files.times import epoch_us, parse_time
from simulation.gps_files.tracks import PointSink, ReadOptions, Reason, TrackFileError

#: Lower case: names of properties are compared without regard to case.
_TIMES = ("coordtimes", "times", "timestamps", *COLUMNS["time"])


def read_geojson(path: Path, data: bytes, options: ReadOptions, sink: PointSink) -> None:
    """All points of a FeatureCollection or a Feature. Points without a time are rejected one by one."""
    try:
        document = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise TrackFileError(f"{path}: line {error.lineno} column {error.colno}: {error.msg}") from None
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "FeatureCollection" and isinstance(document.get("features"), list):
        features = document["features"]
    elif kind == "Feature":
        features = [document]
    else:
        raise TrackFileError(f"{path}: line 1: neither a GeoJSON FeatureCollection nor a Feature")
    for number, feature in enumerate(features, start=1):
        _feature(path, number, feature, options, sink)


def _feature(path: Path, number: int, feature: Any, options: ReadOptions, sink: PointSink) -> None:
    where = f"feature {number}"
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(geometry, dict):
        sink.reject(where, Reason.BAD_ROW, "no geometry")
        return
    if not isinstance(properties, dict):
        properties = {}
    properties = {str(name).lower(): value for name, value in reversed(properties.items())}
    named = _device(properties)
    sink.device_named |= named is not None
    device = named or options.device or path.stem
    coordinates = geometry.get("coordinates")
    times = _times(properties)
    match geometry.get("type"):
        case "Point":
            moment = times[0] if isinstance(times, list) and times else times
            _point(where, device, coordinates, moment, properties, options, sink)
        case "LineString" | "MultiPoint":
            _line(where, device, coordinates, times, options, sink)
        case "MultiLineString" if isinstance(coordinates, list):
            for k, part in enumerate(coordinates):
                part_times = times[k] if isinstance(times, list) and k < len(times) else None
                _line(f"{where} part {k + 1}", device, part, part_times, options, sink)
        case other:
            sink.reject(where, Reason.BAD_ROW, f"a geometry of type {other!r} is no track")


def _device(properties: dict[str, Any]) -> str | None:
    for name in COLUMNS["device"]:
        value = properties.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return None


def _times(properties: dict[str, Any]) -> Any:
    nested = properties.get("coordinateproperties")
    for source in (nested, properties):
        if isinstance(source, dict):
            known = {str(name).lower(): value for name, value in source.items()}
            for name in _TIMES:
                if known.get(name) is not None:
                    return known[name]
    return None


def _line(
    where: str, device: str, coordinates: Any, times: Any, options: ReadOptions, sink: PointSink
) -> None:
    if not isinstance(coordinates, list):
        sink.reject(where, Reason.BAD_ROW, "no coordinates")
        return
    for k, position in enumerate(coordinates):
        moment = times[k] if isinstance(times, list) and k < len(times) else None
        _point(f"{where} point {k + 1}", device, position, moment, {}, options, sink)


def _point(
    where: str,
    device: str,
    position: Any,
    moment: Any,
    properties: dict[str, Any],
    options: ReadOptions,
    sink: PointSink,
) -> None:
    if moment is None:
        sink.reject(where, Reason.MISSING_FIELD, "time")
        return
    assumed = False
    try:
        if isinstance(moment, str):
            time_us, assumed = parse_time(moment, options.utc_offset_s, options.date_order)
        elif isinstance(moment, int | float) and not isinstance(moment, bool):
            time_us = epoch_us(float(moment))
        else:
            raise ValueError(moment)
    except (ValueError, OverflowError):
        sink.reject(where, Reason.BAD_TIME, str(moment))
        return
    numbers = [_number(v) for v in position[:3]] if isinstance(position, list) else []
    if len(numbers) < 2 or numbers[0] is None or numbers[1] is None:
        sink.reject(where, Reason.BAD_NUMBER, str(position))
        return
    altitude = numbers[2] if len(numbers) > 2 and numbers[2] is not None else 0.0
    before = sink.report.accepted
    sink.add(
        where,
        device,
        time_us,
        numbers[1],
        numbers[0],
        altitude_m=altitude,
        speed_kmh=_number(properties.get("speed_kmh")),
        direction_deg=_number(properties.get("direction_deg")),
    )
    sink.report.assumed_offset += assumed and sink.report.accepted > before


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
