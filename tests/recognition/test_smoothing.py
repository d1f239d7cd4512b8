import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.errors import InputError
from kaoiro.recognition.smoothing import ExpressionFilter


def _evidence(seed, frames, classes=3):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.7), frames)


def _run(times, evidence, seconds=0.2):
    smoothing = ExpressionFilter(seconds)
    return np.array([smoothing.update(*one) for one in zip(times, evidence, strict=True)])


@pytest.mark.parametrize("seed", range(5))
def test_the_answer_is_the_mean_over_time_with_falling_weights(seed):
    """The definition, integrated numerically: each frame holds from the one before it until its own time."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 0.5, 8))
    evidence = _evidence(seed, 8)
    starts = np.concatenate([[times[0] - 0.04], times[:-1]])
    places, shares = np.polynomial.legendre.leggauss(20)
    weights = [
        (end - start) / 2 * shares @ np.exp(((start + end) / 2 + (end - start) / 2 * places - times[-1]) / 0.2)
        for start, end in zip(starts, times, strict=True)
    ]
    assert _run(times, evidence, 0.2)[-1] == pytest.approx(np.average(evidence, axis=0, weights=weights))


@given(st.integers(0, 1000), st.floats(1e-3, 1e3), st.lists(st.floats(-1, 3) | st.just(1e6), min_size=1, max_size=30))
def test_answers_are_probabilities_at_any_times(seed, seconds, steps):
    smoothed = _run(np.cumsum(steps), _evidence(seed, len(steps)), seconds)
    assert (smoothed >= 0).all()
    assert smoothed.sum(axis=1) == pytest.approx(1)


def test_the_first_frame_stands_for_itself():
    evidence = _evidence(0, 1)
    assert _run([7.0], evidence)[0] == pytest.approx(evidence[0])


@pytest.mark.parametrize("faster", [2, 4])
def test_the_frame_rate_does_not_matter(faster):
    """Frames shown several times in place of once, as a converter of frame rates does it."""
    evidence = _evidence(1, 50)
    times = np.arange(1, 51) / 25
    finer = np.arange(1, 50 * faster + 1) / (25 * faster)
    once, often = _run(times, evidence), _run(finer, evidence.repeat(faster, axis=0))
    # Only the first frame, whose duration cannot be known, is taken for longer in the second case.
    assert often[faster - 1 :: faster][10:] == pytest.approx(once[10:], abs=0.05)
    assert often[-1] == pytest.approx(once[-1], abs=1e-4)


def test_constant_evidence_is_its_own_answer():
    evidence = np.tile([0.5, 0.3, 0.2], (100, 1))
    assert _run(np.arange(100) / 25, evidence) == pytest.approx(evidence)


def test_one_odd_frame_changes_no_answer_and_a_lasting_change_soon_does():
    steady, odd = np.array([0.8, 0.1, 0.1]), np.array([0.1, 0.8, 0.1])
    frames = [steady] * 25 + [odd] + [steady] * 24 + [odd] * 25
    answers = _run(np.arange(75) / 25, np.array(frames)).argmax(axis=1)
    assert (answers[:50] == 0).all()
    # Half of the weight is on the new expression after 0.2 s · ln 2, which is in the fourth frame.
    assert answers[50:].argmax() == 3
    assert (answers[53:] == 1).all()


def test_more_seconds_make_the_answer_calmer():
    evidence = _evidence(3, 400)
    times = np.arange(400) / 25
    changes = [(np.diff(_run(times, evidence, s).argmax(axis=1)) != 0).sum() for s in (0.02, 0.1, 0.5)]
    assert changes[0] > changes[1] > changes[2]


def test_frames_far_apart_are_read_on_their_own():
    evidence = _evidence(5, 20)
    assert _run(np.arange(20) * 60.0, evidence) == pytest.approx(evidence)


def test_a_frame_of_the_same_or_an_earlier_time_changes_nothing():
    smoothing = ExpressionFilter()
    smoothing.update(1.0, np.array([0.6, 0.4]))
    assert smoothing.update(1.0, np.array([0.0, 1.0])) == pytest.approx([0.6, 0.4])
    assert smoothing.update(0.5, np.array([0.0, 1.0])) == pytest.approx([0.6, 0.4])


@pytest.mark.parametrize("seconds", [-0.1, 0.0, math.nan, math.inf])
def test_times_that_are_none_are_refused(seconds):
    with pytest.raises(InputError, match=str(seconds)):
        ExpressionFilter(seconds)
