from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaoiro.corpus import duplicates
from kaoiro.corpus.duplicates import near_duplicates, nearest_correlation
from kaoiro.errors import InputError

FER2013 = Path(__file__).resolve().parents[3] / "shared" / "data" / "fer2013.npz"

seeds = st.integers(0, 2**32 - 1)


def noise(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), np.uint8)


def slow_nearest(queries, references):
    flat = [picture.ravel() for reference in references for picture in (reference, reference[:, ::-1])]
    return [max(np.corrcoef(query.ravel(), other)[0, 1] for other in flat) for query in queries]


def test_agrees_with_corrcoef():
    smooth = np.random.default_rng(3).integers(0, 256, (9, 6, 6), np.uint8).repeat(8, 1).repeat(8, 2)
    nearest = nearest_correlation(smooth[:4], smooth[4:])
    assert nearest.dtype == np.float32
    np.testing.assert_allclose(nearest, slow_nearest(smooth[:4], smooth[4:]), atol=1e-5)


def test_blocks_do_not_change_the_answer(monkeypatch):
    queries, references = noise(11), noise(13, seed=1)
    whole = nearest_correlation(queries, references)
    monkeypatch.setattr(duplicates, "_QUERY_BLOCK", 5)
    monkeypatch.setattr(duplicates, "_REFERENCE_BLOCK", 4)
    monkeypatch.setattr(duplicates, "_PRODUCT_ROWS", 2)
    np.testing.assert_allclose(nearest_correlation(queries, references), whole, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0.3, 1), st.floats(0, 70), st.booleans())
def test_contrast_brightness_and_mirroring_leave_a_near_duplicate(seed, contrast, brightness, mirrored):
    references = noise(3, seed)
    query = np.clip(references[1] * contrast + brightness * (1 - contrast), 0, 255).astype(np.uint8)
    if mirrored:
        query = query[:, ::-1]
    assert nearest_correlation(query[None], references)[0] == pytest.approx(1, abs=1e-3)
    assert near_duplicates(query[None], references).all()


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_unrelated_noise_correlates_little(seed):
    queries, references = noise(4, seed), noise(20, seed + 1)
    assert np.abs(nearest_correlation(queries, references)).max() < 0.15
    assert not near_duplicates(queries, references).any()


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(0, 255), st.integers(0, 255))
def test_a_constant_picture_is_like_constant_ones_only(seed, one, other):
    constant = np.full((1, 48, 48), one, np.uint8)
    assert nearest_correlation(constant, np.full((1, 48, 48), other, np.uint8)) == 1
    assert nearest_correlation(constant, noise(2, seed)) == 0
    # A reference that is constant counts 0, which may well be more than the others reach.
    assert nearest_correlation(noise(1, seed), constant) == 0


def test_the_threshold_itself_counts():
    queries, references = noise(1), noise(1, seed=1)
    reached = float(nearest_correlation(queries, references)[0])
    assert near_duplicates(queries, references, reached).all()
    assert not near_duplicates(queries, references, reached + 1e-4).any()


def test_without_queries_or_references():
    nothing = np.zeros((0, 48, 48), np.uint8)
    assert nearest_correlation(nothing, noise(1)).shape == (0,)
    assert nearest_correlation(noise(2), nothing).tolist() == [-1, -1]
    assert near_duplicates(noise(2), nothing, -1).tolist() == [False, False]


@pytest.mark.parametrize(
    "pictures",
    [
        noise(2)[:, :, :40],  # not 48×48
        noise(2)[0],  # one picture, not several
        noise(2).astype(np.float32),  # not uint8
    ],
)
def test_other_shapes_and_dtypes_are_refused(pictures):
    with pytest.raises(InputError, match="queries must be uint8"):
        nearest_correlation(pictures, noise(1))
    with pytest.raises(InputError, match="references must be uint8"):
        near_duplicates(noise(1), pictures)


def test_a_threshold_out_of_range_is_refused():
    with pytest.raises(InputError, match=r"not 90"):
        near_duplicates(noise(1), noise(1), 90)


@pytest.mark.slow
@pytest.mark.skipif(not FER2013.is_file(), reason="FER2013 is not beside this checkout")
def test_fer2013_has_the_published_number_of_near_duplicates():
    with np.load(FER2013) as fer2013:
        faces, usage = fer2013["images"], fer2013["usage"]
    found = near_duplicates(faces[usage > 0], faces[usage == 0])
    assert found[usage[usage > 0] == 1].sum() == 492
    assert found[usage[usage > 0] == 2].sum() == 521
