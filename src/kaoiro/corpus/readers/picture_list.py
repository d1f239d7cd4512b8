"""A list of pictures with their labels: CSV with any usual separator, or JSON lines.

The list says in its first line (of JSON lines, in each) what its columns are; they are known by their usual names.
Paths are relative to the list's folder, or absolute.
"""

import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Final

from kaoiro.corpus.label_names import NO_EXPRESSION, LabelNames
from kaoiro.corpus.labelled_face import LeftOut, Row, Skipped
from kaoiro.corpus.readers.layout import Layout, Reading, ReadOptions
from kaoiro.corpus.readers.lists import RowError, shown
from kaoiro.corpus.readers.picture_files import PictureFile, path_text, read_picture
from kaoiro.corpus.readers.table_lines import TABLE_SUFFIXES, Table, TableRow, open_table
from kaoiro.corpus.readers.usual_columns import (
    NUMBER_PREFIX,
    UsualColumns,
    find_usual_columns,
    parse_number,
    parse_split_or_none,
    parse_votes,
)
from kaoiro.errors import CorpusError
from kaoiro.expressions import EIGHT, Expression
from kaoiro.files import kind_of
from kaoiro.parallel import ordered_map

_LABELS_LOOKED_AT: Final = 10_000
_PICTURES_LOOKED_AT: Final = 20
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class _Columns:
    """The columns that are read; numbers are by the name that they get in the corpus."""

    usual: UsualColumns
    numbers: dict[str, str]


def read_picture_list(source: Path, options: ReadOptions) -> Reading:
    """Read a list of pictures in its order.

    A line that is wrong, or whose picture is missing or broken, comes as `LeftOut`. Each picture keeps its file's own
    bytes.

    Args:
        source: the list, or a folder in which it is the only one.
        options: `names` reads the labels. Labels that are numbers mean something else in every corpus, and need the
            user's map.

    Raises:
        CorpusError: there is no list or more than one, it cannot be read, none of its labels is an expression, or all
            of the first pictures that it names are missing.
    """
    table = _table(source)
    _check_pictures(table)
    columns = _survey(table, options)
    where = path_text(table.path)
    size = table.path.stat().st_size

    def rows() -> Generator[Row, None, None]:
        without_label = 0
        read = partial(_face_or_left_out, table, where, columns, options.names)
        with closing(ordered_map(read, _counted(table, size, options.on_progress))) as results:
            for row in results:
                without_label += not isinstance(row, LeftOut | Skipped) and row.label is None and row.votes is None
                yield row
        if without_label:
            options.on_note(f"{without_label:,} faces have neither a label nor votes")

    return Reading(rows(), tuple(columns.numbers))


def _table(source: Path) -> Table:
    if not source.is_dir():
        table = open_table(source, _fits)
        if table is None:
            raise CorpusError(
                f"{source} is not a list of pictures: its first line must name the columns, with one for the picture "
                "(such as path) and one for the label (such as label)"
            )
        return table
    tables = _tables_in(source)
    if len(tables) != 1:
        which = f"{len(tables)}: {', '.join(table.path.name for table in tables)}" if tables else "none"
        raise CorpusError(f"a folder with one list of pictures is expected, and {source} has {which}; give the list")
    return tables[0]


def _tables_in(folder: Path) -> list[Table]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if PurePath(entry.name).suffix.lower() in TABLE_SUFFIXES)
    except OSError as error:
        raise CorpusError(f"cannot read the folder {folder}: {error.strerror}") from error
    files = (folder / name for name in names if not name.startswith("."))
    return [table for file in files if kind_of(file) == "file" and (table := open_table(file, _fits)) is not None]


def _fits(names: tuple[str, ...]) -> bool:
    columns = find_usual_columns(names)
    return columns.picture is not None and (columns.label is not None or columns.votes is not None)


def _looks_like(source: Path) -> bool:
    try:
        if source.is_dir():
            return len(_tables_in(source)) == 1
        return open_table(source, _fits) is not None
    except CorpusError:
        return False


def is_export(source: Path) -> bool:
    """Whether a source is a folder with a list of the kind that `kaoiro data export` writes."""
    try:
        found = _tables_in(source) if source.is_dir() else []
    except CorpusError:
        return False
    columns = (find_usual_columns(table.columns) for table in found)
    return any(usual.name is not None and usual.source is not None for usual in columns)


def _check_pictures(table: Table) -> None:
    """Refuse a list of which the first pictures are all missing, in one line in place of one a picture."""
    usual = find_usual_columns(table.columns)
    missing: list[str] = []
    for row in table.rows():
        text = "" if isinstance(row.values, RowError) else row.values.get(usual.picture or "", "").strip()
        try:
            file = _file(table.path.parent, text)
        except RowError:
            continue
        if os.path.exists(file):  # noqa: PTH110 (Path's raises where a name is too long)
            return
        missing.append(text)
        if len(missing) == _PICTURES_LOOKED_AT:
            break
    else:
        return
    if usual.votes and not usual.label and usual.split:
        raise CorpusError(
            f"{table.path} has FERPlus's votes and not the pictures; import FER2013's CSV file with them: "
            f"kaoiro data import fer2013.csv --ferplus {table.path} -o fer2013.parquet"
        )
    raise CorpusError(
        f"none of the first {len(missing)} pictures that {table.path} names exists, for example "
        f"{shown(_cleaned(missing[0]))}; paths must be absolute or relative to the list's folder, "
        f"{table.path.parent.absolute()}"
    )


def _survey(table: Table, options: ReadOptions) -> _Columns:
    """Go over the list once, to learn which columns are of numbers and whether the labels can be read."""
    names = dict.fromkeys(table.columns)
    usual = find_usual_columns(table.columns)
    labels: set[str] = set()
    with_numbers: set[str] = set()
    not_a_number: dict[str, str] = {}  # by the column, the first value that is none
    for row in table.rows():
        if isinstance(row.values, RowError):
            continue
        if not row.values.keys() <= names.keys():
            names.update(dict.fromkeys(row.values))
            usual = find_usual_columns(tuple(names))
        if usual.label and len(labels) < _LABELS_LOOKED_AT:
            labels.add(row.values.get(usual.label, "").strip())
        for name in usual.others:
            try:
                if parse_number(_decimal(row.values.get(name, ""), table)) is not None:
                    with_numbers.add(name)
            except RowError as error:
                not_a_number.setdefault(name, f"line {row.line}: {error}")
    _check_labels(table.path, labels - {""}, options.names)

    for name in usual.others:
        if name in with_numbers and name in not_a_number:
            options.on_note(f"passed over the column {shown(name)}: {not_a_number[name]}")
    numbers = {*usual.numbers, *with_numbers.difference(not_a_number)}
    return _Columns(usual, {_cleaned(name.removeprefix(NUMBER_PREFIX)): name for name in names if name in numbers})


def _check_labels(path: Path, labels: set[str], names: LabelNames) -> None:
    """Refuse a list of whose labels none can be read; single ones are a matter of their lines."""
    if not labels or any(names.read(label) is not None for label in labels):
        return
    if all(label.lstrip("+-").isdigit() for label in labels):
        numbers = sorted(labels, key=lambda label: (len(label), label))
        raise CorpusError(
            f"{path} has labels that are numbers ({', '.join(numbers[:3])}), and every corpus has its own numbering; "
            f"say what each means with --map, for example --map {numbers[0]}=happiness"
        )
    label = min(labels)
    raise CorpusError(
        f"{path} has no label that is an expression, but for example {shown(_cleaned(label))}; they must be of "
        f"{', '.join(EIGHT)}, or say what each means with --map"
    )


def _counted(table: Table, size: int, on_progress: Callable[[float], None]) -> Iterator[TableRow]:
    for row in table.rows():
        yield row
        on_progress(min(row.end / size, 1.0))


def _face_or_left_out(table: Table, where: str, columns: _Columns, names: LabelNames, row: TableRow) -> Row:
    where = f"{where}:{row.line}"
    try:
        picture = _picture(table, columns, names, row)
    except RowError as error:
        return LeftOut(where, _cleaned(str(error)))
    if isinstance(picture, Skipped):
        return picture
    face = read_picture(picture)
    if isinstance(face, LeftOut):
        return LeftOut(where, f"{face.where}: {face.what}")
    assert isinstance(row.values, dict)
    name = row.values.get(columns.usual.name or "") or picture.file.name
    source = row.values.get(columns.usual.source or "") or picture.source
    return replace(face, name=_cleaned(name), source=_cleaned(source))


def _picture(table: Table, columns: _Columns, names: LabelNames, row: TableRow) -> PictureFile | Skipped:
    if isinstance(row.values, RowError):
        raise row.values
    values, usual = row.values, columns.usual

    def value(column: str | None) -> str:
        return "" if column is None else values.get(column, "").strip()

    label: Expression | None = None
    if text := value(usual.label):
        meaning = names.read(text)
        if meaning is None:
            raise RowError(f"the label {shown(text)} is not an expression; say what it means with --map")
        if meaning is NO_EXPRESSION:
            return Skipped(f"labelled {shown(_cleaned(text))}")
        label = meaning
    numbers = {}
    for name, column in columns.numbers.items():
        number = _number(column, values, table)
        if number is not None:
            numbers[name] = number
    return PictureFile(
        file=_file(table.path.parent, value(usual.picture)),
        source=f"{path_text(Path(table.path.name))}:{row.line}",
        label=label,
        split=parse_split_or_none(value(usual.split)),
        group=_cleaned(value(usual.group)) or None,
        votes=parse_votes(value(column) for column in usual.votes) if usual.votes else None,
        numbers=numbers,
    )


def _file(folder: Path, text: str) -> Path:
    if not text:
        raise RowError("the line names no picture")
    try:
        os.fsencode(text)
        is_path = "\0" not in text
    except UnicodeEncodeError:
        is_path = False
    if not is_path:
        raise RowError(f"{shown(text)} is not the path of a picture")
    file = folder / text
    if "\\" in text and not os.path.lexists(file):
        file = folder / text.replace("\\", "/")
    if os.path.exists(file) and not os.path.isfile(file):  # noqa: PTH110, PTH113 (Path's raise where a name is too long)
        raise RowError(f"{shown(text)} is not a file")
    return file


def _number(column: str, values: dict[str, str], table: Table) -> float | None:
    try:
        return parse_number(_decimal(values.get(column, ""), table))
    except RowError as error:
        raise RowError(f"the {column} {error}") from error


def _decimal(text: str, table: Table) -> str:
    """Where semicolons separate the fields, commas may separate the decimals."""
    return text.replace(",", ".") if table.separator == ";" else text


def _cleaned(text: str) -> str:
    """Replace what a text column cannot hold."""
    return _SURROGATES.sub("\ufffd", text)


PICTURE_LIST: Final = Layout(
    "picture-list",
    "a list of pictures with their labels: CSV, TSV or JSON lines with columns such as path and label",
    looks_like=_looks_like,
    read=read_picture_list,
)
