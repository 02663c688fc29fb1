"""Runs of a reconciliation: made in three steps, so that no connection waits while it computes (``prepare``, ``compute``, ``keep``); lists, and one."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from office.costs.money import yuan
from office.costs.reconciling.items import Expected, load_expected, months_later
from office.costs.reconciling.mapping import VoucherMapping
from office.costs.reconciling.matching import counted_accounts, reconcile
from office.costs.reconciling.outcome import OUTCOME_NAMES, STEP_NAMES, MatchStep, Outcome
from office.costs.reconciling.reading import read_vouchers
from office.costs.reconciling.rows import FoundRow, Side, counts_of, digest_of, found_rows
from office.costs.statement import READ
from office.identity.scope import FEW_UNITS, in_order
from office.supervision.actors import Actor, persons_for, reach_of
from registry.organisations import names_of, organisation_exists, units_above, units_below
from rules.alerts.conditions import Conditions
from runtime.connection import Connection
from runtime.errors import InvalidError, NotThereError

RECONCILE: Final = "costs:reconcile"
#: Months of one run.
MOST_MONTHS: Final = 12
#: Of the way in which lines are matched: another one may find something else.
MATCHING: Final = 1
_CHUNK: Final = 5_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run needs of the database. ``mapping_of``: whose mapping, and its version; None: the built-in one."""

    organisation: str
    since: str
    until: str
    mapping: VoucherMapping
    mapping_of: tuple[str, int] | None
    units: dict[str, str]
    expected: Expected


@dataclass(frozen=True, slots=True)
class Computed:
    """What a run found."""

    rows: list[FoundRow]
    counts: dict[str, Any]
    accounts: list[str]
    file_sha256: str
    file_bytes: int
    result_sha256: str


def no_run(id: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(
        f"没有这次对账，或不在您的范围内 · no such reconciliation, or it is not yours to see: {id}"
    )


async def mapping_for(
    connection: Connection, organisation: str
) -> tuple[VoucherMapping, tuple[str, int] | None]:
    """The newest mapping of a unit, else of the nearest above it that has one, else the built-in one."""
    above = await units_above(connection, organisation)
    rows = await connection.fetch(
        "SELECT DISTINCT ON (organisation) organisation, version, body FROM voucher_mappings WHERE organisation = ANY($1::text[])"
        " ORDER BY organisation, version DESC",
        sorted(above),
    )  # fmt: skip
    held = {row["organisation"]: row for row in rows}
    unit: str | None = organisation
    while unit is not None:
        if (row := held.get(unit)) is not None:
            return VoucherMapping.model_validate(row["body"]), (unit, row["version"])
        unit = await connection.fetchval("SELECT parent FROM organisations WHERE id = $1", unit)
    return VoucherMapping(), None


async def prepare(
    connection: Connection, actor: Actor, organisation: str, since: str, until: str
) -> Prepared:
    """What a run of the periods ``since`` to ``until`` needs. Raises NotThereError, NotAllowedError, InvalidError."""
    if not await organisation_exists(connection, organisation):
        raise NotThereError(
            f"没有这个单位，或不在您的范围内 · no such unit, or it is not yours: {organisation}"
        )
    await persons_for(connection, actor, organisation, RECONCILE)
    if until < since:
        raise InvalidError("/query/until", "结束期间早于开始期间 · the last period is before the first")
    if until >= months_later(since, MOST_MONTHS):
        raise InvalidError(
            "/query/until",
            f"一次至多对 {MOST_MONTHS} 个月，请分次对账 · at most {MOST_MONTHS} months at a time",
        )
    mapping, owner = await mapping_for(connection, organisation)
    units = await units_below(connection, [organisation])
    expected = await load_expected(connection, units, since, until, mapping)
    names = await names_of(connection, units)
    # A name that two units have names none of them.
    often = Counter(names.values())
    known = {name: id for id, name in names.items() if often[name] == 1}
    return Prepared(organisation, since, until, mapping, owner, known | {id: id for id in units}, expected)


def compute(prepared: Prepared, data: bytes, charset: str | None) -> Computed:
    """Read the file and match it: seconds of work for a large one. The same input gives the same result. Raises RefusedError."""
    read = read_vouchers(data, charset, prepared.mapping, prepared.organisation, prepared.units)
    lines = [line for line in read.lines if prepared.since <= line.period <= prepared.until]
    found, foreign = reconcile(lines, prepared.expected.items, prepared.mapping)
    rows = found_rows(lines, prepared.expected, found)
    left_out = {
        "read": len(read.lines) + read.totals + read.closings, "totals": read.totals, "closings": read.closings,
        "other_periods": len(read.lines) - len(lines), "other_costs": foreign,
    }  # fmt: skip
    return Computed(
        rows, {"rows": left_out} | counts_of(rows), counted_accounts(lines, prepared.mapping), hashlib.sha256(data).hexdigest(), len(data),
        digest_of(rows),
    )  # fmt: skip


async def keep(
    connection: Connection, actor: Actor, prepared: Prepared, computed: Computed, source: str
) -> str:
    """Freeze a run; its id."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    id = f"DZ-{prepared.until}-{secrets.token_hex(6).upper()}"
    parameters = {
        "matching": MATCHING,
        "mapping": prepared.mapping.model_dump(mode="json"),
        "mapping_of": prepared.mapping_of and list(prepared.mapping_of),
        "accounts": computed.accounts,
    }
    await connection.execute(
        "INSERT INTO reconciliations (id, organisation, since, until, made_at, made_by, made_by_name, source, file_sha256, file_bytes, items_sha256,"
        " result_sha256, parameters, counts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        id, prepared.organisation, prepared.since, prepared.until, now, actor.person, actor.subject.name, source, computed.file_sha256,
        computed.file_bytes, prepared.expected.sha256, computed.result_sha256, parameters, computed.counts,
    )  # fmt: skip
    for first in range(0, len(computed.rows), _CHUNK):
        await _insert(connection, id, computed.rows[first : first + _CHUNK])
    return id


async def _insert(connection: Connection, id: str, rows: Sequence[FoundRow]) -> None:
    records = [
        {"no": row.no, "side": row.side, "organisation": row.organisation, "item": row.item, "outcome": str(row.outcome), "flaws": row.flaws,
         "step": row.step, "peers": row.peers, "amount_fen": row.amount_fen, "body": row.body}
        for row in rows
    ]  # fmt: skip
    await connection.execute(
        "INSERT INTO reconciliation_lines (reconciliation, no, side, organisation, item, outcome, flaws, step, peers, amount_fen, body, standing)"
        " SELECT $1, r.no, r.side, r.organisation, r.item, r.outcome, r.flaws, r.step, r.peers, r.amount_fen, r.body, r.outcome"
        " FROM jsonb_to_recordset($2::jsonb) AS r (no integer, side text, organisation text, item text, outcome text, flaws text[], step text,"
        " peers integer[], amount_fen bigint, body jsonb)",
        id, records,
    )  # fmt: skip


# --- shown

_ROW: Final = "id, organisation, since, until, made_at, made_by_name AS made_by, source, file_sha256, file_bytes, items_sha256, result_sha256, counts"


async def list_runs(
    connection: Connection,
    actor: Actor,
    organisation: str | None,
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[dict[str, Any]]:
    """Runs of the caller's units, the newest first, behind ``after``. ``organisation``: with the units below it."""
    asked, reached = Conditions(), await reach_of(connection, actor.subject, READ)
    if organisation is not None:
        asked.add("organisation = ANY({})", sorted(await units_below(connection, [organisation])))
    elif reached is not None:
        asked.add("organisation = ANY({})", reached)
    if after is not None:
        asked.add("made_at <= {} AND (made_at < {} OR id > {})", after[0], after[0], after[1])
    most = asked.argument(limit)
    async with in_order(connection, reached is None or len(reached) > FEW_UNITS):
        rows = await connection.fetch(
            f"SELECT {_ROW} FROM reconciliations{asked.where} ORDER BY made_at DESC, id LIMIT {most}",  # noqa: S608 - constants
            *asked.arguments,
        )
    return [dict(row) for row in rows]


async def show_run(connection: Connection, id: str) -> dict[str, Any]:
    """One run: its input, what it found, what it comes to now, and what people have done since. Raises NotThereError."""
    row = await connection.fetchrow(f"SELECT {_ROW}, parameters FROM reconciliations WHERE id = $1", id)  # noqa: S608 - constant
    if row is None:
        raise no_run(id)
    standing = await connection.fetch(
        "SELECT side, standing, count(*) AS lines, sum(amount_fen)::bigint AS fen FROM reconciliation_lines WHERE reconciliation = $1"
        " GROUP BY side, standing ORDER BY side, standing",
        id,
    )
    acts = await connection.fetch(
        "SELECT version, step, at, actor_name AS by, body FROM reconciliation_acts WHERE reconciliation = $1 ORDER BY version",
        id,
    )
    return dict(row) | {
        "standing": [
            {"side": each["side"], "outcome": each["standing"], "name": OUTCOME_NAMES[Outcome(each["standing"])], "lines": each["lines"],
             "amount_fen": each["fen"], "amount": yuan(each["fen"])}
            for each in standing
        ],
        "version": len(acts),
        "acts": [dict(act) for act in acts],
    }  # fmt: skip


async def list_found(
    connection: Connection, id: str, outcome: Outcome | None, side: Side | None, limit: int, after: int, numbers: Collection[int] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Lines of a run in their order, behind ``after``; of an outcome (as it is now), of a side, of some ``numbers``. Raises NotThereError."""
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM reconciliations WHERE id = $1)", id):
        raise no_run(id)
    asked = Conditions()
    asked.add("reconciliation = {}", id)
    asked.add("no > {}", after)
    if outcome is not None:
        asked.add("standing = {}", str(outcome))
    if side is not None:
        asked.add("side = {}", side)
    if numbers is not None:
        asked.add("no = ANY({}::integer[])", sorted(numbers))
    most = asked.argument(limit)
    rows = await connection.fetch(
        f"SELECT no, side, organisation, item, outcome, flaws, step, peers, amount_fen, body, standing, act FROM reconciliation_lines{asked.where}"  # noqa: S608 - constants
        f" ORDER BY no LIMIT {most}",
        *asked.arguments,
    )
    acts = {
        act["version"]: act
        for act in await connection.fetch(
            "SELECT version, step, body FROM reconciliation_acts WHERE reconciliation = $1 AND version = ANY($2::integer[])",
            id, sorted({row["act"] for row in rows if row["act"] is not None}),
        )
    }  # fmt: skip
    return [line_view(row, acts.get(row["act"])) for row in rows]


def line_view(row: Any, act: Any) -> dict[str, Any]:
    """A line as it is now. ``act``: what it is so by; None: the run."""
    found, standing = dict(row), Outcome(row["standing"])
    body = dict(found.pop("body"))
    step, peers = row["step"], list(row["peers"])
    if act is not None:
        by_hand = act["step"] == "match"
        step = str(MatchStep.MANUAL) if by_hand else None
        peers = [no for no in act["body"]["lines"] if no != row["no"]] if by_hand else []
    return found | {
        "standing_name": OUTCOME_NAMES[standing],
        "step": step,
        "step_name": None if step is None else STEP_NAMES[MatchStep(step)],
        "peers": peers,
        "amount": yuan(row["amount_fen"]),
        "period": body.pop("period"),
        "day": body.pop("day"),
        "number": body.pop("number"),
        "counterpart": body.pop("counterpart"),
        "budget_classes": body.pop("budget_classes"),
        "more": body,
    }
