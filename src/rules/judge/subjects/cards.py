"""Gatherer ``cards``: what a fuel card is bound to, and how often it pays between two orders. Key: id of the card."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from registry import fuel_cards
from registry.facts.cards import cards_between, cards_by_time, cards_concerned, every_card
from registry.facts.fills import reversed_fills
from registry.facts.trips import Trip, trips_of_vehicles
from registry.fuel_cards import CardBindingRow, CardRow
from registry.goods import is_goods
from registry.parameters import ORDER, parameter
from registry.snapshot.timelines import FOREVER
from registry.transactions import TransactionRow, transactions_of_cards
from registry.vehicles import VehicleInfo, holders_of_plates, vehicle_at
from rules.alerts.feed import suspected_of_cards
from rules.alerts.model import AlertFacts, Judgement
from rules.checks import card_binding, refuel_frequency
from rules.evidence_parts import Binding, iso_day
from rules.judge.context import Change, Context, Verdicts, judgement, of_kind
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, midnight_us

#: Cards whose facts are in memory at once.
CARDS_AT_ONCE: Final = 50
#: The nightly look at what changed by time alone.
NIGHT_US: Final = 2 * 3600 * 1_000_000

_BINDING, _REFUEL = card_binding.RULE, refuel_frequency.RULE
#: Kinds of records that concern cards, with the kinds of changes that name such a record.
_CONCERNING: Final = {
    "transaction": ("transaction",), "plate": ("plate",), "vehicle": ("vehicle",), "order": ("order", "order_times"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Run:
    """Orders that overlap or touch, [from, to]: the first to depart and the last to return."""

    from_us: int
    to_us: int
    first: Trip
    last: Trip


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a fill lies between orders."""

    bound: CardBindingRow
    vehicle: VehicleInfo
    after: Trip
    following: Trip | None


@dataclass(slots=True)
class _Facts:
    """Facts of some cards."""

    cards: dict[str, CardRow]
    bindings: dict[str, list[CardBindingRow]]
    vehicles: dict[str, list[VehicleInfo]]
    transactions: dict[str, list[TransactionRow]]
    runs: dict[str, list[_Run]]
    suspected: dict[str, dict[str, set[str]]]  # rule -> card -> subjects


class Cards:
    """See the module docstring and ``rules.judge.context.Gatherer``."""

    name = "cards"
    rules: tuple[str, ...] = (_BINDING, _REFUEL)

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """Cards that the changes touch, at once."""
        cards = {c.subject for c in of_kind(changes, "card", "card_binding", "fills")}
        for kind, told in _CONCERNING.items():
            cards |= await cards_concerned(context.conn, kind, [c.subject for c in of_kind(changes, *told)])
        if any(c.subject in (*self.rules, ORDER) for c in of_kind(changes, "parameter")):
            cards |= await every_card(context.conn)
        return dict.fromkeys(sorted(cards), context.now_us)

    async def by_clock(self, context: Context, from_us_: int, until_us: int) -> dict[str, int]:
        """At 02:00 in Asia/Shanghai: cards whose binding, vehicle or days of grace began or ended since the night
        before."""
        shift = CHINA_OFFSET_US - NIGHT_US
        night = (until_us + shift) // US_PER_DAY * US_PER_DAY - shift
        if night <= from_us_:
            return {}
        graces = {parameter(_BINDING, "grace_days").default}
        graces |= {r.value for r in context.parameters if (r.rule, r.name) == (_BINDING, "grace_days")}
        since = max(from_us_ - US_PER_DAY, 0)
        return dict.fromkeys(await cards_by_time(context.conn, since, until_us, {0, *graces}), night)

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Nothing takes long here."""

    async def between(self, context: Context, from_us_: int, to_us: int) -> list[str]:
        """Cards that were bound, paid or were active in [from, to)."""
        return sorted(await cards_between(context.conn, from_us_, to_us))

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """Every binding of each card, whether it is bound at all, and every stretch between orders in which it paid."""
        verdicts = Verdicts()
        for start in range(0, len(keys), CARDS_AT_ONCE):
            part = list(keys[start : start + CARDS_AT_ONCE])
            known = await _facts(context, part)
            for card in part:
                made = list(_of_card(context, known, card)) if card in known.cards else []
                verdicts.judgements += made
                verdicts.judgements += _withdrawn(context, known, card, {(j.rule, j.subject) for j in made})
        return verdicts


async def _facts(context: Context, cards: Sequence[str]) -> _Facts:
    conn = context.conn
    bindings = await fuel_cards.bindings_of_cards(conn, cards)
    transactions = await transactions_of_cards(conn, cards)
    plates = {b.plate for its in bindings.values() for b in its}
    vehicles = await holders_of_plates(conn, plates)
    paying = {b.plate for card in transactions for b in bindings.get(card, ())}
    ids = {v.id for plate in paying for v in vehicles.get(plate, ())}
    trips = await trips_of_vehicles(conn, ids) if ids else {}
    suspected: dict[str, dict[str, set[str]]] = {rule: defaultdict(set) for rule in (_BINDING, _REFUEL)}
    for rule, card, subject in await suspected_of_cards(conn, [_BINDING, _REFUEL], cards):
        suspected[rule][card].add(subject)
    return _Facts(
        await fuel_cards.cards_of(conn, cards), bindings, vehicles, transactions,
        {vehicle: _runs([_until_covered(context, t) for t in its]) for vehicle, its in trips.items()}, suspected,
    )  # fmt: skip


def _withdrawn(context: Context, known: _Facts, card: str, live: set[tuple[str, str]]) -> Iterator[Judgement]:
    for rule, version in ((_BINDING, card_binding.VERSION), (_REFUEL, refuel_frequency.VERSION)):
        for subject in sorted(known.suspected[rule].get(card, ())):
            if (rule, subject) not in live:
                yield Judgement(rule, version, subject, None, "normal", "gone", context.now_us, card=card)


def _of_card(context: Context, known: _Facts, card: str) -> Iterator[Judgement]:
    for binding in known.bindings.get(card, ()):
        if binding.from_us <= context.now_us:
            yield _judge_binding(context, known, known.cards[card], binding)
    yield from _judge_unbound(context, known, known.cards[card])
    yield from _judge_fills(context, known, known.cards[card])


def _card(card: CardRow) -> card_binding.Card:
    return {
        "id": card.id, "organisation": card.organisation, "status": card.status, "kind": card.kind,
        "opened_on": iso_day(card.opened_on), "closed_on": iso_day(card.closed_on),
    }  # fmt: skip


def _judge_binding(context: Context, known: _Facts, card: CardRow, binding: CardBindingRow) -> Judgement:
    vehicles = known.vehicles.get(binding.plate, [])
    bound: Binding = {
        "plate": binding.plate, "from_us": binding.from_us, "to_us": None if binding.to_us == FOREVER else binding.to_us,
    }  # fmt: skip
    known_as: list[card_binding.Vehicle] = [
        {
            "id": v.id, "organisation": v.organisation, "ownership": v.ownership,
            "registered_on": iso_day(v.registered_on), "disposed_on": iso_day(v.disposed_on),
        }
        for v in vehicles
    ]  # fmt: skip
    for told, v in zip(known_as, vehicles, strict=True):
        if v.replated:
            told["replated"] = True

    def last_change(grace_days: int) -> int:
        points = card_binding.change_points(_card(card), bound, known_as, grace_days)
        return max(p for p in points if p <= context.now_us)

    # The value that held when something last changed; the end of the days of grace is such a moment in turn.
    used = context.resolve(_BINDING, card.organisation, last_change(0))
    evidence: card_binding.Evidence = {
        "rule": _BINDING, "rule_version": card_binding.VERSION,
        "subject": card_binding.subject(card.id, binding.from_us), "card": _card(card), "binding": bound,
        "vehicles": known_as, "parameters": used, "as_of_us": last_change(used["grace_days"]),
    }  # fmt: skip
    made = card_binding.evaluate(evidence)
    vehicle = max(vehicles, key=lambda v: v.no, default=None)  # the plate's newest
    alert = AlertFacts(
        "high" if made.reason == "not_official" else "medium", card.organisation,
        None if vehicle is None else vehicle.id, binding.plate, made.from_us, made.to_us,
    )  # fmt: skip
    no = None if vehicle is None else vehicle.no
    return judgement(context, made, evidence, alert, no, card.id)


def _judge_unbound(context: Context, known: _Facts, card: CardRow) -> Iterator[Judgement]:
    its = known.bindings.get(card.id, [])
    subject = card_binding.subject(card.id, None)
    bound = fuel_cards.binding_at(known.bindings, card.id, context.now_us) is not None
    since = card.created_us if card.opened_on is None else midnight_us(card.opened_on)
    since = max([b.to_us for b in its if b.to_us <= context.now_us], default=since)
    used = context.resolve(_BINDING, card.organisation, since)
    grace_us = used["grace_days"] * US_PER_DAY
    waits = bound or card.status != "active" or context.now_us - since <= grace_us
    if waits and subject not in known.suspected[_BINDING].get(card.id, ()):
        return
    evidence: card_binding.Evidence = {
        "rule": _BINDING, "rule_version": card_binding.VERSION, "subject": subject, "card": _card(card),
        "binding": None, "vehicles": [], "parameters": used, "unbound_since_us": None if bound else since,
        "as_of_us": min(context.now_us, since + grace_us + 1),
    }  # fmt: skip
    if card.kind == "master":
        evidence["filled"] = _has_filled(known, card.id, since)
    made = card_binding.evaluate(evidence)
    alert = AlertFacts("medium", card.organisation, None, "", made.from_us, made.to_us)
    yield judgement(context, made, evidence, alert, None, card.id)


def _has_filled(known: _Facts, card: str, since_us: int) -> bool:
    """Whether a card has filled since a time; what was taken back and what is no fuel does not count."""
    rows = known.transactions.get(card, [])
    taken_back = reversed_fills(rows)
    return any(
        t.kind == "fill" and t.at_us >= since_us and t.id not in taken_back and not is_goods(t.product) for t in rows
    )  # fmt: skip


def _until_covered(context: Context, trip: Trip) -> Trip:
    """A trip without a return lasts to its planned (extended) return and ``order.overdue_cover_h`` more: a forgotten order
    does not keep its vehicle out for ever."""
    if trip.returned:
        return trip
    hours = context.resolve(ORDER, trip.organisation, trip.from_us)["overdue_cover_h"]
    return replace(trip, to_us=trip.to_us + hours * 3600 * 1_000_000)


def _runs(trips: Sequence[Trip]) -> list[_Run]:
    """Runs of one vehicle's trips (by departure) in order."""
    runs: list[_Run] = []
    for trip in trips:
        if runs and trip.from_us <= runs[-1].to_us:
            was = runs[-1]
            last = max(was.last, trip, key=lambda t: (t.to_us, t.from_us, t.id))
            runs[-1] = replace(was, to_us=max(was.to_us, trip.to_us), last=last)
        else:
            runs.append(_Run(trip.from_us, trip.to_us, trip, trip))
    return runs


def _joined(bindings: Sequence[CardBindingRow]) -> list[CardBindingRow]:
    """Bindings in order; one that only goes on with the same plate is no new one."""
    found: list[CardBindingRow] = []
    for binding in bindings:
        if found and (found[-1].plate, found[-1].to_us) == (binding.plate, binding.from_us):
            found[-1] = replace(found[-1], to_us=binding.to_us)
        else:
            found.append(binding)
    return found


def _place(known: _Facts, bindings: Sequence[CardBindingRow], at_us: int) -> _Place | None:
    """Where a time lies between orders of the vehicle that the card was bound to; None = nowhere."""
    bound = next((b for b in bindings if b.from_us <= at_us < b.to_us), None)
    vehicle = None if bound is None else vehicle_at(known.vehicles.get(bound.plate, ()), at_us)
    if bound is None or vehicle is None:
        return None
    runs = known.runs.get(vehicle.id, [])
    following = bisect_left(runs, at_us, key=lambda run: run.from_us)
    if following < len(runs) and runs[following].from_us == at_us:
        return None
    if following == 0 or at_us <= runs[following - 1].to_us:
        return None
    return _Place(
        bound, vehicle, runs[following - 1].last, runs[following].first if following < len(runs) else None
    )


def _judge_fills(context: Context, known: _Facts, card: CardRow) -> Iterator[Judgement]:
    transactions = known.transactions.get(card.id, [])
    bindings = _joined(known.bindings.get(card.id, ()))
    taken_back = reversed_fills(transactions)
    places: dict[_Place, list[refuel_frequency.Transaction]] = defaultdict(list)
    rows = [_transaction(t, taken_back.get(t.id)) for t in transactions]
    for row in rows:
        place = _place(known, bindings, row["at_us"])
        if place is not None:
            places[place].append(row)
    # By what decides it: payment -> what is one fill with it.
    by_merge: dict[tuple[int, int], dict[str, list[refuel_frequency.Transaction]]] = {}
    for place, inside in places.items():
        used = context.resolve(_REFUEL, card.organisation, place.after.to_us)
        merge = used["merge_min"], used["count_charging"]
        if merge not in by_merge:
            by_merge[merge] = {p["id"]: g for g in refuel_frequency.groups(rows, used) for p in g}
        mine = {row["id"] for row in inside}
        # Payments beside the stretch that may be one fill with one of it decide where that fill began.
        mine |= {p["id"] for i in sorted(mine) for p in by_merge[merge].get(i, ())}
        evidence = _fill_evidence(card, bindings, place, used, [r for r in rows if r["id"] in mine])
        made = refuel_frequency.evaluate(evidence)
        if not made.measures["fills"]["value"]:
            continue
        alert = AlertFacts(
            "medium", card.organisation, place.vehicle.id, place.vehicle.plate, made.from_us, made.to_us,
            order=place.after.id,
        )  # fmt: skip
        yield judgement(context, made, evidence, alert, place.vehicle.no, card.id)


def _fill_evidence(
    card: CardRow,
    bindings: Sequence[CardBindingRow],
    place: _Place,
    used: dict[str, int],
    rows: list[refuel_frequency.Transaction],
) -> refuel_frequency.Evidence:
    after, vehicle, following = place.after, place.vehicle, place.following
    earlier = [b for b in bindings if b.plate == place.bound.plate and b.to_us > after.to_us]
    again = None if earlier[0] == place.bound else card_binding.stamp(place.bound.from_us)
    since, until = place.bound.from_us, place.bound.to_us
    if vehicle.registered_on is not None:
        since = max(since, midnight_us(vehicle.registered_on))
    if vehicle.disposed_on is not None:
        until = min(until, midnight_us(vehicle.disposed_on))
    evidence: refuel_frequency.Evidence = {
        "rule": _REFUEL, "rule_version": refuel_frequency.VERSION,
        "subject": refuel_frequency.subject(card.id, after.id, again),
        "card": {"id": card.id, "organisation": card.organisation},
        "vehicle": {"no": vehicle.no, "id": vehicle.id, "plate": vehicle.plate},
        "binding": {"plate": place.bound.plate, "from_us": since, "to_us": None if until == FOREVER else until},
        "order": {
            "id": after.id, "version": after.version, "driver": after.driver, "from_us": after.from_us, "to_us": after.to_us,
            "returned": after.returned,
        },
        "next_order": None if following is None else {
            "id": following.id, "version": following.version, "driver": following.driver,
            "departed_us": following.from_us,
        },
        "parameters": used, "transactions": rows,
    }  # fmt: skip
    if after.returned and after.paper_to_us is not None:
        evidence["order"]["paper_us"] = after.paper_to_us
    why = refuel_frequency.explain(evidence)
    # Copies: a row may stand in the evidence of two stretches, for another reason in each.
    evidence["transactions"] = [{**row, "why": why[row["id"]]} for row in rows]
    return evidence


def _transaction(row: TransactionRow, reversed_by: str | None) -> refuel_frequency.Transaction:
    return {
        "id": row.id, "at_us": row.at_us, "kind": row.kind, "product": row.product, "energy": row.energy,
        "quantity": row.quantity, "amount_fen": row.amount_fen, "station": row.station,
        "station_name": row.station_name, "reversed_by": reversed_by, "posted": row.posted,
    }  # fmt: skip
