"""The codec of JT/T 809: vectors by hand, facts that public programs agree on, and whatever bytes a stranger sends."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.jt808.tables.grammar import FieldError
from telemetry.jt809 import codec, framing, header, positions
from telemetry.jt809.channel import Channel
from telemetry.jt809.cipher import Keys, scramble
from telemetry.jt809.codec import Received
from telemetry.jt809.framing import Framer, escape, framed, unescape
from telemetry.jt809.header import Edition, Header
from telemetry.jt809.refusal import Reason, Refusal
from telemetry.jt809.tables import CATALOGUE, Id
from telemetry.positions import OPTIONAL, PositionBatch, fingerprint
from telemetry.quality import STATUS_ENCRYPTED, STATUS_SOUTH, Quality, assess
from tests import jt809_vectors as vectors

CODE = 1_234_567
NOON_US = 1_796_000_000_000_000


def sample(edition: Edition, id: Id) -> dict[str, object]:
    """Values for every field of a message."""
    message = CATALOGUE[id]
    fields: dict[str, object] = {}
    for element in message.tables[edition]:
        for name in element.names():
            fields[name] = {"Num": 5, "Text": "苏A1", "Raw": b"\x5b\x5d\x5a\x5e"}[type(element).__name__]
    if message.carrier is not None:
        fields |= {"plate": "苏F12345", "colour": 1}
    return fields


EVERY = [(edition, id) for id, message in CATALOGUE.items() for edition in message.tables]


def test_vectors_both_ways() -> None:
    for raw, edition, id, fields in (
        (vectors.LOGIN_2011, Edition.V2011, Id.UP_CONNECT_REQ, vectors.LOGIN_FIELDS),
        (vectors.LOGIN_2019, Edition.V2019, Id.UP_CONNECT_REQ, vectors.LOGIN_FIELDS | {"access_code": CODE}),
    ):
        read = codec.decode(raw, edition)
        assert isinstance(read, Received)
        assert (read.id, read.fields) == (id, fields)
        assert codec.encode(edition, id, fields, read.header) == raw
    read = codec.decode(vectors.POSITION_2011, Edition.V2011)
    assert isinstance(read, Received)
    assert read.id is Id.UP_EXG_MSG_REAL_LOCATION
    assert (read.fields["plate"], read.fields["colour"]) == ("苏F12345", 1)
    assert codec.encode(Edition.V2011, read.id, read.fields, read.header) == vectors.POSITION_2011
    location = read.fields["location"]
    assert isinstance(location, bytes)
    batch, _ = positions.decode([location], Edition.V2011, [7], NOON_US, [0])
    moment = np.datetime64(int(batch.device_us[0]), "us")
    assert moment == np.datetime64("2026-11-30T00:05:09")  # 08:05:09 in China
    assert (batch.lon_e6[0], batch.lat_e6[0]) == (120_864_641, 32_012_089)
    assert (batch.speed_dkmh[0], batch.recorder_speed_dkmh[0], batch.odometer_dkm[0]) == (610, 600, 123_450)
    assert (batch.direction_deg[0], batch.altitude_m[0], batch.alarm[0]) == (271, 7, 1)
    assert assess(batch)[0] == 0
    assert positions.encode(batch, Edition.V2011) == [location]


def test_crc_and_scrambling_are_those_of_others() -> None:
    # CRC-16/CCITT-FALSE has a published check value; the scrambling is worked out by hand for two bytes.
    assert framing.crc(b"123456789") == 0x29B1
    keys = Keys(m1=10, ia1=1 << 20, ic1=7 << 20)
    # key 13: 13 mod 10 = 3, 3 + 7 = 10 -> byte 10; then key = 10 << 20, mod 10 = 10485760 mod 10 = 0, 0 + 7 = 7.
    assert scramble(keys, 13, b"\x00\x00") == bytes((10, 7))
    assert scramble(keys, 0, b"\x00") == scramble(keys, 1, b"\x00")
    assert scramble(replace(keys, m1=0), 9, b"\x00") == bytes((7,))


@pytest.mark.parametrize(("edition", "id"), EVERY)
def test_every_message_whole_cut_and_scrambled(edition: Edition, id: Id) -> None:
    keys = Keys(3_000_017, 20_000_003, 20_000_009)
    fields = sample(edition, id)
    ends = Channel(edition, CODE, keys), Channel(edition, CODE, keys, encrypts=True, new_key=lambda: 77)
    for channel in ends:
        frame = channel.frame(id, fields, 5)
        other = Channel(edition, CODE, keys)
        (read,) = [found for at in range(len(frame)) for found in other.feed(frame[at : at + 1])]
        assert isinstance(read, Received)
        assert (read.id, read.fields, read.header.serial) == (id, fields, 0)
        assert read.header.encrypted is channel.encrypts
    plain = Channel(edition, CODE).frame(id, fields, 5)
    message = framing.checked(plain[1:-1])
    assert isinstance(message, bytes)
    for cut in range(len(message)):
        # A message that was cut, and says so: a refusal, nothing else.
        short = (cut + header.AROUND).to_bytes(4, "big") + message[4:cut] if cut > 4 else message[:cut]
        assert isinstance(codec.decode(short, edition), Refusal) or not CATALOGUE[id].tables[edition]
    longer = message[:0] + (len(message) + 5).to_bytes(4, "big") + message[4:] + b"\x00"
    found = codec.decode(longer, edition)
    assert isinstance(found, Refusal) or id in (Id.UP_EXG_MSG_REAL_LOCATION, Id.UP_EXG_MSG_HISTORY_LOCATION)


@given(st.binary(max_size=300))
def test_escaping_comes_back(data: bytes) -> None:
    sent = escape(data)
    assert not {0x5B, 0x5D} & set(sent)
    assert unescape(sent) == data


@given(st.lists(st.binary(max_size=120), max_size=6), st.randoms(use_true_random=False))
def test_any_bytes_give_messages_or_refusals(parts: list[bytes], chance: random.Random) -> None:
    """Whatever stands between them, good frames come through, and nothing is held beyond the limit."""
    good = Channel(Edition.V2011, CODE).frame(Id.UP_LINKTEST_REQ, {}, 0)
    stream = b"".join(part.replace(b"[", b"") + b"]" + good for part in parts)
    framer, channel, read = Framer(200), Channel(Edition.V2011, CODE), 0
    at = 0
    while at < len(stream):
        step = chance.randint(1, 40)
        for one in framer.feed(stream[at : at + step]):
            read += isinstance(channel.read(one), Received)
        assert framer.held <= 400
        at += step
    assert read == len(parts)


def test_frames_that_are_refused_cost_no_other() -> None:
    channel = Channel(Edition.V2011, CODE)
    good = channel.frame(Id.UP_LINKTEST_REQ, {}, 0)
    wrong = bytearray(good)
    wrong[-2] ^= 1
    foreign = Channel(Edition.V2011, CODE + 1).frame(Id.UP_LINKTEST_REQ, {}, 0)
    scrambled = Channel(Edition.V2011, CODE, Keys(5, 6, 7), encrypts=True).frame(
        Id.DOWN_CONNECT_REQ, {"verify_code": 1}, 0
    )
    unknown = framed(header.build(Header(0, 0x1333, CODE), Edition.V2011, b""))
    stream = (
        b"junk" + good + bytes(wrong) + b"[half" + good + b"[\x5a\x07" + bytes(30) + b"]" + foreign + scrambled
        + unknown + b"[short]" + b"[" + bytes(40_000) + b"]" + good
    )  # fmt: skip
    found = channel.feed(stream)
    assert [one.reason if isinstance(one, Refusal) else "ok" for one in found] == [
        Reason.JUNK, "ok", Reason.BAD_CRC, Reason.UNFINISHED, "ok", Reason.BAD_ESCAPE, Reason.FOREIGN_CODE, Reason.NO_KEYS,
        Reason.UNSUPPORTED, Reason.TOO_SHORT, Reason.TOO_LONG, "ok",
    ]  # fmt: skip
    assert all(len(one.raw) <= 256 for one in found if isinstance(one, Refusal))


def test_what_cannot_be_sent_is_told() -> None:
    with pytest.raises(FieldError, match="missing"):
        Channel(Edition.V2011, CODE).frame(Id.UP_CONNECT_REQ, {"user_id": 1}, 0)
    with pytest.raises(FieldError, match="no message"):  # its layout in 2019 is not known to us
        Channel(Edition.V2019, CODE).frame(Id.UP_WARN_MSG_URGE_TODO_ACK, {}, 0)


def some_positions(chance: random.Random, n: int, *, items: bool = True) -> PositionBatch:
    """Positions as JT/T 808 can say them: whole seconds, every column, odd items too."""
    rows: dict[str, object] = {
        "terminal": [chance.randint(1, 50) for _ in range(n)],
        "received_us": NOON_US,
        "device_us": [NOON_US + chance.randint(-(10**6), 10**6) * 1_000_000 for _ in range(n)],
        "lat_e6": [chance.randint(-90_000_000, 90_000_000) for _ in range(n)],
        "lon_e6": [chance.randint(-180_000_000, 180_000_000) for _ in range(n)],
        "altitude_m": [chance.randint(-500, 9_000) for _ in range(n)],
        "speed_dkmh": [chance.randint(0, 65_535) for _ in range(n)],
        "direction_deg": [chance.randint(0, 359) for _ in range(n)],
        "alarm": [chance.getrandbits(32) for _ in range(n)],
        "status": [chance.getrandbits(32) for _ in range(n)],
        "odometer_dkm": [chance.randint(0, 2**32 - 2) for _ in range(n)],
        "fuel_dl": [chance.randint(0, 2**16 - 2) for _ in range(n)],
        "recorder_speed_dkmh": [chance.randint(0, 2**16 - 2) for _ in range(n)],
        "radio": [chance.randint(0, 254) for _ in range(n)],
        "satellites": [chance.randint(0, 254) for _ in range(n)],
    }
    present = np.array([chance.getrandbits(len(OPTIONAL)) for _ in range(n)], np.uint8)
    for bit, name in enumerate(OPTIONAL):  # what is absent is 0 in its column
        column = np.array(rows[name])
        rows[name] = np.where(present & (1 << bit), column, 0)
    raw = [bytes((0xE1, k := chance.randint(0, 9))) + chance.randbytes(k) if items else b"" for _ in range(n)]
    offsets = np.cumsum([0, *map(len, raw)]).astype(np.int32)
    data = np.frombuffer(b"".join(raw), np.uint8)
    return PositionBatch.build(n, present=present, items_offsets=offsets, items_data=data, **rows)


@given(st.randoms(use_true_random=False))
def test_positions_of_2019_lose_nothing(chance: random.Random) -> None:
    batch = some_positions(chance, 12)
    sent = positions.encode(batch, Edition.V2019, "32010000001")
    back, rows = positions.decode(sent, Edition.V2019, batch.terminal.tolist(), NOON_US, [0] * len(batch))
    assert rows.tolist() == list(range(12))
    assert fingerprint(back).tolist() == fingerprint(batch).tolist()
    assert back.equals(batch)
    five = b"".join(sent[:5])
    assert positions.split(five, Edition.V2019, 5) == sent[:5]
    for wrong in (five[:-1], five + b"\x00"):
        assert isinstance(positions.split(wrong, Edition.V2019, 5), Refusal)
    assert isinstance(positions.split(b"".join(sent[:6]), Edition.V2019, 6), Refusal)
    assert isinstance(positions.split(b"", Edition.V2019, 0), Refusal)


@given(st.randoms(use_true_random=False))
def test_positions_of_2011_lose_what_the_edition_has_no_place_for(chance: random.Random) -> None:
    batch = some_positions(chance, 12)
    sent = positions.encode(batch, Edition.V2011)
    back, _ = positions.decode(sent, Edition.V2011, batch.terminal.tolist(), NOON_US, [0] * len(batch))
    for name in ("device_us", "lat_e6", "lon_e6", "altitude_m", "direction_deg", "alarm", "status"):
        assert getattr(back, name).tolist() == getattr(batch, name).tolist(), name
    within = batch.speed_dkmh < 65_000
    assert (np.abs(back.speed_dkmh.astype(int) - batch.speed_dkmh)[within] <= 5).all()
    odometer = np.where(batch.has("odometer_dkm"), batch.odometer_dkm, 0)
    assert (back.odometer_dkm == odometer // 10 * 10).all()
    # Sent on once more it is the same: what the edition takes away it takes away once.
    assert positions.encode(back.take(within), Edition.V2011) == [sent[k] for k in np.flatnonzero(within)]
    assert positions.split(b"".join(sent[:2]), Edition.V2011, 2) == sent[:2]


def test_shifted_coordinates_are_no_evidence_and_no_time_is_none() -> None:
    batch = some_positions(random.Random(1), 3).take(np.array([0]))
    for edition in Edition:
        (sent,) = positions.encode(batch, edition)
        shifted, _ = positions.decode([b"\x01" + sent[1:]], edition, [1], NOON_US, [0])
        assert shifted.status[0] & STATUS_ENCRYPTED
        assert assess(shifted)[0] & Quality.ENCRYPTED
    (old,) = positions.encode(batch, Edition.V2011)
    for wrong in (bytes(7), bytes((31, 2)) + old[3:8], bytes((1, 13)) + old[3:8], old[1:5] + b"\x18\x00\x00"):
        read, _ = positions.decode([old[:1] + wrong + old[8:]], Edition.V2011, [1], NOON_US, [0])
        assert read.device_us[0] == 0
    contradicted = replace(
        batch, status=batch.status & ~np.uint32(STATUS_SOUTH), lat_e6=np.array([-5], np.int32)
    )
    for edition in Edition:
        read, _ = positions.decode(positions.encode(contradicted, edition), edition, [1], NOON_US, [0])
        assert read.lat_e6[0] == -5  # not put right on the way


@given(st.binary(max_size=600), st.sampled_from(list(Edition)), st.integers(0, 7))
def test_any_bytes_of_positions(data: bytes, edition: Edition, count: int) -> None:
    found = positions.split(data, edition, count)
    if not isinstance(found, Refusal):
        batch, rows = positions.decode(found, edition, [1] * len(found), NOON_US, [0] * len(found))
        assert len(batch) == len(rows) <= len(found)


def test_what_has_no_date_is_not_sendable() -> None:
    batch = PositionBatch.build(3, device_us=[0, NOON_US, 5_000_000_000_000_000])
    assert positions.sendable(batch).tolist() == [False, True, False]
