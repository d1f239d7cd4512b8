"""`kaoiro predict`: read the expressions of the faces in pictures."""

import sys
import warnings
from contextlib import closing
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaoiro.cli.backend import Backend
from kaoiro.cli.device import Device

if TYPE_CHECKING:
    from rich.console import Console

_PROGRESS_FROM = 30


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def predict(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Pictures, folders of pictures, or patterns such as 'a/**/*.jpg'."),
    ],
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="How the results are written to standard output.")
    ] = Format.TABLE,
    annotate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Also write copies of the pictures, with the expressions drawn, here.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="The name of a shipped model, or a model file.")
    ] = "kaoiro-s",
    head: Annotated[
        str | None, typer.Option(help="Which head of the model answers. By default the model's own choice.")
    ] = None,
    contempt: Annotated[bool, typer.Option("--contempt", help="Let contempt be one of the answers.")] = False,
    faces_are_crops: Annotated[
        bool, typer.Option("--faces-are-crops", help="Each picture is one face, cut out already.")
    ] = False,
    device: Annotated[Device, typer.Option(help="Where the model runs.")] = Device.AUTO,
    backend: Annotated[Backend, typer.Option(help="What runs the model.")] = Backend.ONNXRUNTIME,
    detector: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A YuNet file of your own in place of the usual one.")
    ] = None,
    min_detection_score: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out faces of which the detector is less sure.")
    ] = 0.6,
    flip_averaging: Annotated[
        bool, typer.Option("--flip-averaging", help="Read each face mirrored too: better, at twice the time.")
    ] = False,
    prior: Annotated[
        str,
        typer.Option(
            metavar="PRIOR",
            help="How frequent expressions are in the pictures: natural (as in training), balanced, or each one's "
            "frequency: happiness=0.5,neutral=0.4,…",
        ),
    ] = "natural",
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Name no expression where the highest probability is below this.")
    ] = 0.0,
) -> None:
    """Read the expressions of the faces in pictures.

    A picture that cannot be read is reported and left out; the exit code is then 1, or 2 if none is left.
    """
    from rich.console import Console

    if isinstance(sys.stdout, TextIOWrapper):
        # A path may hold what the terminal cannot write.
        sys.stdout.reconfigure(errors="backslashreplace")
    # Pillow warns of damaged EXIF and the like in pictures that are read all the same.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    messages = Console(stderr=True, soft_wrap=True, markup=False, highlight=False, emoji=False)
    pictures, bad = _pictures(sources, annotate, messages)
    if not pictures:
        raise typer.Exit(2)

    from rich.progress import Progress

    from kaoiro.cli.readings import writer
    from kaoiro.media.annotated_files import annotated_paths
    from kaoiro.media.drawing import draw
    from kaoiro.media.images import load_image, save_image
    from kaoiro.recognition.many import read_pictures
    from kaoiro.recognition.priors import parse_prior
    from kaoiro.recognition.recognizer import Recognizer

    recognizer = Recognizer(
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
    )
    copies = annotated_paths(pictures, annotate) if annotate else {}
    streams = format_ in (Format.JSONL, Format.CSV) and sys.stdout.isatty()
    progress = Progress(
        console=messages,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=len(pictures) < _PROGRESS_FROM or streams or not messages.is_terminal,
    )
    done = 0
    with (
        closing(read_pictures(recognizer, pictures, faces_are_crops=faces_are_crops)) as readings,
        writer(format_.value, sys.stdout, recognizer.expressions) as write,
        progress,
    ):
        for reading in progress.track(readings, total=len(pictures), description="reading"):
            if reading.error is not None:
                _complain(messages, reading.error)
                bad += 1
                continue
            write(reading)
            if copies:
                save_image(copies[reading.picture], draw(load_image(reading.picture), reading.faces))
            done += 1
    if bad:
        raise typer.Exit(1 if done else 2)


def _pictures(sources: list[str], annotate: Path | None, messages: "Console") -> tuple[list[Path], int]:
    """The pictures that the sources stand for, each once, and how many sources stand for none."""
    from kaoiro.errors import InputError
    from kaoiro.media.annotated_files import is_annotated
    from kaoiro.media.sources import pictures_at

    pictures: dict[Path, None] = {}
    bad = 0
    for source in sources:
        unreadable: list[InputError] = []
        try:
            found = pictures_at(source, unreadable.append)
            if annotate and found != [Path(source)]:
                found = [picture for picture in found if not is_annotated(picture, annotate)]
                if not found:
                    unreadable.append(InputError(f"only annotated copies in {source!r}"))
        except InputError as error:
            found = []
            unreadable.append(error)
        for complaint in unreadable:
            _complain(messages, complaint)
        bad += len(unreadable)
        pictures.update(dict.fromkeys(found))
    return list(pictures), bad


def _complain(messages: "Console", error: Exception) -> None:
    messages.print(f"kaoiro: {error}")
