"""Statements of cards and exports of violations: which column is what, and rows to records. Pure.

A row becomes a ``Draft``: a record with the id it would have if nothing were stored yet.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timezone
from fractions import Fraction
from typing import Any, Final

from pydantic import ValidationError

from registry.bulk import MAX_FLAWS
from registry.decimals import decimal_text
from registry.refusals import AHEAD, IN_FUTURE, Flaw, UnreadableError, explain
from registry.spelling import name_key, normal_plate, plain, sheet_error
from registry.statements.cells import (
    LOST_DIGITS,
    Cell,
    Covered,
    Uncomputed,
    code_of,
    day_of,
    energy_of,
    is_exact,
    kind_of,
    number_of,
    rounded_codes,
    status_of,
    text_of,
    time_of,
)
from registry.statements.columns import (
    FileMapping,
    Kind,
    Table,
    cards_named,
    columns_of,
    find_table,
    header_key,
    is_header,
)
from registry.statements.sheets import Sheet, shortened
from registry.statements.units import questions
from registry.transactions import FuelTransaction
from registry.values import parse_time
from registry.violations import Violation
from runtime.units import CHINA

#: Ids made of a row's content begin so.
MADE: Final = "row-"
#: What begins a row that is no record: sums, and what stands below a table.
_TOTALS: Final = re.compile(
    r"[(\[【《<一二三四五六七八九十、.]*(当前页|本[页月日期卡次]|全部)?(合计|小计|总计|共计|累计|汇总)|本页"
    r"|(grand|sub)?-?total(s|:|$)|sum(:|$)|共\d+[笔条行]|以下(空白|无正文)|第\d+页|(制表|打印|审核|复核|经办|填表)(人|日期|时间)?:",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Draft:
    """A row that could be read. ``numbered``: the id is the record's own number. ``content``: what makes it the
    same record in another file."""

    row: int
    record: Any
    numbered: bool
    content: tuple[Any, ...]


@dataclass(slots=True)
class Parsed:
    """A file as read. ``rows`` = drafts + repeated + refused; ``skipped``: totals, repeated headers and the titles
    of further cards."""

    kind: Kind
    columns: dict[str, str]
    ignored: list[str]
    notes: list[str] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    rows: int = 0
    repeated: int = 0
    refused: int = 0
    skipped: int = 0
    flaws: list[Flaw] = field(default_factory=list)
    flaw_count: int = 0

    def refuse(self, row: int, *flaws: Flaw) -> None:
        """Count a row as refused; the first MAX_FLAWS flaws are kept."""
        self.refused += 1
        self.flaw_count += len(flaws)
        for flaw in flaws[: max(MAX_FLAWS - len(self.flaws), 0)]:
            column = self.columns.get(str(flaw.path[0]), "") if flaw.path else ""
            self.flaws.append(Flaw(flaw.path, flaw.message, row, column))


def parse_statement(kind: Kind, sheets: Sequence[Sheet], mapping: FileMapping, now: datetime) -> Parsed:
    """The records of a file. ``now``: later times (AHEAD) are refused. Raises UnreadableError when no sheet, or
    more than one, has the columns, and when it is not clear which card or which columns further rows have.
    """
    table = find_table(kind, list(map(shortened, sheets)), mapping)
    used = set(table.columns.values())
    parsed = Parsed(
        kind,
        {name: text_of(table.header[place]) for name, place in table.columns.items()},
        [text_of(c)[:60] for i, c in enumerate(table.header) if i not in used and text_of(c)],
        _notes(sheets, table),
    )
    _read_rows(parsed, table, mapping, now)
    return parsed


def _notes(sheets: Sequence[Sheet], table: Table) -> list[str]:
    """What was converted, and what of the file people do not see."""
    notes = [note for sheet in sheets for note in sheet.notes]
    hidden = [
        text_of(table.header[k])
        for k in sorted(table.columns.values())
        if k + 1 in table.sheet.hidden_columns
    ]
    if hidden:
        notes.append(
            f"隐藏的列也已读取：{'、'.join(name[:30] for name in hidden)} · hidden columns were read, too"
        )
    for name, factor in table.factors.items():
        if factor != 1:
            header = text_of(table.header[table.columns[name]])
            notes.append(f"“{header[:30]}”已按 {_shown(factor)} 换算 · converted by {_shown(factor)}")
    if table.zone.utcoffset(None) != CHINA.utcoffset(None):
        notes.append(f"交易时间按 {table.zone} 换算 · times are in {table.zone}")
    return notes


def _shown(factor: Fraction) -> str:
    return (
        str(factor)
        if factor.denominator == 1
        else f"1/{factor.denominator}"
        if factor.numerator == 1
        else str(factor)
    )


def _read_rows(parsed: Parsed, table: Table, mapping: FileMapping, now: datetime) -> None:
    header, columns = table.header, table.columns
    build = _transaction if parsed.kind == "statement" else _violation
    unit = text_of(header[columns["quantity"]]) if "quantity" in columns else ""
    ordinals: Counter[str] = Counter()
    numbered: dict[str, Draft] = {}
    header_keys = [header_key(cell) for cell in header]
    rounded = _rounded_cards(table)
    given: dict[str, Cell] = dict(table.values)
    for number, cells in table.lines():
        if table.titled and (card := _next_card(number, cells, table, mapping)):
            given["card"] = card
            parsed.skipped += 1
            continue
        if _is_total(cells) or [header_key(cell) for cell in cells][: len(header)] == header_keys:
            parsed.skipped += 1
            continue
        parsed.rows += 1
        if any(text_of(cell) for cell in cells[len(header) :]):
            _refuse_other_header(parsed.kind, number, cells, table, mapping)
            message = f"应有 {len(header)} 列，实有 {len(cells)} 列 · {len(header)} columns expected, {len(cells)} found"
            parsed.refuse(number, Flaw((), message))
            continue
        reader = _Reader(given | _cells_of(cells, columns), mapping, unit, table.factors, table.zone)
        reader.booked = columns.get("posted") == columns.get("at")
        if rounded and reader.text("card") in rounded:
            reader.flaws.append(Flaw(("card",), LOST_DIGITS))
        record, own, content = build(reader)
        if record is not None and record.at > now + AHEAD:
            reader.flaws.append(Flaw(("at",), IN_FUTURE))
        if record is None or reader.flaws:
            _refuse_other_header(parsed.kind, number, cells, table, mapping)
            parsed.refuse(number, *reader.flaws)
            continue
        draft = Draft(number, record, bool(own), content)
        if own:
            same = numbered.setdefault(record.id, draft)
            if same is not draft:
                _meet(parsed, same, draft)
                continue
        else:
            key = "\x1f".join(map(str, (*content, name_key(getattr(record, "station_name", "")))))
            if parsed.kind == "violations":  # one car, one second, one act: the same violation twice
                ordinals[key] += 1
                if ordinals[key] > 1:
                    parsed.repeated += 1
                    continue
            made = hashlib.sha256(f"{parsed.kind}\x1f{key}\x1f{ordinals[key]}".encode()).hexdigest()[:32]
            if parsed.kind == "statement":
                ordinals[key] += 1
            draft.record = record.model_copy(update={"id": MADE + made})
        parsed.drafts.append(draft)
    _link(parsed, numbered)


def _rounded_cards(table: Table) -> set[str]:
    """Cards of a text file that look as if Excel had rounded them."""
    place = table.columns.get("card")
    if place is None:
        return set()
    codes: set[str] = set()
    for _, cells in table.lines():
        if place < len(cells):
            code = text_of(cells[place])
            if is_exact(code):  # mostly the first row: the file need not be read to its end for this
                return set()
            codes.add(code)
    return codes if rounded_codes(codes) else set()


def _cells_of(cells: Sequence[Cell], columns: Mapping[str, int]) -> dict[str, Cell]:
    return {
        name: cells[place]
        for name, place in columns.items()
        if place < len(cells) and (cells[place] != "" or isinstance(cells[place], Uncomputed))
    }


def _next_card(number: int, cells: Sequence[Cell], table: Table, mapping: FileMapping) -> str:
    """The card that a title below the header names for the rows that follow; "" for a row. One card's fills on
    another card accuse the wrong vehicle: where it is not clear, UnreadableError.
    """
    cards = cards_named(" ".join(map(text_of, cells)))
    if not cards:
        return ""
    reader = _Reader(_cells_of(cells, table.columns), mapping, "")
    if reader.time() is not None and not reader.flaws:
        return ""  # a row that mentions a card
    word = reader.text("kind")
    said = reader.read("kind", lambda _: kind_of(word, "", mapping.words.get("kind", {}))) if word else None
    if len(cards) == 1 and "" not in cards and said is None:
        return cards.pop()
    message = "此行写有卡号，但分不清以下各行属于哪张卡，请按卡分开导入 · whose card the rows below this title are is not clear; import each card apart"
    raise UnreadableError(message, field="card", row=number)


def _refuse_other_header(
    kind: Kind, number: int, cells: Sequence[Cell], table: Table, mapping: FileMapping
) -> None:
    """A second header with other columns: what follows would be read as something else than it is."""
    columns = columns_of(kind, cells, mapping)
    if is_header(kind, columns, mapping) and columns != table.columns:
        message = "此行是另一个表头，列与前不同，请分开导入 · another header, with other columns; import the tables apart"
        raise UnreadableError(message, row=number)


def _meet(parsed: Parsed, same: Draft, draft: Draft) -> None:
    if same.record == draft.record:
        parsed.repeated += 1
        return
    message = (
        f"编号 {draft.record.id[:40]} 与第 {same.row} 行相同而内容不同；编号不唯一时请在对照中设 number 为 null"
        f" · the same number as in row {same.row}, but another content; if numbers are not unique, map `number` to null"
    )
    parsed.refuse(draft.row, Flaw(("number",), message))


def _link(parsed: Parsed, numbered: Mapping[str, Draft]) -> None:
    """A reversal under its fill's own number names it; a violation with and without its number is one."""
    if parsed.kind == "statement":
        for draft in parsed.drafts:
            fill = draft.record.id.removesuffix(_REVERSAL)
            if draft.record.kind == "reversal" and draft.record.reverses is None and fill in numbered:
                draft.record = draft.record.model_copy(update={"reverses": fill})
        return
    known = {draft.content for draft in numbered.values()}
    kept = [draft for draft in parsed.drafts if draft.numbered or draft.content not in known]
    parsed.repeated += len(parsed.drafts) - len(kept)
    parsed.drafts = kept


def _is_total(cells: Sequence[Cell]) -> bool:
    first = next((text_of(cell) for cell in cells if text_of(cell)), "")
    return bool(_TOTALS.match("".join(plain(first[:100]).split())))


# --- rows to records

_UNCOMPUTED: Final = "公式没有保存结果，请用 Excel/WPS 打开并保存后再导入 · a formula without its result; open and save the file in Excel first"
_MERGED: Final = (
    "合并单元格覆盖了多行，分不清属于哪一行，请取消合并 · a merged cell covers several rows; split it"
)
#: What may stand once for several rows.
_MAY_BE_MERGED: Final = frozenset({"card", "plate", "date", "station_name", "product", "kind", "place"})

#: A reversal may come under the number of what it takes back: its id differs.
_REVERSAL: Final = "~reversal"


class _Reader:
    """One row: reads fields, notes what is wrong with each."""

    def __init__(
        self,
        row: Mapping[str, Cell],
        mapping: FileMapping,
        unit: str,
        factors: Mapping[str, Fraction] | None = None,
        zone: timezone = CHINA,
    ) -> None:
        self.row = dict(row)
        self.mapping = mapping
        self.unit = unit
        self.factors = factors or {}
        self.zone = zone
        #: The file has no time of payment: ``at`` is that of the booking.
        self.booked = False
        self.flaws: list[Flaw] = []
        self._told: set[str] = set()
        for name, cell in row.items():
            if isinstance(cell, Uncomputed):
                self._refuse(name, _UNCOMPUTED)
            elif isinstance(cell, str) and (error := sheet_error(cell)) is not None:
                self._refuse(name, error)
            elif isinstance(cell, Covered) and name not in _MAY_BE_MERGED:
                self._refuse(name, _MERGED)

    def _refuse(self, name: str, message: str) -> None:
        """Say once what is wrong with a cell, and read it as empty."""
        self.flaws.append(Flaw((name,), message))
        self._told.add(name)
        self.row[name] = ""

    def text(self, name: str) -> str:
        return text_of(self.row.get(name, ""))

    def read(self, name: str, reader: Callable[[Cell], Any], *, required: bool = False) -> Any:
        cell = self.row.get(name, "")
        if name in self._told:
            return None
        if required and not text_of(cell):
            self.flaws.append(Flaw((name,), "缺少必填项 · required, but missing"))
            return None
        try:
            return reader(cell)
        except ValueError as error:
            self.flaws.append(Flaw((name,), str(error)))
            return None

    def time(self) -> datetime | None:
        day: date | None = self.read("date", day_of) if self.text("date") else None
        found: datetime | None = self.read("at", lambda cell: time_of(cell, day, self.zone), required=True)
        return found

    def paid(self) -> tuple[datetime | None, bool]:
        """When it was paid, and whether that is the time of its booking, or the start of a day, because nothing better is
        known."""
        if (self.text("at") and not self.booked) or not self.text("posted"):
            return self.time(), False
        name = "date" if self.text("date") else "posted"
        try:
            return time_of(self.row[name], None, self.zone), name == "posted"
        except ValueError:
            day: date | None = self.read(name, day_of)
        return None if day is None else parse_time(datetime.combine(day, time(), CHINA)), True

    def decimal(self, name: str, digits: int) -> str | None:
        factor = self.factors.get(name, Fraction(1))
        number = self.read(name, lambda cell: number_of(cell, digits, name, factor))
        return None if number is None else decimal_text(number, digits)

    def make(self, model: type[Any], values: dict[str, Any]) -> Any:
        if self.flaws:
            return None
        try:
            return model.model_validate(values)
        except ValidationError as error:
            self.flaws += [
                Flaw(("number",) if flaw.path == ("id",) else flaw.path, flaw.message)
                for flaw in explain(error)
            ]
            return None


Built = tuple[Any, str, tuple[Any, ...]]


def _transaction(row: _Reader) -> Built:
    product, word = row.text("product"), row.text("kind")
    words = row.mapping.words.get("kind", {})
    kind = row.read("kind", lambda _: kind_of(word, product, words), required=True)
    number = row.read("number", code_of) or ""
    quantity = row.decimal("quantity", 3)
    amount = row.decimal("amount", 2)
    if kind == "fill" and any((value or "").startswith("-") for value in (quantity, amount)):
        kind = "reversal"  # what goes back
    if quantity is not None and kind in ("reversal", "other"):
        quantity = quantity.removeprefix("-")
    at, posted = row.paid()
    if kind == "fill" and quantity is None and not any(f.path == ("quantity",) for f in row.flaws):
        row.flaws.append(Flaw(("quantity",), "加油须有数量 · a fill needs its quantity"))
    if kind == "fill" and quantity is not None and not quantity.strip("0."):
        kind = "other"  # nothing was taken
    values = {
        "id": (number + (_REVERSAL if kind == "reversal" else "")) or "-",
        "card": row.read("card", code_of, required=True),
        "at": at,
        "posted": posted,
        "kind": kind,
        "product": product,
        "energy": energy_of(product, word, row.unit, row.text("quantity")),
        "quantity": quantity,
        "unit_price": row.decimal("unit_price", 4),
        "amount": amount,
        "balance": row.decimal("balance", 2),
        "station_name": row.text("station_name"),
        "reverses": row.read("reverses", code_of) or None,
    }
    if kind == "fill" and not row.flaws:
        sums = (Fraction(v) if (v := values[name]) else None for name in ("quantity", "unit_price", "amount"))
        row.flaws += [Flaw((name,), asked) for name, asked in questions(*sums)]
    made = row.make(FuelTransaction, values)
    if made is None:
        return None, number, ()
    return made, number, (made.card, made.at, made.kind, made.quantity, made.amount)


def _violation(row: _Reader) -> Built:
    words = row.mapping.words.get("status", {})
    number = row.read("number", code_of) or ""
    values = {
        "id": number or "-",
        "plate": row.read("plate", lambda cell: normal_plate(text_of(cell)), required=True),
        "at": row.time(),
        "place": row.text("place"),
        "act": row.text("act") if row.read("act", text_of, required=True) else "",
        "code": row.read("code", code_of) or "",
        "fine": row.decimal("fine", 2),
        "points": row.read("points", lambda cell: number_of(cell, 0, "points")),
        "status": row.read("status", lambda cell: status_of(text_of(cell), words)),
    }
    made = row.make(Violation, values)
    return made, number, () if made is None else (made.plate, made.at, name_key(made.act))
