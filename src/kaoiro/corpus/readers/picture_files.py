"""Picture files in folders: finding them in a fixed order, and reading them into labelled faces."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

from kaoiro.corpus.labelled_face import LabelledFace, LeftOut
from kaoiro.errors import CorpusError, ImageError
from kaoiro.expressions import Expression
from kaoiro.media.images import PICTURE_SUFFIXES, decode_image

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture still to be read, and what its source says of it; the fields are those of `LabelledFace`."""

    file: Path
    source: str
    label: Expression | None
    split: str | None = None
    group: str | None = None
    votes: tuple[int, ...] | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)

    def face(self, image_bytes: bytes, name: str) -> LabelledFace:
        """Give the labelled face, now that its picture has been read."""
        return LabelledFace(
            image_bytes, name, self.source, self.label, self.votes, self.split, self.group, self.numbers
        )


def files_below(folder: Path) -> Iterator[Path]:
    """Give the files below a folder in a fixed order; links are followed, hidden files are not given.

    Raises:
        CorpusError: a folder cannot be read.
    """
    return _files(folder, frozenset())


def pictures_below(folder: Path) -> Iterator[Path]:
    """Give the files below a folder that are pictures by their suffix, as `files_below` does."""
    return (file for file in files_below(folder) if file.suffix.lower() in PICTURE_SUFFIXES)


def _files(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """Give the files below a folder in a fixed order; links are followed, hidden files are not given."""
    real = os.path.realpath(folder)
    if real in above:  # a link that leads back up
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise CorpusError(f"cannot read the folder {folder}: {error.strerror}") from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_dir():
            yield from _files(Path(entry.path), above | {real})
        else:
            yield Path(entry.path)


def path_text(path: PurePosixPath | Path) -> str:
    """Spell a path in characters that every text column can hold, however odd its bytes are."""
    return os.fsencode(path).decode("utf-8", "replace")


def counted(items: Sequence[T], on_progress: Callable[[float], None]) -> Iterator[T]:
    """Give the items, and tell after each which part of them is done, from 0 to 1."""
    for done, item in enumerate(items, 1):
        yield item
        on_progress(done / len(items))


def read_picture(picture: PictureFile) -> LabelledFace | LeftOut:
    """Read a picture's file and make sure that it decodes; its own bytes are kept."""
    where = path_text(picture.file)
    try:
        encoded = picture.file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        return LeftOut(where, f"cannot be read ({getattr(error, 'strerror', None) or error})")
    try:
        decode_image(encoded, where)
    except ImageError as error:
        return LeftOut(where, str(error).removeprefix(f"cannot read {where!r}: "))
    return picture.face(encoded, PurePosixPath(picture.source).name)
