from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.corpus.splits import SetAside, parse_split
from kaoiro.errors import InputError


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("train", "Training", "TRAIN")),
        *((name, "validation") for name in ("val", "valid", "Validation", "dev", "PublicTest", "public_test")),
        *((name, "test") for name in ("test", "testing", "PrivateTest", "Private Test")),
        *((name, None) for name in ("", "trainer", "happy", "test 2")),
    ],
)
def test_parse_split(name, split):
    assert parse_split(name) == split


@given(st.binary(max_size=40), st.sampled_from(["validation", "test"]))
def test_official_splits_are_kept(image, split):
    assert SetAside(0.3, 0.3).split_of(split, image) == split


@given(st.binary(max_size=40), st.sampled_from([None, "train"]))
def test_nothing_is_set_aside_unless_asked_for(image, split):
    assert SetAside().split_of(split, image) == split


@given(st.binary(max_size=40), st.floats(0.01, 0.4), st.floats(0, 0.4))
def test_the_choice_hangs_on_the_picture_alone(image, validation, test):
    shares = SetAside(validation, test)
    assert shares.split_of(None, image) == shares.split_of("train", bytes(image))


@given(st.binary(max_size=40), st.binary(max_size=40), st.text(max_size=9))
def test_faces_of_one_group_go_the_same_way(image, other, group):
    shares = SetAside(0.3, 0.3)
    assert shares.split_of(None, image, group) == shares.split_of("train", other, group)


def test_groups_go_different_ways():
    assert {SetAside(0.3, 0.3).split_of(None, b"", f"subject {n}") for n in range(50)} == {
        "train",
        "validation",
        "test",
    }


def test_shares_come_out_about_right():
    splits = Counter(SetAside(0.2, 0.1).split_of(None, bytes([n % 256, n // 256])) for n in range(10_000))
    assert splits["validation"] == pytest.approx(2000, abs=160)  # four standard deviations
    assert splits["test"] == pytest.approx(1000, abs=120)
    assert splits["train"] == 10_000 - splits["validation"] - splits["test"]


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.0), (0.5, 0.5), (0.0, 1.0), (float("nan"), 0.0)])
def test_shares_that_leave_nothing_to_train_on(validation, test):
    with pytest.raises(InputError, match="must leave faces to train on"):
        SetAside(validation, test)
