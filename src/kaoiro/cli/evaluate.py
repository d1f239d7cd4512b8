"""`kaoiro evaluate`."""

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kaoiro.cli.backend import Backend
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
    html: Annotated[
        Path | None, typer.Option(help="Write a page with figures, tables and plots, to look at in a browser.")
    ] = None,
    prior: Annotated[
        str,
        typer.Option(
            metavar="PRIOR",
            help="Weight the answers to how frequent expressions are: natural (as in training), balanced, or each "
            "one's frequency: happiness=0.5,neutral=0.4,…",
        ),
    ] = "natural",
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            help="Also measure what blur, JPEG, bad light, few pixels, tilt, covers and noise cost; takes 14 times as "
            "long.",
        ),
    ] = False,
    device: Annotated[Device, typer.Option(help="Where the model runs.")] = Device.AUTO,
    backend: Annotated[Backend, typer.Option(help="What runs the model.")] = Backend.ONNXRUNTIME,
) -> None:
    """Score a model on one split of a corpus: accuracy, macro-F1, every class, calibration, 95 % intervals."""
    with extra_needed("kaoiro evaluate", "train"):
        from kaoiro.evaluation.evaluate import evaluate as run_evaluation
        from kaoiro.evaluation.page import report_page
        from kaoiro.evaluation.report import print_report, report_json
        from kaoiro.evaluation.robustness import robustness as measure_robustness
    from kaoiro.files import atomic_path, check_outputs, reported_writing
    from kaoiro.recognition.priors import parse_prior

    check_outputs({"the corpus": data, "the model": Path(model)}, {"--output": output, "--html": html})
    report = run_evaluation(
        model,
        data,
        split,
        flip_averaging=flip_averaging,
        leak_check=leak_check,
        device=device.value,
        backend=backend.value,
        prior=parse_prior(prior),
    )
    if robustness:
        found = measure_robustness(
            model,
            data,
            split,
            flip_averaging=flip_averaging,
            device=device.value,
            backend=backend.value,
            prior=parse_prior(prior),
        )
        report = replace(report, robustness=found)
    texts = {
        target: text(report) for target, text in ((output, report_json), (html, report_page)) if target is not None
    }
    for target, text in texts.items():
        with reported_writing(target), atomic_path(target) as path:
            path.write_text(text, encoding="utf-8")
    if format_ is ReportFormat.JSON:
        sys.stdout.write(report_json(report))
    else:
        print_report(report)
