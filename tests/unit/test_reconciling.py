"""Vouchers against the ledger: planted defects are all found and none invented; what is ambiguous is for a person; files as finance systems make them."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from datetime import date
from typing import Any

import openpyxl
import pytest

from office.costs.reconciling.items import Expected, months_later
from office.costs.reconciling.mapping import VoucherMapping
from office.costs.reconciling.matching import reconcile
from office.costs.reconciling.outcome import Item, MatchStep, Outcome
from office.costs.reconciling.reading import read_vouchers
from office.costs.reconciling.rows import FoundRow, digest_of, found_rows
from office.costs.reconciling.sums import search
from office.costs.reconciling.voucher import VoucherLine
from registry.refusals import RefusedError, UnreadableError
from tests.voucher_plants import UNITS, as_csv, as_xml, planted

PLAIN = VoucherMapping()
KNOWN = {unit: unit for unit in UNITS} | {"卫生局": "wsj"}


def found(lines: list[VoucherLine], items: list[Item], mapping: VoucherMapping = PLAIN) -> list[FoundRow]:
    matched, _ = reconcile(lines, items, mapping)
    return found_rows(lines, Expected(tuple(items), frozenset(), ""), matched)


def wrong(rows: list[FoundRow]) -> dict[str, Outcome]:
    return {r.item or str(r.body["number"]): r.outcome for r in rows if r.outcome is not Outcome.MATCHED}


# --- the goal


@pytest.mark.parametrize("form", ["csv", "gbk", "xml", "xml gbk"])
def test_forty_defects_of_a_thousand_are_found_and_none_is_invented(form: str) -> None:
    made = planted(960, 40)
    assert 1000 <= sum(line.budget_class in PLAIN.ours for line in made.vouchers) <= 1100
    data = {
        "csv": as_csv(made.vouchers).encode("utf-8-sig"), "gbk": as_csv(made.vouchers).encode("gbk"), "xml": as_xml(made.vouchers),
        "xml gbk": as_xml(made.vouchers, "GBK"),
    }[form]  # fmt: skip
    read = read_vouchers(data, None, PLAIN, "jsj", KNOWN)
    assert [replace(a, row=0) for a in made.vouchers] == [
        replace(b, row=0, debit_fen=b.amount_fen, credit_fen=0) for b in read.lines
    ]
    assert read.totals == ("xml" not in form)
    rows = found(read.lines, made.items)
    assert wrong(rows) == made.defects
    # The order of what comes in decides nothing.
    assert wrong(found(read.lines[::-1], made.items[::-1])) == made.defects
    assert digest_of(found(read.lines, made.items)) == digest_of(rows)


# --- one and several

MARCH = date(2026, 3, 10)


def item(id: str, fen: int, day: date = MARCH, who: str = "中石化城东站", **more: Any) -> Item:
    period = f"{day:%Y%m}"
    given: dict[str, Any] = {
        "kind": "entry", "organisation": "jsj", "number": id, "references": (id,), "counterparts": (who,), "period": period, "until": period,
        "classes": frozenset({"30231"}), "due": True,
    }  # fmt: skip
    return Item(id=id, amount_fen=fen, day=day, **given | more)


def line(number: str, fen: int, day: date = MARCH, who: str = "中石化城东站", **more: Any) -> VoucherLine:
    given: dict[str, Any] = {
        "row": 1, "organisation": "jsj", "period": f"{day:%Y%m}", "line": "", "summary": "加油", "account": "5001", "budget_class": "30231",
        "credit_fen": 0, "attachment": "",
    }  # fmt: skip
    return VoucherLine(day=day, voucher=number, debit_fen=fen, counterpart=who, **given | more)


NUMBER = "结〔2026〕03-pool-jsj-01号"
STATEMENT: dict[str, Any] = {
    "kind": "statement",
    "number": NUMBER,
    "references": ("JS-1", NUMBER),
    "until": "202604",
}
M, U, A, P, S = Outcome.MATCHED, Outcome.UNDECIDED, Outcome.AMOUNT, Outcome.PERIOD, Outcome.SUBJECT
FO, PO = Outcome.FINANCE_ONLY, Outcome.PLATFORM_ONLY
APRIL = date(2026, 4, 5)
CASES: dict[str, tuple[list[VoucherLine], list[Item], list[Outcome]]] = {
    # lines, items, outcomes of the lines and then of the items
    "one and one": ([line("1", 500)], [item("a", 500)], [M, M]),
    "another unit": ([line("1", 500, organisation="wsj")], [item("a", 500)], [FO, PO]),
    "another vendor": ([line("1", 500, who="中石油")], [item("a", 500)], [FO, PO]),
    "two lines, one item": ([line("1", 500), line("2", 500)], [item("a", 500)], [U, U, U]),
    "as many of both": ([line("1", 500), line("2", 500)], [item("a", 500), item("b", 500)], [M, M, M, M]),
    "two alike, one of them late": ([line("1", 500), line("2", 500, APRIL)], [item("a", 500), item("b", 500)], [U, U, U, U]),
    "in another period": ([line("1", 500, APRIL)], [item("a", 500)], [P, P]),
    "46 days later": ([line("1", 500, date(2026, 4, 25))], [item("a", 500)], [FO, PO]),
    "45 days later": ([line("1", 500, date(2026, 4, 24))], [item("a", 500)], [P, P]),
    "under another class": ([line("1", 500, budget_class="30201")], [item("a", 500)], [S, S]),
    "the name in the text": ([line("1", 500, who="", summary="付中石化 城东站油费")], [item("a", 500)], [M, M]),
    "a text that names two vendors": (
        [line("1", 500, who="", summary="中石化城东站"), line("2", 500, who="", summary="中石化城东站、人民路停车场")],
        [item("a", 500), item("b", 500, who="人民路停车场")], [U, U, U, U],
    ),
    "the number in the text": ([line("1", 900, APRIL, who="某某", summary=f"付 {NUMBER} 款")], [item("s", 900, **STATEMENT)], [M, M]),
    "its lag is over": ([line("1", 900, date(2026, 5, 5), summary=NUMBER)], [item("s", 900, **STATEMENT)], [P, P]),
    "another sum": ([line("1", 901, summary=NUMBER)], [item("s", 900, **STATEMENT)], [A, A]),
    "in two parts": ([line("1", 400, summary=NUMBER), line("2", 500, summary=NUMBER)], [item("s", 900, **STATEMENT)], [M, M, M]),
    "paid twice": ([line("1", 900, summary=NUMBER), line("2", 900, summary=NUMBER)], [item("s", 900, **STATEMENT)], [A, A, A]),
    "of the number of another unit": ([line("1", 900, summary=NUMBER, organisation="wsj", who="")], [item("s", 900, **STATEMENT)], [FO, PO]),
    "a day is no invoice": ([line("1", 700, who="", summary="20260310加油")], [item("a", 500, references=("20260310",))], [FO, PO]),
    "taken back": ([line("1", 500), line("2", -500), line("3", 450)], [item("a", 450)], [M, M, M, M]),
    "taken back on both sides": ([line("1", 500)], [item("a", 500), item("b", -500, reverses="a")], [FO, M, M]),
    "the bank's side": ([line("1", 500), line("1", -500, account="1002", budget_class="")], [item("a", 500)], [M, M]),
    "parallel entries": ([line("1", 500), line("1", 500, account="7101")], [item("a", 500)], [M, M]),
    "a sum": ([line("1", 70_003)], [item("a", 30_001), item("b", 40_002)], [M, M, M]),
    "a sum of round amounts is chance": ([line("1", 30_000)], [item("a", 10_000), item("b", 20_000), item("c", 40_000)], [U, U, U, PO]),
    "two sums are possible": ([line("1", 5_003)], [item("a", 2_001), item("b", 3_002), item("c", 3_002)], [U, U, U, U]),
    "an item that is booked in parts": ([line("1", 30_001), line("2", 40_002)], [item("a", 70_003)], [M, M, M]),
    "one item for two sums": ([line("1", 70_003), line("2", 80_006)], [item("a", 30_001), item("b", 40_002), item("c", 50_005)], [U, U, U, U, U]),
    "not due": ([line("1", 400)], [item("a", 500, due=False)], [FO]),
    "seven are too many": ([line("1", 7_000_007)], [item(f"a{k}", 1_000_001) for k in range(7)], [FO, *[PO] * 7]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_case(name: str) -> None:
    lines, items, outcomes = CASES[name]
    assert [row.outcome for row in found(lines, items)] == outcomes


def test_sums_are_bounded_and_whole() -> None:
    amounts = [10_007 * k * k + 31 * k + 1 for k in range(1, 25)]
    target = sum(amounts[k] for k in (1, 5, 9, 13, 17, 23))
    began = time.process_time()
    result = search(target, amounts)
    # time: of the processor, and a bound of work
    assert time.process_time() - began < 2
    assert (1, 5, 9, 13, 17, 23) in result.found
    assert not result.sure  # among 24 it may be chance
    assert search(17, [17, 5]).found == ()  # one amount is no sum


def test_months_follow_each_other_over_the_year() -> None:
    assert [months_later("202601", k) for k in (-1, 0, 11, 12)] == ["202512", "202601", "202612", "202701"]


# --- files

HEAD = "日期,凭证号,摘要,借方金额,贷方金额,部门经济分类,往来单位"


def read(data: bytes, **mapping: Any) -> list[VoucherLine]:
    return read_vouchers(data, None, VoucherMapping(**mapping), "jsj", KNOWN).lines


def refusal(data: bytes, **mapping: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        read(data, **mapping)
    assert " · " in caught.value.flaws[0].message or "必" in caught.value.flaws[0].message
    return caught.value.flaws[0].message


def test_totals_titles_and_the_closing_are_left_out() -> None:
    text = f'某局凭证导出\n{HEAD}\n2026-03-05,记-1,付油费,"1,234.50",,30231 公务用车运行维护费,中石化\n,,本月合计,1234.50,,,\n小计,,,1,,,\n2026-03-31,记-9,期末结转,,1234.50,30231,\n'
    found = read_vouchers(text.encode("gbk"), None, PLAIN, "jsj", KNOWN)
    assert (len(found.lines), found.totals, found.closings) == (1, 2, 1)
    assert (found.lines[0].amount_fen, found.lines[0].period, found.lines[0].budget_class) == (
        123450,
        "202603",
        "30231",
    )


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2026-03-05,,付油费,1.00,,30231,", "凭证号为空"),
        ("2026-02-30,记-1,付油费,1.00,,30231,", "没有这个时刻"),
        ("2026-03-05,记-1,付油费,1.005,,30231,", "两位小数"),
        ("2026-03-05,记-1,,1.00,,30231,", "摘要为空"),
        ("2026-03-05,记-1,付油费,9999999999999,,30231,", "金额过大"),
    ],
)
def test_a_bad_row_refuses_the_file_and_says_why(row: str, says: str) -> None:
    assert says in refusal(f"{HEAD}\n2026-03-05,记-0,付油费,1.00,,30231,\n{row}\n".encode())


def test_a_mapping_says_what_a_system_calls_things() -> None:
    text = "部门,记账日,号,内容,支出,类\n卫生局,2026-03-05,记-1,付油费,5.00,\n,,,付油费,6.00,\n"
    lines = read(
        text.encode(), fill_down=True, account_classes={"5001": "30231"},
        fields={"unit": "部门", "date": "记账日", "voucher": "号", "summary": "内容", "debit": "支出", "account": "类", "budget_class": None},
    )  # fmt: skip
    assert [(each.organisation, each.voucher, each.amount_fen) for each in lines] == [
        ("wsj", "记-1", 500),
        ("wsj", "记-1", 600),
    ]
    assert "不在本次对账" in refusal(f"单位,{HEAD}\n外单位,2026-03-05,记-1,油,1.00,,30231,\n".encode())
    assert "出现两次" in refusal(
        f"分录号,{HEAD}\n1,2026-03-05,记-1,油,1.00,,30231,\n1,2026-03-05,记-1,油,1.00,,30231,\n".encode()
    )
    book, target = openpyxl.Workbook(), io.BytesIO()
    for row in (HEAD.split(","), [date(2026, 3, 5), "记-1", "油", 5.25, None, "30231", "中石化"]):
        book.active.append(row)
    book.save(target)
    assert read(target.getvalue())[0].amount_fen == 525


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        ('<!DOCTYPE a [<!ENTITY x "xxxxxxxx"><!ENTITY y "&x;&x;&x;">]><a><分录><摘要>&y;</摘要></分录></a>', "DOCTYPE"),
        ('<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>', "DOCTYPE"),
        ("<a>" * 40 + "</a>" * 40, "嵌套"),
        ("<a><分录><摘要>油</摘要>", "完整的 XML"),
        ("<a><凭单/></a>", "没有凭证分录元素"),
        ('<?xml version="1.0" encoding="Big5"?><a/>', "UTF-8 或 GBK"),
        ("<a><分录><日期>2026-03-05</日期><凭证号>1</凭证号><摘要>油</摘要><借方金额>1.00</借方金额><借方>2.00</借方></分录></a>", "有两项"),
    ],
)  # fmt: skip
def test_xml_that_is_a_bomb_or_broken_is_refused(xml: str, says: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read(xml.encode())
    assert says in caught.value.flaws[0].message


def test_what_two_matches_have_in_common_is_shown_to_a_person() -> None:
    rows = found(*CASES["two lines, one item"][:2])
    assert [row.peers for row in rows] == [(3,), (3,), (1, 2)]
    assert {row.step for row in found(*CASES["a sum"][:2])} == {str(MatchStep.SUM)}
