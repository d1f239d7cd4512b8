from hypothesis import given
from hypothesis import strategies as st

from kaoiro.faces.tiling import LARGEST_FACE, OVERLAP, TILE, tiles


@given(st.integers(1, 900), st.integers(1, 900), st.integers(60, 200), st.data())
def test_every_small_square_lies_whole_within_a_tile(width, height, longest, data):
    overlap = data.draw(st.integers(1, longest // 2))
    cover = list(tiles(width, height, longest, overlap))
    sizes = {(right - left, bottom - top) for left, top, right, bottom in cover}
    assert len(sizes) == 1
    assert max(sizes.pop()) <= longest
    assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in cover)
    side = data.draw(st.integers(1, min(overlap, width, height)))
    x = data.draw(st.integers(0, width - side))
    y = data.draw(st.integers(0, height - side))
    assert any(
        left <= x and top <= y and x + side <= right and y + side <= bottom for left, top, right, bottom in cover
    )


def test_a_picture_that_is_small_enough_is_one_tile():
    assert list(tiles(1280, 3)) == [(0, 0, 1280, 3)]


def test_the_number_of_tiles_is_bounded():
    # 24 megapixels; each tile adds at least TILE - OVERLAP new pixels on each side.
    assert len(list(tiles(6000, 4000))) == 6 * 4
    assert LARGEST_FACE < OVERLAP < TILE
