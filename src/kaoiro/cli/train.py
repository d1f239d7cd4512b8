"""`kaoiro train`."""

import typer

from kaoiro.cli.extras import extra_needed


def train(context: typer.Context) -> None:
    """Train a network on a stored corpus; every option is described by `kaoiro train --help`."""
    with extra_needed("kaoiro train", "train"):
        from kaoiro.training.command import train as run_training
    try:
        run_training(context.args)
    except KeyboardInterrupt as stop:
        typer.echo(f"kaoiro: {stop or 'stopped'}", err=True)
        raise typer.Exit(130) from stop
