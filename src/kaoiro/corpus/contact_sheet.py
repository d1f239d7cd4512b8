"""A contact sheet: some faces of each class on one picture, to see at a glance what a corpus holds."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kaoiro.corpus.store import Corpus
from kaoiro.corpus.summary import count_faces

FACES_A_CLASS: Final = 16
FACE_SIDE: Final = 72
_GAP = 4
_MARGIN = 20
_NAME_WIDTH = 150
_NAME_SIZE = 20
_COUNT_SIZE = 14
_PAPER = (255, 255, 255)
_INK = (28, 28, 30)
_PALE_INK = (110, 110, 115)


def draw_contact_sheet(corpus: Corpus) -> NDArray[np.uint8]:
    """Draw a row of faces for each class, taken at even distances from all of the class's faces.

    Returns:
        `uint8 (H, W, 3)` RGB. Its size depends only on the number of classes.

    Raises:
        CorpusError: a picture cannot be decoded.
    """
    counts = count_faces(corpus)
    labels = np.array([label or "" for label in corpus.labels()])
    step = FACE_SIDE + _GAP
    width = 2 * _MARGIN + _NAME_WIDTH + FACES_A_CLASS * step - _GAP
    height = 2 * _MARGIN + len(counts.labels) * step - _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    name_font = ImageFont.load_default(_NAME_SIZE)
    count_font = ImageFont.load_default(_COUNT_SIZE)

    for line, label in enumerate(counts.labels):
        top = _MARGIN + line * step
        middle = top + FACE_SIDE // 2
        faces_text = "1 face" if (n := counts.of_label(label)) == 1 else f"{n:,} faces"
        draw.text((_MARGIN, middle - 1), label or "no label", _INK, name_font, anchor="ls")
        draw.text((_MARGIN, middle + 6), faces_text, _PALE_INK, count_font, anchor="lt")
        rows = _evenly(np.flatnonzero(labels == (label or "")), FACES_A_CLASS)
        for place, face in enumerate(_rows(corpus, rows).decode_faces(FACE_SIDE, channels=3)):
            left = _MARGIN + _NAME_WIDTH + place * step
            sheet.paste(Image.fromarray(face.transpose(1, 2, 0)), (left, top))
    return np.asarray(sheet)


def _evenly(rows: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """Take `wanted` rows at even distances, the first and the last among them; all if there are no more."""
    if len(rows) <= wanted:
        return rows
    return rows[np.linspace(0, len(rows) - 1, wanted).round().astype(np.int64)]


def _rows(corpus: Corpus, rows: NDArray[np.int64]) -> Corpus:
    # Slices are views; Table.take would first join the pictures of the whole corpus into one buffer.
    return Corpus(corpus.path, pa.concat_tables([corpus.table.slice(row, 1) for row in rows.tolist()]))
