import cv2
import numpy as np
import pytest

from kaoiro.audit.duplicate_findings import duplicate_findings
from kaoiro.audit.duplicates import Duplicates
from kaoiro.audit.findings import KINDS
from kaoiro.audit.material import read_material
from kaoiro.audit.repairs import REPAIRS
from kaoiro.corpus.near_duplicates import DuplicatePairs
from planted import encoded_anew, face, picture


def clusters(finding):
    return [sorted(finding.rows[part].tolist()) for part in finding.slices()]


def test_copies_by_bytes_and_by_pixels(found):
    one = picture(1)
    colour = cv2.imencode(".png", cv2.cvtColor(one, cv2.COLOR_GRAY2BGR))[1].tobytes()
    result = found(face(one), face(picture(2)), face(one), face(encoded_anew(one)), face(colour))
    assert clusters(result["copies"]) == [[0, 2, 3, 4]]
    assert result["copies"].facts == ("1 pictures occur more than once; 3 faces are redundant copies.",)
    assert "near-duplicates" not in result
    assert "copies-across-splits" not in result


def test_pictures_that_agree_only_when_small_are_no_copies(found):
    large = np.kron(picture(1), np.ones((2, 2), np.uint8))
    other = large.copy()
    other[::2, ::2] += 1
    other[1::2, 1::2] -= 1
    result = found(face(large), face(other))
    assert "copies" not in result
    assert clusters(result["near-duplicates"]) == [[0, 1]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda pixels: pixels[:, ::-1], "mirrored"),
        (lambda pixels: cv2.add(pixels, 30), "brighter"),
        (lambda pixels: cv2.subtract(pixels[:, ::-1], 20), "mirrored, darker"),
        (lambda pixels: (np.uint8(55) + pixels * 0.5).astype(np.uint8), "weaker contrast"),
        # A JPEG of good quality moves grey values by one or two.
        (lambda pixels: pixels ^ np.uint8(1), "encoded or scaled anew"),
    ],
)
def test_near_duplicates_say_how_they_differ(found, change, words):
    result = found(face(picture(1)), face(np.ascontiguousarray(change(picture(1)))), face(picture(2)))
    near = result["near-duplicates"]
    assert clusters(near) == [[0, 1]]
    assert near.notes[1].startswith("1.00 like row 0, ")
    assert words in near.notes[1]
    assert near.facts[0].startswith("1 pairs: ")


def test_splits_tell_leaks_from_mere_repetition(found):
    one, two = picture(1), picture(2)
    result = found(
        face(one, "train"),
        face(one, "test"),
        face(two, "train"),
        face(two + np.uint8(20), "validation"),
        face(two, "train"),
        face(picture(3), "test"),
    )
    assert clusters(result["copies-across-splits"]) == [[0, 1]]
    assert result["copies-across-splits"].facts == ("1 of 2 test faces (50.0%) have a copy in train.",)
    assert clusters(result["near-duplicates-across-splits"]) == [[2, 3, 4]]
    assert result["near-duplicates-across-splits"].facts[:2] == (
        "1 of 2 test faces (50.0%) have a copy or near-duplicate in train.",
        "1 of 1 validation faces (100.0%) have a copy or near-duplicate in train.",
    )
    assert clusters(result["copies"]) == [[2, 4]]
    assert "near-duplicates" not in result


def test_a_face_without_a_split_leaks_nothing(found):
    result = found(face(picture(1), None), face(picture(1), "test"))
    assert set(result) == {"missing-classes"} & set(result)


def test_conflicting_labels(found):
    one, two = picture(1), picture(2)
    result = found(
        face(one, label="anger"),
        face(one, label="fear"),
        face(one, label=None),
        face(two, label="sadness"),
        face(two[:, ::-1].copy(), label="neutral"),
        face(picture(3), label="anger"),
        face(picture(3), label=None),
    )
    assert clusters(result["conflicting-labels"]) == [[0, 1, 2]]
    assert clusters(result["conflicting-labels-near"]) == [[3, 4]]


def test_blank_pictures_come_last(found):
    blank = np.full((48, 48), 9, np.uint8)
    result = found(*[face(blank)] * 3, face(picture(1)), face(picture(1)))
    assert clusters(result["copies"]) == [[3, 4], [0, 1, 2]]


def test_every_kind_names_repairs_that_exist():
    assert {repair for kind in KINDS.values() for repair in kind.repairs} == set(REPAIRS)


def test_a_pair_that_only_its_detail_gives_away(write):
    material = read_material(write(face(picture(1), "train"), face(picture(2), "test")))
    one, low, high = np.array([0]), np.array([-0.2], np.float32), np.array([0.9], np.float32)
    pairs = DuplicatePairs(2, one, one + 1, low, high, np.array([False]))
    found = duplicate_findings(material, Duplicates(np.arange(2), pairs, material.splits))
    (near,) = [one for one in found if one.found]
    assert near.kind.code == "near-duplicates-across-splits"
    assert near.notes[0] == "0.90 like row 1"
    assert "moved or lit otherwise" in near.notes[1]
