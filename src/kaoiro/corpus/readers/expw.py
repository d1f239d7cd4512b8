"""ExpW, Expression in the Wild: `label/label.lst` and whole pictures in `image/origin`; faces are cut out by their box.

A line is a face: the picture's name, the face's number in it, the box's top, left, right and bottom, the detector's
confidence, and the expression from 0 to 6. Several faces of one picture share it as their group. There are no official
splits.
"""

import math
from pathlib import Path
from typing import Final

from kaoiro.corpus.labelled_face import LeftOut, Skipped
from kaoiro.corpus.readers.boxed_faces import BoxedFace
from kaoiro.corpus.readers.layout import Layout, Reading, ReadOptions
from kaoiro.corpus.readers.lists import (
    RowError,
    Unread,
    by_text,
    corpus_folder,
    file_names,
    first_that_exists,
    label_or_skipped,
    list_lines,
    note_unlisted,
    read_row,
    shown,
)
from kaoiro.corpus.readers.picture_files import PictureFile, counted
from kaoiro.errors import CorpusError
from kaoiro.expressions import EXPW_NUMBERS
from kaoiro.media.images import PICTURE_SUFFIXES
from kaoiro.parallel import ordered_map

CONFIDENCE: Final = "face_box_confidence"
"""The column of numbers that its faces have: how sure the face detector was, the larger the surer."""

_LISTS = ("label/label.lst", "label.lst")
_PICTURES = ("image/origin", "origin", "image")
_TABLE = by_text(EXPW_NUMBERS)
_FIELDS = 8


def read_expw(source: Path, options: ReadOptions) -> Reading:
    """Read ExpW in its list's order, and cut its faces out.

    Args:
        source: the folder with `label` and `image`, the list's folder, or the list.
        options: `names` reads the numbers, 0 to 6.

    Raises:
        CorpusError: it is none of these, or the list or the folder of pictures cannot be read.
    """
    listed = _list_of(source)
    if listed is None:
        raise CorpusError(f"{source} is not ExpW: it lacks {_LISTS[0]}")
    return Reading(ordered_map(read_row, counted(_rows(listed, options), options.on_progress)), (CONFIDENCE,))


def _list_of(source: Path) -> Path | None:
    if source.is_file():
        return source if source.name == "label.lst" else None
    folder = corpus_folder(source, lambda folder: first_that_exists(folder, *_LISTS) is not None)
    return None if folder is None else first_that_exists(folder, *_LISTS)


def _rows(listed: Path, options: ReadOptions) -> list[Unread]:
    above = listed.parent.parent if listed.parent.name == "label" else listed.parent
    pictures = first_that_exists(above, *_PICTURES)
    if pictures is None:
        raise CorpusError(f"{above} lacks the pictures of {listed.name}: put them into {above / _PICTURES[0]}")
    there = file_names(pictures)
    named = set()
    rows: list[Unread] = []
    for number, line in list_lines(listed):
        fields = line.rsplit(maxsplit=_FIELDS - 1)
        named.add(fields[0])
        where = f"{listed}:{number}"
        try:
            rows.append(_row(fields, pictures, there, where, f"{listed.name}:{number}", options))
        except RowError as error:
            rows.append(LeftOut(where, str(error)))
    unlisted = (name for name in there if Path(name).suffix.lower() in PICTURE_SUFFIXES)
    note_unlisted(unlisted, named, f"in {pictures} that {listed.name} does not name", options.on_note)
    return rows


def _row(
    fields: list[str], pictures: Path, there: frozenset[str], where: str, source: str, options: ReadOptions
) -> Unread:
    if len(fields) != _FIELDS:
        raise RowError(f"{_FIELDS} fields are expected, and there are {len(fields)}")
    name, face, *edges, confidence, label_text = fields
    top, left, right, bottom = (_whole(edge) for edge in edges)
    label = label_or_skipped(label_text, options.names, _TABLE)
    sureness = _number(confidence)
    if name not in there:
        raise RowError(f"its picture {shown(name)} is not in {pictures}")
    if isinstance(label, Skipped):
        return label
    picture = PictureFile(pictures / name, source, label, group=name, numbers={CONFIDENCE: sureness})
    return BoxedFace(picture, f"{Path(name).stem}_{face}.png", (left, top, right, bottom), where)


def _whole(text: str) -> int:
    # int() alone takes digits of any script, underscores, and as many as one likes.
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise RowError(f"the box's edges must be whole numbers, and one is {shown(text)}")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RowError(f"the confidence must be a number, and is {shown(text)}")
    return value


def _looks_like(source: Path) -> bool:
    return _list_of(source) is not None


EXPW: Final = Layout(
    "expw",
    "ExpW: label/label.lst and image/origin",
    looks_like=_looks_like,
    read=read_expw,
)
