"""A backtest in words and in columns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from registry.parameters import Parameter
from registry.spelling import safe_cell
from rules.alerts.model import Measure
from rules.backtest.model import Kind, Row, Side, Totals
from rules.wording.texts import moment
from runtime.units import CHINA, from_us

#: Outcomes now, and then, as they are shown.
OUTCOMES: Final = {
    "normal": "正常 normal",
    "suspected": "疑似 suspected",
    "undetermined": "不可判 undetermined",
}
_NOW: Final = OUTCOMES | {"none": "未判 not judged"}
_THEN: Final = OUTCOMES | {"waiting": "待判 waiting"}
_KINDS: Final = {
    Kind.RAISED: "新增疑似 / raised",
    Kind.WITHDRAWN: "撤销 / withdrawn",
    Kind.CHANGED: "数字或原因不同 / changed",
    Kind.UNCHANGED: "不变 / unchanged",
    Kind.WAITING: "暂不能判 / cannot be judged",
}
_TEXT: Final = (
    "kind", "subject", "organisation", "vehicle", "plate", "driver", "order", "from", "to", "now_outcome", "now_reason",
    "now_severity", "then_outcome", "then_reason", "then_severity",
)  # fmt: skip


def describe(parameters: Iterable[Parameter]) -> str:
    """The parameters of a rule, one a line: name, default, unit, limits."""
    return "\n".join(
        f"    {p.name} = {p.default} [{p.unit}]，{p.minimum}..{p.maximum}"
        + (f"（也可写 / or {p.name.removesuffix('_permille')}={p.default / 1000:g}）" if p.name.endswith("_permille") else "")
        for p in parameters
    )  # fmt: skip


def summary(totals: Totals) -> Iterator[str]:
    """Lines: outcomes now and then, counts, the first rows of what would be raised, withdrawn, changed."""
    yield from _grid(totals)
    yield ""
    for kind, name in _KINDS.items():
        yield f"{name}: {totals.kinds[kind]:,}"
        if kind is Kind.WAITING:
            yield from (f"  {why}: {count:,}" for why, count in sorted(totals.reasons.items()))
    for kind in (Kind.RAISED, Kind.WITHDRAWN, Kind.CHANGED):
        rows = totals.first.get(kind, [])
        if rows:
            shown = "" if len(rows) == totals.kinds[kind] else f"，前 / first {len(rows)}"
            yield ""
            yield f"{_KINDS[kind]} ({totals.kinds[kind]:,}{shown})"
            yield from map(_line, rows)


def _grid(totals: Totals) -> Iterator[str]:
    now = [name for name in _NOW if name != "none" or any(was == name for was, _ in totals.steps)]
    then = [name for name in _THEN if name != "waiting" or totals.kinds[Kind.WAITING]]
    rows = [["现在 now \\ 之后 then", *(_THEN[name] for name in then), "合计 all"]]
    for was in now:
        counts = [totals.steps[was, name] for name in then]
        rows.append([_NOW[was], *(f"{n:,}" for n in counts), f"{sum(counts):,}"])
    sums = [sum(totals.steps[was, name] for was in now) for name in then]
    rows.append(["合计 all", *(f"{n:,}" for n in sums), f"{sum(sums):,}"])
    widths = [max(_width(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        cells = [
            _pad(row[0], widths[0]),
            *(_pad(c, w, right=True) for c, w in zip(row[1:], widths[1:], strict=True)),
        ]
        yield "  ".join(cells)  # fmt: skip


def _width(text: str) -> int:
    """Columns of a terminal: Chinese characters take two."""
    return sum(2 if ord(c) > 0x2E80 else 1 for c in text)


def _pad(text: str, width: int, *, right: bool = False) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if right else text + blanks


def _line(row: Row) -> str:
    when = "" if row.from_us is None else moment(row.from_us)
    who = row.plate or row.driver or "-"
    return f"  {when}  {who}  {row.subject}  {_numbers(row.now, row.then)}"


def _numbers(now: Side | None, then: Side) -> str:
    """The numbers; where they differ, ``was -> is``. The reason where it differs."""
    old: Mapping[str, Measure] = {} if now is None else now.measures
    parts = []
    for name in dict.fromkeys((*then.measures, *old)):
        was, will = old.get(name), then.measures.get(name)
        unit = (will or was or Measure(None)).unit
        told = [str(m.value) for m in (was, will) if m is not None]
        parts.append(f"{name} {' -> '.join(dict.fromkeys(told))}{'' if unit in ('', '1') else ' ' + unit}")
    reasons = [then.told] if now is None else dict.fromkeys((now.told, then.told))
    return f"{', '.join(parts)}；{' -> '.join(reasons)}"


def header(measures: Sequence[str]) -> list[str]:
    """Columns of the CSV; ``measures``: names of all measures of the rows, each now and then."""
    return [*_TEXT, *(f"{side}_{name}" for name in measures for side in ("now", "then"))]


def cells(row: Row) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
    """(the text columns, the measures now, those then): integers and texts by name."""
    now = row.now
    text = [
        row.kind.value, row.subject, row.organisation or "", row.vehicle or "", row.plate, row.driver or "", row.order or "",
        _time(row.from_us), _time(row.to_us), "" if now is None else now.outcome, "" if now is None else now.told,
        "" if now is None else now.severity or "", row.then.outcome, row.then.told, row.then.severity or "",
    ]  # fmt: skip
    values = {} if now is None else {name: safe_cell(m.value) for name, m in now.measures.items()}
    then = {name: safe_cell(m.value) for name, m in row.then.measures.items()}
    return [safe_cell(cell) for cell in text], values, then


def _time(us: int | None) -> str:
    return "" if us is None else from_us(us).astimezone(CHINA).isoformat()
