import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.comparison import Familiarity, familiarity, mcnemar_p, paired_difference, score_answers, verdict


def _macro_f1(right, answers):
    each = []
    for label in np.unique(right):
        hits = ((right == label) & (answers == label)).sum()
        each.append(2 * hits / ((right == label).sum() + (answers == label).sum()))
    return np.mean(each)


def _answers(seed, n=300, right_share=0.6):
    rng = np.random.default_rng(seed)
    right = rng.integers(0, 7, n)
    given_ = [np.where(rng.random(n) < right_share, right, rng.integers(0, 8, n)) for _ in range(2)]
    return right, given_[0], given_[1]


def test_scores_count_what_is_right_and_leave_out_faces_without_an_answer():
    scores = score_answers(np.array([0, 1, 2, 3]), np.array([0, 1, 3, -1]))
    assert scores.n == 3
    assert scores.accuracy.value == pytest.approx(2 / 3)


def test_the_difference_is_that_of_the_two_scores():
    right, first, second = _answers(1)
    difference = paired_difference(first, second, right)
    f1 = [_macro_f1(right, one) for one in (first, second)]
    assert difference.accuracy.value == pytest.approx((first == right).mean() - (second == right).mean())
    assert difference.macro_f1.value == pytest.approx(f1[0] - f1[1])


def test_the_intervals_are_those_of_drawing_faces():
    right, first, second = _answers(2)
    difference = paired_difference(first, second, right)
    rng = np.random.default_rng(5)
    accuracy, macro_f1 = [], []
    for _ in range(400):
        rows = rng.integers(0, len(right), len(right))
        accuracy.append((first == right)[rows].mean() - (second == right)[rows].mean())
        f1 = [_macro_f1(right[rows], one[rows]) for one in (first, second)]
        macro_f1.append(f1[0] - f1[1])
    for found, drawn in ((difference.accuracy, accuracy), (difference.macro_f1, macro_f1)):
        assert [found.low, found.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.015)


def test_a_classifier_does_not_differ_from_itself():
    right, first, _ = _answers(3)
    difference = paired_difference(first, first, right)
    assert difference.accuracy == difference.macro_f1
    assert (difference.accuracy.low, difference.accuracy.high, difference.p) == (0, 0, 1)


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_p_value_adds_up_the_coin_throws_that_are_as_uneven(first, second):
    tosses = first + second
    uneven = [heads for heads in range(tosses + 1) if abs(2 * heads - tosses) >= abs(first - second)]
    expected = math.fsum(math.comb(tosses, heads) * 0.5**tosses for heads in uneven)
    assert mcnemar_p(first, second) == pytest.approx(expected)


def test_familiarity_counts_the_wrong_labels_that_are_repeated():
    labels = np.array([0, 1, 2, 3, -1])
    majority = np.array([0, 2, 3, -1, 4])  # the second and the third label are wrong
    found = familiarity(np.array([0, 1, 3, 0, 0]), labels, majority)
    assert found == Familiarity(n=4, accuracy=0.5, mislabelled=2, repeated=0.5)


def test_familiarity_without_votes_knows_no_wrong_labels():
    found = familiarity(np.array([0, 0]), np.array([0, 1]), None)
    assert (found.mislabelled, found.repeated) == (0, None)


@pytest.mark.parametrize(
    ("train", "held_out", "expected"),
    [
        ((0.89, 0.85), (0.88, 0.84), "trained on it"),
        ((0.75, 0.48), (0.66, 0.38), "not trained on it"),
        ((0.60, 0.30), (0.59, 0.30), "not to be told: no better on training faces"),
        ((0.89, None), (0.88, None), "not to be told: no better on training faces"),
    ],
)
def test_the_verdict(train, held_out, expected):
    assert (
        verdict(Familiarity(1000, train[0], 300, train[1]), Familiarity(1000, held_out[0], 300, held_out[1]))
        == expected
    )
