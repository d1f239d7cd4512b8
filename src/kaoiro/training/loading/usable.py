"""Which faces are worth training on."""

import numpy as np
from numpy.typing import NDArray


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
