"""Frames in words: whole, broken, of others, and nothing that fails."""

from __future__ import annotations

import random
from dataclasses import replace

from telemetry.jt808.scalar.header import Version
from telemetry.jt808.tables.codec import frames
from telemetry.jt808.tables.dialects import Dialect
from telemetry.jt808.tables.explain import explain_segment
from tests.jt808_messages import CASES
from tests.jt808_vectors import OTHERS, cases, other_frames

EACH = [(one, Version(edition)) for one in CASES for edition in one.editions]


def test_our_frames_and_those_of_others_are_explained_whole() -> None:
    """Frames of positions, registration and replies have tests of their own; here all are read by the tables."""
    seen = set()
    odd = {one["frame"] for one in cases() if (one["decoded"] or {}).get("rest") == "0102ffff30012025"}
    for frame in [*(one["frame"] for one in cases()), *other_frames()]:
        for segment in frame.split(b"\x7e"):
            if not segment:
                continue
            told = explain_segment(segment)
            assert told.header is not None
            seen.add(told.header.id)
            # Somebody else's 0x8500 of 2019 counts its controls otherwise than the standard.
            if frame not in odd and told.header.id != 0x8500:
                assert not told.problems, (frame.hex(), told.problems)
    if OTHERS.exists():  # not part of the project
        assert len(seen) > 40


def test_fields_of_an_explanation_cover_the_message() -> None:
    """Every byte of header and body belongs to a field."""
    for one, edition in EACH:
        for frame in frames("13900000001", edition, one.message, one.body, 7):
            told = explain_segment(frame[1:-1])
            assert told.header is not None
            covered = {at for each in told.fields for at in range(each.offset, each.offset + len(each.raw))}
            size = (18 if edition is Version.V2019 else 13) + told.header.body_length
            assert covered == set(range(size)), (hex(one.message), edition, set(range(size)) - covered)


def test_a_broken_frame_is_explained_as_far_as_it_can_be_read() -> None:
    (frame,) = frames("13900000001", Version.V2013, 0x8202, bytes.fromhex("0005 00000258"), 7)
    inner = frame[1:-1]
    for broken, said in (
        (inner[:-1] + bytes((inner[-1] ^ 1,)), "校验码错误"),
        (
            inner[:3] + bytes((inner[3] + 1,)) + inner[4:-1] + bytes((inner[-1] ^ 1 ^ inner[3] ^ inner[3],)),
            "消息体长度不符",
        ),
        (inner[:-3] + b"\x7d\x05" + inner[-1:], "转义错误"),
        (inner[:9], "太短"),
    ):
        told = explain_segment(broken)
        assert any(said in problem for problem in told.problems), (said, told.problems)
        if said not in ("太短", "转义错误"):
            assert [one.value for one in told.fields if one.path in ("interval", "validity")] == [5, 600]


def test_an_explanation_never_fails() -> None:
    chance = random.Random(808)
    base = [
        frame[1:-1] for one, edition in EACH for frame in frames("139", edition, one.message, one.body, 1)
    ]
    for _ in range(1500):
        segment = bytearray(chance.choice(base))
        for _ in range(chance.randrange(1, 4)):
            segment[chance.randrange(len(segment))] = chance.choice(
                (0, 1, 2, 0x7D, 0x20, 0xFF, chance.randrange(256))
            )
        told = explain_segment(bytes(segment[: chance.randrange(len(segment) + 1)]))
        assert replace(told.header) if told.header else told.problems


def test_an_item_of_a_dialect_is_explained_where_its_table_fits() -> None:
    mark = b"T000007" + bytes.fromhex("260302101112 01 02 00")
    adas = (
        bytes.fromhex("00000009 01 02 01 3C 0A 01 00 00 3C 000C 01E7F9E0 0734A290 260302101112 0011") + mark
    )
    body = next(one for one in CASES if one.message == 0x0200).body + b"\x64" + bytes((len(adas),)) + adas
    for value, paths in ((body, True), (body[:-1].replace(b"\x64\x2f", b"\x64\x2e"), False)):
        (frame,) = frames("139", Version.V2013, 0x0200, value, 1)
        told = explain_segment(frame[1:-1])
        assert not told.problems
        values = {one.path: one.value for one in told.fields}
        if paths:
            assert len(adas) == 47
            assert (values["items/0/kind"], values["items/0/distance"], values["items/0/files"]) == (2, 10, 2)
        else:
            assert values["items/0"] == adas[:-1]


def test_a_dialect_may_be_of_some_makers_only() -> None:
    mine = Dialect("某厂|a maker", {}, frozenset({"GONGC"}), ("GC-8",))
    assert [mine.is_of(*one) for one in (("GONGC", "GC-808"), ("GONGC", ""), ("", ""), ("OTHER", "GC-808"), ("GONGC", "GX"))] == [
        True, True, True, False, False,
    ]  # fmt: skip
