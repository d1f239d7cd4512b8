"""`kaoiro data fetch`: get a published corpus."""

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    name: Annotated[str, typer.Argument(help="fer2013; for other corpora this says where to ask for them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder for its files.")] = Path(),
) -> None:
    """Fetch a published corpus, and say how to go on.

    FER2013 comes from Kaggle by way of kagglehub (pip install 'kaoiro\\[kaggle]'),
    with your API token and after you have accepted the competition's rules.
    """
    from kaoiro.corpus.fetching import fetch as fetch_corpus

    fetched = fetch_corpus(name, output)
    typer.echo(f"{fetched.path}{' is there already' if fetched.was_there else ''}")
    typer.echo(f"next: {fetched.next_command}")
