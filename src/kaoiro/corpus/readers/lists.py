"""What the readers of published corpora share: finding the corpus's folder, reading its lists, naming what is odd."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice
from pathlib import Path

from kaoiro.corpus.label_names import NO_EXPRESSION, LabelNames, Meaning
from kaoiro.corpus.labelled_face import LeftOut, Row, Skipped
from kaoiro.corpus.readers.boxed_faces import BoxedFace, cut_face
from kaoiro.corpus.readers.picture_files import PictureFile, pictures_below, read_picture
from kaoiro.errors import CorpusError
from kaoiro.expressions import Expression

Unread = PictureFile | BoxedFace | LeftOut | Skipped
"""A row whose picture is still to be read, or one for which there is nothing to read."""

_DEPTH = 3


class RowError(Exception):
    """A row that cannot be used; the message says what is wrong with it."""


def read_row(row: Unread) -> Row:
    """Read a row's picture where it has one."""
    if isinstance(row, PictureFile):
        return read_picture(row)
    return cut_face(row) if isinstance(row, BoxedFace) else row


def subfolders(folder: Path) -> list[Path]:
    """Give the folders directly in a folder by name, hidden ones left out; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not _is_hidden(entry.name))
    except OSError:
        return []


def file_names(folder: Path) -> frozenset[str]:
    """Give the names of the files directly in a folder, hidden ones left out.

    Raises:
        CorpusError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if not _is_hidden(entry.name) and not entry.is_dir())
    except OSError as error:
        raise CorpusError(f"cannot read the folder {folder}: {error.strerror}") from error


def some_pictures(folder: Path, count: int) -> list[Path]:
    """Give the first pictures below a folder, up to a number; none where a folder cannot be read."""
    try:
        return list(islice(pictures_below(folder), count))
    except CorpusError:
        return []


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def corpus_folder(source: Path, is_corpus: Callable[[Path], bool]) -> Path | None:
    """Find the folder of a corpus: the source itself, or the only folder in it, down to three levels."""
    folder = source
    for _ in range(_DEPTH):
        if is_corpus(folder):
            return folder
        within = subfolders(folder)
        if len(within) != 1:
            return None
        folder = within[0]
    return None


def first_that_exists(folder: Path, *names: str) -> Path | None:
    """Give the first of some paths below a folder that exists."""
    return next((path for name in names if (path := folder / name).exists()), None)


def list_lines(file: Path) -> list[tuple[int, str]]:
    """Give a text file's lines that are not blank, with their numbers from 1; what is not UTF-8 is replaced.

    Raises:
        CorpusError: the file cannot be read.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot read {file}: {error.strerror}") from error
    lines = enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
    return [(number, text) for number, line in lines if (text := line.decode("utf-8", "replace").strip())]


def by_text(numbers: Mapping[int, Expression | None]) -> dict[str, Meaning]:
    """Turn a table of a corpus's numbers into one of their texts, as `LabelNames.read` takes it."""
    return {str(number): NO_EXPRESSION if meaning is None else meaning for number, meaning in numbers.items()}


def label_or_skipped(
    text: str, names: LabelNames, table: Mapping[str, Meaning], words: Mapping[str, str] | None = None
) -> Expression | Skipped:
    """Read a label that a corpus writes by its own table.

    Args:
        text: the label as it stands in the source.
        names: has the user's own map.
        table: what the corpus's labels mean.
        words: what to call labels that name no expression.

    Raises:
        RowError: the label is not one of the table's.
    """
    meaning = names.read(text, table)
    if meaning is None:
        raise RowError(f"the label {shown(text)} is not one of {', '.join(table)}")
    if isinstance(meaning, Expression):
        return meaning
    return Skipped(f"labelled {shown((words or {}).get(text, text))}")


def shown(text: str) -> str:
    """Quote a text of a source, cut short where it is long."""
    return repr(text if len(text) <= 60 else text[:60] + "…")


def note_unlisted(pictures: Iterable[str], listed: Collection[str], where: str, on_note: Callable[[str], None]) -> None:
    """Note, in one line, pictures of a folder that no list names.

    Args:
        pictures: the pictures' names.
        listed: the names that the list has.
        where: the folder and the list, in words: `in Image/aligned that EmoLabel/list.txt does not name`.
        on_note: takes the line.
    """
    unlisted = sorted(set(pictures).difference(listed))
    if unlisted:
        count = "1 picture" if len(unlisted) == 1 else f"{len(unlisted):,} pictures"
        example = unlisted[0].encode("utf-8", "replace").decode()
        on_note(f"left out {count} {where}: {shown(example)}{' and others' if len(unlisted) > 1 else ''}")
