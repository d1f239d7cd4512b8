"""`kaoiro predict`: read the expressions of the faces in pictures."""

import sys
import warnings
from contextlib import ExitStack, closing
from enum import StrEnum
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

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
    MinConfidenceOption,
    MinDetectionScoreOption,
    ModelOption,
    PriorOption,
    make_recognizer,
)
from kaoiro.expressions import Language

if TYPE_CHECKING:
    from rich.console import Console

    from kaoiro.recognition.journal import Journal

_PROGRESS_FROM: Final = 30
# From so many pictures on, every core has pictures of its own, and need not help with those of another.
_MANY: Final = 16
# What does not change what is read in a picture, and the model, of which the content counts.
_FREE_WHEN_RESUMING: Final = frozenset({"sources", "format_", "output", "resume", "model"})


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


def predict(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Pictures, folders of pictures, or patterns such as 'a/**/*.jpg'."),
    ],
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            "-f",
            help="How the results are written. By default a table, or what the suffix of --output says.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the results here instead of to standard output."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run with the same --output and options was cut off.")
    ] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Also write copies of the pictures, with the expressions drawn, here.",
        ),
    ] = None,
    faces_are_crops: Annotated[
        bool, typer.Option("--faces-are-crops", help="Each picture is one face, cut out already.")
    ] = False,
    lang: LanguageOption = Language.ENGLISH,
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
    min_confidence: MinConfidenceOption = 0.0,
) -> None:
    """Read the expressions of the faces in pictures.

    A picture that cannot be read is reported and left out; the exit code is then 1, or 2 if none is left. Ctrl-C ends
    the reading with exit code 130; a file named with --output then holds what was read up to there. However a run with
    --output was cut off, --resume goes on with it.
    """
    from rich.console import Console

    if isinstance(sys.stdout, TextIOWrapper):
        # A path may hold what the terminal cannot write.
        sys.stdout.reconfigure(errors="backslashreplace")
    # Pillow warns of damaged EXIF and the like in pictures that are read all the same.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    messages = Console(stderr=True, soft_wrap=True, markup=False, highlight=False, emoji=False)
    format_ = _checked_format(format_, output)
    _check_resuming(output, messages, resume=resume)
    pictures, bad = _pictures(sources, annotate, messages)
    if not pictures:
        raise typer.Exit(2)
    _check_not_a_picture(output, pictures)

    from kaoiro.cli.interruption import Interruption, interruptible
    from kaoiro.cli.picture_progress import picture_progress
    from kaoiro.cli.readings import file_writer, writer
    from kaoiro.media.annotated_files import annotated_paths
    from kaoiro.recognition.journal import Journal, journal_path
    from kaoiro.recognition.many import annotate_pictures, read_pictures

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
        min_confidence=min_confidence,
        threads=1 if len(pictures) >= _MANY else None,
    )
    streams = output is None and format_ in (Format.JSONL, Format.CSV) and sys.stdout.isatty()
    done = 0
    interruption = Interruption()
    journal: Journal | None = None
    with ExitStack() as stack:
        if output is not None:
            settings = _settings(context, recognizer.metadata.name, model, detector)
            journal = stack.enter_context(Journal(journal_path(output), settings))
            _check_journal(journal, pictures, messages)
        readings = stack.enter_context(
            closing(read_pictures(recognizer, pictures, faces_are_crops=faces_are_crops, left_out=journal or ()))
        )
        if annotate:
            # In the order in which they are named, whatever pictures have come in between since.
            named = dict.fromkeys(pictures if journal is None else chain(journal.noted(), pictures))
            readings = stack.enter_context(closing(annotate_pictures(readings, annotated_paths(named, annotate), lang)))
        if output is None or journal is None:
            write = stack.enter_context(writer(format_.value, sys.stdout, recognizer.expressions, lang))
        else:
            readings = journal.completed(pictures, readings)
            write = stack.enter_context(file_writer(output, format_.value, recognizer.expressions, lang))
            interruption = stack.enter_context(interruptible(lambda: None))
        shown = len(pictures) >= _PROGRESS_FROM and not streams
        one_more = stack.enter_context(picture_progress(messages, len(pictures), shown=shown))
        for reading in readings:
            if interruption.happened:
                break
            one_more()
            if reading.error is not None:
                _complain(messages, reading.error)
                bad += 1
                continue
            write(reading)
            done += 1
    if interruption.happened:
        messages.print(f"kaoiro: stopped; {str(output)!r} holds {done} of {len(pictures)} pictures; --resume goes on")
        raise typer.Exit(130)
    if journal is not None:
        journal.remove()
    if bad:
        raise typer.Exit(1 if done else 2)


def _check_resuming(output: Path | None, messages: "Console", *, resume: bool) -> None:
    """Refuse to begin anew over the journal of a run that was cut off; say so where there is nothing to resume.

    Raises:
        InputError: there is such a journal and nobody wants to resume, or there is no file to resume.
    """
    from kaoiro.errors import InputError
    from kaoiro.recognition.journal import is_begun, journal_path

    if output is None:
        if resume:
            raise InputError("--resume needs --output: only a run that writes to a file can be resumed")
        return
    journal = journal_path(output)
    if resume and not is_begun(journal):
        messages.print(f"kaoiro: there is no {str(journal)!r} to resume from; beginning with the first picture")
    if not resume and is_begun(journal):
        raise InputError(
            f"{str(journal)!r} holds what a run that was cut off has read; go on with --resume, or delete it to begin "
            "anew"
        )


def _settings(context: typer.Context, model_name: str, model: str, detector: str | None) -> dict[str, str]:
    """What a run's readings depend on, for its journal."""
    from hashlib import sha256

    from kaoiro import __version__
    from kaoiro.recognition.model_file import model_bytes

    settings = {
        f"--{name.replace('_', '-')}": str(value)
        for name, value in context.params.items()
        if name not in _FREE_WHEN_RESUMING
    }
    settings["--model"] = f"{model_name} (SHA-256 {sha256(model_bytes(model)).hexdigest()[:16]})"
    if detector is not None and Path(detector).is_file():
        settings["detector file"] = f"SHA-256 {sha256(Path(detector).read_bytes()).hexdigest()[:16]}"
    return settings | {"working folder": str(Path.cwd()), "version": __version__}


def _check_journal(journal: "Journal", pictures: list[Path], messages: "Console") -> None:
    """Hold the journal against the sources, and say it if a part of it is lost.

    Raises:
        InputError: the journal is of other sources.
    """
    if journal.damaged_line is not None:
        messages.print(
            f"kaoiro: {str(journal.path)!r} is damaged from line {journal.damaged_line} on; pictures from there on are "
            "read again"
        )
    journal.check_sources(pictures)


def _checked_format(format_: Format | None, output: Path | None) -> Format:
    """The format that is meant, from the option or the file's suffix; refuses a file that cannot be written.

    Raises:
        InputError: the suffix is unknown, Parquet is to go to standard output, or the file cannot be written.
        MissingExtraError: Parquet needs PyArrow, which is not installed.
    """
    from kaoiro.cli.extras import extra_needed
    from kaoiro.errors import InputError
    from kaoiro.files import check_target

    if output is not None:
        check_target(output)
        suffix = output.suffix.lower().removeprefix(".")
        if format_ is None and suffix not in set(Format) - {Format.TABLE}:
            raise InputError(
                f"the format of {str(output)!r} is not clear: name it .json, .jsonl, .csv or .parquet, or give --format"
            )
        format_ = format_ or Format(suffix)
    elif format_ is Format.PARQUET:
        raise InputError("--format parquet goes to a file; name it with --output FILE")
    if format_ is Format.PARQUET:
        with extra_needed("Parquet", "tables"):
            import pyarrow  # noqa: F401
    return format_ or Format.TABLE


def _check_not_a_picture(output: Path | None, pictures: list[Path]) -> None:
    """Refuse to write the results over a picture.

    Raises:
        InputError: the output is one of the pictures.
    """
    from kaoiro.errors import InputError

    if output is not None and any(one.name == output.name and one.resolve() == output.resolve() for one in pictures):
        raise InputError(f"--output {output} is one of the pictures, and would overwrite it; give another file")


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
