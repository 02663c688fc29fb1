"""Every message of the three editions: by the standard's tables, both ways, broken anywhere, and with what no table has."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from typing import Any

import pytest

from telemetry.jt808.ids import Direction, MessageId
from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar import report
from telemetry.jt808.scalar.fields import fixed_width
from telemetry.jt808.scalar.framing import FrameReader
from telemetry.jt808.scalar.header import Version, parse_header
from telemetry.jt808.tables import position
from telemetry.jt808.tables.catalogue import CATALOGUE
from telemetry.jt808.tables.codec import Body, decode, decode_likely, encode, frames, table_of
from telemetry.jt808.tables.composite import Bit, Either, Numbers, OneOf, Optional, Rows, Typed, When
from telemetry.jt808.tables.data import inflated
from telemetry.jt808.tables.dialects import DIALECTS
from telemetry.jt808.tables.explain import explain_segment
from telemetry.jt808.tables.grammar import (
    Bcd,
    Element,
    FieldError,
    Num,
    Raw,
    Row,
    Table,
    Text,
    missing_in_gbk,
)
from telemetry.jt808.tables.parameter_ids import PARAMETERS
from telemetry.jt808.tables.shown import in_words
from tests.jt808_messages import CASES, Case

EACH = [(one, Version(edition)) for one in CASES for edition in one.editions]
TABLES = [(message, edition) for message in CATALOGUE.values() for edition in message.tables]


def name(one: object) -> str:
    return f"{one.message:04x}" if isinstance(one, Case) else str(one)


def body_of(result: Body | Rejection) -> Body:
    assert isinstance(result, Body), result
    return result


@pytest.mark.parametrize(("one", "edition"), EACH, ids=name)
def test_the_standard_s_tables_both_ways(one: Case, edition: Version) -> None:
    read = body_of(decode(one.message, edition, one.body))
    assert read.fields == one.fields
    assert (read.leftovers, read.remarks) == (b"", ())
    assert encode(one.message, edition, one.fields) == one.body


def test_every_message_of_every_edition_has_a_vector() -> None:
    shown = {(one.message, edition) for one, edition in EACH}
    assert {(int(message.id), edition) for message, edition in TABLES} - shown == set()


def test_every_message_of_the_list_has_a_table() -> None:
    assert set(CATALOGUE) == set(map(int, MessageId))
    for each in MessageId:
        assert {edition for edition, clause in each.clauses.items() if clause} == set(
            CATALOGUE[each].tables
        ), each


def test_cut_anywhere_it_is_a_refusal_or_a_shorter_message() -> None:
    for one, edition in EACH:
        for length in range(len(one.body)):
            read = decode(one.message, edition, one.body[:length])
            if isinstance(read, Rejection):
                assert read.reason is Reason.BAD_BODY
                assert read.detail.startswith(f"{one.message:#06x} ")
            else:
                again = encode(one.message, edition, read.fields)
                if len(again) + len(read.leftovers) == length:  # not where it was read in another layout
                    assert again + read.leftovers == one.body[:length]
                assert body_of(decode(one.message, edition, again)).fields == read.fields
            for frame in frames("13900000001", edition, one.message, one.body[:length], 7):
                told = explain_segment(frame[1:-1])
                assert told.header is not None


def test_what_stands_behind_is_kept() -> None:
    for one, edition in EACH:
        read = decode(one.message, edition, one.body + b"\xde\xad")
        if isinstance(read, Body):
            assert encode(one.message, edition, read.fields) + read.leftovers == one.body + b"\xde\xad"


# --- any values, any bytes -------------------------------------------------------------------------


class Values:
    """Values that a table can carry, by chance."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def row(self, table: Table) -> Row:
        row: Row = {}
        for element in table:
            self.add(element, row)
        return row

    def add(self, element: Element, row: Row) -> None:
        match element:
            case Num():
                if not element.count_of:
                    row[element.name] = self.number(element)
            case Text() | Raw() | Bcd():
                row[element.name] = self.simple(element)
            case Numbers():
                row[element.name] = [
                    self.random.randrange(1 << 8 * element.width) for _ in range(self.random.randrange(4))
                ]
            case Rows():
                rows = [self.row(element.table) for _ in range(self.random.randrange(1, 4))]
                # What has no length takes all that is left: nothing can stand behind it.
                greedy = [
                    k
                    for k, one in enumerate(rows)
                    if isinstance(one.get("value"), bytes) and "控制" in element.label
                ]
                row[element.name] = rows[: greedy[0] + 1] if greedy else rows
            case When():
                if element.condition.holds(row):
                    for inner in element.table:
                        self.add(inner, row)
            case Optional():
                if self.random.random() < 0.5:
                    for inner in element.table:
                        self.add(inner, row)
            case Either():
                for inner in element.tables[0]:
                    self.add(inner, row)
            case Typed():
                identity = row[element.key] = self.random.choice([*element.known, 0xF123])
                known = element.known.get(identity)
                row[element.name] = self.random.randbytes(3) if known is None else self.simple(known)
            case _:
                raise AssertionError(element)

    def number(self, element: Num) -> int:
        if element.codes and self.random.random() < 0.8:
            return self.random.choice(list(element.codes))
        low = -(1 << 8 * element.width - 1) if element.signed else 0
        return low + self.random.randrange(1 << 8 * element.width)

    def simple(self, element: Num | Text | Raw | Bcd) -> Any:
        match element:
            case Num():
                return self.number(element)
            case Text():
                width = element.width or element.most or 40
                length = self.random.randrange(min(width, 40) // 2 + 1)
                return "".join(self.random.choice("苏F1张三 a返回;.") for _ in range(length)).strip()
            case Raw():
                return self.random.randbytes(element.width or self.random.randrange(40))
            case Bcd():
                return "".join(self.random.choice("0123456789") for _ in range(2 * element.width))


def told_counts(table: Table, row: Any) -> None:
    """Puts in the counts that were left for the table to write."""
    for element in table:
        if isinstance(element, Num) and element.count_of in row:
            row.setdefault(element.name, len(row[element.count_of]))
        elif isinstance(element, When | Optional):
            told_counts(element.table, row)


def test_any_values_come_back() -> None:
    for message, edition in TABLES:
        table = message.tables[edition]
        values = Values(int(message.id) * 10_000 + edition)
        for _ in range(12):
            fields = values.row(table)
            body = encode(message.id, edition, fields)
            read = body_of(decode(message.id, edition, body))
            told_counts(table, fields)
            assert read.fields == fields
            assert read.leftovers == b""


def test_any_bytes_are_read_or_refused_and_written_alike() -> None:
    for message, edition in TABLES:
        chance = random.Random(int(message.id) * 10_000 + edition)
        for length in (*range(12), 30, 60, 200):
            body = bytes(
                chance.choice((0, 0, 1, 2, 3, 0x20, 0xB2, 0xFF, chance.randrange(256))) for _ in range(length)
            )
            read = decode(message.id, edition, body)
            if isinstance(read, Body):
                if len(str(read.fields.get("phone", ""))) > 20:
                    continue  # longer than it may be sent
                again = encode(message.id, edition, read.fields)
                # Padding of a text may differ; what it says does not.
                assert body_of(decode(message.id, edition, again)).fields == read.fields
            assert isinstance(decode_likely(message.id, edition, body), Body | Rejection)


# --- what cannot be sent ---------------------------------------------------------------------------


def refused(message_id: int, edition: Version, fields: dict[str, Any]) -> FieldError:
    with pytest.raises(FieldError) as error:
        encode(message_id, edition, fields)
    assert error.value.chinese
    assert error.value.english
    return error.value


def test_a_text_with_characters_that_gbk_does_not_have_is_told_before_it_is_sent() -> None:
    assert missing_in_gbk("请速回🚗车场🚗𠮷") == "🚗𠮷"
    error = refused(0x8300, Version.V2013, {"flag": 8, "text": "请速回🚗"})
    assert error.pointer == "text"
    assert "U+1F697" in error.chinese


@pytest.mark.parametrize(
    ("message_id", "edition", "fields", "pointer"),
    [
        (0x8300, 2013, {"flag": 8, "text": "车" * 513}, "text"),
        (0x8300, 2013, {"flag": 8}, "text"),
        (0x8300, 2013, {"flag": 8, "text": "车", "kind": 1}, "kind"),
        (0x8300, 2019, {"flag": 8, "text": "车"}, "kind"),
        (0x8300, 2013, {"flag": 256, "text": "车"}, "flag"),
        (0x8300, 2013, {"flag": True, "text": "车"}, "flag"),
        (0x8300, 2013, {"flag": 1, "text": "a\x00b"}, "text"),
        (0x8103, 2013, {"parameters": [{"id": 0x0023, "value": "apn"}]}, "parameters/0/value"),
        (0x8103, 2013, {"parameters": [{"id": 0x0001, "value": 1 << 32}]}, "parameters/0/value"),
        (0x8103, 2013, {"parameters": [{"id": 0x0001, "value": "60"}]}, "parameters/0/value"),
        (0x8103, 2013, {"parameters": [{"id": 0x0010, "value": "a" * 256}]}, "parameters/0/value"),
        (0x8103, 2013, {"parameters": [{"id": 0x0001, "value": 1}] * 256}, "parameters"),
        (0x8103, 2013, {"parameters": {"id": 1}}, "parameters"),
        (0x8103, 2013, {"parameters": [1]}, "parameters/0"),
        (0x8202, 2013, {"interval": 5}, "validity"),
        (0x8601, 2013, {"ids": [1, -1]}, "ids/1"),
        (0x8600, 2013, {"setting": 0, "areas": [{"id": 1, "attributes": 0, "lat_e6": 1, "lon_e6": 1, "radius_m": 1,
                                                 "begins": "260302000000"}]}, "areas/0/begins"),
        (0x8802, 2013, {"media_type": 0, "channel": 0, "event": 0, "begins": "2026-03-02", "ends": "0" * 12}, "begins"),
        (0x8500, 2019, {"controls": [{"id": 1, "value": 256}]}, "controls/0/value"),
        (0x8A00, 2019, {"e": 3, "n": b"short"}, "n"),
        (0x8204, 2013, {}, ""),
        (0x8F00, 2019, {}, ""),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_place(
    message_id: int, edition: int, fields: Any, pointer: str
) -> None:
    assert refused(message_id, Version(edition), fields).pointer == pointer


def test_a_long_text_goes_out_in_packages_with_consecutive_serials() -> None:
    text = "车" * 512
    body = encode(0x8300, Version.V2019, {"flag": 8, "kind": 1, "text": text})
    sent = frames("13900000001", Version.V2019, 0x8300, body, 0xFFFF, protocol_version=2)
    reader = FrameReader()
    headers, bodies = [], []
    for frame in sent:
        (message,) = reader.feed(frame)
        assert isinstance(message, bytes)
        parsed = parse_header(message)
        assert not isinstance(parsed, Rejection)
        headers.append(parsed[0])
        bodies.append(parsed[1])
    assert [(header.serial, header.total, header.index) for header in headers] == [(0xFFFF, 2, 1), (0, 2, 2)]
    assert {(header.phone, header.version_flag, header.protocol_version) for header in headers} == {
        ("00000000013900000001", True, 2)
    }
    assert body_of(decode(0x8300, Version.V2019, b"".join(bodies))).fields["text"] == text


# --- what terminals do ------------------------------------------------------------------------------


def test_unknown_and_odd_parameters_stay_bytes() -> None:
    body = bytes.fromhex("03 00000001 02 003C 0000F364 03 010203 00000083 02 FFFF")
    read = body_of(decode(0x8103, Version.V2013, body))
    assert [one["value"] for one in read.fields["parameters"]] == [b"\x00\x3c", b"\x01\x02\x03", b"\xff\xff"]  # type: ignore[union-attr, index]  # rows of a list
    assert [path for path, _ in read.remarks] == ["parameters/0/value", "parameters/2/value"]
    assert encode(0x8103, Version.V2013, read.fields) == body


def test_a_text_that_is_no_gbk_stays_bytes() -> None:
    read = body_of(decode(0x8300, Version.V2013, b"\x01\xff\xff"))
    assert read.fields["text"] == b"\xff\xff"
    assert read.remarks[0][0] == "text"


def test_retransmission_is_read_in_the_form_of_either_edition() -> None:
    byte, word = bytes.fromhex("0064 02 0002 0005"), bytes.fromhex("0064 0002 0002 0005")
    for edition in (Version.V2013, Version.V2019):
        for body in (byte, word):
            read = body_of(decode(0x8003, edition, body))
            assert (read.fields["indexes"], read.leftovers) == ([2, 5], b"")


def test_the_likely_edition_is_that_which_fits_whole() -> None:
    for one, edition in EACH:
        if one.message in (0x0107, 0x0702, 0x0801, 0x8103):
            read = body_of(decode_likely(one.message, edition, one.body))
            assert read.edition is edition, (hex(one.message), edition)
    attributes = next(one for one in CASES if one.message == 0x0107 and one.editions == (2019,))
    assert body_of(decode_likely(0x0107, Version.V2013, attributes.body)).edition is Version.V2019
    maker_11 = attributes.body[:2] + b"GONGCHE1234" + attributes.body[7:]
    fields = attributes.fields | {"manufacturer": "GONGCHE1234"}
    assert body_of(decode(0x0107, Version.V2019, maker_11)).fields == fields
    assert encode(0x0107, Version.V2019, fields) == maker_11
    old_card = next(one for one in CASES if one.message == 0x0702 and one.editions == (2011,))
    assert body_of(decode_likely(0x0702, Version.V2013, old_card.body)).edition is Version.V2011


def test_a_batch_that_breaks_off_keeps_what_is_whole() -> None:
    one = next(one for one in CASES if one.message == 0x0704)
    read = body_of(decode(0x0704, Version.V2013, one.body[:-1]))
    assert read.fields["positions"] == one.fields["positions"][:1]
    assert [path for path, _ in read.remarks] == ["count"]
    assert len(read.leftovers) == 2 + 39 - 1


def test_a_position_of_the_tables_is_that_of_the_server() -> None:
    table = [(one.name, one.width) for one in position.BASIC if isinstance(one, Num | Bcd)]
    assert table == [(one.name, one.width) for one in report.BASIC_TABLE]
    assert sum(width for _, width in table) == fixed_width(report.BASIC_TABLE) == report.BASIC_LENGTH


def test_areas_that_are_told_without_their_setting_are_read_too() -> None:
    bare = bytes.fromhex("01 00000001 00000001 0000 01E7F9E0 0734A290 000001F4 0000")
    read = body_of(decode(0x0608, Version.V2019, bare))
    assert read.fields["areas"] == [
        {"id": 1, "attributes": 0, "lat_e6": 31_980_000, "lon_e6": 120_890_000, "radius_m": 500, "name": ""}
    ]
    assert encode(0x0608, Version.V2019, read.fields) == bare


# --- gzip -------------------------------------------------------------------------------------------


def test_compressed_data_are_bounded() -> None:
    packed = gzip.compress(b"x" * 1000)
    assert inflated(packed, 1000) == b"x" * 1000
    for data, most, reason in (
        (packed, 999, Reason.TOO_LONG),
        (gzip.compress(bytes(50_000_000), 9), 1 << 20, Reason.TOO_LONG),
        (packed[:-1], 1000, Reason.BAD_BODY),
        (packed + b"x", 1000, Reason.BAD_BODY),
        (b"no gzip", 1000, Reason.BAD_BODY),
        (b"", 1000, Reason.BAD_BODY),
    ):
        refused = inflated(data, most)
        assert isinstance(refused, Rejection)
        assert refused.reason is reason


# --- words ------------------------------------------------------------------------------------------


def labels() -> Iterator[str]:
    for message in CATALOGUE.values():
        yield message.label
        for table in message.tables.values():
            yield from table_labels(table)
    for dialect in DIALECTS:
        yield dialect.label
        for table in dialect.items.values():
            yield from table_labels(table)
    for known in PARAMETERS.values():
        for element in known.values():
            yield from table_labels((element,))


def table_labels(table: Table) -> Iterator[str]:
    for element in table:
        match element:
            case When() | Optional():
                yield from table_labels(element.table)
            case Either():
                for each in element.tables:
                    yield from table_labels(each)
            case Rows():
                yield element.label
                yield from table_labels(element.table)
            case Num():
                yield element.label
                yield from (element.codes or {}).values()
                yield from (element.bits or {}).values()
            case _:
                yield element.label


def test_every_label_has_chinese_and_english() -> None:
    for label in labels():
        chinese, english = in_words(label, False), in_words(label, True)
        assert label.count("|") <= 1
        assert english.isascii() or english == "°", label
        if "|" in label:
            assert any(ord(character) > 0x2E7F for character in chinese), label


def test_ids_are_on_the_side_of_their_sender() -> None:
    for each in MessageId:
        assert (each.direction is Direction.DOWN) == bool(each & 0x8000)


def test_conditions_name_fields_before_them() -> None:
    def check(table: Table, known: set[str]) -> None:
        for element in table:
            if isinstance(element, When):
                assert isinstance(element.condition, Bit | OneOf)
                assert element.condition.name in known
                check(element.table, known)
            elif isinstance(element, Rows):
                check(element.table, set())
            known.update(element.names())

    for message, edition in TABLES:
        table = table_of(message.id, edition)
        assert table is not None
        check(table, set())
