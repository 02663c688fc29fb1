"""One connection, message by message, as a terminal and a stranger would drive it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar.framing import FrameReader
from telemetry.jt808.scalar.header import Header, Version, build_message, build_messages, parse_header
from telemetry.jt808.scalar.messages import (
    Authentication,
    GeneralReply,
    Location,
    Registration,
    decode_general_reply,
    decode_registration_reply,
    decode_retransmit_request,
    encode_authentication,
    encode_batch,
    encode_location,
    encode_query_reply,
    encode_registration,
)
from telemetry.jt808.session import (
    MAX_FAILED_AUTHENTICATIONS,
    MAX_REFUSED,
    MAX_REGISTER_PACKAGES,
    MAX_REGISTRATIONS,
    Action,
    Answered,
    Authenticate,
    Close,
    Confirmed,
    PackagesWanted,
    Positions,
    Register,
    Rejected,
    Send,
    Session,
    TellTime,
)
from telemetry.positions import Source

PHONE = "13912345678"
POSITION = encode_location(Location(1_700_000_000_000_000, 32_000_000, 120_900_000))
TOLD = Registration(32, 600, "MAKER", "M1", "D000001", 1, "苏F12345", Version.V2013)


def message(
    identity: int,
    body: bytes = b"",
    *,
    phone: str = PHONE,
    serial: int = 7,
    version: Version = Version.V2013,
    encryption: int = 0,
) -> tuple[Header, bytes]:
    result = parse_header(
        build_message(identity, body, phone, serial, version=version, encryption=encryption)
    )
    assert not isinstance(result, Rejection)
    return result


def unframe(frame: bytes) -> tuple[Header, bytes]:
    (found,) = FrameReader().feed(frame)
    assert isinstance(found, bytes)
    result = parse_header(found)
    assert not isinstance(result, Rejection)
    return result


def general(action: Action) -> GeneralReply:
    assert isinstance(action, Send)
    header, body = unframe(action.frame)
    assert header.id == 0x8001
    reply = decode_general_reply(body)
    assert isinstance(reply, GeneralReply)
    return reply


def reasons(actions: list[Action]) -> list[Reason]:
    return [a.rejection.reason for a in actions if isinstance(a, Rejected)]


def results(actions: list[Action]) -> list[int]:
    return [general(a).result for a in actions if isinstance(a, Send)]


def begun() -> Session:
    """A session that has seen nothing; our serials are 0, 1, 2, ..."""
    return Session(0, count().__next__)


@pytest.fixture
def session() -> Session:
    """An authenticated session."""
    made = begun()
    header, body = message(0x0102, b"code")
    assert made.on_message(header, body, 0) == [Authenticate(Authentication(b"code"), header)]
    made.authenticated_as(header, 42)
    return made


@pytest.mark.parametrize("version", [Version.V2013, Version.V2019])
def test_a_terminal_registers_authenticates_and_reports(version: Version) -> None:
    session = begun()
    header, body = message(0x0100, encode_registration(TOLD), version=version, serial=1)
    assert session.on_message(header, body, 0) == [Register(TOLD, header)]
    assert not session.authenticated
    reply, answer = unframe(session.registered(header, 0, "c" * 32))
    assert reply.phone == header.phone
    registered = decode_registration_reply(answer)
    assert not isinstance(registered, Rejection)
    assert (registered.serial, registered.result, registered.code) == (1, 0, b"c" * 32)

    sent = Authentication(b"c" * 32, "123456789012345" if version is Version.V2019 else "")
    header, body = message(0x0102, encode_authentication(sent, version), version=version, serial=2)
    assert session.on_message(header, body, 1) == [Authenticate(sent, header)]
    reply, answer = unframe(session.authenticated_as(header, 42))
    assert decode_general_reply(answer) == GeneralReply(2, 0x0102, 0)
    assert (reply.serial, reply.version) == (1, version)
    assert (session.authenticated, session.terminal_no, session.version) == (True, 42, version)
    assert session.phone == header.phone

    header, body = message(0x0200, POSITION, version=version, serial=3)
    assert session.on_message(header, body, 2) == [Positions(header, [POSITION], Source.LIVE, (header,))]


def test_the_edition_is_learnt_from_the_registration() -> None:
    session = begun()
    old = Registration(32, 600, "MAKER", "M1", "D000001", 0, "LSVAA4182E2184847", Version.V2011)
    session.on_message(*message(0x0100, encode_registration(old)), 0)
    assert session.version is Version.V2011
    header, body = message(0x0102, b"code")
    session.on_message(header, body, 0)
    session.authenticated_as(header, 1)
    header, body = message(0x0201, POSITION)
    positions, _answered = session.on_message(header, body, 0)
    assert positions == Positions(header, [POSITION], Source.QUERIED, (header,))


@pytest.mark.parametrize(
    "identity", [0x0002, 0x0003, 0x0004, 0x0005, 0x0200, 0x0201, 0x0704, 0x0702, 0x0900, 0x1234]
)
def test_nothing_else_before_authentication(identity: int) -> None:
    actions = begun().on_message(*message(identity, POSITION), 0)
    assert reasons(actions) == [Reason.NOT_AUTHENTICATED]
    assert results(actions) == [1]


def test_strangers_get_no_memory_and_no_endless_attention() -> None:
    session = begun()
    for raw in build_messages(0x0704, bytes(3000), PHONE, 1):
        parsed = parse_header(raw)
        assert not isinstance(parsed, Rejection)
        assert reasons(session.on_message(*parsed, 0)) == [Reason.NOT_AUTHENTICATED]
    assert not session.waiting


@pytest.mark.parametrize(
    "refused",
    [
        message(0x0002),
        message(0x0001, bytes(5)),
        message(0x0100, bytes(50), encryption=1),
        message(0x0102, b"code", encryption=1),
    ],
)
def test_whatever_is_refused_before_authentication_counts(refused: tuple[Header, bytes]) -> None:
    session = begun()
    closed = [any(isinstance(a, Close) for a in session.on_message(*refused, 0)) for _ in range(MAX_REFUSED)]
    assert closed == [False] * (MAX_REFUSED - 1) + [True]


def test_a_refused_authentication_is_kept_without_its_code(session: Session) -> None:
    code = b"0123456789abcdef" * 2
    package = parse_header(build_message(0x0102, code, PHONE, 5, total=2, index=1))
    assert not isinstance(package, Rejection)
    stranger = begun()
    refusals = [
        *session.on_message(*message(0x0102, code, phone="13912345679"), 0),  # another phone
        *session.on_message(*package, 0),
        *stranger.on_message(*package, 0),
        *stranger.on_message(*message(0x0102, code, encryption=1), 0),
    ]
    for _ in range(MAX_FAILED_AUTHENTICATIONS + 1):
        refusals += stranger.on_message(*message(0x0102, code), 0)
    kept = [action.rejection for action in refusals if isinstance(action, Rejected)]
    assert {r.reason for r in kept} == {
        Reason.PHONE_MISMATCH, Reason.UNSUPPORTED, Reason.NOT_AUTHENTICATED, Reason.ENCRYPTED, Reason.RATE,
    }  # fmt: skip
    assert {r.raw for r in kept} == {b""}


@pytest.mark.parametrize(
    ("refused", "most"),
    [(message(0x0102), MAX_FAILED_AUTHENTICATIONS), (message(0x0100, b"short"), MAX_REGISTRATIONS)],
)
def test_messages_that_cannot_be_read_are_attempts_too(refused: tuple[Header, bytes], most: int) -> None:
    session = begun()
    closed = [any(isinstance(a, Close) for a in session.on_message(*refused, 0)) for _ in range(most + 1)]
    assert closed == [False] * most + [True]


def test_wrong_codes_are_refused_and_then_the_connection_is_closed() -> None:
    session = begun()
    header, body = message(0x0102, b"wrong")
    for _ in range(MAX_FAILED_AUTHENTICATIONS):
        assert isinstance(session.on_message(header, body, 0)[0], Authenticate)
        _, answer = unframe(session.authenticated_as(header, None))
        assert decode_general_reply(answer) == GeneralReply(7, 0x0102, 1)
    actions = session.on_message(header, body, 0)
    assert reasons(actions) == [Reason.RATE]
    assert isinstance(actions[-1], Close)
    assert not session.authenticated


def test_attempts_count_when_they_are_asked_for_and_only_the_newest_is_awaited() -> None:
    session = begun()
    asked: list[Authenticate] = []
    for k in range(MAX_FAILED_AUTHENTICATIONS):
        actions = session.on_message(*message(0x0102, b"code", serial=k), 0)
        assert reasons(actions) == [Reason.RATE] * bool(asked), "what was superseded is counted"
        assert results(actions) == [], "and not answered: it may be the same message, sent again"
        assert isinstance(actions[-1], Authenticate)
        asked.append(actions[-1])
        assert [session.awaits(one) for one in asked] == [False] * k + [True]
    actions = session.on_message(*message(0x0102, b"code"), 0)
    assert (reasons(actions), type(actions[-1])) == ([Reason.RATE], Close)
    session.authenticated_as(asked[-1].header, 42)
    assert not session.awaits(asked[-1])
    assert isinstance(session.on_message(*message(0x0102, b"code"), 0)[0], Authenticate)


def test_a_logout_ends_the_wait_for_an_answer(session: Session) -> None:
    (action,) = session.on_message(*message(0x0102, b"code"), 0)
    assert isinstance(action, Authenticate)
    assert reasons(session.on_message(*message(0x0003), 0)) == [Reason.RATE]
    assert not session.awaits(action)


def test_registrations_without_end_are_refused() -> None:
    session = begun()
    header, body = message(0x0100, encode_registration(TOLD))
    for _ in range(MAX_REGISTRATIONS):
        assert session.on_message(header, body, 0) == [Register(TOLD, header)]
    actions = session.on_message(header, body, 0)
    assert reasons(actions) == [Reason.RATE]
    assert isinstance(actions[-1], Close)


def test_a_failed_second_authentication_ends_the_first(session: Session) -> None:
    header, body = message(0x0102, b"stale")
    session.on_message(header, body, 0)
    session.authenticated_as(header, None)
    assert (session.authenticated, session.terminal_no) == (False, 0)


@pytest.mark.parametrize("identity", [0x0002, 0x0100, 0x0102, 0x0200, 0x0704])
def test_another_phone_on_the_same_connection(session: Session, identity: int) -> None:
    actions = session.on_message(*message(identity, POSITION, phone="13912345679"), 0)
    assert reasons(actions) == [Reason.PHONE_MISMATCH]
    assert results(actions) == [1]
    assert (session.authenticated, session.terminal_no) == (True, 42)
    assert session.phone == PHONE.zfill(12)


def test_the_same_phone_with_other_leading_zeros_is_the_same(session: Session) -> None:
    header, body = message(0x0002, version=Version.V2019)
    (action,) = session.on_message(header, body, 0)
    assert general(action) == GeneralReply(7, 2, 0)
    assert isinstance(action, Send)
    reply, _ = unframe(action.frame)
    assert (reply.phone, reply.version_flag) == (header.phone, True)


def test_heartbeat_logout_and_replies(session: Session) -> None:
    assert results(session.on_message(*message(0x0002), 0)) == [0]
    assert session.on_message(*message(0x0001, bytes(5)), 0) == [Confirmed(GeneralReply(0, 0, 0))]
    assert session.on_message(*message(0x0001, bytes(4)), 0) != []
    assert reasons(session.on_message(*message(0x0001, bytes(4)), 0)) == [Reason.BAD_BODY]
    assert results(session.on_message(*message(0x0003), 0)) == [0]
    assert (session.authenticated, session.terminal_no) == (False, 0)
    assert reasons(session.on_message(*message(0x0200, POSITION), 0)) == [Reason.NOT_AUTHENTICATED]


def test_a_time_query_is_told_apart(session: Session) -> None:
    header, body = message(0x0004, version=Version.V2019)
    assert session.on_message(header, body, 0) == [TellTime(header)]


@pytest.mark.parametrize("identity", [0x0702, 0x0705, 0x0900, 0x0800, 0x0301, 0xFFFF])
def test_what_is_not_supported_is_answered_and_counted(session: Session, identity: int) -> None:
    actions = session.on_message(*message(identity, b"anything"), 0)
    assert reasons(actions) == [Reason.UNSUPPORTED]
    assert results(actions) == [3]


@pytest.mark.parametrize("identity", [0x0102, 0x0200, 0x0002])
def test_encrypted_bodies_are_not_supported(session: Session, identity: int) -> None:
    actions = session.on_message(*message(identity, bytes(40), encryption=1), 0)
    assert reasons(actions) == [Reason.ENCRYPTED]
    assert results(actions) == [3]


@pytest.mark.parametrize(("identity", "body"), [(0x0100, b"short"), (0x0102, b""), (0x0005, b"x")])
def test_malformed_bodies(session: Session, identity: int, body: bytes) -> None:
    actions = session.on_message(*message(identity, body), 0)
    assert reasons(actions) == [Reason.BAD_BODY]
    assert results(actions) == [2]


def test_a_request_for_packages_that_never_were(session: Session) -> None:
    (wanted,) = session.on_message(*message(0x0005, bytes.fromhex("00010001 0001"), version=Version.V2019), 0)
    assert isinstance(wanted, PackagesWanted)
    actions = session.nobody_waits(wanted)
    assert (reasons(actions), results(actions)) == ([Reason.BAD_FRAGMENT], [1])


def test_answers_are_handed_on_with_what_they_are_to_be_replied_to(session: Session) -> None:
    header, body = message(0x0104, bytes(3))
    (answered,) = session.on_message(header, body, 0)
    assert answered == Answered(header, body, (header,))
    assert isinstance(answered, Answered)
    refused = session.nobody_waits(answered)
    assert (reasons(refused), results(refused)) == ([Reason.UNASKED], [0])
    place = session.on_message(*message(0x0201, b"\0\7" + POSITION), 0)
    assert [type(action) for action in place] == [Positions, Answered]
    assert session.nobody_waits(Confirmed(GeneralReply(0, 0, 0))) == []
    assert isinstance(place[1], Answered)
    assert session.nobody_waits(place[1]) == []  # its reply is that of the position


def test_a_long_answer_comes_in_packages(session: Session) -> None:
    parts = build_messages(0x0104, bytes(range(200)), PHONE, 7, max_body=80)
    found: list[Action] = []
    for part in parts:
        parsed = parse_header(part)
        assert not isinstance(parsed, Rejection)
        found += session.on_message(*parsed, 0)
    (answered,) = [action for action in found if isinstance(action, Answered)]
    assert answered.body == bytes(range(200))
    assert len(results(found)) + len(answered.answer) == len(parts)


# --- positions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", [0x0200, 0x0201])
def test_a_short_position_is_bad_not_ok(session: Session, identity: int) -> None:
    actions = session.on_message(*message(identity, POSITION[:27]), 0)
    assert reasons(actions) == [Reason.BODY_TOO_SHORT]
    assert results(actions) == [2]


def test_a_batch_keeps_its_good_points(session: Session) -> None:
    header, body = message(0x0704, encode_batch(1, [POSITION, POSITION[:20], POSITION]) + b"rest")
    actions = session.on_message(header, body, 0)
    assert reasons(actions) == [Reason.BAD_BODY, Reason.BODY_TOO_SHORT]
    assert actions[-1] == Positions(header, [POSITION, POSITION], Source.BLIND_ZONE, (header,))
    assert results(actions) == []


@pytest.mark.parametrize("body", [b"", encode_batch(0, []), encode_batch(0, [b"short"]), b"\0\1\0\0\x1cxx"])
def test_a_batch_without_any_good_point_is_bad(session: Session, body: bytes) -> None:
    actions = session.on_message(*message(0x0704, body), 0)
    assert len(reasons(actions)) == 1
    assert results(actions) == [2]


def test_a_query_reply(session: Session) -> None:
    header, body = message(0x0201, encode_query_reply(9, POSITION))
    positions = Positions(header, [POSITION], Source.QUERIED, (header,))
    assert session.on_message(header, body, 0) == [positions, Answered(header, body, ())]


def batch_packages(
    version: Version = Version.V2013, identity: int = 0x0704, serial: int = 65_535
) -> list[tuple[Header, bytes]]:
    out = []
    body = encode_batch(0, [POSITION] * 5)
    for raw in build_messages(identity, body, PHONE, serial, version=version, max_body=40):
        parsed = parse_header(raw)
        assert not isinstance(parsed, Rejection)
        out.append(parsed)
    return out


def test_packages_in_order_are_answered_one_by_one_and_the_last_when_stored(session: Session) -> None:
    parts = batch_packages()
    for header, body in parts[:-1]:
        (action,) = session.on_message(header, body, 0)
        assert general(action) == GeneralReply(header.serial, 0x0704, 0)
    last = parts[-1][0]
    assert session.on_message(*parts[-1], 0) == [Positions(last, [POSITION] * 5, Source.BATCH, (last,))]
    assert not session.waiting


def test_packages_out_of_order_are_answered_when_stored(session: Session) -> None:
    parts = batch_packages()
    for part in parts[:0:-1]:
        assert session.on_message(*part, 0) == []
    (action,) = session.on_message(*parts[0], 0)
    assert action == Positions(parts[0][0], [POSITION] * 5, Source.BATCH, tuple(h for h, _ in parts))


@pytest.mark.parametrize("version", [Version.V2013, Version.V2019])
def test_missing_packages_are_asked_for_in_the_dialect(session: Session, version: Version) -> None:
    parts = batch_packages(version)
    session.on_message(*parts[0], 0)
    session.on_message(*parts[2], 0)
    assert session.waiting
    assert session.on_time(1) == []
    (action,) = session.on_time(10)
    assert isinstance(action, Send)
    header, body = unframe(action.frame)
    assert (header.id, header.version) == (0x8003, version)
    request = decode_retransmit_request(body, version)
    assert not isinstance(request, Rejection)
    assert (request.first_serial, request.indexes) == (65_535, (2, 4))
    assert reasons(session.on_time(100)) == [Reason.REASSEMBLY_TIMEOUT] * 2
    assert not session.waiting


def test_packages_of_what_is_not_supported_take_no_memory(session: Session) -> None:
    for part in batch_packages(identity=0x0801):
        actions = session.on_message(*part, 0)
        assert (reasons(actions), results(actions)) == ([Reason.UNSUPPORTED], [3])
    assert not session.waiting


def test_a_single_package_is_a_message(session: Session) -> None:
    parsed = parse_header(build_message(0x0002, b"", PHONE, 5, total=1, index=1))
    assert not isinstance(parsed, Rejection)
    assert results(session.on_message(*parsed, 0)) == [0]


def test_the_end_of_a_connection_counts_what_was_held(session: Session) -> None:
    session.on_message(*batch_packages()[0], 0)
    assert [r.reason for r in session.end()] == [Reason.REASSEMBLY_TIMEOUT]
    session.on_message(*batch_packages()[0], 0)
    actions = session.on_message(*message(0x0003), 0)
    assert reasons(actions) == [Reason.REASSEMBLY_TIMEOUT]


def test_every_message_of_ours_has_the_next_serial(session: Session) -> None:
    """However it comes about: a reply, a refusal, a request for packages."""
    frames = [action.frame for action in session.on_message(*message(0x0002), 0) if isinstance(action, Send)]
    frames += [action.frame for action in session.on_message(*message(0x0900), 0) if isinstance(action, Send)]
    frames += [session.registered(message(0x0100)[0], 0, "code"), session.reply(message(0x0200)[0], 0)]
    package = parse_header(build_message(0x0704, POSITION, PHONE, 9, total=3, index=1))
    assert not isinstance(package, Rejection)
    frames += [a.frame for a in session.on_message(*package, 0) if isinstance(a, Send)]
    frames += [a.frame for a in session.on_time(10) if isinstance(a, Send)]
    headers = [unframe(frame)[0] for frame in frames]
    assert [header.id for header in headers] == [0x8001, 0x8001, 0x8100, 0x8001, 0x8001, 0x8003]
    assert [header.serial for header in headers] == list(range(1, 7))  # 0 was the reply to the authentication


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2, 3, 4, 5, 0x100, 0x102, 0x200, 0x201, 0x704, 0x801, 0x900]),
            st.binary(max_size=100),
            st.sampled_from([PHONE, "1"]),
            st.sampled_from([Version.V2013, Version.V2019]),
            st.sampled_from([(0, 0), (1, 1), (2, 1), (2, 2), (300, 3)]),
            st.integers(0, 2),
        ),
        max_size=25,
    ),
    st.booleans(),
)
def test_whatever_a_terminal_sends(
    pieces: list[tuple[int, bytes, str, Version, tuple[int, int], int]], known: bool
) -> None:
    """Never an exception; every message is stored, answered, held, counted or handed on: never silently gone."""
    session = begun()
    if known:
        session.authenticated_as(message(0x0102)[0], 3)
    for now, (identity, body, phone, version, (total, index), encryption) in enumerate(pieces):
        raw = build_message(
            identity, body, phone, now, version=version, total=total, index=index, encryption=encryption
        )
        parsed = parse_header(raw)
        assert not isinstance(parsed, Rejection)
        held = session.reassembler.parts_held
        actions = session.on_message(*parsed, now)
        if identity != 1:
            assert actions or session.reassembler.parts_held > held
        for action in actions:
            if isinstance(action, Send):
                unframe(action.frame)
            if isinstance(action, Authenticate):
                session.authenticated_as(action.header, 3 if phone == PHONE else None)
        session.on_time(now)
    session.end()
    assert session.reassembler.bytes_held == 0


def test_a_registration_in_packages_is_put_together() -> None:
    for version in (Version.V2013, Version.V2019):
        for size in (10, 30):
            session = Session(0, count().__next__)
            body = encode_registration(replace(TOLD, version=version))
            parts = build_messages(0x0100, body, PHONE, 65_534, version=version, max_body=size)
            assert len(parts) > 1
            actions: list[Action] = []
            for raw in parts:
                parsed = parse_header(raw)
                assert not isinstance(parsed, Rejection)
                actions += session.on_message(*parsed, 0)
            if len(parts) > MAX_REGISTER_PACKAGES:
                assert not any(isinstance(action, Register) for action in actions)
                continue
            *answers, register = actions
            assert isinstance(register, Register)
            assert (register.registration.device_id, register.header.index) == (TOLD.device_id, len(parts))
            assert [general(answer).result for answer in answers] == [0] * (len(parts) - 1)
            assert not session.waiting


def test_a_stranger_s_packages_of_a_registration_are_few_and_small() -> None:
    session = Session(0, count().__next__)
    for serial in range(0, 4000, 10):
        parsed = parse_header(build_message(0x0100, bytes(256), PHONE, serial, total=8, index=1))
        assert not isinstance(parsed, Rejection)
        session.on_message(*parsed, 0)
    assert session.reassembler.bytes_held < 8_192
    large = parse_header(build_message(0x0100, bytes(257), "1", 1, total=2, index=1))
    assert not isinstance(large, Rejection)
    assert any(isinstance(action, Rejected) for action in Session(0, count().__next__).on_message(*large, 0))


def test_a_phone_with_hexadecimal_digits_is_an_identifier() -> None:
    session = Session(0, count().__next__)
    (register,) = session.on_message(*message(0x0100, encode_registration(TOLD), phone="0ABCDEF12345"), 0)
    assert isinstance(register, Register)
    assert register.header.terminal_phone == "ABCDEF12345"
    header, _body = unframe(session.registered(register.header, 0, "code"))
    assert header.phone == "0ABCDEF12345"


@pytest.mark.parametrize(
    ("header", "registered", "speaks"),
    [
        (Version.V2013, None, Version.V2013),
        (Version.V2013, 2011, Version.V2011),
        (Version.V2013, 2013, Version.V2013),
        (Version.V2013, 2019, Version.V2013),  # bodies follow the header
        (Version.V2019, None, Version.V2019),
        (Version.V2019, 2011, Version.V2019),
    ],
)
def test_who_only_authenticates_speaks_the_edition_of_its_registration(
    header: Version, registered: int | None, speaks: Version
) -> None:
    """It registered on another connection, maybe of another gateway: 2011 and 2013 have the same header."""
    made = begun()
    told, body = message(0x0102, encode_authentication(Authentication(b"code"), header), version=header)
    made.on_message(told, body, 0)
    made.speaks(told, registered)
    made.authenticated_as(told, 42)
    assert made.version is speaks
    made.on_message(*message(0x0002, version=header), 0)
    assert made.version is speaks
