"""Still pictures from and to files: any orientation, any mode in, upright RGB out."""

import io
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from kaoiro.errors import ImageError, InputError
from kaoiro.files import atomic_path, check_target

PIXEL_LIMIT: Final = 512_000_000
"""Pictures of more pixels than this are refused before they are decoded; as RGB this many take 1.5 GB."""

PICTURE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".avif", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm", ".qoi"}
)
"""Suffixes, in lower case, by which pictures are found in folders."""

Picture = str | Path | NDArray[np.uint8] | Image.Image
"""A picture in any of the forms that `as_rgb` takes."""

# Formats that run other programs (EPS) or have no signature to know them by (TGA) are left out.
_FORMATS: Final[tuple[str, ...]] = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "DIB",
    "TIFF",
    "AVIF",
    "JPEG2000",
    "PPM",
    "QOI",
)

# What Pillow's readers raise on damaged files.
_DECODING_ERRORS: Final = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, RuntimeError),
    struct.error,
)

_GREY_MODES: Final = ("1", "L", "LA", "La", "I", "F")

_pillow_limit_lock = threading.Lock()


def load_image(path: str | Path) -> NDArray[np.uint8]:
    """Read a picture as the eye should see it: upright and in colour.

    The EXIF orientation is applied; transparency is laid on white; of an animation the first frame is taken.
    16-bit grey is scaled to 8 bits. 32-bit and floating-point greys are taken for 8 or 16 bits where their
    range allows, floats within 0 to 1 for fractions of white; any other range is stretched from black to
    white.

    Returns:
        `uint8 (H, W, 3)` RGB.

    Raises:
        ImageError: there is no such file, or it is a folder, empty, no picture, damaged, cut short, or larger
            than `PIXEL_LIMIT`; the message says which.
    """
    return decode_image(picture_bytes(path), path)


def picture_bytes(path: str | Path) -> bytes:
    """Read a picture's file without decoding it.

    Raises:
        ImageError: there is no such file, it is a folder, or it cannot be read; the message says which.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise _unreadable(path, "there is no such file") from error
    except IsADirectoryError as error:
        raise _unreadable(path, "it is a folder, not a picture") from error
    except PermissionError as error:
        raise _unreadable(path, "permission denied") from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(getattr(error, "strerror", None) or error)) from error


def decode_image(data: bytes, name: str | Path = "<bytes>") -> NDArray[np.uint8]:
    """Decode an encoded picture like `load_image` does; `name` stands for it in error messages.

    Raises:
        ImageError: the bytes are empty, no picture, damaged, cut short, or larger than `PIXEL_LIMIT`.
    """
    with _decoding(data, name), _open_with_pillow(data, name) as picture:
        if picture.format in ("JPEG", "MPO") and picture.mode in ("RGB", "L"):
            # OpenCV decodes these twice as fast as Pillow, to the same pixels.
            rgb = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
            if rgb is not None:
                return _upright(np.asarray(rgb, np.uint8), _orientation(picture))
        return rgb_from_pillow(picture)


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What a picture's file says of it before any pixel is decoded.

    Attributes:
        width: of the upright picture, in pixels.
        height: of the upright picture, in pixels.
        is_grey: has it no colours.
        format: as Pillow names it, for example `JPEG`.
    """

    width: int
    height: int
    is_grey: bool
    format: str


def read_header(data: bytes, name: str | Path = "<bytes>") -> PictureHeader:
    """Read a picture's header; `name` stands for it in error messages. The pixels may still be damaged.

    Raises:
        ImageError: the bytes are empty, no picture, their header is damaged, or it is larger than `PIXEL_LIMIT`.
    """
    with _decoding(data, name), _open_with_pillow(data, name) as picture:
        width, height = picture.size
        if _orientation(picture) >= 5:
            width, height = height, width
        is_grey = picture.mode in _GREY_MODES or picture.mode.startswith("I;16")
        return PictureHeader(width, height, is_grey, picture.format or "")


@contextmanager
def _decoding(data: bytes, name: str | Path) -> Iterator[None]:
    """Turn what decoding raises into an `ImageError` that says what is wrong with the bytes."""
    if not data:
        raise _unreadable(name, "the file is empty")
    try:
        yield
    except UnidentifiedImageError as error:
        heic = data[4:8] == b"ftyp" and data[8:11] in (b"hei", b"hev", b"mif")
        reason = "HEIC is not read; convert it to JPEG first" if heic else "it is no picture in a known format"
        raise _unreadable(name, reason) from error
    except ImageError:
        raise
    except _DECODING_ERRORS as error:
        cut_short = "truncat" in str(error).lower() or isinstance(error, EOFError)
        reason = "the file ends too early (truncated?)" if cut_short else f"the file is damaged ({error})"
        raise _unreadable(name, reason) from error


def rgb_from_pillow(picture: Image.Image) -> NDArray[np.uint8]:
    """Turn a Pillow picture of any mode into upright `uint8 (H, W, 3)` RGB, as `load_image` describes."""
    if picture.format == "TIFF":  # its reader holds the size against Pillow's limit once more
        with _our_own_limit(is_tiff=True):
            picture.load()
    else:
        picture.load()
    orientation = _orientation(picture)  # after loading: Pillow's TIFF reader turns the picture itself
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        gray = _eight_bits(np.asarray(picture))
        return _upright(np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), np.uint8), orientation)
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    return _upright(np.array(picture), orientation)


def as_rgb(image: Picture) -> NDArray[np.uint8]:
    """Take a picture in any of the accepted forms: a path, an array, or a Pillow picture.

    Args:
        image: a path (`str` or `Path`), `uint8 (H, W, 3)` RGB, `uint8 (H, W)` grey, or a `PIL.Image.Image`.

    Returns:
        `uint8 (H, W, 3)` RGB; an RGB array is returned as it is, not copied.

    Raises:
        ImageError: the file cannot be read.
        InputError: it is something else, or an array of another type or shape.
    """
    if isinstance(image, str | Path):
        return load_image(image)
    if isinstance(image, Image.Image):
        return rgb_from_pillow(image)
    if not isinstance(image, np.ndarray):
        raise InputError(f"a picture must be a path, a NumPy array or a Pillow image, not {type(image).__name__}")
    is_gray = image.ndim == 2
    if image.dtype != np.uint8 or not (is_gray or (image.ndim == 3 and image.shape[2] == 3)) or image.size == 0:
        raise InputError(f"a picture must be uint8 (H, W, 3) RGB or uint8 (H, W) grey, not {image.dtype} {image.shape}")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8) if is_gray else image


def check_image_target(path: Path) -> None:
    """Refuse a file name to which no picture can be written, before any work is done for it.

    Raises:
        ImageError: the suffix is that of no kind of picture.
        InputError: no file can be there.
    """
    Image.init()
    if Image.EXTENSION.get(path.suffix.lower()) not in Image.SAVE:
        raise ImageError(f"cannot write {str(path)!r}: the suffix stands for no kind of picture; name it .png or .jpg")
    check_target(path)


def save_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write `uint8 (H, W, 3)` RGB to a file in the format of its suffix, whole or not at all.

    Raises:
        ImageError: the file cannot be written.
    """
    try:
        with atomic_path(path) as partial:
            Image.fromarray(image).save(partial, quality=92)
    except (OSError, ValueError) as error:
        raise ImageError(f"cannot write {str(path)!r}: {getattr(error, 'strerror', None) or error}") from error


def _unreadable(name: str | Path, reason: str) -> ImageError:
    return ImageError(f"cannot read {str(name)!r}: {reason}")


def _open_with_pillow(data: bytes, name: str | Path) -> Image.Image:
    """Read a picture's header."""
    Image.init()
    formats = tuple(known for known in _FORMATS if known in Image.OPEN)
    with _our_own_limit(is_tiff=data[:2] in (b"II", b"MM")):
        picture = Image.open(io.BytesIO(data), formats=formats)
    width, height = picture.size
    if width * height > PIXEL_LIMIT:
        limit = PIXEL_LIMIT // 1_000_000
        raise _unreadable(name, f"its {width} × {height} pixels exceed the limit of {limit} megapixels")
    return picture


@contextmanager
def _our_own_limit(is_tiff: bool) -> Iterator[None]:
    """Lift Pillow's size limit, which warns before it refuses, and silence what it remarks on damaged TIFFs.

    One thread at a time, since the state of both is the whole process's.
    """
    with _pillow_limit_lock, warnings.catch_warnings() if is_tiff else nullcontext():
        if is_tiff:
            warnings.simplefilter("ignore", UserWarning)
        pillow_limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = pillow_limit


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) to 8; damaged EXIF counts as none."""
    try:
        value = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except _DECODING_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(rgb: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation: 2 to 4 mirror or turn by 180°; 5 to 8 also swap rows and columns."""
    if orientation >= 5:
        rgb = rgb.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    return np.ascontiguousarray(rgb)


def _eight_bits(gray: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale grey values of any number type to 0 to 255."""
    if gray.dtype.kind == "u" and gray.dtype.itemsize == 2:
        return np.round(gray / 257).astype(np.uint8)
    values = np.nan_to_num(gray.astype(np.float64), posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1 and gray.dtype.kind == "f":
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif low >= 0 and high <= 65535 and gray.dtype.kind == "i":
        low, high = 0.0, 65535.0
    return np.round((values - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)
