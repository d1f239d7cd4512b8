"""Synthetic faces: a corpus that costs nothing, for tests and for teaching.

They are drawings, not photographs: a model trained on them learns nothing about people, but every step
from corpus to model file can be run and checked on them in minutes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.pictures import encode_png
from kaoiro.corpus.synthetic_face import render_face
from kaoiro.errors import InputError
from kaoiro.expressions import EIGHT, SEVEN, VOTE_NAMES, Expression

__all__ = ["render_face", "synthetic_faces", "synthetic_votes", "write_synthetic_corpus"]

RATERS: Final = 10

# What raters take a face for when they do not see what is meant, relative to 1 for every other expression;
# nobody takes these drawings for something that is not a face.
_UNKNOWN_WEIGHT: Final = 0.3
_CONFUSIONS: Final = {
    (Expression.ANGER, Expression.DISGUST): 5.0,
    (Expression.FEAR, Expression.SURPRISE): 6.0,
    (Expression.SADNESS, Expression.NEUTRAL): 4.0,
    (Expression.SADNESS, Expression.FEAR): 2.0,
    (Expression.HAPPINESS, Expression.NEUTRAL): 3.0,
    (Expression.CONTEMPT, Expression.NEUTRAL): 4.0,
    (Expression.CONTEMPT, Expression.DISGUST): 2.0,
}


def synthetic_faces(
    count: int, seed: int | Sequence[int], expressions: Sequence[Expression] = SEVEN, size: int = 48
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw faces of random people, each expression as often as the others (or once more), in random order.

    Args:
        count: number of faces, at least 0.
        seed: a number or several; equal seeds give equal faces.
        expressions: what the faces show.
        size: side of the pictures in pixels.

    Returns:
        The faces, `uint8 (count, size, size)` grey, and their labels, `int64 (count,)`: the place of each
        face's expression in the order of `Expression`, whatever the order of `expressions`.

    Raises:
        InputError: `count` is negative, there are no expressions, or `size` is below 16.
    """
    if count < 0:
        raise InputError(f"the number of synthetic faces cannot be {count!r}")
    if not expressions:
        raise InputError("synthetic faces need at least one expression to show")
    rng = np.random.default_rng(seed)
    classes = np.array([EIGHT.index(expression) for expression in expressions], np.int64)
    labels = rng.permutation(classes[np.arange(count) % len(classes)])
    faces = np.empty((count, size, size), np.uint8)
    for row, label in enumerate(labels):
        faces[row] = render_face(EIGHT[label], rng, size)
    return faces, labels


def synthetic_votes(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw what ten raters would say of each face: mostly its label, else what is easily taken for it.

    Args:
        labels: `int64 (n,)`, places in the order of `Expression`.
        rng: where the chances come from.

    Returns:
        `uint8 (n, 10)` in the order of `VOTE_NAMES`; each row sums to 10.

    Raises:
        InputError: a label is not in `[0, 7]`.
    """
    stray = labels[(labels < 0) | (labels >= len(EIGHT))]
    if len(stray):
        raise InputError(f"labels must lie in [0, {len(EIGHT) - 1}], not {int(stray[0])}")
    agreement = rng.uniform(0.55, 1.0, (len(labels), 1))
    chances = (1 - agreement) * _other_choices()[labels]
    chances[np.arange(len(labels)), labels] = agreement[:, 0]
    return rng.multinomial(RATERS, chances).astype(np.uint8)


def write_synthetic_corpus(
    path: Path | str,
    train: int = 700,
    validation: int = 140,
    test: int = 140,
    seed: int = 0,
    expressions: Sequence[Expression] = SEVEN,
) -> int:
    """Write a corpus of synthetic faces with labels, votes and splits, as 48×48 PNG pictures.

    Args:
        path: the Parquet file to write; it appears only when it is complete.
        train: number of faces in the split of that name; so too `validation` and `test`.
        seed: equal seeds give equal corpora.
        expressions: what the faces show.

    Returns:
        The number of faces written.

    Raises:
        InputError: a number is negative, or there are no expressions.
        CorpusError: there are no faces at all, or the file cannot be written.
    """
    # pyarrow is of use only here, and drawing faces should not need it.
    from kaoiro.corpus.store import write_corpus

    counts = {"train": train, "validation": validation, "test": test}
    for split, count in counts.items():
        if count < 0:
            raise InputError(f"the number of synthetic faces in {split} cannot be {count!r}")
    return write_corpus(Path(path), _labelled_faces(counts, seed, expressions))


def _labelled_faces(counts: dict[str, int], seed: int, expressions: Sequence[Expression]) -> Iterator[LabelledFace]:
    number = 0
    # Each split has its own stream of chances: more training faces leave the test faces as they were.
    for stream, (split, count) in enumerate(counts.items(), start=1):
        faces, labels = synthetic_faces(count, (seed, stream), expressions)
        votes = synthetic_votes(labels, np.random.default_rng((seed, stream, 1)))
        for face, label, ballot in zip(faces, labels, votes, strict=True):
            yield LabelledFace(
                image_bytes=encode_png(face),
                name=f"synthetic{number:06d}.png",
                source=f"synthetic:{number}",
                label=EIGHT[label],
                votes=tuple(ballot.tolist()),
                split=split,
            )
            number += 1


def _other_choices() -> NDArray[np.float64]:
    """What is voted for in place of the label: `float64 (8, 10)`, each row sums to 1, zero at the label."""
    weights: NDArray[np.float64] = np.zeros((len(EIGHT), len(VOTE_NAMES)))
    weights[:, : len(EIGHT)] = 1
    weights[:, VOTE_NAMES.index("unknown")] = _UNKNOWN_WEIGHT
    for (one, other), weight in _CONFUSIONS.items():
        a, b = EIGHT.index(one), EIGHT.index(other)
        weights[a, b] = weights[b, a] = weight
    np.fill_diagonal(weights, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
