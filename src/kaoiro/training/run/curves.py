"""Loss and accuracy over the epochs, as a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kaoiro.files import atomic_path


def save_curves(rows: Sequence[dict[str, float]], target: Path) -> None:
    """Draw the losses and the validation accuracies of `History` rows, side by side, into a PNG."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    losses, accuracies = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) == 1 else None
    for name, title in (("train/loss", "training (smoothed, augmented)"), ("validation/loss", "validation")):
        losses.plot(epochs, [row.get(name, float("nan")) for row in rows], label=title, marker=marker)
    losses.set_ylabel("loss, summed over heads")
    names = sorted({n for row in rows for n in row if n.startswith("validation/") and n.count("/") == 2})
    for name in names:
        _, head, metric = name.split("/")
        style = "-" if metric == "accuracy" else "--"
        percent = [100 * row.get(name, float("nan")) for row in rows]
        accuracies.plot(epochs, percent, style, label=f"{head}, {metric.replace('_', ' ')}", marker=marker)
    accuracies.set_ylabel("validation accuracy (%)")
    for axes in (losses, accuracies):
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize="small")
    with atomic_path(target) as path:
        figure.savefig(path, dpi=110)
