"""The picture with the expressions of each person over time, as stacked probabilities."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.cli.track_table import expression_shares, longest_first
from kaoiro.errors import InputError
from kaoiro.expressions import Language
from kaoiro.files import atomic_path, reported_writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kaoiro.recognition.results import Track

_SUFFIXES: Final = (".png", ".svg", ".pdf")
_MOST_PERSONS: Final = 12
_MOST_NAMED: Final = 12
_MOST_MOMENTS: Final = 600
_ABSENT_SECONDS: Final = 1.0
"""Where a person was not seen for longer than this, the picture has a gap."""
_WIDTH_INCHES: Final = 10.0
_JAPANESE_LABELS: Final = "Kaoiro Labels"
_WIDE_FONTS: Final = ("Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic", "Meiryo", "IPAexGothic", "IPAGothic")
"""Fonts of Linux, macOS and Windows that have most letters of East Asia, for the names of files."""


def check_plot(path: Path) -> None:
    """Refuse a file name that stands for no kind of picture, before any work is done.

    Raises:
        InputError: its suffix is none of `.png`, `.svg` and `.pdf`.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"cannot write {str(path)!r}: plots are written as .png, .svg or .pdf; name it so")


def save_plot(path: Path, tracks: Sequence["Track"], title: str, language: Language = Language.ENGLISH) -> None:
    """Draw the probabilities of each person's expressions over time, one panel a person.

    The persons seen longest get panels, and the others are named below.

    Args:
        path: the picture to write; its suffix chooses the format.
        tracks: the persons.
        title: what stands above.
        language: of the expressions' names.

    Raises:
        InputError: the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

    from kaoiro.media.clock import clock
    from kaoiro.media.drawing import COLOURS

    check_plot(path)
    ordered = longest_first(tracks)
    shown = sorted(ordered[:_MOST_PERSONS], key=lambda track: track.number)
    expressions = shown[0].expressions if shown else ()
    panel = 1.5 if len(shown) <= 4 else 1.15
    height = 1.5 + panel * max(1, len(shown))
    with (
        _fonts() as fonts,
        rc_context({"font.family": fonts, "svg.hashsalt": "kaoiro"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure = Figure((_WIDTH_INCHES, height), layout="constrained")
        figure.suptitle(_escaped(title), fontsize="medium")
        panels: list[Axes] = list(figure.subplots(max(1, len(shown)), 1, sharex=True, sharey=True, squeeze=False)[:, 0])
        if not shown:
            panels[0].text(0.5, 0.5, "no face found", ha="center", va="center", transform=panels[0].transAxes)
        for axes, track in zip(panels, shown, strict=False):
            _fill(axes, track)
            axes.set_title(
                f"person {track.number}: {expression_shares(track, language)}", loc="left", fontsize="small", pad=3
            )
        first = min((float(track.times[0]) for track in shown), default=0.0)
        last = max((float(track.times[-1]) for track in shown), default=1.0)
        bottom = panels[-1]
        bottom.set(xlim=(first, max(last, first + 1)), ylim=(0, 1))
        bottom.yaxis.set_major_formatter(PercentFormatter(1))
        bottom.yaxis.set_major_locator(MaxNLocator(2))
        digits = 0 if last - first > 10 else 1
        bottom.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds, digits)))
        bottom.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 1.5, 2, 3, 5, 6, 10]))
        bottom.set_xlabel("time (minutes:seconds)" + _others(ordered[_MOST_PERSONS:]))
        handles = [Patch(facecolor=_colour(COLOURS[one]), label=one.label(language)) for one in expressions]
        if handles:
            figure.legend(
                handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize="small"
            )
        with reported_writing(path), atomic_path(path) as partial:
            figure.savefig(partial, dpi=150)


def _fill(axes: "Axes", track: "Track") -> None:
    from kaoiro.media.drawing import COLOURS

    for times, probabilities in _stretches(track):
        axes.stackplot(times, probabilities.T, colors=[_colour(COLOURS[one]) for one in track.expressions], linewidth=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize="small")


def _stretches(track: "Track") -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The times during which the person was seen without a longer break, thinned out to what a picture can show."""
    times, probabilities = track.times, track.probabilities
    steps = np.diff(times)
    usual = float(np.median(steps)) if len(steps) else 0.04
    breaks = np.flatnonzero(steps > max(_ABSENT_SECONDS, 3 * usual)) + 1
    together = max(1, -(-len(times) // _MOST_MOMENTS))
    stretches = []
    for some_times, some in zip(np.split(times, breaks), np.split(probabilities, breaks), strict=True):
        starts = np.arange(0, len(some_times), together)
        sizes = np.diff([*starts, len(some_times)])
        mean_times = np.add.reduceat(some_times, starts) / sizes
        means = np.add.reduceat(some, starts, axis=0) / sizes[:, None]
        # The ends stay where they are; a single moment is as wide as one frame.
        mean_times[0], end = some_times[0], some_times[-1] + usual
        stretches.append((np.append(mean_times, end), np.vstack([means, means[-1:]])))
    return stretches


@contextmanager
def _fonts() -> Iterator[list[str]]:
    """The names of fonts that together have the letters of the expressions' names, and of most files' names here."""
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    with resources.as_file(resources.files("kaoiro.media") / "fonts" / "kaoiro-labels.ttf") as path:
        if _JAPANESE_LABELS not in known:
            fontManager.addfont(path)
            # Its own weight, 500, would make Matplotlib say that it has no normal one.
            fontManager.ttflist[-1] = replace(fontManager.ttflist[-1], weight=400)
        yield ["DejaVu Sans", _JAPANESE_LABELS, *(name for name in _WIDE_FONTS if name in known)]


def _others(tracks: Sequence["Track"]) -> str:
    if not tracks:
        return ""
    named = ", ".join(str(track.number) for track in sorted(tracks[:_MOST_NAMED], key=lambda one: one.number))
    more = f" and {len(tracks) - _MOST_NAMED} more" if len(tracks) > _MOST_NAMED else ""
    return f"\nnot shown, as seen in fewer frames: persons {named}{more}"


def _colour(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    return rgb[0] / 255, rgb[1] / 255, rgb[2] / 255


def _escaped(text: str) -> str:
    # Between two dollar signs Matplotlib expects a formula.
    return text.replace("$", r"\$")
