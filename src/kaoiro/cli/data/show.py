"""`kaoiro data show`: count and draw what a corpus holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaoiro.cli.extras import extra_needed

if TYPE_CHECKING:
    from rich.table import Table

    from kaoiro.corpus.summary import Counts


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
