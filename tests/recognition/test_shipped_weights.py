from pathlib import Path

import numpy as np
import pytest

from kaoiro import Expression, Recognizer
from kaoiro.expressions import SEVEN
from kaoiro.recognition.model_file import open_model, shipped_models

ROOT = Path(__file__).resolve().parents[2]
ASTRONAUT = ROOT / "examples" / "photos" / "astronaut.jpg"
SOLVAY = ROOT.parent / "shared" / "photos" / "solvay_conference_1927.jpg"
FER2013 = ROOT.parent / "shared" / "data" / "fer2013.npz"


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer()


def test_the_sample_photo(recognizer):
    (face,) = recognizer.predict(ASTRONAUT)
    assert face.expression is Expression.HAPPINESS
    assert face.confidence > 0.9
    assert face.box == pytest.approx((178, 63, 268, 176), abs=5)


@pytest.mark.parametrize("head", ["ferplus", "fer2013"])
def test_both_heads_know_a_smile(head):
    (face,) = Recognizer(head=head).predict(ASTRONAUT)
    assert face.expression is Expression.HAPPINESS
    assert tuple(face.probabilities) == SEVEN


def test_a_group_photo(recognizer):
    if not SOLVAY.exists():
        pytest.skip(f"{SOLVAY} is not there")
    faces = recognizer.predict(SOLVAY)
    assert len(faces) == 29
    assert sum(face.expression is Expression.NEUTRAL for face in faces) >= 25


def test_real_faces(recognizer):
    if not FER2013.exists():
        pytest.skip(f"{FER2013} is not there")
    with np.load(FER2013) as data:
        public = data["usage"] == 1
        images, labels = data["images"][public][:500], data["labels"][public][:500]
    faces = Recognizer(head="fer2013").predict_crops(images)
    right = np.mean([SEVEN.index(face.expression) == label for face, label in zip(faces, labels, strict=True)])
    assert right > 0.62  # 69.6 % on the whole split, less some three standard errors of 500 faces


@pytest.mark.parametrize("name", shipped_models())
def test_a_shipped_model_says_what_it_is(name):
    metadata = open_model(name).metadata
    assert metadata.name == name
    assert metadata.licence == "Apache-2.0"
    assert metadata.provenance["corpus"] == "fer2013.parquet"
    assert metadata.scores["validation"]["fer2013"]["n"] == 3589


def test_the_weights_stay_small():
    sizes = {file.stem: file.stat().st_size for file in (ROOT / "src" / "kaoiro" / "weights").iterdir()}
    assert sum(sizes.values()) <= 13e6
    assert max(sizes.values()) <= 8e6
    for name, size in sizes.items():
        if name.endswith("-int8"):
            assert size < 0.3 * sizes[name.removesuffix("-int8")]
