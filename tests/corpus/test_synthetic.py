import itertools

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaoiro.corpus.duplicates import near_duplicates
from kaoiro.corpus.schema import SCHEMA
from kaoiro.corpus.synthetic import render_face, synthetic_faces, synthetic_votes, write_synthetic_corpus
from kaoiro.corpus.synthetic_action_units import ACTION_UNITS, Muscles
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import EIGHT, SEVEN, VOTE_NAMES, Expression


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(EIGHT), st.integers(0, 2**32 - 1), st.integers(16, 112))
def test_a_face_has_its_size_some_contrast_and_its_seed(expression, seed, size):
    face = render_face(expression, np.random.default_rng(seed), size)
    assert face.shape == (size, size)
    assert face.dtype == np.uint8
    assert face.std() > 5
    assert np.array_equal(face, render_face(expression, np.random.default_rng(seed), size))


@pytest.mark.parametrize("seed", range(5))
def test_equal_generators_draw_the_same_person_with_another_expression(seed):
    faces = [render_face(expression, np.random.default_rng(seed)).astype(np.int64) for expression in EIGHT]
    for one, other in itertools.combinations(faces, 2):
        change = np.abs(one - other)
        assert change[:4, :4].max() == change[:4, -4:].max() == 0  # background, light and noise
        assert change[12:44, 8:40].mean() > 1.5  # eyes to mouth


@given(st.sampled_from(EIGHT), st.integers(0, 2**32 - 1))
def test_contempt_alone_is_one_sided(expression, seed):
    muscles = Muscles.draw(expression, np.random.default_rng(seed))
    assert muscles.left.keys() == muscles.right.keys() == ACTION_UNITS.keys()
    assert all(0 <= strength < 1.4 for side in (muscles.left, muscles.right) for strength in side.values())
    unlike = abs(muscles.left[12] - muscles.right[12])
    assert unlike > 0.4 if expression is Expression.CONTEMPT else unlike < 0.3


def test_no_two_faces_of_a_corpus_are_near_duplicates():
    faces, _ = synthetic_faces(400, seed=0)
    assert near_duplicates(faces[:200], faces[200:]).mean() < 0.02


@pytest.mark.parametrize(
    ("expressions", "counts"),
    [
        (SEVEN, [3, 3, 3, 3, 3, 3, 2]),
        # Labels are places in the order of Expression, not in that of the argument.
        ((Expression.CONTEMPT, Expression.ANGER), [10, 0, 0, 0, 0, 0, 0, 10]),
    ],
)
def test_faces_are_balanced(expressions, counts):
    faces, labels = synthetic_faces(20, seed=3, expressions=expressions, size=32)
    assert faces.shape == (20, 32, 32)
    assert labels.dtype == np.int64
    assert np.bincount(labels).tolist() == counts


def test_equal_seeds_give_equal_faces_in_an_order_that_is_no_cycle():
    faces, labels = synthetic_faces(70, seed=5)
    again, same_labels = synthetic_faces(70, seed=5)
    assert np.array_equal(faces, again)
    assert np.array_equal(labels, same_labels)
    assert not np.array_equal(faces, synthetic_faces(70, seed=6)[0])
    assert labels[:7].tolist() != labels[7:14].tolist()


def test_raters_mostly_agree_with_the_label():
    labels = np.arange(2000) % 8
    votes = synthetic_votes(labels, np.random.default_rng(0))
    assert votes.dtype == np.uint8
    assert votes.shape == (2000, len(VOTE_NAMES))
    assert (votes.sum(axis=1) == 10).all()
    assert (votes.argmax(axis=1) == labels).mean() > 0.95
    assert 0.7 < votes[np.arange(2000), labels].mean() / 10 < 0.85
    # Fear is taken for surprise more often than for anything else.
    astray = votes[labels == EIGHT.index(Expression.FEAR)].sum(axis=0)
    astray[EIGHT.index(Expression.FEAR)] = 0
    assert astray.argmax() == EIGHT.index(Expression.SURPRISE)
    assert votes[:, VOTE_NAMES.index("not-a-face")].sum() == 0


def test_a_corpus_has_the_stored_form(tmp_path):
    path = tmp_path / "synthetic.parquet"
    assert write_synthetic_corpus(path, train=30, validation=7, test=8, seed=2) == 45
    table = pq.read_table(path)
    assert table.schema.equals(SCHEMA)
    assert table.schema.metadata == SCHEMA.metadata
    assert table["split"].to_pylist() == ["train"] * 30 + ["validation"] * 7 + ["test"] * 8
    assert table["source"][17].as_py() == "synthetic:17"
    assert set(table["label"].to_pylist()) == set(SEVEN)
    assert {sum(votes) for votes in table["votes"].to_pylist()} == {10}
    assert len(set(table["sha256"].to_pylist())) == 45
    png = np.frombuffer(table["image"][0]["bytes"].as_py(), np.uint8)
    assert cv2.imdecode(png, cv2.IMREAD_UNCHANGED).shape == (48, 48)


def test_more_training_faces_leave_the_other_splits_as_they_were(tmp_path):
    few, many = tmp_path / "few.parquet", tmp_path / "many.parquet"
    write_synthetic_corpus(few, train=7, validation=7, test=7)
    write_synthetic_corpus(many, train=14, validation=7, test=7)
    columns = ["sha256", "label", "votes", "split"]
    assert pq.read_table(few, columns=columns)[7:].equals(pq.read_table(many, columns=columns)[14:])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: render_face(Expression.FEAR, np.random.default_rng(0), 8), "not 8"),
        (lambda path: synthetic_faces(-3, 0), "-3"),
        (lambda path: synthetic_faces(3, 0, ()), "at least one expression"),
        (lambda path: synthetic_votes(np.array([0, 8]), np.random.default_rng(0)), "not 8"),
        (lambda path: write_synthetic_corpus(path, validation=-1), "validation cannot be -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message, tmp_path):
    with pytest.raises(InputError, match=message):
        call(tmp_path / "c.parquet")
    assert not list(tmp_path.iterdir())


def test_an_empty_corpus_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="no faces"):
        write_synthetic_corpus(tmp_path / "c.parquet", train=0, validation=0, test=0)
    assert not list(tmp_path.iterdir())
