"""`kaoiro data export`: a corpus as picture files in folders, with a list of them."""

from pathlib import Path
from typing import Annotated

import typer

from kaoiro.cli.data.progress import messages_console, progress_bar
from kaoiro.cli.extras import extra_needed


def export(
    corpus: Annotated[Path, typer.Argument(help="A corpus that `kaoiro data import` wrote.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write; it must not exist, or be empty.")],
) -> None:
    """Write a corpus's pictures as files in folders by split and class.

    faces.csv in the folder lists them with labels, splits, groups, votes and
    numbers; `kaoiro data import FOLDER` makes the same corpus of it again.
    """
    with extra_needed("kaoiro data", "train"):
        from kaoiro.corpus.exporting import LIST_NAME, export_corpus

    with progress_bar(messages_console(), f"writing {folder.name}") as on_progress:
        faces = export_corpus(corpus, folder, on_progress)
    typer.echo(f"{folder}: {faces} faces, listed in {LIST_NAME}")
