"""A file of vouchers as lines. All of it or nothing: a line that is left out would be told as 平台有财务无. Pure.

Rows of totals (合计, 本月合计 …) and the closing of a period (结转) are left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from office.costs.entry import MOST_FEN
from office.costs.reconciling.mapping import VoucherMapping
from office.costs.reconciling.table_rows import header_key, table_rows
from office.costs.reconciling.voucher import FIELDS, REQUIRED, SUM_WORDS, VoucherLine
from office.costs.reconciling.xml_rows import xml_rows
from registry.bulk import MAX_FLAWS, ImportRefusedError
from registry.refusals import Flaw, UnreadableError
from registry.spelling import name_key
from registry.statements.cells import Cell, code_of, day_of, number_of, text_of

#: Of a file, in bytes: XML says each name twice.
MOST_BYTES: Final = 64 << 20
_CLOSING: Final = "结转"
#: As nearly all sums are written: nothing has to be found out.
_PLAIN_YUAN: Final = re.compile(r"-?[0-9]{1,9}\.[0-9]{2}", re.ASCII)
#: Characters of a text that is kept.
_MOST_TEXT: Final = 300
_MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class Vouchers:
    """``lines`` in the order of the file; rows that were left out: of totals, of the closing of a period."""

    lines: list[VoucherLine]
    totals: int
    closings: int


def read_vouchers(
    data: bytes, charset: str | None, mapping: VoucherMapping, organisation: str, units: Mapping[str, str]
) -> Vouchers:
    """The lines of a file. ``organisation``: of rows that name no unit; ``units``: ids and names that may stand there -> id. Raises
    UnreadableError for what is no file of vouchers, ImportRefusedError with the first flaws and their rows."""
    if len(data) > MOST_BYTES:
        raise UnreadableError(
            f"文件超过 {MOST_BYTES >> 20} MiB，请分期间导入 · larger than {MOST_BYTES >> 20} MiB; import by period"
        )
    reader = _Reader(mapping, organisation, {name_key(name): id for name, id in units.items()})
    headers = _headers(mapping)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        xml_rows(data, mapping.record, _Elements(reader, headers).take)
    else:
        for row, cells, first in table_rows(data, charset, headers):
            reader.read(row, cells, first)
    if reader.flaws:
        raise ImportRefusedError(reader.flaws)
    if not reader.lines:
        raise UnreadableError("文件中没有凭证分录 · the file has no line of a voucher")
    return Vouchers(reader.lines, reader.totals, reader.closings)


def _headers(mapping: VoucherMapping) -> dict[str, str]:
    """Header -> field: those of the mapping, and the usual ones of fields that it does not name."""
    found: dict[str, str] = {}
    for field, words in FIELDS.items():
        if field not in mapping.fields:
            found |= {header_key(word): field for word in (field, *words)}
    return found | {header_key(name): field for field, name in mapping.fields.items() if name is not None}


class _Elements:
    """Elements of XML as rows for ``reader``. ``headers``: header -> field."""

    def __init__(self, reader: _Reader, headers: Mapping[str, str]) -> None:
        self._reader, self._headers = reader, headers
        self._names: dict[str, str | None] = {}

    def take(self, row: int, fields: Mapping[str, str]) -> None:
        """Take a line. Raises UnreadableError where two elements mean the same and differ."""
        cells: dict[str, Cell] = {}
        for name, text in fields.items():
            if name not in self._names:
                self._names[name] = self._headers.get(header_key(name))
            if (field := self._names[name]) is None:
                continue
            if cells.get(field, text) != text:
                raise UnreadableError(
                    f"第 {row} 条分录有两项都是“{FIELDS[field][0]}”，请用对照写明用哪一项 · two elements mean the same; say in the mapping which counts", row=row
                )  # fmt: skip
            cells[field] = text
        self._reader.read(row, cells, "")


class _Reader:
    def __init__(self, mapping: VoucherMapping, organisation: str, units: dict[str, str]) -> None:
        self.lines: list[VoucherLine] = []
        self.flaws: list[Flaw] = []
        self.totals = self.closings = 0
        self._mapping, self._organisation, self._units = mapping, organisation, units
        self._own = {name_key(name): id for name, id in mapping.units.items()}
        self._seen: set[tuple[str, str, str, str]] = set()
        self._last: dict[str, Cell] = {}
        # Of what stands in many lines the same is found once.
        self._days: dict[str, date] = {}
        self._known_units: dict[str, str] = {}
        self._classes: dict[str, str] = {}
        self._periods: dict[tuple[str, str, int], str] = {}

    def read(self, row: int, cells: Mapping[str, Cell], first: str) -> None:
        """Take a row: as a line, as one that is left out, or as a flaw."""
        if len(self.flaws) >= MAX_FLAWS:
            return
        texts = {name: _said(cell) for name, cell in cells.items()}
        summary = texts.get("summary", "")
        if not texts.get("voucher") and (summary.startswith(SUM_WORDS) or first.startswith(SUM_WORDS)):
            self.totals += 1
            return
        if self._mapping.fill_down:
            cells = self._filled(cells, texts)
        before = len(self.flaws)
        for name in REQUIRED[:-1]:
            if not texts.get(name):
                self._flaw(row, name, _lacking(name))
        if len(self.flaws) > before:
            return
        try:
            line = self._line(row, cells, texts)
        except _FieldError as error:
            self._flaw(row, error.field, str(error))
            return
        if _CLOSING in summary and line.amount_fen < 0:
            self.closings += 1
            return
        if line.line:
            key = (line.organisation, line.period, line.voucher, line.line)
            if key in self._seen:
                self._flaw(row, "line", f"凭证 {line.voucher} 的分录 {line.line} 出现两次，请去掉重复的行 · this line of the voucher stands there twice")  # fmt: skip
                return
            self._seen.add(key)
        self.lines.append(line)

    def _flaw(self, row: int, field: str, message: str) -> None:
        self.flaws.append(Flaw((field,), message, row))

    def _filled(self, cells: Mapping[str, Cell], texts: dict[str, str]) -> Mapping[str, Cell]:
        """``cells`` with what stands on the first line of a voucher only."""
        if texts.get("voucher"):
            self._last = {
                name: cells[name] for name in ("unit", "year", "period", "date", "voucher") if texts.get(name)
            }
            return cells
        texts |= {name: text_of(cell) for name, cell in self._last.items() if not texts.get(name)}
        return {
            **cells,
            **{name: cell for name, cell in self._last.items() if not text_of(cells.get(name, ""))},
        }

    def _line(self, row: int, cells: Mapping[str, Cell], texts: Mapping[str, str]) -> VoucherLine:
        day = self._day(cells["date"], texts["date"])
        account = "".join(texts.get("account", "").split())
        said = texts.get("budget_class", "")
        if (budget_class := self._classes.get(said)) is None:
            budget_class = self._classes[said] = _class_of(said)
        if not budget_class and account:
            fitting = [prefix for prefix in self._mapping.account_classes if account.startswith(prefix)]
            budget_class = self._mapping.account_classes[max(fitting, key=len)] if fitting else ""
        return VoucherLine(
            row,
            self._unit(texts.get("unit", "")),
            self._period(texts.get("period", ""), texts.get("year", ""), day),
            day,
            _code("voucher", cells),
            _code("line", cells),
            texts["summary"][:_MOST_TEXT],
            account[:60],
            budget_class,
            _fen("debit", cells),
            _fen("credit", cells),
            texts.get("counterpart", "")[:_MOST_TEXT],
            texts.get("attachment", "")[:_MOST_TEXT],
        )

    def _period(self, text: str, year: str, day: date) -> str:
        if not text:
            return f"{day:%Y%m}"
        key = (text, year, day.year)
        if (known := self._periods.get(key)) is None:
            known = self._periods[key] = _period(text, year, day)
        return known

    def _day(self, cell: Cell, text: str) -> date:
        if (known := self._days.get(text)) is not None and type(cell) is str:
            return known
        try:
            day = day_of(cell)
        except ValueError as error:
            raise _FieldError("date", str(error)) from None
        if type(cell) is str:
            self._days[text] = day
        return day

    def _unit(self, text: str) -> str:
        if not text:
            return self._organisation
        if (known := self._known_units.get(text)) is not None:
            return known
        key = name_key(text)
        found = self._own.get(key) or self._units.get(key)
        if found is None:
            raise _FieldError(
                "unit", f"单位“{text[:40]}”不在本次对账的单位之内；名称不同的请在对照（units）中写明 · this unit is none of those compared; say in the mapping which it is"
            )  # fmt: skip
        self._known_units[text] = found
        return found


def _said(cell: Cell) -> str:
    """``text_of``; nearly all cells need nothing of it."""
    return (
        cell.strip()
        if type(cell) is str and cell.isprintable() and cell[:1] not in ("=", "'")
        else text_of(cell)
    )


class _FieldError(ValueError):
    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def _lacking(name: str) -> str:
    word = FIELDS[name][0]
    if name in ("voucher", "date"):
        return f"{word}为空；只写在每张凭证首行的，请在对照中设 fill_down；合计行请以“合计”开头 · {name} is empty; where it stands on the first line of a voucher only, set fill_down in the mapping"
    return f"{word}为空，请补全 · {name} is empty"


def _code(name: str, cells: Mapping[str, Cell]) -> str:
    cell = cells.get(name, "")
    if type(cell) is str and cell.isascii() and cell.isdigit():
        return cell[:60]
    try:
        return code_of(cell)[:60]
    except ValueError as error:
        raise _FieldError(name, str(error)) from None


def _fen(name: str, cells: Mapping[str, Cell]) -> int:
    cell = cells.get(name, "")
    if type(cell) is str and _PLAIN_YUAN.fullmatch(cell):
        return int(cell.replace(".", ""))
    try:
        found = number_of(cell, 2, "amount") or 0
    except ValueError as error:
        raise _FieldError(name, f"金额不是以元为单位、至多两位小数的数：{error}") from None
    if abs(found) > MOST_FEN:
        raise _FieldError(name, "金额过大，请核对单位是否为元 · the amount is too large; it must be in yuan")
    return found


def _class_of(text: str) -> str:
    """The code at the beginning of 30231 公务用车运行维护费; "" where there is none."""
    digits = "".join(text.split())
    end = next((k for k, c in enumerate(digits) if c not in "0123456789"), len(digits))
    return digits[:end][:9]


def _period(text: str, year: str, day: date) -> str:
    """yyyymm of 202603, 2026-03, 2026年3月; of 3 with the year beside it, or that of the day."""
    said = text.replace("年", "-").replace("月", "").replace("/", "-").replace(".", "-").strip("- ")
    if not said:
        return f"{day:%Y%m}"
    parts = said.split("-")
    if len(parts) == 1 and len(said) == 6:
        parts = [said[:4], said[4:]]
    if len(parts) == 1:
        parts = [year.removesuffix("年") or str(day.year), said]
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts) or len(parts[0]) != 4:
        raise _FieldError("period", "期间应为 yyyymm，如 202603 · must be a period such as 202603")
    if not 1 <= int(parts[1]) <= _MONTHS or not parts[0].startswith("20"):
        raise _FieldError("period", "没有这个期间，应为 01 至 12 月 · no such period")
    return f"{parts[0]}{int(parts[1]):02d}"
