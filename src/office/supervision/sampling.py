"""What a clerk need not write himself: alerts of one car and day that make one case, and spot checks (抽查) by a seed.

A sample is the first n of all, ordered by the SHA-256 of ``seed:id``: whoever has the seed and the list finds the same, with any
program. How many there were to choose from, and the hash of their list, is kept with each draft.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from office.supervision.actors import Actor, persons_for, reach_of
from office.supervision.commanding import draft
from office.supervision.contents import MAX_ALERTS, CaseContents, Source
from registry.organisations import units_below
from registry.refusals import PlacedError
from registry.values import Day, Identifier
from runtime.connection import Connection
from runtime.errors import InvalidError
from runtime.units import midnight

#: Cases proposed at once; alerts looked at.
MOST_PROPOSALS: Final = 200
_MOST_ALERTS: Final = 5_000
#: Drafts of one spot check; what they are chosen from.
MOST_SAMPLED: Final = 100
_MOST_LISTED: Final = 200_000


async def proposals(
    connection: Connection, actor: Actor, organisation: str | None, since: date, until: date
) -> list[dict[str, Any]]:
    """Suspected alerts of days [since, until] that are in no open case and have no finding, bundled by vehicle and day."""
    reach = await reach_of(connection, actor.subject, "cases:draft")
    if organisation is not None:
        below = await units_below(connection, [organisation])
        reach = sorted(below if reach is None else below & set(reach))
    rows = await connection.fetch(
        "SELECT a.id, a.organisation, a.vehicle, a.plate, a.driver, a.rule, a.severity,"
        " (a.occurred_from AT TIME ZONE 'Asia/Shanghai')::date AS day FROM alerts a"
        " WHERE a.status = 'suspected' AND a.occurred_from >= $1 AND a.occurred_from < $2"
        " AND ($3::text[] IS NULL OR a.organisation = ANY($3::text[]))"
        " AND NOT EXISTS (SELECT FROM case_links l WHERE l.kind = 'alert' AND l.ref = a.id AND l.open)"
        " AND NOT EXISTS (SELECT FROM alert_labels b LEFT JOIN cases c ON c.id = b.case_id WHERE b.alert_id = a.id"
        " AND (c.state = 'closed' OR c.id IS NULL))"
        " ORDER BY a.occurred_from, a.id LIMIT $4",
        *_span(since, until),
        reach,
        _MOST_ALERTS,
    )
    bundles: dict[tuple[str, str, date], dict[str, Any]] = {}
    for row in rows:
        # An alert without a vehicle (of a driver's month) is bundled with others of its driver.
        key = row["organisation"], row["vehicle"] or f"driver {row['driver'] or row['id']}", row["day"]
        bundle = bundles.setdefault(
            key,
            {name: row[name] for name in ("organisation", "vehicle", "plate", "day")}
            | {"alerts": [], "rules": [], "level": "general"},
        )
        if len(bundle["alerts"]) == MAX_ALERTS:
            continue  # proposed again when these are in a case
        bundle["alerts"].append(row["id"])
        if row["rule"] not in bundle["rules"]:
            bundle["rules"].append(row["rule"])
        if row["severity"] == "high":
            bundle["level"] = "urgent"
    return list(bundles.values())[:MOST_PROPOSALS]


def _span(since: date, until: date) -> tuple[Any, Any]:
    return midnight(since), midnight(until + timedelta(days=1))


class SpotCheck(BaseModel):
    """A random sample of what raised no alert in a period."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    organisation: Identifier = Field(description="with the units below it")
    since: Day = Field(alias="from")
    until: Day = Field(alias="to", description="included; at most 366 days")
    of: Literal["vehicles", "orders"] = "vehicles"
    size: int = Field(ge=1, le=MOST_SAMPLED, strict=True)
    seed: Annotated[str, StringConstraints(pattern="^[0-9A-Za-z_-]{1,64}$")] | None = Field(
        None, description="left out: drawn by chance; the answer names it"
    )

    @model_validator(mode="after")
    def _in_order(self) -> SpotCheck:
        if not self.since <= self.until <= self.since + timedelta(days=366):
            raise PlacedError("to 不得早于 from，最多一年 · not before `from`, at most a year", "to")
        return self


def sample(ids: Sequence[str], seed: str, size: int) -> list[str]:
    """``size`` of ``ids``, the same for the same seed, whatever their order."""
    return sorted(ids, key=lambda id: (hashlib.sha256(f"{seed}:{id}".encode()).digest(), id))[:size]


async def spot_check(connection: Connection, actor: Actor, asked: SpotCheck, seed: str) -> dict[str, Any]:
    """Draft a case for each of a sample; what was drawn from what. In the caller's transaction."""
    await persons_for(connection, actor, asked.organisation, "cases:draft")
    units = sorted(await units_below(connection, [asked.organisation]))
    since, until = _span(asked.since, asked.until)
    ids = await _without_alerts(connection, asked.of, units, since, until)
    if not ids:
        raise InvalidError("/organisation", "此范围内没有可抽查的对象 · there is nothing to choose from")
    if len(ids) > _MOST_LISTED:
        # A part of them would be no random sample of all.
        raise InvalidError("/from", f"此期间可抽查的对象超过 {_MOST_LISTED} 个，请缩短期间或缩小单位范围 · more than {_MOST_LISTED} to choose from; take a shorter period or a smaller unit")  # fmt: skip
    frame = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    drawn = sample(ids, seed, asked.size)
    owners = await _owners(connection, asked.of, drawn)
    period = f"{asked.since} 至 {asked.until}"
    # Whoever names the seed could try some until a car is, or is not, drawn: that it was named is on the paper.
    whose = "由系统随机产生" if asked.seed is None else "由经办人指定"
    cases = []
    for id in drawn:
        unit, vehicle = owners[id]
        what = f"车辆 {id}" if asked.of == "vehicles" else f"派车单 {id}"
        facts = (
            f"随机抽查{what}在 {period} 的使用情况。抽样种子 {seed}（{whose}），自 {len(ids)} 个无预警对象中抽取 {len(drawn)} 个，"
            f"名单 SHA-256 {frame}。"
        )
        contents = CaseContents(
            title=f"抽查{what}（{period}）",
            facts=facts,
            requirements="请提供该期间的派车单、行车记录和费用凭证，说明使用情况。",
            source=Source.SPOT_CHECK,
            organisation=unit,
            vehicle=vehicle,
            orders=[id] if asked.of == "orders" else [],
        )
        cases.append(await draft(connection, actor, contents))
    return {"seed": seed, "population": len(ids), "frame_sha256": frame, "drawn": drawn, "cases": cases}


async def _without_alerts(
    connection: Connection, of: str, units: Sequence[str], since: Any, until: Any
) -> list[str]:
    """Ids, sorted, of the vehicles, or of the returned orders, of ``units`` about which nothing was suspected in [since, until)."""
    if of == "vehicles":
        sql = (
            "SELECT v.id FROM vehicles v WHERE v.organisation = ANY($1::text[])"
            " AND (v.disposed_on IS NULL OR v.disposed_on > ($2::timestamptz AT TIME ZONE 'Asia/Shanghai')::date)"
            " AND (v.registered_on IS NULL OR v.registered_on < ($3::timestamptz AT TIME ZONE 'Asia/Shanghai')::date)"
            " AND NOT EXISTS (SELECT FROM alerts a WHERE a.vehicle = v.id AND a.status = 'suspected'"
            " AND a.occurred_from < $3 AND COALESCE(a.occurred_to, a.occurred_from) >= $2) ORDER BY v.id LIMIT $4"
        )
    else:
        sql = (
            "SELECT o.id FROM dispatch_orders o WHERE o.organisation = ANY($1::text[]) AND o.is_newest AND o.status = 'returned'"
            " AND COALESCE(o.actual_departure, o.planned_departure) >= $2"
            " AND COALESCE(o.actual_departure, o.planned_departure) < $3"
            " AND NOT EXISTS (SELECT FROM alerts a WHERE a.order_id = o.id AND a.status = 'suspected') ORDER BY o.id LIMIT $4"
        )
    rows = await connection.fetch(sql, list(units), since, until, _MOST_LISTED + 1)
    return [row["id"] for row in rows]


async def _owners(connection: Connection, of: str, ids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """(unit, vehicle) of each of ``ids``."""
    sql = (
        "SELECT id, organisation, id AS vehicle FROM vehicles WHERE id = ANY($1::text[])"
        if of == "vehicles"
        else "SELECT id, organisation, vehicle FROM dispatch_orders WHERE id = ANY($1::text[]) AND is_newest"
    )
    rows = await connection.fetch(sql, list(ids))
    return {row["id"]: (row["organisation"], row["vehicle"]) for row in rows}
