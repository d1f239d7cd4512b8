"""The options that every command which reads faces has, and the recogniser that they stand for."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from kaoiro.cli.backend import Backend
from kaoiro.cli.device import Device
from kaoiro.expressions import Language

if TYPE_CHECKING:
    from kaoiro.recognition.recognizer import Recognizer

DEFAULT_MODEL: Final = "kaoiro-s"
DEFAULT_MIN_SCORE: Final = None
"""The detector's own limit."""


ModelOption = Annotated[str, typer.Option("--model", "-m", help="The name of a shipped model, or a model file.")]
HeadOption = Annotated[
    str | None, typer.Option("--head", help="Which head of the model answers. By default the model's own choice.")
]
ContemptOption = Annotated[bool, typer.Option("--contempt", help="Let contempt be one of the answers.")]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where the model runs.")]
BackendOption = Annotated[Backend, typer.Option("--backend", help="What runs the model.")]
DetectorOption = Annotated[
    str | None,
    typer.Option(
        "--detector",
        metavar="NAME|FILE|CLASS",
        help="What finds the faces: a detector's name, a YuNet file, or a class of your own as package.module:Class.",
    ),
]
MinDetectionScoreOption = Annotated[
    float | None,
    typer.Option(
        "--min-detection-score",
        min=0,
        max=1,
        help="Leave out faces of which the detector is less sure. By default its own limit.",
    ),
]
AlignOption = Annotated[
    bool, typer.Option("--align/--no-align", help="Turn tilted faces upright before they are read.")
]
FlipAveragingOption = Annotated[
    bool, typer.Option("--flip-averaging", help="Read each face mirrored too: better, at twice the time.")
]
PriorOption = Annotated[
    str,
    typer.Option(
        "--prior",
        metavar="PRIOR",
        help="How frequent expressions are in the pictures: natural (as in training), balanced, or each one's "
        "frequency: happiness=0.5,neutral=0.4,…",
    ),
]
MinConfidenceOption = Annotated[
    float,
    typer.Option(
        "--min-confidence", min=0, max=1, help="Name no expression where the highest probability is below this."
    ),
]
LanguageOption = Annotated[
    Language, typer.Option("--lang", help="The language of the expressions' names in tables, labels and drawings.")
]


def make_recognizer(
    *,
    model: str = DEFAULT_MODEL,
    head: str | None = None,
    contempt: bool = False,
    device: Device = Device.AUTO,
    backend: Backend = Backend.ONNXRUNTIME,
    detector: str | None = None,
    min_detection_score: float | None = None,
    align: bool = True,
    flip_averaging: bool = False,
    prior: str = "natural",
    min_confidence: float = 0.0,
    threads: int | None = None,
) -> "Recognizer":
    """Make the recogniser that the options stand for; `threads` as for `Recognizer`.

    Raises:
        InputError: as `Recognizer`, or the prior cannot be read.
    """
    from kaoiro.recognition.priors import parse_prior
    from kaoiro.recognition.recognizer import Recognizer

    return Recognizer(
        model,
        head=head,
        contempt=contempt,
        device=device.value,
        backend=backend.value,
        detector=detector,
        min_detection_score=min_detection_score,
        flip_averaging=flip_averaging,
        prior=parse_prior(prior),
        min_confidence=min_confidence,
        align=align,
        threads=threads,
    )
