import sys

import numpy as np
import pytest

from kaoiro.audit.label_errors import FEWEST_FACES, FEWEST_OF_A_CLASS, label_errors
from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.errors import MissingExtraError
from kaoiro.expressions import SEVEN

HAPPINESS, SADNESS, SURPRISE = 3, 4, 5


@pytest.fixture(scope="module")
def drawn():
    """Faces of three expressions that are easy to tell apart, and their labels."""
    return synthetic_faces(150, seed=6, expressions=[SEVEN[place] for place in (HAPPINESS, SADNESS, SURPRISE)])


@pytest.fixture(scope="module")
def planted(drawn):
    """Labels of which ten are wrong, the rows of those, and what is found."""
    wrong = np.sort(np.random.default_rng(2).permutation(150)[:10])
    labels = drawn[1].copy()
    labels[wrong] = np.where(labels[wrong] == SURPRISE, HAPPINESS, labels[wrong] + 1)
    return labels, wrong, label_errors(drawn[0], labels, np.arange(150))


def test_planted_errors_are_found_and_mended(drawn, planted):
    labels, wrong, found = planted
    assert set(found.rows[:9].tolist()) <= set(wrong.tolist())
    assert 9 <= len(found.rows) <= 13
    assert np.array_equal(found.suggested[:9], drawn[1][found.rows[:9]])
    assert (np.diff(found.quality[found.rows]) >= 0).all()
    assert (found.suggested != labels[found.rows]).all()
    assert found.notes == ()


def test_a_seed_gives_one_answer(drawn, planted):
    labels, _, first = planted
    told = []
    second = label_errors(drawn[0], labels, np.arange(150), 0, told.append)
    assert np.array_equal(first.rows, second.rows)
    assert np.array_equal(first.quality, second.quality)
    assert not np.array_equal(first.quality, label_errors(drawn[0], labels, np.arange(150), 1).quality)
    assert told == sorted(told)
    assert told[-1] == 1


def test_faces_of_a_group_do_not_vouch_for_each_other(drawn):
    faces, labels = drawn
    sad = np.flatnonzero(labels == SADNESS)[0]
    copies = 12
    faces = np.concatenate([faces, np.repeat(faces[sad][None], copies, axis=0)])
    labels = np.append(labels, [HAPPINESS] * copies)
    apart = np.arange(len(faces))
    together = np.where(apart >= 150, sad, apart)
    found = label_errors(faces, labels, together)
    assert set(range(150, 150 + copies)) <= set(found.rows.tolist())
    assert label_errors(faces, labels, apart).quality[150:].min() > found.quality[150:].max() + 0.2


def test_faces_without_a_label_and_rare_expressions_are_not_judged(drawn):
    faces, labels = drawn
    labels = labels.copy()
    labels[10:20] = -1
    rare = np.flatnonzero(labels == SURPRISE)[: FEWEST_OF_A_CLASS - 1]
    labels[labels == SURPRISE] = SADNESS
    labels[rare] = SURPRISE
    found = label_errors(faces, labels, np.arange(150))
    passed_over = np.sort(np.append(rare, np.arange(10, 20)))
    assert np.array_equal(np.flatnonzero(np.isnan(found.quality)), passed_over)
    assert not np.isin(found.rows, passed_over).any()
    assert found.notes == ("labels surprise were not judged: 9 faces only",)


def test_an_expression_of_one_group_is_not_judged(drawn):
    faces, labels = drawn
    groups = np.where(labels == SURPRISE, 0, np.arange(150) + 1)
    found = label_errors(faces, labels, groups)
    assert np.array_equal(np.isnan(found.quality), labels == SURPRISE)
    assert found.notes == ("labels surprise were not judged: all of its faces are in one group",)


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        ([0, 1] * 20, f"40 faces to judge, and at least {FEWEST_FACES} are needed"),
        ([-1] * 120, f"0 faces to judge, and at least {FEWEST_FACES} are needed"),
        ([2] * 120, "the faces to judge are of one expression only"),
    ],
)
def test_too_little_to_judge(labels, note):
    labels = np.array(labels)
    found = label_errors(np.zeros((len(labels), 48, 48), np.uint8), labels, np.arange(len(labels)))
    assert found.notes == (note,)
    assert len(found.rows) == len(found.suggested) == 0
    assert np.isnan(found.quality).all()


def test_pictures_that_are_all_the_same():
    labels = np.arange(120) % 2
    found = label_errors(np.zeros((120, 48, 48), np.uint8), labels, np.arange(120))
    assert found.quality == pytest.approx(np.full(120, 0.5), abs=0.01)


@pytest.mark.parametrize("package", ["cleanlab", "sklearn"])
def test_a_package_that_is_missing(monkeypatch, package):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"label errors needs {package}.*kaoiro\[audit\]"):
        label_errors(np.zeros((0, 48, 48), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64))
