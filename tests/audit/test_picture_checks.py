import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from kaoiro.audit.picture_checks import BLANK, LOW_CONTRAST, check_pictures, picture_sizes
from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.row_groups import open_row_groups
from kaoiro.corpus.store import write_corpus
from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.errors import CorpusError


@pytest.fixture(scope="module")
def drawn():
    return synthetic_faces(30, seed=3)[0]


def blurred(faces, deviation):
    return np.stack([cv2.GaussianBlur(face, (0, 0), deviation) for face in faces])


def test_contrast_is_the_standard_deviation_of_the_grey_levels():
    halves = np.zeros((48, 48), np.uint8)
    halves[:, 24:] = 255
    one_pixel = np.zeros((48, 48), np.uint8)
    one_pixel[20, 20] = 48
    contrast = check_pictures(np.stack([halves, one_pixel])).contrast
    assert contrast == pytest.approx([127.5, np.sqrt(1 - 1 / 48**2)], rel=1e-4)


def test_a_picture_of_a_single_colour_is_blank_and_nothing_else():
    scores = check_pictures(np.stack([np.full((48, 48), level, np.uint8) for level in (0, 77, 255)]))
    assert scores.blank.all()
    assert not scores.low_contrast.any()
    assert not scores.blurred.any()
    assert np.array_equal(scores.sharpness, [0, 0, 0])


def test_more_blur_is_less_sharp(drawn):
    sharpness = [check_pictures(blurred(drawn, deviation)).sharpness for deviation in (0.5, 0.8, 1.2, 2, 3)]
    assert (np.diff([check_pictures(drawn).sharpness, *sharpness], axis=0) < 0).all()


def test_blurred_pictures_are_told_from_ordinary_ones(drawn):
    assert check_pictures(drawn).blurred.mean() < 0.1
    assert check_pictures(blurred(drawn, 1.5)).blurred.all()


def test_a_picture_enlarged_from_a_few_pixels_is_blurred(drawn):
    small = [cv2.resize(face, (14, 14), interpolation=cv2.INTER_AREA) for face in drawn]
    assert check_pictures(
        np.stack([cv2.resize(face, (48, 48), interpolation=cv2.INTER_CUBIC) for face in small])
    ).blurred.all()


def test_less_contrast_is_found_and_is_no_blur(drawn):
    whole = check_pictures(drawn)
    contrasts = []
    for share in (0.6, 0.3, 0.15):
        scores = check_pictures((100 + (drawn - 100.0) * share).round().astype(np.uint8))
        contrasts.append(scores.contrast)
        assert np.allclose(scores.sharpness, whole.sharpness, rtol=0.15)
    assert (np.diff([whole.contrast, *contrasts], axis=0) < 0).all()
    faint = whole.contrast * 0.15
    assert np.array_equal(scores.low_contrast, (faint >= BLANK) & (faint < LOW_CONTRAST))


@given(level=st.integers(0, 60), seed=st.integers(0, 1000))
def test_mirroring_turning_inverting_and_brightening_change_nothing(level, seed):
    face = np.random.default_rng(seed).integers(60, 190, (48, 48), np.uint8)
    face = cv2.GaussianBlur(face, (0, 0), 1 + seed % 3)
    scores = check_pictures(
        np.stack([face, face[:, ::-1], face[::-1], np.rot90(face), 255 - face, face + np.uint8(level)])
    )
    assert np.allclose(scores.contrast, scores.contrast[0], rtol=1e-4)
    assert np.allclose(scores.sharpness, scores.sharpness[0], rtol=1e-2)


def encoded(mode="L", size=(48, 48), kind="PNG", **options):
    file = io.BytesIO()
    Image.new(mode, size, 9).save(file, kind, **options)
    return file.getvalue()


def sizes_of(tmp_path, pictures):
    faces = [LabelledFace(picture, f"{row}.img", f"here:{row}", None) for row, picture in enumerate(pictures)]
    write_corpus(tmp_path / "c.parquet", faces)
    return picture_sizes(open_row_groups(tmp_path / "c.parquet"))


def test_sizes_are_those_of_the_upright_pictures(tmp_path):
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    pictures = [
        encoded(),
        encoded("RGB", (100, 80), "JPEG"),
        encoded("RGB", (100, 80), "JPEG", exif=turned),
        encoded("P", (31, 20), "GIF"),
        encoded("LA", (64, 64)),
        encoded("I;16", (64, 64)),
    ]
    sizes = sizes_of(tmp_path, pictures)
    assert sizes.width.tolist() == [48, 100, 80, 31, 64, 64]
    assert sizes.height.tolist() == [48, 80, 100, 20, 64, 64]
    assert sizes.channels.tolist() == [1, 3, 3, 3, 1, 1]
    assert sizes.formats == ("PNG", "JPEG", "JPEG", "GIF", "PNG", "PNG")
    assert sizes.tiny.tolist() == [False, False, False, True, False, False]


def test_what_is_unlike_the_rest_is_odd(tmp_path):
    pictures = [encoded()] * 120 + [
        encoded(size=(120, 60)),
        encoded(size=(300, 300)),
        encoded("RGB"),
        encoded(size=(60, 48)),
    ]
    sizes = sizes_of(tmp_path, pictures)
    assert np.flatnonzero(sizes.odd_shape).tolist() == [120]
    assert np.flatnonzero(sizes.odd_size).tolist() == [121]
    assert np.flatnonzero(sizes.odd_colours).tolist() == [122]
    assert np.flatnonzero(sizes.odd).tolist() == [120, 121, 122]


def test_wide_pictures_among_wide_pictures_are_not_odd(tmp_path):
    assert not sizes_of(tmp_path, [encoded(size=(160, 90))] * 3).odd.any()


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CorpusError, match=r"here:1.*no picture in a known format; import the corpus again"):
        sizes_of(tmp_path, [encoded(), b"no picture"])
