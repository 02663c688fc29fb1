"""The column decoder against its specification, the scalar codec: same frames, same refusals, same positions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.jt808.columns.acknowledge import general_replies
from telemetry.jt808.columns.framing import PADDING, gather
from telemetry.jt808.columns.location import TAIL, Decoded, decode, decode_times, expand_batches
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.fields import fixed_width
from telemetry.jt808.scalar.framing import FrameReader, encode_frame
from telemetry.jt808.scalar.header import Version, build_message, parse_header
from telemetry.jt808.scalar.items import ITEMS, decode_items
from telemetry.jt808.scalar.replies import general_reply
from telemetry.jt808.scalar.report import decode_location
from telemetry.positions import OPTIONAL, PositionBatch, fingerprint
from telemetry.quality import Quality, assess
from tests.examples import examples
from tests.jt808_vectors import all_frames, cases


def columns_of(streams: list[list[bytes]]) -> list[tuple[list[bytes], int]]:
    """Per stream: the messages found and how many frames were refused, feeding the k-th piece of all streams at once."""
    rests = [b""] * len(streams)
    synced = np.zeros(len(streams), np.bool_)
    found: list[tuple[list[bytes], int]] = [([], 0) for _ in streams]
    for k in range(max(map(len, streams), default=0)):
        chunks = [rests[i] + (s[k] if k < len(s) else b"") for i, s in enumerate(streams)]
        result = gather(chunks, synced)
        synced = result.synced
        rests = [b""] * len(streams)
        for i, rest in result.rests:
            rests[i] = rest
        frames = result.frames
        for j in range(len(frames)):
            messages, refused = found[frames.chunk[j]]
            if frames.verdict[j] == 0:
                messages.append(frames.message(j))
            else:
                found[frames.chunk[j]] = (messages, refused + 1)
    return found


def reference(stream: bytes) -> list[bytes]:
    out = []
    for item in FrameReader().feed(stream):
        if not isinstance(item, Rejection):
            parsed = parse_header(item)
            if not isinstance(parsed, Rejection) or parsed.reason == "bad_fragment":
                out.append(item)
    return out


versions = st.sampled_from([Version.V2013, Version.V2019])
phones = st.integers(1, 10**12 - 1).map(str)
bodies = st.binary(max_size=120) | st.lists(st.sampled_from([0x7D, 0x7E, 1, 2]), max_size=60).map(bytes)


@st.composite
def good_frames(draw: st.DrawFn) -> bytes:
    message = build_message(
        draw(st.sampled_from([0x0200, 0x0002, 0x0704, 0x7D7E])), draw(bodies), draw(phones), draw(st.integers(0, 0xFFFF)),
        version=draw(versions),
    )  # fmt: skip
    return encode_frame(message)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Good frames with junk, damage and shared delimiters between them, cut anywhere."""
    whole = b""
    for frame in draw(st.lists(good_frames(), max_size=6)):
        damage = draw(st.integers(0, 9))
        if damage == 0:
            at = draw(st.integers(0, len(frame) - 1))
            frame = frame[:at] + bytes([frame[at] ^ (1 << draw(st.integers(0, 7)))]) + frame[at + 1 :]
        elif damage == 1:
            frame = frame[: draw(st.integers(0, len(frame)))]
        elif damage == 2 and whole.endswith(b"\x7e"):
            frame = frame[1:]  # shared delimiter
        elif damage == 3:
            frame = draw(st.binary(max_size=20)) + frame
        whole += frame
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(streams(), min_size=1, max_size=4))
def test_same_messages_as_the_scalar_reader(pieces: list[list[bytes]]) -> None:
    for stream, (messages, _refused) in zip(pieces, columns_of(pieces), strict=True):
        assert messages == reference(b"".join(stream))


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.binary(max_size=80), min_size=1, max_size=4))
def test_any_bytes_give_frames_or_refusals(chunks: list[bytes]) -> None:
    for chunk, (messages, _refused) in zip(chunks, columns_of([[c] for c in chunks]), strict=True):
        assert messages == reference(chunk)


def test_every_cut_of_two_frames_and_the_escape_at_the_cut() -> None:
    one = encode_frame(build_message(0x0200, b"\x7d\x7e\x7d" * 9 + b"\x01", "13900000001", 0x7D7E))
    two = encode_frame(build_message(0x0002, b"", "13900000001", 7, version=Version.V2019))
    stream = one + two[1:]
    for cut in range(len(stream) + 1):
        ((messages, refused),) = columns_of([[stream[:cut], stream[cut:]]])
        assert messages == reference(stream)
        assert len(messages) == 2
        assert refused == 0


def test_vectors() -> None:
    frames = all_frames()
    found = columns_of([[f] for f in frames])
    for frame, (messages, refused) in zip(frames, found, strict=True):
        assert messages == reference(frame)
        assert refused == 0
        assert len(messages) == 1


def test_positions_of_our_vectors() -> None:
    """All frames in one turn, each from a connection of its own: the header's columns and the positions' are as told."""
    told = cases()
    frames = gather([one["frame"] for one in told], np.zeros(len(told), np.bool_)).frames
    assert frames.chunk.tolist() == list(range(len(told)))
    assert frames.verdict.tolist() == [0] * len(told)
    for name in ("id", "serial"):
        assert getattr(frames, name).tolist() == [one[name] for one in told]
    assert frames.v2019.tolist() == [one["edition"] == 2019 for one in told]
    phones = [int(hi) << 64 | int(lo) for hi, lo in zip(frames.phone_hi, frames.phone_lo, strict=True)]
    assert phones == [int(one["phone"], 16) for one in told]
    assert frames.whole_plain.tolist() == [one["total"] == 0 for one in told]

    batches = np.flatnonzero((frames.id == 0x0704) & frames.whole_plain)
    bodies, whole, kind = expand_batches(frames.data, frames.body[batches], frames.body_length[batches])
    assert whole.all()
    assert kind.tolist() == [told[k]["decoded"]["kind"] for k in batches]
    single = np.flatnonzero(frames.id == 0x0200)
    expected = [told[k]["decoded"] for k in single] + [
        p for k in batches for p in told[k]["decoded"]["positions"]
    ]
    start = np.concatenate([frames.body[single], bodies.start])
    result = decode(
        frames.data, start, np.concatenate([frames.body_length[single], bodies.length]),
        terminal=np.arange(len(start), dtype=np.int32), received_us=5, source=np.zeros(len(start), np.uint8),
    )  # fmt: skip
    batch = result.batch
    assert len(batch) == len(expected) == 42
    for k, want in enumerate(expected):
        items = batch.items_data[batch.items_offsets[k] : batch.items_offsets[k + 1]].tobytes()
        assert items.hex() == want["rest"]
        for name in (
            "device_us",
            "lat_e6",
            "lon_e6",
            "altitude_m",
            "speed_dkmh",
            "direction_deg",
            "alarm",
            "status",
        ):
            assert getattr(batch, name)[k] == want[name], (k, name)
        for name in OPTIONAL:
            assert (bool(batch.has(name)[k]), getattr(batch, name)[k]) == (name in want, want.get(name, 0))


# --- positions ------------------------------------------------------------------------------------------------------


def place(body: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    data = np.frombuffer(b"".join(body) + bytes(PADDING), np.uint8)
    length = np.array([len(b) for b in body], np.int64)
    return data, np.cumsum(length) - length, length


def decode_all(body: list[bytes]) -> Decoded:
    data, start, length = place(body)
    n = len(body)
    return decode(
        data,
        start,
        length,
        terminal=np.arange(n, dtype=np.int32),
        received_us=5,
        source=np.zeros(n, np.uint8),
    )


def decode_bodies(body: list[bytes]) -> tuple[PositionBatch, list[int], int]:
    result = decode_all(body)
    return result.batch, result.rows.tolist(), sum(result.odd_items.values())


def expected_row(body: bytes) -> dict[str, object]:
    """A second, plain reading of one body, straight from table 23 and the item list."""

    def unsigned(a: int, b: int) -> int:
        return int.from_bytes(body[a:b], "big")

    status = unsigned(4, 8)
    (lat,) = np.frombuffer(body[8:12], ">u4").astype(np.uint32).view(np.int32).tolist()
    (lon,) = np.frombuffer(body[12:16], ">u4").astype(np.uint32).view(np.int32).tolist()
    row: dict[str, object] = {
        "alarm": unsigned(0, 4),
        "status": status,
        "lat_e6": -lat if status & 4 and lat != -(2**31) else lat,
        "lon_e6": -lon if status & 8 and lon != -(2**31) else lon,
        "altitude_m": int.from_bytes(body[16:18], "big", signed=True),
        "speed_dkmh": unsigned(18, 20),
        "direction_deg": unsigned(20, 22),
    }
    columns = {1: ("odometer_dkm", 4), 2: ("fuel_dl", 2), 3: ("recorder_speed_dkmh", 2), 0x30: ("radio", 1), 0x31: ("satellites", 1)}  # fmt: skip
    at, left = 28, b""
    named = set()
    while at < len(body):
        size = body[at + 1] if at + 1 < len(body) else -1
        whole = size >= 0 and at + 2 + size <= len(body)
        name, width = columns.get(body[at], ("", -1))
        value = body[at + 2 : at + 2 + size]
        fits = whole and size == width and name not in named
        named |= {name} if fits else set()
        if fits and value != b"\xff" * width:  # all bits set: no data
            row[name] = int.from_bytes(value, "big")
        else:
            left += body[at : at + 2 + size] if whole else body[at:]
        if not whole:
            break
        at += 2 + size
    row["items"] = left
    return row


item = st.tuples(
    st.sampled_from([0x01, 0x02, 0x03, 0x30, 0x31, 0x2A, 0x25, 0xE1, 0x11, 0x18, 0x64]), st.sampled_from([0, 1, 2, 3, 4, 5]),
    st.binary(min_size=5, max_size=5) | st.just(b"\xff" * 5),
).map(lambda t: bytes([t[0], t[1]]) + t[2][: t[1]])  # fmt: skip
good_item = st.sampled_from(
    [b"\x01\x04\x00\x00\x01\x02", b"\x30\x01\x16", b"\x31\x01\x0b", b"\x2a\x02\x00\x01"]
)
location_bodies = st.tuples(
    st.binary(min_size=28, max_size=28),
    st.lists(item | good_item, max_size=5).map(b"".join),
    st.binary(max_size=3),
).map(b"".join)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(location_bodies | st.binary(max_size=27), max_size=12))
def test_positions_as_a_plain_reading_has_them(body: list[bytes]) -> None:
    batch, rows, _odd = decode_bodies(body)
    assert rows == [i for i, b in enumerate(body) if len(b) >= 28]
    for k, i in enumerate(rows):
        want = expected_row(body[i])
        items = batch.items_data[batch.items_offsets[k] : batch.items_offsets[k + 1]].tobytes()
        assert items == want.pop("items")
        assert {name: getattr(batch, name)[k] for name in want} == want
        for name in ("odometer_dkm", "fuel_dl", "recorder_speed_dkmh", "radio", "satellites"):
            assert batch.has(name)[k] == (name in want)
        assert batch.terminal[k] == i


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(location_bodies, max_size=12))
def test_what_is_odd_and_what_is_absent_is_counted_as_the_scalar_codec_does(body: list[bytes]) -> None:
    result = decode_all(body)
    told = [decode_items(b[28:]) for b in body]
    assert sum(result.odd_items.values()) == sum(t.odd for t in told)
    assert sum(result.absent_items.values()) == sum(t.absent for t in told)
    assert result.odd_items.get(TAIL, 0) == sum(bool(t.tail) for t in told)
    # What one body gives does not depend on those beside it: else the same report sent again were another one.
    for k, one in enumerate(body):
        alone = decode_all([one]).batch
        assert fingerprint(result.batch)[k] == fingerprint(alone)[0]


def test_all_bits_set_is_no_data_and_what_was_sent_is_kept() -> None:
    start = bytes(22) + bytes.fromhex("260216000000")
    none = bytes.fromhex("0104ffffffff 0202ffff 0302ffff 2504ffffffff 3001ff 3101ff")
    some = bytes.fromhex("01040000000a 0202ffff 030200f0 2504ffffffff 3001ff 31010b")
    result = decode_all([start + some] * 3 + [start + none, start + some])
    assert result.absent_items == {1: 1, 2: 5, 3: 1, 0x25: 5, 0x30: 5, 0x31: 1}
    assert result.odd_items == {}
    assert result.batch.has("odometer_dkm").tolist() == [True] * 3 + [False, True]
    assert result.batch.odometer_dkm.tolist() == [10, 10, 10, 0, 10]
    assert not result.batch.has("fuel_dl").any()
    offsets = result.batch.items_offsets
    assert result.batch.items_data[offsets[3] : offsets[4]].tobytes() == none
    assert result.batch.items_data[: offsets[1]].tobytes() == bytes.fromhex("0202ffff2504ffffffff3001ff")


def test_every_known_item_of_a_wrong_length_is_counted_by_its_id() -> None:
    start = bytes(22) + bytes.fromhex("260216000000")
    odd = [
        start + bytes((item.id, 200)) + bytes(200)
        for item in ITEMS
        if all(fixed_width(la) for la in item.layouts)
    ]
    assert decode_all(odd).odd_items == {body[28]: 1 for body in odd}
    assert (
        decode_all([start + bytes.fromhex("1803000150"), start + bytes.fromhex("18020001")]).odd_items == {}
    )


@pytest.mark.parametrize("south", [False, True])
def test_a_coordinate_in_two_s_complement_is_kept_and_flagged(south: bool) -> None:
    status = 2 | (4 if south else 0)
    sent = (-29_500_000) % (1 << 32)
    body = (
        bytes(4)
        + status.to_bytes(4, "big")
        + sent.to_bytes(4, "big")
        + (106_500_000).to_bytes(4, "big")
        + bytes(6)
    )
    body += bytes.fromhex("260302120000")
    batch = decode_all([body]).batch
    assert batch.lat_e6.tolist() == [29_500_000 if south else -29_500_000]
    negative = (int(batch.status[0]) & 4) != 0
    assert int(-batch.lat_e6[0] if negative else batch.lat_e6[0]) % (1 << 32) == sent  # nothing is lost
    assert assess(replace(batch, received_us=batch.device_us)).tolist() == [Quality.OUT_OF_WORLD]
    scalar = decode_location(body)
    assert not isinstance(scalar, Rejection)
    assert scalar.lat_e6 == batch.lat_e6[0]


def test_hundreds_of_layouts_and_columns_that_no_body_has() -> None:
    """Vendor items of every length, of bodies that have the odometer and of bodies that have nothing else."""
    start = bytes(22) + bytes.fromhex("260216000000")
    vendor = [start + bytes((0xE1, k)) + bytes([k]) * k for k in range(256)]
    other = [start + b"\x01\x04\x00\x00\x01\x02" + bytes((0xE2, k)) + bytes(k) for k in range(0, 200, 3)]
    for bodies_of_turn in ([], vendor, vendor[:1], other, [*vendor, *other, start]):
        batch, rows, odd = decode_bodies(bodies_of_turn)
        assert (rows, odd) == (list(range(len(bodies_of_turn))), 0)
        has = batch.has("odometer_dkm")
        assert has.tolist() == [body[28:29] == b"\x01" for body in bodies_of_turn]
        for k, body in enumerate(bodies_of_turn):
            items = batch.items_data[batch.items_offsets[k] : batch.items_offsets[k + 1]].tobytes()
            assert items == body[34 if has[k] else 28 :]


def test_no_replies_are_no_bytes() -> None:
    none = np.zeros(0, np.uint64)
    columns = dict.fromkeys(
        ("flags", "protocol_version", "phone_hi", "phone_lo", "serial", "of_serial", "of_id", "result"), none
    )
    data, offsets = general_replies(v2019=np.zeros(0, np.bool_), **columns)
    assert (data, offsets.tolist()) == (b"", [0])


@given(
    st.datetimes(
        min_value=__import__("datetime").datetime(2000, 1, 1),
        max_value=__import__("datetime").datetime(2099, 12, 31),
    )
)
def test_times_are_gmt8(moment: object) -> None:
    from datetime import datetime, timedelta

    assert isinstance(moment, datetime)
    moment = moment.replace(microsecond=0)
    rows = np.frombuffer(bytes.fromhex(moment.strftime("%y%m%d%H%M%S")), np.uint8)[None, :]
    utc = moment - timedelta(hours=8)
    assert decode_times(rows)[0] == int((utc - datetime(1970, 1, 1)) / timedelta(microseconds=1))


@pytest.mark.parametrize("text", ["000000000000", "260230000000", "261301000000", "260100000000", "260101240000", "260101006000", "260101000060", "2a0101000000", "ffffffffffff"])  # fmt: skip
def test_unreadable_times_are_zero(text: str) -> None:
    assert decode_times(np.frombuffer(bytes.fromhex(text), np.uint8)[None, :])[0] == 0


def test_batch_envelope_keeps_the_good_points() -> None:
    point = bytes(28)
    good = b"\x00\x02\x01" + b"\x00\x1c" + point + b"\x00\x1c" + point
    short_point = b"\x00\x02\x00" + b"\x00\x03abc" + b"\x00\x1c" + point
    cut = good[:40]
    too_many = b"\x00\x03\x00" + b"\x00\x1c" + point
    data, start, length = place([good, short_point, cut, too_many, b"", b"\x00\x00\x00"])
    bodies, whole, kind = expand_batches(data, start, length)
    assert bodies.owner.tolist() == [0, 0, 1, 1, 2, 3]
    assert bodies.length.tolist() == [28, 28, 3, 28, 28, 28]
    assert whole.tolist() == [True, True, False, False, False, False]
    assert kind[:4].tolist() == [1, 0, 1, 0]


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(
        st.tuples(
            phones,
            versions,
            st.booleans(),
            st.integers(0, 255),
            *[st.integers(0, 0xFFFF)] * 3,
            st.integers(0, 4),
        ),
        min_size=1,
        max_size=10,
    )
)
def test_replies_as_the_scalar_encoder_makes_them(
    rows: list[tuple[str, Version, bool, int, int, int, int, int]],
) -> None:
    messages = [
        build_message(identity, b"", phone, of, version=version, version_flag=flag, protocol_version=protocol)
        for phone, version, flag, protocol, of, identity, _serial, _result in rows
    ]
    frames = gather([encode_frame(m) for m in messages], np.zeros(len(rows), np.bool_)).frames
    data, offsets = general_replies(
        v2019=frames.v2019,
        flags=frames.properties,
        protocol_version=frames.protocol_version,
        phone_hi=frames.phone_hi,
        phone_lo=frames.phone_lo,
        serial=np.array([r[6] for r in rows], np.uint16),
        of_serial=frames.serial,
        of_id=frames.id,
        result=np.array([r[7] for r in rows], np.uint8),
    )
    for k, message in enumerate(messages):
        parsed = parse_header(message)
        assert not isinstance(parsed, Rejection)
        assert data[offsets[k] : offsets[k + 1]] == general_reply(parsed[0], rows[k][7], rows[k][6])
