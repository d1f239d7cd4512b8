"""Pictures sorted into folders by expression, with or without folders for the splits.

A folder's name is a split (`train`, `Validation`, …), an expression (`happy`, `3_Sadness`, …), or neither.
A picture belongs to the split and the expression that stand on its path below the source, in any order and at
any depth: `happy/a.png`, `train/happy/a.png` and `archive/train/train/happy/subject7/a.png` are understood.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from kaoiro.corpus.readers.layout import Layout, Reading, ReadOptions
from kaoiro.corpus.readers.picture_files import PictureFile, counted, path_text, pictures_below, read_picture
from kaoiro.corpus.splits import parse_split
from kaoiro.errors import CorpusError
from kaoiro.expressions import EIGHT, Expression
from kaoiro.parallel import ordered_map

T = TypeVar("T")


def read_class_folders(root: Path, options: ReadOptions) -> Reading:
    """Read a tree of class folders, in the order of the paths; a broken picture comes as `LeftOut`.

    Each picture keeps its file's own bytes.

    Args:
        root: the folder above the class folders and the splits' folders. Its own name does not matter.
        options: `skip_unknown` leaves out the pictures in folders that are not an expression, in place of raising.

    Raises:
        CorpusError: a folder cannot be read, there are no pictures, pictures lie in a folder that is not an
            expression, or a path names two splits or two expressions.
    """
    pictures: list[PictureFile] = []
    unknown: Counter[PurePosixPath] = Counter()
    without: Counter[PurePosixPath] = Counter()
    for file in pictures_below(root):
        path = PurePosixPath(file.relative_to(root).as_posix())
        label = _one(path, "expressions", options.names.read)
        if label is None:
            unknown[path.parent] += 1
        elif isinstance(label, Expression):
            pictures.append(PictureFile(file, path_text(path), label, _one(path, "splits", parse_split)))
        else:
            without[path.parent] += 1

    for folder, count in unknown.items():
        if not options.skip_unknown:
            raise CorpusError(_unknown_folder(root, folder, count, some_left=bool(pictures)))
        options.on_note(f"left out the folder {_shown(root, folder)}, not an expression, with its {_pictures(count)}")
    for folder, count in without.items():
        options.on_note(f"left out the folder {_shown(root, folder)}, as --map says, with its {_pictures(count)}")
    if not pictures:
        raise CorpusError(f"{root} has no pictures in class folders such as {root / 'happiness'}")
    return Reading(ordered_map(read_picture, counted(pictures, options.on_progress)))


def _one(path: PurePosixPath, kind: str, parse: Callable[[str], T | None]) -> T | None:
    """Parse the folders on a path, and give the one thing that they name."""
    named = {value: folder for folder in path.parent.parts if (value := parse(folder)) is not None}
    if len(named) > 1:
        raise CorpusError(
            f"the path {path_text(path)} names two {kind}: {' and '.join(map(repr, named.values()))}; rename one"
        )
    return next(iter(named), None)


def _unknown_folder(root: Path, folder: PurePosixPath, count: int, some_left: bool) -> str:
    if folder.name and parse_split(folder.name) is None:
        what_to_do = f"rename it to one of {', '.join(EIGHT)}, or say what it means with --map"
        such = "such folders"
    else:
        what_to_do, such = "move them into folders named by expression", "them"
    if some_left:
        what_to_do += f", or leave {such} out with --skip-unknown"
    return f"the folder {_shown(root, folder)} has {_pictures(count)} and is not an expression; {what_to_do}"


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def _shown(root: Path, folder: PurePosixPath) -> str:
    return repr(path_text(root / folder))


CLASS_FOLDERS: Final = Layout(
    "class-folders",
    "a folder for each expression, with or without folders for the splits",
    looks_like=Path.is_dir,
    read=read_class_folders,
)
