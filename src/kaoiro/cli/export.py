"""`kaoiro export`."""

from pathlib import Path
from typing import Annotated

import typer

from kaoiro.cli.extras import extra_needed


def export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint that `kaoiro train` wrote, for example best.ckpt.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write (.onnx).")],
    corpus: Annotated[
        Path | None,
        typer.Option(help="Fit the temperatures and check the result on this corpus's validation split."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The model's name; by default its network's.")] = None,
    default_head: Annotated[str | None, typer.Option(help="The head that photos are read with.")] = None,
    crop: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            metavar="SIDE SHIFT_X SHIFT_Y",
            help="How faces are cut out of photos: the square's side in units of the box's longer side, and its "
            "shift in units of the square's side.",
        ),
    ] = None,
    licence: Annotated[str, typer.Option(help="The terms under which the weights may be used.")] = "",
) -> None:
    """Write a checkpoint as a self-describing model file (ONNX), once it is proven to give the same answers."""
    with extra_needed("kaoiro export", "train"):
        from kaoiro.export import export as run_export
    from kaoiro.recognition.metadata import Crop

    written = run_export(
        checkpoint,
        output,
        corpus=corpus,
        name=name,
        default_head=default_head,
        crop=None if crop is None else Crop(*crop),
        licence=licence,
    )
    size = written.path.stat().st_size / 2**20
    typer.echo(f"wrote {written.path} ({size:.1f} MiB): {written.metadata.name}")
    for head, description in written.metadata.heads.items():
        scores = written.metadata.scores.get("validation", {}).get(head)
        measured = f", validation accuracy {scores['accuracy']:.2%} (n = {scores['n']})" if scores else ""
        typer.echo(f"  {head}: {len(description.classes)} classes, temperature {description.temperature:.3f}{measured}")
    if written.left_out:
        typer.echo(f"  left out, because a model file holds label and votes heads only: {', '.join(written.left_out)}")
    typer.echo(
        f"  ONNX Runtime and torch differ by at most {written.largest_difference:.1e} on {written.checked_faces} faces"
    )
