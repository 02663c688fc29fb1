"""Cursors, content negotiation, track pages, evidence as GeoJSON, HTTP positions as columns."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.alerts.evidence import decode_polyline, feature_collection, time_text
from api.errors import Problem
from api.http import make_cursor, read_cursor
from api.positions.schemas import EXAMPLE, POSITIONS, to_batch
from api.tracks.formats import WRITERS, ArrowWriter, CsvWriter, GeoJsonWriter, GpxWriter, choose
from api.tracks.pages import JumpFinder, Page, flag_names
from telemetry.archive.read import Track
from telemetry.positions import PositionBatch
from telemetry.quality import Quality

T0 = 1_772_400_000_000_000
ABOUT = {"vehicle": "车<1>", "from": "2026-03-02T00:00:00+08:00", "to": "2026-03-03T00:00:00+08:00"}


@given(st.integers(0, 2**57), st.text(max_size=60).filter(str.isprintable))
def test_cursors_come_back(number: int, text: str) -> None:
    assert read_cursor("alerts", make_cursor("alerts", number, text), int, str) == [number, text]


@given(st.text(max_size=80))
def test_foreign_cursors_are_refused(text: str) -> None:
    if not text:
        assert read_cursor("feed", text, int) is None
        return
    with pytest.raises(Problem) as caught:
        read_cursor("feed", text, int)
    assert caught.value.status_code == 400


def test_cursors_of_another_list_or_changed_are_refused() -> None:
    cursor = make_cursor("feed", 5)
    for other in (
        make_cursor("alerts", 5),
        make_cursor("feed", "5"),
        make_cursor("feed", 5, 6),
        cursor[:-1],
        cursor[1:],
    ):
        with pytest.raises(Problem):
            read_cursor("feed", other, int)
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        with pytest.raises(Problem):
            read_cursor("feed", changed, int)


@pytest.mark.parametrize(
    ("accept", "writer"),
    [
        ("", GeoJsonWriter),
        ("*/*", GeoJsonWriter),
        ("application/json", GeoJsonWriter),
        ("text/csv", CsvWriter),
        ("text/*", CsvWriter),
        ("application/gpx+xml, */*;q=0.1", GpxWriter),
        ("text/csv;q=0.5, application/gpx+xml;q=0.9", GpxWriter),
        ("application/vnd.apache.arrow.stream", ArrowWriter),
        ("text/csv;q=0, application/geo+json;q=x", None),
        ("text/html", None),
    ],
)
def test_accept(accept: str, writer: object) -> None:
    assert choose(accept) is writer


def track(n: int, *, lat: Any = None, quality: Any = None, start: int = 0) -> Track:
    steps = np.arange(start, start + n)
    columns: dict[str, Any] = {
        "terminal": 7,
        "device_us": T0 + steps * 10_000_000,
        "lat_e6": 31_980_000 + steps * 100 if lat is None else lat,
        "lon_e6": 120_890_000,
        "speed_dkmh": 425,
        "satellites": 9,
        "present": 1 << 4,
    }
    flags = np.zeros(n, np.int16) if quality is None else np.array(quality, np.int16)
    return Track(PositionBatch.build(n, **columns), flags, steps.astype(np.int64))


def write(kind: type[Any], *tracks: Track) -> bytes:
    writer, jumps = kind(), JumpFinder()
    parts = [writer.begin(ABOUT)]
    parts += [writer.page(Page(one, jumps.flags(one), {7: "138"})) for one in tracks]
    return b"".join([*parts, writer.end()])


ROWS = (track(3, quality=[0, Quality.NOT_POSITIONED, 0]), track(0), track(2, start=3))


def test_geojson() -> None:
    body = json.loads(write(GeoJsonWriter, *ROWS))
    assert body["datum"] == "wgs84"
    assert len(body["features"]) == 5
    first, second = body["features"][:2]
    assert first["geometry"] == {"type": "Point", "coordinates": [120.89, 31.98]}
    assert first["properties"]["time"] == "2026-03-02T05:20:00+08:00"
    assert first["properties"] | {"valid": True, "satellites": 9, "odometer_km": None} == first["properties"]
    assert (second["properties"]["valid"], second["properties"]["flags"]) == (False, ["not_positioned"])
    for empty in ((), (track(0),), (track(0), track(1))):
        assert len(json.loads(write(GeoJsonWriter, *empty))["features"]) == sum(map(len, empty))


def test_gpx_keeps_valid_and_invalid_apart() -> None:
    space = {"g": "http://www.topografix.com/GPX/1/1", "x": "urn:gongche:gpx:1"}
    root = ElementTree.fromstring(write(GpxWriter, *ROWS))  # noqa: S314 - our own bytes
    segments = root.findall("g:trk/g:trkseg", space)
    assert [len(s.findall("g:trkpt", space)) for s in segments] == [1, 1, 3]
    fix = segments[1].find("g:trkpt/g:extensions/x:fix", space)
    assert fix is not None
    assert fix.attrib["flags"] == "not_positioned"
    assert root.findtext("g:trk/g:name", namespaces=space) == "车<1>"
    outside = track(1, lat=95_000_000, quality=[Quality.OUT_OF_WORLD])
    assert b"trkpt" not in write(GpxWriter, outside)


def test_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(write(CsvWriter, *ROWS).decode(), newline="")))
    assert len(rows) == 5
    assert (rows[1]["valid"], rows[1]["flags"], rows[1]["lat"], rows[1]["datum"]) == (
        "false", "not_positioned", "31.980100", "wgs84",
    )  # fmt: skip


def test_arrow() -> None:
    table = pa.ipc.open_stream(write(ArrowWriter, *ROWS)).read_all()
    assert table.num_rows == 5
    assert table.schema.metadata[b"datum"] == b"wgs84"
    assert table.column("flags").to_pylist() == [0, 1, 0, 0, 0]
    assert table.column("odometer_dkm").null_count == 5
    assert table.column("satellites").to_pylist() == [9] * 5
    assert int(table.column("time")[0].value) == T0


@pytest.mark.parametrize("cut", range(7))
def test_a_jump_is_flagged_however_pages_are_cut(cut: int) -> None:
    lat = 31_980_000 + np.arange(6) * 100
    lat[2] += 1_000_000  # 111 km away in 10 s
    jumps = JumpFinder()
    quality: list[int] = []
    for part in (slice(0, cut), slice(cut, 6)):
        n = len(lat[part])
        quality += jumps.flags(track(n, lat=lat[part], start=part.start)).tolist()
    assert quality == [0, 0, Quality.JUMP, 0, 0, 0]


def test_flag_names() -> None:
    assert flag_names(0) == []
    assert flag_names(int(Quality.NOT_POSITIONED | Quality.JUMP)) == ["not_positioned", "jump"]
    assert len({writer.media_type for writer in WRITERS}) == len(WRITERS)


def test_evidence_shows_track_fence_and_circle() -> None:
    track_columns = {"t_us": [T0, T0 + 1], "lat_e6": [1, 2], "lon_e6": [3, 4], "speed_dkmh": [5, 6]}
    square = (
        "010300000001000000"
        + "04000000"
        + "".join(np.array(p, "<f8").tobytes().hex() for p in ([0, 0], [1, 0], [1, 1], [0, 0]))
    )
    body: dict[str, Any] = {
        "rule": "destination",
        "rule_version": 1,
        "track": track_columns,
        "fences": [{"wkb": square, "from_us": 0, "to_us": 2**63 - 1, "id": "f", "version": 2}],
        "destination": {"name": "如皋", "lat_e6": 32_371_000, "lon_e6": 120_573_000},
        "parameters": {"radius_m": 2000},
        "order": {"id": "o", "version": 3},
    }
    made = feature_collection("a1", 2, "ff", body)
    json.dumps(made)
    roles = [f["properties"]["role"] for f in made["features"]]
    assert roles == ["track", "fence", "destination", "circle"]
    assert made["features"][0]["geometry"]["coordinates"][0] == [3e-6, 1e-6]
    assert made["features"][1]["properties"]["to"] is None
    ring = made["features"][3]["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    # Circle points lie 2,000 m from the middle: 2,000 m north is 0.01803 degrees.
    assert max(p[1] for p in ring) - 32.371 == pytest.approx(0.01803, abs=2e-5)
    nothing = feature_collection(
        "a1", 1, "ff", {"destination": {"name": "市区", "lat_e6": None, "lon_e6": None}}
    )
    assert nothing["features"][0]["geometry"] is None
    assert feature_collection("a1", 1, "ff", {})["features"] == []


def test_evidence_shows_whatever_has_a_place() -> None:
    """Polyline of precision 6: the example of the format's description, (38.5, -120.2) (40.7, -120.95) (43.252, -126.453)."""
    shape = "_izlhA~rlgdF_{geC~ywl@_kwzCn`{nI"
    place = {"name": "起点", "lat_e6": 32_000_000, "lon_e6": 120_900_000}
    body: dict[str, Any] = {
        "rule": "mileage",
        "origin": place,
        "destinations": [place | {"name": "市区", "lat_e6": None, "lon_e6": None}],
        "return_point": None,
        "route": {
            "engine": "valhalla",
            "distance_m": 5,
            "shape": shape,
            "places": [[1, 2], [3, 4]],
            "problem": "",
        },
        "station": {
            "id": "s",
            "name": "站",
            "lat_e6": None,
            "lon_e6": None,
            "polygons": [[[[0, 0], [0, 9], [9, 9], [0, 0]]]],
        },
        "silences": [{"before": [[T0, 1, 2, -1, 7]], "after": [[T0 + 9, 3, 4, -1, 7]], "unplugged": True}],
        "state": {"version": 1, "packed": "0" * 4000},
        "transaction": {"id": "t", "at_us": T0, "ended_us": None},
        "track": {},
    }
    made = feature_collection("a1", 1, "ff", body, "ee")
    json.dumps(made)
    shown = [(f["properties"]["role"], (f["geometry"] or {}).get("type")) for f in made["features"]]
    assert shown == [
        ("station", "MultiPolygon"),
        ("route", "LineString"),
        ("place", "Point"),
        ("place", None),
        ("silence", "LineString"),
    ]
    assert made["features"][1]["geometry"]["coordinates"] == [
        [-120.2, 38.5],
        [-120.95, 40.7],
        [-126.453, 43.252],
    ]
    assert made["evidence_sm3"] == "ee"
    assert made["facts"]["transaction"] == {"id": "t", "at": time_text(T0), "ended": None}
    assert made["facts"]["state"] == {"version": 1}
    only_route = feature_collection("a1", 1, "ff", {"route": body["route"] | {"shape": ""}})
    assert [f["properties"]["role"] for f in only_route["features"]] == ["route", "place", "place"]
    for bad in ("_", "_izlhA", "_izlhA\x1f"):
        with pytest.raises(ValueError, match="polyline"):
            decode_polyline(bad)


def test_http_positions_become_columns() -> None:
    given_ = [
        EXAMPLE[0] | {"terminal": "013800000001", "odometer": 12.3, "acc": True, "direction": 360},
        EXAMPLE[0] | {"datum": "gcj02", "altitude": -31.6, "positioned": False},
        EXAMPLE[0] | {"lat": -1.5, "lon": -2.25, "alarm": 0xFFFFFFFF, "satellites": 0},
    ]
    batch = to_batch(POSITIONS.validate_python(given_), {"13800000001": 42}, 5)
    assert batch.terminal.tolist() == [42, 42, 42]
    assert batch.device_us.tolist() == [1_772_411_460_000_000] * 3
    assert (batch.lat_e6[0], batch.lon_e6[0]) == (31_980_000, 120_890_000)
    assert 300 < abs(int(batch.lat_e6[1]) - 31_980_000) < 10_000
    assert batch.status.tolist() == [3, 0, 2 | 4 | 8]
    assert batch.direction_deg.tolist() == [0, 90, 90]
    assert batch.altitude_m.tolist() == [0, -32, 0]
    assert batch.speed_dkmh.tolist() == [425] * 3
    assert batch.has("odometer_dkm").tolist() == [True, False, False]
    assert batch.odometer_dkm.tolist() == [123, 0, 0]
    assert batch.has("satellites").tolist() == [False, False, True]
    assert batch.alarm.tolist() == [0, 0, 0xFFFFFFFF]
