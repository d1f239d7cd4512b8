"""The cheapest way to pair rows with columns."""

import math

import numpy as np
from numpy.typing import NDArray


def cheapest_pairs(costs: NDArray[np.float64], limit: float) -> list[tuple[int, int]]:
    """Pair rows with columns so that the sum over rows is least, where a row left alone costs `limit`.

    An exact solution by shortest augmenting paths (Jonker & Volgenant 1987, https://doi.org/10.1007/BF02278710, without
    its initialisation). It is here because the only other user of SciPy's would be this function.

    Args:
        costs: `(rows, columns)`, finite or infinite; only pairs that cost less than `limit` are made.
        limit: finite, above 0.

    Returns:
        `(row, column)` by rising row; no row and no column twice.
    """
    if costs.size == 0:
        return []
    if costs.shape[0] > costs.shape[1]:
        return sorted((row, column) for column, row in cheapest_pairs(costs.T, limit))
    capped = np.minimum(costs, limit)
    row_of = _assign(capped)
    return sorted((int(row), column) for column, row in enumerate(row_of) if row >= 0 and costs[row, column] < limit)


def _assign(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Each column's row, or -1; every row, of which there are at most as many as columns, gets one."""
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    row_of = np.full(columns, -1)
    for new_row in range(rows):
        row, column = new_row, -1
        distance = np.full(columns, math.inf)
        came_from = np.full(columns, -1)
        done = np.zeros(columns, bool)
        reached = 0.0
        while True:
            through = reached + costs[row] - row_price[row] - column_price
            nearer = ~done & (through < distance)
            distance[nearer], came_from[nearer] = through[nearer], column
            column = int(np.argmin(np.where(done, math.inf, distance)))
            reached = distance[column]
            if row_of[column] < 0:
                break
            done[column] = True
            row = row_of[column]
        row_price[new_row] += reached
        row_price[row_of[done]] += reached - distance[done]
        column_price[done] += distance[done] - reached
        while column >= 0:
            before = came_from[column]
            row_of[column] = new_row if before < 0 else row_of[before]
            column = before
    return row_of
