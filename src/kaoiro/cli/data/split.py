"""`kaoiro data split`: divide a corpus into splits and folds."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from kaoiro.cli.data.progress import messages_console, progress_bar
from kaoiro.cli.extras import extra_needed

if TYPE_CHECKING:
    from rich.table import Table

    from kaoiro.corpus.balance import Balance
    from kaoiro.corpus.splitting import Division


class SplitCommand(TyperCommand):
    """A command whose option --ratios takes all numbers that follow it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join what follows --ratios to one value before the options are told apart."""
        if "--ratios" in args:
            first = end = args.index("--ratios") + 1
            while end < len(args) and (_is_number(args[end]) or not args[end].startswith("-")):
                end += 1
            others = [*args[: first - 1], *args[end:]]
            if end > first and not _is_number(args[end - 1]) and not self._names_corpus(ctx, others):
                end -= 1
            if end > first:
                args = [*args[:first], " ".join(args[first:end]), *args[end:]]
        return super().parse_args(ctx, args)

    def _names_corpus(self, ctx: Any, args: list[str]) -> bool:
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        return isinstance(given.get("corpus"), str)


def _is_number(text: str) -> bool:
    try:
        Fraction(text)
    except (ValueError, ZeroDivisionError):
        return False
    return True


def split(
    corpus: Annotated[Path, typer.Argument(help="A corpus that `kaoiro data import` wrote; it is not touched.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The corpus to write, a Parquet file.")],
    ratios: Annotated[
        str | None,
        typer.Option(
            metavar="SHARES",
            help="The shares of train, validation and test (or of the first two); they sum to 1. "
            "0.8 0.1 0.1 where neither they nor --folds are given.",
        ),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Number the training faces from 0 to below this, in the column `fold`.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed divides in another way.")] = 0,
    anew: Annotated[
        bool, typer.Option("--anew", help="Divide all faces, those of the corpus's own validation and test splits too.")
    ] = False,
    drop_leaks: Annotated[
        bool, typer.Option("--drop-leaks", help="Leave out faces that are tied to a face of the corpus's own splits.")
    ] = False,
    no_near_duplicates: Annotated[
        bool, typer.Option("--no-near-duplicates", help="Do not look for near-duplicates, which takes the longest.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Also write the counts to this file, as JSON.")] = None,
) -> None:
    """Divide a corpus into train, validation and test, and into folds.

    Each class has about its share in each split. Faces of one group (a subject,
    a film), copies and near-duplicates stay together. The corpus's own validation
    and test splits are kept; what is missing of the two comes out of train.
    """
    from rich.console import Console

    with extra_needed("kaoiro data", "train"):
        from kaoiro.corpus.splitting import DEFAULT_RATIOS, Wish, parse_ratios, split_corpus
    from kaoiro.files import atomic_path, check_outputs, reported_writing

    check_outputs({"the corpus": corpus}, {"--output": output, "--json": json})
    default = DEFAULT_RATIOS if folds is None else None
    wish = Wish(
        ratios=default if ratios is None else parse_ratios(ratios.replace(",", " ").split()),
        folds=folds,
        seed=seed,
        anew=anew,
        drop_leaks=drop_leaks,
    )
    with progress_bar(messages_console(), f"dividing {corpus.name}") as on_progress:
        division = split_corpus(corpus, output, wish, near_duplicates=not no_near_duplicates, on_progress=on_progress)

    if json is not None:
        with reported_writing(json), atomic_path(json) as path:
            path.write_text(_as_json({"corpus": str(output), "seed": seed, **division.as_dict()}), encoding="utf-8")
    console = Console(soft_wrap=True, markup=False, highlight=False)
    console.print(_table_of_splits(division.split_balance))
    if division.fold_balance is not None:
        console.print(_table_of_folds(division.fold_balance))
    for line in _remarks(division, wanted_splits=ratios is not None):
        console.print(line)
    faces = division.split_balance.faces.sum(axis=1).tolist()
    there = ", ".join(f"{name} {n}" for name, n in zip(division.split_balance.parts, faces, strict=True))
    console.print(f"{output}: {sum(faces)} faces ({there})")


def _as_json(counts: dict[str, Any]) -> str:
    import json

    return json.dumps(counts, indent=2) + "\n"


def _table_of_splits(balance: "Balance") -> "Table":
    """Lay out faces, shares and how far these are from the ratios."""
    from rich.table import Table

    table = Table("class", show_footer=True)
    table.columns[0].footer = "all"
    rows = [_cells(balance, name) for name in (*balance.classes, None)]
    for place, (part, ratio) in enumerate(zip(balance.parts, balance.ratios, strict=True)):
        header = part if ratio is None else f"{part} {float(100 * ratio):.4g} %"
        table.add_column(header, justify="right", footer=rows[-1][place])
    for name, cells in zip(balance.classes, rows, strict=False):
        table.add_row(name, *cells)
    return table


def _cells(balance: "Balance", name: str | None) -> list[str]:
    return [
        f"{n:,}" if share is None or off is None else f"{n:,} {float(100 * share):6.2f} {_signed(off)}"
        for n, share, off in zip(
            balance.row(name).tolist(), balance.shares(name), balance.points_off(name), strict=True
        )
    ]


def _signed(points: float) -> str:
    # Python writes a minus sign in front of a zero that came from below.
    return f"{points:+.2f}".replace("-0.00", "+0.00")


def _table_of_folds(balance: "Balance") -> "Table":
    """Lay out the smallest and the largest fold of each class."""
    from rich.table import Table

    table = Table("class", show_footer=True)
    table.columns[0].footer = "all"
    rows = []
    for name in (*balance.classes, None):
        faces = balance.row(name).tolist()
        off = max((abs(points) for points in balance.points_off(name) if points is not None), default=0.0)
        rows.append([f"{min(faces):,}", f"{max(faces):,}", f"{off:.2f}"])
    for header, footer in zip(("smallest fold", "largest fold", "points off at most"), rows[-1], strict=True):
        table.add_column(header, justify="right", footer=footer)
    for name, cells in zip(balance.classes, rows, strict=False):
        table.add_row(name, *cells)
    return table


def _remarks(division: "Division", *, wanted_splits: bool) -> Sequence[str]:
    lines = []
    balance = division.split_balance
    made = [
        (name, n) for name, n, ratio in zip(balance.parts, balance.row().tolist(), balance.ratios, strict=True) if ratio
    ]
    if made:
        lines.append("each split: faces, share in percent, distance from the ratio in percentage points")
    if division.groups:
        lines.append(
            f"kept together: {division.groups:,} groups of several faces; the largest has {division.largest_group:,}"
        )
    if without := " and ".join(name for name, n in made if n == 0):
        group = f", and the largest group has {division.largest_group:,}" if division.groups else ""
        lines.append(f"{without} got no faces: there were {sum(n for _, n in made):,} to divide{group}")
    if wanted_splits and not made and len(division.own_splits) < 2:
        lines.append("no splits were made: the ratios give all that was to be divided to train")
    if division.own_splits:
        own = " and ".join(division.own_splits)
        nothing_new = wanted_splits and len(division.own_splits) == 2
        note = ", so there was nothing to divide by --ratios" if nothing_new else ""
        lines.append(f"kept as they are: the corpus's own {own}{note}; --anew divides all faces")
    for (of, tied_to), n in division.leaks.items():
        faces = "1 face" if n == 1 else f"{n:,} faces"
        lines.append(f"leaks: {faces} of {of} tied to {tied_to}{', left out' if not division.keep.all() else ''}")
    if division.leaks and division.keep.all():
        lines.append("a model can know these from training; --drop-leaks leaves them out")
    return lines
