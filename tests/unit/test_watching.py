"""What whoever watches a terminal is told: whole frames without codes, in pieces that a NOTIFY takes, and how many were too many."""

from __future__ import annotations

from random import Random

import pytest

from telemetry.gateway.watching import _MOST_BYTES, _MOST_FRAMES, _Queue
from telemetry.jt808.hidden_codes import without_codes
from telemetry.jt808.scalar.framing import decode_segment, encode_frame
from telemetry.jt808.scalar.header import Version, build_message
from telemetry.jt808.scalar.messages import Authentication, encode_authentication
from telemetry.jt808.tables.explain import explain_segment
from telemetry.terminals.watches import MOST_NOTIFY, Told, packed, unpacked

PHONE = "13900000001"
CODES = [b"0123456789abcdef0123456789abcdef", b"\x7e\x7d7e", b"1", b"~" * 200]


def segment(message_id: int, body: bytes, version: Version = Version.V2013) -> bytes:
    return encode_frame(build_message(message_id, body, PHONE, 7, version=version))[1:-1]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("version", list(Version))
def test_a_code_is_shown_to_nobody(code: bytes, version: Version) -> None:
    sent = segment(
        0x0102, encode_authentication(Authentication(code, "860000000000001", "1.0"), version), version
    )
    answered = segment(0x8100, b"\x00\x07\x00" + code, version)
    for given in (sent, answered):
        shown, hidden = without_codes(given)
        message = decode_segment(shown)
        assert hidden
        assert isinstance(message, bytes), "what is shown is a frame, with its checksum"
        assert message.count(b"*") >= len(code)
        assert code not in message or len(code) == 1
        assert not explain_segment(shown).problems
    if version is Version.V2019:  # what is no secret stays
        assert b"860000000000001" in without_codes(sent)[0]


def test_what_cannot_be_read_ends_behind_its_header() -> None:
    code = CODES[0]
    given = segment(0x0102, code)
    for k in range(len(given)):
        for cut in (given[:k], given[:k] + b"\x00" + given[k:], given[:k] + b"\x7d" + given[k + 1 :]):
            shown, _ = without_codes(cut)
            assert code[:8] not in shown[12:] or k < 2
    rng = Random(4)
    for _ in range(2_000):
        any_bytes = b"\x01\x02" + rng.randbytes(rng.randrange(60)).replace(b"\x7e", b"")
        without_codes(any_bytes)


def test_other_frames_are_told_as_they_are() -> None:
    for given in (
        segment(0x0200, bytes(28)),
        segment(0x8001, b"\x00\x07\x01\x02\x00"),
        b"",
        b"\x01",
        b"junk",
    ):
        assert without_codes(given) == (given, False)
    refused = segment(0x8100, b"\x00\x07\x03")  # no code goes out with a refusal
    assert without_codes(refused) == (refused, False)


def test_frames_go_out_in_order_in_pieces_that_a_notify_takes() -> None:
    rng = Random(2)
    queue, gone = _Queue(), []
    for k in range(300):
        queue.add(
            Told(
                k, k % 2 == 0, "[2001:db8::1]:40000", rng.randbytes(rng.choice([15, 60, 1_000, 2_500])), False
            )
        )
    kept = list(queue.told)
    while queue.told:
        told = queue.take()
        assert told
        text = packed("a-machine-with-a-long-name.example.gov.cn:8808", told, 99_999)
        assert len(text.encode()) < MOST_NOTIFY
        gateway, read, lost = unpacked(text)
        assert (gateway, read, lost) == ("a-machine-with-a-long-name.example.gov.cn:8808", told, 99_999)
        gone += read
    assert gone == kept
    assert queue.bytes == 0


def test_what_is_too_much_is_counted_and_not_kept() -> None:
    queue = _Queue()
    for k in range(_MOST_FRAMES + 7):
        queue.add(Told(k, True, "p", b"x"))
    assert (len(queue.told), queue.lost) == (_MOST_FRAMES, 7)
    queue = _Queue()
    for k in range(300):
        queue.add(Told(k, True, "p", bytes(2_500)))
    assert queue.bytes <= _MOST_BYTES
    assert queue.lost + len(queue.told) == 300
