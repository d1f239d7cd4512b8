import math
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from kaoiro.errors import InputError
from kaoiro.media.images import load_image
from kaoiro.recognition.recognizer import Recognizer
from kaoiro.recognition.video import VideoReader


@dataclass
class Shot:
    index: int
    time: float
    image: np.ndarray


class Counting:
    """A recogniser that counts what it is asked."""

    def __init__(self, recognizer):
        self.expressions = recognizer.expressions
        self.min_confidence = recognizer.min_confidence
        self.detections = 0
        self.alone = []
        self._recognizer = recognizer

    def find_faces(self, image):
        self.detections += 1
        return self._recognizer.find_faces(image)

    def read_faces(self, image, detections):
        faces = self._recognizer.read_faces(image, detections)
        self.alone.append(faces)
        return faces


@pytest.fixture(scope="module")
def recognizer(tiny_model_path):
    return Recognizer(tiny_model_path)


@pytest.fixture(scope="module")
def portrait(astronaut):
    return cv2.resize(load_image(astronaut)[:280, 100:420], (320, 280), interpolation=cv2.INTER_AREA)


def _moving(portrait, frames, rate=25.0, gap=()):
    """The person goes to the right, by two pixels a frame; during the gap a card hides the face."""
    shots = []
    for index in range(frames):
        image = np.full((280, 480, 3), 120, np.uint8)
        image[:, 2 * index : 2 * index + 320] = portrait[:, : 480 - 2 * index]
        if index in gap:
            image[:170, 70:330] = 200
        shots.append(Shot(index, index / rate, image))
    return shots


def _read(reader, shots):
    return [reader.read(shot) for shot in shots]


def test_one_person_has_one_number_wherever_the_face_is(recognizer, portrait):
    counting = Counting(recognizer)
    reader = VideoReader(counting)
    frames = _read(reader, _moving(portrait, 20))
    assert [[face.track for face in frame.faces] for frame in frames] == [[1]] * 20
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == [index / 25 for index in range(20)]
    assert counting.detections < 10
    lefts = [frame.faces[0].box[0] for frame in frames]
    assert np.diff(lefts) == pytest.approx(2, abs=5)
    (track,) = reader.tracks()
    assert track.number == 1
    assert track.frames == 20
    assert track.times == pytest.approx([frame.time for frame in frames])
    assert track.boxes == pytest.approx(np.array([frame.faces[0].box for frame in frames]))
    expected = [list(frame.faces[0].probabilities.values()) for frame in frames]
    assert track.probabilities == pytest.approx(np.array(expected))


@pytest.mark.parametrize(("every", "least", "most"), [(1, 12, 12), (4, 3, 5), (100, 1, 3)])
def test_the_detector_is_asked_in_every_nth_frame(recognizer, portrait, every, least, most):
    counting = Counting(recognizer)
    frames = _read(VideoReader(counting, detect_every=every), _moving(portrait, 12))
    assert least <= counting.detections <= most
    assert all(len(frame.faces) == 1 for frame in frames)


def test_a_slow_video_has_every_frame_searched(recognizer, portrait):
    counting = Counting(recognizer)
    _read(VideoReader(counting), _moving(portrait, 8, rate=5.0))
    assert counting.detections == 8


def test_without_smoothing_each_frame_stands_for_itself(recognizer, portrait):
    counting = Counting(recognizer)
    frames = _read(VideoReader(counting, smoothing=0), _moving(portrait, 8))
    for frame, alone in zip(frames, counting.alone, strict=True):
        assert [face.probabilities for face in frame.faces] == [face.probabilities for face in alone]
        assert [face.expression for face in frame.faces] == [face.expression for face in alone]


def test_smoothed_answers_are_the_mean_over_time(recognizer, portrait):
    shots = _moving(portrait, 8)
    for shot in shots[4:]:
        shot.image[:, :240] //= 3
    counting = Counting(recognizer)
    frames = _read(VideoReader(counting, smoothing=0.3), shots)
    alone = np.array([list(faces[0].probabilities.values()) for faces in counting.alone])
    ages = (7 - np.arange(8)) / 25
    expected = np.average(alone, axis=0, weights=np.exp(-ages / 0.3))
    last = frames[-1].faces[0]
    assert list(last.probabilities.values()) == pytest.approx(expected)
    assert last.confidence == max(last.probabilities.values())
    assert last.expression == last.likeliest


def test_after_a_gap_the_number_is_kept_and_smoothing_begins_anew(recognizer, portrait):
    counting = Counting(recognizer)
    reader = VideoReader(counting)
    frames = _read(reader, _moving(portrait, 26, gap=range(8, 22)))
    assert {face.track for frame in frames for face in frame.faces} == {1}
    assert not any(frame.faces for frame in frames[8:22])
    back = next(index for index in range(22, 26) if frames[index].faces)
    assert frames[back].faces[0].probabilities == pytest.approx(counting.alone[back][0].probabilities)
    assert reader.tracks()[0].frames == 8 + 26 - back


def test_an_answer_of_too_little_confidence_is_none(tiny_model_path, portrait):
    frames = _read(VideoReader(Recognizer(tiny_model_path, min_confidence=0.999)), _moving(portrait, 3))
    assert [face.expression for frame in frames for face in frame.faces] == [None] * 3


def test_a_video_without_faces_has_no_tracks(recognizer):
    reader = VideoReader(recognizer)
    shots = [Shot(index, index / 25, np.full((120, 160, 3), 90, np.uint8)) for index in range(5)]
    assert [frame.faces for frame in _read(reader, shots)] == [()] * 5
    assert reader.tracks() == []


def test_frames_may_change_their_size_and_times_may_stand_still(recognizer, portrait):
    small = cv2.resize(portrait, (240, 210), interpolation=cv2.INTER_AREA)
    reader = VideoReader(recognizer, detect_every=2)
    shots = [Shot(0, 0.0, portrait), Shot(1, 0.0, portrait), Shot(2, 0.1, small), Shot(3, 0.05, small)]
    frames = _read(reader, shots)
    assert [len(frame.faces) for frame in frames] == [1, 1, 1, 1]
    assert [frame.time for frame in frames] == [0.0, 0.0, 0.1, 0.05]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"detect_every": 0}, "not 0"),
        ({"smoothing": -0.5}, "-0.5"),
        ({"smoothing": math.nan}, "nan"),
        ({"patience": -2}, "-2"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(recognizer, settings, named):
    with pytest.raises(InputError, match=named):
        VideoReader(recognizer, **settings)
