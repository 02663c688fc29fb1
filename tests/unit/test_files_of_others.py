"""Files as other programs and other countries' computers write them: read right, or refused with what to do. None may end the
process: calamine does that where it finds no room for a rectangle of cells."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from registry.bulk import ImportRefusedError
from registry.doubts import doubts
from registry.encodings import decoded
from registry.refusals import UnreadableError
from registry.statements.cells import number_of
from registry.statements.columns import read_mapping
from registry.statements.importer import read_statement
from tests.unit.test_statements_world import HEADER, NOW, ROW, book, parsed, row
from tests.unit.test_workbook_records import records

AT = datetime(2026, 11, 26, 1, 0, 5, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
#: No database is asked about these.
NOBODY: Any = None
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"


def csv_of(*rows: tuple[Any, ...]) -> bytes:
    return "\n".join(",".join(f'"{cell}"' for cell in cells) for cells in (HEADER, *rows)).encode()


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
        from tests.unit.test_statements_world import parsed
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


# --- units and limits


@pytest.mark.parametrize(
    ("header", "fen"), [("金额【元】", 30_000), ("金额<元>", 30_000), ("金额「元」", 30_000), ("金额(单位：元)", 30_000), ("金额（单位:元）", 30_000)]
)  # fmt: skip
def test_brackets_of_other_kinds_hold_units(header: str, fen: int) -> None:
    names = tuple(header if name == "金额(元)" else name for name in HEADER)
    (draft,) = parsed(book(names, ROW)).drafts
    assert draft.record.amount == fen
    with pytest.raises(UnreadableError, match="不认识的单位"):
        parsed(book(tuple(header.replace("元", "美元") if name == header else name for name in names), ROW))


def test_a_price_is_no_sum() -> None:
    with pytest.raises(UnreadableError, match="元/升"):
        parsed(book(tuple("金额(元/升)" if name == "金额(元)" else name for name in HEADER), ROW))


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"amount": 3}, True), ({"amount": 3000}, True), ({"quantity": 0.04}, True), ({"price": 0.75}, True), ({"amount": 270}, False),
        ({"amount": 0}, False), ({"amount": None}, False), ({"price": None}, False), ({"kind": "圈存", "amount": 5000}, False),
    ],
)  # fmt: skip
def test_quantity_times_price_far_from_the_sum_is_a_question(changes: dict[str, Any], asked: bool) -> None:
    found = parsed(book(HEADER, row(**changes)))
    assert not found.flaws
    assert [note for note in found.notes if "第 2 行" in note] == (found.notes if asked else [])
    assert len(found.notes) == asked


@pytest.mark.parametrize(("fine", "points", "asked"), [(20_000, 12, []), (2_000_000, 3, ["fine"]), (200, 30, ["points"])])  # fmt: skip
def test_fines_and_points_that_no_law_knows(fine: int, points: int, asked: list[str]) -> None:
    header = ("号牌号码", "违法时间", "违法行为", "罚款金额", "记分")
    data = book(header, ("苏F12345", "2026-11-26 09:00:00", "闯红灯", fine, points))
    found = read_statement("violations", data, read_mapping("violations", {}), NOW)
    assert [f.field for f in found.flaws] == asked


async def test_records_with_likely_wrong_units_are_asked_about() -> None:
    async def asked(kind: str, text: str) -> list[str]:
        return [flaw.field for flaw in await doubts(NOBODY, records(kind, text.encode()))]

    fill = "流水号,卡号,交易时间,交易类型,数量,单价,金额\nT1,C1,2026-03-02T08:05:00+08:00,fill,{},7.5,{}\n"
    assert await asked("fuel-transactions", fill.format(40, 300)) == []
    assert await asked("fuel-transactions", fill.format(40_000, 300)) == ["quantity"]
    assert await asked("fuel-transactions", fill.format(40, 30_000)) == ["amount"]
    assert await asked("fuel-transactions", fill.format(40, 3)) == ["amount"]
    car = "编号,车牌号,单位,油箱容积\nv1,苏F12345,o1,{}\n"
    assert [await asked("vehicles", car.format(tank)) for tank in ("60", "0.06", "60000")] == [[], ["tank"], ["tank"]]  # fmt: skip
    station = "编号,名称,别名\ns1,甲站,{}\n"
    assert await asked("fuel-stations", station.format("乙站；丙站")) == []
    assert await asked("fuel-stations", station.format("乙站、丙站")) == ["aliases"]


# --- what would be lost in silence


def test_a_row_that_comes_again_under_its_number_is_not_left_out() -> None:
    rows = HEAD + xml_row(2, ROW) + xml_row(2, row(number="L2")) + END
    with pytest.raises(UnreadableError, match="另存"):
        parsed(by_hand(rows))
    assert len(parsed(by_hand(HEAD + xml_row(2, ROW) + xml_row(9, row(number="L2")) + END)).drafts) == 2


@pytest.mark.parametrize("second", ["金额(元)", "金额", "金额（元）"])
def test_a_column_that_comes_twice_must_say_the_same(second: str) -> None:
    header = (*HEADER, second)
    assert not parsed(book(header, (*ROW, 300))).flaws
    found = parsed(book(header, (*ROW, 280)))
    assert [(f.row, f.field) for f in found.flaws] == [(2, "amount")]
    assert "两次" in found.flaws[0].message


def forged(data: bytes, name: str, size: int) -> bytes:
    """``data`` whose directory says that the part ``name`` unpacks to ``size`` bytes, with the checksum of these."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = archive.read(name)[:size]
    made = bytearray(data)
    place = -1
    while (place := data.find(b"PK\x01\x02", place + 1)) >= 0:
        length = int.from_bytes(data[place + 28 : place + 30], "little")
        if data[place + 46 : place + 46 + length].decode() == name:
            made[place + 16 : place + 20] = zlib.crc32(text).to_bytes(4, "little")
            made[place + 24 : place + 28] = size.to_bytes(4, "little")
    return bytes(made)


def test_a_part_that_unpacks_to_more_than_it_says_is_refused() -> None:
    """zipfile stops at the size that is declared; calamine's reader goes on."""
    rows = HEAD + xml_row(2, ROW) + END
    data = by_hand(rows)
    assert len(parsed(data).drafts) == 1
    for name in ("xl/worksheets/sheet1.xml", "xl/workbook.xml", "[Content_Types].xml"):
        with pytest.raises(UnreadableError, match="另存"):
            parsed(forged(data, name, 100))


def test_two_parts_of_one_name_are_refused() -> None:
    out = io.BytesIO(by_hand(HEAD + xml_row(2, ROW) + END))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("xl\\worksheets\\sheet1.xml", "<x/>")
    with pytest.raises(UnreadableError, match="另存"):
        parsed(out.getvalue())


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("2026-11-26T09:00:05", False), ("2026-11-26T09:00:05.000", False), ("2026-11-26T09:00:05+08:00", False),
        ("2026-11-26T01:00:05Z", True), ("2026-11-26T01:00:05.000Z", True), ("2026-11-26T02:00:05+01:00", True),
    ],
)  # fmt: skip
def test_a_date_of_a_sheet_with_a_zone_is_a_question(value: str, asked: bool) -> None:
    """Some programs write UTC there; spreadsheets show the clock without its zone: eight hours would be wrong in silence."""
    found = parsed(by_hand(HEAD + xml_row(2, ROW, {1: f'<c r="B2" t="d"><v>{value}</v></c>'}) + END))
    assert [(f.row, f.field) for f in found.flaws] == ([(2, "at")] if asked else [])
    assert [d.record.at for d in found.drafts] == ([] if asked else [AT])
