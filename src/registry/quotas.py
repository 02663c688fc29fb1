"""Quotas of vehicles (编制): how many of a class a unit may have, with the paper that says so; and what there is. All SQL of ``quotas`` and
``vehicle_quota_places``. Both only grow.

What counts against a quota are the unit's own official vehicles of today, in use, sealed or in repair: rented ones are no assets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from registry import parameters
from registry.licences import Body
from registry.parameter_values import load_parameters
from registry.parameters import ParameterRow
from registry.refusals import PlacedError
from registry.standards import (
    CLASS_NAMES,
    TIER_NAMES,
    TIERS,
    Judged,
    QuotaClass,
    Standing,
    Tier,
    body_of,
    bought,
    class_of,
    judge,
)
from registry.values import Day, Name, Text
from runtime.connection import Connection
from runtime.units import midnight, to_us

#: Entries of one quota, and places of one vehicle, that are shown.
MOST_HISTORY: Final = 200
#: Units, or vehicles, that are looked through at once where not all of them are wanted.
_AT_ONCE: Final = 1_000
LineStanding = Literal["over", "within", "unset"]


class QuotaNew(BaseModel):
    """How many vehicles of a class a unit may have from a day on. For the same day again: a correction, and what was entered before stays."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    vehicles: int = Field(ge=0, le=100_000, strict=True, description="核定编制数")
    valid_from: Day
    approved_by: Name = Field(description="核定机关")
    paper_no: Name = Field(description="批准文号")
    note: Text = ""


class QuotaPlaceNew(BaseModel):
    """Of which class a vehicle is, and by which sentence of the standard it was allowed."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    quota_class: QuotaClass
    tier: Tier = Tier.BASE
    approved_by: Name = Field(description="批准机关")
    paper_no: Name = Field(description="批准文号")
    note: Text = ""

    @model_validator(mode="after")
    def _fits(self) -> QuotaPlaceNew:
        known = TIERS.get(self.quota_class, (Tier.BASE,))
        if self.tier not in known:
            names = "、".join(TIER_NAMES[tier] for tier in known)
            raise PlacedError(
                f"{CLASS_NAMES[self.quota_class]}用车的配备标准只有：{names} · the standard of this class has only: {', '.join(known)}",
                "tier",
            )
        return self


# --- written


async def enter_quota(
    connection: Connection, unit: str, quota_class: QuotaClass, given: QuotaNew, actor: str, actor_name: str
) -> bool:
    """Enter a quota of a unit within reach; whether it is new: the same again adds nothing."""
    last = await connection.fetchrow(
        "SELECT vehicles, approved_by, paper_no, note FROM quotas WHERE organisation = $1 AND quota_class = $2 AND valid_from = $3 ORDER BY no DESC LIMIT 1",
        unit, quota_class, given.valid_from,
    )  # fmt: skip
    said = (given.vehicles, given.approved_by, given.paper_no, given.note)
    if last is not None and tuple(last) == said:
        return False
    await connection.execute(
        "INSERT INTO quotas (organisation, quota_class, vehicles, approved_by, paper_no, note, valid_from, entered_by, entered_by_name)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        unit, quota_class, *said, given.valid_from, actor, actor_name,
    )  # fmt: skip
    return True


async def place_vehicle(
    connection: Connection, vehicle: str, given: QuotaPlaceNew, actor: str, actor_name: str
) -> bool:
    """Say of which class a vehicle within reach is; whether that is new."""
    last = await connection.fetchrow(
        "SELECT quota_class, tier, approved_by, paper_no, note FROM vehicle_quota_places WHERE vehicle = $1 ORDER BY no DESC LIMIT 1", vehicle
    )  # fmt: skip
    said = (str(given.quota_class), str(given.tier), given.approved_by, given.paper_no, given.note)
    if last is not None and tuple(last) == said:
        return False
    await connection.execute(
        "INSERT INTO vehicle_quota_places (vehicle, quota_class, tier, approved_by, paper_no, note, entered_by, entered_by_name)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        vehicle, *said, actor, actor_name,
    )  # fmt: skip
    return True


# --- read: what a unit may have


async def quota_history(connection: Connection, unit: str, quota_class: QuotaClass) -> list[dict[str, Any]]:
    """What was entered of a quota, the latest day first; of one day the entry that counts first."""
    rows = await connection.fetch(
        "SELECT vehicles, valid_from, approved_by, paper_no, note, entered_at, entered_by_name AS entered_by FROM quotas"
        " WHERE organisation = $1 AND quota_class = $2 ORDER BY valid_from DESC, no DESC LIMIT $3",
        unit, quota_class, MOST_HISTORY,
    )  # fmt: skip
    return [dict(row) for row in rows]


async def place_history(connection: Connection, vehicle: str) -> list[dict[str, Any]]:
    """The places of a vehicle, the one that counts first; empty: its category says of which class it is."""
    rows = await connection.fetch(
        "SELECT quota_class, tier, approved_by, paper_no, note, entered_at, entered_by_name AS entered_by FROM vehicle_quota_places"
        " WHERE vehicle = $1 ORDER BY no DESC LIMIT $2",
        vehicle, MOST_HISTORY,
    )  # fmt: skip
    return [
        dict(row) | {"quota_class_name": CLASS_NAMES[QuotaClass(row["quota_class"])], "tier_name": TIER_NAMES[Tier(row["tier"])]}
        for row in rows
    ]  # fmt: skip


#: The newest place of vehicle ``v``, as ``c``.
_PLACE: Final = " LEFT JOIN LATERAL (SELECT q.quota_class, q.tier, q.paper_no FROM vehicle_quota_places q WHERE q.vehicle = v.id ORDER BY q.no DESC LIMIT 1) c ON true"
#: The unit's own official vehicles on day ``$2``.
_COUNTED: Final = "v.ownership = 'owned' AND (v.registered_on IS NULL OR v.registered_on <= $2) AND (v.disposed_on IS NULL OR v.disposed_on > $2)"


async def quota_units(
    connection: Connection, day: date, after: str, limit: int, *, units: Collection[str] | None = None, standing: LineStanding | None = None
) -> list[dict[str, Any]]:  # fmt: skip
    """Units that have vehicles or quotas, by id: their quotas on ``day``, and what there is. ``units``: of these alone. ``standing``: only units with
    such a line."""
    found: list[dict[str, Any]] = []
    while len(found) < limit:
        many = limit if standing is None else _AT_ONCE
        ids = [
            (row["id"], row["name"])
            for row in await connection.fetch(
                "SELECT o.id, o.name FROM organisations o WHERE o.id > $1 AND ($2::text[] IS NULL OR o.id = ANY ($2))"
                " AND (EXISTS (SELECT FROM vehicles v WHERE v.organisation = o.id) OR EXISTS (SELECT FROM quotas q WHERE q.organisation = o.id))"
                " ORDER BY o.id LIMIT $3",
                after, None if units is None else sorted(units), many,
            )
        ]  # fmt: skip
        lines = await _lines(connection, day, [id for id, _ in ids])
        for id, name in ids:
            its = lines[id]
            if standing is None or any(line["standing"] == standing for line in its):
                found.append({"organisation": id, "name": name, "lines": its})
        if len(ids) < many:
            break
        after = ids[-1][0]
    return found[:limit]


async def _lines(connection: Connection, day: date, units: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    quotas = {
        (row["organisation"], QuotaClass(row["quota_class"])): row
        for row in await connection.fetch(
            "SELECT DISTINCT ON (organisation, quota_class) organisation, quota_class, vehicles, valid_from, paper_no, approved_by FROM quotas"
            " WHERE organisation = ANY ($1::text[]) AND valid_from <= $2 ORDER BY organisation, quota_class, valid_from DESC, no DESC",
            units, day,
        )
    }  # fmt: skip
    counted: dict[tuple[str, QuotaClass | None], int] = defaultdict(int)
    for row in await connection.fetch(
        f"SELECT v.organisation, v.category, c.quota_class, count(*) AS many FROM vehicles v{_PLACE}"  # noqa: S608 - constants
        f" WHERE v.organisation = ANY ($1::text[]) AND {_COUNTED} GROUP BY v.organisation, v.category, c.quota_class",
        units, day,
    ):  # fmt: skip
        counted[row["organisation"], _class(row)] += row["many"]
    found: dict[str, list[dict[str, Any]]] = {unit: [] for unit in units}
    for unit in units:
        for each in (*QuotaClass, None):
            quota = None if each is None else quotas.get((unit, each))
            if quota is not None or counted.get((unit, each)):
                found[unit].append(_line(each, quota, counted.get((unit, each), 0)))
    return found


def _class(row: Any) -> QuotaClass | None:
    return class_of(row["category"]) if row["quota_class"] is None else QuotaClass(row["quota_class"])


def _line(quota_class: QuotaClass | None, quota: Any, in_use: int) -> dict[str, Any]:
    over = None if quota is None else max(0, in_use - quota["vehicles"])
    return {
        "quota_class": quota_class, "quota_class_name": "未归类" if quota_class is None else CLASS_NAMES[quota_class],
        "quota": None if quota is None else quota["vehicles"], "in_use": in_use, "over": over,
        "standing": "unset" if over is None else "over" if over else "within",
        "valid_from": None if quota is None else quota["valid_from"], "paper_no": None if quota is None else quota["paper_no"],
        "approved_by": None if quota is None else quota["approved_by"],
    }  # fmt: skip


# --- read: vehicles, each with its class and the standard of it


@dataclass(frozen=True, slots=True)
class StandardFilter:
    """Which vehicles a list has. ``units``: of these, as the caller has looked up."""

    units: Collection[str] | None = None
    quota_class: QuotaClass | None = None
    unplaced: bool = False
    standing: Standing | None = None


_VEHICLES: Final = (
    "SELECT v.id, v.plate, v.organisation, v.category, v.energy, v.registered_on, c.quota_class, c.tier, c.paper_no, p.make_model, p.body, p.seats,"  # noqa: S608 - constants
    " p.displacement_ml, p.price_fen, p.bought_on FROM vehicles v LEFT JOIN vehicle_particulars p ON p.vehicle = v.id"
    f"{_PLACE} WHERE v.id > $1 AND {_COUNTED} AND ($3::text[] IS NULL OR v.organisation = ANY ($3)) ORDER BY v.id LIMIT $4"
)


async def quota_vehicles(
    connection: Connection, day: date, asked: StandardFilter, after: str, limit: int
) -> list[dict[str, Any]]:
    """Vehicles that count against a quota on ``day``, by id, each with its class and how it stands to the standard."""
    limits, found = Limits(await load_parameters(connection)), list[dict[str, Any]]()
    units = None if asked.units is None else sorted(asked.units)
    all_of_them = asked.quota_class is None and not asked.unplaced and asked.standing is None
    while len(found) < limit:
        many = limit if all_of_them else _AT_ONCE
        rows = await connection.fetch(_VEHICLES, after, day, units, many)
        for row in rows:
            shown = _shown(row, limits, day)
            if asked.quota_class is not None and shown["quota_class"] is not asked.quota_class:
                continue
            if (asked.unplaced and shown["quota_class"] is not None) or asked.standing not in (
                None,
                shown["standing"],
            ):
                continue
            found.append(shown)
        if len(rows) < many:
            break
        after = rows[-1]["id"]
    return found[:limit]


class Limits:
    """The limits of the standard by day, each looked up once. They are those of everyone: no unit sets its own (registry.parameter_values)."""

    def __init__(self, rows: Sequence[ParameterRow]) -> None:
        self._rows = [row for row in rows if row.rule == parameters.QUOTA and row.organisation is None]
        self._known: dict[date, Mapping[str, int]] = {}

    def of(self, day: date) -> Mapping[str, int]:
        """For what was bought on a day. Raises UnreadableFactError where a value cannot be read."""
        if day not in self._known:
            self._known[day] = parameters.resolve(parameters.QUOTA, None, to_us(midnight(day)), self._rows)
        return self._known[day]


def _shown(row: Any, limits: Limits, today: date) -> dict[str, Any]:
    quota_class, tier = _class(row), Tier(row["tier"] or Tier.BASE)
    day = bought(row["bought_on"], row["registered_on"])
    body = body_of(Body(row["body"]) if row["body"] else None, row["seats"])
    judged: Judged = judge(
        quota_class, tier, body, row["energy"], row["price_fen"], row["displacement_ml"], day, limits.of(day or today),
    )  # fmt: skip
    return {
        "vehicle": row["id"], "plate": row["plate"], "organisation": row["organisation"], "category": row["category"], "energy": row["energy"],
        "quota_class": quota_class, "quota_class_name": "未归类" if quota_class is None else CLASS_NAMES[quota_class],
        "tier": tier, "tier_name": TIER_NAMES[tier], "paper_no": row["paper_no"], "make_model": row["make_model"] or "", "body": body,
        "displacement_ml": row["displacement_ml"], "price_fen": row["price_fen"], "bought_on": day, "standing": judged.standing,
        "above": list(judged.above), "missing": list(judged.missing), "because": judged.because or None,
        "limit_price_yuan": judged.price_yuan, "limit_displacement_ml": judged.displacement_ml,
    }  # fmt: skip
