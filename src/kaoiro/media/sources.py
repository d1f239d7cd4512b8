"""From what a user names (files, folders, patterns) to the pictures meant."""

import glob
import os
from collections.abc import Callable
from pathlib import Path

from kaoiro.errors import InputError
from kaoiro.files import kind_of
from kaoiro.media.images import PICTURE_SUFFIXES


def pictures_at(source: str | Path, on_unreadable: Callable[[InputError], None] | None = None) -> list[Path]:
    """List the pictures that a file name, a folder or a glob pattern stands for.

    A folder is searched with its subfolders, a pattern may contain `**`; both give only files with a
    picture's suffix, sorted by path, without hidden ones (names that begin with a dot). A single file may
    have any suffix.

    Args:
        source: the file, folder or pattern.
        on_unreadable: is told of each subfolder that cannot be read, which is then passed over; without it such
            a folder raises.

    Raises:
        InputError: there is no such file, the folder holds no picture, or nothing matches the pattern.
    """
    path = Path(source)
    kind = kind_of(path)
    if kind == "folder":
        pictures = _pictures_below(path, on_unreadable)
        if not pictures:
            raise InputError(f"no pictures in the folder {str(source)!r} (looked for files such as *.jpg and *.png)")
        return pictures
    if kind != "missing":
        return [path]
    if glob.has_magic(str(source)):
        matches = map(Path, glob.iglob(str(source), recursive=True))  # noqa: PTH207 (Path takes no absolute ones)
        pictures = sorted(match for match in matches if _is_picture(match.name) and match.is_file())
        if not pictures:
            raise InputError(f"no picture matches the pattern {str(source)!r}")
        return pictures
    raise InputError(f"cannot read {str(source)!r}: there is no such file")


def _pictures_below(folder: Path, on_unreadable: Callable[[InputError], None] | None) -> list[Path]:
    def unreadable(error: OSError) -> None:
        complaint = InputError(f"cannot read the folder {str(error.filename)!r}: {error.strerror}")
        if on_unreadable is None:
            raise complaint from error
        on_unreadable(complaint)

    pictures: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        pictures += [Path(parent, name) for name in files if _is_picture(name)]
    return sorted(pictures)


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in PICTURE_SUFFIXES
