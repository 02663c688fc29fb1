"""Bodies of every message, written by hand from the tables of JT/T 808-2011, -2013 and -2019 and from nothing of this program.

The hex has a space between two fields. All plates, people, places and numbers are invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ALL = "2011 2013 2019"
LATER = "2013 2019"


@dataclass(frozen=True)
class Case:
    """A body of ``message`` in each of ``editions``, and what it says."""

    message: int
    editions: tuple[int, ...]
    body: bytes
    fields: dict[str, Any]


def case(message: int, editions: str, body: str, **fields: Any) -> Case:
    return Case(message, tuple(map(int, editions.split())), bytes.fromhex(body), fields)


def gbk(text: str, width: int = 0, front: bool = False) -> str:
    """Hex of a STRING, padded with 00."""
    raw = text.encode("gbk")
    return (raw.rjust(width, b"\0") if front else raw.ljust(width, b"\0")).hex()


#: 28 bytes of a position: overspeed; ACC on, positioned; 31.980000 N, 120.890000 E; 12 m; 60.0 km/h; 90 degrees.
PLACE = "00000002 00000003 01E7F9E0 0734A290 000C 0258 005A 260302101112"
PLACED = {
    "alarm": 2, "status": 3, "lat_e6": 31_980_000, "lon_e6": 120_890_000, "altitude_m": 12, "speed_dkmh": 600,
    "direction_deg": 90, "time": "260302101112",
}  # fmt: skip
ITEMS = "01 04 0001E240  EB 03 AABBCC"
ITEMED = [{"id": 1, "value": b"\x00\x01\xe2\x40"}, {"id": 0xEB, "value": b"\xaa\xbb\xcc"}]

CASES = [
    case(0x0001, ALL, "0009 8103 03", serial=9, id=0x8103, result=3),
    case(0x8001, ALL, "0007 0200 04", serial=7, id=0x0200, result=4),
    case(0x0002, ALL, ""),
    case(0x0003, ALL, ""),
    case(0x0004, "2019", ""),
    case(0x8004, "2019", "260302021112", time="260302021112"),
    case(0x8003, "2013", "0064 02 0002 0005", first_serial=100, indexes=[2, 5]),
    case(0x8003, "2019", "0064 0002 0002 0005", first_serial=100, indexes=[2, 5]),
    case(0x0005, "2019", "0064 0001 0003", first_serial=100, indexes=[3]),
    case(
        0x0100, "2011", f"0020 0258 {gbk('GONGC')} 474332303131 2020 {gbk('T000007')} 01 {gbk('苏F12345')}",
        province=32, city=600, manufacturer="GONGC", model="GC2011", device_id="T000007", plate_color=1, plate="苏F12345",
    ),
    case(
        0x0100, "2013", f"0020 0258 {gbk('GONGC')} {gbk('GC-808', 20)} {gbk('T000007')} 02 {gbk('苏F12345')}",
        province=32, city=600, manufacturer="GONGC", model="GC-808", device_id="T000007", plate_color=2, plate="苏F12345",
    ),
    case(
        0x0100, "2019",
        f"0020 0258 {gbk('GONGC', 11)} {gbk('GC-808', 30, True)} {gbk('T000007', 30)} 00 {gbk('LSVAA49J132047371')}",
        province=32, city=600, manufacturer="GONGC", model="GC-808", device_id="T000007", plate_color=0,
        plate="LSVAA49J132047371",
    ),
    case(0x8100, ALL, f"0007 00 {gbk('A1b2')}", serial=7, result=0, code="A1b2"),
    case(0x8100, ALL, "0007 04", serial=7, result=4),
    case(0x0102, "2011 2013", gbk("A1b2"), code="A1b2"),
    case(
        0x0102, "2019", f"04 {gbk('A1b2')} {gbk('860000000000001')} {gbk('V1.2', 20)}",
        code="A1b2", imei="860000000000001", software="V1.2",
    ),
    # --- parameters
    case(
        0x8103, "2013 2019", f"04 00000001 04 0000003C  00000013 0A {gbk('10.1.1.100')}  00000084 01 02  0000F001 02 BEEF",
        parameters=[
            {"id": 1, "value": 60}, {"id": 0x13, "value": "10.1.1.100"}, {"id": 0x84, "value": 2},
            {"id": 0xF001, "value": b"\xbe\xef"},
        ],
    ),
    case(
        0x8103, "2011", "03 02 00000029 04 0000001E  00000055 04 00000050",
        total=3, parameters=[{"id": 0x29, "value": 30}, {"id": 0x55, "value": 80}],
    ),
    case(0x8103, "2019", "01 00000032 04 16000500", parameters=[{"id": 0x32, "value": b"\x16\x00\x05\x00"}]),
    case(0x8104, ALL, ""),
    case(0x8106, LATER, "02 00000001 0000005B", ids=[1, 0x5B]),
    case(
        0x0104, "2011", "0007 03 01 00000001 04 0000003C", serial=7, total=3, parameters=[{"id": 1, "value": 60}],
    ),
    case(
        0x0104, LATER, f"0007 02 00000001 04 0000003C  00000083 08 {gbk('苏F12345')}",
        serial=7, parameters=[{"id": 1, "value": 60}, {"id": 0x83, "value": "苏F12345"}],
    ),
    case(0x8105, ALL, "04", command=4, parameters=""),
    case(0x8105, ALL, f"02 {gbk('1;A1b2;apn;;;10.1.1.100;8808;0;60')}", command=2, parameters="1;A1b2;apn;;;10.1.1.100;8808;0;60"),
    case(0x8107, LATER, ""),
    case(
        0x0107, "2013",
        f"0045 {gbk('GONGC')} {gbk('GC-808', 20)} {gbk('T000007')} 89860012345678901234 03 {gbk('H10')} 04 {gbk('V1.2')} 03 20",
        kind=0x45, manufacturer="GONGC", model="GC-808", device_id="T000007", iccid="89860012345678901234", hardware="H10",
        firmware="V1.2", gnss=3, radio=0x20,
    ),
    case(
        0x0107, "2019",
        f"0145 {gbk('GONGC')} {gbk('GC-808', 30)} {gbk('T000007', 30)} 89860012345678901234 03 {gbk('H10')} 04 {gbk('V1.2')} 03 20",
        kind=0x145, manufacturer="GONGC", model="GC-808", device_id="T000007", iccid="89860012345678901234", hardware="H10",
        firmware="V1.2", gnss=3, radio=0x20,
    ),
    case(
        0x8108, LATER, f"34 {gbk('GONGC')} 04 {gbk('V1.3')} 00000003 010203",
        kind=52, manufacturer="GONGC", version="V1.3", data=b"\x01\x02\x03",
    ),
    case(0x0108, LATER, "00 02", kind=0, result=2),
    case(0x8204, "2019", ""),
    # --- positions
    case(0x0200, ALL, PLACE, **PLACED, items=[]),
    case(0x0200, ALL, f"{PLACE} {ITEMS}", **PLACED, items=ITEMED),
    case(0x8201, ALL, ""),
    case(0x0201, LATER, f"0007 {PLACE} {ITEMS}", serial=7, **PLACED, items=ITEMED),
    case(0x0201, "2011", f"{PLACE} {ITEMS}", **PLACED, items=ITEMED),
    case(0x8202, ALL, "0005 00000258", interval=5, validity=600),
    case(0x8202, ALL, "0000", interval=0),
    case(0x8203, LATER, "0007 00100001", serial=7, alarm=0x100001),
    case(
        0x0704, LATER, f"0002 01 001C {PLACE} 0027 {PLACE} {ITEMS}",
        count=2, kind=1, positions=[{**PLACED, "items": []}, {**PLACED, "items": ITEMED}],
    ),
    case(
        0x0705, LATER, "0002 1011120345  40000001 0102030405060708  80000002 1112131415161718",
        count=2, time="1011120345",
        items=[
            {"can_id": 0x40000001, "data": bytes(range(1, 9))},
            {"can_id": 0x80000002, "data": bytes(range(0x11, 0x19))},
        ],
    ),
    # --- words
    case(0x8300, "2011 2013", f"09 {gbk('请返回车场')}", flag=9, text="请返回车场"),
    case(0x8300, "2019", f"0D 01 {gbk('请返回车场')}", flag=13, kind=1, text="请返回车场"),
    case(
        0x8301, "2013", f"02 02 01 04 {gbk('加油')} 02 04 {gbk('用餐')}",
        setting=2, events=[{"id": 1, "text": "加油"}, {"id": 2, "text": "用餐"}],
    ),
    case(0x8301, "2011", f"02 05 01 01 04 {gbk('加油')}", setting=2, total=5, events=[{"id": 1, "text": "加油"}]),
    case(0x8301, "2011 2013", "00", setting=0),
    case(0x0301, "2011 2013", "02", id=2),
    case(
        0x8302, "2011 2013", f"09 04 {gbk('到否')} 01 0002 {gbk('是')} 02 0002 {gbk('否')}",
        flag=9, question="到否", answers=[{"id": 1, "text": "是"}, {"id": 2, "text": "否"}],
    ),
    case(0x0302, "2011 2013", "0007 02", serial=7, answer=2),
    case(
        0x8303, "2013", f"01 02 01 0004 {gbk('天气')} 02 0004 {gbk('路况')}",
        setting=1, kinds=[{"kind": 1, "name": "天气"}, {"kind": 2, "name": "路况"}],
    ),
    case(0x8303, "2011", f"01 02 01 01 0004 {gbk('天气')}", setting=1, total=2, kinds=[{"kind": 1, "name": "天气"}]),
    case(0x8303, "2011 2013", "00", setting=0),
    case(0x0303, "2011 2013", "01 01", kind=1, flag=1),
    case(0x8304, "2011", f"01 0064 0002 {gbk('晴')}", kind=1, total=100, text="晴"),
    case(0x8304, "2013", f"01 0002 {gbk('晴')}", kind=1, text="晴"),
    case(0x8400, ALL, f"01 {gbk('051312345678')}", flag=1, phone="051312345678"),
    case(
        0x8401, LATER, f"01 01 03 0B {gbk('13900000001')} 04 {gbk('调度')}",
        setting=1, contacts=[{"flag": 3, "phone": "13900000001", "name": "调度"}],
    ),
    case(
        0x8401, "2011", f"01 07 01 03 0B {gbk('13900000001')} 04 {gbk('调度')}",
        setting=1, total=7, contacts=[{"flag": 3, "phone": "13900000001", "name": "调度"}],
    ),
    case(0x8401, ALL, "00", setting=0),
    # --- the vehicle
    case(0x8500, "2011 2013", "01", flag=1),
    case(0x8500, "2019", "0001 0001 00", controls=[{"id": 1, "value": 0}]),
    case(0x8500, "2019", "0001 F001 0203", controls=[{"id": 0xF001, "value": b"\x02\x03"}]),
    case(0x0500, ALL, f"0007 {PLACE}", serial=7, **PLACED, items=[]),
    # --- areas and routes
    case(
        0x8600, "2011", "00 05 01 00000001 0000 01E7F9E0 0734A290 000001F4",
        setting=0, total=5,
        areas=[{"id": 1, "attributes": 0, "lat_e6": 31_980_000, "lon_e6": 120_890_000, "radius_m": 500}],
    ),
    case(
        0x8600, "2013", "00 01 00000001 0003 01E7F9E0 0734A290 000001F4 260302000000 260302235959 0050 0A",
        setting=0,
        areas=[{
            "id": 1, "attributes": 3, "lat_e6": 31_980_000, "lon_e6": 120_890_000, "radius_m": 500, "begins": "260302000000",
            "ends": "260302235959", "max_speed_kmh": 80, "overspeed_s": 10,
        }],
    ),
    case(
        0x8600, "2019", f"01 01 00000001 0002 01E7F9E0 0734A290 000001F4 0050 0A 003C 0004 {gbk('车场')}",
        setting=1,
        areas=[{
            "id": 1, "attributes": 2, "lat_e6": 31_980_000, "lon_e6": 120_890_000, "radius_m": 500, "max_speed_kmh": 80,
            "overspeed_s": 10, "night_speed_kmh": 60, "name": "车场",
        }],
    ),
    case(0x8601, ALL, "02 00000001 00000007", ids=[1, 7]),
    case(0x8601, ALL, "00", ids=[]),
    case(
        0x8602, "2011", "02 03 01 00000002 0000 01E7F9E0 0734A290 01E70000 07350000",
        setting=2, total=3,
        areas=[{
            "id": 2, "attributes": 0, "top_left_lat_e6": 31_980_000, "top_left_lon_e6": 120_890_000,
            "bottom_right_lat_e6": 0x01E70000, "bottom_right_lon_e6": 0x07350000,
        }],
    ),
    case(
        0x8602, "2013", "02 01 00000002 0000 01E7F9E0 0734A290 01E70000 07350000",
        setting=2,
        areas=[{
            "id": 2, "attributes": 0, "top_left_lat_e6": 31_980_000, "top_left_lon_e6": 120_890_000,
            "bottom_right_lat_e6": 0x01E70000, "bottom_right_lon_e6": 0x07350000,
        }],
    ),
    case(
        0x8602, "2019",
        f"00 01 00000002 0003 01E7F9E0 0734A290 01E70000 07350000 000000080000 000000180000 0050 0A 003C 0002 {gbk('场')}",
        setting=0,
        areas=[{
            "id": 2, "attributes": 3, "top_left_lat_e6": 31_980_000, "top_left_lon_e6": 120_890_000,
            "bottom_right_lat_e6": 0x01E70000, "bottom_right_lon_e6": 0x07350000, "begins": "000000080000",
            "ends": "000000180000", "max_speed_kmh": 80, "overspeed_s": 10, "night_speed_kmh": 60, "name": "场",
        }],
    ),
    case(0x8603, ALL, "01 00000002", ids=[2]),
    case(
        0x8604, "2011", "00000003 0000 0009 01 01E7F9E0 0734A290",
        id=3, attributes=0, total=9, vertices=[{"lat_e6": 31_980_000, "lon_e6": 120_890_000}],
    ),
    case(
        0x8604, "2013", "00000003 0003 260302000000 260302235959 0050 0A 0003 01E7F9E0 0734A290 01E70000 07350000 01E80000 07340000",
        id=3, attributes=3, begins="260302000000", ends="260302235959", max_speed_kmh=80, overspeed_s=10,
        vertices=[
            {"lat_e6": 31_980_000, "lon_e6": 120_890_000}, {"lat_e6": 0x01E70000, "lon_e6": 0x07350000},
            {"lat_e6": 0x01E80000, "lon_e6": 0x07340000},
        ],
    ),
    case(
        0x8604, "2019", f"00000003 0002 0050 0A 0001 01E7F9E0 0734A290 003C 0004 {gbk('车场')}",
        id=3, attributes=2, max_speed_kmh=80, overspeed_s=10, vertices=[{"lat_e6": 31_980_000, "lon_e6": 120_890_000}],
        night_speed_kmh=60, name="车场",
    ),
    case(0x8605, ALL, "01 00000003", ids=[3]),
    case(
        0x8606, "2011", "00000004 0000 0009 01 0000000B 01E7F9E0 0734A290 14 03 0258 0050 0A",
        id=4, attributes=0, total=9,
        turns=[
            {"segment_id": 11, "lat_e6": 31_980_000, "lon_e6": 120_890_000, "width_m": 20, "attributes": 3, "time_s": 600,
             "max_speed_kmh": 80, "overspeed_s": 10},
        ],
    ),
    case(
        0x8606, "2013",
        "00000004 0001 260302000000 260302235959 0002"
        " 00000001 0000000B 01E7F9E0 0734A290 14 03 0258 003C 0050 0A  00000002 0000000C 01E70000 07350000 14 00",
        id=4, attributes=1, begins="260302000000", ends="260302235959",
        turns=[
            {"id": 1, "segment_id": 11, "lat_e6": 31_980_000, "lon_e6": 120_890_000, "width_m": 20, "attributes": 3,
             "too_long_s": 600, "too_short_s": 60, "max_speed_kmh": 80, "overspeed_s": 10},
            {"id": 2, "segment_id": 12, "lat_e6": 0x01E70000, "lon_e6": 0x07350000, "width_m": 20, "attributes": 0},
        ],
    ),
    case(
        0x8606, "2019", f"00000004 0000 0001 00000001 0000000B 01E7F9E0 0734A290 14 02 0050 0A 003C 0004 {gbk('线路')}",
        id=4, attributes=0,
        turns=[
            {"id": 1, "segment_id": 11, "lat_e6": 31_980_000, "lon_e6": 120_890_000, "width_m": 20, "attributes": 2,
             "max_speed_kmh": 80, "overspeed_s": 10, "night_speed_kmh": 60},
        ],
        name="线路",
    ),
    case(0x8607, ALL, "01 00000004", ids=[4]),
    case(0x8608, "2019", "01 00000002 00000001 00000007", kind=1, ids=[1, 7]),
    case(
        0x0608, "2019", f"01 00000001 00 01 00000001 0000 01E7F9E0 0734A290 000001F4 0004 {gbk('车场')}",
        kind=1,
        found=[{
            "setting": 0,
            "areas": [{
                "id": 1, "attributes": 0, "lat_e6": 31_980_000, "lon_e6": 120_890_000, "radius_m": 500, "name": "车场",
            }],
        }],
    ),
    case(
        0x0608, "2019", f"03 00000001 00000003 0000 0001 01E7F9E0 0734A290 0004 {gbk('车场')}",
        kind=3,
        found=[{
            "id": 3, "attributes": 0, "vertices": [{"lat_e6": 31_980_000, "lon_e6": 120_890_000}], "name": "车场",
        }],
    ),
    # --- records
    case(0x8700, "2011", "08", command=8),
    case(0x8700, LATER, "08", command=8, data=b""),
    case(0x8700, LATER, "08 AA75080006", command=8, data=bytes.fromhex("AA75080006")),
    case(0x0700, "2011", "08 0010 0004 557A0800", command=8, total=16, data=bytes.fromhex("557A0800")),
    case(0x0700, LATER, "0007 08 557A0800", serial=7, command=8, data=bytes.fromhex("557A0800")),
    case(0x8701, ALL, "82 AA758200", command=0x82, data=bytes.fromhex("AA758200")),
    case(0x0701, ALL, "00000003 010203", waybill=b"\x01\x02\x03"),
    case(0x8702, LATER, ""),
    case(
        0x0702, "2011", f"04 {gbk('张三')} {gbk('320600199001010011', 20)} {gbk('3206000001', 40)} 06 {gbk('运管处')}",
        name="张三", id_number="320600199001010011", certificate="3206000001", issuer="运管处",
    ),
    case(
        0x0702, "2013", f"01 260302101112 00 04 {gbk('张三')} {gbk('3206000001', 20)} 06 {gbk('运管处')} 20300101",
        status=1, time="260302101112", read=0, name="张三", certificate="3206000001", issuer="运管处", valid_until="20300101",
    ),
    case(
        0x0702, "2019",
        f"01 260302101112 00 04 {gbk('张三')} {gbk('3206000001', 20)} 06 {gbk('运管处')} 20300101 {gbk('320600199001010011', 20)}",
        status=1, time="260302101112", read=0, name="张三", certificate="3206000001", issuer="运管处", valid_until="20300101",
        id_number="320600199001010011",
    ),
    case(0x0702, LATER, "02 260302101112", status=2, time="260302101112"),
    case(0x0702, LATER, "01 260302101112 03", status=1, time="260302101112", read=3),
    # --- pictures, sound, film
    case(0x0800, ALL, "0000007B 00 00 01 02", media_id=123, media_type=0, format=0, event=1, channel=2),
    case(
        0x0801, LATER, f"0000007B 00 00 01 02 {PLACE} FFD8FFD9",
        media_id=123, media_type=0, format=0, event=1, channel=2, **PLACED, data=b"\xff\xd8\xff\xd9",
    ),
    case(
        0x0801, "2011", "0000007B 00 00 01 02 00000009 00000001 FFD8FFD9",
        media_id=123, media_type=0, format=0, event=1, channel=2, total=9, index=1, data=b"\xff\xd8\xff\xd9",
    ),
    case(0x8800, "2011", "0007 0000007B", serial=7, media_id=123),
    case(0x8800, "2011", "0007 0000007B 02 00000002 00000005", serial=7, media_id=123, indexes=[2, 5]),
    case(0x8800, LATER, "0000007B", media_id=123),
    case(0x8800, LATER, "0000007B 02 0002 0005", media_id=123, indexes=[2, 5]),
    case(
        0x8801, ALL, "01 0002 0003 01 02 05 7F 40 40 7F",
        channel=1, command=2, interval=3, save=1, resolution=2, quality=5, brightness=127, contrast=64, saturation=64, chroma=127,
    ),
    case(0x0805, LATER, "0007 00 0002 0000007B 0000007C", serial=7, result=0, media_ids=[123, 124]),
    case(0x0805, LATER, "0007 01", serial=7, result=1),
    case(
        0x8802, ALL, "00 01 03 260302000000 260302235959",
        media_type=0, channel=1, event=3, begins="260302000000", ends="260302235959",
    ),
    case(
        0x0802, LATER, f"0007 0001 0000007B 00 01 03 {PLACE}",
        serial=7, found=[{"media_id": 123, "media_type": 0, "channel": 1, "event": 3, **PLACED}],
    ),
    case(
        0x0802, "2011", f"0007 0009 0001 00 01 03 {PLACE}",
        serial=7, total=9, found=[{"media_type": 0, "channel": 1, "event": 3, **PLACED}],
    ),
    case(
        0x8803, ALL, "00 01 03 000000000000 000000000000 01",
        media_type=0, channel=1, event=3, begins="000000000000", ends="000000000000", delete=1,
    ),
    case(0x8804, ALL, "01 003C 00 01", command=1, duration=60, save=0, rate=1),
    case(0x8805, LATER, "0000007B 01", media_id=123, delete=1),
    # --- data
    case(0x8900, "2011", "41 00000009 0003 010203", kind=0x41, total=9, data=b"\x01\x02\x03"),
    case(0x0900, "2011", "41 00000003 0003 010203", kind=0x41, total=3, data=b"\x01\x02\x03"),
    case(0x8900, LATER, "41 010203", kind=0x41, data=b"\x01\x02\x03"),
    case(0x0900, LATER, "F1 010203", kind=0xF1, data=b"\x01\x02\x03"),
    case(0x0901, ALL, "00000003 1F8B08", data=b"\x1f\x8b\x08"),
    case(0x8A00, ALL, f"00010001 {'AB' * 128}", e=65537, n=b"\xab" * 128),
    case(0x0A00, ALL, f"00010001 {'CD' * 128}", e=65537, n=b"\xcd" * 128),
]  # fmt: skip
