"""The format of an encoded picture, by its first bytes."""

from typing import Final

from kaoiro.media.images import PICTURE_SUFFIXES

_SUFFIX_BY_BEGINNING: Final = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"II+\0", ".tif"),
    (b"MM\0+", ".tif"),
    (b"\0\0\0\x0cjP  ", ".jp2"),
    (b"\xff\x4f\xff\x51", ".jp2"),
    (b"qoif", ".qoi"),
)
_PORTABLE_ANYMAPS: Final = frozenset(b"P%d" % number for number in range(1, 8))


def picture_suffix(encoded: bytes, name: str = "") -> str:
    """Give the suffix of a file that holds the picture.

    Args:
        encoded: the picture's file.
        name: a name whose suffix is taken where the format has no mark.

    >>> picture_suffix(b"GIF89a...", "face.png")
    '.gif'
    """
    for beginning, suffix in _SUFFIX_BY_BEGINNING:
        if encoded.startswith(beginning):
            return suffix
    if encoded.startswith(b"RIFF") and encoded[8:12] == b"WEBP":
        return ".webp"
    if encoded[4:12] in (b"ftypavif", b"ftypavis"):
        return ".avif"
    if encoded[:2] in _PORTABLE_ANYMAPS:
        return ".pnm"
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    return suffix if suffix in PICTURE_SUFFIXES else ".img"
