"""A stored corpus as a folder of picture files and a list of them, for other tools, and to be imported again."""

import csv
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kaoiro.corpus.picture_format import picture_suffix
from kaoiro.corpus.readers.usual_columns import NUMBER_PREFIX, is_plain_number
from kaoiro.corpus.schema import SCHEMA
from kaoiro.corpus.store import check_metadata, checked_table, opened_parquet
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import VOTE_NAMES
from kaoiro.files import kind_of

LIST_NAME: Final = "faces.csv"
"""The list in an exported folder."""

_NO_SPLIT: Final = "all"
_NO_LABEL: Final = "no-label"
_LONGEST_STEM: Final = 60
_UNSAFE: Final = re.compile(r"[^\w\-.]+")
# Names that mean devices on Windows, with whatever suffix.
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


def export_corpus(source: Path, folder: Path, on_progress: Callable[[float], None] = lambda _: None) -> int:
    """Write a stored corpus's pictures as files, with a list of everything else, and give the number of faces.

    Pictures have their own bytes and lie in `folder/SPLIT/LABEL/NAME`, `all` and `no-label` where a face has none. The
    list, `folder/faces.csv`, is in the corpus's order; `kaoiro data import folder` makes the same corpus of it again,
    in which further columns of numbers are of single precision. One row group is in memory at a time.

    Args:
        source: the corpus to read.
        folder: must not exist, or be empty. It appears only when it is complete.
        on_progress: is told now and then which part is written, from 0 to 1.

    Raises:
        CorpusError: the corpus cannot be read, or the folder is not empty or cannot be written.
    """
    _check_folder(folder)
    with opened_parquet(source) as file:
        check_metadata(source, file.schema_arrow.metadata or {})
        tables = _tables(source, file, on_progress)
        first = next(tables, None)
        if first is None:
            raise CorpusError(f"{source} is a corpus without faces; import the corpus again")
        numbers = _numbers(first, file)
        has_votes = file.read(["votes"])["votes"].null_count < file.metadata.num_rows

        def all_tables() -> Iterator[pa.Table]:
            yield first
            yield from tables

        try:
            with _whole_folder(folder) as temporary:
                return _write(temporary, all_tables(), numbers, has_votes)
        except OSError as error:
            raise CorpusError(f"cannot write {folder}: {error.strerror or error}") from error


def _check_folder(folder: Path) -> None:
    try:
        kind = kind_of(folder)
        is_free = kind == "missing" or (kind == "folder" and next(folder.iterdir(), None) is None)
    except (InputError, OSError) as error:
        raise CorpusError(f"cannot write {folder}: {getattr(error, 'strerror', None) or error}") from error
    if not is_free:
        what = "is not empty" if kind == "folder" else "is not a folder"
        raise CorpusError(f"{folder} {what}; give a new folder to write")


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`, which becomes it if the block ends well and is removed otherwise."""
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    try:
        temporary.mkdir()
        yield temporary
        if folder.exists():
            folder.rmdir()  # an empty one, which only POSIX replaces by itself
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _tables(source: Path, file: pq.ParquetFile, on_progress: Callable[[float], None]) -> Iterator[pa.Table]:
    done, rows = 0, file.metadata.num_rows
    for group in range(file.metadata.num_row_groups):
        if file.metadata.row_group(group).num_rows == 0:
            continue
        try:
            read = file.read_row_group(group)
        except OSError as error:
            raise CorpusError(f"cannot read {source}: {error.strerror or error}") from error
        table = checked_table(source, read)
        yield table
        done += len(table)
        on_progress(done / rows)


def _numbers(table: pa.Table, file: pq.ParquetFile) -> dict[str, str]:
    """Give the columns of numbers, and how the list calls them so that they are taken for numbers again."""
    names = [name for name in table.column_names if name not in SCHEMA.names]
    values = file.read(names) if names else table
    has_values = {name: not pc.all(pc.is_null(values[name], nan_is_null=True)).as_py() for name in names}
    return {name: name if has_values[name] and is_plain_number(name) else NUMBER_PREFIX + name for name in names}


def _write(folder: Path, tables: Iterator[pa.Table], numbers: dict[str, str], has_votes: bool) -> int:
    vote_columns = [f"votes_{name.replace('-', '_')}" for name in VOTE_NAMES] if has_votes else []
    header = ["path", "label", "split", "group", "original_name", "original_source", *vote_columns, *numbers.values()]
    names = _FreeNames()
    written = 0
    with (folder / LIST_NAME).open("w", encoding="utf-8", newline="") as file:
        faces = csv.writer(file)
        faces.writerow(header)
        for table in tables:
            for row in table.to_pylist():
                encoded, name = row["image"]["bytes"], row["image"]["path"] or ""
                place = PurePosixPath(row["split"] or _NO_SPLIT, row["label"] or _NO_LABEL)
                path = names.take(place, name, picture_suffix(encoded, name))
                target = folder / path
                if not target.parent.exists():
                    target.parent.mkdir(parents=True)
                target.write_bytes(encoded)
                texts = [row["label"], row["split"], row["group"], name, row["source"]]
                votes = (row["votes"] or [""] * len(VOTE_NAMES)) if has_votes else []
                faces.writerow([str(path), *texts, *votes, *(_number_text(row[name]) for name in numbers)])
                written += 1
    return written


def _number_text(value: Any) -> str:
    """Spell a number so that single precision reads it back, as short as that allows."""
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, bool | int):
        return str(int(value))
    short = str(np.float32(value))
    return short if float(short) == value or np.float32(float(short)) == value else repr(float(value))


class _FreeNames:
    """Gives each picture a name of its own in its folder, in characters that are safe on every system."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def take(self, folder: PurePosixPath, name: str, suffix: str) -> PurePosixPath:
        stem = _safe_stem(name)
        # A system may take names that differ in capitals for the same.
        key = str(folder / f"{stem}{suffix}").casefold()
        path = folder / f"{stem}{suffix}"
        number = self._next.get(key, 2)
        while str(path).casefold() in self._taken:
            path = folder / f"{stem}_{number}{suffix}"
            number += 1
        self._next[key] = number
        self._taken.add(str(path).casefold())
        return path


def _safe_stem(name: str) -> str:
    stem = unicodedata.normalize("NFC", PurePosixPath(name.replace("\0", "_")).stem)
    stem = _UNSAFE.sub("_", stem)[:_LONGEST_STEM].strip(".") or "face"
    return f"_{stem}" if _DEVICES.match(stem) else stem
