"""Gatherer ``rentals``: what the own vehicles did while one of society's was rented (``idle_rental``). Key: id of the rental.

A rental is judged ``settle_after_h`` after its end, and again when it, or an order, a track, a seal, a stay in the shop, an area of a vehicle that its
proofs looked at changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from registry.facts.rentals import Rental, orders_within, rentals_around, rentals_by_id, rentals_ending
from registry.facts.workshops import in_shop
from registry.fences import read_fences
from registry.orders import OrderRow, spans_of_orders
from registry.parameters import TRACK
from registry.seals import seals_since
from registry.snapshot.fences import FenceBook
from registry.snapshot.timelines import FOREVER
from registry.vehicles import VehicleInfo, official_on, vehicles_by_id, vehicles_of_units
from rules.alerts.model import AlertFacts, Judgement
from rules.alerts.publish import evaluations_of
from rules.checks import idle_rental as check
from rules.checks.base import Evaluation, Outcome
from rules.evidence import freeze_track
from rules.evidence_parts import fence_of, stretches, vehicle_of
from rules.judge.context import Change, Context, Later, Verdicts, judgement, of_kind, on_kept_track, wait
from rules.judge.day_tracks import HORIZON_US, day_of
from rules.judge.tracks import judged_tracks_of
from rules.live.store.states import watermarks
from runtime.arrays import Ints
from runtime.units import US_PER_S

RULE: Final = check.RULE
_HOUR_US: Final = 3600 * US_PER_S
#: Rentals whose tracks are in memory at once.
_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class _Case:
    """A rental with the suitable vehicles (``cars``, as in ``evidence``), and the newest position that is processed of those (us)."""

    rental: Rental
    used: Mapping[str, int]
    evidence: check.Evidence
    cars: tuple[VehicleInfo, ...]
    mark: int


class Rentals:
    """See the module docstring and ``rules.judge.context.Gatherer``."""

    name = "rentals"
    rules: tuple[str, ...] = (RULE,)

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """See Gatherer."""
        oldest = context.now_us - HORIZON_US
        keys = {change.subject: 0 for change in of_kind(changes, "rental")}
        keys |= {id: rental.to_us for id, rental in (await rentals_by_id(context.conn, keys)).items()}
        for vehicle, since, until in await spans_of_orders(
            context.conn, [c.subject for c in of_kind(changes, "order", "order_times")]
        ):
            keys |= await rentals_around(context.conn, max(since, oldest), until, [vehicle])
        for change in of_kind(changes, "track", "seal", "maintenance", "vehicle_status"):
            keys |= await rentals_around(context.conn, max(change.from_us, oldest), None, [change.subject])
        for change in of_kind(changes, "fence"):
            vehicles = await _of_fence(context, change.subject)
            keys |= await rentals_around(context.conn, max(change.from_us, oldest), None, vehicles)
        since_us = [c.from_us for c in of_kind(changes, "parameter") if c.subject in (RULE, TRACK)]
        if since_us:
            keys |= await rentals_around(context.conn, max(min(since_us), oldest), None)
        return await _due(context, keys)

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        """Rentals that ended."""
        return await _due(context, await rentals_ending(context.conn, from_us, until_us))

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Nothing takes long here."""

    async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
        """Rentals that ended in [from, to)."""
        return sorted(await rentals_ending(context.conn, from_us, to_us))

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """See Gatherer."""
        verdicts = Verdicts()
        rentals = await rentals_by_id(context.conn, keys)
        verdicts.judgements += await _withdrawn(context, set(keys) - rentals.keys())
        cases = await _cases(context, [rentals[key] for key in sorted(rentals)])
        ready = []
        for case in cases:
            settled = case.rental.to_us + case.used["settle_after_h"] * _HOUR_US
            if context.now_us < case.rental.to_us or (
                case.mark < case.rental.to_us and context.known_us < settled
            ):
                why = "租赁未结束，或其间的定位可能尚未到齐 · not over, or positions may still come"
                due = max(settled, context.now_us + 600 * US_PER_S)
                verdicts.later[case.rental.id] = Later(due, why)
            else:
                ready.append(case)
        for start in range(0, len(ready), _AT_ONCE):
            part = ready[start : start + _AT_ONCE]
            for case, made in zip(part, await _judged(context, part), strict=True):
                rental = case.rental
                alert = None
                if made.outcome is Outcome.SUSPECTED:
                    alert = AlertFacts(
                        "medium", rental.organisation, rental.vehicle, rental.plate, made.from_us, made.to_us
                    )
                verdicts.judgements.append(judgement(context, made, case.evidence, alert, rental.vehicle_no))
                if (
                    made.outcome is Outcome.UNDETERMINED
                    and case.mark < rental.to_us
                    and context.now_us < rental.to_us + HORIZON_US
                ):
                    why = "租赁期后尚无定位 · no position after the rental yet"
                    verdicts.later[rental.id] = wait(context, rental.to_us, why)
        return verdicts


async def _due(context: Context, ends: Mapping[str, int]) -> dict[str, int]:
    rentals = await rentals_by_id(context.conn, ends)
    hours = {
        id: context.resolve(RULE, rental.organisation, rental.from_us)["settle_after_h"]
        for id, rental in rentals.items()
    }
    return {id: max(context.now_us, end + hours.get(id, 0) * _HOUR_US) for id, end in sorted(ends.items())}


async def _of_fence(context: Context, fence: str) -> set[str]:
    """The vehicles that any version of a fence is about."""
    versions = await read_fences(context.conn, "WHERE id = $1", fence)
    units = {version.organisation for version in versions if not version.vehicles}
    today = day_of(context.now_us)
    found = await vehicles_of_units(context.conn, units, today, today)
    return {vehicle for version in versions for vehicle in version.vehicles} | {
        vehicle.id for vehicle, _ in found
    }


async def _withdrawn(context: Context, keys: Collection[str]) -> list[Judgement]:
    """What was said of rentals that are none (any more)."""
    known = await evaluations_of(context.conn, RULE, [check.subject(key) for key in sorted(keys)])
    return [
        Judgement(RULE, check.VERSION, subject, before.vehicle_no, "normal", "not_rented", context.now_us)
        for subject, before in sorted(known.items())
        if before.outcome == "suspected"
    ]


async def _cases(context: Context, rentals: Sequence[Rental]) -> list[_Case]:
    named = {busy.vehicle for rental in rentals for busy in rental.busy}
    vehicles = await vehicles_by_id(context.conn, named)
    marks = await watermarks(context.conn, sorted(vehicle.no for vehicle in vehicles.values()))
    cases = []
    for rental in rentals:
        used = context.resolve(RULE, rental.organisation, rental.from_us)
        known = [busy for busy in rental.busy if busy.vehicle in vehicles]
        ids = [busy.vehicle for busy in known]
        orders = await orders_within(context.conn, ids, rental.from_us, rental.to_us)
        excused = await _excused(context, rental, [vehicles[id] for id in ids])
        evidence: check.Evidence = {
            "rule": RULE, "rule_version": check.VERSION, "subject": check.subject(rental.id),
            "vehicle": {"no": rental.vehicle_no, "id": rental.vehicle, "plate": rental.plate, "organisation": rental.organisation},
            "rental": {
                "id": rental.id, "number": rental.number, "organisation": rental.organisation, "from_us": rental.from_us, "to_us": rental.to_us,
            },
            "cars": [
                {
                    "vehicle": vehicle_of(vehicles[busy.vehicle]), "reasons": list(busy.reasons), "excuse": excused.get(busy.vehicle, ""),
                    "orders": [_promise(order) for order in orders[busy.vehicle]], "fences": [],
                }
                for busy in known
            ],
            "parameters": {name: value for name, value in used.items() if name != "settle_after_h"},
        }  # fmt: skip
        cars = tuple(vehicles[id] for id in ids)
        mark = min((marks[car.no] for car in cars if car.id not in excused), default=rental.to_us)
        cases.append(_Case(rental, used, evidence, cars, mark))
    return cases


def _promise(order: OrderRow) -> check.Promise:
    driven = order.status in ("departed", "returned") and (
        order.actual_departure_us is not None or order.status == "returned"
    )
    return {"id": order.order, "version": order.version, "status": order.status, "driven": driven}


async def _excused(context: Context, rental: Rental, cars: Iterable[VehicleInfo]) -> dict[str, str]:
    """Why a vehicle could not be sent for the whole of a rental, by vehicle."""
    found: dict[str, str] = {}
    days = day_of(rental.from_us), day_of(rental.to_us - 1)
    listed = list(cars)
    for car in listed:
        if not all(official_on(car, day) for day in days):
            found[car.id] = "not_official"
    for stay in await in_shop(context.conn, {car.id for car in listed}, rental.from_us, rental.to_us):
        found[stay.vehicle] = "workshop"
    for seal in (await seals_since(context.conn, [(car.id, rental.from_us) for car in listed])).values():
        if seal.from_us < rental.to_us and rental.from_us < (seal.to_us or FOREVER):
            found[seal.vehicle.id] = "sealed"
    return found


async def _judged(context: Context, part: Sequence[_Case]) -> list[Evaluation]:
    """What each rental comes to. Of those that are suspected the tracks of the vehicles that were idle are frozen."""
    asked = [(n, k, car) for n, case in enumerate(part) for k, car in enumerate(case.cars)]
    book = await _areas(context, [car for _, _, car in asked])
    wants, speeds = [], []
    for n, _, car in asked:
        rental = part[n].rental
        wants.append((car.no, max(0, rental.from_us - check.AROUND_US), rental.to_us + check.AROUND_US))
        speeds.append(context.resolve(TRACK, car.organisation, rental.from_us)["max_speed_kmh"])

    def judge(a: int, track: dict[str, Ints], good: Ints) -> check.Stood:
        n, k, vehicle = asked[a]
        car = part[n].evidence["cars"][k]
        fixes = {name: column[good] for name, column in track.items() if name not in ("valid", "term")}
        inside = slice(*np.searchsorted(fixes["t_us"], wants[a][1:]))
        fixes = {name: column[inside] for name, column in fixes.items()}
        rows = book.at(np.full(len(fixes["t_us"]), vehicle.no, np.int64), fixes["t_us"])
        held = ((book.areas[row], a, b) for row, a, b in stretches(rows, fixes["t_us"]) if row >= 0)
        car["fences"] = [fence_of(area.fences, area.geometry, start, end) for area, start, end in held]
        found = check.stood(part[n].evidence, car, fixes)
        if found is check.Stood.IDLE:
            car["track"] = freeze_track(fixes)
        return found

    def accuses(found: check.Stood) -> bool:
        return found is check.Stood.IDLE

    found: list[list[check.Stood]] = [[] for _ in part]
    for (n, _, _), (_, _, one) in zip(
        asked, await judged_tracks_of(context, wants, speeds, judge, accuses), strict=True
    ):
        found[n].append(one)
    made = []
    for case, stood in zip(part, found, strict=True):
        evaluation = check.conclude(case.evidence, stood)
        if case.cars:
            evaluation = on_kept_track(context, evaluation)
        idle = [car for car, one in zip(case.evidence["cars"], stood, strict=True) if one is check.Stood.IDLE]
        case.evidence["cars"] = idle if evaluation.outcome is Outcome.SUSPECTED else []
        made.append(evaluation)
    return made


async def _areas(context: Context, cars: Sequence[VehicleInfo]) -> FenceBook:
    numbers = {car.id: (car.no, car.organisation) for car in cars}
    units = sorted({car.organisation for car in cars})
    where = "WHERE vehicles && $1::text[] OR (organisation = ANY($2::text[]) AND vehicles = '{}')"
    book = FenceBook()
    book.replace(numbers, units, await read_fences(context.conn, where, sorted(numbers), units))
    return book
