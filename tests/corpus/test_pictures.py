import io

import numpy as np
import pytest
from PIL import Image

from kaoiro.corpus.pictures import decode_picture, encode_png
from kaoiro.errors import ImageError
from kaoiro.media.images import decode_image

NOISE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def encoded(pixels, form="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def test_png_keeps_the_pixels_and_is_always_the_same():
    png = encode_png(NOISE[..., 0])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), NOISE[..., 0])
    assert png == encode_png(NOISE[..., 0].copy())


@pytest.mark.parametrize(
    "picture",
    [
        encoded(NOISE[..., 0]),  # the fast way
        encoded(NOISE[..., 0], transparency=3),  # grey with a transparent shade, laid on white
        encoded(NOISE[..., 0].astype(np.uint16) * 200),
        encoded(NOISE[..., 0] > 128),
        encoded(NOISE),
        encoded(NOISE, "JPEG"),
        encoded(NOISE[..., 0], "JPEG"),
    ],
)
def test_same_pixels_as_inference_sees(picture):
    decoded = decode_picture(picture, "a picture")
    if decoded.ndim == 2:
        decoded = np.repeat(decoded[..., None], 3, axis=2)
    np.testing.assert_array_equal(decoded, decode_image(picture))


@pytest.mark.parametrize("broken", [b"", b"text", encoded(NOISE, "JPEG")[:-200], encoded(NOISE[..., 0])[:33]])
def test_broken_pictures(broken):
    with pytest.raises(ImageError, match="face 7"):
        decode_picture(broken, "face 7")
