"""Makes ``jt808-frames.txt`` (a frame a line, hex) and ``jt808-frames.json`` (what each says, in the same order).

Built by hand from the tables of JT/T 808-2011, -2013 and -2019, and from nothing of this program: so the codec is tested
against the standard and not against itself. All terminals, plates and places are invented. Run it to write the files
again; a test asks that they are what it makes.
"""

from __future__ import annotations

import json
from pathlib import Path
from struct import pack
from typing import Any

HERE = Path(__file__).resolve().parent
#: 2026-03-02 10:11:12 in GMT+8 is 02:11:12 UTC.
TIME, TIME_US = "260302101112", 1_772_417_472_000_000

Case = dict[str, Any]


def checked(message: bytes) -> bytes:
    """4.4: XOR behind, 7D -> 7D 01 and 7E -> 7D 02, delimiters."""
    check = 0
    for byte in message:
        check ^= byte
    escaped = b"".join({0x7D: b"\x7d\x01", 0x7E: b"\x7d\x02"}.get(b, bytes([b])) for b in (*message, check))
    return b"\x7e" + escaped + b"\x7e"


def case(
    name: str, edition: int, message_id: int, body: bytes, decoded: Any = None, *, phone: str = "13912345678",
    serial: int = 7, package: tuple[int, int] | None = None,
) -> Case:  # fmt: skip
    """One frame. Header by table 2 of 4.4.3: id WORD, properties WORD (bits 0-9 length, 13 sub-package, 14 version flag),
    in 2019 the protocol version BYTE, phone BCD[6] or BCD[10], serial WORD, package item total WORD and index WORD."""
    v2019 = edition == 2019
    properties = len(body) | 0x2000 * (package is not None) | 0x4000 * v2019
    digits = phone.rjust(20 if v2019 else 12, "0")
    message = (
        pack(">HH", message_id, properties) + b"\x01" * v2019 + bytes.fromhex(digits) + pack(">H", serial)
    )
    message += pack(">HH", *package) if package else b""
    total, index = package or (0, 0)
    return {
        "name": name, "edition": edition, "frame": checked(message + body).hex(), "id": message_id, "phone": digits,
        "serial": serial, "total": total, "index": index, "body": body.hex(), "decoded": decoded,
    }  # fmt: skip


def text(value: str, width: int, fill: bytes = b"\0", front: bool = False) -> bytes:
    raw = value.encode("gbk")
    return raw.rjust(width, fill) if front else raw.ljust(width, fill)


def registration(edition: int, plate: str, color: int) -> tuple[bytes, Case]:
    """0x0100. 2011 table 6: model BYTE[8] filled with spaces; 2013 table 7: BYTE[20]; 2019 table 8: manufacturer BYTE[11],
    model BYTE[30] and terminal id BYTE[30], the model with 00 in front."""
    maker, model, device = "GONGC", "GC-808", "T000007"
    if edition == 2019:
        fixed = text(maker, 11) + text(model, 30, front=True) + text(device, 30)
    else:
        fixed = (
            text(maker, 5) + (text(model, 8, b" ") if edition == 2011 else text(model, 20)) + text(device, 7)
        )
    decoded = {
        "province": 32, "city": 600, "manufacturer": maker, "model": model, "device_id": device, "plate_color": color,
        "plate": plate, "version": edition,
    }  # fmt: skip
    return pack(">HH", 32, 600) + fixed + bytes([color]) + plate.encode("gbk"), decoded


def position(
    items: bytes = b"", *, time: str = TIME, time_us: int = TIME_US, status: int = 3, lat: int = 31_980_000,
    lon: int = 120_890_000, altitude: int = 12, alarm: int = 0, **columns: Any,
) -> tuple[bytes, Case]:  # fmt: skip
    """0x0200 by table 23: alarm DWORD, status DWORD, latitude and longitude DWORD (1e-6 degree, their signs are status bits 2
    and 3), altitude, speed (0.1 km/h) and direction WORD, time BCD[6]. ``columns``: what of the items has a column, and
    ``rest``: what has none."""
    body = (
        pack(">IIIIhHH", alarm, status, abs(lat), abs(lon), altitude, 456, 54) + bytes.fromhex(time) + items
    )
    decoded = {
        "device_us": time_us, "lat_e6": lat, "lon_e6": lon, "altitude_m": altitude, "speed_dkmh": 456, "direction_deg": 54,
        "alarm": alarm, "status": status, "rest": "",
    }  # fmt: skip
    return body, decoded | columns


def batch(kind: int, points: list[tuple[bytes, Case]]) -> tuple[bytes, Case]:
    """0x0704 (2013 tables 76 and 77): count WORD, type BYTE, then length WORD and body of each."""
    body = pack(">HB", len(points), kind) + b"".join(pack(">H", len(one)) + one for one, _ in points)
    return body, {"kind": kind, "positions": [decoded for _, decoded in points]}


ALL_ITEMS = bytes.fromhex("0104000f4245" "020201f4" "030201c7" "300116" "31010b")  # fmt: skip
ALL_COLUMNS: dict[str, Any] = {
    "odometer_dkm": 1_000_005,
    "fuel_dl": 500,
    "recorder_speed_dkmh": 455,
    "radio": 22,
    "satellites": 11,
}


def positions() -> list[Case]:
    """0x0200 in its forms."""
    vendor = "e10a" + "7e7d7e7d027d01007e7d" + "2a020003"
    wrong = (
        "0102ffff" + "30010a" + "300120" + "25"
    )  # odometer of 2 bytes, signal twice, then a byte that ends nothing
    forms = [
        ("nothing but the basic part", position()),
        ("every item with a column", position(ALL_ITEMS, **ALL_COLUMNS)),
        ("items without a column, full of delimiters", position(bytes.fromhex(vendor), rest=vendor)),
        ("south and west, below the sea", position(status=2 | 4 | 8, lat=-33_868_800, lon=-70_650_000, altitude=-32)),
        ("a time that is none", position(time="260230101112", time_us=0)),
        ("no time at all", position(time="0" * 12, time_us=0)),
        ("power lost, SOS", position(alarm=1 << 8 | 1)),
        ("items that are odd", position(bytes.fromhex(wrong), radio=10, rest="0102ffff" + "300120" + "25")),
        ("an item of no bytes and one of 255", position(b"\xe2\0\xe1\xff" + bytes(255), rest=(b"\xe2\0\xe1\xff" + bytes(255)).hex())),
        ("every bit", position(alarm=0xFFFFFFFF, status=0xFFFFFFF3)),
    ]  # fmt: skip
    found = []
    for edition in (2011, 2013, 2019):
        found += [case(name, edition, 0x0200, *one, serial=k) for k, (name, one) in enumerate(forms)]
    return found


def packages() -> list[Case]:
    """One 0x0704 in three packages, whose serials wrap (2013 7.12): what is decoded is their bodies joined, at the last."""
    found = []
    for edition in (2013, 2019):
        body, decoded = batch(1, [position(ALL_ITEMS, **ALL_COLUMNS), position(), position(altitude=99)])
        parts = [body[:50], body[50:100], body[100:]]
        for k, part in enumerate(parts):
            whole = decoded if k == 2 else None
            found.append(
                case(
                    "a package",
                    edition,
                    0x0704,
                    part,
                    whole,
                    serial=(65_534 + k) & 0xFFFF,
                    package=(3, k + 1),
                )
            )
    return found


def cases() -> list[Case]:
    found = []
    for edition in (2011, 2013, 2019):
        word = edition == 2019
        found += [
            case("heartbeat", edition, 0x0002, b""),
            case("heartbeat whose serial is escaped", edition, 0x0002, b"", serial=0x7D7E),
            case("logout", edition, 0x0003, b""),
            case("reply of a terminal", edition, 0x0001, pack(">HHB", 9, 0x8103, 3), {"serial": 9, "id": 0x8103, "result": 3}),
            case("registration", edition, 0x0100, *registration(edition, "苏F12345", 1)),
            case("registration without a plate", edition, 0x0100, *registration(edition, "", 2)),
            case("registration by VIN", edition, 0x0100, *registration(edition, "LSVAA4187E2000001", 0 if edition != 2011 else 1)),
        ]  # fmt: skip
        code = b"a1b2c3d4"
        tail = b"860000000000007" + text("1.0.3", 20)
        authentication = bytes([len(code)]) + code + tail if word else code
        decoded = {
            "code": code.decode(),
            "imei": "860000000000007" if word else "",
            "software": "1.0.3" if word else "",
        }
        found.append(case("authentication", edition, 0x0102, authentication, decoded))
        for kind in (0, 1):
            found.append(
                case("batch", edition, 0x0704, *batch(kind, [position(), position(ALL_ITEMS, **ALL_COLUMNS)]))
            )
        body, decoded = position(ALL_ITEMS, **ALL_COLUMNS)
        query = None if edition == 2011 else 99  # 2011 8.20 has no serial in front
        found.append(case("answer to a query", edition, 0x0201, (b"" if query is None else pack(">H", query)) + body, decoded | {"query": query}))  # fmt: skip
        # What the platform sends.
        found += [
            case("our reply", edition, 0x8001, pack(">HHB", 7, 0x0200, 0), {"serial": 7, "id": 0x0200, "result": 0}, serial=0),
            case("our reply to a registration", edition, 0x8100, pack(">HB", 7, 0) + code, {"serial": 7, "result": 0, "code": code.decode()}, serial=1),
            case("our refusal of a registration", edition, 0x8100, pack(">HB", 7, 4), {"serial": 7, "result": 4, "code": ""}, serial=2),
        ]  # fmt: skip
        if edition != 2011:  # 2011 has no such message
            count = pack(">H" if word else ">B", 2)
            body = pack(">H", 65_534) + count + pack(">HH", 2, 3)
            found.append(case("packages asked for", edition, 0x8003, body, {"first_serial": 65_534, "indexes": [2, 3]}, serial=3))  # fmt: skip
    found += [
        case("time asked for", 2019, 0x0004, b""),
        case("our time, UTC", 2019, 0x8004, bytes.fromhex("260302021112"), {"utc_us": TIME_US}, serial=4),
        case("packages asked for by a terminal", 2019, 0x0005, pack(">HHHH", 8, 2, 1, 5), {"first_serial": 8, "indexes": [1, 5]}),
        case("a phone of twenty digits", 2019, 0x0002, b"", phone="12345678901234567890"),
        case("a message that nobody knows", 2013, 0x0F7E, b"\x7e\x7d"),
    ]  # fmt: skip
    return found + positions() + packages()


def files() -> dict[str, str]:
    """Contents of the two files by name."""
    made = cases()
    lines = [json.dumps({k: v for k, v in one.items() if k != "frame"}, ensure_ascii=False) for one in made]
    return {
        "jt808-frames.txt": "".join(one["frame"] + "\n" for one in made),
        "jt808-frames.json": "[\n" + ",\n".join(lines) + "\n]\n",
    }


if __name__ == "__main__":
    for file, content in files().items():
        (HERE / file).write_text(content, encoding="utf-8")
