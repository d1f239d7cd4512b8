"""Compare ways of calibrating a model's answers, and what another prior does to them, on a validation split.

    python benchmarks/calibration.py CORPUS [--model NAME] [--halvings N] [--json FILE]

The split is cut into random halves. What is fitted on one half is tried on the other, so that each halving gives every
face an answer to which it has not contributed. Negative log-likelihood (NLL), expected calibration error (ECE),
accuracy, macro-F1 and mean recall are means over the halvings, with each face read once and with flip averaging.
Fitting always goes by faces that are read once, as in `kaoiro export`, and a fitted change is made to each reading
before two are averaged.

Written t = 1/T for the inverse temperature, z for a head's logits and b for a bias a class, the ways are softmax(t·z);
softmax(t·z + b), with a penalty of ridge·|b|² that draws b to 0; and vector scaling (Guo et al. 2017,
https://arxiv.org/abs/1706.04599), which has a t for each class, with a penalty that draws them to their mean. The
interval behind a method is that of its difference from the temperature alone, face by face.

The second table divides the shipped probabilities by the training prior to the power τ: 0 is `natural`, 1 `balanced`.
Mean recall is the accuracy where all classes are equally frequent.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch.nn.functional import cross_entropy
from torchmetrics.functional.classification import multiclass_f1_score

from kaoiro.corpus.store import open_corpus
from kaoiro.errors import InputError
from kaoiro.evaluation.evaluate import right_answers
from kaoiro.evaluation.reliability import reliability
from kaoiro.files import atomic_path
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.metadata import Head
from kaoiro.recognition.model_file import open_model

Array = NDArray[np.float64]
Change = Callable[[Array], Array]
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Method:
    """A way of fitting: one inverse temperature or one a class, with biases or without, held back by a ridge."""

    name: str
    scales: bool = False
    biases: bool = True
    ridge: float = 0.0

    def fit(self, logits: Array, answers: NDArray[np.int64]) -> Change:
        """Find what makes the answers likeliest."""
        z, y = torch.from_numpy(logits), torch.from_numpy(answers)
        classes = z.shape[1]
        scale = torch.ones(classes if self.scales else 1, dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(classes, dtype=torch.float64, requires_grad=self.biases)
        optimizer = torch.optim.LBFGS(
            [scale, bias] if self.biases else [scale], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-8
        )

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            penalty = bias.square().sum() + (scale - scale.mean()).square().sum()
            value: torch.Tensor = cross_entropy(z * scale + bias, y) + self.ridge * penalty
            value.backward()
            return value

        optimizer.step(loss)
        fitted_scale, fitted_bias = scale.detach().numpy(), bias.detach().numpy()
        return lambda z: z * fitted_scale + fitted_bias


METHODS = (
    Method("temperature", biases=False),
    *(Method(f"temperature + bias, ridge {ridge:g}", ridge=ridge) for ridge in (0.0, 0.001, 0.01, 0.1)),
    *(Method(f"vector scaling, ridge {ridge:g}", scales=True, ridge=ridge) for ridge in (0.0, 0.001, 0.01)),
)


@dataclass(frozen=True)
class Readings:
    """Logits of n faces and of their mirror images, up to a constant a face, and the right answers."""

    logits: Array
    mirrored: Array
    answers: NDArray[np.int64]

    def probabilities(self, change: Change, *, flip_averaging: bool) -> Array:
        once = softmax(change(self.logits))
        return (once + softmax(change(self.mirrored))) / 2 if flip_averaging else once


@dataclass(frozen=True)
class Figures:
    """How good probabilities are, all but the first between 0 and 1."""

    nll: float
    ece: float
    accuracy: float
    macro_f1: float
    mean_recall: float
    """The classes' mean recall: the accuracy where all classes are equally frequent."""


@dataclass(frozen=True)
class Row:
    """One method's or one prior's figures, and how they differ from those of the temperature alone."""

    name: str
    flip_averaging: bool
    figures: Figures
    nll_difference: tuple[float, float, float] | None = None
    accuracy_difference: tuple[float, float, float] | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="a corpus that `kaoiro data import` wrote")
    parser.add_argument("--model", default="kaoiro-s", help="a shipped model's name or a model file")
    parser.add_argument("--halvings", type=int, default=10, help="how often the split is halved (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    try:
        by_head = measure(arguments.model, arguments.corpus, arguments.halvings)
    except InputError as error:
        parser.error(str(error))
    console = Console(highlight=False, width=180)
    for name, rows in by_head.items():
        for part, which in (("calibration", rows[0]), ("priors", rows[1])):
            if which:
                console.print(table(f"{arguments.model}, {name}: {part}", which))
    if arguments.json:
        parts = {
            head: {
                part: [dataclasses.asdict(row) for row in which]
                for part, which in zip(("methods", "priors"), rows, strict=True)
            }
            for head, rows in by_head.items()
        }
        with atomic_path(arguments.json) as path:
            path.write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")


def measure(model: str, corpus: Path, halvings: int) -> dict[str, tuple[list[Row], list[Row]]]:
    """By head, the rows of both tables. Never looks at another split than `validation`."""
    opened = open_model(model)
    metadata = opened.metadata
    part = open_corpus(corpus).select("validation")
    faces = part.decode_faces(metadata.size, metadata.channels)
    names = list(metadata.heads)
    once = head_probabilities(opened, faces, names, flip_averaging=False)
    mirrored = head_probabilities(opened, np.ascontiguousarray(faces[..., ::-1]), names, flip_averaging=False)
    found = {}
    for name, head in metadata.heads.items():
        answers = right_answers(part, head)
        if answers is not None:
            known = answers >= 0
            readings = Readings(logarithm(once[name][known]), logarithm(mirrored[name][known]), answers[known])
            found[name] = method_rows(readings, head, halvings), prior_rows(readings, head)
    return found


def method_rows(readings: Readings, head: Head, halvings: int) -> list[Row]:
    rows = [
        Row("as shipped", flip, figures(readings.probabilities(lambda z: z, flip_averaging=flip), readings, head))
        for flip in (False, True)
    ]
    reference: dict[bool, Array] = {}
    for method in METHODS:
        changes = [(other, method.fit(*half(readings, fitted))) for fitted, other in halves(readings, halvings)]
        for flip in (False, True):
            tried = held_out(readings, changes, flip)
            each = np.array([dataclasses.astuple(figures(probabilities, readings, head)) for probabilities in tried])
            losses = np.mean([face_scores(probabilities, readings) for probabilities in tried], axis=0)
            reference.setdefault(flip, losses)
            nll, accuracy = (difference(column) for column in (losses - reference[flip]).T)
            first = losses is reference[flip]
            rows.append(
                Row(
                    method.name,
                    flip,
                    Figures(*each.mean(axis=0).tolist()),
                    *((None, None) if first else (nll, accuracy)),
                )
            )
    return sorted(rows, key=lambda row: row.flip_averaging)


def prior_rows(readings: Readings, head: Head) -> list[Row]:
    if head.prior is None:
        return []
    prior = np.maximum(np.array(head.prior), np.finfo(float).tiny)
    rows = []
    for flip in (False, True):
        natural = readings.probabilities(lambda z: z, flip_averaging=flip)
        for power in POWERS:
            weighted = natural * prior**-power
            weighted /= weighted.sum(axis=1, keepdims=True)
            rows.append(Row(f"τ = {power:g}", flip, figures(weighted, readings, head)))
    return rows


def halves(readings: Readings, halvings: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    for seed in range(halvings):
        order = np.random.default_rng(seed).permutation(len(readings.answers))
        one, other = order[::2], order[1::2]
        yield one, other
        yield other, one


def half(readings: Readings, rows: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    return readings.logits[rows], readings.answers[rows]


def held_out(readings: Readings, changes: list[tuple[NDArray[np.int64], Change]], flip: bool) -> list[Array]:
    """For each halving, every face's probabilities as changed by what was fitted on the half without it."""
    found = []
    for pair in zip(changes[::2], changes[1::2], strict=True):
        probabilities = np.empty_like(readings.logits)
        for rows, change in pair:
            chosen = Readings(readings.logits[rows], readings.mirrored[rows], readings.answers[rows])
            probabilities[rows] = chosen.probabilities(change, flip_averaging=flip)
        found.append(probabilities)
    return found


def face_scores(probabilities: Array, readings: Readings) -> Array:
    """Each face's negative log-likelihood and whether it is read rightly, `(n, 2)`."""
    right = probabilities[np.arange(len(readings.answers)), readings.answers]
    return np.stack([-logarithm(right), probabilities.argmax(axis=1) == readings.answers], axis=1)


def figures(probabilities: Array, readings: Readings, head: Head) -> Figures:
    nll, right = face_scores(probabilities, readings).T
    bins = reliability(probabilities.max(axis=1), right > 0)
    gaps = [one.n * abs(one.confidence - one.accuracy) for one in bins if one.n]
    f1 = multiclass_f1_score(torch.from_numpy(probabilities), torch.from_numpy(readings.answers), len(head.classes))
    recalls = [right[readings.answers == one].mean() for one in np.unique(readings.answers)]
    return Figures(float(nll.mean()), sum(gaps) / len(right), float(right.mean()), float(f1), float(np.mean(recalls)))


def difference(by_face: Array) -> tuple[float, float, float]:
    """A mean and its 95 % interval over faces."""
    mean, half_width = float(by_face.mean()), 1.96 * float(by_face.std()) / np.sqrt(len(by_face))
    return mean, mean - half_width, mean + half_width


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def logarithm(probabilities: Array) -> Array:
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))


def table(title: str, rows: list[Row]) -> Table:
    compared = any(row.nll_difference for row in rows)
    columns = ["each face", "", "NLL", "ECE, %", "accuracy, %", "macro-F1, %", "mean recall, %"]
    columns += ["NLL gained", "accuracy gained, points"] if compared else []
    found = Table(*columns, title=title)
    for row in rows:
        one = row.figures
        nll = row.nll_difference and tuple(-value for value in row.nll_difference)
        differences = [f"{nll[0]:.4f} ({nll[2]:.4f} to {nll[1]:.4f})" if nll else "", _points(row.accuracy_difference)]
        found.add_row(
            "and its mirror image" if row.flip_averaging else "once",
            row.name,
            f"{one.nll:.4f}",
            *(f"{100 * value:.2f}" for value in (one.ece, one.accuracy, one.macro_f1, one.mean_recall)),
            *(differences if compared else []),
        )
    return found


def _points(measured: tuple[float, float, float] | None) -> str:
    if measured is None:
        return ""
    value, low, high = (100 * one for one in measured)
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    main()
