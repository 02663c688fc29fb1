"""Gatherer ``driver_months``: the fuel or electricity that a driver's trips of a natural month took.

Key: ``<driver>|<YYYY-MM>|<fuel|electric>``.

Who a fill belongs to. A fill during a trip of the vehicle that the card was bound to belongs to the driver of that trip
(of several, the one that began last). One between trips belongs to the driver of the last trip that ended before it, for
the tank is filled up after a trip; but not if that was longer ago than ``REACH_US``. A fill without such a trip, or
whose trip has no driver, is left out, on both sides alike. A trip that is not returned lasts to its planned (extended)
return for this purpose. Goods that are no fuel are left out.

What a tank held at the start of the baseline, the start of the month and its end is asked of the terminal (item 0x02) where
the fuel that was bought is over the limit: of the last valid fix in the day before. A vehicle that others drove too tells
nothing about this driver.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from registry.changes import LOOK_BACK_US
from registry.drivers import drivers_of
from registry.facts.driver_months import (
    REACH_DAYS,
    Span,
    cards_of_transactions,
    months_of,
    vehicles_of_cards,
    vehicles_of_orders,
)
from registry.facts.fills import fills_of_plates, reversed_of_cards
from registry.facts.trips import Trip, trips_of_drivers, trips_of_vehicles
from registry.goods import is_goods
from registry.parameters import parameter
from registry.snapshot.timelines import FOREVER
from registry.spelling import name_key
from registry.transactions import TransactionRow
from registry.vehicles import VehicleInfo, holder_at, holders_of_plates, vehicles_by_id
from rules.alerts.feed import suspected_among
from rules.alerts.model import AlertFacts, Judgement
from rules.checks import fuel_consumption as check
from rules.checks.base import Outcome
from rules.checks.fuel_consumption import month_of, month_span, shifted
from rules.judge.context import Change, Context, Later, Verdicts, judgement, of_kind, wait
from rules.judge.fuel_levels import add_levels
from runtime.units import US_PER_DAY

#: A fill so long after the last trip belongs to no driver.
REACH_US: Final = REACH_DAYS * US_PER_DAY
#: A month is judged so long after its end.
AFTER_MONTH_US: Final = 6 * 3600 * 1_000_000
#: A trip that should be over is waited for so long; one that is returned, so long for its result.
OPEN_US: Final = 10 * US_PER_DAY
UNSETTLED_US: Final = LOOK_BACK_US
#: Keys whose facts are in memory at once.
KEYS_AT_ONCE: Final = 100

_ENERGIES: Final = {
    "petrol": ("fuel",), "diesel": ("fuel",), "gas": ("fuel",), "electric": ("electric",),
    "hybrid": ("fuel", "electric"),
}  # fmt: skip
_BOTH: Final = ("fuel", "electric")


class DriverMonths:
    """See the module docstring and ``rules.judge.context.Gatherer``."""

    name = "driver_months"
    rules: tuple[str, ...] = (check.RULE,)

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """Months that have ended and rest on the changed facts: those of the facts, those that have them in their
        baseline, and the same a year later."""
        conn = context.conn
        spans: list[Span] = [(c.subject, 0, FOREVER, True) for c in of_kind(changes, "vehicle")]
        cards = [(c.subject, c.from_us) for c in of_kind(changes, "fills", "card_binding")]
        moved = {c.subject: c.from_us for c in of_kind(changes, "transaction")}
        cards += await cards_of_transactions(conn, moved)
        # A reversal may take back a fill of the month before.
        cards = [(card, max(us - REACH_US, 0)) for card, us in cards]
        spans += [(id, since, FOREVER, False) for id, since in await vehicles_of_cards(conn, cards)]
        plates = {c.subject: c.from_us for c in reversed(of_kind(changes, "plate"))}
        for plate, its in (await holders_of_plates(conn, plates)).items():
            spans += [(v.id, plates[plate], FOREVER, False) for v in its]
        orders = sorted({c.subject for c in of_kind(changes, "order", "result")})
        spans += [(id, since, until, False) for id, since, until in await vehicles_of_orders(conn, orders)]
        own = [c.from_us for c in of_kind(changes, "parameter") if c.subject == check.RULE]
        keys = await _keys(context, spans, ended_by=context.now_us)
        if own:
            keys |= await _keys(context, [(None, min(own), FOREVER, False)], ended_by=context.now_us)
        return keys

    async def by_clock(self, context: Context, from_us_: int, until_us: int) -> dict[str, int]:
        """Months whose time to be judged came in (from, until]."""
        keys: dict[str, int] = {}
        month = shifted(month_of(max(from_us_ - AFTER_MONTH_US, 0)), -1)
        while (end := month_span(month)[1]) + AFTER_MONTH_US <= until_us:
            if end + AFTER_MONTH_US > from_us_:
                keys |= await _month_keys(context, month)
            month = shifted(month, 1)
        return keys

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Nothing takes long here."""

    async def between(self, context: Context, from_us_: int, to_us: int) -> list[str]:
        """Keys of the months that ended in (from, to]."""
        found: set[str] = set()
        month = month_of(from_us_)
        while month_span(month)[1] <= to_us:
            found |= (await _month_keys(context, month)).keys()
            month = shifted(month, 1)
        return sorted(found)

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """Each driver's month, once all its trips are settled."""
        verdicts = Verdicts()
        for start in range(0, len(keys), KEYS_AT_ONCE):
            await _judge(context, keys[start : start + KEYS_AT_ONCE], verdicts)
        return verdicts


async def _month_keys(context: Context, month: str) -> dict[str, int]:
    first, end = month_span(month)
    return await _keys(context, [(None, first, end - 1, False)], ended_by=end, only_that=True)


async def _keys(
    context: Context, spans: Sequence[Span], *, ended_by: int, only_that: bool = False
) -> dict[str, int]:
    """Keys of ``spans``, of the months that ended at ``ended_by`` or before, and of those that look back on them.
    ``only_that``: of what the current versions of the orders say, and without those that look back."""
    found = await months_of(context.conn, spans, current_only=only_that)
    lengths = {parameter(check.RULE, "baseline_months").default}
    lengths |= {r.value for r in context.parameters if (r.rule, r.name) == (check.RULE, "baseline_months")}
    steps = [0] if only_that else sorted({*range(max(lengths) + 1), 12})
    keys: dict[str, int] = {}
    for one in found:
        month = one.first
        while month <= one.last and month_span(month)[1] <= ended_by:
            for touched in (shifted(month, k) for k in steps):
                end = month_span(touched)[1]
                if end <= ended_by:
                    for energy in _BOTH if one.every_energy else _ENERGIES[one.energy]:
                        keys[f"{one.driver}|{touched}|{energy}"] = end + AFTER_MONTH_US
            month = shifted(month, 1)
    return keys


@dataclass(frozen=True, slots=True)
class _Key:
    key: str
    driver: str
    month: str
    energy: str
    parameters: dict[str, int]

    def months(self) -> list[str]:
        """The month, those of its baseline and the same of last year, in order."""
        before = range(self.parameters["baseline_months"] + 1)
        return sorted({*(shifted(self.month, -k) for k in before), shifted(self.month, -12)})


@dataclass(slots=True)
class _Facts:
    """Facts of some keys. ``fills``: driver -> (fill, plate, vehicle, trip, during or after); ``loose``: vehicle ->
    fills that belong to no driver; ``drivers``: vehicle -> everybody who drove it."""

    trips: dict[str, list[Trip]]
    vehicles: dict[str, VehicleInfo]
    fills: dict[str, list[tuple[TransactionRow, str, str, Trip, str]]]
    loose: dict[str, list[tuple[TransactionRow, str, str]]]
    reversed: dict[str, str]
    drivers: dict[str, set[str | None]]


def owner(trips: Sequence[Trip], at_us: int) -> tuple[Trip, str] | None:
    """The trip of a vehicle that a fill belongs to, and whether ``during`` or ``after`` it."""
    during = [t for t in trips if t.from_us <= at_us <= t.to_us]
    if during:
        return max(during, key=lambda t: (t.from_us, t.id)), "during"
    ended = [t for t in trips if at_us - REACH_US <= t.to_us < at_us]
    return (max(ended, key=lambda t: (t.to_us, t.from_us, t.id)), "after") if ended else None


async def _judge(context: Context, keys: Sequence[str], verdicts: Verdicts) -> None:
    parts = {key: key.rsplit("|", 2) for key in keys}
    drivers = await drivers_of(context.conn, {driver for driver, _, _ in parts.values()})
    wanted = [
        _Key(key, d, month, energy, context.resolve(check.RULE, drivers[d][1], month_span(month)[0]))
        for key, (d, month, energy) in parts.items()
        if d in drivers
    ]
    known = await _facts(context, wanted)
    subjects = {w.key: check.subject(w.driver, w.month, w.energy) for w in wanted}
    suspected = await suspected_among(context.conn, check.RULE, subjects.values())
    made: list[tuple[check.Evidence, check.Month]] = []
    for want in wanted:
        waiting = _waits(context, known, want)
        if waiting is not None:
            verdicts.later[want.key] = waiting
            continue
        months = [_month(known, want, month) for month in want.months()]
        now = next(m for m in months if m["month"] == want.month)
        subject = subjects[want.key]
        if not now["orders"] and not now["fills"]:
            if subject in suspected:
                verdicts.judgements.append(
                    Judgement(check.RULE, check.VERSION, subject, None, "normal", "nothing", context.now_us)
                )
            continue
        name, organisation = drivers[want.driver]
        evidence: check.Evidence = {
            "rule": check.RULE, "rule_version": check.VERSION, "subject": subject, "month": want.month,
            "driver": {"id": want.driver, "name": name, "organisation": organisation}, "energy": want.energy,
            "parameters": want.parameters, "months": months, "vehicles": _vehicles(known, want, months),
        }  # fmt: skip
        made.append((evidence, now))
    numbers = {id: info.no for id, info in known.vehicles.items()}
    await add_levels(context, [evidence for evidence, _ in made], numbers, known.drivers)
    verdicts.judgements += [_verdict(context, known, evidence, now) for evidence, now in made]


def _vehicles(known: _Facts, want: _Key, months: Sequence[check.Month]) -> list[check.Vehicle]:
    """The vehicles of evidence, without levels. The register's class and kind of energy make a class; where it names none,
    the vehicle is one of its own."""
    ids = {o["vehicle"] for m in months for o in m["orders"]}
    ids |= {f["vehicle"] for m in months for f in m["fills"] if "vehicle" in f}
    found: list[check.Vehicle] = []
    for id in sorted(ids):
        info = known.vehicles[id]
        group = f"{name_key(info.category)}|{info.energy}" if info.category.strip() else f"vehicle:{id}"
        capacity = info.tank_ml if want.energy == "fuel" else info.battery_wh
        found.append({"id": id, "group": group, "capacity": capacity, "levels": [None] * 3})
    return found


def _verdict(context: Context, known: _Facts, evidence: check.Evidence, now: check.Month) -> Judgement:
    made = check.evaluate(evidence)
    driven = {o["vehicle"] for o in now["orders"]} | {f["vehicle"] for f in now["fills"]}
    vehicle = known.vehicles[driven.pop()] if len(driven) == 1 else None
    alert = None
    if made.outcome is Outcome.SUSPECTED:
        alert = AlertFacts(
            "medium", evidence["driver"]["organisation"], None if vehicle is None else vehicle.id,
            "" if vehicle is None else vehicle.plate, made.from_us, made.to_us,
            driver=evidence["driver"]["id"],
        )  # fmt: skip
    return judgement(context, made, evidence, alert, None if vehicle is None else vehicle.no)


async def _facts(context: Context, wanted: Sequence[_Key]) -> _Facts:
    conn = context.conn
    spans = _union(month_span(month) for want in wanted for month in want.months())
    asked = [(w.driver, *s) for w in wanted for s in _union(map(month_span, w.months()))]
    trips = await trips_of_drivers(conn, sorted(set(asked)), REACH_US)
    ids = {t.vehicle for its in trips.values() for t in its}
    vehicles = await vehicles_by_id(conn, ids)
    of_plate = await holders_of_plates(conn, {v.plate for v in vehicles.values()})
    fills = await fills_of_plates(conn, of_plate, spans)
    around = await trips_of_vehicles(conn, ids, [(max(a - REACH_US, 0), b) for a, b in spans])
    found = _Facts(
        trips, vehicles, defaultdict(list), defaultdict(list),
        await reversed_of_cards(conn, {fill.card for fill, _ in fills}),
        {vehicle: {t.driver for t in its} for vehicle, its in around.items()},
    )  # fmt: skip
    for fill, plate in fills:
        vehicle = holder_at(of_plate[plate], fill.at_us)
        # What was filled while another vehicle had the plate is not this one's.
        if vehicle is None or vehicle.id not in vehicles or fill.energy not in _ENERGIES[vehicle.energy]:
            continue
        held = owner(around.get(vehicle.id, ()), fill.at_us)
        if held is None:
            found.loose[vehicle.id].append((fill, plate, "no_trip"))
        elif held[0].driver is None:
            found.loose[vehicle.id].append((fill, plate, "no_driver"))
        else:
            found.fills[held[0].driver].append((fill, plate, vehicle.id, *held))
    return found


def _waits(context: Context, known: _Facts, want: _Key) -> Later | None:
    """Whether a trip that counts is not settled yet. One that is late for long is waited for no longer."""
    judged = {shifted(want.month, -k) for k in range(want.parameters["baseline_months"] + 1)}
    for trip in known.trips.get(want.driver, ()):
        if trip.settled or month_of(trip.to_us) not in judged:
            continue
        if want.energy not in _ENERGIES[known.vehicles[trip.vehicle].energy]:
            continue
        if context.now_us < trip.to_us + (UNSETTLED_US if trip.returned else OPEN_US):
            zh, en = ("结算", "settled") if trip.returned else ("返回", "returned")
            return wait(context, trip.to_us, f"等待派车单 {trip.id} {zh} · order {trip.id} is not {en} yet")
    return None


def _month(known: _Facts, want: _Key, month: str) -> check.Month:
    """What a month holds of a driver, as evidence."""
    first, end = month_span(month)
    trips = [
        t
        for t in known.trips.get(want.driver, ())
        if t.returned
        and first <= t.to_us < end
        and want.energy in _ENERGIES[known.vehicles[t.vehicle].energy]
    ]
    fills: list[check.Fill] = []
    left_out: list[check.Fill] = []
    for fill, plate, vehicle, trip, why in known.fills.get(want.driver, ()):
        if fill.energy == want.energy and first <= fill.at_us < end:
            if fill.id in known.reversed or is_goods(fill.product):
                left_out.append(_fill(fill, plate, "reversed" if fill.id in known.reversed else "goods"))
            else:
                fills.append({**_fill(fill, plate, why), "vehicle": vehicle, "order": trip.id})
    for vehicle in sorted({t.vehicle for t in trips}):
        left_out += [
            _fill(fill, plate, why)
            for fill, plate, why in known.loose.get(vehicle, ())
            if fill.energy == want.energy and first <= fill.at_us < end and fill.id not in known.reversed
        ]
    orders: list[check.Order] = [
        {
            "id": t.id, "version": t.version, "vehicle": t.vehicle, "departed_us": t.from_us, "returned_us": t.to_us,
            "mileage_mm": t.mileage_mm, "bridged_mm": t.bridged_mm, "fixes": t.fixes,
            "first_us": t.first_us, "last_us": t.last_us,
        }
        for t in trips
    ]  # fmt: skip
    left_out.sort(key=lambda f: (f["at_us"], f["id"]))
    return {"month": month, "orders": orders, "fills": fills, "left_out": left_out}


def _fill(fill: TransactionRow, plate: str, why: str) -> check.Fill:
    return {
        "id": fill.id, "at_us": fill.at_us, "card": fill.card, "plate": plate, "quantity": fill.quantity, "why": why,
    }  # fmt: skip


def _union(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
