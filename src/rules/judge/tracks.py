"""Stored tracks of many vehicles, as the judge asks for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from registry.terminals import read_bindings
from rules.judge.context import Desk
from rules.stored_tracks import Judge, Judged, T, Want, judged_tracks, tracks_in
from runtime.arrays import Ints


async def tracks_of(desk: Desk, wants: Sequence[Want]) -> list[dict[str, Ints]]:
    """For each of ``wants`` the usable stored fixes of the vehicle, as ``tracks_in`` gives them."""
    return await tracks_in(desk.archive, desk.conn, await terminal_spans(desk, wants))


async def judged_tracks_of(
    desk: Desk,
    wants: Sequence[Want],
    max_kmh: Sequence[int],
    judge: Judge[T],
    accuses: Callable[[T], bool],
) -> list[Judged[T]]:
    """``rules.stored_tracks.judged_tracks``."""
    spans_of = partial(terminal_spans, desk)
    return await judged_tracks(desk.conn, desk.archive, wants, max_kmh, spans_of, judge, accuses)


async def terminal_spans(desk: Desk, wants: Sequence[Want]) -> list[list[Want]]:
    """For each of ``wants`` the (terminal number, from, to) that sat in the vehicle then, in order of time."""
    vehicles = sorted({no for no, _, _ in wants})
    bound: dict[int, list[Want]] = defaultdict(list)
    where = "WHERE vehicle_no = ANY($1::integer[]) ORDER BY valid_from, terminal_no"
    for terminal, since, until, vehicle in await read_bindings(desk.conn, where, vehicles):
        bound[vehicle].append((terminal, since, until))
    return [
        [(t, max(a, since), min(b, until)) for t, a, b in bound[no] if max(a, since) < min(b, until)]
        for no, since, until in wants
    ]
