"""How `kaoiro video` writes what it read over time: JSON lines, CSV or Parquet."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kaoiro.cli.parquet_rows import parquet_rows
from kaoiro.errors import InputError
from kaoiro.expressions import Expression, Language
from kaoiro.files import atomic_path, reported_writing

if TYPE_CHECKING:
    from kaoiro.recognition.results import Frame

Write = Callable[["Frame"], None]


def check_timeline(path: Path) -> None:
    """Refuse a file name that stands for no format, before any work is done.

    Raises:
        InputError: its suffix is none of `.jsonl`, `.csv` and `.parquet`.
    """
    if path.suffix.lower() not in _WRITERS:
        raise InputError(f"cannot write {str(path)!r}: timelines are written as .jsonl, .csv or .parquet; name it so")


@contextmanager
def timeline(path: Path, expressions: Sequence[Expression], language: Language) -> Iterator[Write]:
    """Give the function that takes one frame after the other and writes them to a file, whole or not at all.

    JSON lines hold one object a frame. CSV and Parquet hold one row a face and frame, so that a frame without faces
    has none.

    Args:
        path: the file; its suffix chooses the format. Parquet needs PyArrow.
        expressions: those among which the recogniser chose.
        language: another than English gives a further entry `label` with the expression's name in that language.

    Raises:
        InputError: the file cannot be written.
    """
    check_timeline(path)
    label = None if language is Language.ENGLISH else language
    columns = [
        *("frame", "time", "track", "left", "top", "right", "bottom", "detection_score", "expression"),
        *(() if label is None else ("label",)),
        *("confidence", *(expression.value for expression in expressions)),
    ]
    with (
        reported_writing(path),
        atomic_path(path) as partial,
        _WRITERS[path.suffix.lower()](partial, columns, label) as write,
    ):
        yield write


@contextmanager
def _json_lines(path: Path, _: list[str], language: Language | None) -> Iterator[Write]:
    with path.open("w", encoding="utf-8") as file:
        yield lambda frame: print(json.dumps(frame.to_dict(language), ensure_ascii=language is None), file=file)


@contextmanager
def _csv(path: Path, columns: list[str], language: Language | None) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, columns, lineterminator="\n")
        rows.writeheader()
        yield lambda frame: rows.writerows(frame.to_rows(language))


@contextmanager
def _parquet(path: Path, columns: list[str], language: Language | None) -> Iterator[Write]:
    with parquet_rows(path, columns) as write:
        yield lambda frame: write(frame.to_rows(language))


_WRITERS: Final[dict[str, Callable[[Path, list[str], Language | None], AbstractContextManager[Write]]]] = {
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".parquet": _parquet,
}
