"""A corpus's pictures: encoding pixels for it, and decoding what it holds."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.media.images import decode_image

# On noisy little faces, entropy coding alone is as small as a search for repeats, and takes less time.
_PNG_SETTINGS: Final = (
    cv2.IMWRITE_PNG_COMPRESSION,
    9,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
)
_GREY_PNG_BEGINS: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_EIGHT_BITS_GREY: Final = b"\x08\x00"


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode `uint8 (H, W)` grey pixels as PNG, always to the same bytes."""
    encodes, png = cv2.imencode(".png", pixels, _PNG_SETTINGS)
    assert encodes
    return png.tobytes()


def decode_picture(encoded: bytes, name: str) -> NDArray[np.uint8]:
    """Decode a picture to the pixels that `kaoiro.media.images.decode_image` gives, plain grey PNGs faster.

    Args:
        encoded: the picture's file.
        name: what to call it in an error message.

    Returns:
        `uint8 (H, W)` grey for 8-bit grey PNGs without extras, otherwise `(H, W, 3)` RGB.

    Raises:
        ImageError: it cannot be decoded.
    """
    if _is_plain_grey_png(encoded):
        grey = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
        if grey is not None:
            return grey.astype(np.uint8, copy=False)
    return decode_image(encoded, name)


def _is_plain_grey_png(encoded: bytes) -> bool:
    is_grey = encoded.startswith(_GREY_PNG_BEGINS) and encoded[24:26] == _EIGHT_BITS_GREY
    # Transparency and orientation are dealt with by decode_image; a wrong guess costs only time.
    return is_grey and b"tRNS" not in encoded and b"eXIf" not in encoded
