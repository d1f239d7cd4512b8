from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kaoiro.corpus.apportioning import apportion

THREE = [Fraction(8, 10), Fraction(1, 10), Fraction(1, 10)]
shares = st.lists(st.integers(0, 20), min_size=2, max_size=3).filter(any)
ratios = shares.map(lambda parts: [Fraction(part, sum(parts)) for part in parts])
folds = st.integers(2, 6).map(lambda k: [Fraction(1, k)] * k)
seeds = st.integers(0, 5)


@st.composite
def faces(draw, one_class_a_group):
    """Faces in groups: each face's group, class and picture."""
    groups = np.array(draw(st.lists(st.integers(0, 25), min_size=1, max_size=60)))
    if one_class_a_group:
        kinds = np.array(draw(st.lists(st.integers(0, 2), min_size=26, max_size=26)))[groups]
    else:
        kinds = np.array(draw(st.lists(st.integers(0, 2), min_size=len(groups), max_size=len(groups))))
    return groups, kinds, [f"{n:03}" for n in range(len(groups))]


@settings(max_examples=60)
@given(faces(one_class_a_group=False), ratios | folds, seeds)
def test_groups_stay_together(given_faces, ratios, seed):
    groups, kinds, names = given_faces
    parts = apportion(groups, kinds, names, ratios, seed=seed)
    assert parts.shape == groups.shape
    assert all(len(set(parts[groups == group].tolist())) == 1 for group in groups)
    assert all(ratios[part] for part in parts)


@settings(max_examples=60)
@given(faces(one_class_a_group=False), ratios | folds, seeds, st.randoms(use_true_random=False))
def test_the_rows_order_and_the_groups_numbers_play_no_role(given_faces, ratios, seed, random):
    groups, kinds, names = given_faces
    parts = apportion(groups, kinds, names, ratios, seed=seed)
    order = list(range(len(groups)))
    random.shuffle(order)
    other_names = np.array(random.sample(range(26), 26))
    shuffled = apportion(other_names[groups][order], kinds[order], [names[row] for row in order], ratios, seed=seed)
    assert np.array_equal(shuffled, parts[order])


@settings(max_examples=60)
@given(faces(one_class_a_group=True), ratios | folds, seeds)
def test_classes_come_as_near_to_their_ratios_as_is_promised(given_faces, ratios, seed):
    groups, kinds, names = given_faces
    parts = apportion(groups, kinds, names, ratios, seed=seed)
    for kind in set(kinds.tolist()):
        largest = np.bincount(groups[kinds == kind]).max()
        there = [ratio for ratio in ratios if ratio]
        for part, ratio in enumerate(ratios):
            off = abs(int(((parts == part) & (kinds == kind)).sum()) - ratio * int((kinds == kind).sum()))
            assert off <= Fraction(int(largest), 2) * (1 + ratio * (len(there) - 2))
            assert off <= largest


def test_single_faces_are_within_one_of_their_ratio():
    kinds = np.repeat([0, 1, 2], [1003, 17, 200])
    parts = apportion(np.arange(1220), kinds, [str(n) for n in range(1220)], THREE)
    counts = np.array([np.bincount(kinds[parts == part], minlength=3) for part in range(3)])
    assert np.abs(counts - np.outer([0.8, 0.1, 0.1], [1003, 17, 200])).max() < 1


def test_the_seed_changes_who_goes_where():
    names = [str(n) for n in range(100)]
    kinds = np.zeros(100, np.int64)
    first, second = (apportion(np.arange(100), kinds, names, THREE, seed=seed) for seed in (0, 1))
    assert (first != second).any()
    assert np.bincount(first).tolist() == np.bincount(second).tolist() == [80, 10, 10]


def test_the_parts_of_known_pictures():
    """Worked out by hand: the pair, then the others by the SHA-256 of `0:c` to `0:h`, each to the smaller part."""
    parts = apportion(np.array([0, 0, 2, 3, 4, 5, 6, 7]), np.zeros(8, np.int64), list("abcdefgh"), [Fraction(1, 2)] * 2)
    assert parts.tolist() == [0, 0, 0, 1, 1, 1, 0, 1]


def test_what_is_there_already_counts():
    there = np.array([[8], [0], [0]])
    parts = apportion(np.arange(2), np.zeros(2, np.int64), ["a", "b"], THREE, there=there)
    assert sorted(parts.tolist()) == [1, 2]


def test_no_faces():
    assert apportion(np.empty(0, np.int64), np.empty(0, np.int64), [], THREE).tolist() == []
