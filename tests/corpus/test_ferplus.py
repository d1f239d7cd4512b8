import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kaoiro.corpus.ferplus import (
    LABEL_RULES,
    authors_distribution,
    clear_majority,
    majority,
    multi_label,
    plurality,
    vote_distribution,
    without_outliers,
)
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


@pytest.mark.parametrize(
    ("votes", "clear", "most"),
    [
        (row(happiness=6, neutral=4), "happiness", "happiness"),
        (row(happiness=5, neutral=3, sadness=1, anger=1), None, "happiness"),  # five are no more than half of ten
        (row(happiness=5, neutral=5), None, None),
        (row(fear=3, sadness=2, anger=2, unknown=2, neutral=1), None, "fear"),
        (row(fear=3, unknown=3, sadness=2, anger=2), None, None),  # a tie with "unknown" is a tie
        (row(unknown=8, fear=2), None, None),
        (row(not_a_face=4, fear=3, anger=3), None, None),
        (row(contempt=1), "contempt", "contempt"),
        (row(), None, None),
    ],
)
def test_clear_majority_and_plurality(votes, clear, most):
    for rule, name in ((clear_majority, clear), (plurality, most)):
        assert rule(np.array([votes], np.uint8)).tolist() == [-1 if name is None else EIGHT.index(name)]


@given(VOTES)
def test_the_rules_differ_in_how_many_faces_they_label_and_not_in_how(votes):
    votes = votes[votes.sum(axis=1) > 1]  # a single vote alone is a clear majority, and an outlier
    for strict, lax in (("clear-majority", "majority"), ("majority", "plurality")):
        labels, more = LABEL_RULES[strict](votes), LABEL_RULES[lax](votes)
        assert (labels[labels >= 0] == more[labels >= 0]).all()


@pytest.mark.parametrize(
    ("votes", "shares"),
    [
        (row(happiness=10), {"happiness": 1}),
        # 8 of 10 are three quarters: the two votes for fear are not taken any more
        (row(happiness=8, fear=2), {"happiness": 1}),
        (row(happiness=6, neutral=3, fear=1), {"happiness": 6 / 9, "neutral": 3 / 9}),  # the single vote goes
        (row(happiness=4, neutral=4, fear=2), {"happiness": 0.5, "neutral": 0.5}),
        (row(happiness=4, neutral=2, sadness=2, fear=2), {}),  # more than three
        (row(happiness=4, neutral=3, unknown=3), {"happiness": 4 / 7, "neutral": 3 / 7}),
        (row(happiness=6, unknown=4), {"happiness": 1}),
        (row(happiness=5, unknown=5), {}),  # half is not enough
        (row(happiness=4, unknown=6), {}),
        (row(not_a_face=10), {}),
        (row(happiness=3, anger=3, unknown=2, not_a_face=2), {"happiness": 0.5, "anger": 0.5}),
        # "unknown" is no fourth choice where it comes up with others
        (row(happiness=3, unknown=2, anger=2, neutral=2), {"happiness": 3 / 7, "anger": 2 / 7, "neutral": 2 / 7}),
        (row(happiness=1, anger=1, fear=1), {}),  # single votes only
        (row(), {}),
    ],
)
def test_the_authors_distribution(votes, shares):
    expected = [shares.get(name, 0) for name in EIGHT]
    assert authors_distribution(np.array([votes], np.uint8))[0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("votes", "names"),
    [
        (row(happiness=10), {"happiness"}),
        (row(happiness=7, neutral=3), {"happiness", "neutral"}),  # exactly 30 %
        (row(happiness=8, neutral=2), {"happiness"}),
        (row(happiness=5, neutral=3, sadness=1, anger=1), {"happiness", "neutral"}),  # 3 of the 8 that are left
        (row(happiness=4, sadness=2, anger=2, fear=2), set()),  # 40 % are not more than half
        (row(happiness=5, unknown=5), {"happiness"}),  # a tie is no lead
        (row(happiness=4, unknown=6), set()),
        (row(happiness=4, neutral=3, unknown=3), {"happiness", "neutral"}),
        (row(happiness=1, anger=1), set()),
        (row(), set()),
    ],
)
def test_several_labels(votes, names):
    labels = multi_label(np.array([votes], np.uint8))
    assert labels.dtype == bool
    assert {name for name, is_right in zip(EIGHT, labels[0], strict=True) if is_right} == names


@given(VOTES)
def test_what_the_authors_train_on(votes):
    distribution = authors_distribution(votes)
    assert distribution.dtype == np.float32
    assert np.isin(distribution.sum(axis=1).round(5), (0, 1)).all()
    # What has the majority is likeliest, and among several labels.
    answers = majority(votes)
    faces = np.flatnonzero(answers >= 0)
    assert (distribution.argmax(axis=1)[faces] == answers[faces]).all()
    assert multi_label(votes)[faces, answers[faces]].all()


def test_many_votes_do_not_overflow():
    for rule in LABEL_RULES.values():
        assert rule(np.array([[255, 200] + [0] * 8], np.uint8)).tolist() == [0]
    assert authors_distribution(np.array([[200, 200] + [0] * 8], np.uint8))[0, :2].tolist() == [0.5, 0.5]
    assert multi_label(np.array([[255, 200] + [0] * 8], np.uint8)).sum() == 2
    distribution, weight = vote_distribution(np.array([[200, 200] + [0] * 8], np.uint8))
    assert distribution[0, :2].tolist() == [0.5, 0.5]
    assert weight.tolist() == [1]
