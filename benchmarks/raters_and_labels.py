"""How much of FER2013's labels can be known: what FERPlus's ten raters tell about them, alone and beside our models.

    python benchmarks/raters_and_labels.py CORPUS [--models NAME ...]

A logistic regression learns from the training faces which label goes with which votes (their shares, the roots of
these, and the first choice), and guesses the labels of `validation` from its votes. A second one guesses them from
what the models say (the mean of their probabilities, with flip averaging) and what the first one makes of the votes;
it is fitted on nine tenths of the split and tried on the last one, ten times over. Half widths of 95 % intervals stand
behind.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from kaoiro.corpus.ferplus import majority
from kaoiro.corpus.store import Corpus, open_corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import SEVEN
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.model_file import open_model

Array = NDArray[np.float64]
HEAD = "fer2013"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="FER2013 with FERPlus's votes, which `kaoiro data import` wrote")
    parser.add_argument("--models", nargs="+", default=["kaoiro-s"], help="models whose probabilities are averaged")
    arguments = parser.parse_args()
    try:
        rows = measure(arguments.corpus, arguments.models)
    except InputError as error:
        parser.error(str(error))
    table = Table("labels guessed from", "right, %", "±", "n", box=None)
    for name, right in rows.items():
        rate = right.mean()
        half_width = 1.96 * np.sqrt(rate * (1 - rate) / len(right))
        table.add_row(name, f"{100 * rate:.1f}", f"{100 * half_width:.1f}", f"{len(right):,}")
    Console(highlight=False, width=120).print(table)


def measure(corpus: Path, models: list[str]) -> dict[str, NDArray[np.bool_]]:
    """Which labels of `validation` each way guesses right; the first way leaves out faces without a majority."""
    opened = open_corpus(corpus)
    train, part = opened.select("train"), opened.select("validation")
    labels, agreed = part.label_indices(), majority(votes_of(part))
    of_seven = (agreed >= 0) & (agreed < len(SEVEN))
    raters = LogisticRegression(C=1.0, max_iter=1000).fit(told_by(train), train.label_indices())
    from_votes = raters.predict_log_proba(told_by(part))
    from_models = np.log(mean_probabilities(part, models))
    splits = StratifiedKFold(10, shuffle=True, random_state=0)
    both = cross_val_predict(
        LogisticRegression(C=1.0, max_iter=1000), np.hstack([from_models, from_votes]), labels, cv=splits
    )
    return {
        "the raters' majority, where there is one": labels[of_seven] == agreed[of_seven],
        "the raters' ten votes": labels == raters.classes_[from_votes.argmax(1)],
        " + ".join(models): labels == from_models.argmax(1),
        "both": labels == both,
    }


def votes_of(part: Corpus) -> NDArray[np.uint8]:
    """A split's votes.

    Raises:
        CorpusError: it has none.
    """
    votes = part.votes()
    if votes is None:
        raise CorpusError(f"{part.path} has no votes; import FER2013 with --ferplus")
    return votes


def told_by(part: Corpus) -> Array:
    """What is known of each face from its votes, `(n, 30)`."""
    votes = votes_of(part)
    shares = votes / np.maximum(votes.sum(1, keepdims=True), 1)
    return np.hstack([shares, np.sqrt(shares), np.eye(votes.shape[1])[votes.argmax(1)]])


def mean_probabilities(part: Corpus, models: list[str]) -> Array:
    """The models' mean, `(n, 7)`."""
    found = []
    for name in models:
        model = open_model(name)
        if HEAD not in model.metadata.heads:
            raise InputError(f"{name} has no head {HEAD!r}")
        faces = part.decode_faces(model.metadata.size, model.metadata.channels)
        found.append(head_probabilities(model, faces, [HEAD], flip_averaging=True)[HEAD])
    mean: Array = np.mean(found, axis=0)
    return mean


if __name__ == "__main__":
    main()
