import pytest

from kaoiro.faces.boxes import area, overlap, shift


@pytest.mark.parametrize(
    ("other", "share"), [((0, 0, 10, 10), 1.0), ((5, 0, 15, 10), 1 / 3), ((10, 0, 20, 10), 0.0), ((2, 2, 4, 4), 0.04)]
)
def test_overlap_is_the_shared_area_over_the_covered_one(other, share):
    assert overlap((0, 0, 10, 10), other) == pytest.approx(share)
    assert overlap(other, (0, 0, 10, 10)) == pytest.approx(share)


def test_area_and_shift():
    assert area((1, 2, 4, 7)) == 15
    assert area((4, 2, 1, 7)) == 0
    assert shift((0, 0, 4, 2), (10, 10, 12, 20)) == (9, 14)
