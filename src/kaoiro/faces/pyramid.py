"""Searching a picture for faces at several scales, with a detector that sees faces of some sizes only."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.faces.tiling import LARGEST_FACE, TILE, tiles

Faces = NDArray[np.float64]
"""`(n, 15)`: left, top, width, height, five landmarks' x and y, score; in pixels."""
SCORE: Final = 14

Look = Callable[[NDArray[np.uint8]], Faces]
"""Searches `uint8 (H, W, 3)` RGB once, as it is, with faint findings too."""

FIRST_SIDE: Final = 640
_TINY_PICTURE: Final = 224
_TINY_ENLARGED: Final = 320
_COARSEST_SIDE: Final = 160

# Heights in pixels of the searched picture. Below the first, YuNet may miss faces; above the second, it gives low
# scores and boxes too small; a look at another scale then decides.
_SMALL_FACE: Final = 32
_LARGE_FACE: Final = 320

# Looks up to this reduction are made of every picture: faces of 50 pixels then have 16, which YuNet mostly finds.
_REDUCTION: Final = 3.2

_LONGEST_STEP: Final = 3
_ENLARGED_SIDE: Final = 6000

# A finding that is at least so sure, though not sure enough, makes a finer look worth while.
_HINT: Final = 0.3

# Of two findings of one face, the one from a look that shows it neither small nor large may be so much less sure.
_WELL_SEEN_BONUS: Final = 0.1

# YuNet takes patterns of less than 32 pixels for faces now and then, with scores up to 0.75. A finer look that shows
# nothing so sure there refutes them.
_BEYOND_DOUBT: Final = 0.8
_SUPPORT: Final = 0.4

# Fewer pixels show nothing of an expression; what is found there, in pictures enlarged many times, is mostly chance.
_LEAST_FACE: Final = 8

# A finding closer than this to the inner edge of a tile is cut; the neighbouring tile shows it whole.
_CUT: Final = 4

_SEEN: Final = 15  # an extra column: the height in pixels of the picture that was searched


def search(image: NDArray[np.uint8], look: Look, min_score: float, *, thorough: bool = False) -> Faces:
    """Find the faces in a picture of any size.

    The first look is at 640 pixels for the long side, or 1280 where 640 is less than a third of the picture's. Pictures
    below 640 are looked at as they are, those below 224 enlarged to 320.
    Coarser looks follow while no face is found or one is taller than 320 pixels of the look. Finer ones, each at
    twice the scale of the one before and the last, at up to three times, in the picture's own resolution, follow

    - up to a reduction by 3.2, always;
    - once more, where no face is found;
    - as long as the look before shows something shorter than 32 pixels that is a face or may be one; the picture is
      then enlarged too, to twice its size, or 6000 pixels where that is less.

    Looks beyond 1280 pixels go by overlapping tiles; of an enlarged picture, only by those in which something small and
    doubtful was found.

    Args:
        image: `uint8 (H, W, 3)` RGB.
        look: what searches a picture, or a tile of one, at the scale that it is given.
        min_score: faces with a lower score are left out.
        thorough: whether the finer looks are all made, in every tile, whatever the ones before show.

    Returns:
        `float64 (n, 15)`, the largest face first. Of findings that lie on each other, one is left; of those
        whose longer side has less than 8 pixels, none.
    """
    long_side = max(image.shape[:2])
    first = min(long_side, FIRST_SIDE if long_side <= FIRST_SIDE * _REDUCTION else TILE)
    first = _TINY_ENLARGED if long_side < _TINY_PICTURE else first
    found = _look_at_scale(image, first, look)

    side = first
    while side >= 2 * _COARSEST_SIDE and (not _sure(found, min_score).any() or found[:, _SEEN].max() > _LARGE_FACE):
        side //= 2
        coarser = _look_at_scale(image, side, look)
        found = best_of_each_face(np.vstack([found, coarser]), min_score)
        if _sure(coarser, min_score).any() and coarser[_sure(coarser, min_score), _SEEN].max() <= _LARGE_FACE:
            break

    side, latest = first, found
    finest = max(long_side, min(2 * long_side, _ENLARGED_SIDE))
    searched_in_vain = False
    while side < finest:
        is_reduced = side < long_side
        is_due = is_reduced and (thorough or side * _REDUCTION < long_side)
        if not (is_due or _hints_at_small_faces(latest)):
            if not is_reduced or searched_in_vain or _sure(found, min_score).any():
                break
            searched_in_vain = True
        side = _next_side(side, long_side, finest)
        places = None
        if side > max(long_side, TILE) and not thorough:
            places = _doubtful_centres(np.vstack([found, latest]))
            if not len(places):
                break
        latest = _look_at_scale(image, side, look, places=places)
        found = best_of_each_face(np.vstack([found[~_refuted(found, latest)], latest]), min_score)

    return largest_first(found[_sure(found, min_score) & (found[:, 2:4].max(axis=1, initial=0) >= _LEAST_FACE)])


def _next_side(side: int, long_side: int, finest: int) -> int:
    if side >= long_side:
        return finest
    return long_side if long_side <= _LONGEST_STEP * side else 2 * side


def with_seen_heights(faces: Faces, scale: float) -> Faces:
    """Add the column of heights in pixels of the look, which showed the picture at this scale."""
    return np.hstack([faces, faces[:, 3:4] * scale])


def best_of_each_face(faces: Faces, min_score: float, bonus: NDArray[np.float64] | None = None) -> Faces:
    """Of findings that lie on each other, keep one: a sure one before faint ones, then the better seen, surer one.

    Args:
        faces: `(n, 16)`, from `with_seen_heights`.
        min_score: from which score on a finding is sure.
        bonus: `(n,)`, what is added to each score when two findings are compared.
    """
    well_seen = (faces[:, _SEEN] >= _SMALL_FACE) & (faces[:, _SEEN] <= _LARGE_FACE)
    merit = faces[:, SCORE] + _WELL_SEEN_BONUS * well_seen + 10 * _sure(faces, min_score)
    if bonus is not None:
        merit += bonus
    kept: list[int] = []
    for place in np.lexsort((-faces[:, _SEEN], -merit)):  # of equals, the one that was seen larger
        if not _are_same(faces[place], faces[kept]).any():
            kept.append(int(place))
    return faces[kept]


def largest_first(faces: Faces) -> Faces:
    """Sort faces by the area of their boxes; gives `(n, 15)`."""
    return faces[np.argsort(-faces[:, 2] * faces[:, 3], kind="stable")][:, :_SEEN]


def look_once(image: NDArray[np.uint8], side: int, look: Look) -> Faces:
    """Search a picture once, as a whole, with its long side scaled to `side` pixels; faint findings included."""
    return _look_at_scale(image, side, look, longest=max(side, TILE))[:, :_SEEN]


def _look_at_scale(
    image: NDArray[np.uint8],
    side: int,
    look: Look,
    longest: int = TILE,
    places: NDArray[np.float64] | None = None,
) -> Faces:
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale != 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)
    places = places if places is None else places * scale
    found = _look_by_tiles(image, look, places) if side > longest else look(image)
    found = with_seen_heights(found, 1.0)
    found[:, 0:SCORE:2] *= width / image.shape[1]
    found[:, 1:SCORE:2] *= height / image.shape[0]
    return found


def _look_by_tiles(image: NDArray[np.uint8], look: Look, places: NDArray[np.float64] | None) -> Faces:
    """Search by overlapping tiles, or only those that show one of some places, `(n, 2)`.

    Longer faces, which a tile may cut in two, are left to the coarser looks.
    """
    parts = [np.empty((0, _SEEN))]
    for left, top, right, bottom in tiles(image.shape[1], image.shape[0]):
        if places is not None and not ((places >= (left, top)) & (places <= (right, bottom))).all(axis=1).any():
            continue
        found = look(np.ascontiguousarray(image[top:bottom, left:right]))
        found = found[found[:, 2:4].max(axis=1, initial=0) <= LARGEST_FACE]
        found[:, [0, *range(4, SCORE, 2)]] += left
        found[:, [1, *range(5, SCORE, 2)]] += top
        inner = np.array([left > 0, top > 0, right < image.shape[1], bottom < image.shape[0]])
        margins = np.hstack([found[:, :2] - (left, top), (right, bottom) - found[:, :2] - found[:, 2:4]])
        parts.append(found[~(inner & (margins < _CUT)).any(axis=1)])
    return np.vstack(parts)


def _sure(faces: Faces, min_score: float) -> NDArray[np.bool_]:
    return np.asarray(faces[:, SCORE] >= min_score)


def _hints_at_small_faces(latest: Faces) -> bool:
    """Whether a look shows something small that is a face or may be one."""
    return bool(((latest[:, _SEEN] < _SMALL_FACE) & (latest[:, SCORE] >= _HINT)).any())


def _doubtful(faces: Faces) -> NDArray[np.bool_]:
    return np.asarray((faces[:, _SEEN] < _SMALL_FACE) & (faces[:, SCORE] < _BEYOND_DOUBT))


def _doubtful_centres(faces: Faces) -> NDArray[np.float64]:
    """Where something small is that may be a face, `(n, 2)` in pixels of the picture."""
    hints = faces[_doubtful(faces) & (faces[:, SCORE] >= _HINT)]
    return np.asarray(hints[:, :2] + hints[:, 2:4] / 2)


def _refuted(faces: Faces, finer: Faces) -> NDArray[np.bool_]:
    """Which small, doubtful findings a look at a finer scale does not show again."""
    shown = finer[finer[:, SCORE] >= _SUPPORT]
    seen_again = np.array([_are_same(face, shown).any() for face in faces], bool)
    return np.asarray(_doubtful(faces) & ~seen_again)


def _are_same(face: NDArray[np.float64], others: Faces) -> NDArray[np.bool_]:
    """Which of the others share more than half of the smaller one's area with a face, or 30 % of the joint one's."""
    low = np.maximum(face[:2], others[:, :2])
    high = np.minimum(face[:2] + face[2:4], others[:, :2] + others[:, 2:4])
    shared = np.maximum(high - low, 0).prod(axis=1)
    area, areas = face[2:4].prod(), others[:, 2:4].prod(axis=1)
    return np.asarray((shared > 0.5 * np.minimum(area, areas)) | (shared > 0.3 * (area + areas - shared)))
