"""Assignment: rows to columns, each column at most once, at the least cost; a row that is better left out is. The one call of scipy."""

from __future__ import annotations

from typing import Final

import numpy as np

from runtime.arrays import Bools, Ints

#: More than everything together ever costs, and still exact as a float.
_NEVER: Final = float(1 << 45)


def assign(cost: Ints, possible: Bools, left_out: Ints) -> Ints:
    """The column of each row, -1 = left out. ``cost`` [n, m]; ``left_out`` [n]: what it costs to leave the row out. Columns that are possible for no row change nothing, not even
    which of two equal solutions it is."""
    # Here: an API that plans nothing neither loads nor holds scipy.
    from scipy.optimize import linear_sum_assignment

    found = np.full(len(cost), -1, np.int64)
    columns = np.flatnonzero(possible.any(axis=0))
    if not len(columns) or not len(cost):
        return found
    count = len(cost)
    matrix = np.full((count, len(columns) + count), _NEVER)
    matrix[:, : len(columns)] = np.where(possible[:, columns], cost[:, columns], _NEVER)
    matrix[np.arange(count), len(columns) + np.arange(count)] = left_out
    rows, chosen = linear_sum_assignment(matrix)
    sent = chosen < len(columns)
    found[rows[sent]] = columns[chosen[sent]]
    return found
