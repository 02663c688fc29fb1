"""Gatherer ``violations``: months of vehicles (or drivers) with traffic violations (``traffic_violations``). Key:
``vehicle|<id>|<YYYY-MM>`` or ``driver|<id>|<YYYY-MM>``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from registry import violations
from registry.drivers import drivers_of
from registry.facts.violations import drivers_at, plates_driven, touched_by_orders
from registry.parameters import ORDER
from registry.vehicles import VehicleInfo, holder_at, holders_of_plates, plates_of_vehicles, vehicles_by_id
from registry.violations import ViolationRow
from rules.alerts.feed import suspected_subjects
from rules.alerts.model import AlertFacts
from rules.alerts.publish import evaluations_of
from rules.checks import traffic_violations as check
from rules.checks.base import Outcome
from rules.evidence_parts import Driver, official_vehicle_of
from rules.judge.context import Change, Context, Verdicts, gone, judgement, of_kind

RULE: Final = check.RULE

#: (unit, id, month)
_Key = tuple[str, str, str]


def key_of(unit: str, id: str, month: str) -> str:
    """The key of a month of a vehicle or driver."""
    return f"{unit}|{id}|{month}"


def _parts(key: str) -> _Key:
    unit, rest = key.split("|", 1)
    id, month = rest.rsplit("|", 1)  # an id may hold the bar, a unit and a month do not
    return unit, id, month


class Violations:
    """See the module docstring and ``rules.judge.context.Gatherer``."""

    name = "violations"
    rules: tuple[str, ...] = (RULE,)

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """The months of what changed and the ones after it, at once: a month back from a violation reaches into the
        month before."""
        keys: set[_Key] = set()
        own = {c.subject: c.from_us for c in of_kind(changes, "violation")}
        rows = await violations.violations_of(context.conn, own)
        since = [own[row.id] for row in rows if row.id in own]
        keys |= await self._keys_of(context, rows, [(row, own[row.id]) for row in rows])
        plates: dict[str, int] = {c.subject: c.from_us for c in of_kind(changes, "offences", "plate")}
        moved = {c.subject for c in of_kind(changes, "vehicle")}
        for had in (await plates_of_vehicles(context.conn, moved)).values():
            plates |= dict.fromkeys(had, 0)
        whole = [(plate, us, 2**62) for plate, us in plates.items()]
        keys |= await self._keys_of(context, await violations.violations_of_plates(context.conn, whole))
        own_rules = {RULE, ORDER} if _by_driver(context) else {RULE}
        parameters = [c.from_us for c in of_kind(changes, "parameter") if c.subject in own_rules]
        if parameters:
            keys |= await self._keys_of(
                context, await violations.violations_between(context.conn, min(parameters))
            )
        orders = {c.subject for c in of_kind(changes, "order")}
        if orders and _by_driver(context):
            for row, driver in await touched_by_orders(context.conn, orders):
                keys |= {("driver", driver, month) for month in _months(row.at_us)}
        keys |= await self._standing(context, changes, [*since, *plates.values(), *parameters])
        return dict.fromkeys(sorted(key_of(*key) for key in keys), context.now_us)

    async def _standing(
        self, context: Context, changes: Sequence[Change], since_us: Sequence[int]
    ) -> set[_Key]:
        """Suspected months that may rest on what is no more: a violation that is deleted, or of another plate, time or
        driver now."""
        if not of_kind(changes, "violation", "offences", "plate", "vehicle", "parameter"):
            if not (of_kind(changes, "order") and _by_driver(context)):
                return set()
            since_us = [c.from_us for c in of_kind(changes, "order")]
        every = bool(of_kind(changes, "parameter"))
        moved = {c.subject for c in of_kind(changes, "vehicle")}
        plates = {c.subject for c in of_kind(changes, "offences", "plate")}
        vehicles = await holders_of_plates(context.conn, plates)
        moved |= {v.id for its in vehicles.values() for v in its}
        oldest = check.month_of(min((us for us in since_us), default=context.now_us))
        found = set()
        for subject in await suspected_subjects(context.conn, RULE):
            unit, rest = subject.split(":", 1)
            id, month = rest.rsplit(":", 1)
            if id in moved or (month >= oldest and (every or unit == "driver")):
                found.add((unit, id, month))
        return found

    async def _keys_of(
        self, context: Context, rows: Sequence[ViolationRow], moved: Iterable[tuple[ViolationRow, int]] = ()
    ) -> set[_Key]:
        """Keys of violations; ``moved``: and of the times that they had."""
        times = [(row, row.at_us) for row in rows] + list(moved)
        vehicles = await holders_of_plates(context.conn, {row.plate for row in rows})
        keys = {
            ("vehicle", vehicle.id, month)
            for row, us in times
            for vehicle in vehicles.get(row.plate, ())
            for month in _months(us)
        }
        if _by_driver(context):
            drivers = await self._drivers(context, rows, vehicles)
            keys |= {
                ("driver", drivers[row.id][0], month)
                for row, us in times
                if row.id in drivers
                for month in _months(us)
            }
        return keys

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        """Nothing comes up by the clock alone."""
        return {}

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Nothing takes long here."""

    async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
        """Months of vehicles (and drivers, where they are used) with violations in [from, to)."""
        rows = await violations.violations_between(context.conn, from_us, to_us)
        own = {check.month_of(row.at_us) for row in rows}
        return sorted(key_of(*key) for key in await self._keys_of(context, rows) if key[2] in own)

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """See ``Gatherer.judge``."""
        asked = sorted({_parts(key) for key in keys})
        judged = await evaluations_of(context.conn, RULE, [check.subject(*key) for key in asked])
        vehicles = await vehicles_by_id(context.conn, {id for unit, id, _ in asked if unit == "vehicle"})
        drivers = await drivers_of(context.conn, {id for unit, id, _ in asked if unit == "driver"})
        rows = await self._rows(context, asked, vehicles)
        verdicts = Verdicts()
        for key in asked:
            unit, id, month = key
            subject = check.subject(*key)
            if id not in (vehicles if unit == "vehicle" else drivers):
                if subject in judged:
                    verdicts.judgements.append(gone(context, RULE, check.VERSION, judged[subject]))
                continue
            since, _ = check.month_span(month)
            vehicle = vehicles[id] if unit == "vehicle" else None
            driver = (id, *drivers[id]) if unit == "driver" else None
            organisation = driver[2] if vehicle is None and driver is not None else vehicles[id].organisation
            evidence: check.Evidence = {
                "rule": RULE,
                "rule_version": check.VERSION,
                "subject": subject,
                "unit": unit,
                "month": month,
                "vehicle": None if vehicle is None else official_vehicle_of(vehicle),
                "driver": None if driver is None else _driver(*driver),
                "parameters": context.resolve(RULE, organisation, since),
                "violations": rows[key],
            }
            for row, why in check.considered(rows[key], evidence["parameters"]):
                row["why"] = check.WHY[why]
            made = check.evaluate(evidence)
            own = any(row["at_us"] >= since for row in rows[key])
            if subject not in judged and (not own or made.reason == "other_unit"):
                continue
            alert = None
            if made.outcome is Outcome.SUSPECTED:
                alert = _alert(made.from_us, made.to_us, evidence, organisation)
            verdicts.judgements.append(
                judgement(context, made, evidence, alert, None if vehicle is None else vehicle.no)
            )
        return verdicts

    async def _rows(
        self, context: Context, keys: Sequence[_Key], vehicles: Mapping[str, VehicleInfo]
    ) -> dict[_Key, list[check.Record]]:
        """Records of the month and the one before of each key, as evidence has them."""
        spans = {key: check.month_span(key[2], 1) for key in keys}
        of_vehicle = {
            key: (vehicles[key[1]].plate, *spans[key])
            for key in keys
            if key[0] == "vehicle" and key[1] in vehicles
        }
        of_driver = {key: (key[1], *spans[key]) for key in keys if key[0] == "driver"}
        plates = await plates_driven(context.conn, of_driver.values())
        driven = {(plate, a, b) for driver, a, b in of_driver.values() for plate in plates[driver]}
        found = {
            row.id: row
            for part in (
                await violations.violations_of_plates(context.conn, {*of_vehicle.values(), *driven}),
                await violations.violations_of_drivers(context.conn, set(of_driver.values())),
            )
            for row in part
        }
        holders = await holders_of_plates(context.conn, {row.plate for row in found.values()})
        whose = await self._drivers(context, list(found.values()), holders) if of_driver else {}
        rows: dict[_Key, list[check.Record]] = {}
        ordered = sorted(found.values(), key=lambda row: (row.at_us, row.id))
        for key in keys:
            since, until = spans[key]
            mine = []
            for row in ordered:
                if not since <= row.at_us < until:
                    continue
                holder = holder_at(holders.get(row.plate, ()), row.at_us)
                if key in of_vehicle and row.plate == of_vehicle[key][0]:
                    belongs = holder is not None and holder.id == key[1]
                elif key in of_driver and whose.get(row.id, ("",))[0] == key[1]:
                    belongs = holder is not None
                else:
                    continue
                mine.append(_record(row, belongs, whose.get(row.id) if key in of_driver else None))
            rows[key] = mine
        return rows

    async def _drivers(
        self, context: Context, rows: Sequence[ViolationRow], holders: Mapping[str, Sequence[VehicleInfo]]
    ) -> dict[str, tuple[str, str | None]]:
        """Who drove, by violation: (driver, None) as the record says, else (driver, order) of the order on which the vehicle
        was out, from its actual departure to its actual return."""
        found: dict[str, tuple[str, str | None]] = {}
        open_: list[tuple[str, int, int]] = []
        for row in rows:
            vehicle = holder_at(holders.get(row.plate, ()), row.at_us)
            if row.driver is not None:
                found[row.id] = (row.driver, None)
            elif vehicle is not None:
                open_.append((row.id, vehicle.no, row.at_us))
        covering = await drivers_at(context.conn, [(no, us) for _, no, us in open_], context.parameters)
        return found | {id: who for (id, _, _), who in zip(open_, covering, strict=True) if who is not None}


def _by_driver(context: Context) -> bool:
    """Whether anyone counts by driver."""
    name = (RULE, "by_driver")
    return any((p.rule, p.name) == name and p.value for p in context.parameters)


def _months(us: int) -> tuple[str, str]:
    month = check.month_of(us)
    return month, check.next_month(month)


def _driver(id: str, name: str, organisation: str) -> Driver:
    return {"id": id, "name": name, "organisation": organisation}


def _record(row: ViolationRow, belongs: bool, whose: tuple[str, str | None] | None) -> check.Record:
    return {
        "id": row.id, "plate": row.plate, "at_us": row.at_us, "place": row.place, "act": row.act,
        "fine_fen": row.fine_fen, "points": row.points, "status": row.status, "driver": row.driver,
        "belongs": "counts" if belongs else "other_vehicle", "order": None if whose is None else whose[1],
        "code": row.code, "lat_e6": row.lat_e6, "lon_e6": row.lon_e6,
    }  # fmt: skip


def _alert(from_us: int, to_us: int | None, evidence: check.Evidence, organisation: str) -> AlertFacts:
    end = from_us if to_us is None else to_us
    counted = [
        row
        for row, why in check.considered(evidence["violations"], evidence["parameters"])
        if why == "counts" and from_us <= row["at_us"] <= end
    ]
    plates, drivers = {row["plate"] for row in counted}, {row["driver"] for row in counted}
    vehicle, driver = evidence["vehicle"], evidence["driver"]
    return AlertFacts(
        severity="medium",
        organisation=organisation,
        vehicle=None if vehicle is None else vehicle["id"],
        plate=plates.pop() if len(plates) == 1 else "",
        occurred_from_us=from_us,
        occurred_to_us=to_us,
        driver=driver["id"] if driver is not None else drivers.pop() if len(drivers) == 1 else None,
    )
