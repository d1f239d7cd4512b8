"""How `kaoiro predict` writes what it read: a table, JSON, JSON lines or CSV."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, TextIO

from kaoiro.expressions import Expression

if TYPE_CHECKING:
    from kaoiro.recognition.many import Reading
    from kaoiro.recognition.results import Face

Write = Callable[["Reading"], None]


def writer(format_: str, out: TextIO, expressions: Sequence[Expression]) -> AbstractContextManager[Write]:
    """Give the function that takes one reading after the other and writes them to `out`.

    What the block has written is complete when it ends, even if it ends by an error or Ctrl-C.

    Args:
        format_: `table`, `json`, `jsonl` or `csv`.
        out: where to.
        expressions: those among which the recogniser chose.
    """
    if format_ == "csv":
        return _csv(out, expressions)
    return {"table": _table, "json": _json, "jsonl": _json_lines}[format_](out)


@contextmanager
def _json_lines(out: TextIO) -> Iterator[Write]:
    def write(reading: "Reading") -> None:
        print(json.dumps(reading.to_dict()), file=out, flush=True)

    yield write


@contextmanager
def _json(out: TextIO) -> Iterator[Write]:
    separator = "[\n"

    def write(reading: "Reading") -> None:
        nonlocal separator
        out.write(separator + json.dumps(reading.to_dict()))
        separator = ",\n"

    try:
        yield write
    finally:
        out.write("[]\n" if separator == "[\n" else "\n]\n")


@contextmanager
def _csv(out: TextIO, expressions: Sequence[Expression]) -> Iterator[Write]:
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(
        ["picture", "face", "left", "top", "right", "bottom", "detection_score", "expression", "confidence"]
        + [e.value for e in expressions]
    )

    def write(reading: "Reading") -> None:
        for number, face in enumerate(reading.faces, start=1):
            rows.writerow(
                [reading.picture, number, *face.box, face.detection_score, face.expression, face.confidence]
                + [face.probabilities[e] for e in expressions]
            )
        if not reading.faces:
            rows.writerow([reading.picture, *[None] * (8 + len(expressions))])

    yield write


@contextmanager
def _table(out: TextIO) -> Iterator[Write]:
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
            table.add_row(
                picture,
                str(number),
                f"unsure ({face.likeliest.value} {face.confidence:.1%})" if unsure else face.likeliest.value,
                "" if unsure else f"{face.confidence:.1%}",
                _runner_up(face),
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


def _runner_up(face: "Face") -> str:
    second = sorted(face.probabilities, key=face.probabilities.__getitem__)[-2]
    return f"{second.value} {face.probabilities[second]:.1%}"
