"""Statements and exports as offices have them: numbers, times, words, headers, files. No database."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.decimals import decimal_text, exact_json, scaled
from registry.goods import is_goods
from registry.refusals import AHEAD, RefusedError, UnreadableError
from registry.spelling import normal_plate
from registry.statements.cells import code_of, kind_of, number_of, status_of, time_of
from registry.statements.columns import HEADERS, Kind, read_mapping
from registry.statements.importer import read_statement
from registry.statements.rows import MADE, Parsed
from runtime.units import CHINA

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HEADER = "卡号,交易时间,交易类型,油品,数量(升),单价（元）,金额,余额,网点"
CARD = "1000113200000123456"
ROW = f"{CARD},2026-03-02 08:05:09,加油,92号汽油,45.32,7.89,357.57,1000.00,人民路站"


def parsed(
    text: str | bytes, kind: Kind = "statement", mapping: dict[str, Any] | None = None, **options: Any
) -> Parsed:
    data = text.encode() if isinstance(text, str) else text
    return read_statement(kind, data, read_mapping(kind, mapping or {}), NOW, **options)


def records(*args: Any, **options: Any) -> list[Any]:
    found = parsed(*args, **options)
    assert not found.flaws, found.flaws
    return [draft.record for draft in found.drafts]


def flaws(*args: Any, **options: Any) -> list[tuple[int, str]]:
    return [(flaw.row, flaw.field) for flaw in parsed(*args, **options).flaws]


# --- numbers


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_decimals_come_back_exactly(value: Decimal) -> None:
    number = scaled(format(value, "f"), 3)
    assert Decimal(number) == value * 1000
    assert number == scaled(value, 3)
    assert Decimal(decimal_text(number, 3)) == value
    assert scaled(decimal_text(number, 3), 3) == number
    grouped = f"￥{value:,.3f}元"
    assert number_of(grouped, 3) == number
    wide = format(value, "f").translate(str.maketrans("0123456789.-", "０１２３４５６７８９．－"))
    assert number_of(wide, 3) == number
    assert scaled(exact_json(b"[" + format(value, "f").encode() + b"]")[0], 3) == number


@given(st.integers(-(10**14), 10**14), st.integers(0, 12), st.integers(0, 6))
def test_more_decimals_are_refused_unless_they_are_zero(number: int, more: int, digits: int) -> None:
    text = decimal_text(number, digits) + "0" * more
    assert scaled(text, digits) == number
    with pytest.raises(ValueError, match="位小数"):
        scaled(decimal_text(number, digits).split(".")[0] + "." + "0" * digits + "1", digits)


@pytest.mark.parametrize(
    "value",
    [45.32, True, None, "", "1e3", "0x1", "1_000", "٤٥", "NaN", "1.", ".5", "--1", "1" * 16, 10**15,
     Decimal("NaN"), Decimal("Infinity"), Decimal("1e15"), Decimal("1e999999"), Decimal("1e-999999"), [], {}],
)  # fmt: skip
def test_what_is_no_decimal_number(value: object) -> None:
    with pytest.raises(ValueError, match="·"):
        scaled(value, 3)


@given(st.text(max_size=12) | st.text("0123456789.,-+ ￥升L元度", max_size=12))
def test_any_cell_is_a_number_nothing_or_refused(text: str) -> None:
    try:
        number = number_of(text, 2)
    except ValueError:
        return
    assert number is None or number_of(decimal_text(number, 2), 2) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("1,234.50", 123450), ("￥1,234.5 ", 123450), ("１２３．４５", 12345), ("45.32升", 4532), ("45.32L", 4532), ("-350.10", -35010),
     ("−350.10", -35010), ("350元", 35000), ("", None), ("--", None), ("6.60 kWh", 660), ('="12.30"', 1230), ("'12", 1200)],
)  # fmt: skip
def test_numbers_as_written(text: str, number: int | None) -> None:
    assert number_of(text, 2) == number


@pytest.mark.parametrize(
    "text", ["1,23", "12,34.5", ",5", "45.32kg", "4O.5", "1.2.3", "1 234", "￥", "abc", "12.345"]
)
def test_numbers_that_could_mean_two_things_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="·"):
        number_of(text, 2)


def test_numbers_that_excel_rounded() -> None:
    assert code_of(" １０００ 1132 ") == "10001132"
    assert code_of('="1000113200000123456"') == CARD
    for text in ("1.00011E+18", "1.00011320000012e+18", "1E+18"):
        with pytest.raises(ValueError, match="Excel"):
            code_of(text)


# --- times

MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 31)).map(lambda t: t.replace(microsecond=0))


@given(MOMENTS, st.integers(-12, 14))
def test_every_way_of_writing_a_time_is_the_same_moment(naive: datetime, offset: int) -> None:
    truth = naive.replace(tzinfo=CHINA)
    y, mo, d, h, mi, s = naive.timetuple()[:6]
    for text in (
        naive.isoformat(" "), naive.isoformat(), f"{y}/{mo}/{d} {h}:{mi:02}:{s:02}", f"{y}.{mo}.{d}  {h:02}:{mi:02}:{s}",
        f"{y}年{mo}月{d}日{h}时{mi}分{s}秒", f"{y}年{mo}月{d}日 {h}:{mi}:{s}", naive.strftime("%Y%m%d%H%M%S"),
        naive.strftime("%Y%m%d %H:%M:%S"), naive.strftime("%Y%m%d %H%M%S"), f" '{naive.isoformat(' ')}.000",
    ):  # fmt: skip
        assert time_of(text) == truth
    assert time_of(naive) == truth
    assert time_of(f"{y}/{mo}/{d} {h}:{mi}") == truth - timedelta(seconds=s)
    assert time_of(naive.strftime("%Y%m%d%H%M")) == truth - timedelta(seconds=s)
    for clock in (naive.time(), f"{h}:{mi}:{s}", naive.strftime("%H%M%S")):
        assert time_of(clock, naive.date()) == truth
    sign = "-" if offset < 0 else "+"
    elsewhere = f"{naive.isoformat()}{sign}{abs(offset):02}:00"
    assert time_of(elsewhere) == truth + timedelta(hours=8 - offset)


@pytest.mark.parametrize(
    "cell",
    ["2026-03-02", "20260302", date(2026, 3, 2), "2026年3月2日", "", "8:05", time(8, 5), "3/2/2026 8:05", "26-3-2 8:05",
     "2026-02-30 08:05", "2026-03-02 25:00", "2026-03-02 24:00:00", "2026-3-28:05", "46083.337", "2026030208050",
     "2026-03-02 08:60", "昨天", "1969-12-31 00:00:00", "2026-03-02 08:05:09 PM", "٢٠٢٦-03-02 08:05"],
)  # fmt: skip
def test_times_that_say_too_little_are_refused(cell: Any) -> None:
    with pytest.raises(ValueError, match="·"):
        time_of(cell)


# --- words and plates


@pytest.mark.parametrize(
    ("word", "product", "kind"),
    [("加油", "", "fill"), ("消费", "92#", "fill"), ("IC卡消费", "", "fill"), ("充电", "", "fill"), ("圈存", "", "top_up"),
     ("充值", "", "top_up"), ("消费撤销", "", "reversal"), ("冲正", "", "reversal"), ("退款", "", "reversal"), ("手续费", "", "fee"),
     ("圈存撤销", "", "other"), ("圈提", "", "other"), ("非油品消费", "", "other"), ("消费", "车用尿素", "other"), ("fill", "", "fill")],
)  # fmt: skip
def test_kinds(word: str, product: str, kind: str) -> None:
    assert kind_of(word, product, {}) == kind


def test_unknown_words_are_refused_and_can_be_explained() -> None:
    for word in ("预授权", "充值卡消费", "?"):
        with pytest.raises(ValueError, match=r"words\.kind"):
            kind_of(word, "", {})
        assert kind_of(word, "", {word: "fill"}) == "fill"
    with pytest.raises(ValueError, match=r"words\.status"):
        status_of("3", {})
    assert status_of("3", {"3": "revoked"}) == "revoked"


@pytest.mark.parametrize(
    ("word", "status"),
    [("未处理", "open"), ("", "open"), ("已处理", "handled"), ("已处理未缴款", "handled"), ("已撤销", "revoked"), ("未撤销", "open"),
     ("申诉成功", "appealed"), ("复议撤销", "appealed"), ("申诉中", "open"), ("申诉驳回", "handled"), ("作废", "revoked"),
     ("已处理(已撤销)", "revoked"), ("已处理（未撤销）", "handled"), ("未处理，已撤销", "revoked"), ("申请撤销", "open"), ("待撤销", "open"),
     ("已处理，撤销申请中", "handled"), ("撤销申请被驳回", "handled"), ("已缴款，决定书作废", "revoked"), ("已撤销（当事人申请）", "revoked"),
     ("已处罚（撤销驾驶证）", "handled"), ("不予撤销", "handled"), ("已注销", "revoked")],
)  # fmt: skip
def test_statuses(word: str, status: str) -> None:
    assert status_of(word, {}) == status


@pytest.mark.parametrize(
    ("given", "plate"),
    [("苏F·1234O", "苏F12340"), ("苏Ｆ１２３４５", "苏F12345"), ("苏FI2345", "苏F12345"), ("苏f12345", "苏F12345"),
     ("苏\u0415\u0410\u0412123", "苏EAB123"), ("苏\u0391\u039212\u039a3", "苏AB12K3"), ("苏OA1234", "苏OA1234"), ("苏FDO1234", "苏FD01234"),
     ("苏F1234学", "苏F1234学"), ("使014578", "使014578"), ("WJ苏0001O", "WJ苏0001O")],
)  # fmt: skip
def test_look_alikes_in_plates(given: str, plate: str) -> None:
    assert normal_plate(given) == plate
    assert normal_plate(plate) == plate


@given(st.text(max_size=12))
def test_a_normal_plate_stays_as_it_is(text: str) -> None:
    assert normal_plate(normal_plate(text)) == normal_plate(text)


# --- files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_statement_as_saved(encoding: str, newline: str, delimiter: str) -> None:
    text = f"某某公司油卡对账单\n打印日期：2026-04-01\n\n{HEADER}\n{ROW}\n合计,,,,45.32,,357.57,,\n"
    if delimiter != ",":
        text = text.replace(",", delimiter)
    (made,) = records(text.replace("\n", newline).encode(encoding))
    assert (made.card, made.kind, made.product, made.station_name) == (CARD, "fill", "92号汽油", "人民路站")
    assert (made.quantity, made.unit_price, made.amount, made.balance) == (45320, 78900, 35757, 100000)
    assert made.at == datetime(2026, 3, 2, 0, 5, 9, tzinfo=UTC)
    assert made.energy == "fuel"
    assert made.id.startswith(MADE)


def workbook(*sheets: list[list[Any]], formats: dict[str, str] | None = None) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"表{number}")
        for row in rows:
            sheet.append(row)
        for place, form in (formats or {}).items():
            sheet[place].number_format = form
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def xlsx_rows(*more: list[Any]) -> list[list[Any]]:
    return [["油卡对账单"], [], HEADER.split(","), *more]


def test_a_workbook_gives_the_same_as_a_csv() -> None:
    cells: list[Any] = [
        CARD,
        datetime(2026, 3, 2, 8, 5, 9),
        "加油",
        "92号汽油",
        45.32,
        7.89,
        357.57,
        1000,
        "人民路站",
    ]
    (from_xlsx,) = records(workbook(xlsx_rows(cells), [["说明"], ["无"]]))
    (from_csv,) = records(f"{HEADER}\n{ROW}\n")
    assert from_xlsx == from_csv
    noisy = [*cells[:4], 0.1 + 0.2, *cells[5:]]  # what a formula leaves: Excel shows 0.3
    assert records(workbook(xlsx_rows(noisy)))[0].quantity == 300


def test_a_workbook_whose_cells_lost_something() -> None:
    day: list[Any] = [CARD, datetime(2026, 3, 2), "加油", "", 1, 1, 1, 1, ""]
    assert flaws(workbook(xlsx_rows(day), formats={"B4": "yyyy-mm-dd"})) == [(4, "at")]
    midnight = workbook(xlsx_rows(day), formats={"B4": "yyyy-mm-dd hh:mm"})
    assert records(midnight)[0].at == datetime(2026, 3, 1, 16, tzinfo=UTC)
    number: list[Any] = [1.00011320000012345e18, *day[1:]]
    number[1] = "2026-03-02 08:05"
    assert flaws(workbook(xlsx_rows(number))) == [(4, "card")]


def test_workbooks_that_are_refused() -> None:
    row = [CARD, "2026-03-02 08:05:09", "加油", "", 1, 1, 1, 1, ""]
    with pytest.raises(UnreadableError, match="多个工作表"):
        parsed(workbook(xlsx_rows(row), xlsx_rows(row)))
    good = workbook(xlsx_rows(row))
    for cut in (good[:100], good[: len(good) // 2], good[:-30], b"PK\x03\x04" + b"\0" * 200):
        with pytest.raises(UnreadableError):
            parsed(cut)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", b"0" * (64 << 20))
    with pytest.raises(UnreadableError, match="展开后过大"):
        parsed(bomb.getvalue())
    for encoding in ("utf-8", "utf-16"):
        entities = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(entities, "w") as new:
            for part in old.infolist():
                new.writestr(part, old.read(part))
            new.writestr(
                "xl/evil.xml", ('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a/>').encode(encoding)
            )
        with pytest.raises(UnreadableError, match="DTD"):
            parsed(entities.getvalue())
    for data, says in (
        (b"\xd0\xcf\x11\xe0" + b"\0" * 9, "xls"),
        (b"<html><table>", "网页"),
        ("卡号".encode("utf-16"), "UTF-16"),
    ):
        with pytest.raises(UnreadableError, match=says):
            parsed(data)


def test_a_row_far_below_does_not_stall_and_is_not_lost() -> None:
    book = openpyxl.Workbook()
    for row in xlsx_rows([CARD, "2026-03-02 08:05:09", "加油", "", 1, 1, 1, 1, ""]):
        book.active.append(row)
    for column, value in enumerate([CARD, "2026-03-03 08:05:09", "加油", "", 2], start=1):
        book.active.cell(1_048_576, column, value)
    stream = io.BytesIO()
    book.save(stream)
    assert [r.quantity for r in records(stream.getvalue())] == [1000, 2000]


def test_mixed_encodings_are_named() -> None:
    data = HEADER.encode("gbk") + b"\n" + ROW.encode("gbk") + b"\n" + ROW.encode("utf-8") + b"\n"
    with pytest.raises(UnreadableError, match="第 3 行"):
        parsed(data)
    with pytest.raises(UnreadableError, match="第 1 行"):
        parsed(HEADER.encode() + b"\n\xff\xff\n")
    with pytest.raises(UnreadableError, match="字节"):
        parsed(b"card,at,kind,quantity\n\xff\xff\n")


def test_columns() -> None:
    with pytest.raises(UnreadableError, match="缺少列：数量") as caught:
        parsed("标题\n" + HEADER.replace("数量(升)", "多少") + "\n" + ROW)
    assert (caught.value.flaws[0].field, caught.value.flaws[0].row) == ("quantity", 2)
    with pytest.raises(UnreadableError, match="没有表头"):
        parsed("a,b\n1,2\n")
    mapped = HEADER.replace("数量(升)", "多少").replace("卡号", "卡片编码")
    (made,) = records(f"{mapped}\n{ROW}", mapping={"card": "卡片编码", "quantity": "多少"})
    assert (made.card, made.quantity) == (CARD, 45320)
    found = parsed(f"{HEADER},积分\n{ROW},9\n")
    assert found.ignored == ["积分"]
    assert found.columns["quantity"] == "数量(升)"
    only = parsed("卡号：1000113200000123456\n交易日期,类型,数量\n2026-03-02 08:05,加油,1\n")
    assert only.drafts[0].record.card == CARD
    apart = records(
        "卡号,交易日期,交易时间,类型,数量\n7,2026/3/2,80509,加油,1\n7,20260302,8:05:09,加油,2\n".replace(
            "80509", "080509"
        )
    )
    assert {r.at for r in apart} == {datetime(2026, 3, 2, 0, 5, 9, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("mapping", "pointer"),
    [({"colour": "x"}, "/columns/colour"), ({"columns": {"card": 7}}, "/columns/card"), ({"words": {"kind": {"a": "b"}}}, "/words/kind/a"),
     ({"words": {"x": {"a": "b"}}}, "/words/x/a"), ({"values": {"x": "1"}}, "/values/x"), ([], "")],
)  # fmt: skip
def test_bad_mappings_say_where(mapping: object, pointer: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_mapping("statement", mapping)
    assert caught.value.flaws[0].pointer == pointer


def test_bad_rows_are_named_and_the_good_ones_stay() -> None:
    bad = [
        (ROW.replace("加油", "圈存").replace("45.32", "-45.32"), "quantity"),
        (ROW.replace("45.32", "45.3211"), "quantity"),
        (ROW.replace("45.32", ""), "quantity"),
        (ROW.replace("357.57", "357.575"), "amount"),
        (ROW.replace("加油", "预授权"), "kind"),
        (ROW.replace(CARD, ""), "card"),
        (ROW.replace("2026-03-02 08:05:09", "2026-03-02"), "at"),
        (ROW.replace("2026-03-02 08:05:09", "2026-11-24 08:10:01"), "at"),
        (ROW.replace("人民路站", "站" * 201), "station_name"),
        (ROW + ",x", ""),
    ]
    text = "\n".join([HEADER, ROW, *(row for row, _ in bad), ROW.replace("08:05", "08:06")])
    found = parsed(text)
    assert [(f.row, f.field) for f in found.flaws] == [
        (i, field) for i, (_, field) in enumerate(bad, start=3)
    ]
    assert all("·" in flaw.message for flaw in found.flaws)
    assert [d.row for d in found.drafts] == [2, 13]
    assert (found.rows, found.refused) == (12, 10)
    edge = ROW.replace("2026-03-02 08:05:09", (NOW + AHEAD).isoformat())
    assert len(records(f"{HEADER}\n{edge}")) == 1


def test_errors_are_bounded_but_counted() -> None:
    found = parsed("\n".join([HEADER, *[ROW.replace("45.32", "x")] * 500]))
    assert (len(found.flaws), found.flaw_count, found.refused) == (100, 500, 500)


def test_reversals_and_electricity() -> None:
    header = HEADER + ",流水号,原流水号"
    rows = [f"{ROW},N1,", ROW.replace("加油", "加油撤销").replace("45.32", "-45.32").replace("357.57", "-357.57") + ",N1,",
            ROW.replace("加油", "退款") + ",N2,N1", ROW.replace("加油", "圈存").replace("45.32", "") + ",N3,"]  # fmt: skip
    made = {r.id: r for r in records("\n".join([header, *rows]))}
    assert made["N1"].kind == "fill"
    again = made["N1~reversal"]
    assert (again.kind, again.reverses, again.quantity, again.amount) == ("reversal", "N1", 45320, -35757)
    assert made["N2~reversal"].reverses == "N1"
    assert (made["N3"].kind, made["N3"].quantity) == ("top_up", None)
    charged = "卡号,时间,类型,电量(kWh)\n7,2026-03-02 08:05,消费,20.5\n"
    assert (records(charged)[0].energy, records(charged)[0].quantity) == ("electric", 20500)
    assert records(f"{HEADER}\n{ROW.replace('加油', '消费').replace('45.32', '0.00')}")[0].kind == "other"


def test_ids() -> None:
    twice = parsed("\n".join([HEADER, ROW, ROW, HEADER, ROW]))
    ids = [d.record.id for d in twice.drafts]
    assert len(set(ids)) == 3  # identical, and yet each was paid
    assert twice.skipped == 1
    assert [d.record.id for d in parsed("\n".join([HEADER, ROW, ROW])).drafts] == ids[:2]
    wide = (
        ROW.replace("45.32", "４５.３２０")
        .replace("2026-03-02 08:05:09", "2026/3/2 8:05:09")
        .replace("人民路站", "人民路 站")
    )
    assert [d.record.id for d in parsed(f"{HEADER}\n{wide}").drafts] == ids[:1]
    numbered = parsed(
        "\n".join(
            [HEADER + ",流水号", ROW + ",N1", ROW + ",N1", ROW.replace("45.32", "1") + ",N1", ROW + ","]
        )
    )
    assert [(d.record.id[:4], d.numbered) for d in numbered.drafts] == [("N1", True), (MADE, False)]
    assert (numbered.repeated, [(f.row, f.field) for f in numbered.flaws]) == (1, [(4, "number")])
    assert "第 2 行" in numbered.flaws[0].message


EXPORT = "号牌号码,违法时间,违法地点,违法行为,罚款金额,记分,处理状态,违法编号"
VIOLATION = "苏F12345,2026-03-02 08:05,人民路,闯红灯,200元,6分,未处理"


def test_an_export_of_violations() -> None:
    text = "\n".join(["违法清单", EXPORT, VIOLATION + ",V1", VIOLATION + ",", VIOLATION.replace("F12345", "Ｆ12345") + ",",
                      VIOLATION.replace("闯红灯", "超速") + ",", VIOLATION.replace("200", "-1") + ",V2"])  # fmt: skip
    found = parsed(text, "violations")
    first, other = (d.record for d in found.drafts)
    assert (first.id, first.plate, first.fine, first.points, first.status) == (
        "V1",
        "苏F12345",
        20000,
        6,
        "open",
    )
    assert (other.act, other.id[:4]) == ("超速", MADE)
    assert found.repeated == 2  # the same without its number
    assert [(f.row, f.field) for f in found.flaws] == [(7, "fine")]


def test_headers_mean_one_thing() -> None:
    for kind, known in HEADERS.items():
        names = [name for words in known.values() for name in words]
        assert len(names) == len(set(names)), kind


@given(
    st.binary(max_size=300) | st.text(max_size=200).map(str.encode),
    st.sampled_from(["statement", "violations"]),
)
def test_any_bytes_give_rows_or_a_refusal(data: bytes, kind: Kind) -> None:
    header = (HEADER if kind == "statement" else EXPORT).encode() + b"\n"
    for content in (data, header + data):
        try:
            found = parsed(content, kind)
        except UnreadableError:
            continue
        assert found.rows == len(found.drafts) + found.repeated + found.refused


CELLS = st.text("0123456789-:/ 加油消费圈存撤销苏F.,￥", max_size=20).map(
    lambda t: t.replace(",", "").replace("\n", "")
)


@given(st.lists(st.lists(CELLS, min_size=9, max_size=9), max_size=5))
def test_any_cells_give_rows_or_flaws(rows: list[list[str]]) -> None:
    found = parsed("\n".join([HEADER, *(",".join(row) for row in rows)]))
    assert found.rows == len(found.drafts) + found.repeated + found.refused
    assert all(flaw.row >= 2 and "·" in flaw.message for flaw in found.flaws)
    assert found.flaw_count >= found.refused


# --- what is no time of payment, and what goes back


BOOKED = "卡号,入账时间,交易类型,油品,数量(升),金额,网点"


def test_a_statement_with_the_time_of_booking_alone_says_so() -> None:
    row = f"{CARD},{{}},加油,92号汽油,45.32,357.57,人民路站"
    booked, day = records("\n".join([BOOKED, row.format("2026-03-02 08:05:09"), row.format("2026-03-03")]))
    assert (booked.at, booked.posted) == (datetime(2026, 3, 2, 8, 5, 9, tzinfo=CHINA), True)
    assert (day.at, day.posted) == (datetime(2026, 3, 3, tzinfo=CHINA), True)
    assert flaws("\n".join([BOOKED, row.format("x")])) == [(2, "posted")]
    # Beside the time of payment it says nothing.
    both = BOOKED.replace("入账时间", "交易时间,入账时间")
    (paid,) = records("\n".join([both, row.format("2026-03-02 08:05:09,2026-03-03 01:00:00")]))
    assert (paid.at, paid.posted) == (datetime(2026, 3, 2, 8, 5, 9, tzinfo=CHINA), False)
    # The day of payment without its time is better than the booking, and still no time.
    dated = BOOKED.replace("入账时间", "交易日期,入账时间")
    (dated_row,) = records("\n".join([dated, row.format("2026-03-02,2026-03-03 01:00:00")]))
    assert (dated_row.at, dated_row.posted) == (datetime(2026, 3, 2, tzinfo=CHINA), True)
    (whole,) = records("\n".join([dated, row.format("2026-03-02 08:05:09,2026-03-03 01:00:00")]))
    assert (whole.at, whole.posted) == (datetime(2026, 3, 2, 8, 5, 9, tzinfo=CHINA), False)


def test_a_negative_quantity_or_sum_of_a_fill_is_a_reversal() -> None:
    rows = [ROW, ROW.replace("45.32", "-45.32"), ROW.replace("357.57", "-357.57")]
    found = records("\n".join([HEADER, *rows]))
    assert [(r.kind, r.quantity) for r in found] == [
        ("fill", 45_320),
        ("reversal", 45_320),
        ("reversal", 45_320),
    ]


@pytest.mark.parametrize(
    ("product", "goods"),
    [
        ("92号汽油", False), ("0#柴油", False), ("车用尿素溶液", True), ("AdBlue", True), ("柴油机油 CF-4", True), ("机油", True),
        ("洗车", True), ("柴油尾气处理液", True), ("92号汽油（赠玻璃水）", False), ("便利店商品", True), ("充电", False), ("", False),
        ("CNG", False), ("燃油宝", True), ("汽油添加剂", True),
        ("商品", True), ("汽车用品", True), ("矿泉水", True), ("泡面", True), ("雨刮", True), ("雨刮片", True), ("过桥费", True), ("服务费", True),
        ("过路费", True), ("停车费", True), ("车辆通行费", True), ("烟酒", True), ("食用油", True), ("充电宝", True), ("轮胎充气", True),
        ("商品汽油", False), ("商品油", False), ("92#（赠矿泉水）", False), ("0号（赠纸巾）", False), ("95", False), ("成品油", False), ("油品", False), ("加油", False),
        ("充电服务费", False), ("电费", False), ("油费", False), ("95号车用乙醇汽油", False), ("-35#", False), ("汽油", False),
    ],
)  # fmt: skip
def test_goods_that_are_no_fuel(product: str, goods: bool) -> None:
    assert is_goods(product) is goods
    assert kind_of("加油", product, {}) == ("other" if goods else "fill")


def test_an_export_may_name_the_code_of_an_act() -> None:
    (row,) = records(
        "号牌号码,违法时间,违法行为,违法代码\n苏F12345,2026-03-02 08:05,违反规定停放,1039", "violations"
    )
    assert (row.act, row.code) == ("违反规定停放", "1039")
