"""Hugging Face image datasets that are on disk as Parquet: one file, or a folder of them.

Pictures are in a column of the `Image` feature, `struct<bytes, path>`, or of plain bytes. Labels are words, or numbers
whose names are in the file's own metadata (the `ClassLabel` feature), in the `dataset_info` of README.md, or in
`dataset_infos.json`. Files are named by their split: `data/train-00000-of-00001.parquet`, `test/0000.parquet`.
"""

import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from kaoiro.corpus.label_names import NO_EXPRESSION, LabelNames, Meaning
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Row, Skipped
from kaoiro.corpus.picture_format import picture_suffix
from kaoiro.corpus.readers.layout import Layout, Reading, ReadOptions
from kaoiro.corpus.readers.lists import RowError, shown
from kaoiro.corpus.readers.picture_files import files_below, path_text
from kaoiro.corpus.readers.usual_columns import (
    UsualColumns,
    find_usual_columns,
    parse_number,
    parse_split_or_none,
    parse_votes,
)
from kaoiro.corpus.splits import parse_split
from kaoiro.errors import CorpusError, ImageError
from kaoiro.expressions import EIGHT
from kaoiro.media.images import decode_image
from kaoiro.parallel import ordered_map

_SUFFIX: Final = ".parquet"
_ROWS_AT_ONCE: Final = 64
_SPLIT_ENDS: Final = re.compile(r"[-_.]")
# What pyarrow raises on damaged files; texts that are not UTF-8 raise UnicodeDecodeError, a ValueError.
_READING_ERRORS: Final = (pa.ArrowException, OSError, ValueError, OverflowError)


@dataclass(frozen=True)
class _File:
    """A Parquet file of the dataset, and what its columns are.

    Attributes:
        path: the file.
        source: how a face's source names it.
        rows: the number of its rows.
        split: the split by its name.
        columns: which column has what; `picture` is a column of pictures, `label` may be missing.
        numbers: the columns of numbers.
        classes: the names of the numbers in the column of labels, if it has numbers and they have names.
        meanings: what those numbers mean; None where labels are words.
    """

    path: Path
    source: str
    rows: int
    split: str | None
    columns: UsualColumns
    numbers: tuple[str, ...]
    classes: list[str] | None
    meanings: Mapping[str, Meaning] | None


def read_hugging_face(source: Path, options: ReadOptions) -> Reading:
    """Read a Hugging Face dataset file by file in the order of their paths, a few rows at a time.

    A row that is wrong, or whose picture is broken, comes as `LeftOut`.

    Raises:
        CorpusError: a file cannot be read, is a corpus of Kaoiro already, or has no column of pictures or of labels; or
            labels are numbers without names, or have a name that is not an expression.
    """
    paths = [source] if source.is_file() else _parquet_files(source)
    if not paths:
        raise CorpusError(f"{source} has no Parquet files")
    root = source.parent if source.is_file() else source
    files = [_open(path, root, options.names) for path in paths]
    total = sum(file.rows for file in files)

    def faces() -> Generator[Row, None, None]:
        without_label = 0
        read = partial(_face_or_left_out, options.names)
        for row in _closing(ordered_map(read, _rows(files, total, options.on_progress))):
            without_label += isinstance(row, LabelledFace) and row.label is None and row.votes is None
            yield row
        if without_label:
            options.on_note(f"{without_label:,} faces have neither a label nor votes")

    numbers = dict.fromkeys(name for file in files for name in file.numbers)
    return Reading(faces(), tuple(numbers))


def _closing(rows: Generator[Row, None, None]) -> Iterator[Row]:
    with closing(rows):
        yield from rows


def _parquet_files(folder: Path) -> list[Path]:
    return [path for path in files_below(folder) if path.suffix.lower() == _SUFFIX]


@contextmanager
def _reported_reading(path: Path) -> Iterator[None]:
    try:
        yield
    except _READING_ERRORS as error:
        if isinstance(error, CorpusError):
            raise
        reason = str(getattr(error, "strerror", None) or error).partition("\n")[0]
        reason = "".join(filter(str.isprintable, reason)) or "it is not Parquet, or damaged"
        raise CorpusError(f"cannot read {path}: {reason}") from error


def _open(path: Path, root: Path, names: LabelNames) -> _File:
    with _reported_reading(path), pq.ParquetFile(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    metadata = schema.metadata or {}
    if b"kaoiro.corpus" in metadata:
        raise CorpusError(
            f"{path} is a corpus of Kaoiro already, and is used as it is; `kaoiro data show {path}` counts its faces"
        )
    columns = find_usual_columns(schema.names)
    picture = _picture_column(schema)
    if picture is None:
        raise CorpusError(f"{path} has no column of pictures; its columns are {', '.join(schema.names)}")
    label = columns.label
    if label is None and columns.votes is None:
        raise CorpusError(f"{path} has no column of labels, such as label; its columns are {', '.join(schema.names)}")
    classes = meanings = None
    if label is not None:
        kind = schema.field(label).type
        if pa.types.is_integer(kind):
            classes = _class_names(metadata, label) or _names_beside(path, root, label)
            meanings = _meanings(path, label, classes, names)
        elif not (_is_text(kind) or (pa.types.is_dictionary(kind) and _is_text(kind.value_type))):
            raise CorpusError(f"{path} has labels of the type {kind} in the column {label!r}; words or numbers go")
    taken = {picture, label}
    numbers = tuple(
        name
        for name in (*columns.numbers, *columns.others)
        if name not in taken and _is_number(schema.field(name).type) and schema.names.count(name) == 1
    )
    return _File(
        path=path,
        source=path_text(path.relative_to(root)),
        rows=rows,
        split=_split_by_name(path.relative_to(root)),
        columns=replace(columns, picture=picture),
        numbers=numbers,
        classes=classes,
        meanings=meanings,
    )


def _picture_column(schema: pa.Schema) -> str | None:
    def first(names: list[str]) -> str | None:
        return find_usual_columns(names).picture or (names[0] if names else None)

    structs = [field.name for field in schema if _is_struct_of_bytes(field.type)]
    plain = [field.name for field in schema if _is_bytes(field.type)]
    return first(structs) or first(plain)


def _is_struct_of_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 and _is_bytes(kind.field("bytes").type)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _split_by_name(path: PurePath) -> str | None:
    """Read the split from a file's name, or else from the nearest folder that names one."""
    names = (path.stem, *reversed(path.parent.parts))
    return next((split for name in names if (split := _split_in(name)) is not None), None)


def _split_in(name: str) -> str | None:
    return parse_split(name) or next((split for part in _SPLIT_ENDS.split(name) if (split := parse_split(part))), None)


def _class_names(metadata: Mapping[bytes, bytes], label: str) -> list[str] | None:
    try:
        names = json.loads(metadata[b"huggingface"])["info"]["features"][label]["names"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return _list_of_texts(names)


def _names_beside(path: Path, root: Path, label: str) -> list[str] | None:
    """Look for the names of classes in the dataset's README.md or `dataset_infos.json`, up from the file."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    if root.name == "data" or (path.parent == root and parse_split(root.name)):
        folders.append(root.parent)
    for folder in folders:
        names = _names_in_infos(folder / "dataset_infos.json", label) or _names_in_readme(folder / "README.md", label)
        if names:
            return names
    return None


def _names_in_infos(path: Path, label: str) -> list[str] | None:
    try:
        infos = json.loads(path.read_bytes())
        return _agreed([info["features"][label].get("names") for info in infos.values()])
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None


def _names_in_readme(path: Path, label: str) -> list[str] | None:
    import yaml  # type: ignore[import-untyped]

    try:
        _, begins, rest = path.read_text(encoding="utf-8").partition("---\n")
        card: Any = yaml.safe_load(rest.partition("\n---")[0]) if begins else None
        infos = card["dataset_info"]
        infos = infos if isinstance(infos, list) else [infos]
        features = [feature for info in infos for feature in info["features"] if feature["name"] == label]
        by_number = [feature["dtype"]["class_label"]["names"] for feature in features]
        return _agreed([[names[str(number)] for number in range(len(names))] for names in by_number])
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError, yaml.YAMLError):
        return None


def _agreed(candidates: list[Any]) -> list[str] | None:
    """Take the names of classes if all of a dataset's configurations have the same."""
    if not candidates or any(candidate != candidates[0] for candidate in candidates):
        return None
    return _list_of_texts(candidates[0])


def _list_of_texts(value: object) -> list[str] | None:
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return value
    return None


def _meanings(path: Path, label: str, classes: list[str] | None, names: LabelNames) -> Mapping[str, Meaning]:
    """Say what each number in the column of labels means; the user's map may have the number or the name."""
    if classes is None or all(name.strip().isdigit() for name in classes):
        if not any(label.isdigit() for label in names.own):
            raise CorpusError(
                f"{path} has labels that are numbers in the column {label!r}, and no names for them; "
                "say what each means with --map, for example --map 0=anger"
            )
        return names.own
    meanings: dict[str, Meaning] = {}
    for number, name in enumerate(classes):
        meaning = names.own.get(str(number)) or names.read(name)
        if meaning is None:
            raise CorpusError(
                f"{path} has the class {shown(name)}, which is none of {', '.join(EIGHT)}; "
                f"say what it means with --map, or leave it out with --map {shown(f'{name}=none')}"
            )
        meanings[str(number)] = meaning
    return meanings


@dataclass(frozen=True, slots=True)
class _Row:
    """A row still to be looked at: its file, its number from 1, and its values."""

    file: _File
    number: int
    values: dict[str, Any]


def _rows(files: list[_File], total: int, on_progress: Callable[[float], None]) -> Iterator[_Row]:
    done = 0
    for file in files:
        columns = file.columns
        texts = (columns.label, columns.split, columns.group, *(columns.votes or ()), *file.numbers)
        wanted = list(dict.fromkeys(name for name in (columns.picture, *texts) if name is not None))
        number = 0
        with _reported_reading(file.path), pq.ParquetFile(file.path) as parquet:
            for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=wanted, use_threads=False):
                for values in batch.to_pylist():
                    number += 1
                    yield _Row(file, number, values)
                done += len(batch)
                on_progress(done / total)


def _face_or_left_out(names: LabelNames, row: _Row) -> Row:
    try:
        return _face(names, row)
    except RowError as error:
        return LeftOut(f"{path_text(row.file.path)}:{row.number}", str(error))


def _face(names: LabelNames, row: _Row) -> LabelledFace | Skipped:
    file, columns, values = row.file, row.file.columns, row.values

    def text(column: str | None) -> str:
        value = None if column is None else values[column]
        return "" if value is None else str(value).strip()

    label = _label(file, text(columns.label), names)
    if label is NO_EXPRESSION:
        label_text = text(columns.label)
        return Skipped(f"labelled {shown(file.classes[int(label_text)] if file.classes else label_text)}")
    encoded, path = _bytes_and_path(values[columns.picture or ""])
    source = f"{file.source}:{row.number}"
    try:
        decode_image(encoded, source)
    except ImageError as error:
        raise RowError(str(error).removeprefix(f"cannot read {source!r}: ")) from error
    numbers = {name: number for name in file.numbers if (number := _number(values[name])) is not None}
    return LabelledFace(
        image_bytes=encoded,
        name=PurePath(path).name or f"{PurePath(file.source).stem}_{row.number}{picture_suffix(encoded)}",
        source=source,
        label=label,
        votes=parse_votes(text(column) for column in columns.votes) if columns.votes else None,
        split=parse_split_or_none(text(columns.split)) or file.split,
        group=text(columns.group) or None,
        numbers=numbers,
    )


def _label(file: _File, text: str, names: LabelNames) -> Meaning | None:
    """Read a label; None where the row has none, which Hugging Face writes as -1."""
    if not text or (file.meanings is not None and text == "-1" and text not in file.meanings):
        return None
    meaning = names.read(text) if file.meanings is None else file.meanings.get(text)
    if meaning is None:
        raise RowError(f"the label {shown(text)} is not an expression; say what it means with --map")
    return meaning


def _number(value: float | None) -> float | None:
    return None if value is None else parse_number(repr(float(value)))


def _bytes_and_path(picture: object) -> tuple[bytes, str]:
    encoded, path = (picture.get("bytes"), picture.get("path")) if isinstance(picture, dict) else (picture, None)
    if not isinstance(encoded, bytes):
        raise RowError(f"the row has no picture, only the path {shown(path)}" if path else "the row has no picture")
    return encoded, path if isinstance(path, str) else ""


def _looks_like(source: Path) -> bool:
    """Say whether a file, or one of a folder's first Parquet files, has a column of pictures.

    A corpus of Kaoiro does as well if it is the source itself, to be told what it is; one that lies in a folder of
    pictures says nothing about them.
    """
    if source.is_file():
        return source.suffix.lower() == _SUFFIX and _has_pictures(source, own_too=True)
    depths = ("*", "*/*", "*/*/*")
    found = (sorted(path for path in source.glob(depth + _SUFFIX) if not _is_hidden(path, source)) for depth in depths)
    return any(_has_pictures(path, own_too=False) for paths in found for path in paths[:1])


def _has_pictures(path: Path, own_too: bool) -> bool:
    try:
        with _reported_reading(path), pq.ParquetFile(path) as file:
            schema = file.schema_arrow
    except CorpusError:
        return False
    is_own = b"kaoiro.corpus" in (schema.metadata or {})
    return _picture_column(schema) is not None and (own_too or not is_own)


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


HUGGING_FACE: Final = Layout(
    "hugging-face",
    "a Hugging Face image dataset: a Parquet file, or a folder of them such as data/train-00000-of-00001.parquet",
    looks_like=_looks_like,
    read=read_hugging_face,
)
