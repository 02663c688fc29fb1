"""The optimum of a small plan, by OR-Tools CP-SAT: what the planner is measured by. The same trips, crews and costs, all at once: each crew drives a circuit. Driving without a rest is left out
(its optimum can only be lower), so that a plan that is as cheap is optimal."""

from __future__ import annotations

import numpy as np
from ortools.sat.python import cp_model

from office.dispatch.planner.facts import Facts
from office.dispatch.planner.planning import Planner
from office.dispatch.planner.weights import HOME_S, UNKNOWN_BASE_M, Weights


def optimum(facts: Facts, weights: Weights, seconds: float = 60) -> tuple[int, int]:
    """(cost of the best plan that was found, lower bound), in 1/1000 分, unserved trips included, as ``Planner.score``."""
    made = Planner(facts, weights)
    world, travel = made.world, made.world.travel
    trips, turn = range(len(world.trips)), 60 * weights.turnaround_min
    departs, returns = world.departs.tolist(), world.returns.tolist()
    origin, end, base = world.origin.tolist(), world.end.tolist(), world.base.tolist()
    model, terms = cp_model.CpModel(), []
    served: dict[int, list[cp_model.IntVar]] = {trip: [] for trip in trips}
    for crew in range(len(world.cars)):
        fit = [trip for trip in trips if made.why[trip, crew] == 0 and world.facts.now_s + travel.one(base[crew], origin[trip])[1] <= departs[trip]]  # fmt: skip
        if not fit:
            continue
        arcs: list[tuple[int, int, cp_model.LiteralT]] = [(0, 0, model.new_bool_var(""))]
        driving = []
        for k, trip in enumerate(fit, 1):
            here = model.new_bool_var("")
            arcs.append((k, k, ~here))
            served[trip].append(here)
            terms.append((here, 1000 * int(made.fixed[trip, crew])))
            driving.append((here, int(world.drive_day[trip])))
            for first, place in ((True, origin[trip]), (False, end[trip])):
                arc = model.new_bool_var("")
                metres, took = travel.one(base[crew], place) if first else travel.one(place, base[crew])
                arcs.append((0, k, arc) if first else (k, 0, arc))
                unknown = 2 * UNKNOWN_BASE_M if first and base[crew] < 0 else 0
                terms.append((arc, (metres + unknown) * weights.empty_fen_km))
                driving.append((arc, took))
            for m, other in enumerate(fit, 1):
                gap = departs[other] - returns[trip]
                if other == trip or gap < turn:
                    continue
                metres, took = travel.one(end[trip], origin[other])
                if took + turn > gap:
                    continue
                if gap >= HOME_S and base[crew] >= 0:
                    (a, b), (c, d) = travel.one(end[trip], base[crew]), travel.one(base[crew], origin[other])
                    if b + d + turn <= gap:
                        metres, took = a + c, b + d
                arc = model.new_bool_var("")
                arcs.append((k, m, arc))
                terms.append((arc, metres * weights.empty_fen_km))
                driving.append((arc, took))
        model.add_circuit(arcs)
        model.add(sum(v * w for v, w in driving) <= weights.driver_day_h * 3600)
    for trip in trips:
        lost = model.new_bool_var("")
        model.add(sum(served[trip]) + lost == 1)
        terms.append((lost, 1000 * int(world.unserved[trip])))
    model.minimize(sum(v * w for v, w in terms))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 2
    status = solver.solve(model)
    assert status in (cp_model.OPTIMAL, cp_model.FEASIBLE), solver.status_name(status)
    return round(solver.objective_value), int(np.floor(solver.best_objective_bound))
