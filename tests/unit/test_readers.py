"""Track files: what is taken, what is rejected and why, and that every point of a file is accounted for."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongche.commands.replay import parse_offset
from runtime.errors import ConfigurationError
from simulation.gps_files.columns import parse_mapping
from simulation.gps_files.readers import read_tracks
from simulation.gps_files.times import parse_time
from simulation.gps_files.tracks import (
    ABSENT,
    MAX_EXAMPLES,
    ReadOptions,
    ReadReport,
    ReadResult,
    Reason,
    TrackFileError,
    merge_tracks,
)

GEOLIFE = Path(__file__).parents[3] / "shared" / "data" / "geolife_small.csv"
BEIJING = 1_228_970_534  # 2008-12-11 04:42:14 UTC


def read(tmp_path: Path, name: str, content: str | bytes, options: ReadOptions | None = None) -> ReadResult:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = read_tracks(path, options)
    check(result.report)
    assert sum(len(t) for t in result.tracks) == result.report.accepted
    return result


def check(report: ReadReport) -> None:
    assert report.rows == report.accepted + report.rejected.total()


# --- CSV ---------------------------------------------------------------------------------------------------


def test_a_geolife_style_export_is_read_without_a_mapping(tmp_path: Path) -> None:
    result = read(
        tmp_path,
        "a.csv",
        "X;Y;fid;id;sequence;trajectory_id;tracker;t\n"
        "116.391305;39.898573;1;1;1;1;19;2008-12-11 04:42:14+00\n"
        "116.391317;39.898617;2;2;2;1;19;2008-12-11 04:42:16+00\n",
    )
    (track,) = result.tracks
    assert track.device == "19"
    assert track.time_us.tolist() == [BEIJING * 1_000_000, (BEIJING + 2) * 1_000_000]
    assert track.lat_e6.tolist() == [39_898_573, 39_898_617]
    assert track.lon_e6.tolist() == [116_391_305, 116_391_317]
    assert track.speed_dkmh.tolist() == [ABSENT, ABSENT]
    assert result.report.assumed_offset == 0


def test_each_bad_row_is_rejected_with_reason_and_line(tmp_path: Path) -> None:
    good = "31.98,120.89,2026-03-02T08:00:00+08:00,a\n"
    result = read(
        tmp_path,
        "a.csv",
        "lat,lon,time,device\n"
        + good  # line 2
        + "31.98,120.89,yesterday,a\n"
        + "north,120.89,2026-03-02T08:00:00Z,a\n"
        + "nan,120.89,2026-03-02T08:00:00Z,a\n"
        + "91,120.89,2026-03-02T08:00:00Z,a\n"
        + "31.98,120.89\n"
        + "31.98,,2026-03-02T08:00:00Z,a\n"
        + '31.98,120.89,"2026-03-02T08:00:00Z,a\n'  # a quote that never closes costs its own line only
        + "31.98,120.89,2026-03-02T08:00:00Z, \n"
        + "31.98,120.89,1903-03-02T08:00:00Z,a\n"
        + "31.98,120.89,2026-02-30T08:00:00Z,a\n"
        + "\n"
        + good.replace("\n", "\r\n"),
    )
    assert result.report.rows == 12
    assert result.report.accepted == 2
    assert [(e.where, e.reason) for e in result.report.examples] == [
        ("line 3", Reason.BAD_TIME),
        ("line 4", Reason.BAD_NUMBER),
        ("line 5", Reason.BAD_NUMBER),
        ("line 6", Reason.OUT_OF_RANGE),
        ("line 7", Reason.MISSING_FIELD),
        ("line 8", Reason.MISSING_FIELD),
        ("line 9", Reason.BAD_ROW),
        ("line 10", Reason.BAD_DEVICE),
        ("line 11", Reason.OUT_OF_RANGE),
        ("line 12", Reason.BAD_TIME),
    ]


def test_examples_are_bounded_and_counts_exact(tmp_path: Path) -> None:
    result = read(tmp_path, "a.csv", "lat,lon,time\n" + "x,1,2026-01-01T00:00:00Z\n" * 1000)
    assert result.report.rejected == {Reason.BAD_NUMBER: 1000}
    assert len(result.report.examples) == MAX_EXAMPLES


def test_a_mapping_by_name_and_gbk_text(tmp_path: Path) -> None:
    text = "车牌,北纬,东经,定位时间,速度\n苏F12345,31.98,120.89,2026/3/2 8:00:05,36.5\n"
    options = ReadOptions({"lat": "北纬", "lon": "东经"})
    for encoding in ("gb18030", "utf-8", "utf-8-sig"):
        result = read(tmp_path, "a.csv", text.encode(encoding), options)
        (track,) = result.tracks
        assert track.device == "苏F12345"
        assert track.speed_dkmh.tolist() == [365]
        assert result.report.assumed_offset == 1  # no zone: +08:00
        assert track.time_us[0] == parse_time("2026-03-02T00:00:05Z", 0)[0]


@pytest.mark.parametrize("header", ["", "id,when,x,y\n"])
def test_a_mapping_by_number_with_and_without_a_header(tmp_path: Path, header: str) -> None:
    options = ReadOptions(parse_mapping("device=1,time=2,lon=3,lat=4"), utc_offset_s=0)
    result = read(tmp_path, "a.txt", header + "7,2008-02-02 15:36:08,116.51172,39.92123\n", options)
    (track,) = result.tracks
    assert (track.device, track.lat_e6[0], track.lon_e6[0]) == ("7", 39_921_230, 116_511_720)
    assert result.report.rows == 1


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        ("", ReadOptions(), "empty"),
        ("a,b,c\n1,2,3\n", ReadOptions(), "no column for lat, lon, time among: a, b, c"),
        ("lat,lon,time\n", ReadOptions({"lat": "breite"}), "no column 'breite'"),
        ("1,2,3\n", ReadOptions({"lat": "1", "lon": "2", "time": "9"}), "outside 1..3"),
        ("1,2,3\n", ReadOptions({"lat": "1", "lon": "2"}), "must also give time"),
        ("x" * 20_000, ReadOptions(), "longer than"),
        (b"lat,lon,time\n\xff\xff\xff\n", ReadOptions(), "row 2: neither UTF-8"),
        ("lat,lon,time\n", ReadOptions(format="shp"), "unknown format"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_and_where(
    tmp_path: Path, content: str | bytes, options: ReadOptions, says: str
) -> None:
    with pytest.raises(TrackFileError, match=says) as caught:
        read(tmp_path, "broken.csv", content, options)
    assert "broken.csv" in caught.value.message


def test_a_missing_file_and_a_directory_are_typed_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(TrackFileError, match=str(path)):
            read_tracks(path)


@pytest.mark.parametrize("text", ["lat", "lat=", "lat=a,lat=b", "colour=c", "=x", ""])
def test_bad_mappings_are_refused(text: str) -> None:
    with pytest.raises(TrackFileError, match="--map"):
        parse_mapping(text)


def test_rows_are_sorted_by_time_and_duplicates_kept(tmp_path: Path) -> None:
    rows = ["31.2,120,1000000003", "31.1,120,1000000001", "31.1,120,1000000001", "31.0,120,1000000000"]
    (track,) = read(tmp_path, "a.csv", "lat,lon,time\n" + "\n".join(rows)).tracks
    assert track.device == "a"
    assert track.lat_e6.tolist() == [31_000_000, 31_100_000, 31_100_000, 31_200_000]


# --- times -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "assumed"),
    [
        ("2008-12-11T04:42:14Z", False),
        ("2008-12-11 04:42:14+00", False),
        ("2008-12-11 12:42:14+0800", False),
        ("2008-12-11 12:42:14+08:00", False),
        ("2008/12/11 12:42:14", True),
        ("20081211124214", True),
        ("1228970534", False),
        ("1228970534.0", False),
        ("1228970534000", False),
        ("1228970534000000", False),
        ("2008年12月11日 12:42:14", True),
    ],
)
def test_times_in_every_form_mean_the_same(text: str, assumed: bool) -> None:
    assert parse_time(text, 8 * 3600) == (BEIJING * 1_000_000, assumed)


def test_fractions_and_leap_seconds() -> None:
    assert parse_time("2008-12-11T04:42:14.123456789Z", 0)[0] == BEIJING * 1_000_000 + 123_456
    assert parse_time("2016-12-31T23:59:60Z", 0)[0] == parse_time("2017-01-01T00:00:00Z", 0)[0]


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        us, _assumed = parse_time(text, 0)
    except ValueError:
        return
    assert isinstance(us, int)


def test_offsets() -> None:
    assert (parse_offset("+08:00"), parse_offset("-0330")) == (28_800, -12_600)
    for bad in ("8", "+8:00", "+99:00", "x"):
        with pytest.raises(ConfigurationError):
            parse_offset(bad)


# --- GPX ---------------------------------------------------------------------------------------------------

GPX = """<?xml version="1.0"?>
<gpx version="1.1" creator="test" xmlns="http://www.topografix.com/GPX/1/1">
<metadata><time>2020-01-01T00:00:00Z</time></metadata>
<wpt lat="1" lon="2"><time>2020-01-01T00:00:00Z</time></wpt>
<trk><name>morning</name><trkseg>
<trkpt lat="39.898573" lon="116.391305"><ele>51.6</ele><time>2008-12-11T04:42:14Z</time>
  <extensions><x:speed xmlns:x="urn:x">10</x:speed><x:course xmlns:x="urn:x">359.7</x:course></extensions></trkpt>
<trkpt lat="39.898573" lon="116.391305"><time>noon</time></trkpt>
<trkpt lat="39.898573"><time>2008-12-11T04:42:14Z</time></trkpt>
<trkpt lat="39.898573" lon="116.391305"/>
<trkpt lat="north" lon="116.391305"><time>2008-12-11T04:42:14Z</time></trkpt>
</trkseg></trk></gpx>"""


def test_gpx_points_with_their_line_numbers(tmp_path: Path) -> None:
    result = read(tmp_path, "car 1.gpx", GPX)
    (track,) = result.tracks
    assert (track.device, track.altitude_m[0], track.speed_dkmh[0], track.direction_deg[0]) == (
        "car 1",
        52,
        360,
        0,
    )
    assert track.time_us[0] == BEIJING * 1_000_000
    assert [(e.where, e.reason) for e in result.report.examples] == [
        ("line 8", Reason.BAD_TIME),
        ("line 9", Reason.MISSING_FIELD),
        ("line 10", Reason.MISSING_FIELD),
        ("line 11", Reason.BAD_NUMBER),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('<?xml version="1.0"?>\n<!DOCTYPE gpx [<!ENTITY a "aaaa">]><gpx>&a;</gpx>', "line 2: a DOCTYPE"),
        ("<gpx>\n<trk>\n</gpx>", "line 3: not well-formed"),
        ("<kml></kml>", "not gpx"),
        ("<gpx>" + "<a>" * 100, "nested deeper"),
        ("", "not well-formed"),
    ],
)
def test_gpx_that_is_refused_as_a_whole(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(TrackFileError, match=says):
        read(tmp_path, "a.gpx", text)


# --- PLT and GeoJSON ---------------------------------------------------------------------------------------

PLT = """Geolife trajectory
WGS 84
Altitude is in Feet
Reserved 3
0,2,255,My Track,0,0,2,8421376
0
39.906631,116.385564,0,492,40097.5864583333,2009-10-11,14:04:30
39.906554,116.385625,0,-777,40097.5865162037,2009-10-11,14:04:35
39.906554,116.385625,0
39.906554,116.385625,0,1,1,2009-13-11,14:04:35
"""


def test_plt_takes_the_user_as_device(tmp_path: Path) -> None:
    folder = tmp_path / "007" / "Trajectory"
    folder.mkdir(parents=True)
    result = read(folder, "20091011140430.plt", PLT)
    (track,) = result.tracks
    assert (track.device, track.altitude_m.tolist()) == ("007", [150, 0])
    assert track.time_us[0] == parse_time("2009-10-11T14:04:30Z", 0)[0]
    assert result.report.rejected == {Reason.MISSING_FIELD: 1, Reason.BAD_TIME: 1}
    assert read(tmp_path, "x.plt", PLT).tracks[0].device == "x"


GEOJSON = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"vehicle": "A", "coordTimes": ["2008-12-11T04:42:14Z", 1228970535, null]},
 "geometry": {"type": "LineString", "coordinates": [[116.391305, 39.898573, 5.4], [116.4, 39.9], [116.4, 39.9]]}},
{"type": "Feature", "properties": {"device": 7, "time": "2008-12-11T04:42:14Z", "speed_kmh": 36},
 "geometry": {"type": "Point", "coordinates": [116.391305, 39.898573]}},
{"type": "Feature", "properties": {"coordinateProperties": {"times": [[1228970534], [1228970535000]]}},
 "geometry": {"type": "MultiLineString", "coordinates": [[[116.1, 39.1]], [[116.2, 39.2], [116.3, "x"]]]}},
{"type": "Feature", "properties": null, "geometry": {"type": "Polygon", "coordinates": []}},
{"type": "Feature", "geometry": null}, 5]}"""


def test_geojson_lines_points_and_what_is_no_track(tmp_path: Path) -> None:
    result = read(tmp_path, "a.geojson", GEOJSON)
    assert {t.device: len(t) for t in result.tracks} == {"A": 2, "7": 1, "a": 2}
    assert result.tracks[1].speed_dkmh.tolist() == [360]
    assert result.tracks[0].altitude_m.tolist() == [5, 0]
    assert [(e.where, e.reason) for e in result.report.examples] == [
        ("feature 1 point 3", Reason.MISSING_FIELD),
        ("feature 3 part 2 point 2", Reason.MISSING_FIELD),
        ("feature 4", Reason.BAD_ROW),
        ("feature 5", Reason.BAD_ROW),
        ("feature 6", Reason.BAD_ROW),
    ]


@pytest.mark.parametrize("text", ['{"type": "Point"}', "[1]", '{"type":\n oops}', "[" * 5000])
def test_json_that_is_no_track_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TrackFileError, match="line"):
        read(tmp_path, "a.geojson", text)


# --- all of them -------------------------------------------------------------------------------------------


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.gpx", "a.geojson", "a.plt", "a"]))
def test_any_bytes_give_tracks_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    with contextlib.suppress(TrackFileError):
        read(folder, name, data)


@given(st.data())
def test_a_damaged_csv_loses_only_the_damaged_lines(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = [f"31.{k:06d},120.5,{1_700_000_000 + k},d" for k in range(20)]
    broken = data.draw(st.sets(st.integers(0, 19), max_size=10))
    junk = data.draw(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=30))
    )
    for k, position in enumerate(sorted(broken)):
        lines[position] = "junk" + (junk[k] if k < len(junk) else "")
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    result = read(folder, "d.csv", "lat,lon,time,device\n" + "\n".join(lines))
    assert result.report.accepted == 20 - len(broken)
    assert result.report.rows == 20


def test_merging_files_of_one_device(tmp_path: Path) -> None:
    first = read(tmp_path, "a.csv", "lat,lon,time,device\n1,1,1700000005,a\n1,1,1700000001,a\n").tracks
    second = read(tmp_path, "b.csv", "lat,lon,time,device\n2,2,1700000003,a\n3,3,1700000003,b\n").tracks
    merged = merge_tracks(first + second)
    assert [t.device for t in merged] == ["a", "b"]
    assert np.diff(merged[0].time_us).min() > 0
    assert merged[0].lat_e6.tolist() == [1_000_000, 2_000_000, 1_000_000]


@pytest.mark.skipif(not GEOLIFE.exists(), reason="the GeoLife sample is not part of the project")
def test_the_geolife_sample_is_read_whole() -> None:
    result = read_tracks(GEOLIFE)
    assert (result.report.rows, result.report.accepted) == (5_908, 5_908)
    assert {t.device for t in result.tracks} == {"19", "0", "2"}
