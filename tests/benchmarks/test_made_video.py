import json
from itertools import pairwise

import numpy as np
import pytest

from kaoiro.expressions import SEVEN
from kaoiro.faces.detection import Detection
from made_video import HEIGHT, WIDTH, made_set
from made_video_people import SourceFace


class Sees:
    """A detector that always finds one face in the middle of a person."""

    def detect(self, image):
        middle = image.shape[1] / 2
        return [Detection((middle - 50, 136, middle + 50, 256), (), 0.9)]


@pytest.fixture(scope="module")
def faces():
    rng = np.random.default_rng(0)
    return [SourceFace(rng.integers(0, 255, (48, 48), np.uint8), e, row) for row, e in enumerate(SEVEN)]


def _make(faces, level, seed=3, **settings):
    (video,) = made_set(level, faces, Sees(), seed, 1, seconds=2.4, **settings)
    return video


@pytest.fixture(scope="module", params=["easy", "hard"])
def video(request, faces):
    return _make(faces, request.param)


@pytest.mark.slow
def test_the_seed_decides_everything(faces, video):
    again = _make(faces, video.level)
    assert again.truth() == video.truth()
    assert again.mp4 == video.mp4
    assert _make(faces, video.level, seed=4).truth()["frames"] != video.truth()["frames"]


def test_the_truth_is_json_and_fits_the_frames(video):
    truth = json.loads(json.dumps(video.truth()))
    frames = list(video.frames())
    assert len(frames) == len(truth["frames"]) == 60
    assert [frame.time for frame in frames] == pytest.approx(np.arange(60) / 25)
    for frame, known in zip(frames, truth["frames"], strict=True):
        assert frame.image.shape == (HEIGHT, WIDTH, 3)
        assert len({one["person"] for one in known}) == len(known)
        assert all(0 <= one["visible"] <= 1 for one in known)
        assert all(one["box"][0] < one["box"][2] and one["box"][1] < one["box"][3] for one in known)


def test_expressions_change_where_it_is_said_and_nowhere_else(video):
    changed = set()
    for index, (before, after) in enumerate(pairwise(video.truths), 1):
        was = {one.person: one.expression for one in before}
        changed |= {(one.person, index) for one in after if was.get(one.person, one.expression) != one.expression}
    told = {(change.person, int(np.ceil(change.time * 25 - 1e-6))) for change in video.changes}
    assert changed == told


def test_only_the_hard_set_cuts_and_brings_new_people(video):
    people = [{one.person for one in truths} for truths in video.truths]
    if video.level == "easy":
        assert video.cuts == ()
        assert len(set(map(frozenset, people))) == 1
    else:
        (cut,) = video.cuts
        assert people[cut - 1].isdisjoint(people[cut])


@pytest.mark.slow
def test_a_still_person_shows_one_picture_an_expression(faces):
    still, lively = (_make(faces, "easy", lively=lively) for lively in (False, True))
    assert len(still.mp4) < len(lively.mp4)
