"""Little pictures that a page carries in itself."""

import base64
import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kaoiro.audit.material import encoded_pictures
from kaoiro.corpus.pictures import decode_picture
from kaoiro.corpus.row_groups import RowGroups
from kaoiro.errors import CorpusError, ImageError

SIDE: Final = 64
"""Longest side of a thumbnail in pixels; smaller pictures keep their size."""
_QUALITY: Final = 72


def thumbnails(stored: RowGroups, rows: NDArray[np.int64]) -> dict[int, str]:
    """Make a data URI of each row's picture, in its own shape.

    Raises:
        CorpusError: the corpus cannot be read any more, or a picture cannot be decoded.
    """
    made = {}
    for row, encoded, source in encoded_pictures(stored, rows):
        try:
            picture = Image.fromarray(decode_picture(encoded, source))
        except ImageError as error:
            raise CorpusError(f"{stored.path}: {error}; import the corpus again") from error
        picture.thumbnail((SIDE, SIDE))
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=_QUALITY, method=2)
        made[row] = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return made
