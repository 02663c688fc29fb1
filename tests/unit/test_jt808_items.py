"""Additional items: every standard one both ways, and whatever else stands there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.jt808.scalar.fields import fixed_width
from telemetry.jt808.scalar.items import ITEMS, Item, ItemValue, decode_items, encode_items

# All bits set say that there is no value: None.
U8, U16, U32 = (st.none() | st.integers(0, (1 << bits) - 2) for bits in (8, 16, 32))
VALUES: dict[str, st.SearchStrategy[ItemValue]] = {
    "odometer_dkm": U32,
    "fuel_dl": U16,
    "recorder_speed_dkmh": U16,
    "event_to_confirm": U16,
    "tyre_pressure": st.tuples(*[st.none() | st.integers(0, 254)] * 30),
    "compartment_temperature": st.none() | st.integers(-32766, 32767),
    "overspeed": U8 | st.tuples(U8, U32),
    "area_crossing": st.tuples(U8, U32, U8),
    "segment_time": st.tuples(U32, U16, U8),
    "video_alarm": U32,
    "video_signal_lost": U32,
    "video_covered": U32,
    "storage_failure": U16,
    "abnormal_driving": U16 | st.tuples(U16, U8),
    "vehicle_signals": U32,
    "io_status": U16,
    "analog": st.tuples(U16, U16),
    "radio": U8,
    "satellites": U8,
    "adas": st.binary(max_size=47),
    "dsm": st.binary(max_size=47),
    "tpms": st.binary(max_size=47),
    "bsd": st.binary(max_size=47),
}
unknown_ids = st.sampled_from(sorted(set(range(256)) - {item.id for item in ITEMS}))
unknown = st.lists(st.tuples(unknown_ids, st.binary(max_size=20)), max_size=4)


def test_every_item_has_values_to_test_with() -> None:
    assert set(VALUES) == {item.name for item in ITEMS}


@given(st.fixed_dictionaries({}, optional=VALUES), unknown)
def test_round_trip(values: dict[str, ItemValue], other: list[tuple[int, bytes]]) -> None:
    decoded = decode_items(encode_items(values, other))
    assert decoded.values == values
    assert list(decoded.other) == other
    assert (decoded.tail, decoded.odd) == (b"", 0)


@given(st.binary(max_size=120))
def test_any_bytes_are_read_and_none_is_lost(data: bytes) -> None:
    decoded = decode_items(data)
    raw = sum(2 + len(raw) for _, raw in decoded.other) + len(decoded.tail)
    assert raw <= len(data)
    if not decoded.values:
        assert b"".join(bytes((i, len(r))) + r for i, r in decoded.other) + decoded.tail == data


def test_bytes_of_the_standard() -> None:
    data = bytes.fromhex(
        "01 04 0000000b" "02 02 0016" "03 02 0021" "04 02 002c" "06 02 8005" "11 05 04 00000042"
        "12 06 01 00000002 01" "13 07 00000003 0258 01" "25 04 00000005" "2a 02 0001" "2b 04 0002 0001" "30 01 1f" "31 01 0c"
    )  # fmt: skip
    decoded = decode_items(data)
    assert decoded.values == {
        "odometer_dkm": 11, "fuel_dl": 22, "recorder_speed_dkmh": 33, "event_to_confirm": 44,
        "compartment_temperature": -5, "overspeed": (4, 66), "area_crossing": (1, 2, 1),
        "segment_time": (3, 600, 1), "vehicle_signals": 5, "io_status": 1, "analog": (2, 1), "radio": 31,
        "satellites": 12,
    }  # fmt: skip
    assert encode_items(decoded.values) == data


def test_a_wrong_known_item_costs_nothing_else() -> None:
    data = bytes.fromhex("01 03 00000130 01 1f31 02 0c0cf1 0002 02 000502 02 0006")
    decoded = decode_items(data)
    assert decoded.values == {"radio": 31, "fuel_dl": 5}
    assert decoded.other == ((1, b"\0\0\1"), (0x31, b"\x0c\x0c"), (0xF1, b""), (2, b"\0\6"))
    assert decoded.odd == 3


@pytest.mark.parametrize("tail", ["01", "0104000000", "e0ff00"])
def test_an_item_that_runs_over_the_end(tail: str) -> None:
    decoded = decode_items(bytes.fromhex("30011f" + tail))
    assert decoded.values == {"radio": 31}
    assert decoded.tail == bytes.fromhex(tail)
    assert decoded.odd == 1


def test_custom_information_after_e0_is_kept() -> None:
    decoded = decode_items(bytes.fromhex("e00301020331010c"))
    assert decoded.other == ((0xE0, b"\1\2\3"),)
    assert decoded.values == {"satellites": 12}


def test_what_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(KeyError):
        encode_items({"colour": 1})
    for values in (
        {"radio": 256},
        {"fuel_dl": -1},
        {"overspeed": (1, 2, 3)},
        {"radio": 255},
        {"compartment_temperature": -32767},
        {"adas": bytes(256)},
    ):
        with pytest.raises(ValueError, match=r".+"):
            encode_items(values)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)
def test_all_bits_set_say_that_there_is_no_value(item: Item) -> None:
    for layout in item.layouts:
        if width := fixed_width(layout):
            sent = bytes((item.id, width)) + b"\xff" * width
            decoded = decode_items(sent)
            value = decoded.values[item.name]
            assert value is None or (isinstance(value, tuple) and set(value) == {None})
            assert (decoded.absent, decoded.odd, encode_items(decoded.values)) == (1, 0, sent)


def test_abnormal_driving_of_two_bytes_and_of_three() -> None:
    assert decode_items(bytes.fromhex("1802 0001")).values == {"abnormal_driving": 1}
    assert decode_items(bytes.fromhex("1803 000150")).values == {"abnormal_driving": (1, 80)}
    assert decode_items(bytes.fromhex("1804 00000150")).odd == 1
