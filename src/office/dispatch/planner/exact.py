"""Some crews with all their trips, dealt out anew exactly: every sequence that each of them could drive, and the cheapest choice among them (HiGHS, by scipy). What windows cannot do: move whole
afternoons between vehicles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from office.dispatch.planner.chains import Chains
from office.dispatch.planner.weights import UNKNOWN_BASE_M
from runtime.arrays import Ints

#: Crews and trips of one neighbourhood (fewer where there are too many sequences), and sequences of one crew, at most.
MOST_CREWS, MOST_TRIPS, MOST_SEQUENCES = 8, (12, 8, 5), 1_000
#: Branches are bounded, not seconds: the same everywhere.
_NODES: Final = 2_000


def dealt(chains: Chains, why: Ints, fixed: Ints, crews: Sequence[int], trips: Sequence[int], told: frozenset[int]) -> dict[int, int] | None:  # fmt: skip
    """Trip -> crew, -1 = nobody, of the cheapest way to deal ``trips`` (by departure) out to ``crews``, which keep what they were ``told``. None: too much to try. The reserve (H9) is for the
    caller to look at."""
    # Here: an API that plans nothing neither loads nor holds scipy.
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csc_array

    world = chains.world
    columns: list[tuple[int, tuple[int, ...]]] = []
    costs: list[int] = []
    for place, crew in enumerate(crews):
        keeps = [job for job in chains.jobs[crew, : chains.count[crew]].tolist() if job in told]
        mine = [trip for trip in trips if why[trip, crew] == 0]
        first = len(columns)
        stack: list[tuple[int, tuple[int, ...]]] = [(0, ())]
        while stack:
            start, chosen = stack.pop()
            walked = chains.walk(crew, sorted([*keeps, *chosen], key=lambda k: (world.departs[k], k)))
            if chosen and not walked.fits:
                continue  # longer ones do not fit either
            unknown = 2 * UNKNOWN_BASE_M if (keeps or chosen) and world.base[crew] < 0 else 0
            columns.append((place, chosen))
            costs.append((walked.empty_m + unknown) * world.weights.empty_fen_km + 1000 * sum(int(fixed[t, crew]) for t in chosen))  # fmt: skip
            if len(columns) - first > MOST_SEQUENCES:
                return None
            stack += [(k + 1, (*chosen, mine[k])) for k in range(start, len(mine))]
    row_of = {trip: len(crews) + k for k, trip in enumerate(trips)}
    entries = [(place, column) for column, (place, _) in enumerate(columns)]
    entries += [(row_of[trip], column) for column, (_, chosen) in enumerate(columns) for trip in chosen]
    for k, trip in enumerate(trips):
        entries.append((row_of[trip], len(columns) + k))
        costs.append(1000 * int(world.unserved[trip]))
    rows, cols = zip(*entries, strict=True)
    matrix = csc_array((np.ones(len(rows)), (rows, cols)), shape=(len(crews) + len(trips), len(costs)))
    one = np.ones(matrix.shape[0])
    solved = milp(
        np.array(costs, np.float64), constraints=LinearConstraint(matrix, one, one), bounds=Bounds(0, 1),
        integrality=np.ones(len(costs)), options={"node_limit": _NODES, "mip_rel_gap": 0.0},
    )  # fmt: skip
    if solved.x is None:
        return None
    found = dict.fromkeys(trips, -1)
    for column in np.flatnonzero(solved.x[: len(columns)] > 0.5).tolist():
        place, chosen = columns[column]
        found |= dict.fromkeys(chosen, crews[place])
    return found
