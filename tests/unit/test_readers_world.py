"""Track files as loggers, phones and servers of others write them: each is read right, or refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulation.gps_files.readers import read_tracks
from simulation.gps_files.replay import _derived, _device_names
from simulation.gps_files.tracks import ReadOptions, ReadResult, Reason, TrackFileError

#: 2026-11-26 09:00:00 at +08:00.
NINE = 1_795_654_800


def read(tmp_path: Path, name: str, content: str | bytes, options: ReadOptions | None = None) -> ReadResult:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = read_tracks(path, options)
    assert result.report.rows == result.report.accepted + result.report.rejected.total()
    return result


def seconds(result: ReadResult) -> list[int]:
    (track,) = result.tracks
    return [int(us) // 1_000_000 - NINE for us in track.time_us]


# --- date and time in two columns -------------------------------------------------------------------------


def test_a_date_and_a_time_of_day_in_two_columns_are_one_time(tmp_path: Path) -> None:
    rows = "2026-11-26,09:00:00,31.980,120.89\n2026-11-26,09:00:10,31.981,120.89\n"
    result = read(tmp_path, "a.csv", "date,clock,lat,lon\n" + rows)
    assert seconds(result) == [0, 10]
    assert "date + clock" in result.report.notes[0]
    assert result.report.assumed_offset == 2


def test_a_logger_with_sides_in_columns(tmp_path: Path) -> None:
    head = "INDEX,RCR,DATE,TIME,VALID,LATITUDE,N/S,LONGITUDE,E/W,HEIGHT,SPEED\n"
    rows = "0,T,2026/11/26,09:00:00,SPS,31.980,S,120.890,W,5,20\n1,T,2026/11/26,09:00:10,SPS,31.981,S,120.890,W,5,20\n"
    result = read(tmp_path, "a.csv", head + rows)
    assert seconds(result) == [0, 10]
    (track,) = result.tracks
    assert track.lat_e6.tolist() == [-31_980_000, -31_981_000]
    assert track.lon_e6.tolist() == [-120_890_000] * 2


def test_a_side_that_is_none_is_a_bad_number(tmp_path: Path) -> None:
    result = read(tmp_path, "a.csv", "lat,N/S,lon,time\n31.9,X,120.8,1795654800\n31.9,,120.8,1795654800\n")
    assert result.report.rejected == {Reason.BAD_NUMBER: 1}
    assert result.report.accepted == 1


@pytest.mark.parametrize(
    ("text", "lat", "lon"), [("31.5N,120.5E", 31.5, 120.5), ("S31.5,W120.5", -31.5, -120.5), ("31.5°,120.5°", 31.5, 120.5)]
)  # fmt: skip
def test_a_side_beside_the_number(tmp_path: Path, text: str, lat: float, lon: float) -> None:
    (track,) = read(tmp_path, "a.csv", f"lat,lon,time\n{text},1795654800\n").tracks
    assert (track.lat_e6[0] / 1e6, track.lon_e6[0] / 1e6) == (lat, lon)


@pytest.mark.parametrize("name", ["date", "time"])
def test_dates_alone_are_refused_as_they_would_all_be_midnight(tmp_path: Path, name: str) -> None:
    with pytest.raises(TrackFileError, match="dates without a time of day"):
        read(tmp_path, "a.csv", f"{name},lat,lon\n2026-11-26,31.98,120.89\n")


def test_times_of_day_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackFileError, match="times of day without a date"):
        read(tmp_path, "a.csv", "time,lat,lon\n09:00:00,31.98,120.89\n")


def test_two_columns_by_mapping(tmp_path: Path) -> None:
    options = ReadOptions({"date": "1", "clock": "2", "lat": "3", "lon": "4"})
    assert seconds(read(tmp_path, "a.txt", "2026-11-26,09:00:07,31.98,120.89\n", options)) == [7]


# --- numbers, separators, dates ----------------------------------------------------------------------------


def test_decimal_commas_between_semicolons(tmp_path: Path) -> None:
    (track,) = read(tmp_path, "a.csv", "time;lat;lon\n2026-11-26 09:00:00;31,980;120,89\n").tracks
    assert (track.lat_e6[0], track.lon_e6[0]) == (31_980_000, 120_890_000)


def test_columns_between_blanks(tmp_path: Path) -> None:
    result = read(tmp_path, "a.txt", "date time lat lon\n2026-11-26  09:00:03  31.98 120.89\n")
    assert seconds(result) == [3]
    with pytest.raises(TrackFileError, match="separated by blanks"):
        read(tmp_path, "b.txt", "time lat lon\n2026-11-26 09:00:03 31.98 120.89\n")


@pytest.mark.parametrize(
    ("dates", "day"),
    [(("20/03/2021", "03/04/2021"), [(20, 3), (3, 4)]), (("03/20/2021", "03/04/2021"), [(20, 3), (4, 3)])],
)
def test_dates_with_the_year_last_are_told_by_the_whole_file(
    tmp_path: Path, dates: tuple[str, str], day: list[tuple[int, int]]
) -> None:
    rows = "".join(f"{d} 00:22,31.98,120.89\n" for d in dates)
    (track,) = read(tmp_path, "a.csv", "time,lat,lon\n" + rows).tracks
    told = sorted(np.datetime64(int(us) + 8 * 3_600_000_000, "us").item() for us in track.time_us)
    assert sorted((t.day, t.month) for t in told) == sorted(day)


def test_dates_that_do_not_tell_are_refused_until_somebody_says(tmp_path: Path) -> None:
    text = "time,lat,lon\n03/04/2021 00:22,31.98,120.89\n"
    with pytest.raises(TrackFileError, match="do not say which part is the day"):
        read(tmp_path, "a.csv", text)
    (track,) = read(tmp_path, "a.csv", text, ReadOptions(date_order="mdy")).tracks
    assert str(np.datetime64(int(track.time_us[0]) + 8 * 3_600_000_000, "us"))[:10] == "2021-03-04"


# --- units of speed ----------------------------------------------------------------------------------------


def drive(factor: float, column: str = "speed", more: str = "") -> str:
    """A drive north at 36 km/h, one point every 2 s; the column holds it times ``factor``."""
    step = 10.0 * 2 / 110_900
    rows = [
        f"{NINE + 2 * k},{31.9 + step * k:.7f},120.89,{36 * factor:.3f}{',x' if more else ''}"
        for k in range(40)
    ]
    return f"time,lat,lon,{column}{',' + more if more else ''}\n" + "\n".join(rows)


@pytest.mark.parametrize(
    ("column", "factor"),
    [
        ("speed (km/h)", 1.0), ("speed(m/s)", 1 / 3.6), ("speed [knots]", 1 / 1.852), ("speed (mph)", 1 / 1.609344),
        ("speed_ms", 1 / 3.6), ("speed_knots", 1 / 1.852), ("速度（米/秒）", 1 / 3.6), ("speed_kmh", 1.0),
        ("speed", 1.0), ("speed", 1 / 3.6), ("speed", 1 / 1.852),
    ],
)  # fmt: skip
def test_speeds_are_km_h_whatever_the_file_writes(tmp_path: Path, column: str, factor: float) -> None:
    result = read(tmp_path, "a.csv", drive(factor, column))
    (track,) = result.tracks
    assert abs(int(np.median(track.speed_dkmh)) - 360) <= 2
    assert (column == "speed") == any("unit of speed" in note for note in result.report.notes)


def test_known_loggers_say_their_unit(tmp_path: Path) -> None:
    phone = "time,lat,lon,elevation,accuracy,bearing,speed,satellites,provider\n2026-11-26T01:00:00Z,31.9,120.8,5,4,90,10,9,gps\n"
    (track,) = read(tmp_path, "a.csv", phone).tracks
    assert (track.speed_dkmh[0], track.altitude_m[0], track.direction_deg[0]) == (360, 5, 90)
    server = "id,deviceId,protocol,fixTime,latitude,longitude,altitude,speed,course\n1,77,gt06,2026-11-26T01:00:00Z,31.9,120.8,5,10,90\n"
    (track,) = read(tmp_path, "b.csv", server).tracks
    assert (track.device, track.speed_dkmh[0]) == ("77", 185)


def test_a_parked_car_says_nothing_of_the_unit(tmp_path: Path) -> None:
    rows = "".join(f"{NINE + k},31.9,120.8,0\n" for k in range(50))
    (track,) = read(tmp_path, "a.csv", "time,lat,lon,speed\n" + rows).tracks
    assert track.speed_dkmh.tolist() == [0] * 50


def test_several_points_a_second_make_no_racing_car() -> None:
    time_us = np.arange(50, dtype=np.int64) * 100_000
    lat = (
        np.float64(31.9) + np.arange(50) * 1e-6 + np.where(np.arange(50) % 2, 3e-5, 0.0)
    )  # 0.11 m a step, 3 m of noise
    speed, _ = _derived(time_us, lat, np.full(50, 120.8))
    assert speed.max() < 200  # 20 km/h
    jump, _ = _derived(np.array([0, 10_000_000]), np.array([31.0, 32.0]), np.array([120.0, 120.0]))
    assert jump.tolist() == [0, 4_000]


# --- devices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["User", "user_id", "车牌号码", "DEVICE", "userId"])
def test_two_people_of_a_collection_are_two_devices(tmp_path: Path, name: str) -> None:
    def feature(who: str, second: int) -> str:
        properties = f'{{"{name}": "{who}", "tracked_at": "2026-11-26T01:00:{second:02d}Z"}}'
        return f'{{"type": "Feature", "properties": {properties}, "geometry": {{"type": "Point", "coordinates": [120.8, 31.9]}}}}'

    text = f'{{"type": "FeatureCollection", "features": [{feature("A", 0)}, {feature("B", 1)}, {feature("A", 2)}]}}'
    result = read(tmp_path, "a.geojson", text)
    assert {t.device: len(t) for t in result.tracks} == {"A": 2, "B": 1}


def test_equal_file_names_in_two_folders_are_two_devices() -> None:
    files = [
        Path("/a/one/track.gpx"),
        Path("/a/two/track.gpx"),
        Path("/a/two/other.gpx"),
        Path("/b/two/track.csv"),
    ]
    assert list(_device_names(files).values()) == ["one/track", "a/two/track", "other", "b/two/track"]
    assert _device_names([Path("/a/x.gpx"), Path("/a/x.gpx")]) == {Path("/a/x.gpx"): "x"}


# --- XML ---------------------------------------------------------------------------------------------------

POINTS = "".join(
    f'<trkpt lat="{31.98 + k / 1000}" lon="120.89"><time>2026-11-26T01:00:0{k}{{zone}}</time></trkpt>\n'
    for k in range(5)
)


def test_gpx_times_without_a_zone_are_utc(tmp_path: Path) -> None:
    result = read(tmp_path, "a.gpx", f"<gpx><trk><trkseg>{POINTS.replace('{zone}', '')}</trkseg></trk></gpx>")
    assert seconds(result) == [0, 1, 2, 3, 4]
    assert (result.report.assumed_utc, result.report.assumed_offset) == (5, 0)


def test_a_gpx_that_breaks_off_keeps_its_good_points(tmp_path: Path) -> None:
    text = f"<gpx><trk><trkseg>\n{POINTS.replace('{zone}', 'Z')}"
    result = read(tmp_path, "a.gpx", text[:-40])
    assert seconds(result) == [0, 1, 2, 3]
    assert result.report.rejected == {Reason.BROKEN_OFF: 1}


def test_waypoints_are_no_track_and_it_is_said(tmp_path: Path) -> None:
    result = read(
        tmp_path, "a.gpx", '<gpx><wpt lat="31" lon="120"><time>2026-11-26T01:00:00Z</time></wpt></gpx>'
    )
    assert (result.report.rows, result.tracks) == (0, [])
    assert "1 个航点" in result.report.notes[0]


def test_tcx(tmp_path: Path) -> None:
    point = (
        "<Trackpoint><Time>2026-11-26T01:00:0{k}.000Z</Time><Position><LatitudeDegrees>31.9{k}</LatitudeDegrees>"
        "<LongitudeDegrees>120.89</LongitudeDegrees></Position><AltitudeMeters>7.4</AltitudeMeters><Extensions>"
        '<TPX xmlns="http://www.garmin.com/xmlschemas/ActivityExtension/v2"><Speed>10</Speed></TPX></Extensions></Trackpoint>'
    )
    pause = "<Trackpoint><Time>2026-11-26T01:00:09Z</Time></Trackpoint>"
    text = (
        '<?xml version="1.0"?><TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2">'
        f"<Activities><Activity><Lap><Track>{point.format(k=1)}{point.format(k=2)}{pause}</Track></Lap></Activity></Activities>"
        "</TrainingCenterDatabase>"
    )
    result = read(tmp_path, "a.tcx", text)
    assert seconds(result) == [1, 2]
    assert (result.tracks[0].speed_dkmh.tolist(), result.tracks[0].altitude_m[0]) == ([360, 360], 7)
    assert result.report.rejected == {Reason.MISSING_FIELD: 1}


def test_kml_tracks_and_timed_points(tmp_path: Path) -> None:
    text = (
        '<kml xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2"><Document>'
        "<Placemark><gx:Track><when>2026-11-26T01:00:00Z</when><when>2026-11-26T01:00:01Z</when>"
        "<gx:coord>120.89 31.98 5</gx:coord><gx:coord>120.89 31.99 6</gx:coord><gx:coord>120.89 32 6</gx:coord></gx:Track></Placemark>"
        "<Placemark><TimeStamp><when>2026-11-26T01:00:05Z</when></TimeStamp><Point><coordinates>120.8,31.9,0</coordinates></Point></Placemark>"
        "<Placemark><LineString><coordinates>120.8,31.9 120.9,31.9</coordinates></LineString></Placemark></Document></kml>"
    )
    result = read(tmp_path, "a.kml", text)
    assert seconds(result) == [0, 1, 5]
    assert result.tracks[0].lat_e6.tolist() == [31_980_000, 31_990_000, 31_900_000]
    assert result.report.rejected == {Reason.MISSING_FIELD: 1}
    assert "1 个图形没有时间" in result.report.notes[0]
