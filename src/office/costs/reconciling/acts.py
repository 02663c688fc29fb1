"""What people match by hand, or release from a match: acts that are added, each with a reason; the run itself stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from office.costs.entry import CostReason
from office.costs.problems import stale
from office.costs.reconciling.mapping import VoucherMapping
from office.costs.reconciling.outcome import Item, Outcome, judged
from office.costs.reconciling.runs import RECONCILE, no_run, show_run
from office.costs.reconciling.voucher import VoucherLine
from office.supervision.actors import Actor, persons_for
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError

#: Lines of one act.
MOST_LINES: Final = 100
#: Acts of one run.
_MOST_ACTS: Final = 5_000


class ReconciliationMatch(BaseModel):
    """These lines belong together: of both sides, or of one that has taken back what it booked. ``version``: how many acts you saw."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    version: int = Field(ge=0, le=1_000_000, strict=True)
    lines: list[int] = Field(min_length=2, max_length=MOST_LINES, description="`no` of the lines")
    reason: CostReason


class ReconciliationRelease(BaseModel):
    """The line, and all that it is matched with, belong to nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    version: int = Field(ge=0, le=1_000_000, strict=True)
    line: int = Field(ge=1, le=2**31 - 1, strict=True, description="`no` of one of the lines")
    reason: CostReason


async def match(connection: Connection, actor: Actor, id: str, given: ReconciliationMatch) -> dict[str, Any]:
    """Match lines that nothing is matched with; the run as it is then. Raises NotThereError, NotAllowedError, DeclinedError."""
    run, persons = await _begin(connection, actor, id, given.version)
    numbers = sorted(set(given.lines))
    rows = await connection.fetch(
        "SELECT * FROM reconciliation_lines WHERE reconciliation = $1 AND no = ANY($2::integer[]) ORDER BY no FOR UPDATE",
        id, [no for no in numbers if 0 < no < 2**31],
    )  # fmt: skip
    if len(rows) != len(numbers):
        raise InvalidError(
            "/lines",
            "本次对账没有其中的某一行，请核对行号 · one of these lines is none of this reconciliation",
        )
    for row in rows:
        if not await _group(connection, run, row):
            continue
        raise InvalidError(
            "/lines", "其中有的行已有对应，请先解除 · one of these lines is matched already; release it first"
        )
    if len({row["organisation"] for row in rows}) > 1:
        raise InvalidError("/lines", "这些行不属于同一单位，不能对应 · these lines are of different units")
    mapping = VoucherMapping.model_validate(run["parameters"]["mapping"])
    flaws = judged(
        [_line(row) for row in rows if row["side"] == "finance"],
        [_item(row, mapping) for row in rows if row["side"] == "platform"],
    )
    if flaws[0] in (Outcome.FINANCE_ONLY, Outcome.PLATFORM_ONLY):
        raise InvalidError(
            "/lines", "只有一方的行，且合计不为零；请选入另一方的行 · lines of one side alone, and their sum is not zero: choose lines of the other side"
        )  # fmt: skip
    body = {"lines": numbers, "outcome": str(flaws[0]), "flaws": [str(flaw) for flaw in flaws if flaw is not Outcome.MATCHED], "reason": given.reason}  # fmt: skip
    version = await _act(connection, actor, id, given.version, "match", persons, body)
    await _stand(connection, id, numbers, flaws[0], version)
    return await show_run(connection, id)


async def release(
    connection: Connection, actor: Actor, id: str, given: ReconciliationRelease
) -> dict[str, Any]:
    """Release a line and all that it is matched with; the run as it is then. Raises as ``match``."""
    run, persons = await _begin(connection, actor, id, given.version)
    row = await connection.fetchrow(
        "SELECT * FROM reconciliation_lines WHERE reconciliation = $1 AND no = $2 FOR UPDATE", id, given.line
    )
    if row is None:
        raise InvalidError("/line", "本次对账没有这一行，请核对行号 · this reconciliation has no such line")
    numbers = await _group(connection, run, row)
    if not numbers:
        raise InvalidError("/line", "这一行没有对应，无须解除 · nothing is matched with this line")
    version = await _act(
        connection, actor, id, given.version, "release", persons, {"lines": numbers, "reason": given.reason}
    )
    # What is not due yet is no finding; nobody says any more what it belongs to.
    rest: dict[Outcome, list[int]] = {
        Outcome.FINANCE_ONLY: [],
        Outcome.PLATFORM_ONLY: [],
        Outcome.UNDECIDED: [],
    }
    for each in await connection.fetch(
        "SELECT no, side, COALESCE((body ->> 'due')::boolean, true) AS due FROM reconciliation_lines WHERE reconciliation = $1"
        " AND no = ANY($2::integer[])",
        id, numbers,
    ):  # fmt: skip
        alone = Outcome.FINANCE_ONLY if each["side"] == "finance" else Outcome.PLATFORM_ONLY
        rest[alone if each["due"] else Outcome.UNDECIDED].append(each["no"])
    for outcome, own in rest.items():
        await _stand(connection, id, own, outcome, version)
    return await show_run(connection, id)


async def _begin(connection: Connection, actor: Actor, id: str, version: int) -> tuple[Any, frozenset[str]]:
    run = await connection.fetchrow(
        "SELECT id, organisation, parameters FROM reconciliations WHERE id = $1", id
    )
    if run is None:
        raise no_run(id)
    persons = (await persons_for(connection, actor, run["organisation"], RECONCILE))[0]
    if not actor.human:
        raise DeclinedError(
            "no-person", "人工对应须由本人登录办理，程序不能代办 · a person must do this; log in yourself"
        )
    # Those who act on one run take turns; what is frozen cannot be locked for them.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('reconciliation:' || $1, 0))", id)
    present = await connection.fetchval(
        "SELECT COALESCE(max(version), 0) FROM reconciliation_acts WHERE reconciliation = $1", id
    )
    if version != present:
        raise stale("对账结果", "the reconciliation", present)
    if present >= _MOST_ACTS:
        raise DeclinedError(
            "too-many-events",
            "人工对应过多，请更正数据后重新对账 · too many acts: mend the data and reconcile again",
        )
    return run, persons


async def _group(connection: Connection, run: Any, row: Any) -> list[int]:
    """The numbers of the lines that ``row`` is matched with, and its own; empty: with nothing."""
    if row["act"] is not None:
        act = await connection.fetchrow(
            "SELECT step, body FROM reconciliation_acts WHERE reconciliation = $1 AND version = $2",
            run["id"],
            row["act"],
        )
        return list(act["body"]["lines"]) if act["step"] == "match" else []
    if row["step"] is None:
        return []
    found, fresh = {row["no"]}, {row["no"]}
    while fresh:
        # Few of many are named by each line: all of a group are reached over both sides.
        rows = await connection.fetch(
            "SELECT no FROM reconciliation_lines WHERE reconciliation = $1 AND act IS NULL AND step = $3 AND (peers && $2::integer[] OR no IN ("
            "SELECT unnest(l.peers) FROM reconciliation_lines l WHERE l.reconciliation = $1 AND l.no = ANY($2::integer[])))",
            run["id"], sorted(fresh), row["step"],
        )  # fmt: skip
        fresh = {each["no"] for each in rows} - found
        found |= fresh
    return sorted(found)


async def _act(
    connection: Connection, actor: Actor, id: str, version: int, step: str, persons: frozenset[str], body: dict[str, Any]
) -> int:  # fmt: skip
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    await connection.execute(
        "INSERT INTO reconciliation_acts (reconciliation, version, step, at, actor, persons, actor_name, address, device, body)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id, version + 1, step, now, actor.person, sorted(persons), actor.subject.name, actor.address[:100], actor.device[:300], body,
    )  # fmt: skip
    return version + 1


async def _stand(connection: Connection, id: str, numbers: Sequence[int], outcome: Outcome, act: int) -> None:
    await connection.execute(
        "UPDATE reconciliation_lines SET standing = $3, act = $4 WHERE reconciliation = $1 AND no = ANY($2::integer[])",
        id, list(numbers), str(outcome), act,
    )  # fmt: skip


def _line(row: Any) -> VoucherLine:
    body = row["body"]
    return VoucherLine(
        body["row"], row["organisation"], body["period"], date.fromisoformat(body["day"]), body["number"], body["line"], body["text"],
        body["account"], "".join(body["budget_classes"]), body["debit_fen"], body["credit_fen"], body["counterpart"], body["attachment"],
    )  # fmt: skip


def _item(row: Any, mapping: VoucherMapping) -> Item:
    body = row["body"]
    return Item(
        body["kind"], row["item"], row["organisation"], body["number"], (), (), row["amount_fen"], body["period"], body["until"], date.min,
        frozenset(body["budget_classes"]) or mapping.ours, due=True,
    )  # fmt: skip
