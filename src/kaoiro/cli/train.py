"""`kaoiro train`."""

import typer


def train(context: typer.Context) -> None:
    """Train a network on a stored corpus; every option is described by `kaoiro train --help`."""
    try:
        from kaoiro.training.command import train as run_training
    except ModuleNotFoundError as error:
        from kaoiro.errors import MissingExtraError

        raise MissingExtraError("kaoiro train", "train", str(error.name)) from error
    try:
        run_training(context.args)
    except KeyboardInterrupt as stop:
        typer.echo(f"kaoiro: {stop or 'stopped'}", err=True)
        raise typer.Exit(130) from stop
