"""From what a user names (files, folders, patterns) to the pictures meant."""

import glob
import os
from pathlib import Path
from typing import NoReturn

from kaoiro.errors import InputError
from kaoiro.media.images import PICTURE_SUFFIXES


def pictures_at(source: str | Path) -> list[Path]:
    """List the pictures that a file name, a folder or a glob pattern stands for.

    A folder is searched with its subfolders, a pattern may contain `**`; both give only files with a
    picture's suffix, sorted by path, without hidden ones (names that begin with a dot). A single file may
    have any suffix.

    Raises:
        InputError: there is no such file, the folder holds no picture, or nothing matches the pattern.
    """
    path = Path(source)
    if path.is_dir():
        pictures = _pictures_below(path)
        if not pictures:
            raise InputError(f"no pictures in the folder {str(source)!r} (looked for files such as *.jpg and *.png)")
        return pictures
    if path.exists():
        return [path]
    if glob.has_magic(str(source)):
        matches = map(Path, glob.iglob(str(source), recursive=True))  # noqa: PTH207 (Path takes no absolute ones)
        pictures = sorted(match for match in matches if _is_picture(match.name) and match.is_file())
        if not pictures:
            raise InputError(f"no picture matches the pattern {str(source)!r}")
        return pictures
    raise InputError(f"cannot read {str(source)!r}: there is no such file")


def _pictures_below(folder: Path) -> list[Path]:
    pictures: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=_unreadable_folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        pictures += [Path(parent, name) for name in files if _is_picture(name)]
    return sorted(pictures)


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in PICTURE_SUFFIXES


def _unreadable_folder(error: OSError) -> NoReturn:
    raise InputError(f"cannot read the folder {str(error.filename)!r}: {error.strerror}") from error
