"""What a run found as rows that are kept, numbered, and their hash. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from office.costs.reconciling.items import Expected
from office.costs.reconciling.matching import MOST_CANDIDATES, Matched
from office.costs.reconciling.outcome import Item, Outcome
from office.costs.reconciling.voucher import VoucherLine

Side = Literal["finance", "platform"]
#: Of a line of a secret vehicle nothing is kept that says where and when it was.
_HIDDEN: Final = "涉密"


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A line of the result. ``peers``: numbers of the lines on the other side, or of the own one that was taken back."""

    no: int
    side: Side
    organisation: str
    item: str | None
    outcome: Outcome
    flaws: tuple[str, ...]
    step: str | None
    peers: tuple[int, ...]
    amount_fen: int
    body: dict[str, Any]

    def text(self) -> bytes:
        """What is hashed."""
        return orjson.dumps(
            [self.no, self.side, self.organisation, self.item, self.outcome, self.flaws, self.step, self.peers, self.amount_fen, self.body],
            option=orjson.OPT_SORT_KEYS,
        )  # fmt: skip


def found_rows(lines: Sequence[VoucherLine], expected: Expected, found: Sequence[Matched]) -> list[FoundRow]:
    """The rows: lines of vouchers in the order of the file, then items in theirs."""
    of_line = {k: each for each in found for k in each.lines}
    of_item = {k: each for each in found for k in each.items}
    # A candidate that is in no group itself is not due; it is shown as what it may be.
    for each in found:
        for k in each.candidate_items:
            of_item.setdefault(k, Matched((), (k,), Outcome.UNDECIDED))
    line_no = {k: number for number, k in enumerate(sorted(of_line), 1)}
    item_no = {k: number for number, k in enumerate(sorted(of_item), len(line_no) + 1)}
    rows = []
    for k, number in line_no.items():
        each, line = of_line[k], lines[k]
        peers = [item_no[p] for p in each.items or each.candidate_items] or [
            line_no[p] for p in each.lines if p != k
        ]
        rows.append(
            _row(number, "finance", line.organisation, None, each, peers, line.amount_fen, _line_body(line))
        )
    for k, number in item_no.items():
        each, item = of_item[k], expected.items[k]
        peers = [line_no[p] for p in each.lines or each.candidate_lines] or [
            item_no[p] for p in each.items if p != k
        ]
        body = _item_body(item, secret=item.id in expected.secret)
        rows.append(_row(number, "platform", item.organisation, item.id, each, peers, item.amount_fen, body))
    return rows


def _row(
    number: int, side: Side, unit: str, item: str | None, found: Matched, peers: Sequence[int], amount: int, body: dict[str, Any]
) -> FoundRow:  # fmt: skip
    flaws = tuple(str(flaw) for flaw in found.flaws if flaw is not Outcome.MATCHED)
    step = None if found.step is None else str(found.step)
    return FoundRow(
        number, side, unit, item, found.outcome, flaws, step, tuple(peers[:MOST_CANDIDATES]), amount, body
    )


def _line_body(line: VoucherLine) -> dict[str, Any]:
    return {
        "row": line.row, "period": line.period, "day": line.day.isoformat(), "number": line.voucher, "line": line.line, "text": line.summary,
        "account": line.account, "budget_classes": [line.budget_class] if line.budget_class else [], "counterpart": line.counterpart,
        "attachment": line.attachment, "debit_fen": line.debit_fen, "credit_fen": line.credit_fen,
    }  # fmt: skip


def _item_body(item: Item, *, secret: bool) -> dict[str, Any]:
    return {
        "kind": item.kind, "due": item.due, "period": item.period, "until": item.until, "day": None if secret else item.day.isoformat(),
        "number": _HIDDEN if secret else item.number, "budget_classes": sorted(item.classes),
        "counterpart": "" if secret or not item.counterparts else item.counterparts[0],
    }  # fmt: skip


def digest_of(rows: Sequence[FoundRow]) -> str:
    """SHA-256 of all rows."""
    found = hashlib.sha256()
    for row in rows:
        found.update(row.text() + b"\n")
    return found.hexdigest()


def counts_of(rows: Sequence[FoundRow]) -> dict[str, dict[str, int]]:
    """Lines by side and outcome."""
    found: dict[str, Counter[str]] = {"finance": Counter(), "platform": Counter()}
    for row in rows:
        found[row.side][str(row.outcome)] += 1
    return {side: dict(sorted(each.items())) for side, each in found.items()}
