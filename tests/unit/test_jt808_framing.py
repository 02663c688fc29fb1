"""Frames and headers: whole, cut anywhere, broken, with good ones around; both ways."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.jt808.rejection import MAX_DETAIL, MAX_RAW, Reason, Rejection
from telemetry.jt808.scalar.framing import (
    MAX_ESCAPED,
    MAX_FRAME,
    FrameReader,
    checksum,
    encode_frame,
    escape,
    unescape,
)
from telemetry.jt808.scalar.header import (
    Header,
    Version,
    build_header,
    build_message,
    build_messages,
    build_reply,
    is_hex,
    parse_header,
)
from tests.examples import examples
from tests.jt808_vectors import FOLDER, all_frames, cases
from tests.vectors.make_jt808_frames import files

versions = st.sampled_from([Version.V2013, Version.V2019])
phones = st.integers(0, 10**12 - 1).map(str)
bodies = st.binary(max_size=1023) | st.lists(st.sampled_from([0x7D, 0x7E, 1, 2]), max_size=80).map(bytes)
messages = st.builds(
    build_message, st.integers(0, 0xFFFF), bodies, phones, st.integers(0, 0xFFFF), version=versions
)
GOOD = build_message(0x0002, b"", "13912345678", 7)


def read(stream: bytes) -> list[bytes | Rejection]:
    return FrameReader().feed(stream)


def reasons(items: list[bytes | Rejection]) -> list[Reason | None]:
    return [item.reason if isinstance(item, Rejection) else None for item in items]


def parsed(message: bytes) -> tuple[Header, bytes]:
    result = parse_header(message)
    assert not isinstance(result, Rejection), result
    return result


def with_checksum_escaped() -> bytes:
    return next(
        m
        for serial in range(256)
        if checksum(m := build_message(0x0002, b"", "13912345678", serial)) in (0x7E, 0x7D)
    )


# --- escaping ------------------------------------------------------------------------------------------------


def test_the_standards_own_example() -> None:
    assert escape(bytes.fromhex("307e087d55")) == bytes.fromhex("307d02087d0155")


@given(st.binary() | st.lists(st.sampled_from([0x7D, 0x7E, 1, 2]), max_size=60).map(bytes))
def test_escape_round_trip(data: bytes) -> None:
    escaped = escape(data)
    assert 0x7E not in escaped
    assert unescape(escaped) == data


@given(st.lists(st.sampled_from([0x7D, 0x7E, 0, 1, 2, 3]), max_size=12).map(bytes))
def test_unescape_accepts_only_what_escape_makes(data: bytes) -> None:
    result = unescape(data)
    if isinstance(result, Rejection):
        assert result.reason is Reason.BAD_ESCAPE
    else:
        assert escape(result) == data


# --- streams -------------------------------------------------------------------------------------------------


@given(messages)
def test_frame_round_trip(message: bytes) -> None:
    frame = encode_frame(message)
    assert len(frame) <= MAX_FRAME
    assert read(frame) == [message]


def test_longest_frame() -> None:
    message = build_message(
        0x7E7E, b"\x7e" * 1023, "1", 0x7E7E, version=Version.V2019, total=0x7E7E, index=0x7E7D
    )
    assert read(encode_frame(message)) == [message]


def test_split_at_every_byte_and_byte_by_byte() -> None:
    message = build_message(0x0200, bytes.fromhex("7d7e017d02") * 9, "13912345678", 0x7D7E)
    stream = encode_frame(message) + encode_frame(with_checksum_escaped())
    whole = read(stream)
    assert len(whole) == 2
    for cut in range(len(stream) + 1):
        reader = FrameReader()
        assert reader.feed(stream[:cut]) + reader.feed(stream[cut:]) == whole
    reader = FrameReader()
    assert [item for k in range(len(stream)) for item in reader.feed(stream[k : k + 1])] == whole


def test_escaped_checksum() -> None:
    message = with_checksum_escaped()
    frame = encode_frame(message)
    assert frame[-3] == 0x7D
    assert read(frame) == [message]


def test_shared_and_doubled_delimiters() -> None:
    frame = encode_frame(GOOD)
    assert read(frame + frame[1:] + frame[1:]) == [GOOD] * 3
    assert read(b"\x7e\x7e" + frame + b"\x7e\x7e\x7e" + frame + b"\x7e") == [GOOD] * 2


def test_junk_before_the_first_delimiter_is_counted_once() -> None:
    items = read(b"GET / HTTP/1.1\r\n" + encode_frame(GOOD))
    assert reasons(items) == [Reason.JUNK, None]
    assert reasons(read(b"x" * (MAX_ESCAPED + 1))) == [Reason.JUNK]
    assert read(b"x" * 100) == []
    assert reasons(read(b"x" * 100_000 + encode_frame(GOOD))) == [Reason.JUNK, None]


BROKEN = {
    "escape": (b"\x7e" + b"\x00" * 14 + b"\x7d\x03\x7e", Reason.BAD_ESCAPE),
    "escape at the end": (b"\x7e" + b"\x00" * 14 + b"\x7d\x7e", Reason.BAD_ESCAPE),
    "checksum": (encode_frame(GOOD)[:-2] + b"\x00\x7e", Reason.CHECKSUM),
    "short": (b"\x7e\x01\x01\x7e", Reason.TOO_SHORT),
    "long": (b"\x7e" + b"\x01" * 5000 + b"\x7e", Reason.TOO_LONG),
    "too long for a message": (b"\x7e" + b"\x01" * 1500 + b"\x7e", Reason.TOO_LONG),
}


@pytest.mark.parametrize(("bad", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_bad_frame_costs_no_good_one(bad: bytes, reason: Reason) -> None:
    stream = encode_frame(GOOD) + bad + encode_frame(GOOD)
    expected = [None, reason, None]
    assert reasons(read(stream)) == expected
    for step in (1, 2, 3, 64):
        reader = FrameReader()
        items = [i for at in range(0, len(stream), step) for i in reader.feed(stream[at : at + step])]
        assert items == read(stream)


def test_an_endless_frame_is_refused_once_in_bounded_memory() -> None:
    reader = FrameReader()
    items = reader.feed(b"\x7e")
    for _ in range(200):
        items += reader.feed(b"a" * 1000)
        assert reader.pending <= MAX_ESCAPED
    assert reasons(items) == [Reason.TOO_LONG]
    assert reader.feed(encode_frame(GOOD)) == [GOOD]


@given(st.lists(st.binary(max_size=40) | messages.map(encode_frame), max_size=8), st.data())
def test_any_bytes_cut_anywhere_give_the_same(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = FrameReader()
    items: list[bytes | Rejection] = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        items += reader.feed(stream[begin:end])
    assert items == read(stream)
    for item in items:
        if isinstance(item, Rejection):
            assert len(item.detail) <= MAX_DETAIL
            assert len(item.raw) <= MAX_RAW
        else:
            parse_header(item)


@given(messages, st.data())
def test_a_flipped_bit_is_never_taken_for_the_message(message: bytes, data: st.DataObject) -> None:
    frame = bytearray(encode_frame(message))
    at = data.draw(st.integers(1, len(frame) - 2))
    frame[at] ^= 1 << data.draw(st.integers(0, 7))
    items = read(encode_frame(GOOD) + bytes(frame) + encode_frame(GOOD))
    assert items[0] == items[-1] == GOOD
    # XOR alone does not see 7D 01 <-> 7C 01 where an escape begins or ends; the length field does.
    for item in items[1:-1]:
        assert isinstance(item, Rejection) or isinstance(parse_header(item), Rejection)


# --- headers -------------------------------------------------------------------------------------------------


@given(st.integers(0, 0xFFFF), bodies, phones, st.integers(0, 0xFFFF), versions, st.integers(0, 7), st.data())
def test_header_round_trip(
    identity: int,
    body: bytes,
    phone: str,
    serial: int,
    version: Version,
    encryption: int,
    data: st.DataObject,
) -> None:
    total = data.draw(st.integers(0, 0xFFFF))
    index = data.draw(st.integers(1, total)) if total else 0
    message = build_message(
        identity, body, phone, serial, version=version, total=total, index=index, encryption=encryption
    )
    header, found = parsed(message)
    assert found == body
    assert header == Header(
        identity, len(body), encryption, version is Version.V2019, 1 if version is Version.V2019 else 0,
        phone.zfill(20 if version is Version.V2019 else 12), serial, total, index,
    )  # fmt: skip
    assert header.version is version
    assert header.terminal_phone == str(int(phone))
    assert build_header(header) + found == message


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_give_a_header_or_a_rejection(message: bytes, fix_length: bool) -> None:
    if fix_length and len(message) >= 12:
        size = 17 if message[2] & 0x40 else 12
        size += 4 if message[2] & 0x20 else 0
        properties = int.from_bytes(message[2:4], "big") & ~0x3FF | max(len(message) - size, 0)
        message = message[:2] + properties.to_bytes(2, "big") + message[4:]
    result = parse_header(message)
    if not isinstance(result, Rejection):
        header, body = result
        assert (
            build_header(header) + body == message[:2] + bytes([message[2] & 0x7F]) + message[3:]
        )  # bit 15 is reserved


@pytest.mark.parametrize("version", [Version.V2013, Version.V2019])
@pytest.mark.parametrize("total", [0, 3])
def test_the_length_field_tells_the_layout_where_the_flag_lies(version: Version, total: int) -> None:
    message = build_message(
        0x0200, b"body", "13912345678", 9, version=version, version_flag=version is Version.V2013,
        total=total, index=total,
    )  # fmt: skip
    header, body = parsed(message)
    assert (body, header.serial, header.terminal_phone, header.index) == (b"body", 9, "13912345678", total)
    assert header.version is version
    assert header.version_flag is (version is Version.V2013)
    # and the reply is what the terminal would have sent
    reply, _ = parsed(build_reply(header, 0x8001, b"12345", 1))
    assert (reply.phone, reply.version_flag, reply.version) == (header.phone, header.version_flag, version)


def test_length_mismatch_phone_and_package_numbers() -> None:
    def reason(message: bytes) -> Reason | None:
        result = parse_header(message)
        return result.reason if isinstance(result, Rejection) else None

    message = build_message(0x0200, b"body", "13912345678", 9)
    assert reason(message) is None
    assert reason(message[:-1]) is Reason.LENGTH_MISMATCH
    assert reason(message + b"x") is Reason.LENGTH_MISMATCH
    assert reason(message[:11]) is Reason.TOO_SHORT
    for at, nibble, phone in ((4, 0xA0, "A13912345678"), (9, 0x0F, "01391234567F")):
        hexadecimal = bytearray(message)
        hexadecimal[at] |= nibble
        parsed = parse_header(bytes(hexadecimal))
        assert not isinstance(parsed, Rejection)
        assert is_hex(parsed[0].phone)
        assert parsed[0].phone == phone
    for total, index in ((2, 3), (2, 0)):
        assert reason(build_message(0x0200, b"", "1", 0, total=total, index=index)) is Reason.BAD_FRAGMENT
    empty_item = bytearray(build_message(0x0200, b"", "1", 0, total=1, index=1))
    empty_item[12:16] = bytes(4)
    assert reason(bytes(empty_item)) is Reason.BAD_FRAGMENT


@given(st.binary(min_size=1, max_size=300), st.integers(1, 60), st.integers(0, 0xFFFF), versions)
def test_sub_packaging(body: bytes, size: int, serial: int, version: Version) -> None:
    parts = [parsed(m) for m in build_messages(0x0704, body, "1", serial, version=version, max_body=size)]
    assert b"".join(part for _, part in parts) == body
    assert [h.serial for h, _ in parts] == [(serial + k) & 0xFFFF for k in range(len(parts))]
    if len(parts) > 1:
        assert [(h.total, h.index) for h, _ in parts] == [(len(parts), k + 1) for k in range(len(parts))]
    else:
        assert not parts[0][0].fragmented


def test_what_cannot_be_built_is_refused() -> None:
    for phone in ("1234567890123", "12a", "-1", "１"):
        with pytest.raises(ValueError, match="phone"):
            build_message(2, b"", phone, 0)
    with pytest.raises(ValueError, match="body"):
        build_message(2, bytes(1024), "1", 0)
    with pytest.raises(ValueError, match="max_body"):
        build_messages(2, b"", "1", 0, max_body=0)


# --- vectors -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vectors() -> list[bytes]:
    return all_frames()


def test_our_vectors_are_what_their_maker_makes() -> None:
    for name, content in files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == content


@pytest.mark.parametrize("one", cases(), ids=lambda one: f"{one['edition']} {one['name']}")
def test_a_frame_says_what_it_should_and_is_made_again(one: dict[str, Any]) -> None:
    (message,) = read(one["frame"])
    assert isinstance(message, bytes)
    header, body = parsed(message)
    assert body == one["body"]
    found = {name: getattr(header, name) for name in ("id", "phone", "serial", "total", "index")}
    assert found == {name: one[name] for name in found}
    assert (header.encryption, header.body_length) == (0, len(body))
    version = Version.V2019 if one["edition"] == 2019 else Version.V2013  # a header cannot tell 2011
    assert (header.version, header.version_flag, header.protocol_version) == (
        version,
        *((True, 1) if version is Version.V2019 else (False, 0)),
    )
    made = build_message(
        one["id"], body, one["phone"], one["serial"], version=version, total=one["total"], index=one["index"]
    )
    assert encode_frame(made) == one["frame"]


def test_vectors_both_ways(vectors: list[bytes]) -> None:
    for frame in vectors:
        (message,) = read(frame)
        assert isinstance(message, bytes)
        assert encode_frame(message) == frame
        header, body = parsed(message)
        assert build_header(header) + body == message
        assert header.version_flag == (header.version is Version.V2019)


def test_vectors_byte_by_byte_with_trailing_bytes_and_as_one_stream(vectors: list[bytes]) -> None:
    for frame in vectors:
        reader = FrameReader()
        items = [item for k in range(len(frame)) for item in reader.feed(frame[k : k + 1])]
        assert items == read(frame)
        assert FrameReader().feed(frame + b"\x01\x02") == items
    joined = b"".join(vectors)
    assert len(read(joined)) == len(vectors)
    assert not any(isinstance(item, Rejection) for item in read(joined))


@settings(max_examples=examples(30))
@given(st.data())
def test_vectors_damaged_between_good_ones(vectors: list[bytes], data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from(vectors)))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    items = read(encode_frame(GOOD) + bytes(frame) + encode_frame(GOOD))
    assert items.count(GOOD) == 2
