import numpy as np
import pytest
from PIL import Image

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import EIGHT, SEVEN, VOTE_NAMES, Expression
from kaoiro.training.heads import DEFAULT_HEADS, HeadConfig, check_heads, head_targets

HAPPY = tuple(10 if name == "happiness" else 0 for name in VOTE_NAMES)
SPLIT = tuple(5 if name in ("fear", "surprise") else 0 for name in VOTE_NAMES)
NO_FACE = tuple(10 if name == "not-a-face" else 0 for name in VOTE_NAMES)


@pytest.fixture
def corpus(tmp_path):
    def make(*labels_and_votes):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
        picture = (tmp_path / "a.png").read_bytes()
        write_corpus(
            tmp_path / "c.parquet",
            (
                LabelledFace(picture, name="a.png", source=f"a:{i}", label=label, votes=votes, split="train")
                for i, (label, votes) in enumerate(labels_and_votes)
            ),
        )
        return open_corpus(tmp_path / "c.parquet")

    return make


def test_labels(corpus):
    part = corpus((Expression.FEAR, None), (None, HAPPY), (Expression.CONTEMPT, None), (Expression.ANGER, HAPPY))
    targets = head_targets(part, HeadConfig())
    assert targets.answer.tolist() == [2, -1, -1, 0]  # contempt is none of the seven
    assert targets.weight.tolist() == [1, 0, 0, 1]
    expected = np.zeros((4, 7))
    expected[0, 2] = expected[3, 0] = 1
    assert targets.distribution.tolist() == expected.tolist()


def test_labels_with_contempt(corpus):
    part = corpus((Expression.CONTEMPT, None), (Expression.NEUTRAL, None))
    targets = head_targets(part, HeadConfig(contempt=True))
    assert targets.answer.tolist() == [EIGHT.index("contempt"), EIGHT.index("neutral")]
    assert targets.distribution.shape == (2, 8)


def test_votes(corpus):
    part = corpus((None, HAPPY), (Expression.ANGER, SPLIT), (Expression.ANGER, None), (None, NO_FACE))
    targets = head_targets(part, HeadConfig(target="votes"))
    assert targets.answer.tolist() == [EIGHT.index("happiness"), -1, -1, -1]
    assert targets.weight.tolist() == [1, 1, 0, 0]
    assert targets.distribution[0, EIGHT.index("happiness")] == 1
    assert targets.distribution[1, EIGHT.index("fear")] == targets.distribution[1, EIGHT.index("surprise")] == 0.5
    assert not targets.distribution[2:].any()


def test_a_corpus_without_votes(corpus):
    with pytest.raises(CorpusError, match=r"no votes, .*--ferplus"):
        head_targets(corpus((Expression.ANGER, None)), HeadConfig(target="votes"))


@pytest.mark.parametrize("label", [None, Expression.CONTEMPT])
def test_a_corpus_without_labels(corpus, label):
    with pytest.raises(CorpusError, match="has a label that the head knows"):
        head_targets(corpus((label, HAPPY)), HeadConfig())


def test_classes():
    assert HeadConfig().classes == SEVEN
    assert HeadConfig(contempt=True).classes == EIGHT
    assert HeadConfig(target="votes").classes == EIGHT


def test_names_of_heads():
    check_heads(DEFAULT_HEADS)
    check_heads({"fer2013-plus_8": HeadConfig()})
    with pytest.raises(InputError, match="no heads"):
        check_heads({})
    for name in ("a.b", "a b", ""):
        with pytest.raises(InputError, match="may only have letters"):
            check_heads({name: HeadConfig()})
    for name in ("faces", "keys", "type"):  # the model's input, and what torch's container of heads has
        with pytest.raises(InputError, match="cannot have the name"):
            check_heads({name: HeadConfig()})
