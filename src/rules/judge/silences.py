"""Silences of vehicle days as evidence of ``terminal_silent``, and what other vehicles did at the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from registry.facts.vehicle_days import Cover, units_of
from registry.vehicles import VehicleInfo
from rules.checks import terminal_silent
from rules.judge.context import Desk
from rules.judge.day_tracks import HORIZON_US, DayTracks, VehicleDay
from rules.judge.tracks import terminal_spans
from rules.stored_tracks import Want
from rules.tracks.days import gaps
from runtime.arrays import Ints
from runtime.units import US_PER_DAY, US_PER_S
from telemetry import geo
from telemetry.positions import Source

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
    """The silences that begin on each day, by time, without their peers. ``valid``: rows that are valid fixes;
    ``used``: the parameters of each slot."""
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


def cut(covers: Sequence[Cover], from_us: int, to_us: int) -> list[terminal_silent.Cover]:
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
