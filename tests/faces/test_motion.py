import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.faces.motion import BoxMotion

BOX = (100.0, 50.0, 140.0, 100.0)


def _moved(box, right, down):
    return (box[0] + right, box[1] + down, box[2] + right, box[3] + down)


def test_a_face_that_moves_steadily_is_expected_where_it_will_be():
    motion = BoxMotion(BOX)
    for step in range(1, 40):
        motion.advance(0.04)
        motion.see(_moved(BOX, 3 * step, -2 * step))
    motion.advance(0.4)
    assert motion.box == pytest.approx(_moved(BOX, 3 * 49, -2 * 49), abs=1)


def test_a_face_that_comes_nearer_is_seen_larger_but_not_expected_to_go_on_growing():
    motion = BoxMotion((-10, -10, 10, 10))
    for step in range(1, 60):
        motion.advance(0.04)
        half = 10 * 1.01**step
        motion.see((-half, -half, half, half))
    seen = motion.size
    assert seen == pytest.approx(20 * 1.01**59, rel=0.05)
    motion.advance(0.4)
    assert motion.size == seen


def test_the_longer_a_face_is_not_seen_the_less_is_known():
    motion = BoxMotion(BOX)
    known = [motion.uncertainty]
    for _ in range(3):
        motion.advance(0.2)
        known.append(motion.uncertainty)
    assert (np.diff(known) > 0).all()
    motion.see(BOX)
    assert motion.uncertainty < known[1]


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=6))
def test_many_short_steps_are_as_good_as_a_long_one(steps):
    one, many = BoxMotion(BOX), BoxMotion(BOX)
    one.advance(sum(steps))
    for step in steps:
        many.advance(step)
    assert many.box == pytest.approx(one.box)
    assert many.uncertainty == pytest.approx(one.uncertainty)


def test_the_filter_weighs_what_it_sees_as_least_squares_does():
    """After two looks at a still scene the centre is their mean weighted by 1 / variance."""
    motion = BoxMotion(BOX)
    motion.see(_moved(BOX, 10, 0))
    # No time has passed, and both looks are equally good.
    assert motion.box == pytest.approx(_moved(BOX, 5, 0))
    # A third one with errors three times as large has a ninth of the weight of one of them.
    motion.see(_moved(BOX, 5 + 19, 0), trust=1 / 3)
    assert motion.box == pytest.approx(_moved(BOX, 6, 0))


@given(st.tuples(*[st.floats(-1e4, 1e4)] * 4))
def test_any_box_leaves_finite_numbers(box):
    motion = BoxMotion(box)
    motion.advance(1.0)
    motion.see(box)
    assert np.isfinite(motion.box).all()
