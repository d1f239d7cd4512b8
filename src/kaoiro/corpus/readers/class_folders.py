"""Pictures sorted into folders by expression, with or without folders for the splits.

A folder's name is a split (`train`, `Validation`, …), an expression (`happy`, `3_Sadness`, …), or neither.
A picture belongs to the split and the expression that stand on its path below the source, in any order and at
any depth: `happy/a.png`, `train/happy/a.png` and `archive/train/train/happy/subject7/a.png` are understood.
"""

import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from kaoiro.corpus.labelled_face import LabelledFace, LeftOut
from kaoiro.corpus.splits import parse_split
from kaoiro.errors import CorpusError, ImageError
from kaoiro.expressions import EIGHT, Expression, parse_expression
from kaoiro.media.images import PICTURE_SUFFIXES, decode_image
from kaoiro.parallel import ordered_map

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Picture:
    file: Path
    source: str
    label: Expression
    split: str | None


def read_class_folders(
    root: Path,
    *,
    skip_unknown: bool = False,
    on_note: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Generator[LabelledFace | LeftOut, None, None]:
    """Read a tree of class folders, in the order of the paths; a broken picture comes as `LeftOut`.

    Each picture keeps its file's own bytes.

    Args:
        root: the folder above the class folders and the splits' folders. Its own name does not matter.
        skip_unknown: leave out the pictures in folders that are not an expression, in place of raising.
        on_note: is told which folders are left out.
        on_progress: is told now and then which part of the pictures is read, from 0 to 1.

    Raises:
        CorpusError: a folder cannot be read, there are no pictures, pictures lie in a folder that is not an
            expression, or a path names two splits or two expressions.
    """
    pictures: list[_Picture] = []
    unknown: Counter[PurePosixPath] = Counter()
    for file in _files(root, frozenset()):
        if file.suffix.lower() not in PICTURE_SUFFIXES:
            continue
        path = PurePosixPath(file.relative_to(root).as_posix())
        label = _one(path, "expressions", parse_expression)
        if label is None:
            unknown[path.parent] += 1
        else:
            pictures.append(_Picture(file, _text(path), label, _one(path, "splits", parse_split)))

    for folder, count in unknown.items():
        if not skip_unknown:
            raise CorpusError(_unknown_folder(root, folder, count))
        on_note(f"left out the folder {_shown(root, folder)}, not an expression, with its {_pictures(count)}")
    if not pictures:
        raise CorpusError(f"{root} has no pictures in class folders such as {root / 'happiness'}")
    return ordered_map(_face_or_left_out, _counted(pictures, on_progress))


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


def _one(path: PurePosixPath, kind: str, parse: Callable[[str], T | None]) -> T | None:
    """Parse the folders on a path, and give the one thing that they name."""
    named = {value: folder for folder in path.parent.parts if (value := parse(folder)) is not None}
    if len(named) > 1:
        raise CorpusError(
            f"the path {_text(path)} names two {kind}: {' and '.join(map(repr, named.values()))}; rename one"
        )
    return next(iter(named), None)


def _unknown_folder(root: Path, folder: PurePosixPath, count: int) -> str:
    what_to_do = (
        f"rename it to one of {', '.join(EIGHT)}, or leave such folders out with --skip-unknown"
        if folder.name and parse_split(folder.name) is None
        else "move them into folders named by expression, or leave them out with --skip-unknown"
    )
    return f"the folder {_shown(root, folder)} has {_pictures(count)} and is not an expression; {what_to_do}"


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def _shown(root: Path, folder: PurePosixPath) -> str:
    return repr(_text(root / folder))


def _text(path: PurePosixPath | Path) -> str:
    """Spell a path in characters that every text column can hold, however odd its bytes are."""
    return os.fsencode(path).decode("utf-8", "replace")


def _counted(pictures: list[_Picture], on_progress: Callable[[float], None]) -> Iterator[_Picture]:
    for done, picture in enumerate(pictures, 1):
        yield picture
        on_progress(done / len(pictures))


def _face_or_left_out(picture: _Picture) -> LabelledFace | LeftOut:
    try:
        encoded = picture.file.read_bytes()
    except OSError as error:
        return LeftOut(str(picture.file), f"cannot be read ({error.strerror})")
    try:
        decode_image(encoded, picture.file)
    except ImageError as error:
        return LeftOut(str(picture.file), str(error).removeprefix(f"cannot read {str(picture.file)!r}: "))
    name = PurePosixPath(picture.source).name
    return LabelledFace(encoded, name, picture.source, picture.label, split=picture.split)
