"""Silences of vehicle days as evidence of ``terminal_silent``, and what other vehicles did at the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from registry.facts.vehicle_days import Cover, units_of
from registry.vehicles import VehicleInfo
from rules.checks import terminal_silent
from rules.evidence_parts import TaskCover
from rules.judge.context import Desk
from rules.judge.day_tracks import HORIZON_US, DayTracks, VehicleDay
from rules.judge.tracks import terminal_spans
from rules.stored_tracks import Want
from rules.tracks.contradictions import contradictions
from rules.tracks.days import gaps
from runtime.arrays import Ints
from runtime.units import US_PER_DAY, US_PER_S
from telemetry import geo
from telemetry.positions import Source
from telemetry.terminals import notices

#: So many other vehicles of a unit are asked, those of the smallest numbers: enough to tell a failure of the network.
PEERS_MOST: Final = 30
#: Where a peer stood before and after is looked for so far.
_PEER_US: Final = 7 * US_PER_DAY

#: A fix: (time in us, latitude, longitude in 1e-6 degree, Source).
Fix = tuple[int, int, int, int]


def silences_of(
    tracks: DayTracks,
    valid: Ints,
    used: Sequence[Mapping[str, int]],
    covers: Mapping[int, Sequence[Cover]],
    known_us: int,
) -> list[list[terminal_silent.Silence]]:
    """The silences that begin on each day, by time, without their peers; where shorter ones with loss of power last long
    enough together, these too. ``valid``: rows that are valid fixes; ``used``: the parameters of each slot."""
    found: list[list[terminal_silent.Silence]] = [[] for _ in tracks.days]
    rows, days = tracks.rows, tracks.days
    least = np.array([u["min_silence_min"] * 60 * US_PER_S for u in used], np.int64)
    ended, last = gaps(rows, valid, least)
    slot, t = rows.slot[valid], rows.t_us[valid]
    for place in sorted(ended.tolist() + last.tolist()):
        s = int(slot[place])
        day, start = days[s], int(t[place])
        over = place + 1 < len(valid) and slot[place + 1] == s
        if start >= day.to_us or (not over and known_us - start < least[s]):
            continue
        found[s].append(_silence(tracks, valid, place, s, covers.get(day.vehicle.no, ()), int(least[s])))
    for s, places in _power_cuts(tracks, valid, used, least).items():
        more = [_silence(tracks, valid, k, s, covers.get(days[s].vehicle.no, ()), 1) for k in places]
        lost = sum(
            (silence["to_us"] or 0) - silence["before"][-1][0]
            for silence in found[s] + more
            if silence["unplugged"] and silence["to_us"]
        )
        if lost >= least[s]:
            found[s] = sorted(found[s] + more, key=lambda silence: silence["before"][-1][0])
    return found


def _power_cuts(
    tracks: DayTracks, valid: Ints, used: Sequence[Mapping[str, int]], least: Ints
) -> dict[int, list[int]]:
    """Slot -> places in ``valid`` of gaps on its day, shorter than a silence, in which power was lost and came back. A
    terminal that goes on reporting on its battery was not cut off: the fixes after the gap do not say that power is lost."""
    rows, lost = tracks.rows, tracks.power_loss
    gap = np.array([u["gap_s"] * US_PER_S for u in used], np.int64)
    ended, _ = gaps(rows, valid, gap)
    if not len(ended) or not len(lost):
        return {}
    start, end = valid[ended], valid[ended + 1]
    slot = rows.slot[start]
    keys = rows.keys()
    short = (rows.t_us[end] - rows.t_us[start] < least[slot]) & (
        rows.t_us[start] < rows.base_us[slot] + US_PER_DAY
    )
    cut = np.searchsorted(lost, keys[start]) < np.searchsorted(lost, keys[end])
    found: dict[int, list[int]] = {}
    for place in ended[short & cut].tolist():
        s = int(rows.slot[valid[place]])
        after = [k for k in (place + 1, place + 2) if k < len(valid) and rows.slot[valid[k]] == s]
        still = [tracks.count(lost, s, int(rows.t_us[valid[k]]), int(rows.t_us[valid[k]]) + 1) for k in after]
        if len(after) == 2 and not still[-1]:
            found.setdefault(s, []).append(place)
    return found


async def add_before(
    desk: Desk, days: Sequence[VehicleDay], found: Sequence[Sequence[terminal_silent.Silence]]
) -> None:
    """Where only one fix of the day stands before a silence: put the last one of the days before in front of it, if the same
    terminal gave it. One fix alone says nothing."""
    alone = [
        (day, silence)
        for day, silences in zip(days, found, strict=True)
        for silence in silences
        if len(silence["before"]) == 1 and (silence["after"] or silence["unplugged"])
    ]
    wants = [(d.vehicle.no, d.from_us - HORIZON_US, silence["before"][0][0]) for d, silence in alone]
    if not wants:
        return
    spans = await terminal_spans(desk, wants)
    flat = sorted({
        (no, start, end)
        for pieces, (_, silence) in zip(spans, alone, strict=True)
        for no, start, end in pieces
        if no == silence["before"][0][4]
    })  # fmt: skip
    track = await desk.archive.edges(desk.conn, flat, 1, newest=True)
    batch = track.batch
    odometer = np.where(batch.known("odometer_dkm"), batch.odometer_dkm.astype(np.int64), -1)
    for pieces, (_, silence) in zip(spans, alone, strict=True):
        rows = [
            row
            for no, start, end in pieces
            if no == silence["before"][0][4]
            for row in np.flatnonzero(
                (batch.terminal == no) & (batch.device_us >= start) & (batch.device_us < end)
            ).tolist()
        ]
        if rows:
            row = max(rows, key=lambda k: (int(batch.device_us[k]), -int(track.fingerprint[k])))
            columns = (batch.device_us, batch.lat_e6, batch.lon_e6, odometer, batch.terminal)
            silence["before"].insert(0, [int(column[row]) for column in columns])


def contradictions_of(
    tracks: DayTracks,
    valid: Ints,
    used: Sequence[Mapping[str, int]],
    covers: Mapping[int, Sequence[Cover]],
) -> list[list[terminal_silent.Contradiction]]:
    """Where fixes and odometer of each day contradict each other, by time, but under a workshop's order."""
    rows, days = tracks.rows, tracks.days
    mine = valid[rows.t_us[valid] < rows.base_us[rows.slot[valid]] + US_PER_DAY]
    limits = (
        np.array([u[name] for u in used], np.int64)
        for name in ("max_speed_kmh", "gap_s", "min_contradiction_m")
    )
    found: list[list[terminal_silent.Contradiction]] = [[] for _ in days]
    names = ("t_us", "lat_e6", "lon_e6", "odometer_dkm", "terminal")
    for one in contradictions(rows, mine, *limits):
        edges = [[int(getattr(rows, name)[row]) for name in names] for row in (one.first, one.last)]
        orders = cut(covers.get(days[one.slot].vehicle.no, ()), edges[0][0], edges[1][0] + 1)
        if not any(order["task_type"] in terminal_silent.WORKSHOP for order in orders):
            found[one.slot].append(
                {"kind": one.kind, "odometer_m": one.odometer_m, "moved_m": one.moved_m, "edges": edges}
            )
    return found


def _silence(
    tracks: DayTracks, valid: Ints, place: int, slot: int, covers: Sequence[Cover], least_us: int
) -> terminal_silent.Silence:
    rows, day = tracks.rows, tracks.days[slot]
    near = [k for k in range(place - 1, place + 3) if 0 <= k < len(valid) and rows.slot[valid[k]] == slot]
    names = ("t_us", "lat_e6", "lon_e6", "odometer_dkm", "terminal")
    fix = {k: [int(getattr(rows, name)[valid[k]]) for name in names] for k in near}
    before, after = [fix[k] for k in near if k <= place], [fix[k] for k in near if k > place]
    start, terminal = before[-1][0], before[-1][4]
    next_us = after[0][0] if after else start + least_us
    until = next((b for no, a, b in tracks.bound[slot] if no == terminal and a <= start < b), start)
    exchanged = until < (next_us if after else day.to_us + HORIZON_US) or any(f[4] != terminal for f in after)
    reported_to = min(next_us, day.to_us) if after else day.to_us
    covered_to = next_us if after else day.to_us
    return {
        "before": before,
        "after": after,
        "to_us": next_us if len(after) == 2 else None,
        "unplugged": tracks.count(tracks.power_loss, slot, start, reported_to) > 0,
        "binding": "ended" if until < start + least_us else "exchanged" if exchanged else "same",
        "reports": tracks.count(tracks.without_fix, slot, start, reported_to),
        "orders": cut(covers, start, covered_to),
        "peers": None,
    }


async def tell_office(desk: Desk, found: Sequence[tuple[VehicleDay, terminal_silent.Contradiction]]) -> None:
    """The office is told of terminals whose fixes and odometer contradict each other on a day."""
    told = [
        notices.Notice(
            one["edges"][0][4], "contradiction", day.day.isoformat(),
            {"vehicle": day.vehicle.id, "odometer_m": one["odometer_m"], "moved_m": one["moved_m"], "kind": one["kind"]},
        )
        for day, one in found
    ]  # fmt: skip
    await notices.put(desk.conn, told)


def cut(covers: Sequence[Cover], from_us: int, to_us: int) -> list[TaskCover]:
    """Orders as evidence: those that cover any time in [from, to), cut to it."""
    return [
        {"id": c.id, "version": c.version, "task_type": c.task_type, "from_us": max(c.from_us, from_us), "to_us": min(c.to_us, to_us)}
        for c in covers
        if c.from_us < to_us and from_us < c.to_us
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Ask:
    vehicles: Sequence[VehicleInfo]
    from_us: int
    to_us: int
    limit_m: int


async def add_peers(
    desk: Desk, wanted: Sequence[tuple[VehicleDay, Mapping[str, int], terminal_silent.Silence]]
) -> None:
    """Put into each suspicious silence (its day, its parameters) what the vehicles of its organisation did meanwhile;
    where fewer than ``min_peers`` of them were awake, what those of the whole register did."""
    if not wanted:
        return
    units = {}
    for date_ in sorted({at.day for at, _, _ in wanted}):
        organisations = [at.vehicle.organisation for at, _, _ in wanted if at.day == date_]
        units[date_] = await units_of(desk.conn, organisations, date_, PEERS_MOST + 1)
    for of, unit in (("organisation", True), ("fleet", False)):
        left = [w for w in wanted if w[2]["peers"] is None or _awake(w[2]["peers"]) < w[1]["min_peers"]]
        asks = []
        for day, used, silence in left:
            start = silence["before"][-1][0]
            known = units[day.day][day.vehicle.organisation if unit else None]
            others = [v for v in known if v.no != day.vehicle.no]
            end = silence["to_us"] or day.to_us + used["settle_after_h"] * 3600 * US_PER_S
            asks.append(_Ask(others[:PEERS_MOST], start, end, used["min_displacement_m"]))
        for (_, _, silence), counts, ask in zip(left, await _counts(desk, asks), asks, strict=True):
            silence["peers"] = {
                "of": of, "until_us": ask.to_us, "reporting": counts.reporting, "silent": counts.silent,
                "asleep": counts.asleep,
            }  # fmt: skip


def candidates(
    days: Sequence[VehicleDay],
    used: Sequence[Mapping[str, int]],
    found: Sequence[Sequence[terminal_silent.Silence]],
) -> list[tuple[VehicleDay, Mapping[str, int], terminal_silent.Silence]]:
    """The silences whose peers matter."""
    return [
        (days[slot], used[slot], silence)
        for slot, silences in enumerate(found)
        for silence in silences
        if terminal_silent.suspicious(silence, used[slot])
    ]


def _awake(peers: terminal_silent.Peers) -> int:
    return peers["reporting"] + peers["silent"]


@dataclass(slots=True)
class _Counts:
    """What the vehicles that were asked did."""

    reporting: int = 0
    silent: int = 0
    asleep: int = 0


async def _counts(desk: Desk, asks: Sequence[_Ask]) -> list[_Counts]:
    within = [(v.no, a.from_us + 1, a.to_us) for a in asks for v in a.vehicles]
    seen = dict(zip(within, await edge_fixes(desk, within), strict=True))
    mute = [
        (v.no, a.from_us, a.to_us)
        for a in asks
        for v in a.vehicles
        if not _live(seen[v.no, a.from_us + 1, a.to_us])
    ]
    around = [(no, a - _PEER_US, a + 1) for no, a, _ in mute] + [(no, b, b + _PEER_US) for no, _, b in mute]
    placed = dict(zip(around, await edge_fixes(desk, around), strict=True))
    counts = []
    for ask in asks:
        made = _Counts()
        for vehicle in ask.vehicles:
            there = seen[vehicle.no, ask.from_us + 1, ask.to_us]
            if _live(there):
                made.reporting += 1
                continue
            before = placed[vehicle.no, ask.from_us - _PEER_US, ask.from_us + 1]
            after = placed[vehicle.no, ask.to_us, ask.to_us + _PEER_US]
            moved = (
                before
                and after
                and geo.distance_mm_scalar(*before[1][1:3], *after[0][1:3]) >= ask.limit_m * 1000
            )
            if there or moved:
                made.silent += 1
            else:
                made.asleep += 1
        counts.append(made)
    return counts


def _live(edges: tuple[Fix, Fix] | None) -> bool:
    """Whether the network worked for it: its first or last fix came at once, not from the terminal's memory."""
    return edges is not None and any(fix[3] != Source.BLIND_ZONE for fix in edges)


async def edge_fixes(desk: Desk, wants: Sequence[Want]) -> list[tuple[Fix, Fix] | None]:
    """The first and the last usable fix of each (vehicle number, from, to); None without any."""
    spans = await terminal_spans(desk, wants)
    flat = sorted({span for pieces in spans for span in pieces})
    tracks = [await desk.archive.edges(desk.conn, flat, 1, newest=newest) for newest in (False, True)]
    columns = [
        np.concatenate([np.asarray(getattr(track.batch, name), np.int64) for track in tracks])
        for name in ("terminal", "device_us", "lat_e6", "lon_e6", "source")
    ]
    order = np.lexsort((np.concatenate([track.fingerprint for track in tracks]), columns[1], columns[0]))
    terminal, t, lat, lon, source = (column[order] for column in columns)

    def fix(row: int) -> Fix:
        return int(t[row]), int(lat[row]), int(lon[row]), int(source[row])

    found: list[tuple[Fix, Fix] | None] = []
    for pieces in spans:
        edges: list[Fix] = []
        for no, start, end in pieces:
            low, high = np.searchsorted(terminal, [no, no + 1])
            a, b = low + np.searchsorted(t[low:high], [start, end])
            if a < b:
                edges += [fix(int(a)), fix(int(b) - 1)]
        found.append((min(edges), max(edges)) if edges else None)
    return found
