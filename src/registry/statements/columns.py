"""Which column of a statement is what: headers as offices write them, a mapping for the others, the header row
found under titles. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timezone
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from registry.bulk import MAX_FLAWS
from registry.refusals import Flaw, RefusedError, UnreadableError, explain
from registry.spelling import name_key, plain
from registry.statements.cells import Cell, text_of
from registry.statements.sheets import Line, Sheet
from registry.statements.units import factor_of, zone_of
from runtime.units import CHINA

_HEAD_LINES: Final = 30
_CARD_IN_TITLE: Final = re.compile(r"卡号[:\s]*([0-9]{8,40})(?!\.?[0-9A-Za-z])")
_NAMES_A_CARD: Final = re.compile(r"卡号\s*[:0-9]")

Kind = Literal["statement", "violations"]

#: Longer is no header.
_LONGEST_HEADER: Final = 100

# field -> headers, the likelier first; our own names are known, too.
_STATEMENT: Final = {
    "card": ("卡号", "加油卡号", "油卡号", "加油卡卡号", "卡片号码", "充电卡号"),
    "date": ("交易日期", "消费日期", "加油日期", "日期"),
    "at": ("交易时间", "交易日期时间", "消费时间", "加油时间", "充电时间", "发生时间", "时间"),
    "posted": ("入账时间", "入账日期", "记账时间", "记账日期", "过账时间", "过账日期", "清算时间", "清算日期"),
    "kind": ("交易类型", "业务类型", "交易种类", "交易类别", "类型"),
    "product": ("油品", "油品名称", "品种", "商品名称", "商品"),
    "quantity": ("数量", "升数", "交易数量", "加油量", "加油升数", "加油数量", "油量", "充电量", "充电电量", "电量"),
    "unit_price": ("单价", "油价", "交易单价"),
    "amount": ("金额", "交易金额", "加油金额", "消费金额", "发生额"),
    "balance": ("余额", "卡余额", "卡内余额", "交易后余额"),
    "station_name": ("网点", "网点名称", "交易网点", "消费网点", "加油站", "加油站名称", "油站", "油站名称", "站点名称", "交易地点"),
    "number": ("流水号", "交易流水号", "交易编号", "交易流水", "订单号", "单号"),
    "reverses": ("原流水号", "原交易流水号", "原交易编号", "原订单号"),
}  # fmt: skip
_VIOLATIONS: Final = {
    "plate": ("号牌号码", "车牌号码", "车牌号", "号牌", "车牌", "车号"),
    "date": ("违法日期", "违章日期"),
    "at": ("违法时间", "违章时间", "违法日期时间"),
    "place": ("违法地点", "违法地址", "违章地点", "地点"),
    "act": ("违法行为", "违法行为名称", "违法内容", "违章行为", "违章内容"),
    "code": ("违法代码", "违法行为代码", "违章代码", "违法行为编码"),
    "fine": ("罚款金额", "罚款", "罚款数额"),
    "points": ("记分", "扣分", "记分值", "违法记分", "违法记分数"),
    "status": ("处理状态", "处理标记", "处理情况", "状态"),
    "number": ("违法编号", "违法序号", "违法记录编号", "决定书编号", "处罚决定书编号", "文书编号"),
}  # fmt: skip
_REQUIRED: Final = {
    "statement": ("card", "at", "kind", "quantity"),
    "violations": ("plate", "at", "act"),
}
HEADERS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "statement": _STATEMENT,
    "violations": _VIOLATIONS,
}
_WORDS: Final = {
    "kind": frozenset({"fill", "top_up", "reversal", "fee", "other"}),
    "status": frozenset({"open", "handled", "revoked", "appealed"}),
}


class FileMapping(BaseModel):
    """What a file calls things, where it is not as usual. ``columns``: our field -> its header, null = the file
    has none. ``values``: a field's value for every row. ``words``: {"kind"|"status": {its word: our value}}.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: dict[str, str | None] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    words: dict[str, dict[str, str]] = Field(default_factory=dict)


def read_mapping(kind: Kind, given: object) -> FileMapping:
    """A mapping from its JSON; {field: header} alone will do. Raises RefusedError."""
    if isinstance(given, dict) and not given.keys() <= FileMapping.model_fields.keys():
        given = {"columns": given}
    try:
        mapping = FileMapping.model_validate(given)
    except ValidationError as error:
        raise RefusedError(explain(error)) from None
    known = HEADERS[kind]
    flaws = [
        Flaw((part, name), f"未知字段；可用 · unknown field; there are: {', '.join(known)}")
        for part, names in (("columns", mapping.columns), ("values", mapping.values))
        for name in names
        if name not in known
    ]
    for name, words in mapping.words.items():
        allowed = _WORDS.get(name, frozenset())
        flaws += [
            Flaw(("words", name, word), f"应为下列之一 · must be one of: {', '.join(sorted(allowed))}")
            for word, value in words.items()
            if value not in allowed
        ]
    if flaws:
        raise RefusedError(flaws[:MAX_FLAWS])
    return mapping


@dataclass(frozen=True, slots=True)
class Table:
    """The rows below a header. ``columns``: field -> index in the header; ``values``: fields of every row;
    ``titled``: a title, not a column, says whose card it is, and another title may follow below. ``factors``: field -> what
    its numbers are multiplied by, ``zone``: of its times, both as the header says.
    """

    sheet: Sheet
    header_row: int
    header: list[Cell]
    columns: dict[str, int]
    values: dict[str, str]
    titled: bool
    factors: dict[str, Fraction]
    zone: timezone

    def lines(self) -> Iterator[Line]:
        """The rows below the header."""
        return (line for line in self.sheet.lines() if line[0] > self.header_row)


def find_table(kind: Kind, sheets: Sequence[Sheet], mapping: FileMapping) -> Table:
    """The one table of a file. Raises UnreadableError for none, and for several: none is left out silently."""
    found: list[Table] = []
    nearest = _Miss()
    for sheet in sheets:
        table = _read_table(kind, sheet, mapping, nearest)
        if table is not None:
            found.append(table)
    if len(found) > 1:  # a sheet with a header and nothing below it is a form that was not filled in
        found = [table for table in found if next(table.lines(), None) is not None] or found[:1]
    if len(found) > 1:
        names = "、".join(table.sheet.name for table in found)
        raise UnreadableError(
            f"多个工作表都有数据，请分开导入：{names[:200]} · more than one sheet has rows; import them apart"
        )
    if not found:
        raise _no_header(kind, nearest)
    return found[0]


@dataclass(slots=True)
class _Miss:
    """The line most like a header: how many columns it has, what is missing, where."""

    columns: int = 0
    missing: Sequence[str] = ()
    row: int = 0


def _read_table(kind: Kind, sheet: Sheet, mapping: FileMapping, nearest: _Miss) -> Table | None:
    """The table of a sheet, with the likeliest delimiter that makes one."""
    failure: UnreadableError | None = None
    for way in (sheet, *sheet.otherwise):
        try:
            table = _table_of(kind, way, mapping, nearest)
        except UnreadableError as error:  # for a less likely one, that is no news
            failure = error if way is sheet else failure
        else:
            if table is not None:
                return table
    if failure is not None:
        raise failure
    return None


def _table_of(kind: Kind, sheet: Sheet, mapping: FileMapping, nearest: _Miss) -> Table | None:
    """The table of a sheet, or None, with its best line in ``nearest`` if it is better than what is there."""
    head = list(islice(sheet.lines(), _HEAD_LINES))
    for number, cells in head:
        columns, values, titled = columns_of(kind, cells, mapping), dict(mapping.values), False
        if kind == "statement" and "card" not in columns and "card" not in values:
            # A column that leaves a row's card open is not helped out by a title: that may name the main card.
            titles = (text_of(cell) for above, row in head if above < number for cell in row)
            cards = cards_named(" ".join(titles))
            if titled := len(cards) == 1 and "" not in cards:
                values["card"] = cards.pop()
        missing = [name for name in _REQUIRED[kind] if name not in columns and name not in values]
        if columns and not missing:
            factors, zone = _units(number, cells, columns)
            return Table(sheet, number, cells, columns, values, titled, factors, zone)
        if len(columns) > nearest.columns:
            nearest.columns, nearest.missing, nearest.row = len(columns), missing, number
    return None


def _units(
    row: int, header: Sequence[Cell], columns: Mapping[str, int]
) -> tuple[dict[str, Fraction], timezone]:
    """Factors of the columns and the zone of the times. Raises UnreadableError for a unit that is not known."""
    factors: dict[str, Fraction] = {}
    zone: timezone = CHINA
    for name, place in columns.items():
        text = text_of(header[place])
        try:
            if name == "at":
                zone = zone_of(text)
            else:
                factors[name] = factor_of(name, text)
        except ValueError as error:
            raise UnreadableError(f"列“{text[:30]}”：{error}", field=name, row=row) from None
    return factors, zone


def _no_header(kind: Kind, nearest: _Miss) -> UnreadableError:
    if not nearest.columns:
        known = "、".join(names[0] for names in HEADERS[kind].values())
        return UnreadableError(
            f"前 {_HEAD_LINES} 行没有表头；认识的列 · no header row; known columns: {known}"
        )
    missing = nearest.missing
    shown = "、".join(HEADERS[kind][name][0] for name in missing)
    return UnreadableError(
        f"缺少列：{shown}；列名不同请用对照 · missing column: {', '.join(missing)}; map other headers",
        field=missing[0],
        row=nearest.row,
    )


def header_key(cell: Cell) -> str:
    """A header without its unit in brackets, spaces and width: for comparing."""
    text = text_of(cell)
    if (
        len(text) > _LONGEST_HEADER
    ):  # no header of ours; and the pattern would take for ever on a million brackets
        return text[:_LONGEST_HEADER]
    return re.sub(r"[(\[].*?[)\]]|[:*]", "", name_key(text))


# Rows that are refused are looked at as headers, too: our own names must not be normalised for each.
_name_key: Final = lru_cache(maxsize=1_000)(header_key)


def columns_of(kind: Kind, header: Sequence[Cell], mapping: FileMapping) -> dict[str, int]:
    """Field -> index of its column."""
    keys = [header_key(cell) for cell in header]
    columns: dict[str, int] = {}
    for name, headers in HEADERS[kind].items():
        wanted: Sequence[str] = (*headers, name)
        if name in mapping.columns:
            own = mapping.columns[name]
            wanted = () if own is None else (own,)
        for candidate in wanted:
            if (key := _name_key(candidate)) in keys and key:
                columns[name] = keys.index(key)
                break
    if "at" not in columns and "posted" in columns:  # no time of payment at all, perhaps its day
        columns["at"] = columns["posted"]
    elif "at" not in columns and "date" in columns:  # one column for both, under the day's name
        columns["at"] = columns.pop("date")
    return columns


def is_header(kind: Kind, columns: Mapping[str, int], mapping: FileMapping) -> bool:
    """Whether ``columns`` (of ``columns_of``) make a row a header; the card may be in a title."""
    needed = [name for name in _REQUIRED[kind] if name not in mapping.values and name != "card"]
    return bool(columns) and all(name in columns for name in needed)


def cards_named(text: str) -> set[str]:
    """The cards that a title names as 卡号; with ``""`` among them one whose number cannot be read."""
    text = plain(text)
    cards = set(_CARD_IN_TITLE.findall(text))
    return cards if len(_NAMES_A_CARD.findall(text)) <= len(_CARD_IN_TITLE.findall(text)) else cards | {""}
