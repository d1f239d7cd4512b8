"""A report for people and one for machines."""

import json

from rich.console import Console
from rich.table import Table

from kaoiro.evaluation.evaluate import HeadReport, Report
from kaoiro.evaluation.robustness import HeadRobustness
from kaoiro.evaluation.scores import Measured, Scores
from kaoiro.evaluation.selection import usable_threshold


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
    if report.prior != "natural":
        console.print(f"weighted to the prior {prior_text(report)}", markup=False, soft_wrap=True)
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
        console.print(_selection(head.scores))
        console.print(_classes(head.scores))
        console.print(_confusion(head.scores))
        if report.robustness is not None:
            console.print(_robustness(report.robustness.heads[name]))


def prior_text(report: Report) -> str:
    """The report's prior in the words that `--prior` takes."""
    if isinstance(report.prior, str):
        return report.prior
    return ",".join(f"{name}={frequency:g}" for name, frequency in report.prior.items())


def _interval(measured: Measured, sign: str = "") -> str:
    value, low, high = (f"{100 * one:{sign}.2f}" for one in (measured.value, measured.low, measured.high))
    return f"{value} ({low} to {high})"


def _summary(head: HeadReport) -> Table:
    table = Table(
        *("faces", "n", "accuracy, %", "macro-F1, %", "ECE, %"),
        caption="in brackets: 95 % interval; ECE: expected calibration error; "
        f"{100 * head.scores.calibration_error_by_chance:.2f} if every confidence were true",
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


def _selection(scores: Scores) -> Table:
    table = Table(
        *("answered, %", "min_confidence", "n", "accuracy, %"),
        caption=f"the surest faces first; area under the risk–coverage curve: {100 * scores.selection.area:.2f} %",
        caption_justify="left",
    )
    for point in scores.selection.points:
        least = usable_threshold(point.threshold)
        table.add_row(f"{100 * point.answered:.1f}", least, str(point.n), _interval(point.accuracy))
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


def _robustness(head: HeadRobustness) -> Table:
    table = Table(
        *("change", "accuracy, %", "difference, points"),
        caption="every face changed, and the difference from the same faces unchanged; docs/robustness.md has the "
        "details",
        caption_justify="left",
    )
    for change, scores in head.changed.items():
        table.add_row(change, _interval(scores.accuracy), _interval(scores.difference, "+"))
    return table
