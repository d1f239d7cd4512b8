import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.evaluation.reliability import CALIBRATION_BINS, calibration_error_by_chance, reliability


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_every_face_lies_in_its_bin(faces):
    confidence = np.array([one for one, _ in faces])
    right = np.array([correct for _, correct in faces])
    bins = reliability(confidence, right)
    assert len(bins) == CALIBRATION_BINS
    assert sum(one.n for one in bins) == len(faces)
    for one in bins:
        inside = (confidence > one.low) & (confidence <= one.high)
        if one.n == 0:
            assert one.confidence is one.accuracy is None
        elif abs(confidence * 15 - np.round(confidence * 15)).min() > 1e-9:  # no face on an edge
            assert one.n == inside.sum()
            assert one.confidence == pytest.approx(confidence[inside].mean())
            assert one.accuracy == pytest.approx(right[inside].mean())


def test_edges():
    bins = reliability(np.array([0.0, 1 / 15, 1.0]), np.array([True, False, True]))
    assert [one.n for one in bins] == [2] + [0] * 13 + [1]
    assert (bins[0].low, bins[0].high, bins[-1].high) == (0, 1 / 15, 1)
    assert bins[0].accuracy == 0.5


def test_chance_in_one_bin_by_hand():
    # 100 faces of confidence 0.65: the share that is right has a standard deviation of √(0.65 · 0.35 / 100), and its
    # mean distance from 0.65 is √(2/π) of that.
    expected = np.sqrt(0.65 * 0.35 / 100 * 2 / np.pi)
    assert calibration_error_by_chance(np.full(100, 0.65)) == pytest.approx(expected, rel=0.1)


def test_chance_fades_with_more_faces():
    confidence = np.random.default_rng(0).uniform(0.2, 1, 20_000)
    few, many = calibration_error_by_chance(confidence[:500]), calibration_error_by_chance(confidence)
    assert few > 4 * many > 0
    assert calibration_error_by_chance(confidence[:500]) == few
    assert calibration_error_by_chance(np.ones(50)) == 0
