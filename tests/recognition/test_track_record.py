import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaoiro.expressions import SEVEN
from kaoiro.recognition.track_record import MOST_MOMENTS, TrackRecord


def _record(frames):
    record = TrackRecord(3, SEVEN)
    for index in range(frames):
        probabilities = np.full(7, 0.1)
        probabilities[index % 7] = 0.4
        record.add(index / 25, (index, 0.0, index + 10.0, 20.0), probabilities)
    return record.track()


def test_every_moment_of_a_short_track_is_kept():
    track = _record(100)
    assert track.number == 3
    assert track.frames == 100
    assert track.expressions == SEVEN
    assert track.times == pytest.approx(np.arange(100) / 25)
    assert track.boxes[7] == pytest.approx([7, 0, 17, 20])
    assert track.probabilities[:, :7].argmax(axis=1).tolist() == [index % 7 for index in range(100)]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20_000))
def test_a_long_track_is_known_evenly_over_the_whole_of_it(frames):
    track = _record(frames)
    assert track.frames == frames
    assert min(frames, MOST_MOMENTS // 2) <= len(track.times) <= MOST_MOMENTS
    steps = np.diff(track.times)
    assert steps == pytest.approx(steps[0] if len(steps) else 0)
    assert track.times[0] == 0
    # The end is missing by less than one step.
    assert (frames - 1) / 25 - track.times[-1] < (steps[0] if len(steps) else 1e-9)


def test_a_track_that_goes_on_leaves_what_was_given_before_alone():
    record = TrackRecord(1, SEVEN)
    record.add(0.0, (0, 0, 1, 1), np.full(7, 1 / 7))
    before = record.track()
    record.add(0.04, (0, 0, 1, 1), np.full(7, 1 / 7))
    assert len(before.times) == 1
    assert len(record.track().times) == 2
