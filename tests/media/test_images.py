import io
import threading
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from kaoiro.errors import ImageError, InputError
from kaoiro.media import images
from kaoiro.media.images import as_rgb, decode_image, load_image, read_header, save_image

ORIENTATION = 0x0112
UPRIGHT = np.zeros((24, 40, 3), np.uint8)
UPRIGHT[:12, :20] = 200, 30, 30
UPRIGHT[:12, 20:] = 30, 200, 30
UPRIGHT[12:, :20] = 30, 30, 200


def encoded(picture, format_, **options):
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def turned(orientation):
    """A picture that EXIF `orientation` turns upright, and that EXIF."""
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    picture = Image.fromarray(UPRIGHT)
    if undo is not None:
        picture = picture.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert np.array_equal(ImageOps.exif_transpose(with_exif(picture, exif)), UPRIGHT)
    return picture, exif


def with_exif(picture, exif):
    return Image.open(io.BytesIO(encoded(picture, "PNG", exif=exif)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_exif_orientation_gives_the_same_upright_picture(orientation, format_, tmp_path):
    picture, exif = turned(orientation)
    options = {"quality": 100, "subsampling": 0} if format_ == "JPEG" else {"lossless": True}
    path = tmp_path / "picture"
    path.write_bytes(encoded(picture, format_, exif=exif, **options))
    image = load_image(path)
    assert image.shape == UPRIGHT.shape
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - UPRIGHT).mean() < 3  # JPEG is not exact


def test_damaged_exif_counts_as_none():
    data = encoded(Image.fromarray(UPRIGHT), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff nonsense")
    with pytest.warns(UserWarning, match="Corrupt EXIF data"):
        assert decode_image(data).shape == UPRIGHT.shape


def test_orientations_outside_1_to_8_count_as_none():
    exif = Image.Exif()
    exif[ORIENTATION] = 9
    assert decode_image(encoded(Image.fromarray(UPRIGHT), "JPEG", exif=exif)).shape == UPRIGHT.shape


def test_opencv_and_pillow_decode_jpeg_alike(astronaut):
    with Image.open(astronaut) as picture:
        assert np.array_equal(load_image(astronaut), np.array(picture))


def ramp(dtype, low, high):
    return np.linspace(low, high, 256).reshape(16, 16).astype(dtype)


RAMP = ramp(np.uint8, 0, 255)


@pytest.mark.parametrize(
    ("picture", "format_"),
    [
        # grey of every kind of number, each from black to white
        (Image.fromarray(RAMP), "JPEG"),
        (Image.fromarray(RAMP), "PNG"),
        (Image.fromarray(ramp(np.uint16, 0, 65535)), "PNG"),
        (Image.fromarray(ramp(np.uint16, 0, 65535)), "TIFF"),
        (Image.fromarray(ramp(np.int32, 0, 65535)), "TIFF"),
        (Image.fromarray(ramp(np.int32, 0, 255)), "TIFF"),
        (Image.fromarray(ramp(np.int32, -5000, 2_000_000)), "TIFF"),
        (Image.fromarray(ramp(np.float32, 0, 1)), "TIFF"),
        (Image.fromarray(ramp(np.float32, 0, 255)), "TIFF"),
        (Image.fromarray(ramp(np.float32, -3, 70000)), "TIFF"),
        # the same in modes with other channels
        (Image.fromarray(RAMP).convert("LA"), "PNG"),
        (Image.fromarray(RAMP).convert("RGBA"), "PNG"),
        (Image.fromarray(RAMP).convert("P"), "PNG"),
        (Image.fromarray(RAMP).convert("P"), "GIF"),
        (Image.fromarray(RAMP).convert("CMYK"), "TIFF"),
        (Image.fromarray(RAMP).convert("CMYK"), "JPEG"),
        (Image.fromarray(RAMP).convert("YCbCr"), "TIFF"),
    ],
)
def test_every_mode_is_read_from_black_to_white(picture, format_):
    options = {"quality": 100} if format_ == "JPEG" else {}
    image = decode_image(encoded(picture, format_, **options))
    assert image.shape == (16, 16, 3)
    assert np.abs(image.astype(int) - RAMP[:, :, None]).max() <= 4  # JPEG's rounding


def test_16_bits_are_scaled_not_clipped():
    image = decode_image(encoded(Image.fromarray(np.full((2, 2), 257 * 100, np.uint16)), "PNG"))
    assert (image == 100).all()


def test_floats_that_are_no_numbers_are_black():
    values = np.array([[np.nan, 1.0], [0.5, np.inf]], np.float32)
    assert decode_image(encoded(Image.fromarray(values), "TIFF"))[:, :, 0].tolist() == [[0, 255], [128, 0]]


def test_a_float_picture_of_one_value_is_read():
    assert decode_image(encoded(Image.fromarray(np.full((2, 2), -7, np.float32)), "TIFF")).max() == 0


def test_one_bit_pictures_are_black_and_white():
    bits = np.array([[0, 255], [255, 0]], np.uint8)
    image = decode_image(encoded(Image.fromarray(bits).convert("1"), "PNG"))
    assert np.array_equal(image[:, :, 0], bits)


def test_lab_colours_are_read():
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    picture = ImageCms.profileToProfile(Image.new("RGB", (4, 4), "white"), srgb, lab, outputMode="LAB")
    assert (decode_image(encoded(picture, "TIFF")) > 250).all()


def palette_with_transparency():
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putpixel((0, 0), 1)
    return encoded(picture, "PNG", transparency=0)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # half-transparent black is grey on white
        (encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"), (127, 127, 127)),
        (encoded(Image.new("LA", (4, 4), (0, 0)), "PNG"), (255, 255, 255)),
        (encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 0)), "WEBP", lossless=True), (255, 255, 255)),
        # one colour of a palette, or of an RGB picture, is the transparent one
        (palette_with_transparency(), (255, 255, 255)),
        (encoded(Image.new("RGB", (4, 4), (9, 8, 7)), "PNG", transparency=(9, 8, 7)), (255, 255, 255)),
    ],
)
def test_transparency_is_laid_on_white(data, expected):
    assert tuple(decode_image(data)[3, 3]) == expected


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_an_animation_is_taken(format_):
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    data = encoded(red, format_, save_all=True, append_images=[blue])
    red_pixel = decode_image(data)[4, 4]
    assert red_pixel[0] > 240
    assert red_pixel[2] < 15


def test_a_picture_of_one_pixel_is_read():
    assert decode_image(encoded(Image.new("RGB", (1, 1), "white"), "PNG")).tolist() == [[[255, 255, 255]]]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "it is a folder, not a picture"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_text("Dear diary"), "it is no picture in a known format"),
        (
            lambda path: path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0"),
            "HEIC is not read; convert it to JPEG first",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_one_line(prepare, message, tmp_path):
    path = tmp_path / "x.jpg"
    prepare(path)
    with pytest.raises(ImageError) as caught:
        load_image(path)
    assert str(caught.value) == f"cannot read '{path}': {message}"


def test_a_path_that_no_file_can_have_is_told():
    with pytest.raises(ImageError, match="null byte"):
        load_image("a\0b.jpg")


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.999])
@pytest.mark.parametrize(
    ("format_", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("GIF", {}), ("TIFF", {}), ("BMP", {})],
)
def test_a_picture_that_was_cut_short_is_an_error(format_, options, kept, astronaut, capfd):
    with Image.open(astronaut) as picture:
        data = encoded(picture, format_, **options)
    with pytest.raises(ImageError, match=r"^cannot read 'x': the file (ends too early \(truncated\?\)|is damaged)"):
        decode_image(data[: int(len(data) * kept)], "x")
    assert capfd.readouterr() == ("", "")


def test_a_cut_short_jpeg_is_told_from_a_damaged_one(astronaut):
    with pytest.raises(ImageError, match=r"ends too early \(truncated\?\)$"):
        decode_image(astronaut.read_bytes()[:-2])


def test_a_damaged_png_is_an_error(capfd):
    data = bytearray(encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)), "PNG"))
    data[200:260] = bytes(60)
    with pytest.raises(ImageError, match="the file is damaged"):
        decode_image(bytes(data))
    assert capfd.readouterr().err == ""


def test_pictures_above_the_limit_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(images, "PIXEL_LIMIT", 1_000_000)
    data = encoded(Image.new("L", (2000, 1000)), "PNG")
    with pytest.raises(ImageError, match="its 2000 × 1000 pixels exceed the limit of 1 megapixels"):
        decode_image(data)


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_pillows_own_limit_neither_warns_nor_refuses(monkeypatch, format_):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    data = encoded(Image.new("L", (200, 100)), format_)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_image(data).shape == (100, 200, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
def test_the_header_has_the_size_of_the_decoded_picture(format_, orientation):
    picture, exif = turned(orientation)
    header = read_header(encoded(picture, format_, exif=exif))
    assert (header.height, header.width) == UPRIGHT.shape[:2]
    assert (header.format, header.is_grey) == (format_, False)


@pytest.mark.parametrize(
    ("mode", "is_grey"), [("L", True), ("1", True), ("LA", True), ("I;16", True), ("P", False), ("RGBA", False)]
)
def test_the_header_tells_grey_from_colour(mode, is_grey):
    assert read_header(encoded(Image.new(mode, (3, 2)), "PNG")).is_grey == is_grey


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_only_the_header_is_read(format_):
    data = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (31, 17, 3), np.uint8)), format_)
    header = read_header(data[: len(data) * 3 // 4])
    assert (header.width, header.height) == (17, 31)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\0", encoded(Image.new("L", (9, 9)), "PNG")[:20], b"text" * 9]
)
def test_what_has_no_header(data):
    with pytest.raises(ImageError, match="cannot read 'a'"):
        read_header(data, "a")


def test_damaged_tiffs_are_refused_without_a_word_of_pillows():
    """Many ways of being damaged: each gives pixels or our own error, never a warning (an error in these tests)."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    whole = encoded(Image.fromarray(noise), "TIFF")
    tags = int.from_bytes(whole[4:8], "little")
    refused = 0
    for place in range(tags, len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0b101
        try:
            decode_image(bytes(damaged))
        except ImageError:
            refused += 1
    assert refused > 20


@pytest.mark.slow
def test_a_picture_of_108_megapixels_is_read():
    assert decode_image(encoded(Image.new("RGB", (12_000, 9_000)), "JPEG")).shape == (9_000, 12_000, 3)


def test_pictures_are_read_in_several_threads_at_once(astronaut):
    expected = load_image(astronaut)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(np.array_equal(load_image(astronaut), expected)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


def test_as_rgb_takes_paths_arrays_and_pillow_images(tmp_path):
    save_image(tmp_path / "a.png", UPRIGHT)
    picture, exif = turned(6)
    assert np.array_equal(as_rgb(tmp_path / "a.png"), UPRIGHT)
    assert np.array_equal(as_rgb(str(tmp_path / "a.png")), UPRIGHT)
    assert np.array_equal(as_rgb(with_exif(picture, exif)), UPRIGHT)
    assert as_rgb(UPRIGHT) is UPRIGHT
    assert np.array_equal(as_rgb(UPRIGHT[:, :, 0])[:, :, 2], UPRIGHT[:, :, 0])


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 3)), r"not float64 \(4, 4, 3\)"),
        (np.zeros((4, 4, 4), np.uint8), r"not uint8 \(4, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"not uint8 \(0, 4, 3\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"not uint8 \(2, 4, 4, 3\)"),
        ([[0, 1], [2, 3]], "not list"),
        (None, "not NoneType"),
    ],
)
def test_as_rgb_says_what_it_was_given(image, message):
    with pytest.raises(InputError, match=message):
        as_rgb(image)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "new/folder/a.webp"])
def test_saved_pictures_are_read_again(name, tmp_path):
    save_image(tmp_path / name, UPRIGHT)
    assert np.abs(load_image(tmp_path / name).astype(int) - UPRIGHT).mean() < 10
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [(tmp_path / name).name]


def test_a_picture_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match="cannot write"):
        save_image(tmp_path / "file" / "a.png", UPRIGHT)
    with pytest.raises(ImageError, match=r"cannot write .*unknown file extension"):
        save_image(tmp_path / "a.nonsense", UPRIGHT)
