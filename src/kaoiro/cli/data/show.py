"""`kaoiro data show`: count and draw what a corpus holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaoiro.cli.data.progress import messages_console, progress_bar
from kaoiro.cli.extras import extra_needed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from kaoiro.corpus.summary import Counts, Summary


def show(
    corpus: Annotated[Path, typer.Argument(help="A corpus that `kaoiro data import` wrote.")],
    sheet: Annotated[
        Path | None,
        typer.Option(help="Where to draw some faces of each class; by default CORPUS_sheet.png beside the corpus."),
    ] = None,
    charts: Annotated[
        Path | None, typer.Option(help="Where to draw the charts; by default CORPUS_charts.png beside the corpus.")
    ] = None,
) -> None:
    """Count a corpus's faces by class and split, and draw some of them.

    Charts of classes, picture sizes, votes, groups and further columns go into a
    second picture.
    """
    from rich.console import Console

    with extra_needed("kaoiro data", "train"):
        from kaoiro.corpus.contact_sheet import draw_contact_sheet, look_at_pictures
        from kaoiro.corpus.plots import save_charts
        from kaoiro.corpus.row_groups import open_row_groups
        from kaoiro.corpus.summary import summarise
    from kaoiro.files import check_outputs
    from kaoiro.media.images import save_image

    sheet = sheet or corpus.with_name(f"{corpus.stem}_sheet.png")
    charts = charts or corpus.with_name(f"{corpus.stem}_charts.png")
    check_outputs({"the corpus": corpus}, {"--sheet": sheet, "--charts": charts})
    stored = open_row_groups(corpus)
    summary = summarise(stored)
    console = Console(soft_wrap=True, markup=False, highlight=False)
    console.print(_table_of_counts(summary.counts()))
    with progress_bar(messages_console(), f"looking at {corpus.name}") as on_progress:
        looks = look_at_pictures(stored, summary, on_progress)
    for line in (*_lines(summary), _line_of_sizes(looks.sizes)):
        console.print(line)
    save_image(sheet, draw_contact_sheet(summary, looks))
    save_charts(summary, looks.sizes, charts)
    console.print(f"sheet: {sheet}\ncharts: {charts}")


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


def _lines(summary: "Summary") -> list[str]:
    import numpy as np

    groups = summary.group_sizes
    votes, in_groups = "votes: none", "groups: none"
    if summary.with_votes:
        entropy = np.nanmean(summary.vote_entropy)
        votes = f"votes: {summary.with_votes} of {len(summary)} faces, entropy {entropy:.2f} bits on average"
    if len(groups):
        in_groups = f"groups: {len(groups)} with {groups.sum()} faces; the largest has {groups[0]}"
    lines = [votes, in_groups]
    for name, values in summary.columns.items():
        known = f"{name}: {len(values)} of {len(summary)} faces"
        lines.append(f"{known}, {values.min():g} to {values.max():g}" if len(values) else known)
    return lines


def _line_of_sizes(sizes: "NDArray[np.int64]") -> str:
    from collections import Counter

    different = Counter(map(tuple, sizes.tolist()))
    (width, height), number = min(different.items(), key=lambda item: (-item[1], item[0]))
    if len(different) == 1:
        return f"pictures: all {width} × {height} pixels"
    sides = sizes.min(axis=1)
    return (
        f"pictures: {len(different)} sizes, shorter side {sides.min()} to {sides.max()} pixels; "
        f"{number} are {width} × {height}"
    )
