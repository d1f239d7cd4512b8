"""`kaoiro doctor`."""

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from kaoiro.cli.extras import extra_needed
from kaoiro.errors import InputError

if TYPE_CHECKING:
    from kaoiro.scale.collectives_report import CollectivesReport


class DoctorFormat(StrEnum):
    """How the findings are printed."""

    TABLE = "table"
    JSON = "json"


class Backend(StrEnum):
    """What carries the messages between processes."""

    AUTO = "auto"
    GLOO = "gloo"
    NCCL = "nccl"


def doctor(
    format_: Annotated[DoctorFormat, typer.Option("--format", help="What is printed.")] = DoctorFormat.TABLE,
    collectives: Annotated[
        bool, typer.Option("--collectives", help="Check the links between processes; launch it with torchrun.")
    ] = False,
    backend: Annotated[
        Backend | None,
        typer.Option(help="With --collectives: by default NCCL where each process has a GPU, else gloo."),
    ] = None,
    sizes: Annotated[
        str | None, typer.Option(help="With --collectives: message sizes, by default 1K,64K,1M,16M.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="With --collectives: seconds that a step may take, by default 30.", min=1)
    ] = None,
) -> None:
    """Show versions, devices, threads and memory, and what would be slow or fail here and why."""
    if collectives:
        _check_collectives(
            format_, backend or Backend.AUTO, sizes or "1K,64K,1M,16M", 30.0 if timeout is None else timeout
        )
        return
    for option, value in (("--backend", backend), ("--sizes", sizes), ("--timeout", timeout)):
        if value is not None:
            raise InputError(f"{option} belongs to --collectives; add it, or leave {option} out")
    from kaoiro.doctor.examination import examine

    examination = examine()
    sys.stdout.write(examination.to_json() if format_ is DoctorFormat.JSON else examination.to_text())


def _check_collectives(format_: DoctorFormat, backend: Backend, sizes: str, timeout: float) -> None:
    # Read when torch is loaded: without it, torch adds C++ stacks to what is said here in one line.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")

    from kaoiro.scale.launched import launched, leave_the_word_to_rank_0
    from kaoiro.scale.sizes import parse_sizes

    def report(found: "CollectivesReport") -> None:
        sys.stdout.write(found.to_json() if format_ is DoctorFormat.JSON else found.to_text())
        sys.stdout.flush()

    try:
        launched()
        in_bytes = parse_sizes(sizes)
        with extra_needed("kaoiro doctor --collectives", "train"):
            from kaoiro.scale.collectives import check_collectives
        right = check_collectives(backend.value, in_bytes, timeout, report)
    except (InputError, ImportError) as error:
        if leave_the_word_to_rank_0():
            raise typer.Exit(2) from error
        raise
    if not right:
        raise typer.Exit(1)
