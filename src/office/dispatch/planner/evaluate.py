"""For every trip and every crew: what is in the way (bits of ``Why``), and what it costs in 分, term by term. The one place for both, for one request and for a thousand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from office.dispatch.planner.chains import Chains
from office.dispatch.planner.reasons import Why
from office.dispatch.planner.weights import (  # fmt: skip
    DRIVE_S,
    HOME_S,
    LATE_S,
    LEFT_PERMILLE,
    REST_S,
    SHORT_M,
    TERMS,
    UNKNOWN_BASE_M,
)
from office.dispatch.planner.world import CATEGORIES, RESERVED, World
from runtime.arrays import Bools, Ints

#: Of a load that is above the mean so much counts, in seconds.
_MOST_LOAD_S = 20 * 3600


@dataclass(frozen=True, slots=True)
class Judged:
    """[n, C] each: what is in the way, what it costs in 分, of which terms, how far it drives empty in addition (m)."""

    why: Ints
    cost: Ints
    terms: dict[str, Ints]
    empty_m: Ints


def fixed_why(world: World, trips: Ints) -> Ints:
    """What is in the way whatever else is sent: [n, C] bits."""
    t, why = trips[:, None], np.zeros((len(trips), len(world.cars)), np.int64)

    def add(bit: Why, when: Bools) -> None:
        np.bitwise_or(why, np.int64(bit), out=why, where=np.broadcast_to(when, why.shape))

    add(Why.CATEGORY, ~world.serves[world.category[trips]])
    add(Why.SHARING, world.unshared[None, :])
    add(Why.SECRECY, np.where(world.confidential[t], world.rented[None, :], world.secret[None, :]))
    needed = world.passengers[t] + world.with_driver[t]
    add(Why.SEATS, (world.seats[None, :] >= 0) & (world.seats[None, :] < needed))
    add(Why.OFF_ROAD, world.off_road[t] & world.not_off_road[None, :])
    add(Why.TAIL_NUMBER, (world.tail[t] & world.tail_bit[None, :]) != 0)
    add(Why.NOT_APPROVED, world.unapproved[t])
    add(Why.LICENCE, world.with_driver[t] & world.unlicensed[None, :])
    add(Why.NO_DRIVER, world.with_driver[t] & world.no_driver[None, :])
    add(Why.DRIVER_REST, world.piece[t] > DRIVE_S)
    since, until = world.departs[trips], world.returns[trips]
    for row, number in enumerate(trips.tolist()):
        if world.with_driver[number]:
            why[row] |= np.where(world.decided(number), int(Why.DRIVER_DECIDED), 0)
    if len(world.duty) or world.duty_known.any():
        covered = np.zeros(why.shape, bool)
        for crew, begin, end in world.duty.tolist():
            covered[:, crew] |= (begin <= since) & (
                (until <= end) | ((until - since > 86_400) & (since < end))
            )
        add(Why.DRIVER_OFF, world.with_driver[t] & world.duty_known[None, :] & ~covered)
    for crew, begin, end, bit in world.busy.tolist():
        why[:, crew] |= np.where((begin < until) & (end > since), bit, 0)
    for crew, begin, end, bit in world.driver_busy.tolist():
        why[:, crew] |= np.where((begin < until) & (end > since) & world.with_driver[trips], bit, 0)
    return why


def fixed_terms(world: World, trips: Ints) -> dict[str, Ints]:
    """What a vehicle and a driver cost whatever else is sent: {term: [n, C]}."""
    weights, t = world.weights, trips[:, None]
    driven = world.with_driver[t]
    spare = np.maximum(world.seats[None, :] - world.passengers[t] - driven, 0)
    load_s = np.minimum(world.car_load * 3600 // 30_000, _MOST_LOAD_S)
    work_s = np.minimum(world.driver_load, _MOST_LOAD_S)
    short = (world.drive_m[t] <= SHORT_M) & ~world.electric[None, :]
    return {
        "other_unit": (world.car_unit[None, :] != world.trip_unit[t]) * np.int64(weights.other_unit_fen),
        "class_above": (world.above[None, :] & world.general[t]) * np.int64(weights.class_above_fen),
        "seats": np.where(world.seats[None, :] >= 0, spare * weights.seat_fen, 0),
        "vehicle_km": np.broadcast_to(load_s[None, :] * weights.fairness_fen_h // 3600, spare.shape),
        "driver_time": driven * (work_s[None, :] * weights.fairness_fen_h // 3600),
        "unfamiliar": (driven & world.unfamiliar[None, :]) * np.int64(weights.unfamiliar_fen),
        "fuel_short": short * np.int64(weights.fuel_short_fen),
        "contractor": world.price_fen_km[None, :] * world.drive_m[t] // 1000,
    }


def evaluate(chains: Chains, trips: Ints, fixed: tuple[Ints, Ints] | None = None) -> Judged:
    """``trips``: numbers of trips that nobody drives yet. ``fixed``: their ``fixed_why`` and the sum of their ``fixed_terms``, where they are known already; then the terms
    are not told one by one."""
    world, weights, none = chains.world, chains.world.weights, chains.none
    terms: dict[str, Ints] = {}
    if fixed is None:
        terms = fixed_terms(world, trips)
        why, cost = fixed_why(world, trips), sum(terms.values(), np.int64(0))
    else:
        why, cost = fixed[0].copy(), fixed[1].copy()
    turn, t, driven = 60 * weights.turnaround_min, trips[:, None], world.with_driver[trips][:, None]
    departs, returns = world.departs[t], world.returns[t]
    before, after, run, ahead = _neighbours(chains, trips)
    first, last = before == none, after == none
    prev, following = np.where(first, 0, before), np.where(last, 0, after)
    base = world.base[None, :]
    gap_in, gap_out = departs - world.returns[prev], world.departs[following] - returns
    come = _way(world, np.where(first, base, world.end[prev]), world.origin[t], base, gap_in, first, turn)
    leave = _way(
        world, world.end[t], np.where(last, base, world.origin[following]), base, gap_out, last, turn
    )
    gap = world.departs[following] - world.returns[prev]
    whole = _way(world, world.end[prev], world.origin[following], base, gap, first | last, turn)
    home = world.travel.between(np.where(first, base, world.end[prev]), np.where(last, base, world.origin[following]))  # fmt: skip
    alone = first & last
    now_m = np.where(alone, 0, np.where(first | last, home[0], whole[0]))
    now_s = np.where(alone, 0, np.where(first | last, home[1], whole[1]))
    empty_m = come[0] + leave[0] - now_m
    # What it adds to its own days: a way belongs to the day of what it leads to.
    same_next = ~last & (world.day_from[following] == world.day_to[t])
    same_prev = ~first & last & (world.day_to[prev] == world.day_from[t])
    counted, before_it = last | same_next, same_next | same_prev
    more_s = come[1] + np.where(counted, leave[1], 0) - np.where(before_it, now_s, 0)
    more_m = come[0] + np.where(counted, leave[0], 0) - np.where(before_it, now_m, 0)
    next_day, crews = world.day_from[following], np.arange(len(world.cars))[None, :]
    other_day = ~last & ~same_next

    def add(bit: Why, when: Bools) -> None:
        np.bitwise_or(why, np.int64(bit), out=why, where=np.broadcast_to(when, why.shape))

    late = np.where(first, np.maximum(world.facts.now_s + come[1] - departs, 0), 0)
    overlaps = (~first & (gap_in < 0)) | (~last & (gap_out < 0))
    add(Why.TAKEN, overlaps)
    add(Why.CANNOT_ARRIVE, (~first & ~overlaps & (gap_in < turn + come[1])) | (late > LATE_S))
    add(Why.NEXT_TOO_SOON, ~last & ~overlaps & (gap_out < turn + leave[1] + late))
    # Driving without a rest, from the last one before to the next one after.
    driving = np.where(first | (gap_in - come[1] >= REST_S), 0, run) + come[1]
    piece = world.piece[t]
    then = np.where(world.rested[t], piece, driving + piece)
    rest_next = ~last & (gap_out - leave[1] >= REST_S)
    beyond = np.where(rest_next, 0, then) + leave[1] + np.where(last, 0, ahead)
    add(Why.DRIVER_REST, driven & ((driving + piece > DRIVE_S) | (beyond > DRIVE_S)) & ~overlaps)
    later_s, later_m = chains.day_drive[crews, next_day] + leave[1], chains.day_m[crews, next_day] + leave[0]
    add(Why.DRIVER_DAY, driven & other_day & (later_s > weights.driver_day_h * 3600))
    add(
        Why.RANGE,
        other_day & (world.range_m >= 0) & (1000 * later_m > (1000 - LEFT_PERMILLE) * world.range_m),
    )
    for row, number in enumerate(trips.tolist()):
        day, until = int(world.day_from[number]), int(world.day_to[number]) + 1
        most = (
            chains.day_drive[:, day:until].max(axis=1) + world.drive_day[number] + np.maximum(more_s[row], 0)
        )
        if world.with_driver[number]:
            why[row] |= np.where(most > weights.driver_day_h * 3600, int(Why.DRIVER_DAY), 0)
        metres = chains.day_m[:, day] + world.drive_m[number] + np.maximum(more_m[row], 0)
        short = (world.range_m >= 0) & (1000 * metres > (1000 - LEFT_PERMILLE) * world.range_m)
        why[row] |= np.where(short, int(Why.RANGE), 0)
        if any(world.keep):
            why[row] |= reserve_why(chains, number)
    empty = empty_m * weights.empty_fen_km // 1000
    unknown = np.where(alone & (base < 0), 2 * UNKNOWN_BASE_M * weights.empty_fen_km // 1000, 0)
    lateness = late * weights.late_fen_min // 60
    if fixed is None:
        terms = {"empty": empty, "unknown_base": unknown, "late": lateness} | terms
        terms = {name: terms[name] for name in TERMS if name in terms}
    return Judged(why, cost + empty + unknown + lateness, terms, empty_m)


def _neighbours(chains: Chains, trips: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Of each trip and crew: the trip before, the one after (T = none), ``run`` of the one before and ``ahead`` of the one after."""
    world, crews = chains.world, np.arange(len(chains.world.cars))[None, :]
    departs = np.append(world.departs, np.iinfo(np.int64).max)
    earlier = departs[chains.jobs][None, :, :] < world.departs[trips][:, None, None]
    place = earlier.sum(axis=2)
    jobs = np.pad(chains.jobs, ((0, 0), (1, 1)), constant_values=chains.none)
    run, ahead = np.pad(chains.run, ((0, 0), (1, 1))), np.pad(chains.ahead, ((0, 0), (1, 1)))
    return jobs[crews, place], jobs[crews, place + 1], run[crews, place], ahead[crews, place + 1]


def _way(world: World, start: Ints, end: Ints, base: Ints, gap: Ints, at_base: Bools, turn: int) -> tuple[Ints, Ints]:  # fmt: skip
    """(metres, seconds) of the way between two trips, as ``Chains`` has it: by the base where there is time for it."""
    metres, seconds = world.travel.between(start, end)
    by_base = ~at_base & (gap >= HOME_S) & (base >= 0)
    if not by_base.any():
        return metres, seconds
    (home_m, home_s), (out_m, out_s) = world.travel.between(start, base), world.travel.between(base, end)
    by_base &= home_s + out_s + turn <= gap
    return np.where(by_base, home_m + out_m, metres), np.where(by_base, home_s + out_s, seconds)


def reserve_why(chains: Chains, trip: int) -> Ints:
    """RESERVE for each crew whose vehicle has to stay in (H9)."""
    world, found = chains.world, np.zeros(len(chains.world.cars), np.int64)
    if world.emergency[trip]:
        return found
    first = int(world.departs[trip]) // 3600 - world.first_hour
    until = (int(world.returns[trip]) - 1) // 3600 - world.first_hour + 1
    for kind, name in enumerate(RESERVED):
        if world.keep[kind] and CATEGORIES[int(world.category[trip])] != name:
            left = chains.classes[kind] - int(chains.out[kind, first:until].max()) - 1
            if left < world.keep[kind]:
                found |= np.where(world.reserved == kind, int(Why.RESERVE), 0)
    return found
