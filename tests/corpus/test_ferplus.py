import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kaoiro.corpus.ferplus import majority, vote_distribution, without_outliers
from kaoiro.expressions import EIGHT, VOTE_NAMES

VOTES = hnp.arrays(np.uint8, (5, 10), elements=st.integers(0, 10))
NAMES = list(VOTE_NAMES)


def row(**votes):
    return [votes.get(name.replace("-", "_"), 0) for name in NAMES]


def authors_majority(votes):
    """The FERPlus authors' rule, vote by vote, written down a second time."""
    kept = [0 if count < 2 else int(count) for count in votes]
    most, total = max(kept), sum(kept)
    if total == 0 or most <= 0.5 * total:
        return -1
    name = NAMES[kept.index(most)]
    return EIGHT.index(name) if name in EIGHT else -1


@given(VOTES)
def test_majority_against_the_rule_written_out(votes):
    assert majority(votes).tolist() == [authors_majority(face) for face in votes]


@pytest.mark.parametrize(
    ("votes", "name"),
    [
        (row(happiness=10), "happiness"),
        (row(happiness=6, neutral=4), "happiness"),
        (row(happiness=5, neutral=5), None),  # no more than half
        (row(happiness=5, neutral=3, sadness=1, anger=1), "happiness"),  # 5 of the 8 that are left
        (row(happiness=4, neutral=4, fear=1, anger=1), None),
        (row(contempt=7, anger=3), "contempt"),
        (row(unknown=8, fear=2), None),
        (row(not_a_face=6, fear=4), None),
        (row(happiness=5, unknown=5), None),  # "unknown" counts among those left
        (row(happiness=1, anger=1, fear=1), None),  # single votes only
        (row(), None),
    ],
)
def test_majority(votes, name):
    assert majority(np.array([votes], np.uint8)).tolist() == [-1 if name is None else EIGHT.index(name)]


@given(VOTES)
def test_a_distribution_is_one(votes):
    distribution, weight = vote_distribution(votes)
    assert distribution.shape == (5, 8)
    assert distribution.dtype == weight.dtype == np.float32
    assert ((distribution >= 0) & (distribution <= 1)).all()
    assert ((weight >= 0) & (weight <= 1)).all()
    assert distribution.sum(axis=1) == pytest.approx((weight > 0).astype(float), abs=1e-5)
    # A face counts as soon as one rater names an expression.
    assert ((weight > 0) == (votes[:, :8].sum(axis=1) > 0)).all()


@given(VOTES)
def test_what_has_the_majority_is_likeliest(votes):
    answers = majority(votes)
    distribution, weight = vote_distribution(votes)
    for answer, chances, share in zip(answers, distribution, weight, strict=True):
        if answer >= 0:
            assert chances[answer] == chances.max()
            assert chances[answer] * share > 0.5


def test_distribution():
    votes = np.array(
        [
            row(happiness=6, neutral=2, fear=1, unknown=1),  # the single votes go
            row(anger=4, unknown=4, not_a_face=2),
            row(sadness=1, fear=1, unknown=8),  # nothing but single votes names an expression: they stay
            row(unknown=10),
        ],
        np.uint8,
    )
    distribution, weight = vote_distribution(votes)
    assert distribution[0, EIGHT.index("happiness")] == 0.75
    assert distribution[0, EIGHT.index("neutral")] == 0.25
    assert distribution[1, EIGHT.index("anger")] == 1
    assert distribution[2, EIGHT.index("sadness")] == distribution[2, EIGHT.index("fear")] == 0.5
    assert not distribution[3].any()
    assert weight.tolist() == pytest.approx([1, 0.4, 0.2, 0])


@given(VOTES)
def test_outliers_are_single_votes(votes):
    before = votes.copy()
    kept = without_outliers(votes)
    assert ((kept == votes) | ((votes == 1) & (kept == 0))).all()
    assert not (kept == 1).any()
    assert (votes == before).all()


def test_many_votes_do_not_overflow():
    assert majority(np.array([[255, 200] + [0] * 8], np.uint8)).tolist() == [0]
    distribution, weight = vote_distribution(np.array([[200, 200] + [0] * 8], np.uint8))
    assert distribution[0, :2].tolist() == [0.5, 0.5]
    assert weight.tolist() == [1]
