"""Pictures that show little: blank ones, ones of low contrast, blurred ones, and ones of sizes unlike the rest."""

from dataclasses import dataclass
from math import ceil
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.row_groups import RowGroups
from kaoiro.errors import CorpusError, ImageError
from kaoiro.media.images import PictureHeader, read_header

BLANK: Final = 5.0
"""Contrast below which a picture is blank: nothing can be made out in it."""

LOW_CONTRAST: Final = 16.0
"""Contrast below which a picture is dull, dark or washed out to the eye: a sixteenth of the range of grey levels."""

BLURRED: Final = 0.5
"""Sharpness below which a picture is blurred.

A Gaussian blur of 1 pixel brings nearly every face of FER2013 below it, and so does enlarging it from 16 pixels."""

TINY_SIDE: Final = 24
"""Shorter side in pixels below which a picture is tiny: half of what the faces are compared at."""

ODD_SHAPE: Final = 1.5
"""How many times wider or taller than the corpus's median shape a picture of odd shape is."""

ODD_SIZE: Final = 4.0
"""How many times larger or smaller than the corpus's median, by the shorter side, a picture of odd size is."""

ODD_COLOURS: Final = 0.01
"""Share of the corpus below which grey pictures among coloured ones are odd, or coloured ones among grey ones."""

_BLOCK = 1024
_EDGES = 98  # percentile: a face has few edges, and the background may be blurred on purpose
_FINE, _COARSE = 0.8, (1.6, 3.2)  # standard deviations of Gaussian blurs, in pixels of 48


@dataclass(frozen=True)
class PictureScores:
    """How much each picture shows.

    Attributes:
        contrast: standard deviation of the grey levels, 0 to 127.5 (RMS contrast: Peli 1990,
            https://doi.org/10.1364/JOSAA.7.002032); `float32 (n,)`.
        sharpness: strength of the finest detail in units of that of coarse detail, 0 upwards, about 1 for an ordinary
            face, whatever the contrast; `float32 (n,)`. 0 for a picture of a single colour.
    """

    contrast: NDArray[np.float32]
    sharpness: NDArray[np.float32]

    @property
    def blank(self) -> NDArray[np.bool_]:
        """A single colour, or nearly; `bool (n,)`."""
        return self.contrast < BLANK

    @property
    def low_contrast(self) -> NDArray[np.bool_]:
        """Of low contrast, but not blank; `bool (n,)`."""
        return (self.contrast < LOW_CONTRAST) & ~self.blank

    @property
    def blurred(self) -> NDArray[np.bool_]:
        """Blurred, but not blank; `bool (n,)`."""
        return (self.sharpness < BLURRED) & ~self.blank


def check_pictures(faces: NDArray[np.uint8]) -> PictureScores:
    """Measure the contrast and the sharpness of faces as a model sees them.

    A picture that is blurred at its own size and sharp at 48 pixels counts as sharp.

    Args:
        faces: `uint8 (n, 48, 48)` grey. The thresholds hold for this size.
    """
    contrast = np.empty(len(faces), np.float32)
    sharpness = np.empty(len(faces), np.float32)
    fine, coarse, coarser = (_blur_matrix(faces.shape[1], deviation) for deviation in (_FINE, *_COARSE))
    for start in range(0, len(faces), _BLOCK):
        block = slice(start, start + _BLOCK)
        pixels = faces[block].astype(np.float32)
        contrast[block] = pixels.std(axis=(1, 2))
        finest = _strength(pixels - _blurred(pixels, fine))
        sharpness[block] = finest / np.maximum(_strength(_blurred(pixels, coarse) - _blurred(pixels, coarser)), 0.01)
    sharpness[contrast == 0] = 0  # rounding leaves a trace of detail
    return PictureScores(contrast, sharpness)


@dataclass(frozen=True)
class Sizes:
    """The pictures' own sizes, upright.

    Attributes:
        width: in pixels, `int64 (n,)`.
        height: in pixels, `int64 (n,)`.
        channels: 1 for grey, 3 for colour, transparency not counted; `int64 (n,)`.
        formats: the encoded files' formats as Pillow names them, for example `JPEG`; n of them.
    """

    width: NDArray[np.int64]
    height: NDArray[np.int64]
    channels: NDArray[np.int64]
    formats: tuple[str, ...]

    @property
    def tiny(self) -> NDArray[np.bool_]:
        """The shorter side is below `TINY_SIDE` pixels; `bool (n,)`."""
        return np.minimum(self.width, self.height) < TINY_SIDE

    @property
    def odd_shape(self) -> NDArray[np.bool_]:
        """More than `ODD_SHAPE` times wider or taller than the corpus's median; `bool (n,)`."""
        return _far_from_median(self.width / self.height, ODD_SHAPE)

    @property
    def odd_size(self) -> NDArray[np.bool_]:
        """More than `ODD_SIZE` times larger or smaller than the corpus's median; `bool (n,)`."""
        return _far_from_median(np.minimum(self.width, self.height), ODD_SIZE)

    @property
    def odd_colours(self) -> NDArray[np.bool_]:
        """Grey where less than `ODD_COLOURS` of the corpus is, or coloured where less of it is; `bool (n,)`."""
        grey = self.channels == 1
        return np.asarray(np.where(grey, grey.mean() < ODD_COLOURS, (~grey).mean() < ODD_COLOURS))

    @property
    def odd(self) -> NDArray[np.bool_]:
        """Of a shape, a size or colours unlike the rest; `bool (n,)`."""
        return self.odd_shape | self.odd_size | self.odd_colours


def picture_sizes(stored: RowGroups) -> Sizes:
    """Read every picture's size from its header, without decoding it.

    Raises:
        CorpusError: the corpus cannot be read, or a picture's header cannot; the message gives its source.
    """
    headers: list[PictureHeader] = []
    for group in range(len(stored)):
        pictures = stored.pictures(group)
        for encoded, source in zip(pictures.encoded.to_pylist(), pictures.sources.to_pylist(), strict=True):
            try:
                headers.append(read_header(encoded, source))
            except ImageError as error:
                raise CorpusError(f"{stored.path}: {error}; import the corpus again") from error
    return Sizes(
        width=np.array([header.width for header in headers], np.int64),
        height=np.array([header.height for header in headers], np.int64),
        channels=np.array([1 if header.is_grey else 3 for header in headers], np.int64),
        formats=tuple(header.format for header in headers),
    )


def _far_from_median(values: NDArray[np.int64] | NDArray[np.float64], times: float) -> NDArray[np.bool_]:
    ratio = values / np.median(values)
    return (ratio > times) | (ratio < 1 / times)


def _blur_matrix(side: int, deviation: float) -> NDArray[np.float32]:
    """The matrix that blurs a column of `side` pixels, mirrored at its ends: `float32 (side, side)`."""
    kernel = cv2.getGaussianKernel(2 * ceil(4 * deviation) + 1, deviation, cv2.CV_32F)
    unit = np.eye(side, dtype=np.float32)
    return np.asarray(cv2.sepFilter2D(unit, -1, np.ones(1, np.float32), kernel, borderType=cv2.BORDER_REFLECT_101))


def _blurred(pixels: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(matrix @ pixels @ matrix.T)


def _strength(detail: NDArray[np.float32]) -> NDArray[np.float32]:
    """How strong the clearest detail of each picture is: `float32 (n,)`."""
    return np.asarray(np.percentile(np.abs(detail).reshape(len(detail), -1), _EDGES, axis=1), np.float32)
