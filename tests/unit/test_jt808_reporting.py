"""Messages that are no positions, as a terminal sends them: whole, cut anywhere, in packages of any order; kept before they are answered."""

from __future__ import annotations

import gzip
import random
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.jt808.ids import REPORT_IDS, MessageId
from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.reporting import BURST, Reported, UploadLimits
from telemetry.jt808.scalar.header import Header, Version, build_messages, parse_header
from telemetry.jt808.scalar.reassembly import Budget
from telemetry.jt808.session import Action, Answered, Rejected, Send, Session
from telemetry.jt808.tables.codec import Body, decode
from telemetry.reports.reading import Reading, read
from telemetry.reports.record import MAX_BODY_BYTES, Report, encode, records_of
from telemetry.reports.record import decode as decode_record
from tests.jt808_messages import CASES, PLACE, Case
from tests.unit.test_jt808_session import PHONE, general, reasons, unframe

EACH = [(one, Version(e)) for one in CASES if one.message in REPORT_IDS for e in one.editions]
HEAD = bytes.fromhex("0000007B 00 00 01 02")
PLACED = bytes.fromhex(PLACE)
PICTURE = b"\xff\xd8\xff\xe0" + random.Random(1).randbytes(5_000)


def online(version: Version, limits: UploadLimits | None = None) -> Session:
    """A session of a terminal of ``version`` that has authenticated."""
    session = Session(0, count().__next__, limits)
    session.authenticated_as(packages(0x0102, b"", version)[0][0], 42)
    session.version = version
    return session


def packages(
    identity: int, body: bytes, version: Version, serial: int = 7, size: int = 1023
) -> list[tuple[Header, bytes]]:
    found = []
    for raw in build_messages(identity, body, PHONE, serial, version=version, max_body=size):
        parsed = parse_header(raw)
        assert not isinstance(parsed, Rejection)
        found.append(parsed)
    return found


def told(session: Session, identity: int, body: bytes, version: Version, now: float = 0) -> list[Action]:
    """What comes of a whole message that nobody has asked for."""
    (one,) = packages(identity, body, version)
    actions: list[Action] = []
    for action in session.on_message(*one, now):
        actions += session.nobody_waits(action) if isinstance(action, Answered) else [action]
    return actions


def name(one: object) -> str:
    return f"{one.message:04x}" if isinstance(one, Case) else str(one)


@pytest.mark.parametrize(("one", "version"), EACH, ids=name)
def test_each_is_kept_whole_and_refused_where_it_breaks_off(one: Case, version: Version) -> None:
    session = online(version)
    if one.fields.get("total", 1) == 1 or one.message != MessageId.MEDIA_DATA:
        (kept,) = told(session, one.message, one.body, version)
        assert isinstance(kept, Reported)
        assert (kept.header.id, kept.body, kept.edition) == (one.message, one.body, version)
        header, answer = unframe(session.reported(kept))
        media = one.message == MessageId.MEDIA_DATA
        assert (header.id, answer[:2]) == (
            0x8800 if media else 0x8001,
            b"\0\0" if media and version > 2011 else b"\0\7",
        )
    for cut in range(len(one.body)):
        session = online(version)
        actions = told(session, one.message, one.body[:cut], version)
        assert all(isinstance(action, Reported | Rejected | Send) for action in actions)
        if reasons(actions):
            assert reasons(actions) == [Reason.BAD_BODY]
            assert [general(action).result for action in actions if isinstance(action, Send)] == [2]
        # What the session takes, and what it refuses, who stores it reads or refuses: never an exception.
        found = read(Report(1, 10**15, one.message, int(version), 7, one.body[:cut]))
        assert isinstance(found, Reading | Rejection)
    assert reasons(told(online(version), one.message, b"", version)) == [Reason.BAD_BODY]


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
def test_a_picture_in_packages(version: Version, order: str) -> None:
    """In any order, each twice: answered by 0x8800 when it is durable, and not before by the reply to its last package."""
    session = online(version)
    body = HEAD + (bytes.fromhex("00000001 00000001") if version is Version.V2011 else PLACED) + PICTURE
    parts = packages(0x0801, body, version, 65_534, 300)
    if order != "forward":
        parts.reverse()
    if order == "shuffled":
        random.Random(2).shuffle(parts)
    actions: list[Action] = []
    for part in parts:
        # The last that comes is not repeated: by then the picture is whole.
        for _ in range(1 if part is parts[-1] else 2):
            actions += session.on_message(*part, 0)
    kept = [action for action in actions if isinstance(action, Reported)]
    assert [one.body for one in kept] == [body]
    early = {general(action).serial for action in actions if isinstance(action, Send)}
    assert parts[-1][0].serial not in early
    *others, last = unframes(session.reported(kept[0]))
    assert {int.from_bytes(answer[:2], "big") for _, answer in others} | early == {
        part[0].serial for part in parts[:-1]
    }
    fields = decode(0x8800, version, last[1])
    assert last[0].id == 0x8800
    assert isinstance(fields, Body)
    assert (fields.fields["media_id"], fields.fields.get("indexes", [])) == (123, [])
    assert not session.waiting


def unframes(data: bytes) -> list[tuple[Header, bytes]]:
    return [unframe(b"\x7e" + part + b"\x7e") for part in data.split(b"\x7e") if part]


@pytest.mark.parametrize("version", list(Version))
def test_missing_packages_are_asked_for_by_the_id_of_the_file(version: Version) -> None:
    session = online(version)
    body = HEAD + (bytes.fromhex("00000001 00000001") if version is Version.V2011 else PLACED) + PICTURE
    parts = packages(0x0801, body, version, 100, 500)
    for k, part in enumerate(parts, 1):
        if k not in (2, 5):
            session.on_message(*part, 0)
    assert session.on_time(4) == []
    (asked,) = session.on_time(6)
    assert isinstance(asked, Send)
    header, answer = unframe(asked.frame)
    fields = decode(0x8800, version, answer)
    assert isinstance(fields, Body)
    assert (header.id, fields.fields["media_id"], fields.fields["indexes"]) == (0x8800, 123, [2, 5])
    session.on_message(*parts[1], 7)
    (kept,) = session.on_message(*parts[4], 7)
    assert isinstance(kept, Reported)
    assert kept.body == body


def test_without_its_first_package_a_file_has_no_id_yet() -> None:
    session = online(Version.V2013)
    session.on_message(*packages(0x0801, HEAD + PLACED + PICTURE, Version.V2013, 100, 500)[3], 0)
    (asked,) = session.on_time(6)
    assert isinstance(asked, Send)
    header, answer = unframe(asked.frame)
    assert (header.id, answer[:2]) == (0x8003, (100).to_bytes(2, "big"))


def test_the_packages_of_2011_are_messages_with_numbers_of_their_own() -> None:
    session = online(Version.V2011)
    data = [PICTURE[at : at + 900] for at in range(0, len(PICTURE), 900)]
    bodies = [
        HEAD + len(data).to_bytes(4, "big") + k.to_bytes(4, "big") + part for k, part in enumerate(data, 1)
    ]
    for serial, k in enumerate([2, 1, 3, 3, 5, 6]):
        (one,) = packages(0x0801, bodies[k - 1], Version.V2011, serial)
        assert not any(isinstance(action, Reported | Rejected) for action in session.on_message(*one, 0))
    (asked,) = session.on_time(6)
    assert isinstance(asked, Send)
    answer = decode(0x8800, Version.V2011, unframe(asked.frame)[1])
    assert isinstance(answer, Body)
    assert (answer.fields["media_id"], answer.fields["indexes"]) == (123, [4])
    (kept,) = session.on_message(*packages(0x0801, bodies[3], Version.V2011, 9)[0], 7)
    assert isinstance(kept, Reported)
    assert kept.body == HEAD + bytes.fromhex("00000001 00000001") + PICTURE
    found = read(Report(1, 10**15, 0x0801, 2011, 9, kept.body))
    assert isinstance(found, Reading)
    assert found.media is not None
    assert (found.media.data, found.media.content_type, found.lat_e6) == (PICTURE, "image/jpeg", None)


def test_what_is_too_large_is_refused_with_its_first_package_and_holds_nothing() -> None:
    """2 GB in 60,000 packages; 65,535 packages of a byte; packages of several such messages at once."""
    session = online(Version.V2013, UploadLimits(most_bytes=1 << 20))
    first = packages(0x0801, bytes(1023 * 60_000), Version.V2013)[0]
    for _ in range(3):
        actions = session.on_message(*first, 0)
        assert reasons(actions) == [Reason.REASSEMBLY_LIMIT]
        assert [general(action).result for action in actions if isinstance(action, Send)] == [1]
    tiny = packages(0x0801, bytes(65_535), Version.V2013, 0, 1)[0]
    assert reasons(session.on_message(*tiny, 0)) == [Reason.REASSEMBLY_LIMIT]
    assert session.bytes_held == 0
    # One that fits by its packages and is too long as a whole.
    session = online(Version.V2013, UploadLimits(most_bytes=4_000))
    body = HEAD + PLACED + PICTURE
    actions = [
        action for part in packages(0x0801, body, Version.V2013) for action in session.on_message(*part, 0)
    ]
    assert not any(isinstance(action, Reported) for action in actions)
    assert Reason.REASSEMBLY_LIMIT in reasons(actions)
    assert session.bytes_held == 0


def test_what_all_connections_hold_together_is_bounded_and_given_back() -> None:
    budget = Budget(20_000)
    sessions = [online(Version.V2013, UploadLimits(1 << 20, budget)) for _ in range(20)]
    refused = 0
    for session in sessions:
        for part in packages(0x0801, HEAD + PLACED + PICTURE, Version.V2013)[:-1]:
            refused += Reason.REASSEMBLY_LIMIT in reasons(session.on_message(*part, 0))
        assert budget.held == sum(each.bytes_held for each in sessions) <= 20_000
    assert refused > 0
    # Never finished: given up when nothing new has come for a minute, as one refusal with its count.
    (given_up,) = [action for action in sessions[0].on_time(61) if isinstance(action, Rejected)]
    assert (given_up.rejection.reason, given_up.rejection.count) == (Reason.REASSEMBLY_TIMEOUT, 4)
    for session in sessions:
        session.end()
    assert budget.held == 0


def test_a_file_that_grows_slowly_is_waited_for_and_repeats_do_not_keep_it() -> None:
    session = online(Version.V2013)
    parts = packages(0x0801, HEAD + PLACED + PICTURE, Version.V2013)
    for k, part in enumerate(parts[:-1]):
        session.on_message(*part, 50 * k)
        assert Reason.REASSEMBLY_TIMEOUT not in reasons(session.on_time(50 * k))
    end = 50 * (len(parts) - 2)
    session.on_message(*parts[0], end + 59)
    assert reasons(session.on_time(end + 60)) == [Reason.REASSEMBLY_TIMEOUT]


def test_a_flood_of_reports_is_refused_and_ends() -> None:
    session = online(Version.V2013)
    kept = [
        isinstance(told(session, 0x0301, b"\2", Version.V2013)[0], Reported) for _ in range(int(BURST) + 5)
    ]
    assert kept == [True] * int(BURST) + [False] * 5
    assert reasons(told(session, 0x0301, b"\2", Version.V2013)) == [Reason.RATE]
    assert isinstance(told(session, 0x0301, b"\2", Version.V2013, 2)[0], Reported)


def test_a_stranger_s_reports_are_not_taken() -> None:
    session = Session(0, count().__next__)
    for part in packages(0x0801, HEAD + PLACED + PICTURE, Version.V2013):
        assert reasons(session.on_message(*part, 0)) == [Reason.NOT_AUTHENTICATED]
    assert not session.waiting


# --- what is read of them


@pytest.mark.parametrize(
    ("edition", "body", "action", "device"),
    [(e, one.body, {1: "in", 2: "out"}.get(one.fields.get("status", 0), "told"), "time" in one.fields)
     for one in CASES if one.message == MessageId.DRIVER_IDENTITY for e in one.editions],
)  # fmt: skip
def test_driver_cards(edition: int, body: bytes, action: str, device: bool) -> None:
    """Also where a terminal of 2011 is taken for one of 2013."""
    for known in {edition, max(edition, 2013)}:
        found = read(Report(1, 10**15, 0x0702, known, 7, body))
        assert isinstance(found, Reading)
        assert found.card is not None
        assert (found.card.action, found.device_us is not None, found.once) == (action, device, device)
        if found.card.read_result == 0 or action == "told":
            assert (found.card.name, found.card.certificate, found.card.issuer) == (
                "张三",
                "3206000001",
                "运管处",
            )
        assert "320600199001010011" not in str(found.detail)


def test_a_bomb_is_not_inflated() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    found = read(Report(1, 10**15, 0x0901, 2013, 7, len(bomb).to_bytes(4, "big") + bomb))
    assert isinstance(found, Rejection)
    assert found.reason is Reason.TOO_LONG
    plain = gzip.compress(b"what it says")
    found = read(Report(1, 10**15, 0x0901, 2013, 7, len(plain).to_bytes(4, "big") + plain))
    assert isinstance(found, Reading)
    assert bytes.fromhex(found.detail["inflated"]) == b"what it says"


@pytest.mark.parametrize(
    ("data", "content_type", "as_claimed"),
    [
        (PICTURE, "image/jpeg", True),
        (b"\x89PNG\r\n\x1a\n....", "image/png", False),
        (b"<html><script>alert(1)</script>", "application/octet-stream", False),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "application/octet-stream", False),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav", False),
        (b"MZ\x90\0", "application/octet-stream", False),
    ],
)
def test_a_file_is_what_it_begins_with(data: bytes, content_type: str, as_claimed: bool) -> None:
    found = read(Report(1, 10**15, 0x0801, 2013, 7, HEAD + PLACED + data))
    assert isinstance(found, Reading)
    assert found.media is not None
    assert (found.media.content_type, found.media.as_claimed, found.media.data) == (
        content_type,
        as_claimed,
        data,
    )
    assert (found.lat_e6, found.lon_e6) == (31_980_000, 120_890_000)


@given(
    st.sampled_from([*sorted(REPORT_IDS), 0x0200]),
    st.sampled_from([2011, 2013, 2019, 0]),
    st.binary(max_size=300),
)
def test_any_bytes_are_read_or_refused(message: int, edition: int, body: bytes) -> None:
    assert isinstance(read(Report(1, 10**15, message, edition, 7, body)), Reading | Rejection)


@given(st.lists(st.builds(
    Report, st.integers(1, 2**31 - 1), st.integers(0, 10**15), st.integers(0, 65_535), st.sampled_from([2011, 2013, 2019]),
    st.integers(0, 65_535), st.binary(max_size=2_000),
), max_size=20))  # fmt: skip
def test_records_both_ways(reports: list[Report]) -> None:
    assert [one for record in records_of(reports) for one in decode_record(record.payload)] == reports


def test_the_largest_report_is_one_record() -> None:
    large = Report(1, 10**15, 0x0801, 2013, 7, bytes(MAX_BODY_BYTES))
    records = records_of([large, large])
    assert [len(decode_record(record.payload)) for record in records] == [1, 1]
    payload = encode([Report(1, 10**15, 0x0301, 2013, 7, b"\2")])
    for cut in range(0, len(payload), 7):
        with pytest.raises(Exception, match="record"):
            decode_record(payload[:cut])
