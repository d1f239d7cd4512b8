"""The two plots of a report, as SVG."""

import io
from base64 import b64encode
from collections.abc import Callable
from typing import Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from kaoiro.evaluation.scores import Scores

_BLUE: Final = "#3b6ea8"
_PALE_BLUE: Final = "#c3d3e6"
_GREY: Final = "#8a8f98"
_RED: Final = "#b5483d"
_INCHES: Final = (5.2, 4.4)


def reliability_plot(scores: Scores) -> str:
    """Draw accuracy against confidence, and under it how many faces have which confidence.

    Returns:
        A `data:` address of an SVG picture.
    """

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        filled = [one for one in scores.reliability if one.n]
        width = scores.reliability[0].high - scores.reliability[0].low
        middles = [(one.low + one.high) / 2 for one in filled]
        above.bar(middles, [one.accuracy or 0 for one in filled], 0.9 * width, color=_PALE_BLUE, label="accuracy")
        above.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", label="confidence = accuracy")
        above.plot(
            [one.confidence or 0 for one in filled],
            [one.accuracy or 0 for one in filled],
            color=_BLUE,
            marker="o",
            markersize=4,
            linewidth=1.2,
            label="at the mean confidence",
        )
        above.set(xlim=(0, 1), ylim=(0, 1), ylabel="right answers")
        above.legend(loc="upper left", frameon=False, fontsize="small")
        below.bar(middles, [one.n for one in filled], 0.9 * width, color=_GREY)
        below.set(xlabel="confidence", ylabel="faces")
        above.yaxis.set_major_formatter(PercentFormatter(1))
        below.xaxis.set_major_formatter(PercentFormatter(1))
        _plain(above, below)

    return _svg(draw)


def risk_coverage_plot(scores: Scores) -> str:
    """Draw the share of wrong answers against the share of faces that are answered.

    Returns:
        A `data:` address of an SVG picture.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        found = scores.selection
        axes.plot(found.coverage, found.risk, color=_BLUE, linewidth=1.6)
        axes.fill_between(found.coverage, found.risk, color=_PALE_BLUE, alpha=0.5, linewidth=0)
        for point in found.points:
            risk = 1 - point.accuracy.value
            axes.vlines(point.answered, 1 - point.accuracy.high, 1 - point.accuracy.low, color=_RED, linewidth=1.2)
            axes.plot(point.answered, risk, color=_RED, marker="o", markersize=4)
            axes.annotate(
                f"≥ {point.threshold:.2f}", (point.answered, risk), (-6, 7), textcoords="offset points",
                ha="right", fontsize="small",
            )  # fmt: skip
        axes.set(xlim=(0, 1.02), xlabel="faces answered, the surest first", ylabel="wrong answers")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        _plain(axes)

    return _svg(draw)


def _plain(*all_axes: Axes) -> None:
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)


def _svg(draw: Callable[[Figure], None]) -> str:
    # Without salt and with a date, equal reports would give unequal pages.
    with rc_context({"svg.hashsalt": "kaoiro"}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + b64encode(buffer.getvalue()).decode("ascii")
