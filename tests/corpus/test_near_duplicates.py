"""Copies are planted among drawn faces, each face on a texture of its own, since drawings alone look much alike."""

from functools import cache

import cv2
import numpy as np
import pytest

from kaoiro.corpus import duplicate_candidates
from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.near_duplicates import comparison_pictures, find_pairs
from kaoiro.corpus.pictures import encode_png
from kaoiro.corpus.store import write_corpus
from kaoiro.corpus.synthetic import synthetic_faces


@cache
def textured_faces(n):
    rng = np.random.default_rng(0)
    textures = rng.normal(size=(n, 48, 48)).astype(np.float32)
    textures = np.stack([cv2.GaussianBlur(one, (0, 0), 1) + 4 * cv2.GaussianBlur(one, (0, 0), 4) for one in textures])
    drawn = synthetic_faces(n, seed=(1, 1))[0]
    return np.clip(drawn * 0.7 + 60 * textures + 40, 0, 255).astype(np.uint8)


def jpeg(face, quality):
    _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(face), (cv2.IMWRITE_JPEG_QUALITY, quality))
    return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)


def rescaled(face):
    return cv2.resize(cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA), (48, 48), interpolation=cv2.INTER_CUBIC)


COPIES = {
    "mirrored": lambda face: face[:, ::-1],
    "re-encoded": lambda face: jpeg(face, 40),
    "rescaled": rescaled,
    "brighter": lambda face: np.clip(face * 0.8 + 50, 0, 255).astype(np.uint8),
    "darker": lambda face: (face * 0.5).astype(np.uint8),
    "moved": lambda face: np.roll(face, (2, -3), (0, 1)),
    "all at once": lambda face: jpeg(np.roll(rescaled(face)[:, ::-1] // 2 + 40, 1, 0), 60),
}


@pytest.mark.parametrize("kind", COPIES)
def test_planted_copies_are_found_and_nothing_else(kind):
    faces = textured_faces(400)
    sources = np.arange(0, 400, 4)
    planted = np.concatenate([faces, np.stack([COPIES[kind](faces[row]) for row in sources])])
    pairs = find_pairs(planted)
    found = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    right = {(row, 400 + place) for place, row in enumerate(sources.tolist())}
    assert len(found & right) >= 0.95 * len(right)
    assert len(found - right) <= 0.05 * len(found)
    is_right = np.array([pair in right for pair in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)])
    assert pairs.sure[is_right].mean() >= 0.95
    assert pairs.mirrored[is_right].mean() == (1 if kind in ("mirrored", "all at once") else 0)


def test_correlation_is_pearsons():
    faces = textured_faces(40)
    copies = np.stack([jpeg(face, 20)[:, ::-1] for face in faces])
    pairs = find_pairs(np.concatenate([faces, copies]))
    assert len(pairs) >= 40
    everything = np.concatenate([faces, copies]).astype(float)
    for first, second, correlation, mirrored in zip(
        pairs.first, pairs.second, pairs.correlation, pairs.mirrored, strict=True
    ):
        other = everything[second][:, ::-1] if mirrored else everything[second]
        expected = np.corrcoef(everything[first].ravel(), other.ravel())[0, 1]
        assert correlation == pytest.approx(expected, abs=1e-6)


def test_identical_pictures():
    faces = textured_faces(20)
    pairs = find_pairs(np.concatenate([faces, faces[[3, 3, 5]]]))
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [(3, 20), (3, 21), (5, 22), (20, 21)]
    assert (pairs.correlation == 1).all()
    assert not pairs.mirrored.any()


def test_very_many_identical_pictures_are_each_paired_with_the_first():
    faces = textured_faces(5)
    pairs = find_pairs(np.concatenate([faces, np.repeat(faces[:1], 300, axis=0)]))
    assert len(pairs) == 300
    assert set(pairs.first) == {0}
    assert pairs.second.tolist() == list(range(5, 305))


def test_pictures_of_one_colour():
    """They have no structure: grey is not a near-duplicate of white, but of the same grey it is a copy."""
    plain = np.stack([np.full((48, 48), grey, np.uint8) for grey in (0, 128, 255, 128)])
    pairs = find_pairs(np.concatenate([plain, textured_faces(5)]))
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [(1, 3)]


def test_a_pair_that_looks_alike_only_from_afar():
    """Of one coarse structure, but lit from opposite sides and of other detail: worth a look, and no duplicate."""
    rng = np.random.default_rng(0)
    coarse = cv2.GaussianBlur(rng.normal(size=(48, 48)), (0, 0), 3.5)
    light = np.linspace(-40, 40, 48)
    faces = [
        120 + 300 * coarse + side * light + 48 * cv2.GaussianBlur(rng.normal(size=(48, 48)), (0, 0), 0.7)
        for side in (-1, 1)
    ]
    pair = np.clip(faces, 0, 255).astype(np.uint8)
    candidates = duplicate_candidates.find_candidates(pair)
    assert candidates.low_resolution.tolist() == [False]
    assert len(find_pairs(pair)) == 0


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_faces(n):
    pairs = find_pairs(textured_faces(20)[:n])
    assert len(pairs) == 0
    assert pairs.faces == n


def test_the_order_of_faces_does_not_matter():
    faces = textured_faces(120)
    faces = np.concatenate([faces, np.stack([COPIES["all at once"](face) for face in faces[:60]])])
    order = np.random.default_rng(0).permutation(len(faces))
    straight, shuffled = find_pairs(faces), find_pairs(faces[order])
    pairs = {frozenset(pair) for pair in zip(straight.first.tolist(), straight.second.tolist(), strict=True)}
    assert pairs == {frozenset(pair) for pair in zip(order[shuffled.first], order[shuffled.second], strict=True)}
    assert len(pairs) >= 57


def test_pivots_find_what_all_pairs_find(monkeypatch):
    faces = textured_faces(400)
    faces = np.concatenate([faces, np.stack([COPIES["all at once"](face) for face in faces])])
    everything = find_pairs(faces)
    monkeypatch.setattr(duplicate_candidates, "ALL_PAIRS", 0)
    at_pivots = find_pairs(faces)
    assert len(everything) >= 380
    found = set(zip(at_pivots.first.tolist(), at_pivots.second.tolist(), strict=True))
    wanted = set(zip(everything.first.tolist(), everything.second.tolist(), strict=True))
    assert found <= wanted
    assert len(found) >= 0.97 * len(wanted)


def test_of_against():
    faces = textured_faces(6)
    pairs = find_pairs(np.concatenate([faces, faces[:2]]))
    train = np.arange(8) < 6
    assert np.flatnonzero(pairs.of_against(train, ~train)).tolist() == [0, 1]
    assert np.flatnonzero(pairs.of_against(~train, train)).tolist() == [6, 7]
    assert not pairs.of_against(train, train).any()


def test_comparison_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr("kaoiro.corpus.store._ROW_GROUP_ROWS", 3)
    faces = textured_faces(7)
    write_corpus(tmp_path / "c.parquet", (LabelledFace(encode_png(face), "a.png", "x", None) for face in faces))
    told = []
    np.testing.assert_array_equal(comparison_pictures(tmp_path / "c.parquet", told.append), faces)
    assert told[-1] == 1
