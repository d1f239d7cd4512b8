"""FER2013 as Kaggle published it, `fer2013.csv`, and the FERPlus votes that go with it, `fer2013new.csv`.

`fer2013.csv` has the columns `emotion` (0 to 6, the order of `SEVEN`), `pixels` (48 × 48 grey values from 0
to 255, row by row, with spaces between) and `Usage`. The FERPlus file has one row for each of its rows:
`Usage`, `Image name` and ten counts of votes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.label_names import NO_EXPRESSION, LabelNames, Meaning
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Row, Skipped
from kaoiro.corpus.pictures import encode_png
from kaoiro.corpus.readers.layout import Layout, Reading, ReadOptions
from kaoiro.corpus.splits import parse_split
from kaoiro.errors import CorpusError
from kaoiro.expressions import FER2013_NUMBERS, VOTE_NAMES
from kaoiro.parallel import ordered_map

SIDE: Final = 48
"""Width and height of a FER2013 face in pixels."""

_FACE_COLUMNS = ("emotion", "pixels", "usage")
_VOTE_COLUMNS = tuple("nf" if name == "not-a-face" else str(name) for name in VOTE_NAMES)
_MEANINGS: Final[Mapping[str, Meaning]] = {str(number): expression for number, expression in FER2013_NUMBERS.items()}
_HEADER_LIMIT = 4096
_PADDING = b' \t\r\n"'


class _RowError(Exception):
    """A row that cannot be used; the message says what is wrong with it."""


@dataclass(frozen=True)
class _Csv:
    """A CSV file and the place of each of its columns.

    A row is a line: no field of these files has a comma or a line break in it, and so a stray quotation mark
    spoils one row and not the rest of the file.
    """

    path: Path
    columns: dict[str, int]

    def fields(self, line: bytes) -> dict[str, bytes]:
        fields = [field.strip(_PADDING) for field in line.split(b",")]
        if len(fields) != len(self.columns):
            raise _RowError(f"{len(self.columns)} columns are expected, and there are {len(fields)}")
        return {column: fields[place] for column, place in self.columns.items()}


@dataclass(frozen=True, slots=True)
class _Lines:
    """A row's number from 0 and its line; with FERPlus, the votes' line too. Line numbers start at 1."""

    index: int
    line_number: int
    line: bytes
    votes_line_number: int = 0
    votes_line: bytes | None = None


def read_fer2013_csv(path: Path, options: ReadOptions, meanings: Mapping[str, Meaning] = _MEANINGS) -> Reading:
    """Read `fer2013.csv` row by row; a row that is wrong comes as `LeftOut`.

    Args:
        path: the CSV file. Its columns may come in any order.
        options: `ferplus` is the FERPlus file with the votes on the same pictures, row by row.
        meanings: what the numbers in the column `emotion` mean, by their texts; from 0 up without a gap.

    Raises:
        CorpusError: a file cannot be read or is not such a CSV, or the two are not about the same pictures.
    """
    faces_csv = _read_header(path, _FACE_COLUMNS, "a FER2013 CSV file")
    votes_csv = None
    if options.ferplus is not None:
        votes_csv = _read_header(options.ferplus, ("usage", *_VOTE_COLUMNS), "a FERPlus CSV file (fer2013new.csv)")
    rows = _rows(path, options.ferplus, options.on_progress)
    read = partial(_face_or_left_out, options.names, meanings, faces_csv, votes_csv)
    return Reading(ordered_map(read, rows, ahead=64))


def _read_header(path: Path, wanted: tuple[str, ...], kind: str) -> _Csv:
    try:
        with path.open("rb") as file:
            line = file.readline(_HEADER_LIMIT)
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror}") from error
    if not line:
        raise CorpusError(f"{path} is empty; {kind} was expected")
    names = [name.strip().strip('"').strip().lower() for name in line.decode("utf-8-sig", "replace").split(",")]
    missing = [column for column in wanted if column not in names]
    if missing:
        raise CorpusError(f"{path} is not {kind}: its first line lacks the column {missing[0]!r}")
    return _Csv(path, {name: place for place, name in enumerate(names)})


def _rows(path: Path, ferplus: Path | None, on_progress: Callable[[float], None]) -> Iterator[_Lines]:
    size = path.stat().st_size
    read = 0
    votes = _numbered_lines(ferplus) if ferplus is not None else iter(())
    for index, (face, vote) in enumerate(zip_longest(_numbered_lines(path), votes)):
        if face is None or (vote is None and ferplus is not None):
            longer, shorter = (path, ferplus) if vote is None else (ferplus, path)
            raise CorpusError(
                f"{shorter} ends after {index} rows and {longer} goes on: the two files are not about the same pictures"
            )
        read += len(face[1])
        on_progress(read / size)
        yield _Lines(index, *face, *(vote or ()))


def _numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Give the lines behind the header, line 1, with their numbers; blank ones are skipped."""
    try:
        with path.open("rb") as file:
            yield from _not_blank(file)
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror}") from error


def _not_blank(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    file.readline()
    return ((number, line) for number, line in enumerate(file, 2) if not line.isspace())


def _face_or_left_out(
    names: LabelNames, meanings: Mapping[str, Meaning], faces_csv: _Csv, votes_csv: _Csv | None, row: _Lines
) -> Row:
    where = f"{faces_csv.path}:{row.line_number}"
    name, votes = "", None
    try:
        fields = faces_csv.fields(row.line)
        split = _split(fields["usage"])
        label = _label(fields["emotion"], names, meanings)
        pixels = _pixels(fields["pixels"])
    except _RowError as error:
        return LeftOut(where, str(error))

    if votes_csv is not None and row.votes_line is not None:
        votes_where = f"{votes_csv.path}:{row.votes_line_number}"
        try:
            votes_fields = votes_csv.fields(row.votes_line)
            votes_split = _split(votes_fields["usage"])
            votes = tuple(_vote(votes_fields[column], column) for column in _VOTE_COLUMNS)
        except _RowError as error:
            return LeftOut(votes_where, str(error))
        if split != votes_split:
            raise CorpusError(
                f"{where} is of the split {split} and {votes_where} of {votes_split}: "
                "the two files are not about the same pictures in the same order"
            )
        name = votes_fields.get("image name", b"").decode("utf-8", "replace")
    if label is NO_EXPRESSION:
        return Skipped(f"labelled {_quoted(fields['emotion'])}")
    # FERPlus leaves out the names of pictures that show no face.
    name = name or f"fer{row.index:07d}.png"
    source = f"{faces_csv.path.name}:{row.line_number}"
    return LabelledFace(encode_png(pixels), name, source, label, votes, split)


def _label(emotion: bytes, names: LabelNames, meanings: Mapping[str, Meaning]) -> Meaning:
    label = names.read(emotion.decode("utf-8", "replace"), meanings)
    if label is None:
        raise _RowError(f"the emotion {_quoted(emotion)} is not one of 0 to {len(meanings) - 1}")
    return label


def _split(usage: bytes) -> str:
    split = parse_split(usage.decode("utf-8", "replace"))
    if split is None:
        raise _RowError(f"the Usage {_quoted(usage)} is not one of Training, PublicTest, PrivateTest")
    return split


def _vote(text: bytes, column: str) -> int:
    if not text.isdigit() or len(text) > 3 or int(text) > 255:
        raise _RowError(f"the votes for {column} must be a number from 0 to 255, and are {_quoted(text)}")
    return int(text)


def _pixels(text: bytes) -> NDArray[np.uint8]:
    """Read a face's pixels into `uint8 (48, 48)`."""
    if text.translate(None, b"0123456789 "):
        wrong = next((value for value in text.split() if not value.isdigit()), text)
        raise _RowError(f"the pixel {_quoted(wrong)} is not a whole number from 0 to 255")
    # Five times as fast as int() on each value; int64 leaves room to see a value that is too large.
    values = np.fromstring(text, np.int64, sep=" ") if text else np.empty(0, np.int64)
    if values.size != SIDE * SIDE:
        raise _RowError(f"{SIDE * SIDE} pixels are expected, and there are {values.size}")
    if values.max() > 255:
        raise _RowError(f"the pixel '{values.max()}' is not a whole number from 0 to 255")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def _quoted(text: bytes) -> str:
    shown = text.decode("utf-8", "replace")
    return repr(shown if len(shown) <= 20 else shown[:20] + "…")


def _looks_like(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        _read_header(path, _FACE_COLUMNS, "")
    except CorpusError:
        return False
    return True


FER2013_CSV: Final = Layout(
    "fer2013",
    "FER2013: fer2013.csv (emotion,pixels,Usage), with FERPlus's fer2013new.csv or without",
    looks_like=_looks_like,
    read=read_fer2013_csv,
)
