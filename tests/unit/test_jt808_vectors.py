"""Frames whose content is known beforehand (``tests/vectors``): bodies both ways, as the standard has them."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.framing import FrameReader
from telemetry.jt808.scalar.header import Header, Version, parse_header
from telemetry.jt808.scalar.items import decode_items
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
from telemetry.jt808.scalar.reassembly import Complete, Pending, Reassembler
from telemetry.jt808.scalar.replies import general_reply, registration_reply, retransmit_request, time_reply
from telemetry.positions import OPTIONAL
from tests.jt808_vectors import OTHERS, cases, other_frames


def sent(frame: bytes) -> tuple[Header, bytes]:
    (message,) = FrameReader().feed(frame)
    assert isinstance(message, bytes)
    result = parse_header(message)
    assert not isinstance(result, Rejection)
    return result


def told(position: dict[str, Any]) -> Location:
    """The Location of a position of the vectors, without its items."""
    names = [field.name for field in fields(Location) if field.name != "items"]
    return Location(**{name: position[name] for name in names})


def check_position(body: bytes, want: dict[str, Any]) -> None:
    location = decode_location(body)
    assert isinstance(location, Location)
    assert replace(location, items=b"") == told(want)
    found = decode_items(location.items)
    for name in OPTIONAL:
        assert found.values.get(name) == want.get(name)
    left = [(bytes((number, len(raw))) + raw).hex() for number, raw in found.other]
    if not found.odd and set(found.values) <= set(OPTIONAL):
        assert "".join(left) == want["rest"]
    if location.device_us:
        assert encode_location(location) == body


@pytest.mark.parametrize("one", cases(), ids=lambda one: f"{one['edition']} {one['name']}")
def test_our_bodies_both_ways(one: dict[str, Any]) -> None:
    header, body = sent(one["frame"])
    want, version = one["decoded"], Version(one["edition"])
    match header.id:
        case _ if header.total:  # see test_our_packages
            return
        case 0x0001 | 0x8001:
            assert decode_general_reply(body) == GeneralReply(**want)
            assert encode_general_reply(GeneralReply(**want)) == body
        case 0x0100:
            registration = Registration(**want | {"version": version})
            assert decode_registration(body, header.version) == registration
            assert encode_registration(registration) == body
        case 0x0102:
            authentication = Authentication(**want | {"code": want["code"].encode()})
            assert decode_authentication(body, header.version) == authentication
            assert encode_authentication(authentication, version) == body
        case 0x0200:
            check_position(body, want)
        case 0x0201:
            found = decode_query_reply(body, version)
            assert not isinstance(found, Rejection)
            assert found[0] == want["query"]
            check_position(found[1], want)
            assert encode_query_reply(*found) == body
        case 0x0704:
            check_batch(body, want)
        case 0x8003 | 0x0005:
            request = RetransmitRequest(want["first_serial"], tuple(want["indexes"]))
            assert decode_retransmit_request(body, header.version) == request
            assert encode_retransmit_request(request, version) == body
        case 0x8004:
            assert time_reply(header, want["utc_us"], one["serial"]) == one["frame"]
        case 0x8100:
            reply = RegistrationReply(**want | {"code": want["code"].encode()})
            assert decode_registration_reply(body) == reply
            assert encode_registration_reply(reply) == body
        case _:
            assert (want, body) in ((None, b""), (None, b"\x7e\x7d"))


def check_batch(body: bytes, want: dict[str, Any]) -> None:
    batch = decode_batch(body)
    assert isinstance(batch, LocationBatch)
    assert (batch.whole, batch.kind) == (True, want["kind"])
    for one, position in zip(batch.bodies, want["positions"], strict=True):
        check_position(one, position)
    assert encode_batch(batch.kind, batch.bodies) == body


@pytest.mark.parametrize("edition", [2013, 2019])
def test_our_packages(edition: int) -> None:
    reassembler = Reassembler()
    packages = [one for one in cases() if one["total"] and one["edition"] == edition]
    *first, last = (reassembler.add(*sent(one["frame"]), 0.0) for one in packages)
    assert [type(taken) for taken in first] == [Pending, Pending]
    assert isinstance(last, Complete)
    check_batch(last.body, packages[-1]["decoded"])


def test_our_replies_in_the_dialect_of_what_they_answer() -> None:
    """The platform's frames of the vectors, made from the header of a message of that edition."""
    for one in cases():
        header, _body = sent(one["frame"])
        want = one["decoded"]
        match header.id:
            case 0x8001:
                asked = replace(header, id=want["id"], serial=want["serial"])
                assert general_reply(asked, want["result"], one["serial"]) == one["frame"]
            case 0x8100:
                asked = replace(header, id=0x0100, serial=want["serial"])
                assert (
                    registration_reply(asked, want["result"], want["code"] or None, one["serial"])
                    == one["frame"]
                )
            case 0x8003:
                assert (
                    retransmit_request(header, want["first_serial"], want["indexes"], one["serial"])
                    == one["frame"]
                )


if OTHERS.exists():  # not part of the project

    def test_the_bodies_of_others() -> None:
        seen: set[tuple[int, Version]] = set()
        for frame in other_frames():
            header, body = sent(frame)
            version = header.version
            decoded: object
            match header.id:
                case 0x0100:
                    registration = decode_registration(body, version)
                    assert isinstance(registration, Registration)
                    assert (registration.version, registration.plate) == (version, "测A888888")
                    assert registration.model == "www.jtt808.cn"
                    decoded = registration
                case 0x0102:
                    authentication = decode_authentication(body, version)
                    assert isinstance(authentication, Authentication)
                    assert encode_authentication(authentication, version) == body
                    decoded = authentication
                case 0x0200:
                    location = decode_location(body)
                    assert isinstance(location, Location)
                    assert encode_location(location) == body
                    decoded = location
                case 0x0704:
                    batch = decode_batch(body)
                    assert isinstance(batch, LocationBatch)
                    assert batch.whole
                    assert encode_batch(batch.kind, batch.bodies) == body
                    decoded = batch
                case 0x0201:
                    decoded = decode_query_reply(body, version)
                    assert decoded == (0x6862, body[2:])
                case 0x8003:
                    request = decode_retransmit_request(body, version)
                    assert request == RetransmitRequest(0x1099, tuple(range(1, 10)))
                    assert encode_retransmit_request(request, version) == body
                    decoded = request
                case 0x8100:
                    reply = decode_registration_reply(body)
                    assert isinstance(reply, RegistrationReply)
                    assert encode_registration_reply(reply) == body
                    decoded = reply
                case _:
                    continue
            assert not isinstance(decoded, Rejection)
            seen.add((header.id, version))
        assert len(seen) == 14
