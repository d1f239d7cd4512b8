"""The one recipe that turns a cut-out face into a model's input; training, evaluation and inference all use it."""

import cv2
import numpy as np
from numpy.typing import NDArray


def face_pixels(face: NDArray[np.uint8], size: int, channels: int) -> NDArray[np.uint8]:
    """Bring a cut-out face to a model's input size and colours.

    Args:
        face: `uint8 (H, W)` grey or `(H, W, 3)` RGB.
        size: side of the square result in pixels. A picture that is not square is squeezed into one.
        channels: 1 for grey (ITU-R BT.601 luma), 3 for RGB.

    Returns:
        `uint8 (channels, size, size)`. A picture that already has this form keeps its pixels exactly.
    """
    if face.ndim == 3 and channels == 1:
        face = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    elif face.ndim == 2 and channels == 3:
        face = cv2.cvtColor(face, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
    if face.shape[:2] != (size, size):
        # Averaging over areas keeps a shrunken face free of aliasing, but is blocky when a face is enlarged.
        shrinks = face.shape[0] >= size and face.shape[1] >= size
        method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        face = cv2.resize(face, (size, size), interpolation=method).astype(np.uint8, copy=False)
    return face[None] if face.ndim == 2 else np.ascontiguousarray(face.transpose(2, 0, 1))
