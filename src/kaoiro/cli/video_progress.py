"""How far `kaoiro video` has come: frames a second, the position, the time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kaoiro.media.clock import clock

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def video_progress(console: "Console", start: float, end: float | None) -> Iterator[Callable[[float], None]]:
    """Show a line on a terminal, and nothing elsewhere; give the function that is told each frame's time.

    Args:
        console: where to.
        start: when reading begins, in seconds of the video.
        end: when it ends; None where nobody knows, as with a camera.
    """
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[position]}", markup=False),
        *(() if end is None else (BarColumn(), TimeRemainingColumn(compact=True))),
        TextColumn("{task.fields[rate]}", markup=False),
    )
    progress = Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not console.is_terminal,
    )
    whole = "" if end is None else f" of {clock(end, 0)}"
    frames = 0
    with progress:
        task = progress.add_task(
            "", total=None if end is None else end - start, position=clock(start, 0) + whole, rate=""
        )

        def reached(time: float) -> None:
            nonlocal frames
            frames += 1
            elapsed = progress.tasks[0].elapsed or 0.0
            rate = f"{frames / elapsed:.0f} frames/s" if elapsed > 1 else ""
            progress.update(task, completed=time - start, position=clock(time, 0) + whole, rate=rate)

        yield reached
