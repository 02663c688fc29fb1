"""Statements of cards and exports of violations: which column is what, and rows to records. Pure.

A row becomes a ``Draft``: a record with the id it would have if nothing were stored yet.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

from registry.bulk import MAX_FLAWS
from registry.refusals import AHEAD, IN_FUTURE, Flaw, UnreadableError
from registry.spelling import name_key, plain
from registry.statements.cells import (
    LOST_DIGITS,
    Cell,
    Uncomputed,
    is_exact,
    kind_of,
    rounded_codes,
    text_of,
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
from registry.statements.row_reader import REVERSAL, RowReader, transaction_of, violation_of
from registry.statements.sheets import Sheet, shortened
from registry.statements.units import MOST_APART, apart
from registry.transactions import exact_sums
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
    of further cards. ``every``: all flaws of the first ``most_refused`` refused rows, by row."""

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
    most_refused: int = 0
    every: dict[int, list[Flaw]] = field(default_factory=dict)
    table: Table | None = None

    def refuse(self, row: int, *flaws: Flaw) -> None:
        """Count a row as refused; the first MAX_FLAWS flaws are kept."""
        self.refused += 1
        self.flaw_count += len(flaws)
        if len(self.every) < self.most_refused:
            self.every.setdefault(row, []).extend(self._named(row, flaw) for flaw in flaws)
        for flaw in flaws[: max(MAX_FLAWS - len(self.flaws), 0)]:
            self.flaws.append(self._named(row, flaw))

    def _named(self, row: int, flaw: Flaw) -> Flaw:
        column = self.columns.get(str(flaw.path[0]), "") if flaw.path else ""
        return Flaw(flaw.path, flaw.message, row, column)


def parse_statement(
    kind: Kind, sheets: Sequence[Sheet], mapping: FileMapping, now: datetime, most_refused: int = 0
) -> Parsed:
    """The records of a file. ``now``: later times (AHEAD) are refused. ``most_refused``: see ``Parsed``. Raises UnreadableError when no sheet, or
    more than one, has the columns, and when it is not clear which card or which columns further rows have.
    """
    table = find_table(kind, list(map(shortened, sheets)), mapping)
    used = set(table.columns.values())
    parsed = Parsed(
        kind,
        {name: text_of(table.header[place]) for name, place in table.columns.items()},
        [text_of(c)[:60] for i, c in enumerate(table.header) if i not in used and text_of(c)],
        _notes(sheets, table),
        most_refused=most_refused,
        table=table,
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
    build = transaction_of if parsed.kind == "statement" else violation_of
    unit = text_of(header[columns["quantity"]]) if "quantity" in columns else ""
    ordinals: Counter[str] = Counter()
    far: list[int] = []
    header_keys = [header_key(cell) for cell in header]
    twice: dict[str, list[int]] = {}
    for name, place in columns.items():
        others = [k for k, key in enumerate(header_keys) if key == header_keys[place] and k != place]
        if others:
            twice[name] = others
    numbered: dict[str, Draft] = {}
    rounded = _rounded_cards(table)
    given: dict[str, Cell] = dict(table.values)
    for number, cells in table.lines():
        if table.titled and (card := _next_card(number, cells, table, mapping)):
            given["card"] = card
            parsed.skipped += 1
            continue
        if _is_total(cells) or _repeats(cells, header_keys):
            parsed.skipped += 1
            continue
        parsed.rows += 1
        if any(text_of(cell) for cell in cells[len(header) :]):
            _refuse_other_header(parsed.kind, number, cells, table, mapping)
            message = f"应有 {len(header)} 列，实有 {len(cells)} 列 · {len(header)} columns expected, {len(cells)} found"
            parsed.refuse(number, Flaw((), message))
            continue
        reader = RowReader(given | _cells_of(cells, columns), mapping, unit, table.factors, table.zone)
        reader.booked = columns.get("posted") == columns.get("at")
        for name, others in twice.items():
            reader.refuse_other_values(name, [cells[k] for k in others if k < len(cells)])
        if rounded and reader.text("card") in rounded:
            reader.flaws.append(Flaw(("card",), LOST_DIGITS))
        record, own, content = build(reader)
        if record is not None and record.at > now + AHEAD:
            reader.flaws.append(Flaw(("at",), IN_FUTURE))
        if record is None or reader.flaws:
            _refuse_other_header(parsed.kind, number, cells, table, mapping)
            parsed.refuse(number, *reader.flaws)
            continue
        if parsed.kind == "statement" and record.kind == "fill" and apart(*exact_sums(record)):
            far.append(number)
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
    if far:
        rows = "、".join(map(str, far[:5]))
        parsed.notes.append(
            f"{len(far)} 行的数量×单价与金额相差 {MOST_APART} 倍以上（第 {rows} 行），请核对单位 · in {len(far)} rows quantity times price"
            " is far from the sum: are the units right?"
        )


def _repeats(cells: Sequence[Cell], header_keys: Sequence[str]) -> bool:
    """Whether a row is the header again. The first cell decides of nearly all."""
    return len(cells) >= len(header_keys) and all(
        header_key(cell) == key for cell, key in zip(cells, header_keys, strict=False)
    )


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
    reader = RowReader(_cells_of(cells, table.columns), mapping, "")
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
            fill = draft.record.id.removesuffix(REVERSAL)
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
