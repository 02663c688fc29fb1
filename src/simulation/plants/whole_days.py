"""What a planned day must lead to where it follows from everything that is driven and ordered on it, not from one
activity: mileage against the roads, and driving in the hours off.

Each answer is also *clear* or not: a plan in which a rule's threshold is near is drawn again, so that neither receiver
noise nor an engine's choice of the way ever decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from registry import parameters
from registry.working_days import Calendar
from rules.checks import off_hours as check
from rules.evidence_parts import Allowing
from runtime.arrays import Floats, Ints
from runtime.units import CHINA, CHINA_OFFSET_US, US_PER_S, from_us
from simulation.city.fleet import Order
from simulation.city.roads import RoadNetwork
from simulation.plants.day import Found
from simulation.plants.records import CERTAINLY_OVER, CERTAINLY_UNDER

DAY_S = 86_400
#: Clear is what is at most or at least so many times the limit of off_hours.
SHORT, LONG = 0.6, 1.6
_EARLY_S = parameters.parameter(parameters.ORDER, "early_start_min").default * 60
_USED = {p.name: p.default for p in parameters.RULES[check.RULE]}

Driven = tuple[Ints, Floats]


def final_orders(updates: Iterable[tuple[int | None, Order]]) -> list[Order]:
    """Each order as it was entered last."""
    return list({order.id: order for _, order in updates}.values())


def midnight_s(at_s: int) -> int:
    """The start of the natural day (Asia/Shanghai)."""
    offset = CHINA_OFFSET_US // US_PER_S
    return (at_s + offset) // DAY_S * DAY_S - offset


def covered(order: Order) -> tuple[int, int] | None:
    """[from, to) seconds that an order covers when all is entered; None for one that was cancelled."""
    if order.status == "cancelled":
        return None
    end = order.actual_return or order.extended_return or order.planned_return
    return order.planned_departure - _EARLY_S, end


def too_long(orders: Iterable[Order], driven: Driven, network: RoadNetwork) -> tuple[set[str], bool]:
    """(orders that were driven too long a way, whether every order is clear). Orders without an origin, or to a place
    without coordinates, are undetermined whatever was driven."""
    found: set[str] = set()
    clear = True
    for order in orders:
        span, places = covered(order), [order.origin, *order.destinations, order.return_point or order.origin]
        points = [p.xy for p in places if p is not None and p.xy is not None]
        if span is None or order.status != "returned" or len(points) < len(places):
            continue
        stops = [network.nearest(np.array(xy)) for xy in points]
        inside = (driven[0] >= span[0]) & (driven[0] < span[1])
        metres = float(driven[1][inside].sum())
        if metres >= CERTAINLY_OVER * network.length(stops):
            found.add(order.id)
        elif metres > CERTAINLY_UNDER * network.shortest_m(stops):
            clear = False
    return found, clear


def off_hours(
    orders: Sequence[Order],
    driven: Driven,
    jumps: Iterable[tuple[int, int]],
    activities: Sequence[tuple[str, int, int]],
    span: tuple[int, int],
) -> tuple[list[Found], bool]:
    """(what is found of the days that end within ``span``, whether it is clear). ``jumps``: false places, which must not
    lie across an edge of the night; ``activities``: (kind, from, to), for the label."""
    spans = [(order, covered(order)) for order in orders]
    covers: list[Allowing] = [
        {"task_type": order.task_type, "from_us": s[0] * US_PER_S, "to_us": s[1] * US_PER_S}
        for order, s in spans
        if s is not None
    ]
    edges = {60 * _USED["night_from_min"], 60 * _USED["night_to_min"], 0}
    found, clear = [], True
    for begin in range(midnight_s(span[0]), span[1] - DAY_S + 1, DAY_S):
        day = from_us(begin * US_PER_S).astimezone(CHINA).date()
        begin_us, night_us = begin * US_PER_S, check.night_until_us(_USED)
        head, tail = _drive_over(driven, begin), _drive_over(driven, begin + DAY_S)
        drive: check.Drive = {
            "head_until_us": None if head is None else min(head * US_PER_S, begin_us + night_us),
            "tail_until_us": None
            if tail is None
            else min(tail * US_PER_S, (begin + DAY_S) * US_PER_S + night_us),
        }
        windows = check.windows(begin_us, Calendar().workday(day), _USED, covers)
        windows = check.windows_of_drives(begin_us, windows, _USED, covers, drive)
        off = np.zeros(len(driven[0]), np.bool_)
        for start, end, _ in windows:
            off |= (driven[0] >= start // US_PER_S) & (driven[0] < end // US_PER_S)
        metres, limit = float(driven[1][off].sum()), _USED["min_distance_m"]
        if metres >= LONG * limit:
            times = driven[0][off]
            found.append(Found(check.RULE, None, int(times[0]), int(times[-1]), _label(activities, times)))
        clear &= metres <= SHORT * limit or metres >= LONG * limit
    for start, end in jumps:
        clear &= not any(
            (start - e) // DAY_S != (end - e) // DAY_S for e in {midnight_s(0) + x for x in edges}
        )
    return found, clear


def _drive_over(driven: Driven, at_s: int) -> int | None:
    """Until when the drive goes on that is under way at a time; None = none is."""
    moving, stop = driven[0][driven[1] > 0], check.SAME_DRIVE_US // US_PER_S
    place = int(np.searchsorted(moving, at_s))
    if place in (0, len(moving)) or moving[place] - moving[place - 1] >= stop:
        return None
    stops = np.flatnonzero(np.diff(moving[place:]) >= stop)
    return int(moving[place + (int(stops[0]) if len(stops) else len(moving) - place - 1)]) + 1


def _label(activities: Sequence[tuple[str, int, int]], times: Ints) -> str:
    """The kind in which most of it was driven."""
    return max(
        activities, key=lambda a: (int(((times >= a[1]) & (times < a[2])).sum()), a[0]), default=("", 0, 0)
    )[0]
