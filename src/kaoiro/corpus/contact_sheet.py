"""A contact sheet: some faces of each class and split on one picture, to see at a glance what a corpus holds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kaoiro.corpus.row_groups import Pictures, RowGroups
from kaoiro.corpus.summary import Summary
from kaoiro.errors import CorpusError, ImageError
from kaoiro.media.images import read_header
from kaoiro.parallel import available_cores

FACE_SIDE: Final = 72
FACES_A_BLOCK: Final = {1: 16, 2: 8, 3: 6, 4: 4}
"""How many faces of a class and split are drawn, by the number of splits."""

_GAP = 4
_BLOCK_GAP = 28
_MARGIN = 20
_NAME_WIDTH = 150
_HEAD_HEIGHT = 34
_NAME_SIZE = 20
_COUNT_SIZE = 14
_PAPER = (255, 255, 255)
_INK = (28, 28, 30)
_PALE_INK = (110, 110, 115)


@dataclass(frozen=True)
class Looks:
    """What the pictures of a corpus show of themselves.

    Attributes:
        sizes: width and height of each picture in pixels, `int64 (n, 2)`.
        faces: by label and split, some faces, `uint8 (m, 3, FACE_SIDE, FACE_SIDE)`.
    """

    sizes: NDArray[np.int64]
    faces: dict[tuple[str | None, str | None], NDArray[np.uint8]]


def look_at_pictures(
    stored: RowGroups, summary: Summary, on_progress: Callable[[float], None] = lambda _: None
) -> Looks:
    """Read each picture's size, and decode a few of each class and split, taken at even distances from all of them.

    One row group's pictures are in memory at a time.

    Raises:
        CorpusError: the file cannot be read any more, or a picture cannot be decoded.
    """
    counts = summary.counts()
    wanted = {pair: _evenly(summary.rows_of(*pair), FACES_A_BLOCK[len(counts.splits)]) for pair in counts.faces}
    rows = np.sort(np.concatenate(list(wanted.values())))
    sizes = np.empty((len(summary), 2), np.int64)
    drawn = np.empty((len(rows), 3, FACE_SIDE, FACE_SIDE), np.uint8)
    start = 0
    for group in range(len(stored)):
        pictures = stored.pictures(group)
        end = start + len(pictures.encoded)
        sizes[start:end] = _sizes(pictures)
        here = slice(*np.searchsorted(rows, (start, end)).tolist())
        drawn[here] = pictures.decode(rows[here] - start, FACE_SIDE, 3, available_cores())
        start = end
        on_progress(end / len(summary))
    return Looks(sizes, {pair: drawn[np.searchsorted(rows, of_pair)] for pair, of_pair in wanted.items()})


def draw_contact_sheet(summary: Summary, looks: Looks) -> NDArray[np.uint8]:
    """Draw a row for each class with a block of faces for each split.

    Returns:
        `uint8 (H, W, 3)` RGB. Its size depends only on the number of classes and splits.
    """
    counts = summary.counts()
    step = FACE_SIDE + _GAP
    in_block = FACES_A_BLOCK[len(counts.splits)]
    block = in_block * step - _GAP + _BLOCK_GAP
    width = 2 * _MARGIN + _NAME_WIDTH + len(counts.splits) * block - _BLOCK_GAP
    height = 2 * _MARGIN + _HEAD_HEIGHT + len(counts.labels) * step - _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    name_font = ImageFont.load_default(_NAME_SIZE)
    count_font = ImageFont.load_default(_COUNT_SIZE)

    for column, split in enumerate(counts.splits):
        left = _MARGIN + _NAME_WIDTH + column * block
        base = _MARGIN + _HEAD_HEIGHT - 14
        name = split or "no split"
        draw.text((left, base), name, _INK, name_font, anchor="ls")
        after = left + draw.textlength(name, name_font) + 8
        draw.text((after, base), _in_words(counts.of_split(split)), _PALE_INK, count_font, anchor="ls")
        for line, label in enumerate(counts.labels):
            top = _MARGIN + _HEAD_HEIGHT + line * step
            for place, face in enumerate(looks.faces.get((label, split), ())):
                sheet.paste(Image.fromarray(face.transpose(1, 2, 0)), (left + place * step, top))
    for line, label in enumerate(counts.labels):
        middle = _MARGIN + _HEAD_HEIGHT + line * step + FACE_SIDE // 2
        draw.text((_MARGIN, middle - 1), label or "no label", _INK, name_font, anchor="ls")
        draw.text((_MARGIN, middle + 6), _in_words(counts.of_label(label)), _PALE_INK, count_font, anchor="lt")
    return np.asarray(sheet)


def _in_words(faces: int) -> str:
    return "1 face" if faces == 1 else f"{faces:,} faces"


def _evenly(rows: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """Take `wanted` rows at even distances, the first and the last among them; all if there are no more."""
    if len(rows) <= wanted:
        return rows
    return rows[np.linspace(0, len(rows) - 1, wanted).round().astype(np.int64)]


def _sizes(pictures: Pictures) -> list[tuple[int, int]]:
    try:
        headers = [
            read_header(encoded.as_py(), source.as_py())
            for encoded, source in zip(pictures.encoded, pictures.sources, strict=True)
        ]
    except ImageError as error:
        raise CorpusError(f"{pictures.path}: {error}; import the corpus again") from error
    return [(header.width, header.height) for header in headers]
