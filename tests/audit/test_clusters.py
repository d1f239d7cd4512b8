import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.audit.clusters import members


@given(st.lists(st.integers(0, 5), max_size=12))
def test_members_are_all_things_that_are_not_alone(numbers):
    expected = [[place for place, value in enumerate(numbers) if value == number] for number in sorted(set(numbers))]
    found = members(np.array(numbers, np.int64))
    assert [part.tolist() for part in found] == [part for part in expected if len(part) > 1]


def test_members_among_some():
    assert [part.tolist() for part in members(np.array([0, 0, 2, 0, 2]), np.array([3, 0, 4]))] == [[0, 3]]
    assert members(np.empty(0, np.int64)) == []
