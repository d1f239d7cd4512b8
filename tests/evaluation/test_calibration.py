import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaoiro.evaluation.calibration import fit_temperature, negative_log_likelihood


def answered(logits, temperature, rng):
    """Draw an answer for each face with the probabilities that the logits give at a temperature."""
    chances = np.exp(logits / temperature)
    chances /= chances.sum(axis=1, keepdims=True)
    return (rng.random((len(logits), 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(max=logits.shape[1] - 1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_a_known_temperature_is_found_again(temperature):
    rng = np.random.default_rng(0)
    logits = 3 * rng.standard_normal((20_000, 7))
    assert fit_temperature(logits, answered(logits, temperature, rng)) == pytest.approx(temperature, rel=0.04)


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(1, 30), st.floats(0.1, 30))
def test_the_likelihood_never_falls(seed, count, spread):
    rng = np.random.default_rng(seed)
    logits, answers = spread * rng.standard_normal((count, 5)), rng.integers(0, 5, count)
    fitted = negative_log_likelihood(logits, answers, fit_temperature(logits, answers))
    for other in (1.0, 0.1, 0.5, 2.0, 10.0):
        assert fitted <= negative_log_likelihood(logits, answers, other) + 1e-4


def test_negative_log_likelihood_by_hand():
    # One face in three equal classes, one with odds of 3 to 1 to 1 against its answer.
    logits = np.log([[1.0, 1, 1], [9, 1, 1]])
    expected = -(np.log(1 / 3) + np.log(1 / 5)) / 2
    assert negative_log_likelihood(logits, np.array([2, 1]), 2.0) == pytest.approx(expected)


def test_large_logits_do_not_overflow():
    assert negative_log_likelihood(np.array([[1e4, 0.0]]), np.array([1]), 1.0) == pytest.approx(1e4)


def test_faces_without_an_answer_are_left_out():
    rng = np.random.default_rng(1)
    logits = rng.standard_normal((500, 4)).astype(np.float32)
    answers = answered(logits, 0.7, rng)
    answers[::3] = -1
    known = answers >= 0
    assert fit_temperature(logits, answers) == fit_temperature(logits[known], answers[known])
    assert fit_temperature(logits, np.full(500, -1)) == 1.0


def test_the_limits():
    logits = np.eye(3) * 5
    assert 0.05 <= fit_temperature(logits, np.arange(3)) < 0.2  # always right: as sure as numbers can tell
    assert fit_temperature(logits, np.array([1, 2, 0])) == pytest.approx(20, rel=1e-3)  # always wrong
