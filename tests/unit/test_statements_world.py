"""Statements as Excel, WPS and offices really leave them: read right, or refused with what to do."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from registry.bulk import read_rows
from registry.refusals import UnreadableError
from registry.statements.cells import rounded_codes
from registry.statements.columns import read_mapping
from registry.statements.importer import read_statement
from registry.statements.rows import Parsed
from registry.statements.units import factor_of, zone_of

NOW = datetime(2026, 11, 28, tzinfo=UTC)
HEADER = ("卡号", "交易时间", "交易类型", "油品", "数量(升)", "单价", "金额(元)", "网点", "流水号")
ROW = ("9030120000012345", "2026-11-26 09:00:05", "加油", "92号汽油", 40, 7.5, 300, "甲加油站", "L1")
INPUTS = Path(__file__).resolve().parents[3] / "shared" / "inputs"


def parsed(data: bytes | str) -> Parsed:
    return read_statement(
        "statement", data.encode() if isinstance(data, str) else data, read_mapping("statement", {}), NOW
    )


def book(*rows: tuple[Any, ...], change: Any = None) -> bytes:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    if change is not None:
        change(made)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def parts(data: bytes, change: Any) -> bytes:
    """The workbook with its parts renamed or rewritten by ``change(name, content)``."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            name, content = change(item.filename, old.read(item))
            new.writestr(name, content)
    return out.getvalue()


def row(**changes: Any) -> tuple[Any, ...]:
    names = ("card", "at", "kind", "product", "quantity", "price", "amount", "station", "number")
    return tuple(changes.get(name, value) for name, value in zip(names, ROW, strict=True))


def one(data: bytes | str) -> Any:
    found = parsed(data)
    assert not found.flaws, found.flaws
    (draft,) = found.drafts
    return draft.record


def flaws(data: bytes | str) -> list[tuple[int, str]]:
    return [(f.row, f.field) for f in parsed(data).flaws]


# --- numbers that Excel has changed


def test_a_card_in_a_number_cell_is_refused_with_what_to_do() -> None:
    found = parsed(book(HEADER, row(card=9030120000012345), row(card=123456789012345, number="L2"), ROW))
    assert [(f.row, f.field) for f in found.flaws] == [(2, "card")]
    assert "文本" in found.flaws[0].message
    assert len(found.drafts) == 2


@pytest.mark.parametrize("text", ["9.03012E+15", "9.03012e15"])
def test_a_card_in_scientific_notation_is_refused(text: str) -> None:
    line = ",".join(map(str, row(card=text)))
    assert flaws(f"{','.join(HEADER)}\n{line}\n") == [(2, "card")]


def test_numbers_of_records_are_identifiers_too() -> None:
    assert flaws(book(HEADER, row(number=20261126090005123456))) == [(2, "number")]
    violations = book(
        ("号牌号码", "违法时间", "违法行为", "违法编号"),
        ("苏F12345", "2026-11-26 09:00", "闯红灯", 3206001234567890),
    )
    found = read_statement("violations", violations, read_mapping("violations", {}), NOW)
    assert [(f.row, f.field) for f in found.flaws] == [(2, "number")]


def test_a_column_of_text_that_was_rounded_before_it_became_text() -> None:
    cards = ["9030120000012340", "9030120000045670", "9030120000098760"]
    assert rounded_codes(cards)
    assert not rounded_codes(cards[:2])  # by chance
    assert not rounded_codes([*cards, "9030120000012345"])
    lines = [",".join(map(str, row(card=card, number=f"L{k}"))) for k, card in enumerate(cards)]
    assert flaws("\n".join([",".join(HEADER), *lines])) == [(2, "card"), (3, "card"), (4, "card")]


# --- units and zones


@pytest.mark.parametrize(
    ("field", "header", "factor"),
    [
        ("amount", "金额（分）", Fraction(1, 100)), ("amount", "金额(万元)", 10_000), ("amount", "金额[元]", 1), ("amount", "金额", 1),
        ("amount", "金额(含税)", 1), ("quantity", "加油量（毫升）", Fraction(1, 1000)), ("quantity", "数量(L)", 1),
        ("quantity", "充电量(Wh)", Fraction(1, 1000)), ("quantity", "充电量（kWh）", 1), ("unit_price", "单价(元/升)", 1),
        ("unit_price", "单价(分/升)", Fraction(1, 100)), ("points", "记分(分)", 1), ("fine", "罚款金额(分)", Fraction(1, 100)),
        ("balance", "余额（千元）", 1000),
    ],
)  # fmt: skip
def test_units_of_headers(field: str, header: str, factor: Fraction | int) -> None:
    assert factor_of(field, header) == factor


@pytest.mark.parametrize(
    ("field", "header"), [("quantity", "数量(加仑)"), ("amount", "金额(美元)"), ("quantity", "数量(kg)")]
)
def test_units_that_are_not_known_are_refused_by_name(field: str, header: str) -> None:
    with pytest.raises(ValueError, match="unknown unit"):
        factor_of(field, header)
    changed = tuple(
        header if name == {"quantity": "数量(升)", "amount": "金额(元)"}[field] else name for name in HEADER
    )
    with pytest.raises(UnreadableError, match=re.escape(header)):
        parsed(book(changed, ROW))


@pytest.mark.parametrize(
    ("header", "hours"),
    [
        ("交易时间", 8),
        ("交易时间(UTC)", 0),
        ("交易时间（GMT+8）", 8),
        ("交易时间(北京时间)", 8),
        ("交易时间(UTC-05:30)", -5.5),
        ("时间(yyyy-MM-dd)", 8),
    ],
)
def test_zones_of_headers(header: str, hours: float) -> None:
    offset = zone_of(header).utcoffset(None)
    assert offset.total_seconds() == hours * 3600


def test_a_zone_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        zone_of("交易时间(JST)")


def test_what_is_converted_is_exact_and_told() -> None:
    header = (
        "卡号",
        "交易时间(UTC)",
        "交易类型",
        "油品",
        "加油量（毫升）",
        "单价(分/升)",
        "金额（分）",
        "网点",
        "流水号",
    )
    found = parsed(book(header, row(at="2026-11-26 01:00:05", quantity=40_123, price=750, amount=30_092)))
    (draft,) = found.drafts
    made = draft.record
    assert (str(made.quantity), str(made.unit_price), str(made.amount)) == (
        "40123",
        "75000",
        "30092",
    )  # ml, 1/10,000 yuan, fen
    assert made.at == datetime(2026, 11, 26, 1, 0, 5, tzinfo=UTC)
    assert len(found.notes) == 4


@pytest.mark.parametrize(
    ("cell", "fen"), [("30000分", 30_000), ("0.03万元", 30_000), ("300元", 30_000), ("300", 30_000)]
)
def test_units_in_cells_count(cell: str, fen: int) -> None:
    assert one(book(HEADER, row(amount=cell))).amount == fen


def test_a_fill_no_car_can_take_is_a_question() -> None:
    assert flaws(book(HEADER, row(quantity=40_000))) == [(2, "quantity")]
    assert flaws(book(HEADER, row(amount=30_000))) == [(2, "amount")]
    assert flaws(book(HEADER, row(price=750))) == [(2, "unit_price")]
    assert not flaws(book(HEADER, row(kind="圈存", quantity=None, amount=50_000)))


# --- workbooks


def test_a_formula_without_its_result_is_told_by_cell() -> None:
    found = parsed(
        book(
            HEADER,
            row(amount="=E2*F2"),
            row(quantity="=A1", number="L2"),
            row(number='="L"&3'),
            row(number="L4"),
        )
    )
    assert sorted((f.row, f.field) for f in found.flaws) == [(2, "amount"), (3, "quantity"), (4, "number")]
    assert all("公式" in f.message for f in found.flaws)
    assert len(found.drafts) == 1


def test_escapes_of_control_characters_are_read() -> None:
    data = book(HEADER, row(station="甲_x000D_加油站"))
    assert one(data).station_name == "甲 加油站"


@pytest.mark.parametrize(
    "change",
    [
        lambda name, content: (name.replace("/", "\\"), content),
        lambda name, content: (name, content.replace(b'rgb="00000000"', b'rgb="#FFFF00"').replace(b"<color theme", b'<color rgb="#FFFF00" x')),
        lambda name, content: (name, re.sub(rb"<fill>.*?</fill>", b"<fill/>", content) if name.endswith("styles.xml") else content),
        lambda name, content: (
            name.replace("sharedStrings", "SharedStrings"),
            content.replace(b"sharedStrings", b"SharedStrings") if name.endswith(("rels", "Types].xml")) else content,
        ),
    ],
    ids=["backslashes", "colour", "fill", "SharedStrings"],
)  # fmt: skip
def test_what_excel_opens_is_read(change: Any) -> None:
    made = one(parts(book(HEADER, ROW), change))
    assert (made.card, made.quantity) == ("9030120000012345", 40_000)


def test_what_nobody_reads_is_answered_with_what_to_do() -> None:
    broken = parts(
        book(HEADER, ROW),
        lambda name, content: (name, content[: len(content) // 2] if "sheet1" in name else content),
    )
    with pytest.raises(UnreadableError, match="另存"):
        parsed(broken)
    with pytest.raises(UnreadableError, match="密码"):
        parsed(b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"))


def test_merged_cells_hold_for_the_rows_below_where_that_is_clear() -> None:
    def merge(made: Any) -> None:
        made.active.merge_cells("A2:A4")
        made.active.merge_cells("H3:H4")

    data = book(
        HEADER, ROW, row(card=None, number="L2"), row(card=None, station=None, number="L3"), change=merge
    )
    found = parsed(data)
    assert not found.flaws
    assert {d.record.card for d in found.drafts} == {"9030120000012345"}
    assert {d.record.station_name for d in found.drafts} == {"甲加油站"}


def test_a_sum_merged_over_two_fills_is_refused() -> None:
    data = book(HEADER, ROW, row(amount=None, number="L2"), change=lambda b: b.active.merge_cells("G2:G3"))
    assert flaws(data) == [(3, "amount")]


def test_hidden_rows_and_sheets_are_told() -> None:
    def hide(made: Any) -> None:
        made.active.row_dimensions[2].hidden = True
        made.create_sheet("旧数据").sheet_state = "hidden"

    found = parsed(book(HEADER, ROW, row(number="L2"), change=hide))
    assert len(found.drafts) == 2
    assert "旧数据" in found.notes[0]
    assert found.notes[1].startswith("1 行被隐藏")


def test_rows_that_are_only_formatted_cost_nothing() -> None:
    """A quarter of a million of them behind the data: calamine says where the data end."""
    blank = "".join(
        f'<row r="{k}"><c r="A{k}" s="0"/><c r="B{k}" s="0"/></row>' for k in range(3, 260_000)
    ).encode()
    data = parts(
        book(HEADER, ROW),
        lambda n, c: (n, c.replace(b"</sheetData>", blank + b"</sheetData>") if "sheet1" in n else c),
    )
    found = parsed(data)
    assert (found.rows, len(found.drafts)) == (1, 1)


def test_one_cell_in_the_last_corner_takes_no_memory() -> None:
    far = b'<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>'
    data = parts(
        book(HEADER, ROW),
        lambda n, c: (n, c.replace(b"</sheetData>", far + b"</sheetData>") if "sheet1" in n else c),
    )
    found = parsed(data)
    assert len(found.drafts) == 1


# --- text that was damaged on its way


@pytest.mark.parametrize("cut", [1, 2])
def test_utf8_that_was_cut_inside_a_character_is_refused_with_the_byte(cut: int) -> None:
    text = "id,name\norg-1,市水利局\norg-2,市教育局".encode()[:-cut]
    with pytest.raises(UnreadableError, match="字节损坏"):
        read_rows("organisations", text, "csv")
    middle = "id,name\norg-1,市水利".encode()[:-cut] + "\norg-2,市教育局\n".encode()
    with pytest.raises(UnreadableError, match="row 2"):
        read_rows("organisations", middle, "csv")


def test_gbk_is_still_read() -> None:
    rows = read_rows("organisations", "id,name\norg-1,市水利局\norg-2,市财政局办公室\n".encode("gbk"), "csv")
    assert [r.values["name"] for r in rows] == ["市水利局", "市财政局办公室"]


# --- the inputs that were seen to fail


@pytest.mark.skipif(not INPUTS.exists(), reason="the inputs of others are not part of the project")
def test_inputs_that_failed() -> None:
    assert {f for _, f in flaws((INPUTS / "01-card-16-digits/statement.xlsx").read_bytes())} == {"card"}
    for name in ("fen", "ml", "wan"):
        made = one((INPUTS / f"02-units-in-header/{name}.csv").read_bytes())
        assert (made.amount, made.quantity) == (30_000, 40_000)
    for path in sorted((INPUTS / "03-xlsx-excel-opens").iterdir()):
        assert one(path.read_bytes()).card
    with pytest.raises(UnreadableError, match="密码"):
        parsed((INPUTS / "04-encrypted-xlsx/statement.xlsx").read_bytes())
    assert len(flaws((INPUTS / "06-formula-no-value/statement.xlsx").read_bytes())) >= 3
    for path in sorted((INPUTS / "08-utf8-one-bad-byte").iterdir()):
        with pytest.raises(UnreadableError, match="字节"):
            read_rows("organisations", path.read_bytes(), "csv")
