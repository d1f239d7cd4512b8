"""The table with which `kaoiro video` closes: who was seen when, with which expressions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TextIO

import numpy as np

from kaoiro.expressions import Language

if TYPE_CHECKING:
    from kaoiro.recognition.results import Track

_MOST_ROWS: Final = 20
_LEAST_SHARE: Final = 0.05


def longest_first(tracks: Sequence["Track"]) -> list["Track"]:
    """Order persons by the number of frames in which they were seen."""
    return sorted(tracks, key=lambda track: (-track.frames, track.number))


def expression_shares(track: "Track", language: Language) -> str:
    """Write how much of the time each expression led, the most frequent first: `happiness 62%, neutral 38%`."""
    leading = np.bincount(track.probabilities.argmax(axis=1), minlength=len(track.expressions)) / len(track.times)
    order = np.argsort(-leading, kind="stable")
    parts = [
        f"{track.expressions[i].label(language)} {leading[i]:.0%}"
        for place, i in enumerate(order)
        if leading[i] >= _LEAST_SHARE or place == 0
    ]
    return ", ".join(parts)


def print_tracks(tracks: Sequence["Track"], out: TextIO, language: Language) -> None:
    """Print one line a person: number, first and last time, number of frames, expressions, mean confidence."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from kaoiro.media.clock import clock

    console = Console(file=out, highlight=False, markup=False, emoji=False)
    if not tracks:
        console.print("no face found")
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("person", justify="right")
    table.add_column("from", justify="right")
    table.add_column("to", justify="right")
    table.add_column("frames", justify="right")
    table.add_column("expressions", overflow="fold")
    table.add_column("confidence", justify="right")
    shown = longest_first(tracks)[:_MOST_ROWS]
    for track in sorted(shown, key=lambda one: one.number):
        table.add_row(
            str(track.number),
            clock(float(track.times[0])),
            clock(float(track.times[-1])),
            str(track.frames),
            expression_shares(track, language),
            f"{track.probabilities.max(axis=1).mean():.0%}",
        )
    if not console.is_terminal:  # a file or a pipe has no width to fit into
        console.width = console.measure(table, options=console.options.update(max_width=10_000)).maximum
    console.print(table)
    if len(shown) < len(tracks):
        console.print(f"and {len(tracks) - len(shown)} more persons, each seen in fewer frames")
