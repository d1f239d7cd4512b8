"""The plots of a model card, as SVG files with a white ground."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

COLOURS: Final = ("#3b6ea8", "#c26a2d", "#4f8a5b", "#8a5a9e")
GREY: Final = "#8a8f98"
Heads = dict[str, Any]
"""Scores by the name of the head, as in the measured JSON."""


def reliability(heads: Heads, path: Path) -> str:
    """Draw accuracy against confidence, a panel a head; gives the digest that the file carries."""
    figure = Figure(figsize=(4.2 * len(heads), 3.8), layout="constrained")
    for axes, colour, (name, head) in zip(_panels(figure, len(heads)), COLOURS, heads.items(), strict=False):
        bins = [one for one in head["scores"]["reliability"] if one["n"]]
        most = max(one["n"] for one in bins)
        axes.bar(
            [(one["low"] + one["high"]) / 2 for one in bins],
            [0.25 * one["n"] / most for one in bins],
            0.9 * (bins[0]["high"] - bins[0]["low"]),
            color="#dfe3e8",
            label="faces (height in proportion)",
        )
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="confidence = accuracy")
        axes.plot(
            [one["confidence"] for one in bins],
            [one["accuracy"] for one in bins],
            color=colour,
            marker="o",
            markersize=4,
            linewidth=1.4,
            label="the model",
        )
        axes.set(title=name, xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="right answers")
        axes.legend(loc="upper left", frameon=False, fontsize="small")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return _save(figure, path, heads)


def risk_coverage(heads: Heads, path: Path) -> str:
    """Draw the share of wrong answers against the share of faces answered; gives the digest that the file carries."""
    figure = Figure(figsize=(6, 3.8), layout="constrained")
    (axes,) = _panels(figure, 1)
    for colour, (name, head) in zip(COLOURS, heads.items(), strict=False):
        found = head["scores"]["selection"]
        axes.plot(found["coverage"], found["risk"], color=colour, linewidth=1.6, label=name)
        points = found["points"]
        axes.plot(
            [point["answered"] for point in points],
            [1 - point["accuracy"]["value"] for point in points],
            color=colour,
            marker="o",
            markersize=4,
            linestyle="none",
        )
    axes.set(xlim=(0, 1.01), xlabel="faces answered, the surest first", ylabel="wrong answers")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", frameon=False)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return _save(figure, path, heads)


def robustness(heads: Heads, path: Path) -> str:
    """Draw what each change costs, with 95 % intervals; gives the digest that the file carries."""
    changes = list(next(iter(heads.values()))["changed"])
    figure = Figure(figsize=(7, 0.36 * len(changes) + 1.1), layout="constrained")
    (axes,) = _panels(figure, 1)
    axes.axvline(0, color=GREY, linewidth=1)
    axes.axvline(-5, color=GREY, linewidth=1, linestyle=":")
    for place, (colour, (name, head)) in enumerate(zip(COLOURS, heads.items(), strict=False)):
        found = [head["changed"][change]["difference"] for change in changes]
        rows = [row + 0.3 * (place - (len(heads) - 1) / 2) for row in range(len(changes))]
        axes.hlines(rows, [100 * one["low"] for one in found], [100 * one["high"] for one in found], color=colour)
        axes.plot(
            [100 * one["value"] for one in found], rows, color=colour, marker="o", markersize=5, linestyle="none",
            label=name,
        )  # fmt: skip
    axes.set_yticks(range(len(changes)), changes)
    axes.invert_yaxis()
    axes.set_xlabel("accuracy less that on the unchanged faces, in points; dotted: −5")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(heads), frameon=False)
    axes.grid(axis="x", color="#eceef1")
    return _save(figure, path, heads)


def digest(heads: Heads) -> str:
    """What a plot's file carries, to be told from a plot of other figures."""
    return hashlib.sha256(json.dumps(heads, sort_keys=True).encode()).hexdigest()


def _panels(figure: Figure, count: int) -> list[Axes]:
    FigureCanvasSVG(figure)
    panels = list(figure.subplots(1, count, squeeze=False)[0])
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
    return panels


def _save(figure: Figure, path: Path, heads: Heads) -> str:
    found = digest(heads)
    # Without salt and with a date, the same figures would give other files each time.
    with rc_context({"svg.hashsalt": "kaoiro", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None, "Description": found})
    return found
