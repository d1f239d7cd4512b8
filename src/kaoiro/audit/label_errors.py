"""Labels that are probably wrong, by confident learning on what the shipped model sees in the faces.

The shipped model's own answer to a face is no judge of its label: it has learned another corpus's habits, or this very
label. So a small classifier learns this corpus's labels from what the model sees in the faces, and judges each face by
what the other folds' faces have taught it. Confident learning (Northcutt et al. 2021, https://arxiv.org/abs/1911.00068),
as cleanlab implements it, says which disagreements are likely errors.

Where the shipped model has itself been trained on the corpus, as on FER2013's training faces, it has seen their labels,
and fewer errors are found there.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.audit.model_features import model_features
from kaoiro.errors import MissingExtraError
from kaoiro.expressions import EIGHT

FEWEST_FACES: Final = 100
"""Labelled faces below which no search is made."""

FEWEST_OF_A_CLASS: Final = 10
"""Faces of an expression below which its labels are not judged."""

_FOLDS: Final = 5
_INVERSE_REGULARIZATION: Final = 0.01
_FEATURES_SHARE: Final = 0.95  # of the time


@dataclass(frozen=True)
class LabelErrors:
    """What the search found.

    Attributes:
        rows: faces whose label is probably wrong, the worst first; `int64 (m,)`.
        suggested: for each of them the expression that fits best, as a place in `EIGHT`; `int64 (m,)`.
        quality: of every face the probability of its label, 0 to 1, NaN where it was not judged; `float32 (n,)`.
        notes: a line for each part of the corpus that was not judged, and why.
    """

    rows: NDArray[np.int64]
    suggested: NDArray[np.int64]
    quality: NDArray[np.float32]
    notes: tuple[str, ...] = ()


def label_errors(
    faces: NDArray[np.uint8],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    seed: int = 0,
    on_progress: Callable[[float], None] = lambda _: None,
) -> LabelErrors:
    """Find faces whose label is probably wrong.

    Faces without a label are not judged, nor are those of an expression that fewer than `FEWEST_OF_A_CLASS` faces or
    one fold alone has. Below `FEWEST_FACES` faces, or with one expression only, none is.

    Args:
        faces: `uint8 (n, 48, 48)` grey.
        labels: each face's place in `EIGHT`, -1 where it has none; `int64 (n,)`.
        groups: numbers of groups whose faces must not judge each other; `int64 (n,)`.
        seed: decides which groups share a fold.
        on_progress: is told now and then which part is done, from 0 to 1.

    Raises:
        MissingExtraError: cleanlab or scikit-learn is not installed.
    """
    try:
        from cleanlab.filter import find_label_issues
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtraError("the search for label errors", "audit", error.name or "cleanlab") from error

    quality = np.full(len(faces), np.nan, np.float32)
    folds = _folds(labels, groups, seed)
    judged, notes = _judged(labels, folds)
    if len(judged) == 0:
        none = np.empty(0, np.int64)
        on_progress(1.0)
        return LabelErrors(none, none, quality, notes)

    features = model_features(faces[judged], lambda done: on_progress(_FEATURES_SHARE * done))
    standardized = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-6)
    classes, places = np.unique(labels[judged], return_inverse=True)
    with threadpool_limits(1):  # more threads are no faster on matrices of this size, and in each other's way
        probabilities = _out_of_fold(standardized, places, folds[judged], LogisticRegression)
    # One process: cleanlab would start several, which copy this one's threads.
    wrong = np.asarray(find_label_issues(places, probabilities, filter_by="both", n_jobs=1))
    quality[judged] = probabilities[np.arange(len(judged)), places]

    rows = judged[wrong]
    worst_first = np.argsort(quality[rows], kind="stable")
    suggested = classes[probabilities[wrong].argmax(axis=1)]
    on_progress(1.0)
    return LabelErrors(rows[worst_first], suggested[worst_first], quality, notes)


def _folds(labels: NDArray[np.int64], groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Deal whole groups of labelled faces to folds, each expression's evenly; -1 for faces without a label."""
    labelled = np.flatnonzero(labels >= 0)
    _, first, group = np.unique(groups[labelled], return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(first))
    by_expression = np.lexsort((shuffled, labels[labelled][first]))
    fold_of_group = np.empty(len(first), np.int64)
    fold_of_group[by_expression] = np.arange(len(first)) % _FOLDS
    folds = np.full(len(labels), -1, np.int64)
    folds[labelled] = fold_of_group[group]
    return folds


def _judged(labels: NDArray[np.int64], folds: NDArray[np.int64]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Give the rows that can be judged, and say why others cannot."""
    notes = []
    left = labels >= 0
    for place in np.unique(labels[left]).tolist():
        of_class = labels == place
        faces = int(of_class.sum())
        # In one fold alone, no classifier that judges them would have seen such a face.
        if faces < FEWEST_OF_A_CLASS or len(np.unique(folds[of_class])) < 2:
            left &= ~of_class
            reason = f"{_faces(faces)} only" if faces < FEWEST_OF_A_CLASS else "all of its faces are in one group"
            notes.append(f"labels {EIGHT[place]!s} were not judged: {reason}")
    rows = np.flatnonzero(left)
    if len(rows) < FEWEST_FACES:
        notes.append(f"{_faces(len(rows))} to judge, and at least {FEWEST_FACES} are needed")
    elif len(np.unique(labels[rows])) < 2:
        notes.append("the faces to judge are of one expression only")
    else:
        return rows, tuple(notes)
    return np.empty(0, np.int64), tuple(notes)


def _faces(number: int) -> str:
    return f"{number} face" if number == 1 else f"{number} faces"


def _out_of_fold(
    features: NDArray[np.float32], places: NDArray[np.int64], folds: NDArray[np.int64], classifier: Any
) -> NDArray[np.float64]:
    """Each face's probabilities by a classifier that has learned the other folds; `float64 (n, classes)`."""
    from sklearn.exceptions import ConvergenceWarning

    probabilities = np.empty((len(places), int(places.max()) + 1))
    for fold in np.unique(folds):
        own = folds == fold
        regression = classifier(C=_INVERSE_REGULARIZATION, max_iter=1000)
        with warnings.catch_warnings():
            # A fit that is nearly there judges as well as one that is.
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.fit(features[~own], places[~own])
        probabilities[own] = regression.predict_proba(features[own])
    return probabilities
