"""A closer look at the days of ``off_hours`` that accuse, or of which a drive goes on over midnight: with the fences of the
vehicle, and the track around the day. Few days need it, so it reads what it needs for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from registry.facts.vehicle_days import Cover
from registry.fences import read_fences
from registry.snapshot.fences import FenceBook
from rules import evidence as frozen
from rules.checks import off_hours
from rules.checks.base import Evaluation, Outcome
from rules.evidence_parts import Fence, fence_of, stretches
from rules.judge.context import Context
from rules.judge.day_tracks import DayTracks, VehicleDay
from rules.judge.silences import cut
from rules.judge.tracks import tracks_of
from rules.tracks.days import DayRows
from rules.tracks.valid_fixes import valid_rows
from runtime.arrays import Ints
from runtime.units import US_PER_S

#: How far around a day its drives are followed.
AROUND_US: Final = 6 * 3600 * US_PER_S
_COLUMNS: Final = (*frozen.TRACK_COLUMNS, frozen.ACC_COLUMN)

#: (evidence, evaluation) of a day.
Judged = tuple[off_hours.Facts, Evaluation]


async def look(
    context: Context, tracks: DayTracks, judged: Sequence[Judged], covers: Mapping[int, Sequence[Cover]]
) -> list[Judged]:
    """``judged`` (by slot; of ``tracks``, whose rows are valid fixes), judged again where it has to be."""
    rows = tracks.rows
    borders = [_borders(rows, slot, day) for slot, day in enumerate(tracks.days)]
    chosen = [
        slot
        for slot, (_, made) in enumerate(judged)
        if made.outcome is Outcome.SUSPECTED or any(borders[slot])
    ]
    if not chosen:
        return list(judged)
    around = await _around(context, tracks, borders, chosen)
    book = await _fences(context, [tracks.days[slot] for slot in chosen])
    result = list(judged)
    for slot in chosen:
        facts, _ = judged[slot]
        evidence = _evidence(tracks, slot, facts, covers, around[slot], book)
        made = off_hours.evaluate(evidence)
        bare: off_hours.Facts = facts
        result[slot] = (evidence if made.outcome is Outcome.SUSPECTED else bare, made)
    return result


def _borders(rows: DayRows, slot: int, day: VehicleDay) -> tuple[bool, bool]:
    """Whether it moves within the first and the last minutes of a day."""
    low, high = np.searchsorted(rows.slot, [slot, slot + 1])
    t, mine = rows.t_us[low:high], slice(low, high)
    moving = off_hours.moving(rows.speed_dkmh[mine], rows.lat_e6[mine], rows.lon_e6[mine])
    near = off_hours.SAME_DRIVE_US
    head = moving & (t < day.from_us + near)
    tail = moving & (t >= day.to_us - near) & (t < day.to_us)
    return bool(head.any()), bool(tail.any())


async def _around(
    context: Context, tracks: DayTracks, borders: Sequence[tuple[bool, bool]], chosen: Sequence[int]
) -> dict[int, list[dict[str, Ints]]]:
    """Usable fixes before and after the days that may have a drive over midnight. Where several terminals sat in the vehicle
    then, nothing: which of them counts is not known here."""
    wants, owners = [], []
    for slot in chosen:
        day = tracks.days[slot]
        for wanted, start, end in (
            (borders[slot][0], day.from_us - AROUND_US, day.from_us),
            (borders[slot][1], day.to_us, day.to_us + AROUND_US),
        ):
            if wanted:
                wants.append((day.vehicle.no, start, end))
                owners.append(slot)
    found: dict[int, list[dict[str, Ints]]] = {slot: [] for slot in chosen}
    for slot, columns in zip(owners, await tracks_of(context, wants) if wants else [], strict=True):
        if frozen.TERM_COLUMN not in columns:
            found[slot].append(columns)
    return found


async def _fences(context: Context, days: Sequence[VehicleDay]) -> FenceBook:
    vehicles = {d.vehicle.id: (d.vehicle.no, d.vehicle.organisation) for d in days}
    organisations = sorted({organisation for _, organisation in vehicles.values()})
    where = "WHERE vehicles && $1::text[] OR (organisation = ANY($2::text[]) AND vehicles = '{}')"
    book = FenceBook()
    book.replace(
        vehicles, organisations, await read_fences(context.conn, where, sorted(vehicles), organisations)
    )
    return book


def _evidence(
    tracks: DayTracks, slot: int, facts: off_hours.Facts, covers: Mapping[int, Sequence[Cover]],
    around: Sequence[Mapping[str, Ints]], book: FenceBook,
) -> off_hours.Evidence:  # fmt: skip
    day, used = tracks.days[slot], facts["parameters"]
    low, high = np.searchsorted(tracks.rows.slot, [slot, slot + 1])
    low, high = int(low), int(low + np.searchsorted(tracks.rows.t_us[low:high], day.to_us))
    own = {name: getattr(tracks.rows, name)[low:high] for name in _COLUMNS}
    columns = {name: np.concatenate([own[name], *(part[name] for part in around)]) for name in _COLUMNS}
    order = np.lexsort((columns["fingerprint"], columns["t_us"]))
    columns = {name: column[order] for name, column in columns.items()}
    (good,) = valid_rows([columns], [used["max_speed_kmh"]])
    columns = {name: column[good] for name, column in columns.items()}
    zero = np.zeros(len(good), np.int64)
    rows = DayRows.build(np.array([day.from_us], np.int64), slot=zero, terminal=zero, **columns)
    head, tail = off_hours.drive_over(rows, day.from_us), off_hours.drive_over(rows, day.to_us)
    drive: off_hours.Drive = {
        # What is no night any more belongs to the day itself.
        "head_until_us": None if head is None else min(head, day.from_us + off_hours.night_until_us(used)),
        "tail_until_us": None if tail is None else min(tail, day.to_us + off_hours.night_until_us(used)),
    }
    until = day.to_us if drive["tail_until_us"] is None else max(day.to_us, drive["tail_until_us"])
    orders = cut(covers.get(day.vehicle.no, ()), day.from_us, until)
    found = off_hours.windows(day.from_us, facts["day"]["worked"], used, orders)
    found = off_hours.windows_of_drives(day.from_us, found, used, orders, drive)
    within = np.zeros(len(rows), np.bool_)
    for start, end, _ in found:
        within |= (rows.t_us >= start) & (rows.t_us < end)
    made: off_hours.Evidence = {
        **facts,
        "orders": orders,
        "drive": drive,
        "fences": _areas(book, day, rows.t_us[within]),
        "day_positions": high - low,
        "cleaned": True,
        "track": frozen.freeze_track({name: getattr(rows, name)[within] for name in _COLUMNS}),
    }
    return made


def _areas(book: FenceBook, day: VehicleDay, t: Ints) -> list[Fence]:
    """The areas of the vehicle at the times ``t``, as stretches of these."""
    rows = book.at(np.full(len(t), day.vehicle.no, np.int64), t)
    held = ((book.areas[row], a, b) for row, a, b in stretches(rows, t) if row >= 0)
    return [fence_of(area.fences, area.geometry, start, end) for area, start, end in held]
