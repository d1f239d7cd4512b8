"""`kaoiro data synthetic`: draw faces with known expressions."""

from pathlib import Path
from typing import Annotated

import typer

from kaoiro.cli.extras import extra_needed


def synthetic(
    output: Annotated[Path, typer.Option("--output", "-o", help="The corpus to write, a Parquet file.")],
    train: Annotated[int, typer.Option(min=0, help="Faces to train on.")] = 3500,
    validation: Annotated[int, typer.Option(min=0, help="Faces to choose on.")] = 700,
    test: Annotated[int, typer.Option(min=0, help="Faces for the final figure.")] = 700,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other faces.")] = 0,
) -> None:
    """Draw faces with known expressions, to try everything out without a corpus of real ones."""
    with extra_needed("kaoiro data", "train"):
        import kaoiro.corpus.store  # noqa: F401 (the drawing itself would do without)
        from kaoiro.corpus.synthetic import write_synthetic_corpus

    faces = write_synthetic_corpus(output, train=train, validation=validation, test=test, seed=seed)
    typer.echo(f"{output}: {faces} faces (train {train}, validation {validation}, test {test})")
