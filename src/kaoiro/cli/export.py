"""`kaoiro export`."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from kaoiro.cli.extras import extra_needed

if TYPE_CHECKING:
    from kaoiro.export import Exported
    from kaoiro.quantization import Quantized

_WORTHWHILE_POINTS = 0.3
_WORTHWHILE_SPEEDUP = 1.5


def export(
    checkpoints: Annotated[
        list[Path],
        typer.Argument(
            metavar="CHECKPOINT...",
            help="A checkpoint that `kaoiro train` wrote, for example best.ckpt; of several, their mean. "
            "A shipped model's name or a model file serves too, for --int8 or as a member of such a mean.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write (.onnx).")],
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="Fit the temperatures and check the result on this corpus's validation split. --int8 also measures "
            "ranges on its train split."
        ),
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
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Compute in 8 bits: a smaller, faster file, nearly as right. Needs --corpus."),
    ] = False,
) -> None:
    """Write a checkpoint as a self-describing model file (ONNX), once it is proven to give the same answers."""
    with extra_needed("kaoiro export", "train"):
        from kaoiro.export import export as run_export
        from kaoiro.quantization import quantize
    from kaoiro.errors import InputError
    from kaoiro.files import check_outputs
    from kaoiro.recognition.metadata import Crop
    from kaoiro.recognition.model_file import shipped_models

    if int8 and corpus is None:
        raise InputError("--int8 needs --corpus: ranges are measured on its training faces, the loss on its validation")

    def exported(target: Path) -> "Exported":
        return run_export(
            checkpoints,
            target,
            corpus=corpus,
            name=name,
            default_head=default_head,
            crop=None if crop is None else Crop(*crop),
            licence=licence,
        )

    are_models = [one.suffix == ".onnx" or str(one) in shipped_models() for one in checkpoints]
    if corpus is None or not int8:
        _tell_export(exported(output))
    elif any(are_models):
        if len(checkpoints) > 1:
            raise InputError(
                "--int8 takes one model file, or checkpoints; export an ensemble from its checkpoints first"
            )
        if default_head is not None or crop is not None or licence:
            raise InputError("--default-head, --crop and --licence are for a checkpoint; a model file keeps its own")
        _tell_quantization(quantize(str(checkpoints[0]), output, corpus, name=name))
    else:
        if output.suffix != ".onnx":
            raise InputError(f"a model file's name ends in .onnx, not as in {str(output)!r}")
        inputs = {f"the checkpoint {one}": one for one in checkpoints} | {"the corpus": corpus}
        check_outputs(inputs, {"--output": output})
        with TemporaryDirectory() as folder:
            written = exported(Path(folder, "float32.onnx"))
            _tell_quantization(quantize(written.path, output, corpus, name=name))


def _tell_export(written: "Exported") -> None:
    size = written.path.stat().st_size / 2**20
    typer.echo(f"wrote {written.path} ({size:.1f} MiB): {written.metadata.name}")
    for head, description in written.metadata.heads.items():
        scores = written.metadata.scores.get("validation", {}).get(head)
        measured = f", validation accuracy {scores['accuracy']:.2%} (n = {scores['n']})" if scores else ""
        fitted = f"temperature {description.temperature:.3f}{'' if description.scales is None else ' on average'}"
        typer.echo(f"  {head}: {len(description.classes)} classes, {fitted}{measured}")
    if written.left_out:
        members = "members" in written.metadata.provenance
        rule = "label and votes heads only" + (", and those that all members have" if members else "")
        typer.echo(f"  left out, because a model file holds {rule}: {', '.join(written.left_out)}")
    typer.echo(
        f"  ONNX Runtime and torch differ by at most {written.largest_difference:.1e} on {written.checked_faces} faces"
    )


def _tell_quantization(written: "Quantized") -> None:
    size = written.path.stat().st_size / 2**20
    typer.echo(
        f"wrote {written.path} ({size:.1f} MiB): {written.metadata.name}, convolutions in 8 bits, ranges from "
        f"{written.calibration_faces} training faces"
    )
    for head, accuracy in written.accuracy.items():
        points = 100 * (accuracy.after - accuracy.before)
        typer.echo(
            f"  {head}: validation accuracy {accuracy.after:.2%}, before {accuracy.before:.2%} ({points:+.2f} points, "
            f"n = {accuracy.n})"
        )
        if points < -_WORTHWHILE_POINTS:
            typer.echo(f"  {head} lost more than {_WORTHWHILE_POINTS} points: better use the model in 32 bits")
    times = ", ".join(f"{times:.1f} times at batch {batch}" for batch, times in written.speedup.items())
    typer.echo(f"  speed on one thread here, against before: {times}")
    if written.speedup[1] < _WORTHWHILE_SPEEDUP:
        typer.echo(f"  less than {_WORTHWHILE_SPEEDUP} times as fast at batch 1: hardly worth it on this machine")
