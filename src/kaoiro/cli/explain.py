"""`kaoiro explain`: which parts of a face carried the decision, as a picture."""

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from kaoiro.cli.backend import Backend
from kaoiro.cli.device import Device
from kaoiro.cli.recognition_options import (
    DEFAULT_MODEL,
    AlignOption,
    BackendOption,
    ContemptOption,
    DetectorOption,
    DeviceOption,
    FlipAveragingOption,
    HeadOption,
    LanguageOption,
    MinDetectionScoreOption,
    ModelOption,
    PriorOption,
    make_recognizer,
)
from kaoiro.expressions import Language


def explain(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="A photo, or a face that is cut out already.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            dir_okay=False,
            help="The drawing; by default PICTURE-explained.png in this folder.",
        ),
    ] = None,
    expression: Annotated[
        str | None, typer.Option(help="Which expression to explain. By default of each face its likeliest.")
    ] = None,
    face: Annotated[int | None, typer.Option(min=1, help="Explain this face alone, counted as `predict` does.")] = None,
    covers: Annotated[
        int, typer.Option(min=2, help="How often each face is read, partly covered. More give a cleaner drawing.")
    ] = 512,
    faces_are_crops: Annotated[
        bool, typer.Option("--faces-are-crops", help="The picture is one face, cut out already.")
    ] = False,
    model: ModelOption = DEFAULT_MODEL,
    head: HeadOption = None,
    contempt: ContemptOption = False,
    device: DeviceOption = Device.AUTO,
    backend: BackendOption = Backend.ONNXRUNTIME,
    detector: DetectorOption = None,
    min_detection_score: MinDetectionScoreOption = None,
    align: AlignOption = True,
    flip_averaging: FlipAveragingOption = False,
    prior: PriorOption = "natural",
    language: LanguageOption = Language.ENGLISH,
) -> None:
    """Show which parts of each face spoke for its expression, and which against.

    Parts of the face are covered at random, again and again; where the answer depends on a part, it is coloured.
    """
    from rich.console import Console
    from rich.progress import track

    from kaoiro.errors import InputError
    from kaoiro.files import check_outputs
    from kaoiro.media.evidence_drawing import FaceEvidence, draw_evidence
    from kaoiro.media.images import check_image_target, save_image
    from kaoiro.recognition.explanation import explain as explanations

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    target = output or Path(f"{picture.stem}-explained.png")
    check_image_target(target)
    check_outputs({"the picture": picture}, {"--output": target})
    recognizer = make_recognizer(
        model=model,
        head=head,
        contempt=contempt,
        device=device,
        backend=backend,
        detector=detector,
        min_detection_score=min_detection_score,
        align=align,
        flip_averaging=flip_averaging,
        prior=prior,
    )
    found = explanations(recognizer, picture, expression, only=face, faces_are_crops=faces_are_crops, covers=covers)
    messages = Console(stderr=True)
    panels = []
    for one in track(found, "covering", console=messages, transient=True, disable=not messages.is_terminal):
        title = f"{one.number}  {one.expression.label(language)} {one.face.probabilities[one.expression]:.1%}"
        typer.echo(title)
        panels.append(FaceEvidence(title, one.pixels, one.evidence))
    if not panels:
        raise InputError(f"no face was found in {str(picture)!r}; --faces-are-crops takes the whole picture for one")
    words = KEY[language]
    save_image(target, draw_evidence(panels, speaks_for=words[0], speaks_against=words[1], language=language))
    typer.echo(f"wrote {target}")


KEY = {Language.ENGLISH: ("speaks for it", "speaks against"), Language.JAPANESE: ("確率 +", "確率 –")}
"""The words of the key; in Japanese, of letters that `label_font` has."""
