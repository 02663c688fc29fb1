"""Files as other programs and other countries' computers write them: read right, or refused with what to do. None may end the
process: calamine does that where it finds no room for a rectangle of cells."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from registry.bulk import ImportRefusedError, validate_rows
from registry.encodings import decoded
from registry.refusals import UnreadableError
from registry.statements.cells import number_of
from registry.statements.columns import read_mapping
from registry.statements.importer import read_statement
from registry.statements.rows import Parsed
from registry.workbook_records import read_any

NOW = datetime(2026, 11, 28, tzinfo=UTC)
AT = datetime(2026, 11, 26, 1, 0, 5, tzinfo=UTC)
HEADER = ("卡号", "交易时间", "交易类型", "油品", "数量(升)", "单价", "金额(元)", "网点", "流水号")
ROW = ("9030120000012345", "2026-11-26 09:00:05", "加油", "92号汽油", 40, 7.5, 300, "甲加油站", "L1")
ROOT = Path(__file__).resolve().parents[2]
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"


def parsed(data: bytes) -> Parsed:
    return read_statement("statement", data, read_mapping("statement", {}), NOW)


def records(kind: str, data: bytes) -> list[Any]:
    return validate_rows(kind, read_any(kind, data, None))


def row(**changes: Any) -> tuple[Any, ...]:
    names = ("card", "at", "kind", "product", "quantity", "price", "amount", "station", "number")
    return tuple(changes.get(name, value) for name, value in zip(names, ROW, strict=True))


def csv_of(*rows: tuple[Any, ...]) -> bytes:
    return "\n".join(",".join(f'"{cell}"' for cell in cells) for cells in (HEADER, *rows)).encode()


def book(*rows: tuple[Any, ...], change: Callable[[Any], None] | None = None) -> bytes:
    made = openpyxl.Workbook()
    for cells in rows:
        made.active.append(cells)
    if change is not None:
        change(made)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def xml_row(number: int, cells: tuple[Any, ...], own: dict[int, str] | None = None) -> str:
    """A row by hand; ``own``: column (from 0) -> the whole cell."""
    made = []
    for k, cell in enumerate(cells):
        place = f"{'ABCDEFGHI'[k]}{number}"
        if own and k in own:
            made.append(own[k])
        elif isinstance(cell, str):
            made.append(f'<c r="{place}" t="inlineStr"><is><t>{cell}</t></is></c>')
        elif cell is not None:
            made.append(f'<c r="{place}"><v>{cell}</v></c>')
    return f'<row r="{number}">{"".join(made)}</row>'


def by_hand(
    *sheets: str,
    main: str = MAIN,
    office: str = OFFICE,
    of_mac: bool = False,
    place: str = "worksheets/sheet{}.xml",
) -> bytes:
    """A workbook of ``sheets`` (their rows and what follows them) without styles, as small programs write it."""
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    mac = '<workbookPr date1904="1"/>' if of_mac else ""
    places = [place.format(k) for k, _ in enumerate(sheets, start=1)]
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        + "".join(f'<Override PartName="/xl/{one}" ContentType="{kind}.worksheet+xml"/>' for one in places)
        + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}">{mac}<sheets>'
        + "".join(f'<sheet name="表&apos;{k}" sheetId="{k}" r:id="r{k}"/>' for k, _ in enumerate(places, start=1))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        + "".join(
            f'<Relationship Id="r{k}" Type="{office}/worksheet" Target="{one}"/>' for k, one in enumerate(places, start=1)
        )
        + "</Relationships>",
    }  # fmt: skip
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
        for one, text in zip(places, sheets, strict=True):
            archive.writestr(f"xl/{one}", f'<worksheet xmlns="{main}"><sheetData>{text}</worksheet>')
    return out.getvalue()


HEAD = xml_row(1, HEADER)
END = "</sheetData>"


# --- archives that end the process, or hold it up

FAR = {
    "single quotes": "<c r='XFD1048576'><v>1</v></c>",
    "blanks": '<c r = "XFD1048576"><v>1</v></c>',
    "small letters": '<c r="xfd1048576"><v>1</v></c>',
    "a bracket before": '<c x=">" r="XFD1048576"><v>1</v></c>',
    "an entity": '<c r="XFD104857&#54;"><v>1</v></c>',
    "beyond every sheet": '<c r="ZZZZZZZ99999999999999"><v>1</v></c>',
    "a prefix": f'<y:c xmlns:y="{MAIN}" r="XFD1048576"><y:v>1</y:v></y:c>',
}


def far(cell: str) -> str:
    return HEAD + xml_row(2, ROW) + f'<row r="1048576">{cell}</row>{END}'


def test_a_cell_in_the_last_corner_ends_no_process_however_it_is_written(tmp_path: Path) -> None:
    """1.7 KiB that made calamine ask for 512 GiB, and abort. Read in a process of its own, with 1 GiB."""
    cases = {name: by_hand(far(cell)) for name, cell in FAR.items()}
    cases["another folder"] = by_hand(far('<c r="XFD1048576"><v>1</v></c>'), place="other/s{}.xml")
    cases["another ending"] = by_hand(far('<c r="XFD1048576"><v>1</v></c>'), place="worksheets/sheet{}.dat")
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
    code = """if True:
        import resource, sys
        from pathlib import Path
        from registry.refusals import RefusedError
        from tests.unit.test_files_of_others import parsed
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        for path in sorted(Path(sys.argv[1]).iterdir()):
            try:
                print(path.name, len(parsed(path.read_bytes()).drafts))
            except RefusedError:
                print(path.name, "refused")
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=ROOT, check=False,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1000:]
    assert len(done.stdout.splitlines()) == len(cases)


def test_archives_of_other_programs_are_called_by_name() -> None:
    """In an OpenDocument one row may stand for a million: 1 KiB took calamine 96 s and 1.8 GB."""
    for names, word in (
        (("mimetype", "content.xml", "META-INF/manifest.xml"), "OpenDocument"),
        (("[Content_Types].xml", "xl/workbook.bin", "xl/worksheets/sheet1.bin"), "xlsb"),
        (("[Content_Types].xml", "word/document.xml"), "压缩包"),
        (("对账单.csv",), "压缩包"),
    ):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name in names:
                archive.writestr(name, "<x/>")
        for read in (parsed, lambda data: records("organisations", data)):
            with pytest.raises(UnreadableError, match=word):
                read(out.getvalue())


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"%PDF-1.7\n", "PDF"), (b"Rar!\x1a\x07\x00", "RAR"), (b"\x1f\x8b\x08\0\0", "gzip"), (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (b"\x09\x08\x08\x00\x00\x05\x05\x00", "xls"), (b"MIME-Version: 1.0\r\n", "mht"), (b"\xef\xbb\xbf\r\n<html>", "网页"),
        (b"PK\x05\x06" + b"\0" * 18, "zip"), (bytes(range(9)) * 20 + b"\0\0\0" * 60, "UTF-16|文本"),
    ],
)  # fmt: skip
def test_files_that_are_no_tables_are_called_by_name(data: bytes, word: str) -> None:
    with pytest.raises(UnreadableError, match=word):
        parsed(data)
    with pytest.raises(UnreadableError, match=word):
        records("organisations", data)


def test_elements_before_the_rows_are_bounded_and_those_behind_cost_nothing() -> None:
    merged = "".join(f'<mergeCell ref="A{k}:A{k + 1}"/>' for k in range(3, 60_000, 2))
    found = parsed(by_hand(HEAD + xml_row(2, ROW) + f"{END}<mergeCells>{merged}</mergeCells>"))
    assert len(found.drafts) == 1
    columns = '<col min="1" max="1" width="9"/>' * 30_000
    with pytest.raises(UnreadableError, match="庞杂"):
        parsed(_with_columns(columns))


def _with_columns(columns: str) -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(by_hand(HEAD + END))) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for item in old.infolist():
            text = old.read(item).decode()
            new.writestr(item.filename, text.replace("<sheetData>", f"<cols>{columns}</cols><sheetData>"))
        new.writestr(zipfile.ZipInfo("xl/media/noise.bin"), bytes(1 << 20))  # stored: its ratio is no reason
    return out.getvalue()


# --- workbooks of other writers


def test_strict_ooxml_is_read_with_what_its_xml_says() -> None:
    (draft,) = parsed(by_hand(HEAD + xml_row(2, ROW) + END, main=STRICT, office=STRICT_OFFICE)).drafts
    assert (draft.record.at, draft.record.amount) == (AT, 30_000)
    formula = HEAD + xml_row(2, ROW, {6: '<c r="G2"><f>E2*F2</f></c>'}) + END
    found = parsed(
        by_hand(formula, END, main=STRICT, office=STRICT_OFFICE)
    )  # two sheets: which part is whose is looked up
    assert [(f.row, f.field) for f in found.flaws] == [(2, "amount")]
    assert "公式" in found.flaws[0].message
    merged = HEAD + xml_row(2, ROW) + xml_row(3, row(amount=None, number="L2")) + END
    merged += '<mergeCells><mergeCell ref="G2:G3"/></mergeCells>'
    found = parsed(by_hand(END, merged, main=STRICT, office=STRICT_OFFICE))
    assert [(f.row, f.field) for f in found.flaws] == [(3, "amount")]


@pytest.mark.parametrize("strict", [False, True])
def test_numbers_that_are_dates_count_from_the_workbooks_day_0(strict: bool) -> None:
    main, office = (STRICT, STRICT_OFFICE) if strict else (MAIN, OFFICE)
    for of_mac, serial in ((False, "46352.375057870369"), (True, "44890.375057870369")):
        rows = HEAD + xml_row(2, ROW, {1: f'<c r="B2"><v>{serial}</v></c>'}) + END
        (draft,) = parsed(by_hand(rows, of_mac=of_mac, main=main, office=office)).drafts
        assert draft.record.at == AT


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "######", "＃N/A"])
@pytest.mark.parametrize("field", ["card", "at", "product", "quantity", "amount", "station", "number"])
def test_errors_of_a_spreadsheet_are_no_values(error: str, field: str) -> None:
    name = {"station": "station_name"}.get(field, field)
    for data in (csv_of(row(**{field: error})), book(HEADER, row(**{field: error}))):
        found = parsed(data)
        assert [(f.row, f.field) for f in found.flaws] == [(2, name)]
        assert "错误值" in found.flaws[0].message
    with pytest.raises(ImportRefusedError, match="错误值"):
        records("organisations", f"id,name\no1,{error}\n".encode())


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("(300.00)", -30_000), ("（300）", -30_000), ("-￥300", -30_000), ("￥-300", -30_000), ("(￥1,300.5)", -130_050), ("(300)元", -30_000),
        ("300.", 30_000), (".5", 50), ("-.5", -50), ("(0.03)万元", -30_000),
    ],
)  # fmt: skip
def test_money_as_accounts_write_it(text: str, fen: int) -> None:
    assert number_of(text, 2, "amount") == fen


@pytest.mark.parametrize(
    "text", ["()", "(-300)", "(300", "300-", ".", "-", "(40)(40)", "3 00", "1.2.3", "-(300)"]
)
def test_money_that_may_be_anything_is_refused(text: str) -> None:
    if text == "-":
        assert number_of(text, 2, "amount") is None
        return
    with pytest.raises(ValueError, match="·"):
        number_of(text, 2, "amount")


def test_a_percentage_is_no_quantity() -> None:
    def percent(made: Any) -> None:
        made.active["E2"].number_format = "0%"

    found = parsed(book(HEADER, row(quantity=0.4), change=percent))
    assert [f.field for f in found.flaws] == ["quantity"]


def test_a_number_of_a_card_has_no_decimals() -> None:
    assert [f.field for f in parsed(book(HEADER, row(card=123456.5))).flaws] == ["card"]


@pytest.mark.parametrize(
    "words",
    ["Total", "TOTAL：", "Grand Total", "当前页合计", "【合计】", "一、合计", "汇总", "共1笔", "以下空白", "制表人：张三", "本月合计", "第1页"],
)  # fmt: skip
def test_what_stands_below_a_table_is_no_row(words: str) -> None:
    found = parsed(book(HEADER, ROW, (words, None, None, None, 40, None, 300)))
    assert (found.rows, found.skipped, found.flaws) == (1, 1, [])


def test_names_that_begin_like_sums_are_rows() -> None:
    header = ("网点", *(name for name in HEADER if name != "网点"))
    for name in ("总站加油站", "共青城加油站", "第一加油站", "一四九团加油站", "汇源路加油站"):
        cells = dict(zip(HEADER, row(station=name), strict=True))
        found = parsed(book(header, tuple(cells[h] for h in header)))
        assert [d.record.station_name for d in found.drafts] == [name]


def test_hidden_columns_are_told() -> None:
    def hide(made: Any) -> None:
        made.active.column_dimensions["G"].hidden = True
        made.active.column_dimensions["Z"].hidden = True

    found = parsed(book(HEADER, ROW, change=hide))
    assert found.notes == ["隐藏的列也已读取：金额(元) · hidden columns were read, too"]


def test_a_form_that_was_not_filled_in_is_no_second_table() -> None:
    assert len(parsed(by_hand(HEAD + xml_row(2, ROW) + END, HEAD + END)).drafts) == 1
    with pytest.raises(UnreadableError, match="多个工作表"):
        parsed(by_hand(HEAD + xml_row(2, ROW) + END, HEAD + xml_row(2, ROW) + END))


# --- identifiers


@pytest.mark.parametrize("text", ["1.23457E+18", "9.03012e+15", "1E+11"])
def test_an_id_that_excel_has_rounded_is_refused(text: str) -> None:
    with pytest.raises(ImportRefusedError, match="科学记数"):
        records("organisations", f"id,name\n{text},甲\n".encode())
    with pytest.raises(ImportRefusedError, match="科学记数"):
        records("drivers", f"id,name,organisation\nd1,甲,{text}\n".encode())


def test_an_id_that_only_looks_like_a_number_is_taken() -> None:
    assert [r.id for r in records("organisations", b"id,name\n3E12,a\n007,b\n")] == ["3E12", "007"]


def test_sums_are_no_records() -> None:
    with pytest.raises(ImportRefusedError, match="合计行"):
        records("organisations", "编号,名称\no1,甲\n合计,1\n".encode())


# --- encodings


@pytest.mark.parametrize(
    ("text", "cut"), [("财局", 1), ("财局", 2), ("高速", 2), ("高速", 1), ("市水利局", 1), ("李", 0)]
)
def test_a_word_of_utf8_that_was_cut_is_not_read_as_gbk(text: str, cut: int) -> None:
    whole = text.encode()
    data = b"id,name\no1," + (whole[:-cut] if cut else whole) + b"\no2,B\n"
    if not cut:
        assert decoded(data).splitlines()[1] == f"o1,{text}"
        return
    with pytest.raises(UnreadableError, match="损坏"):
        decoded(data)


@pytest.mark.parametrize(
    "name",
    [
        "市水利局",
        "财政局",
        "璐瑶",
        "樊高",
        "鑫鑫",
        "楂树站",
        "李",
        "欧阳",
        "镕基",
        "䶮",
        "張三",
        "財政局辦公室",
    ],
)
def test_gbk_is_read_whatever_the_name(name: str) -> None:
    assert decoded(f"id,name\no1,{name}\n".encode("gb18030")).splitlines()[1] == f"o1,{name}"


def test_a_mark_of_utf8_before_gbk_is_told() -> None:
    with pytest.raises(UnreadableError, match="标明是 UTF-8"):
        decoded(b"\xef\xbb\xbf" + "id,name\no1,市水利局\n".encode("gbk"))
    assert decoded("\ufeff\ufeffid,name\n".encode()) == "id,name\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32", "utf-32-le"])
def test_wide_characters_are_told_without_their_mark(encoding: str) -> None:
    for text in ("id,name\no1,市水利局\n", "卡号,交易时间,交易类型,数量\n1,2026-11-26 09:00:05,加油,4\n"):
        with pytest.raises(UnreadableError, match="UTF-16"):
            decoded(text.encode(encoding))


def test_big5_is_told_and_traditional_gbk_is_read() -> None:
    text = "id,name\no1,市水利局\no2,財政局辦公室\no3,衛生福利部\n"
    with pytest.raises(UnreadableError, match="Big5"):
        decoded(text.encode("big5"))
    assert decoded(text.encode("gbk")) == text


def test_percent_codes_are_no_names() -> None:
    with pytest.raises(ImportRefusedError, match="丢失"):
        records("organisations", b"id,name\no1,%E5%B8%82%E5%B1%80\n")
    assert records("organisations", "id,name\no1,满意率100%E级\n".encode())
