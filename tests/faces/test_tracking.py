import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaoiro.errors import InputError
from kaoiro.faces.boxes import overlap
from kaoiro.faces.detection import Detection
from kaoiro.faces.tracking import FaceTracker

RATE = 25.0
BLUE, RED = (30, 60, 190), (190, 40, 30)


def _detection(x, y, side=40.0, score=0.9):
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    eyes_and_mouth = ((-0.2, -0.1), (0.2, -0.1), (0.0, 0.1), (-0.15, 0.3), (0.15, 0.3))
    return Detection(box, tuple((x + a * side, y + b * side) for a, b in eyes_and_mouth), score)


def _background(seed=0):
    coarse = np.random.default_rng(seed).uniform(60, 190, (9, 16, 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (480, 270), interpolation=cv2.INTER_CUBIC).clip(0, 255), np.uint8)


def _texture(seed):
    return np.random.default_rng(seed).integers(-60, 60, (10, 10, 1)).astype(np.float32)


def _draw(image, x, y, clothes, seed):
    """A person: a textured face of 40 pixels, and clothes of one colour beneath it."""
    left, top = round(x) - 20, round(y) - 20
    pattern = cv2.resize(_texture(seed), (40, 40), interpolation=cv2.INTER_CUBIC)[..., None]
    face = (np.array([205, 165, 140]) + pattern).clip(0, 255)
    visible = image[max(0, top) : top + 40, max(0, left) : left + 40]
    visible[:] = face[max(0, -top) : max(0, -top) + visible.shape[0], max(0, -left) : max(0, -left) + visible.shape[1]]
    image[max(0, top + 45) : top + 110, max(0, left - 5) : left + 45] = clothes


def _play(tracker, frames, detect_every=1):
    """`frames`: for each, the people in it as (x, y, clothes, seed), those in front last; all of them are detected
    unless another covers most of them. Gives for each frame {seed: track}."""
    seen = []
    for index, people in enumerate(frames):
        image = _background()
        for person in people:
            _draw(image, *person)
        detections = [
            _detection(x, y)
            for place, (x, y, _, _) in enumerate(people)
            if not any(abs(x - other[0]) < 24 and abs(y - other[1]) < 24 for other in people[place + 1 :])
        ]
        given_ = detections if index % detect_every == 0 or tracker.unsure else None
        faces = tracker.update(image, index / RATE, given_)
        by_person = {}
        for face in faces:
            left, top, right, bottom = face.detection.box
            nearest = min(people, key=lambda one: abs((left + right) / 2 - one[0]) + abs((top + bottom) / 2 - one[1]))
            assert abs((left + right) / 2 - nearest[0]) < 20
            by_person[nearest[3]] = face.track
        assert len(by_person) == len(faces)
        seen.append(by_person)
    return seen


def _numbers(seen, person):
    return {frame[person] for frame in seen if person in frame}


@pytest.mark.parametrize("detect_every", [1, 4])
def test_people_who_cross_keep_their_numbers(detect_every):
    frames = [[(100 + 4 * t, 120, BLUE, 1), (380 - 4 * t, 124, RED, 2)] for t in range(70)]
    seen = _play(FaceTracker(), frames, detect_every)
    assert _numbers(seen, 1) == {1}
    assert _numbers(seen, 2) == {2}
    assert all(2 in frame for frame in seen)
    assert all(1 in frame for frame in seen[:28] + seen[45:])


def test_people_who_meet_and_turn_back_keep_their_numbers():
    """Their motion says that they cross; only their looks say that they did not."""
    steps = [4 * min(t, 68 - t) for t in range(69)]
    frames = [[(100 + s, 120, BLUE, 1), (364 - s, 122, RED, 2)] for s in steps]
    seen = _play(FaceTracker(), frames)
    assert _numbers(seen, 1) == {1}
    assert _numbers(seen, 2) == {2}


@pytest.mark.parametrize(("hidden", "numbers"), [(0.8, {1}), (1.8, {1}), (3.0, {1, 2})])
def test_a_hidden_face_is_waited_for_as_long_as_the_patience(hidden, numbers):
    gap = round(hidden * RATE)
    frames = [[(200, 120, BLUE, 1)]] * 20 + [[]] * gap + [[(212, 120, BLUE, 1)]] * 20
    seen = _play(FaceTracker(patience=2.0), frames)
    assert _numbers(seen, 1) == numbers
    assert not any(seen[20 : 20 + gap])


def test_somebody_else_does_not_get_the_number_of_one_who_is_hidden():
    frames = [[(200, 120, BLUE, 1)]] * 20 + [[]] * 10 + [[(205, 120, RED, 2)]] * 20
    seen = _play(FaceTracker(), frames)
    assert _numbers(seen, 2) == {2}


def test_a_face_whose_clothes_are_just_being_covered_keeps_its_number():
    """The likeness of looks falls to about a half, but nobody else can have taken the place so soon."""
    frames = [[(200, 120, BLUE, 1)]] * 10 + [[(202, 120, RED, 1)]] * 10
    seen = _play(FaceTracker(), frames)
    assert all(frame == {1: 1} for frame in seen)


def test_a_number_that_slid_to_the_person_behind_goes_back_to_its_own():
    """The one in front moves on, unseen by the detector, which sees the one behind all the more clearly."""
    tracker = FaceTracker()
    frames = [((200, BLUE, True), (300, RED, True))] * 15 + [((200, BLUE, True),)] * 8
    frames += [((200, RED, True), (200 + 4 * step, BLUE, False)) for step in range(14)]
    frames += [((200, RED, True), (256 + 4 * step, BLUE, True)) for step in range(12)]
    for index, people in enumerate(frames):
        image = _background()
        for x, clothes, _ in people:
            _draw(image, x, 120, clothes, 1)
        faces = tracker.update(image, index / RATE, [_detection(x, 120) for x, _, found in people if found])
        assert {face.track for face in faces} <= {1, 2}
    places = {face.track: round((face.detection.box[0] + face.detection.box[2]) / 2) for face in faces}
    assert places == {1: 300, 2: 200}


def test_a_person_who_looks_like_a_hidden_one_stays_in_sight():
    frames = [[(120, 120, BLUE, 1), (240, 120, BLUE, 1)]] * 15 + [[(120 + 4 * t, 120, BLUE, 1)] for t in range(30)]
    tracker = FaceTracker()
    for index, people in enumerate(frames):
        image = _background()
        for person in people:
            _draw(image, *person)
        faces = tracker.update(image, index / RATE, [_detection(x, y) for x, y, _, _ in people])
        assert len(faces) == len(people)


def test_between_detections_a_face_is_followed_by_its_pixels():
    frames = [[(150 + 3 * t, 120 + t, BLUE, 1)] for t in range(12)]
    tracker = FaceTracker()
    for index, people in enumerate(frames):
        image = _background()
        _draw(image, *people[0])
        x, y = people[0][:2]
        faces = tracker.update(image, index / RATE, [_detection(x, y)] if index == 0 else None)
        (face,) = faces
        assert face.detected == (index == 0)
        assert overlap(face.detection.box, _detection(x, y).box) > 0.85
        assert face.detection.landmarks[2] == pytest.approx(_detection(x, y).landmarks[2], abs=2)
        assert not tracker.unsure


def test_the_same_frame_may_be_looked_at_again_with_a_detector():
    image = _background()
    _draw(image, 200, 120, BLUE, 1)
    tracker = FaceTracker()
    assert tracker.update(image, 0.0, None) == []
    assert tracker.unsure
    assert [face.track for face in tracker.update(image, 0.0, [_detection(200, 120)])] == [1]
    assert not tracker.unsure
    assert [face.track for face in tracker.update(image, 0.0, None)] == [1]


def test_a_face_that_vanishes_is_asked_for():
    tracker = FaceTracker()
    image = _background()
    _draw(image, 200, 120, BLUE, 1)
    tracker.update(image, 0.0, [_detection(200, 120)])
    assert tracker.update(_background(), 0.04, None) == []
    assert tracker.unsure
    assert tracker.hidden
    assert tracker.known == {1}
    tracker.update(_background(), 0.08, [])
    assert tracker.unsure  # it may come back in any frame
    tracker.update(_background(), 9.0, [])
    assert not tracker.unsure


def test_a_face_is_found_again_beside_what_the_flow_holds_on_to():
    tracker = FaceTracker()
    image = _background()
    _draw(image, 150, 120, BLUE, 1)
    for t in range(8):
        detections = [_detection(150, 120)] if t < 6 else []
        assert [face.track for face in tracker.update(image, t / RATE, detections)] == [1]
    after = image.copy()  # something that looks like the face stays, and the flow with it
    _draw(after, 185, 124, BLUE, 1)
    (face,) = tracker.update(after, 8 / RATE, [_detection(185, 124)])
    assert (face.track, face.detection) == (1, _detection(185, 124))


def test_a_box_over_two_crossing_people_is_shown_as_nobodys():
    tracker = FaceTracker()
    for t in range(20):
        left, right = 100 + 4.5 * t, 305 - 4.5 * t
        image = _background()
        _draw(image, left, 120, BLUE, 1)
        _draw(image, right, 120, RED, 2)
        faces = tracker.update(image, t / RATE, [_detection(left, 120), _detection(right, 120)])
        assert [face.track for face in sorted(faces, key=lambda one: one.detection.box)] == [1, 2]
    image = _background()
    _draw(image, 190, 120, BLUE, 1)
    _draw(image, 215, 120, RED, 2)
    image[140:, 202:] = _background()[140:, 202:]
    between = _detection(202, 120)
    faces = tracker.update(image, 20 / RATE, [between])
    assert all(face.detection != between for face in faces)
    assert tracker.unsure
    image = _background()
    _draw(image, 150, 120, RED, 2)
    _draw(image, 255, 120, BLUE, 1)
    faces = tracker.update(image, 32 / RATE, [_detection(150, 120), _detection(255, 120)])
    assert [face.track for face in sorted(faces, key=lambda one: one.detection.box)] == [2, 1]


def test_a_false_face_that_flickers_is_never_shown_and_takes_no_number():
    tracker = FaceTracker()
    image = _background()
    for index in range(30):
        doubtful = [_detection(350, 80, score=0.65)] if index % 3 < 2 else []
        faces = tracker.update(image, index / RATE, doubtful)
        assert faces == []
    assert [face.track for face in tracker.update(image, 2.0, [_detection(100, 150)])] == [1]


def test_a_face_of_low_score_is_shown_when_it_stays():
    tracker = FaceTracker()
    shown = [len(tracker.update(_background(), i / RATE, [_detection(200, 120, score=0.65)])) for i in range(5)]
    assert shown == [0, 0, 1, 1, 1]


def test_tracks_end_at_a_cut():
    tracker = FaceTracker()
    for scene, tint in enumerate(((1.3, 0.7, 0.7), (0.5, 0.9, 1.3), (0.9, 1.2, 0.4))):
        image = np.asarray((_background(scene) * tint).clip(0, 255), np.uint8)
        for index in range(5):
            faces = tracker.update(image, scene + index / RATE, [_detection(200, 120)])
            assert [face.track for face in faces] == [scene + 1]
        assert tracker.known == {scene + 1}


def test_the_largest_face_comes_first():
    tracker = FaceTracker()
    faces = tracker.update(_background(), 0.0, [_detection(100, 100, 30), _detection(300, 100, 60)])
    assert [face.track for face in faces] == [2, 1]


_PLACES = st.lists(
    st.tuples(st.floats(0, 480), st.floats(0, 270), st.floats(10, 80), st.floats(0.3, 1)), max_size=5
).map(lambda places: [_detection(*place) for place in places])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-0.1, 0.6), st.none() | _PLACES, st.integers(0, 9)), max_size=15))
def test_numbers_are_never_given_twice_nor_out_of_order(steps):
    tracker = FaceTracker(patience=0.5)
    time, highest, ended, before = 0.0, 0, set(), set()
    for seconds, detections, scene in steps:
        time += seconds
        faces = tracker.update(_background(scene // 8), time, detections)
        numbers = [face.track for face in faces]
        assert len(set(numbers)) == len(numbers)
        assert set(numbers) <= tracker.known
        assert not ended & tracker.known
        new = sorted(tracker.known - before)
        assert all(number > highest for number in new)
        if detections is None:
            assert not any(face.detected for face in faces)
        highest = max([highest, *new])
        ended |= before - tracker.known
        before = tracker.known
        areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (face.detection.box for face in faces)]
        assert areas == sorted(areas, reverse=True)


def test_a_patience_that_is_none_is_refused():
    with pytest.raises(InputError, match="-1"):
        FaceTracker(patience=-1)
