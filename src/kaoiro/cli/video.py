"""`kaoiro video`: read the expressions in a video or a camera's picture, over time."""

import sys
from contextlib import ExitStack
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    from kaoiro.media.video import VideoSource


def _time(text: str) -> float:
    from kaoiro.media.clock import parse_time

    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def video(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A video file, a URL (https://…, rtsp://…), or a camera's number (0 is the first)."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write every face in every frame here: .jsonl, .csv or .parquet."
        ),
    ] = None,
    annotate: Annotated[
        Path | None,
        typer.Option(
            "--annotate", metavar="FILE", help="Write the video, expressions drawn, sound kept: .mp4, .mov or .mkv."
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw each person's expressions over time: .png, .svg or .pdf."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Show the video in a window meanwhile; q closes it.")] = False,
    start: Annotated[
        float | None,
        typer.Option("--start", parser=_time, metavar="TIME", help="Begin here: seconds, or minutes:seconds."),
    ] = None,
    end: Annotated[
        float | None,
        typer.Option("--end", parser=_time, metavar="TIME", help="End before this: seconds, or minutes:seconds."),
    ] = None,
    every: Annotated[int, typer.Option("--every", min=1, help="Read every nth frame only.")] = 1,
    detect_every: Annotated[
        int | None,
        typer.Option(
            "--detect-every",
            min=1,
            help="Look for faces in every nth frame read, and follow them in between. By default as often as needed.",
        ),
    ] = None,
    no_smoothing: Annotated[
        bool,
        typer.Option("--no-smoothing", help="Let each frame speak for itself."),
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
    """Read the expressions in a video or a camera's picture, person by person and over time.

    Ctrl-C ends the reading, and the files hold what was read up to there; a second Ctrl-C throws away what is not
    finished. The exit code is then 130. It is 1 where parts of the video are damaged, and 2 where nothing can be read.
    """
    from kaoiro.cli.data.progress import messages_console
    from kaoiro.cli.extras import extra_needed

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    messages = messages_console()
    with extra_needed("kaoiro video", "video"):
        import av  # noqa: F401

        if plot is not None:
            import matplotlib  # noqa: F401
        if output is not None and output.suffix.lower() == ".parquet":
            import pyarrow  # noqa: F401

    from kaoiro.cli.interruption import interruptible
    from kaoiro.cli.live_window import LiveWindow
    from kaoiro.cli.reading_loop import read_all
    from kaoiro.cli.timeline import timeline
    from kaoiro.cli.track_plot import save_plot
    from kaoiro.cli.track_table import print_tracks
    from kaoiro.cli.video_progress import video_progress
    from kaoiro.media.clock import clock
    from kaoiro.media.video import VideoSource
    from kaoiro.media.video_writing import written_video
    from kaoiro.recognition.smoothing import DEFAULT_SMOOTHING
    from kaoiro.recognition.video import VideoReader

    _check_outputs(source, output, annotate, plot)
    with ExitStack() as stack:
        frames = stack.enter_context(VideoSource(source, start=start, end=end, every=every))
        interruption = stack.enter_context(interruptible(frames.stop))
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
        )
        reader = VideoReader(
            recognizer, detect_every=detect_every, smoothing=0.0 if no_smoothing else DEFAULT_SMOOTHING
        )
        window = stack.enter_context(LiveWindow(f"kaoiro video {frames.name}")) if show else None
        write = stack.enter_context(timeline(output, recognizer.expressions, lang)) if output else None
        copy = stack.enter_context(written_video(annotate, frames)) if annotate else None
        with video_progress(messages, start or 0.0, _end(frames, end)) as reached:
            last = read_all(frames, reader, lang, write=write, copy=copy, window=window, reached=reached)
        if last is None:
            if interruption.happened:
                messages.print("kaoiro: stopped before the first frame; nothing was written")
                raise typer.Exit(130)
            until = "its end" if end is None else clock(end)
            raise frames.cannot(f"no frame is shown between {clock(start or 0.0)} and {until}")
        if plot is not None:  # while the other files can still be taken back
            save_plot(plot, reader.tracks(), f"Expressions in {frames.name}", lang)
    print_tracks(reader.tracks(), sys.stdout, lang)
    losses = frames.losses + (copy.losses if copy else [])
    notes = copy.notes if copy else []
    if frames.dropped:
        notes.append(f"{frames.dropped} frames were passed over, as reading took longer than they were shown")
    if interruption.happened:
        written = [str(path) for path in (output, annotate, plot) if path is not None]
        kept = f"; {' and '.join(written)} hold{'s' if len(written) == 1 else ''} what came before" if written else ""
        notes.append(f"stopped at {clock(last)}{kept}")
    for sentence in losses + notes:
        messages.print(f"kaoiro: {frames.name}: {sentence}")
    if interruption.happened:
        raise typer.Exit(130)
    if losses:
        raise typer.Exit(1)


def _end(frames: "VideoSource", end: float | None) -> float | None:
    return min((time for time in (frames.info.duration, end) if time is not None), default=None)


def _check_outputs(source: str, output: Path | None, annotate: Path | None, plot: Path | None) -> None:
    """Refuse outputs that cannot be written or that would overwrite the video, before it is opened."""
    from kaoiro.cli.timeline import check_timeline
    from kaoiro.cli.track_plot import check_plot
    from kaoiro.files import check_outputs
    from kaoiro.media.video_opening import Address
    from kaoiro.media.video_writing import check_video_target

    if output is not None:
        check_timeline(output)
    if annotate is not None:
        check_video_target(annotate)
    if plot is not None:
        check_plot(plot)
    path = Address(source).path
    check_outputs(
        {} if path is None else {"the video": path}, {"--output": output, "--annotate": annotate, "--plot": plot}
    )
