"""Natural days of vehicles: the rules ``off_hours`` and ``terminal_silent``.

A day is judged ``settle_after_h`` after its end. A vehicle whose positions have not passed the end by then is judged by
the clock of the log, on what is there, and again until they do. Everything is read by columns for many vehicles at
once; the track of a day becomes evidence only where it is suspected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final, TypedDict, cast

import numpy as np

from registry.facts import vehicle_days
from registry.facts.order_notes import notes_of_vehicles
from registry.facts.vehicle_days import Cover
from registry.order_cover import Note
from registry.orders import spans_of_orders
from registry.parameters import ORDER, TRACK
from registry.vehicles import official_on, vehicles_by_id
from rules.alerts.feed import alerts_of_vehicles
from rules.alerts.model import AlertFacts, Judgement
from rules.alerts.publish import evaluations_of
from rules.alerts.reminders import for_evidence
from rules.checks import off_hours, terminal_silent
from rules.checks.base import Evaluation, Outcome
from rules.evidence_parts import Vehicle, vehicle_of
from rules.judge import off_hours_closer
from rules.judge.context import Change, Context, Later, Verdicts, judgement, of_kind, on_kept_track, wait
from rules.judge.day_tracks import (
    HORIZON_US,
    DayTracks,
    VehicleDay,
    day_of,
    in_day,
    read_tracks,
    track_within,
    valid_rows_of,
)
from rules.judge.silences import (
    add_before,
    add_peers,
    candidates,
    contradictions_of,
    cut,
    edge_fixes,
    silences_of,
    tell_office,
)
from rules.judge.tracks import terminal_spans
from rules.live.store.states import watermarks
from runtime.units import US_PER_DAY, US_PER_S, earliest, midnight_us

NAME: Final = "vehicle_days"
RULES: Final = (off_hours.RULE, terminal_silent.RULE)
_HOUR_US: Final = 3600 * US_PER_S
#: Days of before are judged again by nobody, however long positions are kept.
_MOST_US: Final = 10 * 366 * US_PER_DAY
#: Evaluations looked up in one statement.
_SLICE: Final = 5_000


def key_of(vehicle: str, day: date) -> str:
    """The key of a vehicle's day."""
    return f"{vehicle}|{day.isoformat()}"


class VehicleDays:
    """See the module docstring; a ``Gatherer``."""

    name = NAME
    rules = RULES

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """Days that ended. However long ago: of an order those that any of its versions touched; of the calendar the day
        itself; of a vehicle those with an alert. In the last LOOK_BACK_DAYS: of a late position from its day on, and the day on
        which the silence before it began; of a parameter all from when it holds; of a vehicle those not judged yet."""
        keys: set[tuple[str, date]] = set()
        for vehicle, since, until in await spans_of_orders(context.conn, _subjects(changes, "order")):
            keys |= {(vehicle, day) for day in _ended(context, since, until, _whole(context))}
        late = ((change.subject, change.from_us) for change in of_kind(changes, "track"))
        keys |= await self._since(context, earliest(late))
        keys |= await self._of_vehicles(context, _subjects(changes, "vehicle"))
        days = {date.fromisoformat(subject) for subject in _subjects(changes, "calendar")}
        days &= set(_ended(context, 0, context.now_us, _whole(context)))
        for change in of_kind(changes, "parameter"):
            if change.subject in (*RULES, TRACK, ORDER):  # of orders: from when on they cover
                days |= set(_ended(context, change.from_us, context.now_us))
        keys |= await self._of_days(context, days)
        return await self._due(context, keys)

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        """The days that ended, of every official vehicle with a terminal."""
        first, last = day_of(from_us), day_of(until_us)  # a day's end is the next one's midnight
        days = {first + timedelta(days=k) for k in range((last - first).days)}
        return await self._due(context, await self._of_days(context, days))

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Nothing takes long apart from the transaction."""

    async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
        """Days that begin in [from, to)."""
        first = day_of(from_us - 1) + timedelta(days=1)
        days = {first + timedelta(days=k) for k in range((day_of(to_us - 1) - first).days + 1)}
        return sorted(key_of(*pair) for pair in await self._of_days(context, days))

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """Both rules on each day; see ``Gatherer``."""
        verdicts = Verdicts()
        known = await vehicles_by_id(context.conn, [key.rpartition("|")[0] for key in keys])
        marks = await watermarks(context.conn, [v.no for v in known.values()])
        ready, gone = [], []
        for key in sorted(keys):
            vehicle_id, _, text = key.rpartition("|")
            if (vehicle := known.get(vehicle_id)) is None:
                continue
            day = date.fromisoformat(text)
            at = VehicleDay(key, vehicle, day, midnight_us(day))
            settled_us = at.to_us + _settle_us(context, vehicle.organisation, at.from_us)
            if not official_on(vehicle, day):
                gone.append((at, "not_official"))
            elif marks[vehicle.no] < at.to_us and context.known_us < settled_us:
                due = max(settled_us, context.now_us + 600 * US_PER_S)
                why = "当日的定位可能尚未到齐 · positions of the day may still come"
                verdicts.later[key] = Later(due, why, vehicle.no, at.to_us - 1)
            else:
                ready.append(at)
        if ready:
            tracks = await read_tracks(context, ready)
            bound = [
                any(a < d.to_us for _, a, _ in spans) for d, spans in zip(ready, tracks.bound, strict=True)
            ]
            gone += [(d, "no_terminal") for d, is_bound in zip(ready, bound, strict=True) if not is_bound]
            slots = [slot for slot, is_bound in enumerate(bound) if is_bound]
            await self._judge_days(context, tracks, slots, marks, verdicts)
        verdicts.judgements += await _withdrawals(context, gone)
        return verdicts

    async def _judge_days(
        self,
        context: Context,
        tracks: DayTracks,
        slots: Sequence[int],
        marks: Mapping[int, int],
        verdicts: Verdicts,
    ) -> None:
        days = tracks.days
        low, high = min(d.from_us for d in days), max(context.now_us, *(d.to_us for d in days))
        vehicles = list({d.vehicle.no: d.vehicle for d in days}.values())
        covers = await vehicle_days.covers_of(context.conn, vehicles, low, high, context.parameters)
        shared = [context.resolve(TRACK, d.vehicle.organisation, d.from_us) for d in days]
        waiting: dict[str, str] = {}
        backfilled: dict[int, bool] = {}

        speeds = np.array([s["max_speed_kmh"] for s in shared], np.int64)
        valid = await valid_rows_of(context, tracks, speeds)
        # Its windows start anew: without the jumps none begins with one.
        notes = await notes_of_vehicles(
            context.conn, [(d.vehicle.no, d.from_us, d.to_us) for d in days], context.parameters
        )
        cleaned = replace(tracks, rows=tracks.rows.take(valid))
        off = _off_hours(context, cleaned, covers, shared, notes)
        off = await off_hours_closer.look(context, cleaned, off, covers)
        told = await for_evidence(
            context.conn, [(d.vehicle.no, d.from_us, d.to_us - 1) for d in days], [()] * len(days)
        )
        for slot in slots:
            evidence, made = off[slot]
            if told[slot] and _suspected(made):
                evidence = cast(off_hours.Facts, {**evidence, "reminders": told[slot]})
            made = on_kept_track(context, made)
            backfill = any(
                c.backfill and c.from_us < days[slot].to_us and days[slot].from_us < c.to_us
                for c in covers.get(days[slot].vehicle.no, ())
            )
            backfilled[slot] = backfill
            alert = _alert(days[slot], made, off_hours.severity(made)) if _suspected(made) else None
            verdicts.judgements.append(
                judgement(context, made, evidence, alert, days[slot].vehicle.no, backfill=backfill)
            )
            if made.reason == "calendar_unknown":
                waiting[days[slot].key] = (
                    f"{days[slot].day} 是否工作日尚未公布 · whether {days[slot].day} is worked is not published yet"
                )
                verdicts.absent.add(made.subject)

        used = [context.resolve(terminal_silent.RULE, d.vehicle.organisation, d.from_us) for d in days]
        used = [u | s for u, s in zip(used, shared, strict=True)]
        found = silences_of(tracks, valid, used, covers, context.known_us)
        await add_before(context, days, found)
        differ = contradictions_of(tracks, valid, used, covers)
        await add_peers(context, candidates(days, used, found))
        if not context.numbers_only:
            await tell_office(context, [(days[slot], one) for slot in slots for one in differ[slot]])
        counted = np.bincount(tracks.rows.slot[in_day(tracks)], minlength=len(days)).tolist()
        for slot in slots:
            day = days[slot]
            facts: terminal_silent.Evidence = {
                **_head(day, terminal_silent),
                "parameters": used[slot],
                "day": {"date": day.day.isoformat(), "from_us": day.from_us},
                "day_positions": counted[slot],
                "silences": found[slot],
                "contradictions": differ[slot],
            }
            made = on_kept_track(context, terminal_silent.evaluate(facts))
            alert = _alert(day, made, terminal_silent.severity(facts)) if _suspected(made) else None
            verdicts.judgements.append(
                judgement(context, made, facts, alert, day.vehicle.no, backfill=backfilled[slot])
            )
            if terminal_silent.waits(facts):
                waiting[day.key] = (
                    "失联尚未结束，或同期其他车辆也失联 · a silence is not over, or others were silent too"
                )
            if marks[day.vehicle.no] < day.to_us:
                waiting[day.key] = "该日之后尚无定位 · no position after the day yet"
        for slot in slots:
            day = days[slot]
            if day.key in waiting and context.now_us < day.to_us + HORIZON_US:
                # Any position that comes may be one of this day. A vehicle that is past it has new ones all the time.
                mark = marks[day.vehicle.no]
                no = day.vehicle.no if mark < day.to_us else None
                verdicts.later[day.key] = wait(context, day.to_us, waiting[day.key], no, mark)

    async def _of_days(self, context: Context, days: Iterable[date]) -> set[tuple[str, date]]:
        keys = set()
        for day in sorted(days):
            start = midnight_us(day)
            bound = await vehicle_days.vehicles_bound(context.conn, start, start + US_PER_DAY)
            keys |= {(v.id, day) for v in bound if official_on(v, day)}
        return keys

    async def _since(self, context: Context, late: Mapping[str, int]) -> set[tuple[str, date]]:
        vehicles = await vehicles_by_id(context.conn, late)
        since = {v.id: max(late[v.id], context.now_us - HORIZON_US) for v in vehicles.values()}
        before = await edge_fixes(
            context, [(v.no, since[v.id] - HORIZON_US, since[v.id]) for v in vehicles.values()]
        )
        keys = set()
        for vehicle, edges in zip(vehicles.values(), before, strict=True):
            keys |= {(vehicle.id, day) for day in _ended(context, since[vehicle.id], context.now_us)}
            if edges is not None:
                keys |= {(vehicle.id, day) for day in _ended(context, edges[1][0], edges[1][0] + 1)}
        return keys

    async def _of_vehicles(self, context: Context, ids: Iterable[str]) -> set[tuple[str, date]]:
        vehicles = await vehicles_by_id(context.conn, ids)
        numbers = {v.no: v for v in vehicles.values()}
        keys = set()
        for rule in RULES:
            for alert in await alerts_of_vehicles(
                context.conn, rule, sorted(numbers), context.now_us - _whole(context)
            ):
                if alert.vehicle_no in numbers:
                    keys.add((numbers[alert.vehicle_no].id, date.fromisoformat(alert.subject[-10:])))
        spans = await terminal_spans(
            context, [(no, context.now_us - HORIZON_US, context.now_us) for no in numbers]
        )
        pairs = [
            (vehicle, day)
            for vehicle, pieces in zip(numbers.values(), spans, strict=True)
            for day in sorted({d for _, a, b in pieces for d in _ended(context, a, b)})
            if official_on(vehicle, day)
        ]
        for start in range(0, len(pairs), _SLICE):
            part = {
                off_hours.subject(v.id, day.isoformat()): (v.id, day)
                for v, day in pairs[start : start + _SLICE]
            }
            judged = await evaluations_of(context.conn, off_hours.RULE, list(part))
            keys |= {part[subject] for subject in part.keys() - judged.keys()}
        return keys

    async def _due(self, context: Context, keys: Iterable[tuple[str, date]]) -> dict[str, int]:
        """When each key can be judged: ``settle_after_h`` after the end of its day."""
        pairs = sorted(keys)
        vehicles = await vehicles_by_id(context.conn, {vehicle for vehicle, _ in pairs})
        waits: dict[tuple[str, date], int] = {}
        due = {}
        for vehicle, day in pairs:
            if vehicle in vehicles:
                unit, start = vehicles[vehicle].organisation, midnight_us(day)
                if (unit, day) not in waits:
                    waits[unit, day] = _settle_us(context, unit, start)
                due[key_of(vehicle, day)] = start + US_PER_DAY + waits[unit, day]
        return due


@dataclass(frozen=True, slots=True)
class _OffHours:
    facts: off_hours.Facts
    windows: list[off_hours.Window]


def _off_hours(
    context: Context,
    tracks: DayTracks,
    covers: Mapping[int, Sequence[Cover]],
    shared: Sequence[dict[str, int]],
    notes: Sequence[list[Note]],
) -> list[tuple[off_hours.Facts, Evaluation]]:
    """(evidence, evaluation) of each slot. The numbers come from the columns; only a suspected day has its track in the
    evidence, of which ``off_hours.evaluate`` makes the same."""
    asked = [
        _off_hours_facts(context, day, covers.get(day.vehicle.no, ()), shared[s], notes[s])
        for s, day in enumerate(tracks.days)
    ]
    windows = [(slot, window) for slot, ask in enumerate(asked) for window in ask.windows]
    speed, gap = (np.array([s[name] for s in shared], np.int64) for name in ("max_speed_kmh", "gap_s"))
    numbers = off_hours.numbers_of(tracks.rows, windows, len(asked), speed, gap)
    results: list[tuple[off_hours.Facts, Evaluation]] = []
    for slot, (ask, own) in enumerate(zip(asked, numbers, strict=True)):
        made = off_hours.conclude(ask.facts, own)
        if not _suspected(made):
            results.append((ask.facts, made))
            continue
        more = {
            "day_positions": own.day_positions, "cleaned": True, "track": track_within(tracks, slot, ask.windows),
        }  # fmt: skip
        evidence = cast(off_hours.Evidence, {**ask.facts, **more})
        results.append((evidence, off_hours.judged(evidence, own)))
    return results


def _off_hours_facts(
    context: Context, day: VehicleDay, covers: Sequence[Cover], shared: dict[str, int], notes: list[Note]
) -> _OffHours:
    used = context.resolve(off_hours.RULE, day.vehicle.organisation, day.from_us)
    worked = context.calendar.workday(day.day)
    orders = cut(covers, day.from_us, day.to_us)
    head = _head(day, off_hours)
    facts: off_hours.Facts = {
        "rule": head["rule"],
        "rule_version": head["rule_version"],
        "subject": head["subject"],
        "vehicle": head["vehicle"],
        "notes": notes,
        "parameters": used | shared,
        "orders": orders,
        "day": {
            "date": day.day.isoformat(),
            "from_us": day.from_us,
            "worked": worked,
            "name": context.calendar.name(day.day),
            "source": context.calendar.source(day.day),
        },
    }
    return _OffHours(facts, off_hours.windows(day.from_us, worked, used, orders))


class _Head(TypedDict):
    rule: str
    rule_version: int
    subject: str
    vehicle: Vehicle


def _head(day: VehicleDay, check: Any) -> _Head:
    vehicle = day.vehicle
    return {
        "rule": check.RULE,
        "rule_version": check.VERSION,
        "subject": check.subject(vehicle.id, day.day.isoformat()),
        "vehicle": vehicle_of(vehicle),
    }


def _alert(day: VehicleDay, made: Evaluation, severity: Any) -> AlertFacts:
    vehicle = day.vehicle
    return AlertFacts(
        severity=severity,
        organisation=vehicle.organisation,
        vehicle=vehicle.id,
        plate=vehicle.plate,
        occurred_from_us=made.from_us,
        occurred_to_us=made.to_us,
    )


async def _withdrawals(context: Context, gone: Sequence[tuple[VehicleDay, str]]) -> list[Judgement]:
    """Of days that are not judged (any more): their alerts are withdrawn. A day without an alert gets no judgement."""
    made: list[Judgement] = []
    for check in (off_hours, terminal_silent):
        rule, version = check.RULE, check.VERSION
        why = {check.subject(d.vehicle.id, d.day.isoformat()): reason for d, reason in gone}
        numbers = sorted({d.vehicle.no for d, _ in gone})
        listed = await alerts_of_vehicles(context.conn, rule, numbers) if gone else []
        made += [
            Judgement(rule, version, old.subject, old.vehicle_no, "normal", why[old.subject], context.now_us)
            for old in listed
            if old.subject in why and old.alert.status == "suspected"
        ]
    return made


def _suspected(made: Evaluation) -> bool:
    return made.outcome is Outcome.SUSPECTED


def _settle_us(context: Context, organisation: str, at_us: int) -> int:
    return max(context.resolve(rule, organisation, at_us)["settle_after_h"] for rule in RULES) * _HOUR_US


def _subjects(changes: Iterable[Change], kind: str) -> list[str]:
    return sorted({c.subject for c in of_kind(changes, kind)})


def _whole(context: Context) -> int:
    """How far back days are judged again whose facts change that have a date of their own: as long as positions are kept."""
    return max(HORIZON_US, min(context.now_us - context.kept_from_us, _MOST_US))


def _ended(context: Context, since_us: int, until_us: int, back_us: int = HORIZON_US) -> list[date]:
    """Days with a part in [since, until) that have ended, of those of the last ``back_us``."""
    oldest = day_of(context.now_us - back_us)
    first = max(day_of(since_us), oldest) if since_us > 0 else oldest
    last = min(
        day_of(min(until_us, context.now_us + US_PER_DAY) - 1), day_of(context.now_us) - timedelta(days=1)
    )
    return [first + timedelta(days=k) for k in range((last - first).days + 1)]
