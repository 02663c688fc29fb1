"""The picture of an alert's evidence as SVG: what was driven, and what it was judged against. Pure.

Drawn from the frozen evidence alone, so it needs no map service and is the same for ever. It has no script, no style sheet and
no reference to anything outside; every text in it is escaped. North is up; lengths are true near the middle.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from xml.sax.saxutils import escape

import numpy as np
import shapely
import shapely.geometry
import shapely.ops

from office.documents.glyphs import marked
from office.documents.legend import Entry, legend
from office.documents.typesetting import own_characters
from runtime.arrays import Bools, Floats

#: Of the map, in units of the picture.
WIDTH: Final = 720
HEIGHT: Final = 400
_MARGIN: Final = 36
#: Points of a track that are drawn, at most; nobody sees more.
MOST_POINTS: Final = 4_000
#: Without a parameter that says so: fixes farther apart in time have a gap between them, in seconds.
_GAP_S: Final = 120
_DEGREE_M: Final = 111_195.0
#: A fence that is larger than so many times what was driven is drawn in part.
_LARGE: Final = 4.0
_SMALLEST_M: Final = 300.0
#: Speed up to (km/h, included) -> colour. Dark enough for paper; told apart in grey by the dashes of the gaps and the marks.
SPEEDS: Final = ((5, "#6b7280", "0–5"), (60, "#1d4ed8", "5–60"), (100, "#7c3aed", "60–100"), (math.inf, "#b91c1c", "＞100"))  # fmt: skip
_FENCE, _PLACE, _STATION, _ROUTE, _GAP = "#15803d", "#b45309", "#0f766e", "#d97706", "#6b7280"
#: Places that are numbered, at most.
_MOST_PLACES: Final = 15
_LONGEST_NAME: Final = 24

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """``svg``: a document of its own. ``caption``: what it shows, in words."""

    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """From longitude and latitude to the paper: ``x = (lon - lon0) * kx + x0``."""

    lon: float
    lat: float
    per_m: float

    def at(self, lon: float, lat: float) -> Point:
        x = (lon - self.lon) * _DEGREE_M * math.cos(math.radians(self.lat)) * self.per_m
        return WIDTH / 2 + x, HEIGHT / 2 - (lat - self.lat) * _DEGREE_M * self.per_m


def draw(evidence: Mapping[str, Any]) -> Picture | None:
    """The picture of ``evidence``, a FeatureCollection as ``GET /v1/alerts/{id}/evidence`` gives it. None: it has no track and
    no place of a silence."""
    features = [f for f in evidence["features"] if f.get("geometry") is not None]
    tracks = _of(features, "track")
    if not tracks and not _of(features, "silence"):
        return None
    frame = _frame(features)
    gap_s = (evidence.get("parameters") or {}).get("gap_s") or _GAP_S
    layers: list[str] = []
    entries: list[Entry] = []
    for role, draws in (("fence", _fence), ("circle", _circle), ("route", _route), ("silence", _silence)):
        found = _of(features, role)
        layers += [text for feature in found for text in draws(frame, feature)]
        entries += _entries(role, found)
    for track in tracks:
        layers += _track(frame, track, gap_s, entries)
    _places(frame, features, layers, entries)
    known = own_characters()
    told = [Entry(entry.kind, marked(entry.text, known), entry.colour) for entry in entries]
    below, height = legend(_merged(told), WIDTH, HEIGHT)
    title = f"预警 {evidence.get('alert')} 第 {evidence.get('version')} 版证据示意图"
    svg = "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"'
            " font-family=\"'Gongche Sans','Noto Sans CJK SC','Microsoft YaHei',sans-serif\" font-size=\"13\">",
            f"<title>{_text(title)}</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<defs><clipPath id="map"><rect x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}"/></clipPath></defs>',
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" fill="#fafafa" stroke="#9ca3af"/>',
            '<g clip-path="url(#map)">',
            *layers,
            "</g>",
            _scale(frame),
            _north(),
            *below,
            "</svg>",
            "",
        ]
    )
    return Picture(svg, _caption(evidence, tracks))


def _of(features: Iterable[Mapping[str, Any]], role: str) -> list[Mapping[str, Any]]:
    return [feature for feature in features if feature["properties"]["role"] == role]


def _caption(evidence: Mapping[str, Any], tracks: Sequence[Mapping[str, Any]]) -> str:
    points = sum(track["properties"]["points"] for track in tracks)
    return f"依据冻结证据绘制（轨迹 {points} 点，证据 {str(evidence.get('evidence_hash'))[:16]}），上北，不使用地图服务"


def _entries(role: str, found: Sequence[Mapping[str, Any]]) -> list[Entry]:
    if not found:
        return []
    if role == "fence":
        names = dict.fromkeys(part["name"] for f in found for part in f["properties"].get("fences") or [])
        return [Entry("area", f"围栏 {_short('、'.join(names))}", _FENCE)]
    if role == "circle":
        return [Entry("ring", f"半径 {f['properties']['radius_m']:,} 米", _PLACE) for f in found]
    if role == "route":
        return [Entry("dash", "导航路线", _ROUTE)]
    return [Entry("dots", "终端无信号（直线，不是行驶路线）", _GAP)]


def _merged(entries: Sequence[Entry]) -> list[Entry]:
    return list(dict.fromkeys(entries))


def _shape(feature: Mapping[str, Any]) -> Any:
    return shapely.geometry.shape(feature["geometry"])


def _frame(features: Sequence[Mapping[str, Any]]) -> _Frame:
    """Everything but fences that are much larger than the rest; of those their nearest point."""
    near = [_seen(f) for f in features if f["properties"]["role"] != "fence"]
    # Not their union: that of a line between a place and itself is empty.
    core = shapely.GeometryCollection([shape for shape in near if not shape.is_empty])
    bounds = np.array(core.bounds)
    for fence in (_shape(f) for f in _of(features, "fence")):
        whole = _joined(bounds, np.array(fence.bounds))
        if _extent_m(whole) > _LARGE * max(_extent_m(bounds), _SMALLEST_M):
            point = shapely.ops.nearest_points(fence, core)[0]
            whole = _joined(bounds, np.array(point.bounds))
        bounds = whole
    west, south, east, north = (float(v) for v in bounds)
    lat = (south + north) / 2
    across = (east - west) * _DEGREE_M * math.cos(math.radians(lat))
    along = (north - south) * _DEGREE_M
    per_m = min(
        (WIDTH - 2 * _MARGIN) / max(across, _SMALLEST_M), (HEIGHT - 2 * _MARGIN) / max(along, _SMALLEST_M)
    )
    return _Frame((west + east) / 2, lat, per_m)


def _seen(feature: Mapping[str, Any]) -> Any:
    """The shape of a feature; of a track that of its valid fixes, where there are some."""
    if feature["properties"]["role"] == "track":
        line, valid = _columns(feature)
        chosen = line[valid] if valid.any() else line
        return shapely.MultiPoint(chosen)
    return _shape(feature)


def _joined(one: Floats, other: Floats) -> Floats:
    joined: Floats = np.r_[np.minimum(one[:2], other[:2]), np.maximum(one[2:], other[2:])]
    return joined


def _extent_m(bounds: Floats) -> float:
    west, south, east, north = bounds
    across = (east - west) * math.cos(math.radians((south + north) / 2))
    return float(max(across, north - south)) * _DEGREE_M


def _columns(track: Mapping[str, Any]) -> tuple[Floats, Bools]:
    """(longitude and latitude (n, 2), which fixes are valid (n,))."""
    geometry = track["geometry"]
    points = [geometry["coordinates"]] if geometry["type"] == "Point" else geometry["coordinates"]
    line = np.array(points, np.float64).reshape(-1, 2)
    valid = track["properties"].get("valid")
    return line, np.ones(len(line), np.bool_) if valid is None else np.array(valid, np.bool_)


def _path(points: Iterable[Point], closed: bool = False) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points) + ("Z" if closed else "")


def _rings(frame: _Frame, geometry: Mapping[str, Any]) -> str:
    """All rings of a polygon or multipolygon, in one path: holes stay holes."""
    parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return "".join(
        _path((frame.at(lon, lat) for lon, lat in ring), closed=True) for part in parts for ring in part
    )


def _fence(frame: _Frame, feature: Mapping[str, Any]) -> list[str]:
    shape = _shape(feature).simplify(0.5 / frame.per_m / _DEGREE_M)
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        return []
    d = _rings(frame, shapely.geometry.mapping(shape))
    return [f'<path d="{d}" fill="{_FENCE}" fill-opacity="0.12" fill-rule="evenodd" stroke="{_FENCE}" stroke-width="1.5"/>']  # fmt: skip


def _circle(frame: _Frame, feature: Mapping[str, Any]) -> list[str]:
    d = _rings(frame, feature["geometry"])
    return [f'<path d="{d}" fill="{_PLACE}" fill-opacity="0.08" stroke="{_PLACE}" stroke-width="1.5" stroke-dasharray="6 3"/>']  # fmt: skip


def _line(frame: _Frame, feature: Mapping[str, Any]) -> str:
    geometry = feature["geometry"]
    if geometry["type"] != "LineString":
        return ""
    points = geometry["coordinates"]
    if len(points) > 2:  # shapely has no answer for a line between a place and itself
        points = _shape(feature).simplify(0.4 / frame.per_m / _DEGREE_M).coords
    return _path(frame.at(lon, lat) for lon, lat in points)


def _route(frame: _Frame, feature: Mapping[str, Any]) -> list[str]:
    d = _line(frame, feature)
    return [f'<path d="{d}" fill="none" stroke="{_ROUTE}" stroke-width="5" stroke-opacity="0.45" stroke-dasharray="10 5"/>'] if d else []  # fmt: skip


def _silence(frame: _Frame, feature: Mapping[str, Any]) -> list[str]:
    d = _line(frame, feature)
    made = [f'<path d="{d}" fill="none" stroke="{_GAP}" stroke-width="2" stroke-dasharray="2 5"/>'] if d else []  # fmt: skip
    geometry = feature["geometry"]
    points = [geometry["coordinates"]] if geometry["type"] == "Point" else geometry["coordinates"]
    return made + [_dot(frame.at(*point), _GAP) for point in points]


def _dot(at: Point, colour: str) -> str:
    return f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="4.5" fill="{colour}" stroke="#ffffff" stroke-width="1.5"/>'


def _square(at: Point, colour: str) -> str:
    return f'<rect x="{at[0] - 4.5:.1f}" y="{at[1] - 4.5:.1f}" width="9" height="9" fill="{colour}" stroke="#ffffff" stroke-width="1.5"/>'


def _class(speed_kmh: float) -> int:
    return next(k for k, (most, _, _) in enumerate(SPEEDS) if speed_kmh <= most)


def _track(frame: _Frame, feature: Mapping[str, Any], gap_s: int, entries: list[Entry]) -> list[str]:
    """Its valid fixes as a line coloured by speed, dashed where there is a gap; the others as crosses."""
    line, valid = _columns(feature)
    told = feature["properties"]
    times = told["times"]
    at = [frame.at(lon, lat) for lon, lat in line.tolist()]
    speeds = told.get("speeds_kmh") or [0.0] * len(at)
    seconds = [datetime.fromisoformat(t).timestamp() for t in times] if all(times) else None
    kept = np.flatnonzero(valid).tolist()
    made: list[str] = []
    silent = [False] * len(at)
    for before, after in itertools.pairwise(kept):
        silent[after] = seconds is not None and seconds[after] - seconds[before] > gap_s
    runs = _runs(at, kept, silent, speeds)
    for kind, points in runs:
        colour = _GAP if kind < 0 else SPEEDS[kind][1]
        dashes = ' stroke-dasharray="3 4" stroke-width="1.5"' if kind < 0 else ' stroke-width="2.5"'
        made.append(f'<path d="{_path(points)}" fill="none" stroke="{colour}" stroke-linejoin="round"{dashes}/>')  # fmt: skip
    drawn = {kind for kind, _ in runs}
    entries += [Entry("line", f"{name} km/h", colour) for k, (_, colour, name) in enumerate(SPEEDS) if k in drawn]  # fmt: skip
    if -1 in drawn:
        entries.append(Entry("gap", f"中断超过 {gap_s} 秒（直线）", _GAP))
    bad = np.flatnonzero(~valid).tolist()
    for k in bad[:500]:
        x, y = at[k]
        made.append(f'<path d="M{x - 3:.1f},{y - 3:.1f}l6,6m0,-6l-6,6" stroke="{_GAP}" fill="none"/>')
    if bad:
        entries.append(Entry("cross", f"无效定位 {len(bad)} 个，未采用", _GAP))
    if kept:
        made += [_dot(at[kept[0]], "#15803d"), _square(at[kept[-1]], "#b91c1c")]
        entries += [
            Entry("dot", f"起 {_when(times[kept[0]])}", "#15803d"),
            Entry("square", f"止 {_when(times[kept[-1]])}", "#b91c1c"),
        ]
    return made


def _runs(
    at: Sequence[Point], kept: Sequence[int], silent: Sequence[bool], speeds: Sequence[float]
) -> list[tuple[int, list[Point]]]:
    """Stretches of one class of speed (-1 = a gap) with their points. ``kept``: the fixes that count; ``silent``: whether there
    is a gap before a fix. What is nearer to the point before than can be seen is left out."""
    step = _step([at[k] for k in kept])
    runs: list[tuple[int, list[Point]]] = []
    if not kept:
        return runs
    last, fastest = at[kept[0]], speeds[kept[0]]

    def go(kind: int, point: Point) -> None:
        nonlocal last
        if not runs or runs[-1][0] != kind:
            runs.append((kind, [last]))
        runs[-1][1].append(point)
        last = point

    for before, after in itertools.pairwise(kept):
        fastest = max(fastest, speeds[after])
        if silent[after] and math.dist(at[before], at[after]) >= step:
            if last != at[before]:
                go(_class(speeds[before]), at[before])
            go(-1, at[after])
            fastest = speeds[after]
        elif math.dist(last, at[after]) >= step or (after == kept[-1] and last != at[after]):
            go(_class(fastest), at[after])
            fastest = speeds[after]
    return runs


def _step(points: Sequence[Point]) -> float:
    """The least distance between drawn points, so that there are at most MOST_POINTS."""
    length = sum(math.dist(a, b) for a, b in itertools.pairwise(points))
    return max(0.8, length / MOST_POINTS)


def _when(text: str | None) -> str:
    return "时间不明" if text is None else f"{text[5:10]} {text[11:19]}"


def _places(
    frame: _Frame, features: Sequence[Mapping[str, Any]], layers: list[str], entries: list[Entry]
) -> None:
    """Destination, station and the places of the order, numbered; their names are in the legend, where none covers another."""
    named = [("目的地", _PLACE, f) for f in _of(features, "destination")]
    named += [("加油站", _STATION, f) for f in _of(features, "station")]
    named += [("地点", _PLACE, f) for f in _of(features, "place")]
    numbers: dict[tuple[str, str], int] = {}
    for kind, colour, feature in named:
        geometry, name = feature["geometry"], _short(feature["properties"].get("name") or "未命名")
        if (str(geometry), name) in numbers:
            continue  # an order often ends where it began
        number = numbers[str(geometry), name] = len(numbers) + 1
        if number > _MOST_PLACES:
            continue
        if geometry["type"] in ("Polygon", "MultiPolygon"):
            layers.append(f'<path d="{_rings(frame, geometry)}" fill="{colour}" fill-opacity="0.2" stroke="{colour}"/>')  # fmt: skip
        point = _shape(feature).representative_point()
        x, y = frame.at(point.x, point.y)
        layers.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="{colour}" stroke="#ffffff" stroke-width="1.5"/>'
            f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="11" fill="#ffffff">{number}</text>'
        )
        entries.append(Entry(f"number:{number}", f"{kind}：{name}", colour))
    if len(numbers) > _MOST_PLACES:
        entries.append(Entry("none", f"另有 {len(numbers) - _MOST_PLACES} 处未标", "#374151"))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _scale(frame: _Frame) -> str:
    """A bar of a round length, at most a quarter of the map."""
    most = WIDTH / 4 / frame.per_m
    power = 10 ** math.floor(math.log10(most))
    length = max(step * power for step in (1, 2, 5) if step * power <= most)
    width = length * frame.per_m
    label = f"{length / 1000:g} 公里" if length >= 1000 else f"{length:g} 米"
    y = HEIGHT - 14
    return (
        f'<rect x="8" y="{y - 22}" width="{width + 16:.1f}" height="30" fill="#ffffff" fill-opacity="0.8"/>'
        f'<path d="M16,{y - 5}v5h{width:.1f}v-5" fill="none" stroke="#111827" stroke-width="1.5"/>'
        f'<text x="{16 + width / 2:.1f}" y="{y - 7}" text-anchor="middle" font-size="12">{label}</text>'
    )


def _north() -> str:
    x = WIDTH - 22
    return (
        f'<path d="M{x},10l7,22l-7,-6l-7,6z" fill="#111827"/>'
        f'<text x="{x}" y="46" text-anchor="middle" font-size="12">北</text>'
    )


def _text(value: str) -> str:
    return escape(marked(value, own_characters()))
