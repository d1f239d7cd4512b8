import sys

import cv2
import numpy as np
import pytest

from kaoiro import read_video
from kaoiro.errors import InputError, MissingExtraError
from kaoiro.media.images import load_image
from kaoiro.media.video import VideoSource
from kaoiro.recognition.recognizer import Recognizer
from kaoiro.recognition.video import VideoReader
from short_videos import make_video


@pytest.fixture(scope="module")
def recognizer(tiny_model_path):
    return Recognizer(tiny_model_path)


@pytest.fixture(scope="module")
def portrait_video(astronaut, tmp_path_factory):
    """A second of the astronaut, who moves to the right."""
    portrait = cv2.resize(load_image(astronaut)[:280, 100:420], (320, 280), interpolation=cv2.INTER_AREA)
    pictures = []
    for number in range(25):
        pictures.append(np.full((280, 400, 3), 120, np.uint8))
        pictures[-1][:, number : number + 320] = portrait
    times = [number / 25 for number in range(25)]
    return make_video(tmp_path_factory.mktemp("video") / "portrait.mp4", times, pictures=pictures)


def test_frames_are_those_of_source_and_reader(portrait_video, recognizer):
    reader = VideoReader(recognizer, smoothing=0)
    with VideoSource(portrait_video, start=0.2, end=0.8, every=3) as video:
        expected = [reader.read(frame) for frame in video]
    read = list(read_video(portrait_video, recognizer, start=0.2, end=0.8, every=3, smoothing=0))
    assert read == expected
    assert [frame.index for frame in read] == [5, 8, 11, 14, 17]
    assert {face.track for frame in read for face in frame.faces} == {1}


def test_the_shipped_model_reads_by_default(portrait_video):
    frames = list(read_video(portrait_video, every=12))
    assert all(len(frame.faces) == 1 for frame in frames)


def test_a_closed_iterator_closes_the_video(portrait_video, recognizer):
    frames = read_video(portrait_video, recognizer)
    next(frames)
    frames.close()
    with pytest.raises(StopIteration):
        next(frames)


# Told at once, before the first frame is asked for.
def test_what_cannot_be_read(recognizer, portrait_video, monkeypatch):
    with pytest.raises(InputError, match=r"nowhere\.mp4.*there is no such file"):
        read_video("nowhere.mp4", recognizer)
    with pytest.raises(InputError, match="every must be 1 or more, not 0"):
        read_video(portrait_video, recognizer, every=0)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(
        MissingExtraError, match=r"reading videos needs av; install it with: pip install 'kaoiro\[video\]'"
    ):
        read_video(portrait_video, recognizer)
