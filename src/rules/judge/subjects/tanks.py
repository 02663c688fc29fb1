"""Gatherer ``tanks``: fills that are more than a tank holds (``tank``). Key: id of the first payment of a fill.

The track between two fills is only read where both together are more than the tank holds and the odometer does not explain it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from registry import transactions
from registry.changes import LOOK_BACK_US
from registry.facts import fills
from registry.facts.fills import CardTransaction
from registry.parameters import TRACK
from registry.transactions import TransactionRow
from registry.vehicles import VehicleInfo, holder_at, holders_of_plates, plates_of_vehicles
from rules.alerts.model import AlertFacts
from rules.alerts.publish import evaluations_of
from rules.checks import tank
from rules.checks.base import Outcome
from rules.checks.refuel_frequency import Transaction
from rules.evidence import acc_of
from rules.evidence_parts import vehicle_of
from rules.judge.context import Change, Context, Later, Verdicts, gone, judgement, of_kind, wait
from rules.judge.tracks import terminal_spans, tracks_of
from rules.live.store.states import watermarks
from rules.stored_tracks import Want
from rules.tracks.kernel import ACC_OFF, MOVING_DKMH
from rules.tracks.mileage import window_mileage
from rules.tracks.valid_fixes import valid_rows
from runtime.arrays import Ints
from runtime.units import US_PER_DAY, US_PER_S, earliest
from telemetry import geo

RULE: Final = tank.RULE
_HOUR_US: Final = 3600 * US_PER_S
#: The odometer at a fill is that of the last fix of so long before it.
_NEAR_US: Final = US_PER_DAY
#: A silence no longer than this at one place is a terminal that sleeps: of a longer one, or of one that ends elsewhere, nobody knows.
_SLEEP_US: Final = 2 * _HOUR_US
_PLACE_MM: Final = 200_000
#: Fills of before are not judged again.
KEEP_US: Final = 366 * US_PER_DAY
#: Tracks read at once.
_TRACKS_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class _Fill:
    """A key, its vehicle, and its evidence so far. ``between``: from the fill before it to it."""

    key: str
    vehicle: VehicleInfo
    evidence: tank.Evidence
    between: tuple[int, int] | None


class Tanks:
    """See the module docstring and ``rules.judge.context.Gatherer``."""

    name = "tanks"
    rules: tuple[str, ...] = (RULE,)

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """Fills that the changes touch, and those that may come next after them."""
        oldest = context.now_us - KEEP_US
        own = {c.subject for c in of_kind(changes, "transaction")}
        times = await transactions.transaction_times(context.conn, own)
        near = [(card, at - _NEAR_US) for card, at in times.values()]
        near += [(c.subject, c.from_us - _NEAR_US) for c in of_kind(changes, "card_binding", "fills")]
        found = await transactions.fills_of_cards(context.conn, _since(near, oldest))
        plates = [(c.subject, c.from_us) for c in of_kind(changes, "plate")]
        moved = [(c.subject, c.from_us) for c in of_kind(changes, "vehicle", "track")]
        of_vehicle = await plates_of_vehicles(context.conn, {vehicle for vehicle, _ in moved})
        plates += [(plate, us) for vehicle, us in moved for plate in of_vehicle.get(vehicle, ())]
        bound = await fills.card_transactions(context.conn, own)
        plates += [(f.bound[0], f.transaction.at_us) for f in bound.values() if f.bound is not None]
        found |= await fills.fills_of_bound_plates(context.conn, _since(plates, oldest))
        settings = [c.from_us for c in of_kind(changes, "parameter") if c.subject in (RULE, TRACK)]
        if settings:
            found |= await transactions.fills_between(context.conn, max(min(settings), oldest))
        return dict.fromkeys(own - times.keys(), context.now_us) | {
            key: max(context.now_us, at) for key, at in found.items()
        }

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        """Nothing comes up by the clock alone."""
        return {}

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Nothing takes long here."""

    async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
        """The fills in [from, to)."""
        return sorted(await transactions.fills_between(context.conn, from_us, to_us))

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """See ``Gatherer.judge``."""
        verdicts = Verdicts()
        judged = await evaluations_of(context.conn, RULE, [tank.subject(key) for key in keys])
        found = await self._fills(context, keys)
        for key in sorted(set(keys) - found.keys()):
            if (before := judged.get(tank.subject(key))) is not None:
                verdicts.judgements.append(gone(context, RULE, tank.VERSION, before))
        # Of the others the way in between decides nothing.
        wanted = {
            key: fill for key, fill in found.items() if tank.evaluate(fill.evidence).reason == "no_track"
        }
        marks = await watermarks(context.conn, [fill.vehicle.no for fill in wanted.values()])
        ready = {
            key: fill
            for key, fill in wanted.items()
            if (later := _waits(context, fill, marks)) is None or _put(verdicts, key, later)
        }
        driven = await _driven(context, list(ready.values()))
        for key, fill in found.items():
            if key in verdicts.later:
                continue
            evidence = fill.evidence
            if key in driven:
                evidence = {**evidence, "driven": driven[key]}
            made = tank.evaluate(evidence)
            alert = None
            if made.outcome is Outcome.SUSPECTED:
                alert = AlertFacts(
                    tank.severity(made),
                    fill.vehicle.organisation,
                    fill.vehicle.id,
                    fill.vehicle.plate,
                    made.from_us,
                    made.to_us,
                )
            card = evidence["card"]["id"]
            verdicts.judgements.append(judgement(context, made, evidence, alert, fill.vehicle.no, card))
            if key in wanted and made.outcome is Outcome.UNDETERMINED and fill.between is not None:
                no, end = fill.vehicle.no, fill.between[1]
                if marks[no] < end and context.now_us < end + LOOK_BACK_US:
                    verdicts.later[key] = wait(
                        context, end, "轨迹未到齐 · the track is not complete", no, marks[no]
                    )
        return verdicts

    async def _fills(self, context: Context, keys: Sequence[str]) -> dict[str, _Fill]:
        """The fills of which ``keys`` are the first payments, with the ones before them."""
        known = await fills.card_transactions(context.conn, keys)
        asked = {
            key: fact
            for key, fact in known.items()
            if fact.transaction.kind == "fill" and fact.bound is not None
        }
        plates = {fact.bound[0] for fact in asked.values() if fact.bound is not None}
        holders = await holders_of_plates(context.conn, plates)
        vehicles: dict[str, VehicleInfo] = {}
        for key, fact in asked.items():
            holder = (
                None
                if fact.bound is None
                else holder_at(holders.get(fact.bound[0], ()), fact.transaction.at_us)
            )
            if holder is not None:
                vehicles[key] = holder
        paid = await self._paid(context, {key: asked[key] for key in vehicles}, vehicles)
        taken_back = await fills.reversed_of_cards(
            context.conn, {row.card for rows in paid.values() for row in rows}
        )
        found: dict[str, _Fill] = {}
        for key, vehicle in vehicles.items():
            made = _fill(
                context, asked[key], vehicle, [_payment(row, taken_back) for row in paid[vehicle.id]]
            )
            if made is not None:
                found[key] = made
        return found

    async def _paid(
        self, context: Context, asked: Mapping[str, CardTransaction], vehicles: Mapping[str, VehicleInfo]
    ) -> dict[str, list[TransactionRow]]:
        """What was paid for each vehicle, by any card, around the fills that are asked for."""
        of_vehicle = await plates_of_vehicles(context.conn, {v.id for v in vehicles.values()})
        holders = await holders_of_plates(
            context.conn, {plate for plates in of_vehicle.values() for plate in plates}
        )
        days = max((_used(context, f)["lookback_days"] for f in asked.values()), default=0)
        spans = _union(
            [
                (f.transaction.at_us - days * US_PER_DAY, f.transaction.at_us + US_PER_DAY)
                for f in asked.values()
            ]
        )
        rows = await fills.fills_of_plates(context.conn, holders, spans)
        paid: dict[str, list[TransactionRow]] = {vehicle.id: [] for vehicle in vehicles.values()}
        for row, plate in rows:
            holder = holder_at(holders.get(plate, ()), row.at_us)
            if holder is not None and holder.id in paid:
                paid[holder.id].append(row)
        return paid


def _used(context: Context, fact: CardTransaction) -> dict[str, int]:
    return context.resolve(RULE, fact.organisation, fact.transaction.at_us)


def _payment(row: TransactionRow, taken_back: Mapping[str, str]) -> Transaction:
    return {
        "id": row.id, "at_us": row.at_us, "kind": row.kind, "product": row.product, "energy": row.energy, "quantity": row.quantity,
        "amount_fen": row.amount_fen, "station": row.station, "station_name": row.station_name,
        "reversed_by": taken_back.get(row.id), "posted": row.posted,
    }  # fmt: skip


def _fill(
    context: Context, fact: CardTransaction, vehicle: VehicleInfo, payments: Sequence[Transaction]
) -> _Fill | None:
    """The fill that begins with a payment; None: none does."""
    used = {name: value for name, value in _used(context, fact).items() if name != "settle_after_h"}
    key, at = fact.transaction.id, fact.transaction.at_us
    groups = tank.fills(payments, used)
    place = next((k for k, group in enumerate(groups) if group[0]["id"] == key), None)
    if place is None:
        return None
    before = (
        groups[place - 1]
        if place and groups[place - 1][0]["at_us"] >= at - used["lookback_days"] * US_PER_DAY
        else []
    )
    evidence: tank.Evidence = {
        "rule": RULE, "rule_version": tank.VERSION, "subject": tank.subject(key), "transaction": key,
        "vehicle": {**vehicle_of(vehicle), "tank_ml": vehicle.tank_ml},
        "card": {"id": fact.transaction.card, "organisation": fact.organisation}, "parameters": used,
        "transactions": [*before, *groups[place]], "driven": None,
    }  # fmt: skip
    between = (before[0]["at_us"], max(p["at_us"] for p in groups[place])) if before else None
    return _Fill(key, vehicle, evidence, between)


def _waits(context: Context, fill: _Fill, marks: Mapping[int, int]) -> Later | None:
    """Whether the track up to the fill may still come."""
    if fill.between is None:
        return None
    end, no = fill.between[1], fill.vehicle.no
    hours = context.resolve(RULE, fill.evidence["card"]["organisation"], end)["settle_after_h"]
    settled = end + hours * _HOUR_US
    if marks[no] > end or context.known_us >= settled:
        return None
    return Later(
        max(settled, context.now_us + 600 * US_PER_S),
        "等待车辆轨迹 · waits for the track of the vehicle",
        no,
        end,
    )


def _put(verdicts: Verdicts, key: str, later: Later) -> bool:
    verdicts.later[key] = later
    return False


async def _driven(context: Context, asked: Sequence[_Fill]) -> dict[str, tank.Driven]:
    """What is known of the time before each of ``asked``: by the odometer where that explains the fill, else by the track as well."""
    asked = [fill for fill in asked if fill.between is not None]
    odometers = await _odometers(context, asked)
    found: dict[str, tank.Driven] = {}
    todo: list[tuple[_Fill, int | None]] = []
    for fill, odometer in zip(asked, odometers, strict=True):
        since, until = fill.between or (0, 0)
        quick: tank.Driven = {
            "from_us": since, "to_us": until, "odometer_m": odometer, "track_m": 0, "idle_s": 0, "unseen_s": 0,
        }  # fmt: skip
        if (
            odometer is not None
            and tank.evaluate({**fill.evidence, "driven": quick}).outcome is Outcome.NORMAL
        ):
            found[fill.key] = quick
        else:
            todo.append((fill, odometer))
    for start in range(0, len(todo), _TRACKS_AT_ONCE):
        part = todo[start : start + _TRACKS_AT_ONCE]
        wants = [
            (fill.vehicle.no, fill.between[0], fill.between[1] + 1)
            for fill, _ in part
            if fill.between is not None
        ]
        tracks = await tracks_of(context, wants)
        limits = [
            context.resolve(TRACK, fill.vehicle.organisation, want[1])
            for (fill, _), want in zip(part, wants, strict=True)
        ]
        valid = valid_rows(tracks, [limit["max_speed_kmh"] for limit in limits])
        for (fill, odometer), want, track, good, limit in zip(
            part, wants, tracks, valid, limits, strict=True
        ):
            if len(good) or odometer is not None:
                found[fill.key] = _of_track(
                    {name: column[good] for name, column in track.items()}, want, odometer, limit
                )
    return found


def _of_track(
    track: Mapping[str, Ints], want: Want, odometer_m: int | None, used: Mapping[str, int]
) -> tank.Driven:
    _, since, until = want
    t, lat, lon, acc = track["t_us"], track["lat_e6"], track["lon_e6"], acc_of(track)
    if not len(t):
        return {
            "from_us": since,
            "to_us": until - 1,
            "odometer_m": odometer_m,
            "track_m": 0,
            "idle_s": 0,
            "unseen_s": (until - since) // US_PER_S,
        }
    made = window_mileage(
        np.zeros(len(t), np.int64), 1, t, track["fingerprint"], lat, lon, track["speed_dkmh"], track["direction_deg"],
        track["odometer_dkm"], acc=acc, max_speed_kmh=used["max_speed_kmh"], gap_s=used["gap_s"], sure=True,
    )  # fmt: skip
    step, far = np.diff(t), geo.distance_mm(lat[:-1], lon[:-1], lat[1:], lon[1:])
    silent = step > used["gap_s"] * US_PER_S
    unseen = int(step[silent & ((step > _SLEEP_US) | (far > _PLACE_MM))].sum())
    unseen += sum(gap for gap in (int(t[0]) - since, until - 1 - int(t[-1])) if gap > _SLEEP_US)
    idle = int(step[(acc[:-1] != ACC_OFF) & (track["speed_dkmh"][:-1] < MOVING_DKMH)].sum())
    return {
        "from_us": since, "to_us": until - 1, "odometer_m": odometer_m, "track_m": int(made.metres[0]), "idle_s": idle // US_PER_S,
        "unseen_s": unseen // US_PER_S,
    }  # fmt: skip


async def _odometers(context: Context, asked: Sequence[_Fill]) -> list[int | None]:
    """Metres that the odometer advanced between the fills: from the last fix before the first to the last one before the second."""
    wants = [
        (f.vehicle.no, max(0, us - _NEAR_US), us + 1)
        for f in asked
        if f.between is not None
        for us in f.between
    ]
    spans = await terminal_spans(context, wants)
    flat = sorted({span for its in spans for span in its})
    track = await context.archive.edges(context.conn, flat, 1, newest=True)
    batch, has = track.batch, track.batch.known("odometer_dkm")
    rows = [
        (int(batch.device_us[k]), int(batch.terminal[k]), int(batch.odometer_dkm[k]) if has[k] else None)
        for k in range(len(batch))
    ]
    ends = [
        max(
            (
                (us, no, odo)
                for us, no, odo in rows
                for terminal, a, b in its
                if no == terminal and a <= us < b
            ),
            key=lambda fix: fix[:2],
            default=None,
        )
        for its in spans
    ]
    found: list[int | None] = []
    for first, last in zip(ends[::2], ends[1::2], strict=True):
        if (
            first is None
            or last is None
            or first[1] != last[1]
            or first[2] is None
            or last[2] is None
            or last[2] < first[2]
        ):
            found.append(None)  # none is reported, the terminal was exchanged, or it went backwards
        else:
            found.append((last[2] - first[2] + 1) * 100)  # it counts by 100 m: so much it may be at most
    return found


def _since(pairs: Sequence[tuple[str, int]], oldest_us: int) -> dict[str, int]:
    return {key: max(us, oldest_us) for key, us in earliest(pairs).items()}


def _union(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
