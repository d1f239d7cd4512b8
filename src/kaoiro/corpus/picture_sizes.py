"""The size of an encoded picture, from its header where that is plain to read."""

import struct
from typing import Final

from kaoiro.media.images import decode_image

_PNG_BEGINS: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_JPEG_BEGINS: Final = b"\xff\xd8"
_NO_CONTENT: Final = frozenset((0x01, *range(0xD0, 0xD8)))  # markers that stand alone
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers with the size behind them
_EXIF: Final = 0xE1


def picture_size(encoded: bytes, name: str) -> tuple[int, int]:
    """Give width and height in pixels of the upright picture.

    PNG and JPEG are not decoded for it, unless they may be turned by their EXIF data; other formats are.

    Args:
        encoded: the picture's file.
        name: what to call it in an error message.

    Raises:
        ImageError: it had to be decoded, and cannot be.
    """
    size = None
    if encoded.startswith(_PNG_BEGINS) and b"eXIf" not in encoded:
        size = struct.unpack_from(">II", encoded, 16) if len(encoded) >= 24 else None
    elif encoded.startswith(_JPEG_BEGINS):
        size = _size_of_jpeg(encoded)
    if size is not None and all(size):
        return size[0], size[1]
    height, width, _ = decode_image(encoded, name).shape
    return width, height


def _size_of_jpeg(encoded: bytes) -> tuple[int, int] | None:
    """Go from marker to marker up to the frame's; None where there is none, or EXIF data come first."""
    place = len(_JPEG_BEGINS)
    while place + 9 <= len(encoded) and encoded[place] == 0xFF:
        marker = encoded[place + 1]
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", encoded, place + 5)
            return width, height
        if marker == _EXIF and encoded[place + 4 : place + 8] == b"Exif":
            return None
        if marker in _NO_CONTENT or marker == 0xFF:  # the latter fills up
            place += 1 if marker == 0xFF else 2
        else:
            place += 2 + int(struct.unpack_from(">H", encoded, place + 2)[0])
    return None
