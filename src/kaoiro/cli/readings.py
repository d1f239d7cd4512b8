"""How `kaoiro predict` writes what it read: a table, JSON, JSON lines, CSV or Parquet."""

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from kaoiro.cli.parquet_rows import parquet_rows
from kaoiro.expressions import Expression, Language
from kaoiro.files import check_target, reported_writing

if TYPE_CHECKING:
    from kaoiro.recognition.many import Reading
    from kaoiro.recognition.results import Face

Write = Callable[["Reading"], None]


def writer(
    format_: str, out: TextIO, expressions: Sequence[Expression], language: Language
) -> AbstractContextManager[Write]:
    """Give the function that takes one reading after the other and writes them to `out`.

    What the block has written is complete when it ends, even if it ends by an error or Ctrl-C.

    Args:
        format_: `table`, `json`, `jsonl` or `csv`.
        out: where to.
        expressions: those among which the recogniser chose.
        language: in which people read the expressions' names. Another than English gives JSON and CSV a further entry
            `label`; what programs look at stays English.
    """
    label = _label_language(language)
    if format_ == "csv":
        return _csv(out, expressions, label)
    if format_ == "table":
        return _table(out, language)
    return {"json": _json, "jsonl": _json_lines}[format_](out, label)


@contextmanager
def file_writer(path: Path, format_: str, expressions: Sequence[Expression], language: Language) -> Iterator[Write]:
    """Give the function that takes one reading after the other and writes them to a file, whole or not at all.

    Args:
        path: the file.
        format_: as for `writer`, or `parquet`, which needs PyArrow.
        expressions: those among which the recogniser chose.
        language: as for `writer`.

    Raises:
        InputError: the file cannot be written.
    """
    with reported_writing(path), _sole_path(path) as partial:
        if format_ == "parquet":
            with _parquet(partial, _columns(expressions, _label_language(language)), language) as write:
                yield write
        else:
            with (
                partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
                writer(format_, file, expressions, language) as write,
            ):
                yield write


@contextmanager
def _sole_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; what was written there becomes `target` if the block ends well.

    Its name is always the same, so that the next run overwrites what is left of one that was killed.
    """
    target = check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.partial{target.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:  # on the disk before the journal goes
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _label_language(language: Language) -> Language | None:
    return None if language is Language.ENGLISH else language


@contextmanager
def _json_lines(out: TextIO, language: Language | None) -> Iterator[Write]:
    def write(reading: "Reading") -> None:
        print(json.dumps(reading.to_dict(language), ensure_ascii=language is None), file=out, flush=True)

    yield write


@contextmanager
def _json(out: TextIO, language: Language | None) -> Iterator[Write]:
    separator = "[\n"

    def write(reading: "Reading") -> None:
        nonlocal separator
        out.write(separator + json.dumps(reading.to_dict(language), ensure_ascii=language is None))
        separator = ",\n"

    try:
        yield write
    finally:
        out.write("[]\n" if separator == "[\n" else "\n]\n")


def _columns(expressions: Sequence[Expression], language: Language | None) -> list[str]:
    return [
        *("picture", "face", "left", "top", "right", "bottom", "detection_score", "expression"),
        *(() if language is None else ("label",)),
        *("confidence", *(expression.value for expression in expressions)),
    ]


@contextmanager
def _csv(out: TextIO, expressions: Sequence[Expression], language: Language | None) -> Iterator[Write]:
    rows = csv.DictWriter(out, _columns(expressions, language), lineterminator="\n")
    rows.writeheader()
    yield lambda reading: rows.writerows(reading.to_rows(language))


@contextmanager
def _parquet(path: Path, columns: list[str], language: Language) -> Iterator[Write]:
    with parquet_rows(path, columns) as write:
        yield lambda reading: write(reading.to_rows(language))


@contextmanager
def _table(out: TextIO, language: Language) -> Iterator[Write]:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("picture", overflow="fold")
    table.add_column("face", justify="right")
    table.add_column("expression", style="bold", min_width=9)
    table.add_column("confidence", justify="right", min_width=6)
    table.add_column("next", min_width=9)
    table.add_column("at (x, y)", justify="right")
    table.add_column("size", justify="right")

    def write(reading: "Reading") -> None:
        picture = Text(str(reading.picture))
        for number, face in enumerate(reading.faces, start=1):
            left, top, right, bottom = face.box
            unsure = face.expression is None
            name = face.likeliest.label(language)
            table.add_row(
                picture,
                str(number),
                f"unsure ({name} {face.confidence:.1%})" if unsure else name,
                "" if unsure else f"{face.confidence:.1%}",
                _runner_up(face, language),
                f"{left:.0f}, {top:.0f}",
                f"{right - left:.0f}×{bottom - top:.0f}",
            )
        if not reading.faces:
            table.add_row(picture, "", "no face found")

    try:
        yield write
    finally:
        console = Console(file=out, highlight=False)
        if not console.is_terminal:  # a file or a pipe has no width to fit into
            console.width = console.measure(table, options=console.options.update(max_width=10_000)).maximum
        if table.row_count:
            console.print(table)


def _runner_up(face: "Face", language: Language) -> str:
    second = sorted(face.probabilities, key=face.probabilities.__getitem__)[-2]
    return f"{second.label(language)} {face.probabilities[second]:.1%}"
