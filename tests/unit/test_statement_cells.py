"""Cells that lost their format, numbers that lost a zero, cells with a tab behind them. No database."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904, to_excel

from registry.refusals import UnreadableError
from registry.statements.cells import Numeric, day_of, time_of
from runtime.units import CHINA
from tests.unit.test_statements import CARD, EXPORT, HEADER, ROW, VIOLATION, flaws, parsed, records

AT = datetime(2026, 3, 2, 0, 5, 9, tzinfo=UTC)
LOCAL = datetime(2026, 3, 2, 8, 5, 9)


def workbook(header: list[str], *rows: list[Any], mac: bool = False) -> bytes:
    book = openpyxl.Workbook()
    if mac:
        book.epoch = CALENDAR_MAC_1904
    for row in (header, *rows):
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@given(st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 31)).map(lambda t: t.replace(microsecond=0)))
def test_a_serial_is_the_moment_that_it_was_to_the_second(naive: datetime) -> None:
    serial = format(to_excel(naive), ".15g")
    if "." in serial:
        assert time_of(Numeric(serial)) == naive.replace(tzinfo=CHINA)
    assert day_of(Numeric(serial)) == naive.date()
    mac = Numeric(format(to_excel(naive, CALENDAR_MAC_1904), ".15g"), CALENDAR_MAC_1904)
    assert day_of(mac) == naive.date()


@pytest.mark.parametrize("mac", [False, True])
def test_unformatted_dates_of_a_workbook(mac: bool) -> None:
    epoch = CALENDAR_MAC_1904 if mac else datetime(1899, 12, 30)
    serial = to_excel(LOCAL, epoch)
    header = ["卡号", "交易时间", "交易类型", "数量"]
    (made,) = records(workbook(header, [CARD, serial, "加油", 45.32], mac=mac))
    assert (made.at, made.quantity) == (AT, 45320)
    apart = ["卡号", "交易日期", "交易时间", "交易类型", "数量"]
    rows = [
        [CARD, int(serial), clock, "加油", n]
        for n, clock in enumerate((serial % 1, 80509, "8:05:09"), start=1)
    ]
    assert [r.at for r in records(workbook(apart, *rows, mac=mac))] == [AT] * 3
    compact = [[CARD, 20260302080509, "加油", 1], [CARD, 202603020805, "加油", 2]]
    assert [r.at for r in records(workbook(header, *compact))] == [AT, AT - timedelta(seconds=9)]


def test_numbers_that_are_no_moment_are_refused() -> None:
    header = ["卡号", "交易时间", "交易类型", "数量"]
    for value in (46083, 0.33, 80001.5, -1.5, 20000.5, 80509):  # days alone, clock alone, out of range
        assert flaws(workbook(header, [CARD, value, "加油", 1])) == [(2, "at")], value
    with pytest.raises(ValueError, match="只有日期"):
        time_of(Numeric("46083"))
    with pytest.raises(ValueError, match="如 2026"):
        time_of("46083.3368")  # text: nobody says that it was a date
    with pytest.raises(ValueError, match="日期"):
        day_of(Numeric("0.5"))


def test_clocks_that_lost_their_zero() -> None:
    day = date(2026, 3, 2)
    for cell in ("80509", Numeric("80509"), "080509"):
        assert time_of(cell, day) == AT
    for cell in (
        "805",
        Numeric("805"),
        "0805",
        "9",
        Numeric("0"),
    ):  # hours and minutes, or minutes and seconds?
        with pytest.raises(ValueError, match="时分秒"):
            time_of(cell, day)
    with pytest.raises(ValueError, match="没有这个时刻"):
        time_of("96099", day)
    with pytest.raises(ValueError, match="·"):
        time_of("80509")


def behind(text: str) -> str:
    return "\n".join(line.replace(",", "\t,") + "\t," for line in text.split("\n"))


@pytest.mark.parametrize("header", [HEADER, behind(HEADER), behind(HEADER).removesuffix(",")])
def test_a_tab_after_each_cell(header: str) -> None:
    """Exports do that to keep Excel from rounding the numbers."""
    (plain,) = records(f"{HEADER}\n{ROW}")
    title = "油卡对账单\n打印日期：2026-04-01\n"
    for row in (behind(ROW), behind(ROW).removesuffix(","), behind(ROW).replace("\t,", "\t\t,")):
        assert records(f"{title}{header}\n{row}\n") == [plain]
    quoted = ",".join(f'"{cell}\t"' for cell in ROW.split(","))
    for ending in ("", "\n" + "\n".join([quoted] * 30)):  # more tabs than commas
        assert records(f"{HEADER}\n{quoted}{ending}")[0] == plain
    (violation,) = records(f"{behind(EXPORT)}\n{behind(VIOLATION + ',V1')}", "violations")
    assert (violation.id, violation.plate) == ("V1", "苏F12345")
    titled = f"卡号：{CARD}\n{behind('卡号,时间,类型,数量')}\n{behind(',2026-03-02 08:05:09,加油,1')}"
    assert flaws(titled) == [(3, "card")]


def test_what_no_delimiter_makes_a_table_is_refused_as_before() -> None:
    with pytest.raises(UnreadableError, match="缺少列：数量") as caught:
        parsed(behind(f"标题\n{HEADER.replace('数量(升)', '多少')}\n{ROW}"))
    assert caught.value.flaws[0].row == 2
    with pytest.raises(UnreadableError, match="没有表头"):
        parsed("a\t,b\t,\n1\t,2\t,\n")
    with pytest.raises(UnreadableError, match="CSV"):
        parsed('"a"x,b\n1,2\n')
