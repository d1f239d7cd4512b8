import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kaoiro.errors import InputError
from kaoiro.evaluation.scores import score
from kaoiro.expressions import SEVEN, Expression

THREE = (Expression.ANGER, Expression.DISGUST, Expression.FEAR)


def drawn(seed, n, classes=3, sharpness=2.0):
    """Probabilities that favour the right answer, and the answers."""
    rng = np.random.default_rng(seed)
    answers = rng.integers(0, classes, n)
    logits = rng.standard_normal((n, classes))
    logits[np.arange(n), answers] += sharpness
    probabilities = np.exp(logits)
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32), answers


def slow_f1(found, right, label):
    hits = sum(f == r == label for f, r in zip(found, right, strict=True))
    said, were = list(found).count(label), list(right).count(label)
    precision = hits / said if said else 0.0
    recall = hits / were if were else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0


def slow_macro_f1(found, right):
    occurring = sorted(set(right))
    return sum(slow_f1(found, right, label)[2] for label in occurring) / len(occurring)


def slow_calibration_error(probabilities, right):
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == right
    error = 0.0
    for one in range(15):
        # 0 lies in the first bin, which no highest probability reaches.
        inside = (confidence > one / 15) & (confidence <= (one + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    return error


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 9999), st.integers(1, 40), st.floats(0, 4))
def test_against_slow_versions(seed, n, sharpness):
    probabilities, right = drawn(seed, n, sharpness=sharpness)
    # A probability on the edge of a bin falls to either side by its last bit.
    assume(np.abs((probabilities.max(axis=1) * 15) % 1 - 0.5).max() < 0.4999)
    found = probabilities.argmax(axis=1)
    scores = score(probabilities, right, THREE)
    assert scores.n == n
    assert scores.accuracy.value == pytest.approx(sum(found == right) / n)
    assert scores.macro_f1.value == pytest.approx(slow_macro_f1(found, right))
    assert scores.calibration_error == pytest.approx(slow_calibration_error(probabilities, right), abs=1e-5)
    for label, expression in enumerate(THREE):
        one = scores.classes[expression]
        assert (one.precision, one.recall, one.f1) == pytest.approx(slow_f1(found, right, label))
        assert one.n == list(right).count(label)
        row = [sum((right == label) & (found == other)) for other in range(3)]
        assert scores.confusion[label] == row
    for measured in (scores.accuracy, scores.macro_f1):
        assert 0 <= measured.low <= measured.high <= 1


def test_the_accuracy_interval_against_the_normal_approximation():
    probabilities, right = drawn(0, 3000, classes=7)
    accuracy = score(probabilities, right, SEVEN).accuracy
    half = 1.96 * np.sqrt(accuracy.value * (1 - accuracy.value) / 3000)
    assert accuracy.low == pytest.approx(accuracy.value - half, abs=0.0015)
    assert accuracy.high == pytest.approx(accuracy.value + half, abs=0.0015)


def test_the_f1_interval_against_drawing_faces():
    probabilities, right = drawn(1, 300, classes=7)
    measured = score(probabilities, right, SEVEN).macro_f1
    found, rng = probabilities.argmax(axis=1), np.random.default_rng(5)
    samples = []
    for _ in range(500):
        rows = rng.integers(0, 300, 300)
        samples.append(slow_macro_f1(found[rows], right[rows]))
    assert (measured.low, measured.high) == pytest.approx(np.quantile(samples, [0.025, 0.975]), abs=0.01)


def test_faces_without_an_answer_are_left_out():
    probabilities, right = drawn(2, 60)
    right[::4] = -1
    known = right >= 0
    assert score(probabilities, right, THREE) == score(probabilities[known], right[known], THREE)
    assert score(probabilities, right, THREE).n == 45


def test_a_class_that_never_occurs_does_not_count():
    scores = score(np.eye(3, dtype=np.float32)[[0, 1, 1]], np.array([0, 1, 1]), THREE)
    assert scores.accuracy.value == scores.macro_f1.value == 1
    assert scores.classes[Expression.FEAR].n == 0
    assert scores.classes[Expression.FEAR].f1 == 0


def test_always_right_has_no_spread():
    scores = score(np.eye(3, dtype=np.float32), np.arange(3), THREE)
    assert (scores.accuracy.low, scores.accuracy.high) == (1, 1)
    assert scores.calibration_error == 0


def test_equal_seeds_give_equal_intervals():
    probabilities, right = drawn(3, 100)
    assert score(probabilities, right, THREE) == score(probabilities, right, THREE)
    assert score(probabilities, right, THREE) != score(probabilities, right, THREE, seed=1)


def test_as_plain_types():
    parts = json.loads(json.dumps(score(*drawn(4, 50), THREE).to_dict()))
    assert list(parts["classes"]) == ["anger", "disgust", "fear"]
    assert np.sum(parts["confusion"]) == parts["n"] == 50


def test_nothing_to_score():
    with pytest.raises(InputError, match="has a right answer"):
        score(np.ones((2, 3), np.float32) / 3, np.array([-1, -1]), THREE)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 9999), st.integers(1, 300))
def test_the_parts_agree(seed, n):
    probabilities, right = drawn(seed, n)
    assume(np.abs((probabilities.max(axis=1) * 15) % 1 - 0.5).max() < 0.4999)
    scores = score(probabilities, right, THREE)
    gaps = [one.n * abs(one.confidence - one.accuracy) for one in scores.reliability if one.n]
    assert scores.calibration_error == pytest.approx(sum(gaps) / n, abs=1e-5)
    whole = scores.selection.points[0]
    assert (whole.coverage, whole.n) == (1, n)
    assert whole.accuracy.value == scores.accuracy.value == pytest.approx(1 - scores.selection.risk[-1])
    assert whole.threshold == pytest.approx(probabilities.max(axis=1).min())


def test_honest_confidences_show_the_error_of_chance():
    rng = np.random.default_rng(6)
    found = []
    for seed in range(20):
        probabilities, _ = drawn(seed, 400)
        answers = (rng.random((400, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(max=2)
        scores = score(probabilities, answers, THREE)
        found.append((scores.calibration_error, scores.calibration_error_by_chance))
    measured, by_chance = np.mean(found, axis=0)
    assert measured == pytest.approx(by_chance, rel=0.15)
