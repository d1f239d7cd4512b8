import numpy as np
import pytest

from kaoiro.errors import ImageError, InputError
from kaoiro.expressions import EIGHT, Expression
from kaoiro.media.images import load_image
from kaoiro.recognition.explanation import explain
from kaoiro.recognition.occlusion import occlusion_evidence
from kaoiro.recognition.recognizer import Recognizer
from tiny_model import probabilities, write_tiny_model


@pytest.fixture(scope="module")
def recognizer(tiny_model_path):
    return Recognizer(tiny_model_path, contempt=True)


def face(side=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side)).astype(np.uint8)


def test_evidence_is_that_of_the_model_s_own_answers(recognizer):
    column = EIGHT.index(Expression.SADNESS)
    [one] = explain(recognizer, face(), "sadness", faces_are_crops=True, covers=64)
    expected = occlusion_evidence(lambda faces: np.array([probabilities(f)[column] for f in faces]), face(), 64)
    assert one.expression is Expression.SADNESS
    assert np.array_equal(one.pixels, face())
    assert np.allclose(one.evidence, expected, atol=1e-3)


def test_the_likeliest_expression_is_explained_unless_another_is_asked_for(recognizer):
    [one] = explain(recognizer, face(), faces_are_crops=True, covers=2)
    assert one.expression is one.face.likeliest
    assert one.number == 1


def test_a_model_that_sees_colours(tmp_path):
    recognizer = Recognizer(write_tiny_model(tmp_path / "colour.onnx", channels=3))
    colour = np.random.default_rng(3).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    [one] = explain(recognizer, colour, faces_are_crops=True, covers=8)
    assert np.array_equal(one.pixels, colour)
    assert one.evidence.shape == (8, 8)


def test_the_faces_of_a_photo(recognizer, astronaut):
    photo = load_image(astronaut)
    pair = np.hstack([photo, photo[:, ::-1]])
    faces = recognizer.predict(pair)
    explained = list(explain(recognizer, pair, covers=2))
    assert [one.face for one in explained] == faces
    assert [one.number for one in explained] == [1, 2]
    [second] = explain(recognizer, pair, only=2, covers=2)
    assert second.face == faces[1]
    assert second.number == 2


def test_a_picture_without_faces_has_nothing_to_explain(recognizer):
    assert list(explain(recognizer, np.zeros((40, 40, 3), np.uint8))) == []


# Each is refused before any face is read again.
@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"expression": "joy"}, "'joy' is none of anger, disgust"),
        ({"only": 2}, "no face 2; the number of faces found is 1"),
        ({"only": 0}, "no face 0"),
        ({"covers": 1}, "at least twice, not 1 times"),
    ],
)
def test_what_cannot_be_explained(recognizer, options, line):
    with pytest.raises(InputError, match=line):
        explain(recognizer, face(), faces_are_crops=True, **options)


def test_contempt_must_be_among_the_answers(tiny_model_path):
    with pytest.raises(InputError, match="'contempt' is none of"):
        explain(Recognizer(tiny_model_path), face(), Expression.CONTEMPT, faces_are_crops=True)


def test_a_file_that_is_missing(recognizer):
    with pytest.raises(ImageError, match="there is no such file"):
        explain(recognizer, "nowhere.jpg")
