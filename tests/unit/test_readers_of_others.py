"""Track files of other programs, second look: zones in headers, encodings, NMEA, device columns. None may become one device, or eight
hours wrong, in silence."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import numpy as np
import pytest

from simulation.gps_files.readers import read_tracks
from simulation.gps_files.tracks import ReadResult, Reason, TrackFileError

#: 2026-11-26 09:00:00 at +08:00.
NINE_US = 1_795_654_800_000_000


def read(tmp_path: Path, name: str, content: str | bytes) -> ReadResult:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = read_tracks(path)
    assert result.report.rows == result.report.accepted + result.report.rejected.total()
    return result


def hours(result: ReadResult) -> list[float]:
    """Of the first point of each track, after nine o'clock in China."""
    return [(int(track.time_us[0]) - NINE_US) / 3_600_000_000 for track in result.tracks]


# --- zones


@pytest.mark.parametrize(
    ("header", "clock"),
    [
        ("time(UTC)", "01:00:00"), ("时间（UTC）", "01:00:00"), ("UTC time", "01:00:00"), ("time_utc", "01:00:00"), ("utc", "01:00:00"),
        ("Time (GMT)", "01:00:00"), ("time (UTC+8)", "09:00:00"), ("time (UTC-05:30)", "2026-11-25 19:30:00"), ("时间(北京时间)", "09:00:00"),
        ("local time", "09:00:00"), ("Device Time", "09:00:00"), ("gps-time", "09:00:00"), ("time (s)", "1795654800"),
    ],
)  # fmt: skip
def test_a_zone_in_a_header_counts(tmp_path: Path, header: str, clock: str) -> None:
    moment = clock if len(clock) > 8 else f"2026-11-26 {clock}"
    result = read(tmp_path, "a.csv", f"{header},lat,lon\n{moment},31.98,120.89\n")
    assert hours(result) == [0]
    named = any(word in header.lower() for word in ("utc", "gmt", "北京"))
    assert any("zone" in note for note in result.report.notes) == named
    assert result.report.assumed_offset == (0 if named or clock.isdigit() else 1)


def test_a_zone_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackFileError, match="unknown time zone"):
        read(tmp_path, "a.csv", "time (JST),lat,lon\n2026-11-26 09:00:00,31.98,120.89\n")


def test_a_logger_with_the_date_in_utc_and_in_local_time(tmp_path: Path) -> None:
    head = "INDEX,RCR,UTC DATE,UTC TIME,LOCAL DATE,LOCAL TIME,VALID,LATITUDE,N/S,LONGITUDE,E/W,SPEED (km/h)\n"
    rows = "1,T,2026/11/26,01:00:00,2026/11/26,09:00:00,SPS,31.98,N,120.89,E,36\n"
    result = read(tmp_path, "a.csv", head + rows)
    assert hours(result) == [0]
    assert result.tracks[0].speed_dkmh.tolist() == [360]


# --- encodings


def test_texts_in_other_encodings_are_read_or_refused(tmp_path: Path) -> None:
    text = "时间,纬度,经度,车牌\n2026-11-26 09:00:00,31.98,120.89,苏F12345\n"
    assert [t.device for t in read(tmp_path, "a.csv", text.encode("gbk")).tracks] == ["苏F12345"]
    for encoding in ("utf-16", "utf-16-le"):
        with pytest.raises(TrackFileError, match="UTF-16"):
            read(tmp_path, "b.csv", text.encode(encoding))
    cut = b"time,lat,lon,device\n2026-11-26 09:00:00,31.9,120.8," + "甲车".encode()[:-2] + b"\n"
    with pytest.raises(TrackFileError, match="损坏"):
        read(tmp_path, "c.csv", cut)


GPX = '<?xml version="1.0" encoding="{}"?><gpx><trk><name>市水利局</name><trkseg><trkpt lat="31.98" lon="120.89"><time>2026-11-26T01:00:00Z</time></trkpt></trkseg></trk></gpx>'


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK", "gb2312", "GB18030", "UTF-16"])
def test_xml_in_chinese_encodings(tmp_path: Path, encoding: str) -> None:
    assert hours(read(tmp_path, "a.gpx", GPX.format(encoding).encode(encoding))) == [0]


def test_blank_lines_before_the_declaration_of_xml(tmp_path: Path) -> None:
    assert hours(read(tmp_path, "a.gpx", "\r\n\n" + GPX.format("UTF-8"))) == [0]


# --- one device or several


@pytest.mark.parametrize(
    "column", ["carNo", "plate_no", "vehicleId", "Vehicle No", "deviceName", "uniqueId", "车号", "终端手机号"]
)
def test_columns_that_name_the_device(tmp_path: Path, column: str) -> None:
    rows = "".join(f"{NINE_US // 1_000_000 + k},3{k % 2}.9,120.8,{'AB'[k % 2]}\n" for k in range(6))
    assert [t.device for t in read(tmp_path, "a.csv", f"time,lat,lon,{column}\n{rows}").tracks] == ["A", "B"]


def test_several_devices_under_an_unknown_column_are_told(tmp_path: Path) -> None:
    rows = "".join(f"{NINE_US // 1_000_000 + k // 2},3{k % 2}.9,120.8,{'AB'[k % 2]}\n" for k in range(8))
    result = read(tmp_path, "a.csv", f"time,lat,lon,whose\n{rows}")
    assert any("--map device" in note for note in result.report.notes)
    one_leap = "".join(f"{NINE_US // 1_000_000 + k},{33.9 if k == 5 else 31.9},120.8,A\n" for k in range(60))
    assert not read(tmp_path, "b.csv", f"time,lat,lon,whose\n{one_leap}").report.notes


@pytest.mark.parametrize("device", ["8.61234E+14", "#N/A", "#####"])
def test_a_device_that_a_spreadsheet_has_changed_is_none(tmp_path: Path, device: str) -> None:
    result = read(tmp_path, "a.csv", f"time,lat,lon,device\n1795654800,31.9,120.8,{device}\n")
    assert result.report.rejected == {Reason.BAD_DEVICE: 1}


# --- what stands before the rows, numbers, units


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\ntime;lat;lon\n1795654800;31.98;120.89\n", "# Logger v1\n# of a phone\ntime,lat,lon\n1795654800,31.98,120.89\n",
        "#time,lat,lon\n1795654800,31.98,120.89\n", "time,lat,lon\r1795654800,31.98,120.89\r", '"time","lat","lon"\n"1795654800","31,98","120,89"\n',
    ],
)  # fmt: skip
def test_other_ways_to_write_a_table(tmp_path: Path, text: str) -> None:
    (track,) = read(tmp_path, "a.csv", text).tracks
    assert (track.lat_e6[0], track.lon_e6[0], int(track.time_us[0])) == (31_980_000, 120_890_000, NINE_US)


@pytest.mark.parametrize(
    ("column", "dkmh"),
    [
        ("speed(0.1km/h)", 36), ("speed (cm/s)", -1), ("speed km/h", 360), ("Speed_kph", 360), ("时速(公里/小时)", 360), ("sog", 667),
        ("speed_m/s", 1296), ("velocity (m/s)", 1296), ("速度（节）", 667),
    ],
)  # fmt: skip
def test_units_of_speed(tmp_path: Path, column: str, dkmh: int) -> None:
    result = read(tmp_path, "a.csv", f"time,lat,lon,{column}\n1795654800,31.98,120.89,36\n")
    assert result.tracks[0].speed_dkmh.tolist() == [dkmh]
    assert (dkmh == -1) == any("not known" in note for note in result.report.notes)


# --- NMEA


def sentence(body: str) -> str:
    return f"${body}*{reduce(lambda a, b: a ^ b, body.encode()):02X}\r\n"


GOOD = sentence("GNRMC,010000.50,A,3158.8000,N,12053.4000,E,019.44,090.0,261126,,,A")
FIX = sentence("GNGGA,010000.50,3158.8000,N,12053.4000,E,1,08,1.0,5.0,M,0,M,,")


@pytest.mark.parametrize("name", ["a.nmea", "a.log", "a.txt", "a.csv", "a"])
def test_nmea(tmp_path: Path, name: str) -> None:
    result = read(tmp_path, name, "2026-11-26 09:00:00 " + FIX + GOOD + FIX)
    (track,) = result.tracks
    assert (int(track.time_us[0]) - NINE_US, track.lat_e6[0], track.lon_e6[0]) == (
        500_000,
        31_980_000,
        120_890_000,
    )
    assert (track.speed_dkmh[0], track.direction_deg[0], len(track)) == (360, 90, 1)


def test_nmea_with_faults(tmp_path: Path) -> None:
    south = sentence("GPRMC,010001,A,3158.8000,S,12053.4000,W,,,261126,,")
    text = (
        GOOD
        + GOOD.replace("3158", "3159")
        + sentence("GPRMC,010002,V,,,,,,,261126,,")
        + south
        + sentence("GPRMC,250000,A,3158.8,N,12053.4,E,,,261126,,")
        + sentence("GPRMC,010000,A,3160.8,N,12053.4,E,,,261126,,")
        + "$GPRMC,010003,A,3158"
    )
    result = read(tmp_path, "a.nmea", text)
    assert result.report.rejected == {
        Reason.BAD_ROW: 1,
        Reason.MISSING_FIELD: 2,
        Reason.BAD_TIME: 1,
        Reason.BAD_NUMBER: 1,
    }
    (track,) = result.tracks
    assert np.array(track.lat_e6).tolist() == [31_980_000, -31_980_000]
    with pytest.raises(TrackFileError, match="RMC"):
        read(tmp_path, "b.nmea", FIX)


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("a.kmz", b"PK\x03\x04xx", "zip"),
        ("a.gpx.gz", b"\x1f\x8b\x08\0\0", "gzip"),
        ("a.fit", b"\x0e\x10\xd9\x07\0\0\0\0.FIT\0\0", "文本|UTF-16"),
    ],
)
def test_files_that_are_no_text_are_called_by_name(tmp_path: Path, name: str, data: bytes, word: str) -> None:
    with pytest.raises(TrackFileError, match=word):
        read(tmp_path, name, data)
