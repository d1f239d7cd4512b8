"""Tables in text files, CSV with any usual separator or JSON lines, read so that one broken line spoils no other."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kaoiro.corpus.readers.lists import RowError, shown
from kaoiro.errors import CorpusError

TABLE_SUFFIXES: Final = frozenset({".csv", ".tsv", ".txt", ".jsonl", ".ndjson"})

_SEPARATORS: Final = (",", ";", "\t")
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_HEADER_LIMIT: Final = 2**16
_JSON_LINES_LOOKED_AT: Final = 10
# A field may go over several lines; the end of a stray quotation mark is not looked for any further than this.
_LINES_OF_A_ROW: Final = 16


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table.

    Attributes:
        line: the number, from 1, of the line on which it begins.
        end: the number of bytes from the beginning of the file to the row's end.
        values: its values as text by their column, or what is wrong with the row. A missing value is empty.
    """

    line: int
    end: int
    values: dict[str, str] | RowError


@dataclass(frozen=True)
class Table:
    """A table in a text file.

    Attributes:
        path: the file.
        columns: the columns' names. Of JSON lines, those of the first lines, the most usual first; others may come
            later.
        separator: what stands between the fields; None for JSON lines.
    """

    path: Path
    columns: tuple[str, ...]
    separator: str | None

    def rows(self) -> Iterator[TableRow]:
        """Read row by row; blank lines are skipped.

        Bytes that are not UTF-8 come as surrogates, so that they still name files.

        Raises:
            CorpusError: the file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                yield from self._json_rows(file) if self.separator is None else self._csv_rows(file)
        except OSError as error:
            raise CorpusError(f"cannot read {self.path}: {error.strerror}") from error

    def _json_rows(self, file: Iterator[bytes]) -> Iterator[TableRow]:
        end = 0
        for number, line in enumerate(file, 1):
            end += len(line)
            if not line.isspace():
                yield TableRow(number, end, _json_values(line))

    def _csv_rows(self, file: Iterator[bytes]) -> Iterator[TableRow]:
        assert self.separator is not None
        end = len(next(file, b""))
        number = 2
        waiting: list[bytes] = []
        while True:
            if not waiting:
                waiting = [line for line in [next(file, b"")] if line]
            if not waiting:
                return
            taken, values = 1, self._csv_values(waiting[0])
            if isinstance(values, _OpenQuoteError):
                while len(waiting) < _LINES_OF_A_ROW and (line := next(file, b"")):
                    waiting.append(line)
                for count in range(2, len(waiting) + 1):
                    longer = self._csv_values(b"".join(waiting[:count]))
                    if not isinstance(longer, RowError):
                        taken, values = count, longer
                    if not isinstance(longer, _OpenQuoteError):
                        break
            end += sum(map(len, waiting[:taken]))
            if not _is_blank(waiting[:taken], values):
                yield TableRow(number, end, values)
            number += taken
            del waiting[:taken]

    def _csv_values(self, row: bytes) -> dict[str, str] | RowError:
        assert self.separator is not None
        fields = _fields(row, self.separator)
        if isinstance(fields, RowError):
            return fields
        if len(fields) != len(self.columns):
            return RowError(f"{len(self.columns)} columns are expected, and there are {len(fields)}")
        return dict(zip(self.columns, fields, strict=True))


def _is_blank(lines: list[bytes], values: dict[str, str] | RowError) -> bool:
    """Say whether a row is empty; spreadsheets like to write separators there."""
    return all(line.isspace() for line in lines) or (isinstance(values, dict) and not any(values.values()))


class _OpenQuoteError(RowError):
    """A row that ends within quotation marks."""


def open_table(path: Path, fits: Callable[[tuple[str, ...]], bool]) -> Table | None:
    """Open a table whose columns fit, whatever its separator; None where they do not.

    Raises:
        CorpusError: the file cannot be read, is UTF-16, or has two columns of one name.
    """
    try:
        with path.open("rb") as file:
            head = [file.readline(_HEADER_LIMIT) for _ in range(_JSON_LINES_LOOKED_AT)]
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror}") from error
    if head[0].startswith(_UTF16_BOMS):
        raise CorpusError(f"{path} is UTF-16; save it as UTF-8")
    objects = [values for line in head if isinstance(values := _json_values(line), dict)]
    if objects:
        # The usual ones first, so that a misspelt name in one line is not taken for the column.
        columns = tuple(name for name, _ in Counter(name for values in objects for name in values).most_common())
        return Table(path, columns, None) if fits(columns) else None
    for separator in _SEPARATORS:
        fields = _fields(head[0].removeprefix(_UTF8_BOM), separator)
        if isinstance(fields, RowError):
            continue
        columns = tuple(field.strip() for field in fields)
        if fits(columns):
            twice = next((name for name in columns if name and columns.count(name) > 1), None)
            if twice is not None:
                raise CorpusError(f"{path} has two columns of the name {shown(twice)}; give one of them another name")
            return Table(path, columns, separator)
    return None


def _fields(row: bytes, separator: str) -> list[str] | RowError:
    text = row.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
    try:
        return next(csv.reader([text], delimiter=separator, strict=True), [])
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return _OpenQuoteError("a quotation mark is not closed")
        return RowError(f"the line is not CSV ({error})")


def _json_values(line: bytes) -> dict[str, str] | RowError:
    try:
        values = json.loads(line.removeprefix(_UTF8_BOM))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return RowError("the line is not a JSON object")
    return {name: _text(value) for name, value in values.items()}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)
