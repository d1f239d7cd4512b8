"""The tree of commands."""

from typing import Annotated

import typer

from kaoiro.cli.data import data_app
from kaoiro.cli.doctor import doctor
from kaoiro.cli.evaluate import evaluate
from kaoiro.cli.explain import explain
from kaoiro.cli.export import export
from kaoiro.cli.models import models
from kaoiro.cli.predict import predict
from kaoiro.cli.train import train
from kaoiro.cli.video import video

app = typer.Typer(
    name="kaoiro",
    help="Facial-expression recognition: prepare labelled faces, train, evaluate, export, and read photos and videos.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from kaoiro import __version__

        typer.echo(f"kaoiro {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


app.command()(predict)
app.command()(video)
app.command()(explain)
app.add_typer(data_app, name="data")
app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(train)
app.command()(models)
app.command()(evaluate)
app.command()(export)
app.command()(doctor)
