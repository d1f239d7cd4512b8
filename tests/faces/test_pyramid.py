"""The search at several scales, with a stand-in for a detector that sees white squares of certain sizes."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaoiro.faces.pyramid import best_of_each_face, search, with_seen_heights
from kaoiro.faces.tiling import TILE


class Squares:
    """Sees white squares with a side between two limits, in pixels of the look, and remembers what it was shown."""

    def __init__(self, smallest=16, largest=400, faint_below=0):
        self.smallest, self.largest, self.faint_below = smallest, largest, faint_below
        self.looks = []

    def __call__(self, image):
        self.looks.append(image.shape[:2])
        count, _, stats, _ = cv2.connectedComponentsWithStats((image[:, :, 0] > 127).astype(np.uint8))
        found = []
        for left, top, width, height, _ in stats[1:count].tolist():
            if self.smallest <= min(width, height) and max(width, height) <= self.largest:
                score = 0.5 if height < self.faint_below else 0.9
                found.append([left, top, width, height, *[left, top] * 5, score])
        return np.array(found, np.float64).reshape(-1, 15)


def scene(width, height, squares):
    image = np.zeros((height, width, 3), np.uint8)
    for x, y, side in squares:
        image[y : y + side, x : x + side] = 255
    return image


def on_a_grid(width, height, side, draw):
    """Draw squares that are at least two pixels apart at every scale of the search."""
    cells = [(x, y) for x in range(0, width - side, 2 * side) for y in range(0, height - side, 2 * side)]
    chosen = draw(st.lists(st.sampled_from(cells), unique=True, max_size=12))
    moves = st.integers(0, side // 2)
    return [(min(x + draw(moves), width - side), min(y + draw(moves), height - side), side) for x, y in chosen]


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_every_square_is_found_once_wherever_tiles_lie(data):
    width, height = data.draw(st.integers(100, 3200)), data.draw(st.integers(100, 2000))
    side = data.draw(st.sampled_from([20, 33, 50, 90]))
    squares = on_a_grid(width, height, min(side, width // 2, height // 2), data.draw)
    look = Squares()
    found = search(scene(width, height, squares), look, 0.6, thorough=True)
    assert len(found) == len(squares)
    for x, y, side in squares:
        nearest = np.abs(found[:, :4] - (x, y, side, side)).max(axis=1).min()
        assert nearest <= 4
    assert max(max(shape) for shape in look.looks) <= TILE


def test_squares_of_all_sizes_are_found_together_the_largest_first():
    squares = [(100, 100, 900), (1500, 200, 300), (2000, 1500, 60), (2600, 300, 20)]
    found = search(scene(3000, 2000, squares), Squares(), 0.6, thorough=True)
    assert np.abs(found[:, :4] - [(x, y, side, side) for x, y, side in squares]).max() <= 5


def test_a_small_square_alone_in_a_large_picture_is_found():
    look = Squares(smallest=10, faint_below=16)
    (found,) = search(scene(4000, 3000, [(1800, 1100, 22)]), look, 0.6)
    assert np.abs(found[:4] - (1800, 1100, 22, 22)).max() <= 2


def test_faint_small_findings_lead_to_a_finer_look():
    squares = [(500, 500, 300), (1500, 900, 30)]
    image = scene(1900, 1200, squares)
    blind, hinted = Squares(smallest=16), Squares(smallest=8, faint_below=16)
    assert len(search(image, blind, 0.6)) == 1  # the small one has 10 pixels in the only look
    assert len(search(image, hinted, 0.6)) == 2


class HalfSure(Squares):
    """Is surer, the larger a square is in the look."""

    def __call__(self, image):
        found = super().__call__(image)
        found[:, 14] = np.clip(found[:, 3] / 40, 0, 0.9)
        return found


def test_of_an_enlarged_picture_only_tiles_with_doubtful_findings_are_searched():
    doubtful, sure = (700, 800, 16), [(x, 60, 60) for x in range(100, 2900, 400)]
    look = HalfSure(smallest=10)
    found = search(scene(3000, 2000, [doubtful, *sure]), look, 0.6)
    assert len(found) == 1 + len(sure)
    assert np.abs(found[-1, :4] - (*doubtful, doubtful[2])).max() <= 2
    whole = HalfSure(smallest=10)
    search(scene(3000, 2000, [doubtful, *sure]), whole, 0.6, thorough=True)
    assert len(whole.looks) >= len(look.looks) + 12


def test_what_has_fewer_than_eight_pixels_is_no_face():
    look = Squares(smallest=40)
    assert len(search(scene(20, 20, [(5, 6, 7)]), look, 0.6)) == 0  # seen with 112 pixels
    assert len(search(scene(20, 20, [(5, 6, 8)]), look, 0.6)) == 1


def test_a_large_picture_whose_small_faces_are_sure_is_not_enlarged():
    look = Squares(smallest=10)
    squares = [(200, 300, 24), (1500, 900, 28), (2500, 1800, 90)]
    assert len(search(scene(3000, 2000, squares), look, 0.6)) == 3
    assert sum(height * width for height, width in look.looks) < 2 * 3000 * 2000


def test_a_plain_photo_takes_one_look():
    look = Squares()
    assert len(search(scene(640, 480, [(50, 50, 60), (300, 200, 90)]), look, 0.6)) == 2
    assert look.looks == [(480, 640)]


@pytest.mark.parametrize(
    ("width", "first"), [(100, 320), (223, 320), (224, 224), (500, 500), (640, 640), (2048, 640), (2049, 1280)]
)
def test_the_first_look_goes_by_the_size_of_the_picture(width, first):
    look = Squares(smallest=1)
    search(scene(width, width // 2, [(width // 8, width // 8, width // 6)]), look, 0.6)
    assert max(look.looks[0]) == first


def test_a_square_too_large_for_the_first_look_is_found_in_a_coarser_one():
    (found,) = search(scene(640, 640, [(40, 40, 500)]), Squares(), 0.6)
    assert np.abs(found[:4] - (40, 40, 500, 500)).max() <= 3


def test_a_doubtful_small_pattern_that_a_finer_look_does_not_show_is_left_out():
    pattern = [[10.0, 10, 20, 20, *[10.0] * 10, 0.7]]

    def look(image):
        return np.array(pattern if max(image.shape) in shown_at else []).reshape(-1, 15)

    shown_at = [640, 1280]
    assert len(search(scene(640, 480, []), look, 0.6)) > 0
    shown_at = [640]
    assert len(search(scene(640, 480, []), look, 0.6)) == 0
    assert len(search(scene(1000, 750, []), look, 0.6)) == 0


def test_findings_below_the_lowest_score_are_left_out():
    image = scene(640, 480, [(50, 50, 60)])
    assert len(search(image, Squares(faint_below=100), 0.6)) == 0
    assert len(search(image, Squares(faint_below=100), 0.4)) == 1


def test_of_two_findings_on_each_other_the_surer_one_is_kept():
    landmarks = [0.0] * 10
    findings = np.array([[10.0, 10, 100, 100, *landmarks, 0.7], [30.0, 30, 50, 50, *landmarks, 0.9]])
    (kept,) = best_of_each_face(with_seen_heights(findings, 1.0), 0.6)
    assert kept[:4].tolist() == [30, 30, 50, 50]


def test_findings_side_by_side_are_all_kept():
    landmarks = [0.0] * 10
    findings = np.array([[10.0, 10, 100, 100, *landmarks, 0.7], [90.0, 10, 100, 100, *landmarks, 0.9]])
    assert len(best_of_each_face(with_seen_heights(findings, 1.0), 0.6)) == 2
