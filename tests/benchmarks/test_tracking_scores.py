import pytest

from kaoiro.expressions import Expression
from made_video import Truth
from tracking_scores import track_scores

LEFT, RIGHT = (0.0, 0.0, 40.0, 40.0), (100.0, 0.0, 140.0, 40.0)


def _truth(person, box, visible=1.0):
    return Truth(person, box, Expression.NEUTRAL, visible)


def _both():
    return (_truth(1, LEFT), _truth(2, RIGHT))


def _scores(truths, answers, **settings):
    return track_scores(truths, answers, 10.0, **settings)[0]


def test_perfect_tracks_have_perfect_scores():
    scores = _scores([_both()] * 10, [[(7, LEFT), (8, RIGHT)]] * 10)
    assert (scores.faces, scores.missed, scores.false, scores.switches, scores.fragments) == (20, 0, 0, 0, 0)
    assert scores.mota == scores.idf1 == scores.recall == 1


def test_two_who_exchange_their_numbers_are_two_switches_and_two_shared_numbers():
    answers = [[(7, LEFT), (8, RIGHT)]] * 6 + [[(8, LEFT), (7, RIGHT)]] * 6
    scores = _scores([_both()] * 12, answers)
    assert (scores.switches, scores.mixed) == (2, 2)
    assert scores.mota == pytest.approx(1 - 2 / 24)
    # The best that one number a person can explain is half of the frames.
    assert scores.idf1 == pytest.approx(0.5)


def test_missed_faces_and_boxes_on_nothing_are_counted():
    answers = [[(7, LEFT), (9, (300.0, 300.0, 340.0, 340.0))]] * 10
    scores = _scores([_both()] * 10, answers)
    assert (scores.missed, scores.false) == (10, 10)
    assert scores.recall == 0.5
    assert scores.mota == 0
    assert scores.idf1 == pytest.approx(2 * 10 / (20 + 20))


@pytest.mark.parametrize(("hidden", "switches", "late"), [(8, 1, 0), (15, 0, 1)])
def test_a_new_number_after_long_hiding_is_counted_apart(hidden, switches, late):
    truths = [(_truth(1, LEFT),)] * 5 + [(_truth(1, LEFT, 0.1),)] * hidden + [(_truth(1, LEFT),)] * 5
    answers = [[(1, LEFT)]] * 5 + [[]] * hidden + [[]] + [[(2, LEFT)]] * 4
    scores = _scores(truths, answers, patience=1.0)
    assert (scores.switches, scores.late_switches) == (switches, late)
    assert (scores.faces, scores.missed) == (10, 1)


def test_a_track_that_breaks_off_on_a_visible_face_is_a_gap_and_one_on_a_hidden_face_is_none():
    answers = [[(1, LEFT)]] * 3 + [[]] * 3 + [[(1, LEFT)]] * 3
    assert _scores([(_truth(1, LEFT),)] * 9, answers).fragments == 1
    hidden = [(_truth(1, LEFT),)] * 3 + [(_truth(1, LEFT, 0.2),)] * 3 + [(_truth(1, LEFT),)] * 3
    assert _scores(hidden, answers).fragments == 0


def test_boxes_on_half_hidden_faces_neither_count_for_nor_against():
    truths = [(_truth(1, LEFT, 0.3),)] * 5
    scores = _scores(truths, [[(1, LEFT)]] * 5)
    assert (scores.faces, scores.false, scores.boxes, scores.missed) == (0, 0, 0, 0)


def test_a_number_on_a_half_hidden_face_is_no_switch():
    truths = [(_truth(1, LEFT),)] * 3 + [(_truth(1, LEFT, 0.3),)] * 3 + [(_truth(1, LEFT),)] * 3
    answers = [[(1, LEFT)]] * 3 + [[(2, LEFT)]] * 3 + [[(1, LEFT)]] * 3
    assert _scores(truths, answers).switches == 0


def test_scores_of_videos_add_up():
    total = _scores([_both()] * 10, [[(7, LEFT), (8, RIGHT)]] * 10)
    total += _scores([_both()] * 10, [[(7, LEFT)]] * 10)
    assert (total.faces, total.missed, total.frames) == (40, 10, 20)
    assert total.minutes == pytest.approx(20 / 10 / 60)
