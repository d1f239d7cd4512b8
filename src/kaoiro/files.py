"""Looking at paths without surprises, and writing files so that nobody ever meets half of one."""

import errno
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from kaoiro.errors import InputError

_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP})
"""What a look at a path that is not there ends with; the last one is a circle of links."""


def kind_of(path: Path) -> Literal["file", "folder", "other", "missing"]:
    """Say what a path leads to; links are followed.

    Raises:
        InputError: the path cannot be looked at, for example because a folder above it is closed to us.
    """
    # One look: between two of them another process or thread may have made the path.
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno in _MISSING:
            return "missing"
        raise InputError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"cannot read {str(path)!r}: {error}") from error
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "other"


def check_target(target: Path) -> Path:
    """Refuse a path that cannot become a file, before any work is done for it.

    Returns:
        The path itself, links followed.

    Raises:
        InputError: it is a folder, a device or the like, or lies below something that is no folder.
    """
    target = target.resolve()
    kind = kind_of(target)
    if kind in ("folder", "other"):
        what = "it is a folder" if kind == "folder" else "it is not an ordinary file"
        raise InputError(f"cannot write {str(target)!r}: {what}; give the name of a file")
    for above in target.parents:
        kind = kind_of(above)
        if kind == "folder":
            break
        if kind != "missing":
            raise InputError(f"cannot write {str(target)!r}: {str(above)!r} is not a folder")
    return target


def check_outputs(sources: Mapping[str, Path], outputs: Mapping[str, Path | None]) -> None:
    """Refuse outputs that cannot be written, that are read as well, or that are written to one file.

    Links are followed.

    Args:
        sources: what is read, by what it is, for example `the corpus`.
        outputs: what is written, by the option that names it; None is passed over.

    Raises:
        InputError: there is such an output.
    """
    taken: dict[Path, str] = {}
    for name, path in outputs.items():
        if path is None:
            continue
        target = check_target(path)
        for what, source in sources.items():
            both_there = kind_of(target) == kind_of(source) == "file"
            if target == source.resolve() or (both_there and target.samefile(source)):
                raise InputError(f"{name} {path} is {what} itself, and would overwrite it; give another file")
        if target in taken:
            raise InputError(f"{taken[target]} and {name} would both be written to {path}; give two files")
        taken[target] = name


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; what was written there becomes `target` if the block ends well.

    If the block raises (Ctrl-C included), the temporary file is removed and `target` stays as it was. The temporary
    name keeps the target's suffix, because several writers choose the format by it. Parent folders are made.

    Raises:
        InputError: the target is a folder or a device.
    """
    target = check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}.partial{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def reported_writing(target: Path) -> Iterator[None]:
    """Turn what goes wrong in writing (a full disk, a closed folder) into an `InputError` that names the target."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {str(target)!r}: {error.strerror or error}") from error
