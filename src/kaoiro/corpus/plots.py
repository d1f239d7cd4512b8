"""What a corpus holds, as charts: classes, picture sizes, votes, groups and columns of numbers."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from kaoiro.corpus.summary import Counts, Summary
from kaoiro.files import atomic_path, reported_writing

_COLOURS: Final = {"train": "#3b6ea8", "validation": "#e2a33b", "test": "#b5483d", None: "#8a8f98"}
_BAR: Final = "#5b84b1"
_COLUMNS_SHOWN: Final = 6
_FEW: Final = 12
_FEW_WHOLE_NUMBERS: Final = 50


def save_charts(summary: Summary, sizes: NDArray[np.int64], target: Path) -> None:
    """Draw what a corpus holds into a PNG; votes, groups and columns of numbers where there are any.

    Args:
        summary: of the corpus.
        sizes: width and height of each picture in pixels, `int64 (n, 2)`.
        target: the file.

    Raises:
        InputError: the file cannot be written.
    """
    charts: list[Callable[[Axes], None]] = [
        lambda axes: _classes(axes, summary.counts()),
        lambda axes: _sizes(axes, sizes),
    ]
    if summary.with_votes:
        charts += [lambda axes: _entropy(axes, summary), lambda axes: _entropy_by_class(axes, summary)]
    if len(summary.group_sizes):
        charts.append(lambda axes: _groups(axes, summary.group_sizes, len(summary)))
    with_values = [(name, values) for name, values in summary.columns.items() if len(values)]
    for name, values in with_values[:_COLUMNS_SHOWN]:
        charts.append(lambda axes, name=name, values=values: _numbers(axes, name, values, len(summary)))  # type: ignore[misc]

    lines = math.ceil(len(charts) / 2)
    figure = Figure(figsize=(11, 3.9 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(lines, 2, squeeze=False)
    for axes, chart in zip(grid.flat, charts, strict=False):
        chart(axes)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
    for axes in grid.flat[len(charts) :]:
        axes.remove()
    with reported_writing(target), atomic_path(target) as path:
        figure.savefig(path, dpi=110, format="png")


def _classes(axes: Axes, counts: Counts) -> None:
    places = np.arange(len(counts.labels))
    left = np.zeros(len(counts.labels))
    for split in counts.splits:
        faces = np.array([counts.faces.get((label, split), 0) for label in counts.labels])
        axes.barh(places, faces, left=left, color=_COLOURS[split], label=split or "no split", height=0.72)
        left += faces
    for place, number in zip(places, left, strict=True):
        axes.annotate(f"{number:,.0f}", (number, place), (4, 0), textcoords="offset points", va="center", size="small")
    axes.set_yticks(places, [label or "no label" for label in counts.labels])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    _plain_numbers(axes, "x")
    axes.set_title(f"{counts.total():,} faces by class and split", pad=24)
    axes.set_xlabel("faces")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, fontsize="small", frameon=False)


def _sizes(axes: Axes, sizes: NDArray[np.int64]) -> None:
    shorter = sizes.min(axis=1)
    different, numbers = np.unique(sizes, axis=0, return_counts=True)
    width, height = different[numbers.argmax()].tolist()
    smallest, largest = int(shorter.min()), int(shorter.max())
    if smallest == largest:
        edges = np.array([smallest - 0.5, smallest + 0.5])
        axes.set_xlim(smallest - 10, smallest + 10)
        axes.xaxis.set_major_locator(FixedLocator([smallest]))
    elif largest > 4 * smallest:
        edges = np.geomspace(smallest, largest + 1, 41)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(FuncFormatter(_few_minor_labels))
    else:
        edges = np.linspace(smallest - 0.5, largest + 0.5, min(largest - smallest + 2, 41))
    axes.hist(shorter, edges.tolist(), color=_BAR)
    _plain_numbers(axes, "y")
    axes.grid(axis="y", alpha=0.3)
    most = f"{width} × {height}"
    axes.set_title(
        f"picture sizes: all {most}"
        if len(different) == 1
        else f"picture sizes; most often {most} ({numbers.max() / len(sizes):.0%})"
    )
    axes.set_xlabel("shorter side (pixels)")
    axes.set_ylabel("faces")


def _few_minor_labels(value: float, _: object) -> str:
    leading = value / 10 ** math.floor(math.log10(value))
    return f"{value:g}" if round(leading) in (2, 5) else ""


def _entropy(axes: Axes, summary: Summary) -> None:
    entropy = summary.vote_entropy[~np.isnan(summary.vote_entropy)]
    axes.hist(entropy, np.linspace(0, max(float(entropy.max()), 1.0), 41).tolist(), color=_BAR)
    median = float(np.median(entropy))
    axes.axvline(median, color="black", linewidth=1, linestyle="--", label=f"median {median:.2f}")
    _plain_numbers(axes, "y")
    axes.grid(axis="y", alpha=0.3)
    axes.set_title(f"how far raters disagree ({_share(len(entropy), len(summary))} with votes)")
    axes.set_xlabel("entropy of the votes (bits); 0 where all agree")
    axes.set_ylabel("faces")
    axes.legend(fontsize="small", frameon=False)


def _entropy_by_class(axes: Axes, summary: Summary) -> None:
    counts = summary.counts()
    names, means = [], []
    for label in counts.labels:
        rows = np.concatenate([summary.rows_of(label, split) for split in counts.splits])
        voted = summary.vote_entropy[rows][~np.isnan(summary.vote_entropy[rows])]
        if len(voted):
            names.append(label or "no label")
            means.append(float(voted.mean()))
    bars = axes.barh(names, means, color=_BAR, height=0.72)
    axes.bar_label(bars, fmt="%.2f", padding=4, size="small")
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_title("on which classes they disagree")
    axes.set_xlabel("mean entropy of the votes (bits)")


def _groups(axes: Axes, sizes: NDArray[np.int64], faces: int) -> None:
    axes.stairs(sizes, np.arange(len(sizes) + 1) + 0.5, fill=True, color=_BAR)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", alpha=0.3)
    axes.set_title(f"{len(sizes):,} groups ({_share(int(sizes.sum()), faces)} in one)")
    axes.set_xlabel("group, the largest first")
    axes.set_ylabel("faces")


def _numbers(axes: Axes, name: str, values: NDArray[np.float32], faces: int) -> None:
    different, times = np.unique(values, return_counts=True)
    whole = bool((different == different.round()).all())
    if len(different) <= _FEW:
        axes.bar([f"{value:g}" for value in different], times, color=_BAR)
    elif whole and different[-1] - different[0] < _FEW_WHOLE_NUMBERS:
        axes.bar(different, times, color=_BAR)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.hist(values, 40, color=_BAR)
    _plain_numbers(axes, "y")
    axes.grid(axis="y", alpha=0.3)
    axes.set_title(f"{name} ({_share(len(values), faces)} with a value)")
    axes.set_xlabel(name)
    axes.set_ylabel("faces")


def _share(part: int, whole: int) -> str:
    return "all faces" if part == whole else f"{part:,} of {whole:,} faces"


def _plain_numbers(axes: Axes, which: str) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
