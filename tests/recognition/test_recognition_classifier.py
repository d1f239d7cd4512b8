from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.errors import InputError
from kaoiro.expressions import EIGHT, SEVEN
from kaoiro.model_metadata import replace_metadata
from kaoiro.recognition.classifier import BATCH, Classifier, head_probabilities
from kaoiro.recognition.metadata import Head
from kaoiro.recognition.model_file import open_model
from tiny_model import CLASSES, probabilities, write_tiny_model


@pytest.fixture(scope="module")
def model(tiny_model_path):
    return open_model(tiny_model_path)


def random_faces(count, shape=(8, 8)):
    return list(np.random.default_rng(count).integers(0, 256, (count, *shape), np.uint8))


def test_the_answer_is_the_graphs(model):
    faces = random_faces(5)
    answers = Classifier(model, contempt=True).probabilities(faces)
    assert np.allclose(answers, [probabilities(face) for face in faces], atol=1e-6)


def test_without_contempt_the_others_are_renormalised(model):
    classifier = Classifier(model)
    (face,) = random_faces(1)
    seven = probabilities(face)[:7]
    assert classifier.expressions == SEVEN
    assert np.allclose(classifier.probabilities([face]), [seven / seven.sum()], atol=1e-6)


def test_heads_answer_by_their_name(model):
    (face,) = random_faces(1)
    assert np.allclose(Classifier(model, "fer2013").probabilities([face]), [probabilities(face, "fer2013")], atol=1e-6)
    assert Classifier(model, "ferplus", contempt=True).expressions == EIGHT
    assert Classifier(model, "fer2013").expressions == SEVEN


def test_flip_averaging_averages_the_face_and_its_mirror_image(model):
    (face,) = random_faces(1)
    face[:, :4] //= 4
    expected = (probabilities(face, "fer2013") + probabilities(face[:, ::-1], "fer2013")) / 2
    classifier = Classifier(model, "fer2013", flip_averaging=True)
    assert np.allclose(classifier.probabilities([face]), [expected], atol=1e-6)
    assert np.allclose(classifier.probabilities([face]), classifier.probabilities([face[:, ::-1]]), atol=1e-12)


@given(pixels=st.binary(min_size=64, max_size=64), contempt=st.booleans(), flip_averaging=st.booleans())
def test_probabilities_sum_to_1(model, pixels, contempt, flip_averaging):
    face = np.frombuffer(pixels, np.uint8).reshape(8, 8)
    answer = Classifier(model, contempt=contempt, flip_averaging=flip_averaging).probabilities([face])
    assert abs(answer.sum() - 1) < 1e-12
    assert (answer >= 0).all()


@pytest.mark.parametrize("count", [0, 1, BATCH, BATCH + 1, 2 * BATCH])
def test_any_number_of_faces_is_answered_in_order(model, count):
    faces = random_faces(count)
    classifier = Classifier(model)
    answers = classifier.probabilities(iter(faces))
    assert answers.shape == (count, 7)
    one_by_one = [classifier.probabilities([face])[0] for face in faces]
    assert count == 0 or np.allclose(answers, one_by_one, atol=1e-6)


def test_faces_of_any_size_and_colour_are_answered(model, tmp_path):
    faces = [np.full(shape, 90, np.uint8) for shape in ((8, 8), (48, 48, 3), (3, 200), (1, 1, 3))]
    for channels in (1, 3):
        colour_model = open_model(write_tiny_model(tmp_path / f"{channels}.onnx", channels=channels))
        answers = Classifier(colour_model).probabilities(faces)
        assert np.allclose(answers, answers[0])


def test_unknown_heads_are_told(model):
    with pytest.raises(InputError, match="unknown head 'affectnet'; the model 'tiny' has ferplus, fer2013"):
        Classifier(model, "affectnet")


def test_contempt_cannot_be_asked_of_a_head_that_does_not_know_it(model):
    with pytest.raises(InputError, match="the head 'fer2013' does not know contempt; use head ferplus"):
        Classifier(model, "fer2013", contempt=True)


def test_all_heads_in_several_batches(model, monkeypatch):
    monkeypatch.setattr("kaoiro.recognition.classifier.BATCH", 3)
    faces = np.random.default_rng(0).integers(0, 256, (8, 1, 8, 8), dtype=np.uint8)
    found = head_probabilities(model, faces, list(CLASSES), flip_averaging=False)
    for head in CLASSES:
        expected = np.stack([probabilities(face[0], head) for face in faces])
        assert found[head] == pytest.approx(expected, abs=1e-6)


def test_all_heads_with_flip_averaging(model):
    faces = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8), dtype=np.uint8)
    found = head_probabilities(model, faces, list(CLASSES), flip_averaging=True)
    for head in CLASSES:
        expected = [(probabilities(f[0], head) + probabilities(f[0, :, ::-1], head)) / 2 for f in faces]
        assert found[head] == pytest.approx(np.stack(expected), abs=1e-6)


def with_prior(path, prior):
    """The tiny model, with a prior in its head `ferplus`."""
    model = open_model(write_tiny_model(path))
    replace_metadata(
        path, replace(model.metadata, heads=model.metadata.heads | {"ferplus": Head(EIGHT, 1.0, prior=prior)})
    )
    return open_model(path)


def test_another_prior(tmp_path):
    learned = (0.1, 0.05, 0.05, 0.3, 0.1, 0.1, 0.2, 0.1)
    model = with_prior(tmp_path / "m.onnx", learned)
    faces = random_faces(4)
    faces[0][:, :4] //= 4
    plain = np.array([(probabilities(face) + probabilities(face[:, ::-1])) / 2 for face in faces])
    expected = plain[:, :7] / np.array(learned[:7])
    expected /= expected.sum(axis=1, keepdims=True)
    found = Classifier(model, prior="balanced", flip_averaging=True).probabilities(faces)
    assert np.allclose(found, expected, atol=1e-6)
    wanted = dict(zip(map(str, EIGHT), (8, 7, 6, 5, 4, 3, 2, 1), strict=True))
    expected = plain * np.array(list(wanted.values())) / np.array(learned)
    expected /= expected.sum(axis=1, keepdims=True)
    found = Classifier(model, prior=wanted, contempt=True, flip_averaging=True).probabilities(faces)
    assert np.allclose(found, expected, atol=1e-6)
    assert np.array_equal(
        Classifier(model, prior="natural").probabilities(faces), Classifier(model).probabilities(faces)
    )


def test_a_prior_of_a_model_that_does_not_say_what_it_learned_from(model):
    with pytest.raises(InputError, match="head 'ferplus' of the model 'tiny' does not say how frequent"):
        Classifier(model, prior="balanced")
