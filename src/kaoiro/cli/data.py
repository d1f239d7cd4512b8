"""`kaoiro data`: import labelled faces into a corpus, and look at one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaoiro.cli.extras import extra_needed

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from kaoiro.corpus.summary import Counts

data_app = typer.Typer(help="Prepare labelled faces for training.", no_args_is_help=True)


@data_app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(help="A folder of class folders (happy/, train/sad/, …), or FER2013's CSV file.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The corpus to write, a Parquet file.")],
    ferplus: Annotated[
        Path | None, typer.Option(help="FERPlus's fer2013new.csv: votes on the pictures of fer2013.csv.")
    ] = None,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave out folders whose name is not an expression.")
    ] = False,
    validation: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the training faces to set aside for choosing.")
    ] = 0.0,
    test: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the training faces to set aside for the final figure.")
    ] = 0.0,
) -> None:
    """Make a corpus out of labelled faces.

    What cannot be used is reported and left out; the exit code is then 1.

    Splits of the source are kept; --validation and --test take faces from its
    training split, or from all faces if it has no splits.
    """
    from rich.console import Console

    with extra_needed("kaoiro data", "train"):
        from kaoiro.corpus.importing import import_corpus
        from kaoiro.corpus.splits import SetAside

    messages = Console(stderr=True, soft_wrap=True, markup=False, highlight=False, emoji=False)
    with _progress_bar(messages, f"reading {source.name}") as on_progress:
        summary = import_corpus(
            source,
            output,
            ferplus=ferplus,
            skip_unknown=skip_unknown,
            set_aside=SetAside(validation, test),
            on_left_out=lambda left_out: messages.print(str(left_out)),
            on_note=messages.print,
            on_progress=on_progress,
        )
    faces = ", ".join(f"{split or 'no split'} {count}" for split, count in summary.faces.items())
    typer.echo(f"{output}: {sum(summary.faces.values())} faces ({faces})")
    if summary.left_out:
        typer.echo(f"left out, as reported above: {summary.left_out}", err=True)
        raise typer.Exit(1)


@data_app.command()
def show(
    corpus: Annotated[Path, typer.Argument(help="A corpus that `kaoiro data import` wrote.")],
    sheet: Annotated[
        Path | None,
        typer.Option(help="Where to draw some faces of each class; by default CORPUS_sheet.png beside the corpus."),
    ] = None,
) -> None:
    """Count a corpus's faces by class and split, and draw some of each class."""
    from rich.console import Console

    with extra_needed("kaoiro data", "train"):
        from kaoiro.corpus.contact_sheet import draw_contact_sheet
        from kaoiro.corpus.store import open_corpus
        from kaoiro.corpus.summary import count_faces
    from kaoiro.media.images import save_image

    opened = open_corpus(corpus)
    counts = count_faces(opened)
    console = Console(soft_wrap=True, highlight=False)
    console.print(_table_of_counts(counts))
    console.print(f"votes: {counts.with_votes} of {counts.total()} faces" if counts.with_votes else "votes: none")
    sheet = sheet or corpus.with_name(f"{corpus.stem}_sheet.png")
    save_image(sheet, draw_contact_sheet(opened))
    console.print(f"sheet: {sheet}", markup=False)


@data_app.command()
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


def _table_of_counts(counts: "Counts") -> "Table":
    from rich.table import Table

    table = Table("class", show_footer=True)
    table.columns[0].footer = "all"
    for split in counts.splits:
        table.add_column(split or "no split", justify="right", footer=str(counts.of_split(split)))
    table.add_column("all", justify="right", footer=str(counts.total()))
    for label in counts.labels:
        by_split = (str(counts.faces.get((label, split), 0)) for split in counts.splits)
        table.add_row(label or "no label", *by_split, str(counts.of_label(label)))
    return table


@contextmanager
def _progress_bar(console: "Console", what: str) -> Iterator[Callable[[float], None]]:
    """Show a bar on a terminal, and nothing elsewhere; give the function that sets it, from 0 to 1."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda done: progress.update(task, completed=done)
