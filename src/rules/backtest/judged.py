"""Backtest of the rules that the judge judges, by its own gatherers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Final

from registry.facts.owners import owned
from rules.alerts.current import StandingAlert, standing
from rules.alerts.model import Judgement
from rules.backtest.model import Kind, Question, Row, Side, kind_of, stored_side
from rules.checks import (
    card_use,
    destination,
    fuel_consumption,
    idle_rental,
    mileage,
    off_hours,
    parking,
    route,
    sealed,
    tank,
)
from rules.judge.context import Context, Gatherer, Verdicts
from rules.judge.subjects.all import GATHERERS
from rules.judge.subjects.orders import WAITS_FOR_ROUTE
from rules.wording.standard import STANDARD
from runtime.apart import read_apart
from runtime.errors import text_of

#: Keys judged together: as many as the judge takes.
KEYS_AT_ONCE: Final = 500

NO_ROUTE: Final = "没有冻结的导航路线 · no frozen route"
_WHY: Final = {WAITS_FOR_ROUTE: NO_ROUTE}

#: Gatherer -> the subject of a key that waits (both rules of days have the same ones; of destinations the first).
_SUBJECT: Final[Mapping[str, Callable[[str], str]]] = {
    "orders": mileage.subject,
    "destinations": lambda key: destination.subject(key, 0),
    "transactions": card_use.subject,
    "driver_months": lambda key: fuel_consumption.subject(*key.rsplit("|", 2)),
    "vehicle_days": lambda key: off_hours.subject(*key.rsplit("|", 1)),
    "nights": lambda key: parking.subject(*key.rsplit("|", 1)),
    "tanks": tank.subject,
    "routes": route.subject,
    "rentals": idle_rental.subject,
    "seals": lambda key: sealed.subject(key.rsplit("|", 1)[0], int(key.rsplit("|", 1)[1])),
}
#: Gatherer -> (kind of record, its id) that a key belongs to.
_OWNER: Final[Mapping[str, Callable[[str], tuple[str, str]]]] = {
    "orders": lambda key: ("order", key),
    "destinations": lambda key: ("order", key),
    "transactions": lambda key: ("transaction", key),
    "cards": lambda key: ("card", key),
    "violations": lambda key: (key.split("|", 1)[0], key.split("|", 1)[1].rsplit("|", 1)[0]),
    "driver_months": lambda key: ("driver", key.rsplit("|", 2)[0]),
    "vehicle_days": lambda key: ("vehicle", key.rsplit("|", 1)[0]),
    "seals": lambda key: ("vehicle", key.rsplit("|", 1)[0]),
    "tanks": lambda key: ("transaction", key),
    "nights": lambda key: ("vehicle", key.rsplit("|", 1)[0]),
    "routes": lambda key: ("order", key),
    "rentals": lambda key: ("vehicle", key),  # the rented vehicle has the id of its report
}

#: (id, plate) of vehicles by number.
Vehicles = Mapping[int, tuple[str, str]]


def gatherer_of(rule: str) -> Gatherer | None:
    """The gatherer that judges a rule; None: the worker judges it."""
    return next((gatherer for gatherer in GATHERERS if rule in gatherer.rules), None)


async def keys_of(context: Context, gatherer: Gatherer, question: Question) -> list[str]:
    """The keys to judge, in the order in which they are judged."""
    keys = await gatherer.between(context, question.from_us, question.to_us)
    if question.organisation is not None:
        owner = {key: _OWNER[gatherer.name](key) for key in keys}
        mine = {
            (kind, id)
            for kind in sorted({kind for kind, _ in owner.values()})
            for id in await owned(
                context.conn, question.organisation, kind, [i for k, i in owner.values() if k == kind]
            )
        }
        keys = [key for key in keys if owner[key] in mine]
    # Days of one date lie together on disk.
    return sorted(keys, key=lambda key: (key[-10:], key)) if gatherer.name == "vehicle_days" else sorted(keys)


async def judged_rows(
    context: Context, gatherer: Gatherer, question: Question, keys: Sequence[str], vehicles: Vehicles
) -> AsyncIterator[tuple[int, list[Row]]]:
    """(keys judged since the last time, their rows), again and again."""
    for start in range(0, len(keys), KEYS_AT_ONCE):
        part = keys[start : start + KEYS_AT_ONCE]
        # A subject on which the program fails is none of the others' matter: it says so.
        found, failed = await read_apart(context.conn, part, partial(_verdicts, context, gatherer))
        made = {j.subject: j for v in found for j in v.judgements if j.rule == question.rule}
        waiting = {_SUBJECT[gatherer.name](key): f"fault: {text_of(error)}"[:300] for key, error in failed}
        for key, later in [one for v in found for one in v.later.items()]:
            subject = _SUBJECT[gatherer.name](key)
            if subject not in made:
                waiting[subject] = _WHY.get(later.why, later.why)
        stored, alerts = await standing(context.conn, question.rule, [*made, *waiting])
        rows = []
        for subject in sorted(made.keys() | waiting.keys()):
            now = stored_side(stored.get(subject), alerts.get(subject))
            alert = alerts.get(subject) if now is not None and now.suspected else None
            if subject in made:
                row = _row(made[subject], now, alert, vehicles)
            else:
                row = _of_alert(Kind.WAITING, subject, now, Side("undetermined", waiting[subject]), alert)
            # Of a card everything is judged, also what happened at other times.
            if gatherer.name != "cards" or _within(row, question):
                rows.append(row)
        yield len(part), rows


async def _verdicts(context: Context, gatherer: Gatherer, keys: Sequence[str]) -> list[Verdicts]:
    return [await gatherer.judge(context, keys)]


def _row(judgement: Judgement, now: Side | None, alert: StandingAlert | None, vehicles: Vehicles) -> Row:
    facts = judgement.alert
    severity = None if facts is None else facts.severity
    words = STANDARD.reason(judgement.rule, judgement.rule_version, judgement.reason, judgement.named).zh
    then = Side(judgement.outcome, judgement.reason, dict(judgement.measures), severity, words)
    kind = kind_of(now, then)
    if facts is not None:
        return Row(
            kind, judgement.subject, now, then, facts.organisation, facts.vehicle, facts.plate, facts.driver,
            facts.order, facts.occurred_from_us, facts.occurred_to_us,
        )  # fmt: skip
    if alert is not None:
        return _of_alert(kind, judgement.subject, now, then, alert)
    vehicle, plate = vehicles.get(judgement.vehicle_no or 0, (None, ""))
    since, until = judgement.happened or (None, None)
    return Row(kind, judgement.subject, now, then, vehicle=vehicle, plate=plate, from_us=since, to_us=until)


def _of_alert(kind: Kind, subject: str, now: Side | None, then: Side, alert: StandingAlert | None) -> Row:
    if alert is None:
        return Row(kind, subject, now, then)
    return Row(
        kind, subject, now, then, alert.organisation, alert.vehicle, alert.plate, alert.driver, alert.order,
        alert.occurred_from_us, alert.occurred_to_us,
    )  # fmt: skip


def _within(row: Row, question: Question) -> bool:
    if row.from_us is None:
        return True
    return row.from_us < question.to_us and (row.to_us is None or row.to_us >= question.from_us)
