"""Which faces are worth training on."""

import numpy as np
from numpy.typing import NDArray

from kaoiro.expressions import VOTE_NAMES


def not_blank(faces: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the pictures that have more than one single colour.

    Args:
        faces: `uint8 (n, channels, size, size)`.

    Returns:
        `bool (n,)`.
    """
    flat = faces.reshape(len(faces), -1)
    shows: NDArray[np.bool_] = flat.min(axis=1) < flat.max(axis=1)
    return shows


def seen_as_faces(votes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find the faces that no more than half of the raters took for something else.

    Args:
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`; a face without votes has zeros.

    Returns:
        `bool (n,)`, true where nobody voted.
    """
    no_face = votes[:, VOTE_NAMES.index("not-a-face")].astype(np.int64)
    seen: NDArray[np.bool_] = 2 * no_face <= votes.sum(axis=1, dtype=np.int64)
    return seen
