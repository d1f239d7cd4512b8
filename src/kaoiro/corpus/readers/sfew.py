"""SFEW 2.0: folders for the splits, in them class folders of frames such as `Airheads_000519240_00000005.png`.

A split's folder begins with its name: `Train`, `Train_Aligned_Faces`, `Val_Aligned_Faces_new`, `Validation`, `Test`.
The film, which stands before the time and the frame in a file's name, is the group. The labels of `Test` are not
published; its pictures are skipped.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Final

from kaoiro.corpus.label_names import LabelNames, Meaning
from kaoiro.corpus.labelled_face import LeftOut, Skipped
from kaoiro.corpus.readers.layout import Layout, Reading, ReadOptions
from kaoiro.corpus.readers.lists import Unread, corpus_folder, note_unlisted, read_row, some_pictures, subfolders
from kaoiro.corpus.readers.picture_files import PictureFile, counted, path_text, pictures_below
from kaoiro.corpus.splits import parse_split
from kaoiro.errors import CorpusError
from kaoiro.expressions import Expression
from kaoiro.parallel import ordered_map

_BETWEEN_WORDS = re.compile(r"[_ ]")
_FRAME = re.compile(r"(.+?)_(\d{6,})_(\d{6,})")


def read_sfew(source: Path, options: ReadOptions) -> Reading:
    """Read SFEW in the order of the paths. Where aligned faces lie beside whole frames, only the faces are read.

    Args:
        source: the folder with the splits' folders.
        options: `names` reads the class folders' names.

    Raises:
        CorpusError: it has no such folders, or a folder cannot be read.
    """
    root = corpus_folder(source, _is_sfew)
    if root is None:
        raise CorpusError(f"{source} is not SFEW: it lacks folders such as Train/Angry with frames of films")
    files = [(file, PurePosixPath(file.relative_to(root).as_posix())) for file in pictures_below(root)]
    others = [path_text(path) for _, path in files if _split(path) is None]
    note_unlisted(others, (), f"in {root}, in no split's folder", options.on_note)
    files = [(file, path) for file, path in files if _split(path) is not None]
    if any(_is_aligned(path) for _, path in files):
        frames = [path_text(path) for _, path in files if not _is_aligned(path)]
        note_unlisted(frames, (), f"in {root}, not among the aligned faces", options.on_note)
        files = [(file, path) for file, path in files if _is_aligned(path)]
    rows = [_row(file, path, options.names) for file, path in files]
    return Reading(ordered_map(read_row, counted(rows, options.on_progress)))


def _row(file: Path, path: PurePosixPath, names: LabelNames) -> Unread:
    split = _split(path)
    meaning = _label(path, names)
    if meaning is None:
        if split == "test":
            return Skipped("of the test split, whose labels are not published")
        return LeftOut(path_text(file), "it lies in no folder that is named by an expression")
    if not isinstance(meaning, Expression):
        return Skipped("in folders that --map leaves out")
    film = _FRAME.fullmatch(file.stem)
    group = path_text(Path(film[1])) if film is not None else None
    return PictureFile(file, path_text(path), meaning, split, group)


def _split(path: PurePosixPath) -> str | None:
    """Read the split from the first folder of a path."""
    return _split_named_by(path.parts[0]) if len(path.parts) > 1 else None


def _split_named_by(folder: str) -> str | None:
    return parse_split(_BETWEEN_WORDS.split(folder, maxsplit=1)[0])


def _label(path: PurePosixPath, names: LabelNames) -> Meaning | None:
    """Read the expression from the folder nearest to the picture that names one."""
    return next((meaning for folder in path.parts[-2:0:-1] if (meaning := names.read(folder)) is not None), None)


def _is_aligned(path: PurePosixPath) -> bool:
    return "aligned" in str(path.parent).lower()


def _is_sfew(folder: Path) -> bool:
    splits = [sub for sub in subfolders(folder) if _split_named_by(sub.name) in ("train", "validation")]
    some = [file for split in splits for file in some_pictures(split, 1)]
    return bool(some) and all(_FRAME.fullmatch(file.stem) for file in some)


def _looks_like(source: Path) -> bool:
    return source.is_dir() and corpus_folder(source, _is_sfew) is not None


SFEW: Final = Layout(
    "sfew",
    "SFEW: Train and Val with class folders of frames such as Airheads_000519240_00000005.png",
    looks_like=_looks_like,
    read=read_sfew,
)
