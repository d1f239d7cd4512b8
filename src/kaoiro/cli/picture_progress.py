"""How far `kaoiro predict` has come: pictures done, pictures a second, the time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

_SECONDS_BEFORE_RATE: Final = 1.0


@contextmanager
def picture_progress(console: "Console", pictures: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    """Show a line on a terminal; give the function that is called once for every picture that is done.

    Args:
        console: where to; the line is shown only where this is a terminal.
        pictures: how many there are.
        shown: whether it is shown at all.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn("reading"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not (shown and console.is_terminal),
    )
    with progress:
        task = progress.add_task("reading", total=pictures, rate="")
        done = 0

        def one_more() -> None:
            nonlocal done
            done += 1
            elapsed = progress.tasks[0].elapsed or 0.0
            # Of the last moments: pictures that an earlier run has read pass in no time.
            speed = progress.tasks[0].speed
            known = speed is not None and elapsed > _SECONDS_BEFORE_RATE
            progress.update(task, completed=done, rate=f"{speed:.0f}/s" if known else "")

        yield one_more
