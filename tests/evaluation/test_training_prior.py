import io

import numpy as np
import pytest
from PIL import Image

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.evaluation.training_prior import training_prior
from kaoiro.expressions import EIGHT, SEVEN, VOTE_NAMES, Expression
from kaoiro.recognition.metadata import Head
from kaoiro.training.heads import HeadConfig
from kaoiro.training.loading.data import FaceData

LABELS, VOTES = Head(SEVEN, 1.0), Head(EIGHT, 1.0, "votes")


@pytest.fixture
def stored(tmp_path):
    """Write faces as a corpus: `(label, votes by name, split)` each."""

    def store(*rows):
        def faces():
            for number, (label, votes, split) in enumerate(rows):
                buffer = io.BytesIO()
                Image.fromarray(np.arange(number, 64 + number, dtype=np.uint8).reshape(8, 8)).save(buffer, "PNG")
                counts = None if votes is None else tuple(votes.get(name, 0) for name in VOTE_NAMES)
                yield LabelledFace(buffer.getvalue(), f"{number}.png", f"row:{number}", label, counts, split)

        write_corpus(tmp_path / "c.parquet", faces())
        return open_corpus(tmp_path / "c.parquet")

    return store


def named(prior):
    return {str(one): share for one, share in zip(EIGHT, prior, strict=False) if share}


def test_known_frequencies(stored):
    corpus = stored(
        (Expression.ANGER, {"anger": 10}, "train"),
        (Expression.ANGER, {"anger": 4, "fear": 4, "unknown": 2}, "train"),  # weighs 0.8
        (Expression.FEAR, {"contempt": 9, "happiness": 1}, "train"),  # the single vote is dropped
        (Expression.SADNESS, {"not-a-face": 6, "sadness": 4}, "train"),  # no face to train on
        (None, {"unknown": 10}, "train"),
        (Expression.SURPRISE, {"surprise": 10}, "validation"),
        (Expression.CONTEMPT, {"surprise": 10}, "test"),
    )
    assert named(training_prior(corpus, LABELS)) == pytest.approx({"anger": 2 / 3, "fear": 1 / 3})
    assert named(training_prior(corpus, VOTES)) == pytest.approx(
        {"anger": 1.4 / 2.8, "fear": 0.4 / 2.8, "contempt": 1 / 2.8}
    )


def test_contempt_counts_where_the_head_knows_it(stored):
    corpus = stored((Expression.ANGER, None, "train"), (Expression.CONTEMPT, None, "train"))
    assert training_prior(corpus, LABELS) == (1, 0, 0, 0, 0, 0, 0)
    assert training_prior(corpus, Head(EIGHT, 1.0)) == (0.5, 0, 0, 0, 0, 0, 0, 0.5)


@pytest.mark.parametrize("head", [LABELS, VOTES])
def test_where_nothing_is_known(stored, head):
    assert training_prior(stored((Expression.FEAR, {"fear": 10}, "test")), head) is None
    assert training_prior(stored((None, {"unknown": 10}, "train")), head) is None


def test_votes_that_nobody_cast(stored):
    assert training_prior(stored((Expression.FEAR, None, "train")), VOTES) is None


def test_what_training_goes_by(drawn_corpus):
    heads = {"a": HeadConfig(), "b": HeadConfig(target="votes")}
    data = FaceData(drawn_corpus, size=8, heads=heads)
    data.setup("fit")
    corpus = open_corpus(drawn_corpus)
    for name, head in (("a", LABELS), ("b", VOTES)):
        sums = data.class_weight_sums[name].numpy()
        assert training_prior(corpus, head) == pytest.approx(tuple(sums / sums.sum()))
