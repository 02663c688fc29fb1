"""The life of a command without database and sockets: its steps, what waits on a connection, what may be said to a driver."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from simulation.terminal.answers import answers, new_device
from telemetry.commands.kinds import KINDS, unprintable
from telemetry.commands.steps import OVER, CommandFailure, CommandState, CommandStep, Standing, advance, begun
from telemetry.gateway import command_bodies
from telemetry.gateway.command_bodies import ANSWERS, Encoding, decode, encode
from telemetry.jt808.ids import MessageId
from telemetry.jt808.outstanding import Due, Outstanding, Patience
from telemetry.jt808.scalar.header import Header, Version, parse_header
from telemetry.jt808.scalar.messages import GeneralReply, decode_general_reply
from telemetry.jt808.tables import codec
from tests.integration.terminal_client import position
from tests.jt808_messages import CASES

TEXT = int(MessageId.TEXT)
FIELDS: dict[str, dict[str, Any]] = {
    "text": {"text": "请立即回单位", "urgent": True, "display": True, "speak": False},
    "location": {},
    "tracking": {"interval_s": 5, "for_s": 600},
    "query_parameters": {"ids": ["0x0001", "0x0055"]},
    "query_attributes": {},
    "set_parameters": {"parameters": [{"id": "0x0029", "value": 15}]},
    "photo": {"channel": 2},
    "query_driver": {},
    "recorder": {"data": "0x05"},
    "areas": {"action": "delete", "shape": "polygon", "id": 7},
    "reset": {},
    "lock": {"locked": True},
    "cut": {"cut": True},
}


def after(kind: str, *steps: CommandStep) -> Standing | None:
    standing: Standing | None = begun(kind)
    for step in steps:
        assert standing is not None
        standing = advance(standing, step, gateway="g")
    return standing


def test_what_is_over_stays_over() -> None:
    """Whatever comes, in whatever order: no step leads out of an end, and what may not be repeated is sent once."""
    chance = random.Random(12)
    for kind in KINDS.values():
        for _ in range(2_000):
            standing, sent = begun(kind.code), 0
            for step in chance.choices([*CommandStep], k=12):
                after = advance(standing, step, gateway="g", failure=CommandFailure.NO_REPLY)
                if standing.ended:
                    assert after is None
                if after is None:
                    continue
                sent += step is CommandStep.SENT
                if step is CommandStep.RELEASED:
                    sent -= 1
                assert (after.state in OVER) <= after.ended
                assert (after.state is CommandState.FAILED) == (after.failure is not None)
                assert kind.repeatable or sent <= 1
                standing = after


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_lost_is_sent_again_or_told(kind: str) -> None:
    begins = [CommandStep.APPROVED] if KINDS[kind].dangerous else []
    for taken in ([CommandStep.SENT], [CommandStep.SENT, CommandStep.DELIVERED]):
        standing = after(kind, *begins, *taken)
        assert standing is not None
        lost = advance(standing, CommandStep.LOST)
        if standing.ended:  # a confirmation is the end of it
            assert lost is None
            assert not KINDS[kind].answered
        elif KINDS[kind].repeatable:
            assert lost is not None
            assert (lost.state, lost.gateway) == (CommandState.QUEUED, None)
        else:
            assert lost is not None
            assert (lost.state, lost.failure) == (CommandState.FAILED, CommandFailure.OUTCOME_UNKNOWN)


def test_a_dangerous_one_waits_for_a_second_person() -> None:
    for kind in KINDS.values():
        assert begun(kind.code).state is (CommandState.PROPOSED if kind.dangerous else CommandState.QUEUED)
        assert kind.dangerous <= (not kind.repeatable)
        if kind.dangerous:
            assert advance(begun(kind.code), CommandStep.SENT, gateway="g") is None


# --- what waits on a connection


def waits(out: Outstanding, tag: int = 1, *, answer: int | None = None, repeatable: bool = True, serials: tuple[int, ...] = (7,)) -> None:  # fmt: skip
    out.sent(
        tag, TEXT, serials, [b"%d" % s for s in serials], answer_id=answer, repeatable=repeatable, now=0, until=1_000
    )  # fmt: skip


def test_the_pauses_grow_as_the_protocol_says() -> None:
    """T(n+1) = T(n) x (n+1)."""
    out = Outstanding(Patience(reply_s=10, resends=3))
    waits(out)
    seen = []
    for tenth in range(5_000):
        seen += [(tenth / 10, what) for _, what in out.due(tenth / 10)]
        if seen and seen[-1][1] is Due.NO_REPLY:
            break
    assert seen == [(10, Due.AGAIN), (30, Due.AGAIN), (90, Due.AGAIN), (330, Due.NO_REPLY)]
    assert Patience(10, 3).whole_s == 330
    assert Patience(10, 0).whole_s == 10


def test_what_must_not_be_repeated_is_not() -> None:
    out = Outstanding(Patience(reply_s=10, resends=2))
    waits(out, repeatable=False)
    assert [what for at in range(200) for _, what in out.due(at)][:1] == [Due.NO_REPLY]
    assert out.packages(7, [1]) == b""


def test_nothing_is_sent_again_when_its_time_is_over() -> None:
    out = Outstanding(Patience(10, 3))
    out.sent(1, TEXT, [1], [b""], answer_id=None, repeatable=True, now=0, until=5)
    assert [what for _, what in out.due(10)] == [Due.NO_REPLY]


def test_a_confirmation_counts_once_and_only_for_its_own() -> None:
    out = Outstanding(Patience())
    waits(out, answer=int(MessageId.PARAMETERS_REPLY))
    for wrong in (GeneralReply(8, TEXT, 0), GeneralReply(7, TEXT + 1, 0)):
        assert out.confirmed(wrong, 0) is None
        assert not out.knows(wrong)
    right = GeneralReply(7, TEXT, 0)
    first = out.confirmed(right, 0)
    assert first is not None
    assert first.delivered
    assert out.confirmed(right, 0) is None
    assert out.knows(right)
    assert out.answered(MessageId.PARAMETERS_REPLY, 8) is None
    assert out.answered(MessageId.ATTRIBUTES_REPLY, None) is None
    assert out.answered(MessageId.PARAMETERS_REPLY, 7) is first
    out.over(first)
    assert out.answered(MessageId.PARAMETERS_REPLY, 7) is None
    assert not out.knows(right)  # the serial number may come again after 65,536 messages


def test_packages_are_confirmed_by_each_or_by_the_last() -> None:
    for order in itertools.permutations((7, 8, 9)):
        out = Outstanding(Patience())
        waits(out, serials=(7, 8, 9))
        done = [out.confirmed(GeneralReply(serial, TEXT, 0), 0) is not None for serial in order]
        assert done.count(True) == 1
        assert done.index(True) == min(order.index(9), 2)
    out = Outstanding(Patience())
    waits(out, serials=(7, 8, 9))
    assert out.packages(7, [3, 1, 1, 9]) == b"79"
    assert out.packages(8, [1]) == b""
    refused = out.confirmed(GeneralReply(7, TEXT, 2), 0)
    assert refused is not None
    assert not refused.delivered


def test_the_answer_may_take_its_time_and_no_more() -> None:
    out = Outstanding(Patience(10, 2, answer_s=30))
    waits(out, answer=int(MessageId.PARAMETERS_REPLY))
    assert out.confirmed(GeneralReply(7, TEXT, 0), 5) is not None
    assert out.due(34.9) == []
    assert [what for _, what in out.due(35)] == [Due.NO_ANSWER]
    out.waiting[0].settling = True
    assert out.due(99) == []


# --- as messages


#: Kinds that reports answer.
_BY_REPORTS = ("photo", "query_driver", "recorder")


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("kind", _BY_REPORTS)
def test_a_report_that_answers_names_what_was_asked_and_nobody(kind: str, version: Version) -> None:
    try:
        message_id, body = encode(kind, FIELDS[kind], version, Encoding())
    except ValueError:
        assert (kind, version) == ("query_driver", Version.V2011)
        return
    assert isinstance(codec.decode(message_id, version, body), codec.Body)
    for one in CASES:
        if one.message == ANSWERS[kind] and version in one.editions:
            assert command_bodies.serial_of(one.message, one.body, version) == one.fields.get("serial")
            told = decode(one.message, one.body, version)
            assert told.keys() in ({"result", "media_ids"}, {"status", "read"}, {"command", "bytes"})


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in _BY_REPORTS])
def test_every_kind_in_every_edition_is_a_message_that_a_terminal_answers(
    kind: str, version: Version
) -> None:
    encoding = Encoding((100, 101))
    try:
        message_id, body = encode(kind, FIELDS[kind], version, encoding)
    except ValueError:
        assert version is Version.V2011  # it does not have them
        assert kind in ("query_parameters", "query_attributes")
        return
    assert not isinstance(codec.decode(message_id, version, body), Exception)
    device = new_device(version, "D1")
    header = Header(message_id, len(body), 0, version is Version.V2019, 1, "0" * 12, 77)
    told = answers(device, header, body, position(1))
    confirmed = [decode_general_reply(b) for i, b in told if i == MessageId.TERMINAL_GENERAL_REPLY]
    assert all(isinstance(each, GeneralReply) and (each.serial, each.result) == (77, 0) for each in confirmed)
    answered = [(i, b) for i, b in told if i != MessageId.TERMINAL_GENERAL_REPLY]
    assert [i for i, _ in answered] == ([ANSWERS[kind]] if KINDS[kind].answered else [])
    assert (kind in ANSWERS) == KINDS[kind].answered
    for answer_id, answer in answered:
        serial = command_bodies.serial_of(answer_id, answer, version)
        nameless = answer_id == MessageId.ATTRIBUTES_REPLY or (
            kind == "location" and version is Version.V2011
        )
        assert serial == (None if nameless else 77)
        assert "unreadable" not in decode(answer_id, answer, version)
    if kind == "lock":
        assert device.locked
        assert decode(*answered[0], version) == {"locked": True}
        message_id, body = encode(kind, {"locked": False}, version, encoding)
        answers(device, header, body, position(1))
        assert not device.locked
    if kind == "set_parameters":
        assert device.parameters[0x29] == 15


def test_a_cut_needs_to_be_known() -> None:
    with pytest.raises(ValueError, match="settings"):
        encode("cut", {"cut": True}, Version.V2013, Encoding())
    _, cut = encode("cut", {"cut": True}, Version.V2013, Encoding((100, 101)))
    _, restored = encode("cut", {"cut": False}, Version.V2013, Encoding((100, 101)))
    assert (cut[0], restored[0]) == (100, 101)


def test_no_place_and_no_password_is_told_with_an_answer() -> None:
    body = bytes.fromhex("0007") + position(1)
    assert set(decode(MessageId.LOCATION_QUERY_REPLY, body, Version.V2013)) == {"device_time", "positioned"}
    told = {"serial": 1, "parameters": [{"id": 0x12, "value": "secret"}, {"id": 0x13, "value": b"a\0b"}]}
    body = codec.encode(MessageId.PARAMETERS_REPLY, Version.V2013, told)
    shown = decode(MessageId.PARAMETERS_REPLY, body, Version.V2013)
    assert "secret" not in str(shown)
    assert "\0" not in str(shown["parameters"][1]["value"])


def test_any_answer_is_read_or_said_to_be_unreadable() -> None:
    chance = random.Random(808)
    for _ in range(3_000):
        body = chance.randbytes(chance.randrange(60))
        for message_id in ANSWERS.values():
            for version in Version:
                decode(message_id, body, version)
                command_bodies.serial_of(message_id, body, version)


def test_what_a_terminal_cannot_show() -> None:
    assert unprintable("苏F12345，请速回！\n　") == ""
    assert unprintable("好🚗🚗\0\u202e") == "🚗\0\u202e"


def test_a_text_longer_than_a_frame_goes_in_packages() -> None:
    _, body = encode("text", FIELDS["text"] | {"text": "车" * 512}, Version.V2013, Encoding())
    frames = codec.frames("13800000001", Version.V2013, TEXT, body, 0xFFFF)
    assert len(frames) == 2
    assert parse_header is not None
