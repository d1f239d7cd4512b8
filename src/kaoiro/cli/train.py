"""`kaoiro train`."""

import typer

from kaoiro.cli.extras import extra_needed
from kaoiro.cli.last_line import last_line


def train(context: typer.Context) -> None:
    """Train a network on a stored corpus; every option is described by `kaoiro train --help`."""
    with extra_needed("kaoiro train", "train"):
        from kaoiro.training.processes.lost_process import ProcessLostError
        from kaoiro.training.run.command import train as run_training
    try:
        run_training(context.args)
    except KeyboardInterrupt as stop:
        last_line(f"kaoiro: {stop or 'stopped'}", ends_run=True)
        raise typer.Exit(130) from stop
    except ProcessLostError as loss:
        last_line(f"kaoiro: {loss}", ends_run=True)
        raise typer.Exit(1) from loss
