import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.evaluation.selection import COVERAGES, selection, share


def slow_risks(confidence, right):
    """The expected share of wrong answers among the k surest, by averaging over all orders of equal confidences."""
    order = sorted(range(len(right)), key=lambda i: -confidence[i])
    risks = []
    for k in range(1, len(right) + 1):
        edge = confidence[order[k - 1]]
        surer = [i for i in order if confidence[i] > edge]
        equal = [i for i in order if confidence[i] == edge]
        wrong = sum(not right[i] for i in surer)
        wrong += (k - len(surer)) * sum(not right[i] for i in equal) / len(equal)
        risks.append(wrong / k)
    return risks


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=60))
def test_against_a_slow_version(faces):
    confidence = np.array([tenths / 10 for tenths, _ in faces])
    right = np.array([correct for _, correct in faces])
    found = selection(confidence, right)
    risks = slow_risks(confidence.tolist(), right.tolist())
    assert found.area == pytest.approx(np.mean(risks))
    assert found.coverage[-1] == 1
    assert found.risk[-1] == pytest.approx(1 - right.mean())
    for coverage, risk in zip(found.coverage, found.risk, strict=True):
        assert risk == pytest.approx(risks[round(coverage * len(risks)) - 1])
    for asked, point in zip(COVERAGES, found.points, strict=True):
        answered = confidence >= point.threshold
        assert point.coverage == asked
        assert point.n == answered.sum() >= asked * len(faces) - 1e-9
        assert point.answered == point.n / len(faces)
        assert point.accuracy.value == pytest.approx(right[answered].mean())
        # A higher threshold would not answer enough.
        assert (confidence > point.threshold).sum() < asked * len(faces)


def test_the_order_of_faces_has_no_effect():
    rng = np.random.default_rng(0)
    confidence, right = rng.integers(1, 20, 300) / 20, rng.random(300) < 0.7
    order = rng.permutation(300)
    assert selection(confidence[order], right[order]) == selection(confidence, right)


def test_known_curves():
    confidence = np.linspace(1, 0.5, 10)
    best = selection(confidence, np.arange(10) < 8)
    assert best.risk == pytest.approx([0] * 8 + [1 / 9, 2 / 10])
    assert best.area == pytest.approx((1 / 9 + 2 / 10) / 10)
    assert [point.accuracy.value for point in best.points] == pytest.approx([0.8, 0.8, 8 / 9, 1, 1, 1])
    assert [point.n for point in best.points] == [10, 10, 9, 8, 7, 5]
    assert selection(np.full(10, 0.4), np.arange(10) < 8).area == pytest.approx(0.2)
    assert selection(confidence, np.full(10, True)).area == 0


def test_long_curves_are_thinned_out():
    rng = np.random.default_rng(1)
    found = selection(rng.random(2500), rng.random(2500) < 0.5)
    assert found.coverage == pytest.approx(np.arange(1, 101) / 100)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # SciPy's binomtest(hits, n).proportion_ci(method="wilson").
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (80, 100, 0.7111708, 0.8666331),
        (1, 1, 0.2065493, 1.0),
    ],
)
def test_wilsons_interval(hits, n, low, high):
    measured = share(hits, n)
    assert measured.value == hits / n
    assert (measured.low, measured.high) == pytest.approx((low, high), abs=1e-6)
