"""What the platform expects the finance system to have booked: lines of the ledger that the unit bears, and statements of platforms."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import orjson

from office.costs.kinds import CostKind
from office.costs.reconciling.mapping import VoucherMapping
from office.costs.reconciling.outcome import Item
from runtime.connection import Connection
from runtime.units import CHINA

#: So many months beside those that are compared: what was booked early or late.
_BESIDE: Final = 2
#: Shorter numbers stand in texts for other reasons.
_SHORTEST_NUMBER: Final = 6
_SHORTEST_INVOICE: Final = 8
#: Months in which a statement is owed.
_OWED: Final = frozenset({"confirmed", "paid", "received"})


@dataclass(frozen=True, slots=True)
class Expected:
    """``items`` in a fixed order; ``secret``: ids of lines of secret vehicles. ``sha256``: of all that is compared."""

    items: tuple[Item, ...]
    secret: frozenset[str]
    sha256: str


def months_later(period: str, months: int) -> str:
    """The period ``months`` after one, or before it."""
    count = int(period[:4]) * 12 + int(period[4:]) - 1 + months
    return f"{count // 12:04d}{count % 12 + 1:02d}"


async def load_expected(
    connection: Connection, units: Collection[str], since: str, until: str, mapping: VoucherMapping
) -> Expected:
    """Of ``units`` within reach, of the periods ``since`` to ``until``, and of those beside them what no other run has matched."""
    window = (
        sorted(units),
        months_later(since, -max(_BESIDE, mapping.statement_lag)),
        months_later(until, _BESIDE),
    )
    entries = await connection.fetch(
        "SELECT * FROM reconcilable_entries($1, $2, $3) e WHERE e.period BETWEEN $4 AND $5 OR NOT booked_elsewhere(e.id, $4, $5)",
        *window, since, until,
    )  # fmt: skip
    statements = await connection.fetch(
        "SELECT * FROM reconcilable_statements($1, $2, $3) s WHERE s.period BETWEEN $4 AND $5 OR NOT booked_elsewhere(s.id, $4, $5)",
        *window, since, until,
    )  # fmt: skip
    items = [_entry(row, since, until, mapping) for row in entries if row["kind"] in mapping.classes]
    items += [_statement(row, since, until, mapping) for row in statements]
    items.sort(key=lambda item: (item.organisation, item.period, item.day, item.kind, item.id))
    return Expected(tuple(items), frozenset(row["id"] for row in entries if row["secret"]), _digest(items))


def _entry(row: Any, since: str, until: str, mapping: VoucherMapping) -> Item:
    period, day = row["period"], row["occurred_on"]
    if f"{day:%Y%m}" != period:
        # Entered for a later month: that is when it is booked.
        day = date(int(period[:4]), int(period[4:]), 1)
    code = row["budget_class"].strip()[:5]
    classes = [code] if code.isdecimal() and len(code) == 5 else mapping.classes[CostKind(row["kind"])]
    references = [row["id"]]
    if len(row["entry_no"] or "") >= _SHORTEST_NUMBER:
        references.append(row["entry_no"])
    if len(row["invoice_no"]) >= _SHORTEST_INVOICE:
        references.append(row["invoice_no"])
    return Item(
        "entry", row["id"], row["organisation"], row["entry_no"] or row["id"], tuple(references), (row["vendor"],) if row["vendor"] else (),
        row["amount_fen"], period, period, day, frozenset(classes), since <= period <= until, row["reverses"],
    )  # fmt: skip


def _statement(row: Any, since: str, until: str, mapping: VoucherMapping) -> Item:
    period = row["period"]
    last = months_later(period, mapping.statement_lag)
    names = tuple(dict.fromkeys((row["platform_name"], row["platform"])))
    due = row["state"] in _OWED and since <= period and last <= until
    return Item(
        "statement", row["id"], row["organisation"], row["number"], (row["id"], row["number"]), names, row["total_fen"], period, last,
        row["settled_at"].astimezone(CHINA).date(), frozenset(mapping.statement_classes), due,
    )  # fmt: skip


def _digest(items: Sequence[Item]) -> str:
    found = hashlib.sha256()
    for item in items:
        found.update(
            orjson.dumps(
                [item.kind, item.id, item.number, item.references, item.counterparts, item.amount_fen, item.period, item.until, item.day,
                 sorted(item.classes), item.due, item.reverses]
            )
            + b"\n"
        )  # fmt: skip
    return found.hexdigest()
