"""What simulated terminals answer: every message of the platform in every edition, from the bodies that were written by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest

from simulation.terminal import control, media, pictures, recorder
from simulation.terminal.answers import answers
from simulation.terminal.device import (
    Arrived,
    Card,
    Device,
    PackagesAgain,
    Restart,
    Say,
    Track,
    new_device,
)
from telemetry.jt808.ids import UP, Direction, MessageId
from telemetry.jt808.scalar.header import Header, Version
from telemetry.jt808.scalar.messages import GeneralReply, decode_general_reply
from telemetry.jt808.tables import codec
from tests.integration.terminal_client import position
from tests.jt808_messages import CASES

SERIAL = 77
HERE = position(1)
#: Messages to which a terminal answers nothing itself.
REPLIES = {0x8001, 0x8003, 0x8004, 0x8100}
#: Answered with a message of their own, and no confirmation beside it.
TOLD = {
    0x8104: 0x0104, 0x8106: 0x0104, 0x8107: 0x0107, 0x8201: 0x0201, 0x8608: 0x0608, 0x8700: 0x0700, 0x8801: 0x0805, 0x8802: 0x0802,
    0x8A00: 0x0A00,
}  # fmt: skip
DOWN = [
    (case, Version(edition))
    for case in CASES
    if case.message not in UP and case.message not in REPLIES
    for edition in case.editions
]


def header(message_id: int, body: bytes, version: Version, *, total: int = 0, index: int = 0, serial: int = SERIAL) -> Header:  # fmt: skip
    phone = "0" * (20 if version is Version.V2019 else 12)
    return Header(message_id, len(body), 0, version is Version.V2019, 1, phone, serial, total, index)


def ask(device: Device, message_id: int, body: bytes, at: bytes | None = HERE) -> list[tuple[int, bytes]]:
    return answers(device, header(message_id, body, device.version), body, at)


def order(device: Device, message_id: int, **fields: Any) -> list[tuple[int, bytes]]:
    return ask(device, message_id, codec.encode(message_id, device.version, fields))


def results(told: list[tuple[int, bytes]]) -> list[int]:
    """Results of the 0x0001 among ``told``; each names the message."""
    found = []
    for message_id, body in told:
        if message_id == MessageId.TERMINAL_GENERAL_REPLY:
            read = decode_general_reply(body)
            assert isinstance(read, GeneralReply)
            assert read.serial == SERIAL
            found.append(read.result)
    return found


def fields(message_id: int, body: bytes, version: Version) -> dict[str, Any]:
    """A body that the edition has, read without anything odd."""
    read = codec.decode(message_id, version, body)
    assert isinstance(read, codec.Body), read
    assert (read.leftovers, read.remarks) == (b"", ())
    return read.fields


def said(device: Device) -> list[tuple[int, dict[str, Any]]]:
    """What the device is to say besides, read; it is forgotten then."""
    effects, device.effects = device.effects, []
    return [
        (e.message_id, fields(e.message_id, e.body, device.version)) for e in effects if isinstance(e, Say)
    ]


@pytest.mark.parametrize(("case", "version"), DOWN, ids=[f"{c.message:04x}-{v:d}-{k}" for k, (c, v) in enumerate(DOWN)])  # fmt: skip
def test_everything_that_the_platform_can_send_is_answered(case: Any, version: Version) -> None:
    device = new_device(version, "D1", "苏F00001")
    device.card = Card("张三", "320600000001", "320600198001011234")
    told = ask(device, case.message, case.body)
    for message_id, body in told:
        if message_id != MessageId.TERMINAL_GENERAL_REPLY:
            read = fields(message_id, body, version)
            assert read.get("serial", SERIAL) == SERIAL
    wanted = TOLD.get(case.message)
    if case.message == MessageId.SHOOT and version is Version.V2011:  # no 0x0805 there
        wanted = None
    if case.message == MessageId.MEDIA_REPLY:
        assert told == []
    elif wanted:
        assert [message_id for message_id, _ in told] == [wanted]
    else:
        assert told[0][0] == MessageId.TERMINAL_GENERAL_REPLY
        assert len(results(told)) == 1
    said(device)  # each can be read


def test_every_message_of_the_standard_is_among_them() -> None:
    """No message of the platform was forgotten in any edition that has it."""
    there = {(case.message, version) for case, version in DOWN}
    down = [each for each in MessageId if each.direction is Direction.DOWN and each not in REPLIES]
    assert {(each, v) for each in down for v in Version if each.clauses[v]} - there == set()


@pytest.mark.parametrize("version", Version)
def test_whatever_comes_nothing_falls(version: Version) -> None:
    """Every body cut at every byte, and with bytes changed: an answer, and never an exception."""
    chance = random.Random(808)
    bodies = [(case.message, case.body) for case, its in DOWN if its is version]
    bodies += [(number, b"") for number in (0x8000, 0x8FFF, 0x9101, 0x0002, 0xFFFF)]
    device = new_device(version, "D1")
    for message_id, whole in bodies:
        cut = [whole[:at] for at in range(len(whole))]
        changed = []
        for _ in range(20):
            one = bytearray(whole or b"\0")
            one[chance.randrange(len(one))] = chance.randrange(256)
            changed.append(bytes(one))
        # Pictures are made slowly and are no matter of what is cut.
        for body in changed if message_id == MessageId.SHOOT else [*cut, *changed]:
            told = ask(
                device, message_id, body[:1] + b"\0\0" + body[3:] if message_id == MessageId.SHOOT else body
            )
            assert told or message_id == MessageId.MEDIA_REPLY
            device.effects.clear()


@pytest.mark.parametrize("version", Version)
def test_what_it_does_not_know_is_not_supported(version: Version) -> None:
    device = new_device(version, "D1")
    for message_id in (0x8000, 0x9101, 0x8FFF):
        assert results(ask(device, message_id, b"\1\2")) == [3]
    missing = [each for each in MessageId if each.direction is Direction.DOWN and not each.clauses[version]]
    for each in missing:
        if each not in REPLIES:
            assert results(ask(device, each, bytes(40))) == [3]
    assert results(ask(device, 0x8202, b"\0\5\0")) == [2]  # breaks off


@pytest.mark.parametrize("version", Version)
def test_parameters_are_remembered(version: Version) -> None:
    device, other = new_device(version, "D1", "苏F00001"), new_device(version, "D2", "苏F00002")
    every = fields(*order(device, 0x8104)[0], version)["parameters"]
    assert len(every) > 50
    assert {row["id"]: row["value"] for row in every}[0x83] == "苏F00001"
    assert all(not isinstance(row["value"], bytes) or row["id"] == 0x32 for row in every)
    assert results(
        order(device, 0x8103, parameters=[{"id": 0x29, "value": 15}, {"id": 0xF001, "value": b"\1"}])
    ) == [0]
    told = fields(*order(device, 0x8104)[0], version)["parameters"]
    assert {row["id"]: row["value"] for row in told}.items() >= {(0x29, 15), (0xF001, b"\1")}
    assert len(told) == len(every) + 1
    if version is not Version.V2011:
        some = fields(*order(device, 0x8106, ids=[0x29, 0x7777, 0xF001])[0], version)["parameters"]
        assert [row["id"] for row in some] == [0x29, 0xF001]
    # One that the edition does not have, or of another length, and nothing of the message is done.
    for wrong in ({"id": 0x7777, "value": b"\1"}, {"id": 0x55, "value": b"\1"}):
        assert results(order(device, 0x8103, parameters=[{"id": 0x29, "value": 99}, wrong])) == [1]
    assert device.parameters[0x29] == 15
    assert other.parameters[0x29] == 10
    order(device, 0x8105, command=5)
    assert dict(device.parameters)[0x29] == 10
    assert device.effects == [Restart(2.0)]


def test_2013_and_2019_have_their_own_parameters() -> None:
    assert 0x32 in new_device(Version.V2019, "D").parameters
    assert 0x32 not in new_device(Version.V2013, "D").parameters
    assert 0x5B not in new_device(Version.V2011, "D").parameters


@pytest.mark.parametrize("version", Version)
def test_control_changes_what_the_vehicle_reports(version: Version) -> None:
    device = new_device(version, "D1")
    assert device.marked(HERE) == HERE
    assert results(order(device, 0x8105, command=control.Word.CUT)) == [0]
    status = int.from_bytes(device.marked(HERE)[4:8], "big")
    assert status & (1 << 10 | 1 << 11) == 1 << 10 | 1 << 11
    order(device, 0x8105, command=control.Word.RESTORE)
    assert device.marked(HERE) == HERE
    assert results(order(device, 0x8105, command=2, parameters="1;x")) == [3]
    for command, after_s in ((4, 2.0), (3, 10.0)):
        order(device, 0x8105, command=command)
        assert device.effects.pop() == Restart(after_s)
    order(device, 0x8202, interval=5, validity=600)
    order(device, 0x8202, interval=0)
    assert device.effects == [Track(5, 600), Track(0, 0)]


@pytest.mark.parametrize("version", [Version.V2011, Version.V2013])
def test_the_driver_presses_buttons(version: Version) -> None:
    device = new_device(version, "D1")
    told = order(
        device, 0x8302, flag=1, question="到否", answers=[{"id": 4, "text": "是"}, {"id": 5, "text": "否"}]
    )
    assert results(told) == [0]
    assert said(device) == [(0x0302, {"serial": SERIAL, "answer": 4})]
    order(device, 0x8301, setting=1, events=[{"id": 3, "text": "加油"}])
    assert said(device) == [(0x0301, {"id": 3})]
    order(device, 0x8303, setting=1, kinds=[{"kind": 6, "name": "天气"}])
    assert said(device) == [(0x0303, {"kind": 6, "flag": 1})]
    order(device, 0x8303, setting=0)
    assert (device.menu, said(device)) == ({}, [])


@pytest.mark.parametrize("version", Version)
def test_areas_are_kept_and_told(version: Version) -> None:
    device = new_device(version, "D1")
    name = {"name": "车场"} if version is Version.V2019 else {}
    circles = [
        {"id": k, "attributes": 0, "lat_e6": 31, "lon_e6": 120, "radius_m": 500} | name for k in (1, 2, 3)
    ]
    order(device, 0x8600, setting=0, areas=circles[:2])
    order(device, 0x8600, setting=1, areas=circles[2:])
    vertices = [{"lat_e6": k, "lon_e6": k} for k in range(3)]
    order(device, 0x8604, id=9, attributes=0, vertices=vertices, **name)
    order(device, 0x8601, ids=[2])
    assert {kind: sorted(rows) for kind, rows in device.areas.items()} == {1: [1, 3], 3: [9]}
    if version is Version.V2019:
        found = fields(*order(device, 0x8608, kind=1, ids=[])[0], version)["found"]
        assert [each["areas"][0]["id"] for each in found] == [1, 3]
        found = fields(*order(device, 0x8608, kind=3, ids=[9, 10])[0], version)["found"]
        assert [(each["id"], each["name"], each["vertices"]) for each in found] == [(9, "车场", vertices)]
    order(device, 0x8605, ids=[])
    assert device.areas[3] == {}
    for first in range(4, 200, 8):
        more = [circles[0] | {"id": first + k} for k in range(8)]
        last = results(order(device, 0x8600, setting=1, areas=more))
    assert (last, len(device.areas[1])) == ([1], 98)  # full


@pytest.mark.parametrize("version", Version)
def test_pictures_are_taken_kept_found_and_sent(version: Version) -> None:
    device = new_device(version, "D1")
    shot = {
        "interval": 3,
        "resolution": 1,
        "quality": 5,
        "brightness": 1,
        "contrast": 1,
        "saturation": 1,
        "chroma": 1,
    }
    told = order(device, 0x8801, channel=1, command=2, save=0, **shot)
    sends = [e for e in device.effects if isinstance(e, Say)]
    assert {e.after_s for e in sends} == {0.0, 3.0}
    data = [d for _, d in said(device)]
    if version is Version.V2011:
        assert results(told) == [0]
        first = [d for d in data if d["media_id"] == 1]
        assert [d["index"] for d in first] == [*range(1, first[0]["total"] + 1)]
        files = [b"".join(d["data"] for d in data if d["media_id"] == k) for k in (1, 2)]
    else:
        assert fields(*told[0], version)["media_ids"] == [1, 2]
        files = [d["data"] for d in data]
        assert [(d["media_id"], d["lat_e6"], d["time"]) for d in data] == [
            (k, 31_980_001, "260302101112") for k in (1, 2)
        ]
    for file in files:
        assert file[:4] == b"\xff\xd8\xff\xe0"
        assert file[-2:] == b"\xff\xd9"
    order(device, 0x8801, channel=1, command=1, save=1, **shot)
    assert [i for i, _ in said(device)] == [0x0800]
    span = {"begins": "260302000000", "ends": "260302235959"}
    wanted = {"media_type": 0, "channel": 0, "event": 0}
    found = fields(*order(device, 0x8802, **wanted, **span)[0], version)["found"]
    assert [row["lat_e6"] for row in found] == [31_980_001] * 3
    if version is not Version.V2011:  # its 0x0802 has no ids
        assert [row["media_id"] for row in found] == [1, 2, 3]
        none = order(device, 0x8802, **wanted, begins="260303000000", ends="0" * 12)
        assert fields(*none[0], version)["found"] == []
        order(device, 0x8803, **wanted, **span, delete=1)
        assert ([i for i, _ in said(device)], device.files) == ([0x0801] * 3, {})
        assert results(order(device, 0x8805, media_id=3, delete=0)) == [1]
        order(device, 0x8800, media_id=1, indexes=[2, 5])
        order(device, 0x8800, media_id=1)
        assert device.effects == [PackagesAgain(1, (2, 5)), Arrived(1)]
    else:
        order(device, 0x8800, serial=1, media_id=1, indexes=[1, 2, 9])
        assert [d["index"] for _, d in said(device)] == [1, 2]
    device.effects.clear()
    order(device, 0x8804, command=1, duration=1, save=0, rate=0)
    sound = b"".join(d["data"] for _, d in said(device))
    assert (sound[:4], sound[8:12], len(sound)) == (b"RIFF", b"WAVE", 8_044)
    told = order(device, 0x8801, channel=9, command=1, save=0, **shot)
    assert results(told) == [1] if version is Version.V2011 else fields(*told[0], version)["result"] == 2


def test_a_device_keeps_so_many_files() -> None:
    device = new_device(Version.V2013, "D1")
    for _ in range(60):
        media.record(
            device, header(0x8804, b"", Version.V2013), {"command": 1, "duration": 1, "save": 1}, None
        )
        device.effects.clear()
    assert sorted(device.files) == [*range(11, 61)]


@pytest.mark.parametrize("version", Version)
def test_the_card_of_the_driver(version: Version) -> None:
    device = new_device(version, "D1")
    device.card = Card("张三", "320600000001", "320600198001011234")
    read = fields(0x0702, recorder.identity(device, "260302101112"), version)
    assert (read["name"], read["certificate"]) == ("张三", "320600000001")
    if version is Version.V2011:
        return
    assert (read["status"], read["time"], read["read"]) == (1, "260302101112", 0)
    assert [i for i, _ in order(device, 0x8702)] == [0x0001, 0x0702]
    device.card = None
    assert fields(0x0702, recorder.identity(device, "260302111112"), version) == {
        "status": 2,
        "time": "260302111112",
    }


@pytest.mark.parametrize("version", [Version.V2013, Version.V2019])
def test_the_recorder_answers_with_whole_blocks(version: Version) -> None:
    device = new_device(version, "D1", "苏F00001")
    lengths = {0: 2, 1: 18, 2: 6, 3: 20, 4: 8, 5: 41, 6: 87, 7: 35, 8: 126}
    for command, length in lengths.items():
        block = fields(*order(device, 0x8700, command=command, data=b"")[0], version)["data"]
        assert block[:3] == bytes((0x55, 0x7A, command))
        assert (int.from_bytes(block[3:5], "big"), len(block)) == (length, length + 7)
        check = 0
        for byte in block:
            check ^= byte
        assert check == 0
    assert (
        fields(*order(device, 0x8700, command=0x30, data=b"")[0], version)["data"] == b"\x55\x7a\xfa\x00\xd5"
    )


def test_packages_are_joined_in_order_only() -> None:
    device = new_device(Version.V2013, "D1")
    whole = b"\x08" + "请按时返回".encode("gbk") * 100
    parts = [whole[at : at + 400] for at in range(0, len(whole), 400)]
    for k, part in enumerate(parts, 1):
        told = answers(
            device, header(0x8300, part, Version.V2013, total=len(parts), index=k, serial=76 + k), part, None
        )
        assert len(told) == 1
    assert (device.texts, device.text) == (1, "请按时返回" * 100)
    for k in (2, 3):  # without the first
        answers(
            device,
            header(0x8300, parts[k - 1], Version.V2013, total=3, index=k, serial=500 + k),
            parts[k - 1],
            None,
        )
    assert device.texts == 1


def test_a_picture_is_a_whole_jpeg() -> None:
    """Its segments one after the other, and no marker within the scan."""
    for code in (0, 1, 5, 6):
        width, height = pictures.size_of(code)
        file = pictures.photograph(width, height, 1, "2026-03-02 10:11:12")
        at, markers = 2, []
        while file[at + 1] != 0xDA:
            markers.append(file[at + 1])
            if file[at + 1] == 0xC0:
                assert (
                    int.from_bytes(file[at + 5 : at + 7], "big"),
                    int.from_bytes(file[at + 7 : at + 9], "big"),
                ) == (height, width)
            at += 2 + int.from_bytes(file[at + 2 : at + 4], "big")
        assert markers == [0xE0, 0xDB, 0xC0, 0xC4, 0xC4]
        scan = file[at + 10 : -2]
        assert all(scan[k + 1] == 0 for k in range(len(scan)) if scan[k] == 0xFF)
        assert 1_000 < len(file) < 20_000
