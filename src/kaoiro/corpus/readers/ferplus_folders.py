"""FERPlus as its authors' script writes it: a folder of pictures with a `label.csv` for each split.

`FER2013Train`, `FER2013Valid` and `FER2013Test` have pictures named `fer0000000.png` and a `label.csv` without a
header: the picture's name, in older forms the box of the face as `"(0, 0, 48, 48)"`, and ten counts of votes. The box
is always the whole picture, and is passed over here as it is in the authors' own reader. Faces have votes and no label.
(https://github.com/microsoft/FERPlus, `src/generate_training_data.py`)
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kaoiro.corpus.labelled_face import LeftOut, Row
from kaoiro.corpus.readers.layout import Layout, Reading, ReadOptions
from kaoiro.corpus.readers.lists import (
    RowError,
    corpus_folder,
    file_names,
    list_lines,
    note_unlisted,
    shown,
)
from kaoiro.corpus.readers.picture_files import PictureFile, counted, path_text, read_picture
from kaoiro.corpus.readers.usual_columns import parse_votes
from kaoiro.errors import CorpusError
from kaoiro.expressions import VOTE_NAMES
from kaoiro.media.images import PICTURE_SUFFIXES
from kaoiro.parallel import ordered_map

_FOLDERS: Final = {"FER2013Train": "train", "FER2013Valid": "validation", "FER2013Test": "test"}
_LIST: Final = "label.csv"
_VOTE_ORDER: Final = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "not-a-face"),
)
_PLACES: Final = tuple(_VOTE_ORDER.index(name) for name in VOTE_NAMES)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a list: where it stands, and its picture or what is wrong with it."""

    where: str
    picture: PictureFile | str


def read_ferplus_folders(source: Path, options: ReadOptions) -> Reading:
    """Read FERPlus's folders, split by split in the order of their lists.

    A line that is wrong, or whose picture is missing or broken, comes as `LeftOut`.

    Raises:
        CorpusError: there is no such folder, a list cannot be read, or there are lists and no pictures.
    """
    root = corpus_folder(source, _is_root)
    if root is None:
        raise CorpusError(f"{source} has none of {', '.join(f'{name}/{_LIST}' for name in _FOLDERS)}")
    lines: list[_Line] = []
    no_pictures = True
    for name, split in _FOLDERS.items():
        folder = root / name
        if not (folder / _LIST).is_file():
            continue
        of_folder = list(_lines(folder, split))
        lines += of_folder
        pictures = {name for name in file_names(folder) if Path(name).suffix.lower() in PICTURE_SUFFIXES}
        no_pictures = no_pictures and not pictures
        listed = {line.picture.file.name for line in of_folder if isinstance(line.picture, PictureFile)}
        note_unlisted(pictures, listed, f"in {name} that {_LIST} does not name", options.on_note)
    if no_pictures:
        raise CorpusError(
            f"{root} has FERPlus's lists and no pictures; give fer2013.csv with --ferplus fer2013new.csv, "
            "or let FERPlus's generate_training_data.py write the pictures"
        )
    return Reading(ordered_map(_face_or_left_out, counted(lines, options.on_progress)))


def _is_root(folder: Path) -> bool:
    return any((folder / name / _LIST).is_file() for name in _FOLDERS)


def _lines(folder: Path, split: str) -> Iterator[_Line]:
    for number, text in list_lines(folder / _LIST):
        where = f"{path_text(folder / _LIST)}:{number}"
        try:
            name, votes = _name_and_votes(text)
        except RowError as error:
            yield _Line(where, str(error))
            continue
        source = f"{folder.name}/{_LIST}:{number}"
        yield _Line(where, PictureFile(folder / name, source, label=None, split=split, votes=votes))


def _name_and_votes(text: str) -> tuple[str, tuple[int, ...]]:
    try:
        fields = [field.strip() for field in next(csv.reader([text], strict=True))]
    except csv.Error as error:
        raise RowError(f"the line is not CSV ({error})") from error
    if len(fields) == len(VOTE_NAMES) + 2:
        del fields[1]  # the box
    if len(fields) != len(VOTE_NAMES) + 1:
        raise RowError(f"a name, a box and {len(VOTE_NAMES)} counts are expected, and there are {len(fields)} fields")
    name, *counts = fields
    if not name or "/" in name or "\\" in name or "\0" in name:
        raise RowError(f"{shown(name)} is not the name of a picture")
    votes = parse_votes(counts[place] for place in _PLACES)
    if votes is None:
        raise RowError("the line has no votes")
    return name, votes


def _face_or_left_out(line: _Line) -> Row:
    if isinstance(line.picture, str):
        return LeftOut(line.where, line.picture)
    row = read_picture(line.picture)
    return row if isinstance(row, LeftOut) else replace(row, name=line.picture.file.name)


FERPLUS_FOLDERS: Final = Layout(
    "ferplus",
    "FERPlus: FER2013Train, FER2013Valid and FER2013Test, each with its pictures and label.csv",
    looks_like=lambda source: source.is_dir() and corpus_folder(source, _is_root) is not None,
    read=read_ferplus_folders,
)
