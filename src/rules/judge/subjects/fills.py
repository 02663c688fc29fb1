"""Gatherer ``transactions``: fills whose bound vehicle was not in the station, and reversals that take nothing back
(``card_use``). Key: id of the transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from registry import transactions
from registry.changes import LOOK_BACK_US
from registry.facts import fills
from registry.facts.fills import CardTransaction
from registry.parameters import RULES, TRACK
from registry.vehicles import holders_of_plates, plates_of_vehicles, vehicle_at
from rules.alerts.model import AlertFacts
from rules.alerts.publish import evaluations_of
from rules.checks import card_use
from rules.checks.base import Evaluation, Outcome
from rules.evidence import freeze_track
from rules.evidence_parts import Binding, OfficialVehicle, official_vehicle_of
from rules.judge.context import Change, Context, Verdicts, gone, judgement, of_kind, on_kept_track, wait
from rules.judge.tracks import judged_tracks_of
from rules.live.store.states import watermarks
from runtime.arrays import Ints
from runtime.units import US_PER_DAY, earliest

RULE: Final = card_use.RULE

#: Fixes so long before and after the window are looked for: where the vehicle came from and went to.
REACH_US: Final = 3600 * 1_000_000
#: So long a fill waits for a track that does not come.
WAIT_US: Final = LOOK_BACK_US
#: Older fills are not judged again: their tracks may be gone, and what was found on them stands. One that is entered so late
#: is judged once.
KEEP_US: Final = 366 * US_PER_DAY

_HOUR_US: Final = 3600 * 1_000_000
#: A reversal that names nothing reaches back a day; one that names a fill may come weeks after it.
_NAMED_REACH_US: Final = 31 * US_PER_DAY
#: As long as a natural day, which is the window where only the booking is known.
_LONGEST_WINDOW_US: Final = next(p for p in RULES[RULE] if p.name == "window_min").maximum * 60_000_000


class Transactions:
    """See the module docstring and ``rules.judge.context.Gatherer``."""

    name = "transactions"
    rules: tuple[str, ...] = (RULE,)

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """Fills that the changes touch, when their window is over."""
        oldest = context.now_us - KEEP_US
        own = {c.subject for c in of_kind(changes, "transaction")}
        times = await transactions.transaction_times(context.conn, own)
        found = {key: at for key, (_, at) in times.items()}
        # A reversal that names nothing takes back one of the fills before it: any change may shift which one.
        reach = _NAMED_REACH_US
        near = _earliest(((card, at - reach) for card, at in times.values()), oldest)
        found |= await transactions.fills_of_cards(context.conn, near, only_with_reversals=True)
        cards = _since(of_kind(changes, "card", "card_binding"), oldest)
        cards = _earliest(
            [*cards.items(), *((c.subject, c.from_us - reach) for c in of_kind(changes, "fills"))], oldest
        )
        found |= await transactions.fills_of_cards(context.conn, cards)
        found |= await transactions.fills_at_stations(
            context.conn, _since(of_kind(changes, "station"), oldest)
        )
        moved = [(c.subject, c.from_us) for c in of_kind(changes, "vehicle")]
        moved += [(c.subject, c.from_us - _LONGEST_WINDOW_US - REACH_US) for c in of_kind(changes, "track")]
        plates = await plates_of_vehicles(context.conn, {vehicle for vehicle, _ in moved})
        on_plates = [(plate, us) for vehicle, us in moved for plate in plates.get(vehicle, ())]
        on_plates += [(c.subject, c.from_us) for c in of_kind(changes, "plate")]
        found |= await fills.fills_of_bound_plates(context.conn, _earliest(on_plates, oldest))
        parameters = [c.from_us for c in of_kind(changes, "parameter") if c.subject in (RULE, TRACK)]
        if parameters:
            found |= await transactions.fills_between(context.conn, max(min(parameters), oldest))
        gone = dict.fromkeys(own - times.keys(), context.now_us)
        return gone | {key: _until(context, at) for key, at in found.items()}

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        """Nothing comes up by the clock alone: a fill waits by its own time."""
        return {}

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Nothing takes long here."""

    async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
        """The fills in [from, to)."""
        return sorted(await transactions.fills_between(context.conn, from_us, to_us))

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """See ``Gatherer.judge``."""
        verdicts = Verdicts()
        subjects = [card_use.subject(key) for key in keys]
        judged = await evaluations_of(context.conn, RULE, subjects)
        found = await fills.card_transactions(context.conn, keys)
        drafts = await self._drafts(context, found)
        on_track: list[tuple[str, card_use.Evidence]] = []
        for key in sorted(set(keys)):
            if key not in drafts:
                if card_use.subject(key) in judged:
                    verdicts.judgements.append(
                        gone(context, RULE, card_use.VERSION, judged[card_use.subject(key)])
                    )
                continue
            evidence = drafts[key]
            why = card_use.without_track(evidence)
            if why == "no_fill" and evidence["subject"] not in judged:
                continue
            old = evidence["transaction"]["at_us"] < context.now_us - KEEP_US
            if old and why != "no_fill" and evidence["subject"] in judged:
                continue
            if why is None:
                on_track.append((key, evidence))
            else:
                made = card_use.judge(evidence, {}, np.zeros(0, np.int64))
                verdicts.judgements.append(judgement(context, made, evidence, None, _vehicle_no(evidence)))
        await self._judge_tracks(context, on_track, verdicts)
        return verdicts

    async def _drafts(
        self, context: Context, found: Mapping[str, CardTransaction]
    ) -> dict[str, card_use.Evidence]:
        """Evidence without its track, by transaction."""
        taken_back = await fills.reversed_of_cards(context.conn, {f.transaction.card for f in found.values()})
        takes_back = {reversal: fill for fill, reversal in taken_back.items()}
        plates = {f.bound[0] for f in found.values() if f.bound is not None}
        vehicles = await holders_of_plates(context.conn, plates)
        drafts: dict[str, card_use.Evidence] = {}
        for key, fact in found.items():
            row = fact.transaction
            vehicle = None
            if fact.bound is not None:
                vehicle = vehicle_at(vehicles.get(fact.bound[0], ()), row.at_us)
            own = context.resolve(RULE, fact.organisation, row.at_us)
            shared = context.resolve(TRACK, fact.organisation, row.at_us)
            drafts[key] = {
                "rule": RULE,
                "rule_version": card_use.VERSION,
                "subject": card_use.subject(key),
                "transaction": {
                    "id": row.id, "card": row.card, "at_us": row.at_us, "kind": row.kind, "product": row.product,
                    "energy": row.energy, "quantity": row.quantity, "amount_fen": row.amount_fen,
                    "station_name": row.station_name, "reversed_by": taken_back.get(row.id),
                    "takes_back": takes_back.get(row.id), "posted": row.posted,
                },
                "card": {"id": row.card, "organisation": fact.organisation},
                "binding": _binding(fact.bound),
                "vehicle": None if vehicle is None else official_vehicle_of(vehicle),
                "station": None if fact.station is None else {
                    "id": fact.station.id, "name": fact.station.name, "lat_e6": fact.station.lat_e6,
                    "lon_e6": fact.station.lon_e6, "polygons": fact.station.polygons,
                },
                # When it is judged is no part of what it is judged by.
                "parameters": {n: v for n, v in (own | shared).items() if n != "settle_after_h"},
            }  # fmt: skip
        return drafts

    async def _judge_tracks(
        self, context: Context, drafts: Sequence[tuple[str, card_use.Evidence]], verdicts: Verdicts
    ) -> None:
        marks = await watermarks(context.conn, {_vehicle(evidence)["no"] for _, evidence in drafts})
        ready: list[tuple[str, card_use.Evidence, bool]] = []
        for key, evidence in drafts:
            _, until = card_use.window(evidence["transaction"], evidence["parameters"])
            passed = marks[_vehicle(evidence)["no"]] >= until
            at = evidence["transaction"]["at_us"]
            settle = context.resolve(RULE, evidence["card"]["organisation"], at)["settle_after_h"] * _HOUR_US
            if passed or context.known_us >= until + settle:
                ready.append((key, evidence, passed))
            else:
                why = "等待车辆轨迹 · waits for the track of the vehicle"
                again = wait(context, until, why, _vehicle(evidence)["no"], until - 1)
                by_clock = until + settle
                if context.now_us < by_clock < again.due_us:
                    again = replace(again, due_us=by_clock)
                verdicts.later[key] = again

        def judged(k: int, track: Mapping[str, Ints], good: Ints) -> Evaluation:
            return card_use.judge(ready[k][1], track, good)

        def accuses(made: Evaluation) -> bool:
            return made.outcome is Outcome.SUSPECTED

        wants = [_want(evidence) for _, evidence, _ in ready]
        speeds = [evidence["parameters"]["max_speed_kmh"] for _, evidence, _ in ready]
        tracks = await judged_tracks_of(context, wants, speeds, judged, accuses)
        for (key, evidence, passed), (track, good, made) in zip(ready, tracks, strict=True):
            made = on_kept_track(context, made)
            alert = None
            if made.outcome is Outcome.SUSPECTED:
                rows = card_use.needed(track, good, evidence)
                evidence["track"] = freeze_track({name: column[rows] for name, column in track.items()})
                vehicle = _vehicle(evidence)
                alert = AlertFacts(
                    severity="high",
                    organisation=evidence["card"]["organisation"],
                    vehicle=vehicle["id"],
                    plate=vehicle["plate"],
                    occurred_from_us=made.from_us,
                    occurred_to_us=made.to_us,
                )
            verdicts.judgements.append(judgement(context, made, evidence, alert, _vehicle_no(evidence)))
            waited = context.now_us - evidence["transaction"]["at_us"]
            if not passed and made.outcome is not Outcome.NORMAL and waited < WAIT_US:
                why = "轨迹未到齐，先按已有轨迹判断 · judged on what is there, the track is not complete"
                no = _vehicle(evidence)["no"]
                verdicts.later[key] = wait(context, evidence["transaction"]["at_us"], why, no, marks[no])


def _binding(bound: tuple[str, int, int | None] | None) -> Binding | None:
    if bound is None:
        return None
    plate, from_us, to_us = bound
    return {"plate": plate, "from_us": from_us, "to_us": to_us}


def _vehicle(evidence: card_use.Evidence) -> OfficialVehicle:
    """The vehicle of evidence that is judged on its track."""
    vehicle = evidence["vehicle"]
    if vehicle is None:
        raise ValueError(f"{evidence['subject']}: judged on a track without a vehicle")
    return vehicle


def _want(evidence: card_use.Evidence) -> tuple[int, int, int]:
    since, until = card_use.window(evidence["transaction"], evidence["parameters"])
    return _vehicle(evidence)["no"], max(since - REACH_US, 0), until + REACH_US + 1


def _vehicle_no(evidence: card_use.Evidence) -> int | None:
    return None if evidence["vehicle"] is None else int(evidence["vehicle"]["no"])


def _until(context: Context, at_us: int) -> int:
    """When the window of a fill at ``at_us`` is over, whosever card it is: the narrowest window that anyone uses. Where only
    its booking is known, and the day lasts longer, it is waited for when it is judged."""
    used = {r.value for r in context.parameters if (r.rule, r.name) == (RULE, "window_min")}
    used.add(next(p for p in RULES[RULE] if p.name == "window_min").default)
    return at_us + min(used) * 60_000_000


def _since(changes: Sequence[Change], oldest_us: int) -> dict[str, int]:
    return _earliest(((c.subject, c.from_us) for c in changes), oldest_us)


def _earliest(pairs: Any, oldest_us: int) -> dict[str, int]:
    """(key, us) pairs as key -> the earliest of its times, none before ``oldest_us``."""
    return {key: max(us, oldest_us) for key, us in earliest(pairs).items()}
