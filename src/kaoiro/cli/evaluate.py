"""`kaoiro evaluate`."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kaoiro.cli.device import Device
from kaoiro.cli.extras import extra_needed


class ReportFormat(StrEnum):
    """How the report is printed."""

    TABLE = "table"
    JSON = "json"


def evaluate(
    model: Annotated[str, typer.Argument(help="A shipped model's name or a model file.")],
    data: Annotated[Path, typer.Option(help="A corpus that `kaoiro data import` wrote.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "validation",
    flip_averaging: Annotated[
        bool, typer.Option("--flip-averaging", help="Read each face mirrored too, and average both answers.")
    ] = False,
    leak_check: Annotated[bool, typer.Option(help="Also score without near-duplicates of training faces.")] = True,
    format_: Annotated[ReportFormat, typer.Option("--format", help="What is printed.")] = ReportFormat.TABLE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the JSON report to this file.")] = None,
    device: Annotated[Device, typer.Option(help="Where the model runs.")] = Device.AUTO,
) -> None:
    """Score a model on one split of a corpus: accuracy, macro-F1, every class, calibration, 95 % intervals."""
    with extra_needed("kaoiro evaluate", "train"):
        from kaoiro.evaluation.evaluate import evaluate as run_evaluation
        from kaoiro.evaluation.report import print_report, report_json
    from kaoiro.files import atomic_path, check_target, reported_writing

    if output is not None:
        check_target(output)
    report = run_evaluation(
        model, data, split, flip_averaging=flip_averaging, leak_check=leak_check, device=device.value
    )
    if output is not None:
        with reported_writing(output), atomic_path(output) as path:
            path.write_text(report_json(report), encoding="utf-8")
    if format_ is ReportFormat.JSON:
        sys.stdout.write(report_json(report))
    else:
        print_report(report)
