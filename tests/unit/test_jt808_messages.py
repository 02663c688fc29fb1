"""Message bodies both ways, and the mix-ups of real terminals."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar.framing import FrameReader
from telemetry.jt808.scalar.header import Header, Version, parse_header
from telemetry.jt808.scalar.messages import (
    Authentication,
    GeneralReply,
    Location,
    LocationBatch,
    Registration,
    RegistrationReply,
    RetransmitRequest,
    decode_authentication,
    decode_batch,
    decode_general_reply,
    decode_location,
    decode_query_reply,
    decode_registration,
    decode_registration_reply,
    decode_retransmit_request,
    encode_authentication,
    encode_batch,
    encode_general_reply,
    encode_location,
    encode_query_reply,
    encode_registration,
    encode_registration_reply,
    encode_retransmit_request,
)
from telemetry.jt808.scalar.replies import general_reply, registration_reply, retransmit_request, time_reply
from telemetry.jt808.scalar.report import decode_time, encode_time

ALNUM = string.ascii_uppercase + string.digits
WORD = st.integers(0, 0xFFFF)
versions = st.sampled_from(Version)


def text(most: int, least: int = 0) -> st.SearchStrategy[str]:
    return st.text(ALNUM + "-._", min_size=least, max_size=most).map(lambda t: t.strip("\0 "))


plates = st.builds(
    "{}{}".format,
    st.sampled_from("京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"),
    st.text(ALNUM, min_size=6, max_size=7),
)
vins = st.text(ALNUM, min_size=17, max_size=17)


@st.composite
def registrations(draw: st.DrawFn) -> Registration:
    version = draw(versions)
    sizes = {Version.V2011: (5, 8, 7), Version.V2013: (5, 20, 7), Version.V2019: (11, 30, 30)}[version]
    color, plate = draw(
        st.tuples(st.sampled_from([1, 2, 3, 4, 5, 9, 91, 92, 93, 94]), plates)
        | st.tuples(st.just(0), vins)
        | st.tuples(st.sampled_from([0, 1]), st.just(""))
    )
    maker, model, device = (draw(text(size, 1)) for size in sizes)
    return Registration(draw(WORD), draw(WORD), maker, model, device, color, plate, version)


# --- registration --------------------------------------------------------------------------------------------


@given(registrations(), versions)
def test_registration_round_trip_whatever_the_header_says(
    registration: Registration, header: Version
) -> None:
    assert decode_registration(encode_registration(registration), header) == registration


def made(
    version: Version, color: int, plate: str, model: str = "M1", device: str = "D000001"
) -> Registration:
    return Registration(32, 600, "MAKER", model, device, color, plate, version)


@pytest.mark.parametrize("header", Version)
@pytest.mark.parametrize(
    "registration",
    [
        made(Version.V2013, 1, ""),  # 37 bytes
        made(Version.V2013, 0, ""),
        made(Version.V2013, 1, "", model="TWENTY-CHARACTERS-20"),
        made(Version.V2011, 0, "LSVAA4182E2184847"),  # 42 bytes, like 2013 with five bytes of plate
        made(Version.V2011, 1, "苏F12345"),
        made(Version.V2013, 0, "LSVAA4182E2184847"),
        made(Version.V2013, 94, "苏FD12345"),
        made(Version.V2019, 94, "苏FD12345", device="0123456789ABCDEFGHIJ0123456789"),
        made(Version.V2019, 0, ""),
        made(Version.V2011, 1, ""),
    ],
)
def test_registrations_that_length_alone_misreads(registration: Registration, header: Version) -> None:
    assert decode_registration(encode_registration(registration), header) == registration


def test_a_2011_plate_padded_to_the_length_of_2013() -> None:
    registration = made(Version.V2011, 2, "苏F12345")
    assert decode_registration(encode_registration(registration) + bytes(8), Version.V2013) == registration


def test_padding_and_bytes_that_are_no_gbk() -> None:
    body = bytes(4) + b"MK\0\0\0" + b"M1  ".ljust(20, b"\0") + b"D1\0\0\0\0\0" + b"\x01" + b"\xff\xffA\x001"
    registration = decode_registration(body, Version.V2013)
    assert isinstance(registration, Registration)
    assert (registration.manufacturer, registration.model, registration.device_id) == ("MK", "M1", "D1")
    assert registration.plate.endswith("1")
    assert "�" in registration.plate
    assert "\0" not in registration.plate  # PostgreSQL takes no NUL


@given(st.binary(max_size=200), versions)
def test_any_body_is_a_registration_or_a_rejection(body: bytes, version: Version) -> None:
    result = decode_registration(body, version)
    if isinstance(result, Rejection):
        assert result.reason is Reason.BAD_BODY
        assert len(body) < 25
    else:
        texts = result.manufacturer + result.model + result.device_id + result.plate
        assert not any(ord(c) < 32 for c in texts)


def test_texts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 5"):
        encode_registration(replace(made(Version.V2013, 1, ""), manufacturer="TOOLONG"))


# --- authentication ------------------------------------------------------------------------------------------

codes = st.text("0123456789abcdef", min_size=32, max_size=32).map(str.encode)


@given(codes, versions, st.booleans())
def test_authentication_is_told_by_its_body(code: bytes, header: Version, long_form: bool) -> None:
    sent = Authentication(code, "123456789012345", "1.0") if long_form else Authentication(code)
    body = encode_authentication(sent, Version.V2019 if long_form else Version.V2013)
    assert decode_authentication(body, header) == sent


def test_authentication_padded_cut_and_empty() -> None:
    assert decode_authentication(b"abc\0\0", Version.V2013) == Authentication(b"abc")
    assert decode_authentication(b"\x03abc1234", Version.V2019) == Authentication(b"abc", "1234")
    for body in (b"", b"\0\0", bytes(36)):
        result = decode_authentication(body, Version.V2019)
        assert isinstance(result, Rejection)
        assert result.reason is Reason.BAD_BODY


@given(st.binary(max_size=120), versions)
def test_any_body_is_an_authentication_or_a_rejection(body: bytes, version: Version) -> None:
    result = decode_authentication(body, version)
    assert isinstance(result, Rejection) or result.code in body


# --- replies and requests ------------------------------------------------------------------------------------


@given(WORD, WORD, st.integers(0, 255), st.binary(max_size=40))
def test_replies_round_trip(serial: int, identity: int, result: int, code: bytes) -> None:
    reply = GeneralReply(serial, identity, result)
    assert decode_general_reply(encode_general_reply(reply)) == reply
    registered = RegistrationReply(serial, result, code)
    assert decode_registration_reply(encode_registration_reply(registered)) == registered
    assert isinstance(decode_general_reply(b"1234"), Rejection)
    assert isinstance(decode_registration_reply(b"12"), Rejection)


@given(WORD, st.lists(WORD, max_size=255).map(tuple), versions, versions)
def test_retransmit_request_round_trip(
    first: int, indexes: tuple[int, ...], version: Version, header: Version
) -> None:
    request = RetransmitRequest(first, indexes)
    body = encode_retransmit_request(request, version)
    if version is header or version is not Version.V2019 is not header:
        assert decode_retransmit_request(body, header) == request
    if indexes:  # neither count fits
        assert isinstance(decode_retransmit_request(body + b"\0", Version.V2013), Rejection)


HEADER_2013 = Header(0x0704, 0, 0, False, 0, "013912345678", 0x1234)
HEADER_2019 = Header(0x0704, 0, 0, True, 3, "00000000013912345678", 0x1234)


def sent(frame: bytes) -> tuple[Header, bytes]:
    (message,) = FrameReader().feed(frame)
    assert isinstance(message, bytes)
    result = parse_header(message)
    assert not isinstance(result, Rejection)
    return result


@pytest.mark.parametrize("to", [HEADER_2013, HEADER_2019])
def test_replies_speak_the_dialect_of_the_connection(to: Header) -> None:
    us = int(datetime(2017, 3, 15, 17, 9, 23, tzinfo=UTC).timestamp()) * 1_000_000
    frames = {
        0x8001: (general_reply(to, 4, 9), bytes.fromhex("1234070404")),
        0x8100: (registration_reply(to, 0, "abc", 9), b"\x12\x34\0abc"),
        0x8003: (
            retransmit_request(to, 0x1232, [2, 5], 9),
            bytes.fromhex("1232000200020005" if to.version_flag else "12320200020005"),
        ),
        0x8004: (time_reply(to, us, 9), bytes.fromhex("170315170923")),  # the standard's own example
    }
    for identity, (frame, body) in frames.items():
        header, found = sent(frame)
        assert found == body
        assert (header.id, header.serial, header.phone) == (identity, 9, to.phone)
        assert (header.version_flag, header.protocol_version) == (to.version_flag, to.protocol_version)


def test_no_code_with_a_refusal_and_no_empty_request() -> None:
    assert sent(registration_reply(HEADER_2013, 4, "abc", 9))[1] == b"\x12\x34\x04"
    for indexes in (range(0), range(1, 257)):
        with pytest.raises(ValueError, match="package numbers"):
            retransmit_request(HEADER_2013, 1, list(indexes), 9)


# --- positions -----------------------------------------------------------------------------------------------

seconds = st.integers(
    int(datetime(1999, 12, 31, 16, tzinfo=UTC).timestamp()),
    int(datetime(2099, 12, 31, 15, 59, 59, tzinfo=UTC).timestamp()),
)
locations = st.builds(
    Location,
    device_us=st.just(0) | seconds.map(lambda s: s * 1_000_000),
    lat_e6=st.integers(-(2**31) + 1, 2**31 - 1),
    lon_e6=st.integers(-(2**31) + 1, 2**31 - 1),
    altitude_m=st.integers(-(2**15), 2**15 - 1),
    speed_dkmh=WORD,
    direction_deg=WORD,
    alarm=st.integers(0, 2**32 - 1),
    status=st.integers(0, 2**32 - 1),
    items=st.binary(max_size=30),
)


@given(locations)
def test_location_round_trip(location: Location) -> None:
    status = location.status
    for value, bit in ((location.lat_e6, 4), (location.lon_e6, 8)):
        status = status | bit if value < 0 else status & ~bit if value else status
    assert decode_location(encode_location(location)) == replace(location, status=status)


def test_a_location_of_the_standard() -> None:
    body = bytes.fromhex("00000400 0000000f 006eeb6a 0263 3df7 ffe0 0003 0063 200707192359 0104 0000000b")
    location = decode_location(body)
    assert location == Location(
        device_us=int(datetime(2020, 7, 7, 11, 23, 59, tzinfo=UTC).timestamp()) * 1_000_000,
        lat_e6=-7269226, lon_e6=-40058359, altitude_m=-32, speed_dkmh=3, direction_deg=99, alarm=0x400,
        status=0x0F, items=bytes.fromhex("01040000000b"),
    )  # fmt: skip
    assert encode_location(location) == body


@given(st.binary(max_size=80))
def test_any_28_bytes_are_a_position(body: bytes) -> None:
    result = decode_location(body)
    if len(body) < 28:
        assert isinstance(result, Rejection)
        assert result.reason is Reason.BODY_TOO_SHORT
    else:
        assert isinstance(result, Location)


@pytest.mark.parametrize(
    "raw", ["000000000000", "250230000000", "251301000000", "25010124 0000", "2501010000a0", "ffffffffffff"]
)
def test_times_that_are_none(raw: str) -> None:
    assert decode_time(bytes.fromhex(raw)) == 0


def test_times_are_gmt_plus_8() -> None:
    us = decode_time(bytes.fromhex("250101000000"))
    assert datetime.fromtimestamp(us / 1e6, UTC) == datetime(2024, 12, 31, 16, tzinfo=UTC)
    assert encode_time(us) == bytes.fromhex("250101000000")
    assert encode_time(0) == bytes(6)
    with pytest.raises(ValueError, match="two digits"):
        encode_time(1)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6), st.integers(0, 255), st.data())
def test_batches_keep_what_stands_before_a_break(bodies: list[bytes], kind: int, data: st.DataObject) -> None:
    whole = encode_batch(kind, bodies)
    assert decode_batch(whole) == LocationBatch(kind, tuple(bodies))
    cut = data.draw(st.integers(0, len(whole) - 1))
    result = decode_batch(whole[:cut])
    kept = 0 if isinstance(result, Rejection) else len(result.bodies)
    assert kept == sum(3 + sum(2 + len(b) for b in bodies[: k + 1]) <= cut for k in range(len(bodies)))
    if not isinstance(result, Rejection):
        assert not result.whole
        assert result.bodies == tuple(bodies[:kept])
    longer = decode_batch(whole + b"\0")
    assert isinstance(longer, LocationBatch)
    assert not longer.whole


def test_an_empty_batch_is_refused() -> None:
    for body in (b"", b"\0\0\0", b"\0\0\0\0\x1c" + bytes(28)):
        result = decode_batch(body)
        assert isinstance(result, Rejection)
        assert result.reason is Reason.BAD_BODY


@given(locations, st.none() | WORD)
def test_query_replies_with_and_without_serial(location: Location, serial: int | None) -> None:
    body = encode_location(replace(location, device_us=1_600_000_000_000_000, items=bytes.fromhex("30011f")))
    version = Version.V2011 if serial is None else Version.V2013
    found = decode_query_reply(encode_query_reply(serial, body), version)
    assert not isinstance(found, Rejection)
    assert found == (serial, body)
    assert isinstance(decode_query_reply(body[:27], version), Rejection)


def test_query_replies_against_the_edition() -> None:
    body = encode_location(
        Location(1_600_000_000_000_000, 32_000_000, 120_000_000, items=bytes.fromhex("30011f"))
    )
    assert decode_query_reply(body, Version.V2013) == (None, body)
    assert decode_query_reply(b"\x00\x07" + body, Version.V2011) == (7, body)
