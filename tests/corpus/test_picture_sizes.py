import io

import numpy as np
import pytest
from PIL import Image

from kaoiro.corpus.picture_sizes import picture_size
from kaoiro.errors import ImageError
from kaoiro.media.images import decode_image

NOISE = np.random.default_rng(0).integers(0, 256, (31, 17, 3), np.uint8)


def encoded(kind, **options):
    file = io.BytesIO()
    Image.fromarray(NOISE).save(file, kind, **options)
    return file.getvalue()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("PNG", {"exif": turned()}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": "\xff\xc0 no frame"}),
        ("JPEG", {"exif": turned()}),
        ("WEBP", {}),
        ("BMP", {}),
        ("GIF", {}),
    ],
)
def test_the_size_is_that_of_the_decoded_picture(kind, options):
    picture = encoded(kind, **options)
    height, width, _ = decode_image(picture).shape
    assert {width, height} == {17, 31}
    assert picture_size(picture, "a") == (width, height)


def test_filling_bytes_before_a_marker():
    picture = encoded("JPEG")
    assert picture_size(picture[:2] + b"\xff\xff" + picture[2:], "a") == (17, 31)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_only_the_header_is_read(kind):
    picture = encoded(kind)
    assert picture_size(picture[: len(picture) * 3 // 4], "a") == (17, 31)


@pytest.mark.parametrize("picture", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\0", encoded("PNG")[:20], b"text" * 9])
def test_what_is_no_picture(picture):
    with pytest.raises(ImageError, match="'a'"):
        picture_size(picture, "a")
