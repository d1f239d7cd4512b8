"""Loss and accuracy over the epochs, as a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kaoiro.files import atomic_path


def save_curves(rows: Sequence[dict[str, float]], target: Path) -> None:
    """Draw the losses and the validation scores of `History` rows, side by side, into a PNG.

    Scores are accuracies and F1, in percent; where no head has any, the concordance of numbers, from -1 to 1.
    """
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    losses, accuracies = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) == 1 else None
    for name, title in (("train/loss", "training (smoothed, augmented)"), ("validation/loss", "validation")):
        losses.plot(epochs, [row.get(name, float("nan")) for row in rows], label=title, marker=marker)
    losses.set_ylabel("loss, summed over heads")
    names = _names_of(rows, ("accuracy", "macro_f1"))
    factor, title = (100, "on the validation faces, %") if names else (1, "validation concordance")
    for name in names or _names_of(rows, ("concordance",)):
        _, head, metric = name.split("/")
        style = "-" if metric in ("accuracy", "concordance") else "--"
        values = [factor * row.get(name, float("nan")) for row in rows]
        accuracies.plot(epochs, values, style, label=f"{head}, {metric.replace('_', ' ')}", marker=marker)
    accuracies.set_ylabel(title)
    for axes in (losses, accuracies):
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize="small")
    with atomic_path(target) as path:
        figure.savefig(path, dpi=110)


def _names_of(rows: Sequence[dict[str, float]], endings: tuple[str, ...]) -> list[str]:
    found = {name for row in rows for name in row if name.startswith("validation/") and name.count("/") == 2}
    return sorted(name for name in found if name.endswith(endings))
