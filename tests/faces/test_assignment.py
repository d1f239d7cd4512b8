from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kaoiro.faces.assignment import cheapest_pairs

LIMIT = 5.0
_COSTS = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-10, 10) | st.just(np.inf))
)


def _least_total(costs, limit):
    """By trying all: each row goes to one of the columns, or to a place of its own that costs the limit."""
    rows, columns = costs.shape
    alone = np.full((rows, rows), limit)
    capped = np.hstack([np.where(costs < limit, costs, np.inf), alone])
    return min(capped[range(rows), list(order)].sum() for order in permutations(range(columns + rows), rows))


@given(_COSTS.filter(lambda costs: costs.shape[0] + costs.shape[1] <= 7))
def test_pairs_cost_as_little_as_the_best_of_all_pairings(costs):
    pairs = cheapest_pairs(costs, LIMIT)
    total = sum(costs[pair] for pair in pairs) + LIMIT * (len(costs) - len(pairs))
    assert total == pytest.approx(_least_total(costs, LIMIT))


@given(_COSTS)
def test_nothing_is_paired_twice_or_beyond_the_limit(costs):
    pairs = cheapest_pairs(costs, LIMIT)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert pairs == sorted(pairs)
    assert all(costs[pair] < LIMIT for pair in pairs)


@given(_COSTS)
def test_exchanging_rows_and_columns_changes_no_total(costs):
    there, back = (cheapest_pairs(one, LIMIT) for one in (costs, costs.T))
    gain = sum(LIMIT - costs[pair] for pair in there)
    assert gain == pytest.approx(sum(LIMIT - costs.T[pair] for pair in back))


def test_the_nearest_pair_is_given_up_where_that_is_cheaper_in_all():
    assert cheapest_pairs(np.array([[1.0, 2.0], [2.0, 9.0]]), LIMIT) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_there_may_be_nothing_to_pair(shape):
    assert cheapest_pairs(np.zeros(shape), LIMIT) == []
