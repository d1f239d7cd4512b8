"""A report for people and one for machines."""

import json

from rich.console import Console
from rich.table import Table

from kaoiro.evaluation.evaluate import HeadReport, Report
from kaoiro.evaluation.scores import Measured, Scores


def report_json(report: Report) -> str:
    """The whole report as JSON text."""
    return json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n"


def print_report(report: Report) -> None:
    """Print the report as tables on stdout."""
    console = Console(highlight=False)
    reading = "each face and its mirror image, averaged" if report.flip_averaging else "each face once"
    console.print(
        f"{report.model} on {report.corpus}, split {report.split}: {report.faces} faces, {reading}",
        markup=False,
        soft_wrap=True,
    )
    if report.near_duplicates is not None:
        share = report.near_duplicates / report.faces
        console.print(
            f"{report.near_duplicates} of them ({share:.1%}) are near-duplicates of training faces",
            markup=False,
            soft_wrap=True,
        )
    for name, head in report.heads.items():
        console.print()
        console.print(f"{name}: right is {head.rule}", style="bold", markup=False, soft_wrap=True)
        console.print(_summary(head))
        console.print(_classes(head.scores))
        console.print(_confusion(head.scores))


def _interval(measured: Measured) -> str:
    return f"{100 * measured.value:.2f} ({100 * measured.low:.2f} to {100 * measured.high:.2f})"


def _summary(head: HeadReport) -> Table:
    table = Table(
        *("faces", "n", "accuracy, %", "macro-F1, %", "ECE, %"),
        caption="in brackets: 95 % interval; ECE: expected calibration error",
        caption_justify="left",
    )
    rows = [("all", head.scores)]
    if head.leak_free is not None:
        rows.append(("leak-free", head.leak_free))
    for label, scores in rows:
        table.add_row(
            label,
            str(scores.n),
            _interval(scores.accuracy),
            _interval(scores.macro_f1),
            f"{100 * scores.calibration_error:.2f}",
        )
    return table


def _classes(scores: Scores) -> Table:
    table = Table("expression", "precision", "recall", "F1", "n")
    for expression, one in scores.classes.items():
        table.add_row(expression.value, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", str(one.n))
    return table


def _confusion(scores: Scores) -> Table:
    names = [expression.value for expression in scores.classes]
    table = Table("right \\ read as", *(name[:4] for name in names))
    for name, row in zip(names, scores.confusion, strict=True):
        table.add_row(name, *map(str, row))
    return table
