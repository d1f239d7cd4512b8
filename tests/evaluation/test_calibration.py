import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaoiro.evaluation.calibration import Calibration, fit_calibration, fit_temperature, negative_log_likelihood


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


SCALES, BIASES = np.array([0.5, 1.0, 1.5, 1.0]), np.array([0.6, -0.3, 0.0, -0.3])


def unevenly_calibrated(count, rng):
    """Logits whose classes need scales and biases of their own, and answers as probable as those say."""
    logits = 2 * rng.standard_normal((count, 4))
    return logits, answered(logits * SCALES + BIASES, 1.0, rng)


def test_scales_and_biases_are_found_again():
    found = fit_calibration(*unevenly_calibrated(40_000, np.random.default_rng(1)))
    assert found.by_class
    assert np.array(found.scales) == pytest.approx(SCALES, abs=0.08)
    assert np.array(found.biases) == pytest.approx(BIASES - BIASES.mean(), abs=0.08)
    assert found.temperature == pytest.approx(1 / np.mean(found.scales))


def test_a_temperature_where_no_more_is_needed():
    rng = np.random.default_rng(2)
    logits = 3 * rng.standard_normal((3000, 7))
    found = fit_calibration(logits, answered(logits, 1.8, rng))
    assert not found.by_class
    assert found.temperature == pytest.approx(1.8, rel=0.08)


def test_rare_classes_get_no_scale_of_their_own():
    logits, answers = unevenly_calibrated(20_000, np.random.default_rng(3))
    kept = (answers != 2) | (np.cumsum(answers == 2) <= 9)
    assert not fit_calibration(logits[kept], answers[kept]).by_class


def test_unanswered_faces_have_no_effect():
    logits, answers = unevenly_calibrated(8000, np.random.default_rng(4))
    unknown = np.full(3000, -1)
    with_unknown = fit_calibration(
        np.concatenate([logits, 50 * np.ones((3000, 4))]), np.concatenate([answers, unknown])
    )
    assert with_unknown == fit_calibration(logits, answers)


def test_what_is_done_to_logits():
    calibration = Calibration((2.0, 0.5), (0.1, -0.1))
    assert calibration.apply(np.array([[1.0, 4.0]])).tolist() == [[2.1, 1.9]]
    assert Calibration.of_temperature(4.0, 2).apply(np.array([[1.0, 4.0]])).tolist() == [[0.25, 1.0]]
    assert Calibration.of_temperature(4.0, 3).temperature == pytest.approx(4.0)
