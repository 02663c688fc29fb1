"""Gatherer ``nights``: vehicles parked over night outside their place (``parking``). Key: vehicle and the day on which the night begins.

A night is judged ``settle_after_h`` after its end. A vehicle whose positions have not passed that by then is judged on what is there, and again
until they do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from registry.facts import vehicle_days
from registry.facts.vehicle_days import Cover
from registry.facts.workshops import InShop, in_shop
from registry.fences import read_fences
from registry.orders import spans_of_orders
from registry.parameters import ORDER, TRACK
from registry.seals import SealInfo, seals_since
from registry.snapshot.fences import FenceBook
from registry.snapshot.timelines import FOREVER
from registry.vehicles import VehicleInfo, official_on, vehicles_by_id, vehicles_of_units
from rules.alerts.feed import alerts_of_vehicles
from rules.alerts.model import AlertFacts, Judgement
from rules.alerts.publish import evaluations_of
from rules.checks import parking
from rules.checks.base import Evaluation, Outcome
from rules.evidence import freeze_track
from rules.evidence_parts import fence_of, stretches, vehicle_of
from rules.judge.context import Change, Context, Later, Verdicts, judgement, of_kind, on_kept_track, wait
from rules.judge.day_tracks import HORIZON_US, day_of
from rules.judge.silences import cut
from rules.judge.tracks import judged_tracks_of, terminal_spans
from rules.live.store.states import watermarks
from rules.stored_tracks import Want
from runtime.arrays import Ints
from runtime.units import US_PER_DAY, US_PER_S, midnight_us

RULE: Final = parking.RULE
_HOUR_US: Final = 3600 * US_PER_S


@dataclass(frozen=True, slots=True)
class _Night:
    """A vehicle's night, from ``from_us`` to ``to_us``; ``used``: the parameters."""

    key: str
    vehicle: VehicleInfo
    day: date
    used: Mapping[str, int]
    from_us: int
    to_us: int

    @property
    def want(self) -> Want:
        return self.vehicle.no, max(0, self.from_us - parking.AROUND_US), self.to_us + parking.AROUND_US


class Nights:
    """See the module docstring and ``rules.judge.context.Gatherer``."""

    name = "nights"
    rules: tuple[str, ...] = (RULE,)

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """Nights that are over, of the last LOOK_BACK_DAYS: of an order those that any of its versions touched; of a late position, a seal, a
        stay in the shop, an area all from then on; of a parameter those of every vehicle; of a vehicle those with an alert."""
        keys: set[tuple[str, date]] = set()
        orders = [c.subject for c in of_kind(changes, "order", "order_times")]
        for vehicle, since, until in await spans_of_orders(context.conn, orders):
            keys |= {(vehicle, day) for day in _over(context, since, until)}
        for change in of_kind(changes, "track", "seal", "maintenance"):
            keys |= {(change.subject, day) for day in _over(context, change.from_us, context.now_us)}
        for change in of_kind(changes, "fence"):
            days = _over(context, change.from_us, context.now_us)
            keys |= {
                (vehicle, day) for vehicle in await self._of_fence(context, change.subject) for day in days
            }
        vehicles = await vehicles_by_id(context.conn, [c.subject for c in of_kind(changes, "vehicle")])
        known = await alerts_of_vehicles(
            context.conn, RULE, sorted(v.no for v in vehicles.values()), context.now_us - HORIZON_US
        )
        keys |= {_start_of(alert.subject) for alert in known}
        everyone: set[date] = set()
        for change in of_kind(changes, "parameter"):
            if change.subject in (RULE, TRACK, ORDER):
                everyone |= set(_over(context, change.from_us, context.now_us))
        return await self._due(context, keys | await self._of_days(context, everyone))

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        """The nights that began on the days that ended, of every official vehicle with a terminal."""
        first, last = day_of(from_us), day_of(until_us)
        return await self._due(
            context,
            await self._of_days(context, {first + timedelta(days=k) for k in range((last - first).days)}),
        )

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Nothing takes long here."""

    async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
        """Nights whose day begins in [from, to)."""
        first = day_of(from_us - 1) + timedelta(days=1)
        days = {first + timedelta(days=k) for k in range((day_of(to_us - 1) - first).days + 1)}
        return sorted(f"{vehicle}|{day}" for vehicle, day in await self._of_days(context, days))

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """See ``Gatherer.judge``."""
        verdicts = Verdicts()
        vehicles = await vehicles_by_id(context.conn, [key.rpartition("|")[0] for key in keys])
        nights = [
            _night(context, key, vehicles[id])
            for key in sorted(set(keys))
            if (id := key.rpartition("|")[0]) in vehicles
        ]
        bound = await terminal_spans(context, [(n.vehicle.no, n.from_us, n.to_us) for n in nights])
        marks = await watermarks(context.conn, [night.vehicle.no for night in nights])
        ready, left_out = [], []
        for night, spans in zip(nights, bound, strict=True):
            settled = night.to_us + night.used["settle_after_h"] * _HOUR_US
            if not official_on(night.vehicle, night.day):
                left_out.append((night, "not_official"))
            elif not spans:
                left_out.append((night, "no_terminal"))
            elif marks[night.vehicle.no] < night.to_us and context.known_us < settled:
                why = "当夜的定位可能尚未到齐 · positions of the night may still come"
                verdicts.later[night.key] = Later(
                    max(settled, context.now_us + 600 * US_PER_S), why, night.vehicle.no, night.to_us - 1
                )
            else:
                ready.append(night)
        verdicts.judgements += await _withdrawn(context, left_out)
        for night, evidence, made, backfill in await _judged(context, ready):
            alert = None
            if made.outcome is Outcome.SUSPECTED:
                vehicle = night.vehicle
                alert = AlertFacts(
                    "medium", vehicle.organisation, vehicle.id, vehicle.plate, made.from_us, made.to_us
                )
            verdicts.judgements.append(
                judgement(context, made, evidence, alert, night.vehicle.no, backfill=backfill)
            )
            mark = marks[night.vehicle.no]
            if (
                mark < night.to_us
                and made.outcome is not Outcome.NORMAL
                and context.now_us < night.to_us + HORIZON_US
            ):
                why = "当夜之后尚无定位 · no position after the night yet"
                verdicts.later[night.key] = wait(context, night.to_us, why, night.vehicle.no, mark)
        return verdicts

    async def _of_days(self, context: Context, days: Iterable[date]) -> set[tuple[str, date]]:
        keys = set()
        for day in sorted(days):
            start = midnight_us(day)
            keys |= {
                (v.id, day)
                for v in await vehicle_days.vehicles_bound(context.conn, start, start + 2 * US_PER_DAY)
                if official_on(v, day)
            }
        return keys

    async def _of_fence(self, context: Context, fence: str) -> set[str]:
        """The vehicles that any version of a fence is about."""
        versions = await read_fences(context.conn, "WHERE id = $1", fence)
        found = {vehicle for version in versions for vehicle in version.vehicles}
        units = {version.organisation for version in versions if not version.vehicles}
        today = day_of(context.now_us)
        return found | {
            vehicle.id for vehicle, _ in await vehicles_of_units(context.conn, units, today, today)
        }

    async def _due(self, context: Context, keys: Iterable[tuple[str, date]]) -> dict[str, int]:
        pairs = sorted(keys)
        vehicles = await vehicles_by_id(context.conn, {vehicle for vehicle, _ in pairs})
        nights = [
            _night(context, f"{vehicle}|{day}", vehicles[vehicle])
            for vehicle, day in pairs
            if vehicle in vehicles
        ]
        return {n.key: max(context.now_us, n.to_us + n.used["settle_after_h"] * _HOUR_US) for n in nights}


def _start_of(subject: str) -> tuple[str, date]:
    return subject.removeprefix("night:")[:-11], date.fromisoformat(subject[-10:])


def _night(context: Context, key: str, vehicle: VehicleInfo) -> _Night:
    day = date.fromisoformat(key.rpartition("|")[2])
    used = context.resolve(RULE, vehicle.organisation, midnight_us(day))
    return _Night(key, vehicle, day, used, *parking.night_of(midnight_us(day), used))


def _over(context: Context, since_us: int, until_us: int) -> list[date]:
    """The days whose nights have a part in [since, until) and are of the last LOOK_BACK_DAYS; a night that is not over is judged later."""
    oldest, today = day_of(context.now_us - HORIZON_US), day_of(context.now_us)
    first = max(day_of(max(since_us, 0)) - timedelta(days=1), oldest)
    last = min(day_of(min(until_us, context.now_us)), today)
    return [first + timedelta(days=k) for k in range((last - first).days + 1)]


async def _judged(
    context: Context, nights: Sequence[_Night]
) -> list[tuple[_Night, parking.Evidence, Evaluation, bool]]:
    """Each night with its evidence, its evaluation, and whether an order that it rests on was entered afterwards."""
    if not nights:
        return []
    vehicles = list({n.vehicle.no: n.vehicle for n in nights}.values())
    low, high = min(n.from_us for n in nights), max(n.to_us for n in nights)
    covers = await vehicle_days.covers_of(context.conn, vehicles, low, high, context.parameters)
    excuses = _excuses(
        nights,
        await in_shop(context.conn, {v.id for v in vehicles}, low, high),
        list((await seals_since(context.conn, [(v.id, low) for v in vehicles])).values()),
    )
    book = await _fences(context, vehicles)
    speeds = [context.resolve(TRACK, n.vehicle.organisation, n.from_us)["max_speed_kmh"] for n in nights]

    def judged(k: int, track: Mapping[str, Ints], good: Ints) -> tuple[parking.Evidence, Evaluation]:
        night, fixes = (
            nights[k],
            {name: column[good] for name, column in track.items() if name not in ("valid", "term")},
        )
        inside = slice(*np.searchsorted(fixes["t_us"], night.want[1:]))
        fixes = {name: column[inside] for name, column in fixes.items()}
        evidence = _evidence(night, covers.get(night.vehicle.no, ()), excuses[k], book, fixes)
        made = parking.judge(evidence, fixes)
        if made.outcome is Outcome.SUSPECTED:
            evidence["track"] = freeze_track(fixes)
        return evidence, made

    def accuses(found: tuple[parking.Evidence, Evaluation]) -> bool:
        return found[1].outcome is Outcome.SUSPECTED

    found = await judged_tracks_of(context, [night.want for night in nights], speeds, judged, accuses)
    return [
        (night, evidence, on_kept_track(context, made), any(c.backfill for c in covers.get(night.vehicle.no, ()) if c.from_us < night.to_us and night.from_us < c.to_us))
        for night, (_, _, (evidence, made)) in zip(nights, found, strict=True)
    ]  # fmt: skip


def _evidence(
    night: _Night,
    covers: Sequence[Cover],
    excuses: list[parking.Excuse],
    book: FenceBook,
    fixes: Mapping[str, Ints],
) -> parking.Evidence:
    rows = book.at(np.full(len(fixes["t_us"]), night.vehicle.no, np.int64), fixes["t_us"])
    held = ((book.areas[row], a, b) for row, a, b in stretches(rows, fixes["t_us"]) if row >= 0)
    return {
        "rule": RULE, "rule_version": parking.VERSION, "subject": parking.subject(night.vehicle.id, night.day.isoformat()),
        "vehicle": vehicle_of(night.vehicle), "night": night.day.isoformat(), "day_us": midnight_us(night.day),
        "parameters": {name: value for name, value in night.used.items() if name != "settle_after_h"},
        "orders": cut(covers, night.from_us, night.to_us), "excuses": excuses,
        "fences": [fence_of(area.fences, area.geometry, start, end) for area, start, end in held],
        "track": freeze_track({name: column[:0] for name, column in fixes.items()}),
    }  # fmt: skip


def _excuses(
    nights: Sequence[_Night], shops: Sequence[InShop], seals: Sequence[SealInfo]
) -> list[list[parking.Excuse]]:
    """Of each night what excuses a stand elsewhere, cut to it."""
    of_vehicle: dict[str, list[parking.Excuse]] = defaultdict(list)
    for stay in shops:
        of_vehicle[stay.vehicle].append(
            {"kind": "workshop", "id": stay.number, "from_us": stay.from_us, "to_us": stay.to_us or FOREVER}
        )
    for seal in seals:
        of_vehicle[seal.vehicle.id].append(
            {"kind": "sealed", "id": seal.reason, "from_us": seal.from_us, "to_us": seal.to_us or FOREVER}
        )
    return [
        [
            {**one, "from_us": max(one["from_us"], night.from_us), "to_us": min(one["to_us"], night.to_us)}
            for one in of_vehicle[night.vehicle.id]
            if one["from_us"] < night.to_us and night.from_us < one["to_us"]
        ]
        for night in nights
    ]


async def _fences(context: Context, vehicles: Sequence[VehicleInfo]) -> FenceBook:
    numbers = {v.id: (v.no, v.organisation) for v in vehicles}
    units = sorted({v.organisation for v in vehicles})
    where = "WHERE vehicles && $1::text[] OR (organisation = ANY($2::text[]) AND vehicles = '{}')"
    book = FenceBook()
    book.replace(numbers, units, await read_fences(context.conn, where, sorted(numbers), units))
    return book


async def _withdrawn(context: Context, left_out: Sequence[tuple[_Night, str]]) -> list[Judgement]:
    """Of nights that are not judged (any more) the alerts are withdrawn."""
    why = {parking.subject(n.vehicle.id, n.day.isoformat()): reason for n, reason in left_out}
    known = await evaluations_of(context.conn, RULE, list(why))
    return [
        Judgement(RULE, parking.VERSION, subject, before.vehicle_no, "normal", why[subject], context.now_us)
        for subject, before in sorted(known.items())
        if before.outcome == "suspected"
    ]
