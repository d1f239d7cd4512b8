"""`kaoiro data import`: make a corpus out of labelled faces."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from kaoiro.cli.data.progress import messages_console, progress_bar
from kaoiro.cli.extras import extra_needed

if TYPE_CHECKING:
    from kaoiro.corpus.ferplus import LabelRule


def import_(
    source: Annotated[
        Path,
        typer.Argument(help="The folder or file of a corpus as it is published, class folders, or a list of pictures."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The corpus to write, a Parquet file.")],
    layout: Annotated[
        str | None, typer.Option(help="Take the source for this layout; found by looking where it is not given.")
    ] = None,
    label_map: Annotated[
        list[str] | None,
        typer.Option("--map", help="What a label of the source means, such as smile=happiness or bored=none; repeat."),
    ] = None,
    ferplus: Annotated[
        Path | None, typer.Option(help="FERPlus's fer2013new.csv: votes on the pictures of fer2013.csv.")
    ] = None,
    votes_as_label: Annotated[
        str | None,
        typer.Option(
            help="Take labels from the votes: majority (by the rule of FERPlus's authors), clear-majority or plurality."
        ),
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
    with extra_needed("kaoiro data", "train"):
        from kaoiro.corpus.importing import import_corpus
        from kaoiro.corpus.label_names import parse_label_map
        from kaoiro.corpus.splits import SetAside

    messages = messages_console()
    with progress_bar(messages, f"reading {source.name}") as on_progress:
        summary = import_corpus(
            source,
            output,
            layout=layout,
            ferplus=ferplus,
            votes_as_label=cast("LabelRule | None", votes_as_label),
            skip_unknown=skip_unknown,
            names=parse_label_map(label_map or []),
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
