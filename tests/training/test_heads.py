import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import EIGHT, SEVEN, VOTE_NAMES, Expression
from kaoiro.training.heads import DEFAULT_HEADS, HeadConfig, check_heads, head_targets

HAPPY = tuple(10 if name == "happiness" else 0 for name in VOTE_NAMES)
HALF_SURE = tuple({"fear": 3, "surprise": 4, "unknown": 3}.get(name, 0) for name in VOTE_NAMES)
SPREAD = tuple(2 if name in ("anger", "fear", "sadness", "neutral", "contempt") else 0 for name in VOTE_NAMES)
SPLIT = tuple(5 if name in ("fear", "surprise") else 0 for name in VOTE_NAMES)
NO_FACE = tuple(10 if name == "not-a-face" else 0 for name in VOTE_NAMES)


@pytest.fixture
def corpus(tmp_path):
    def make(*labels_and_votes, **columns):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
        picture = (tmp_path / "a.png").read_bytes()
        path = tmp_path / "c.parquet"
        write_corpus(
            path,
            (
                LabelledFace(picture, name="a.png", source=f"a:{i}", label=label, votes=votes, split="train")
                for i, (label, votes) in enumerate(labels_and_votes)
            ),
        )
        table = pq.read_table(path)
        for name, values in columns.items():
            table = table.append_column(name, pa.array(values))
        pq.write_table(table, path)
        return open_corpus(path)

    return make


FACE = (Expression.FEAR, None)


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


@pytest.mark.parametrize(
    ("rule", "learnt"),
    [
        (
            "shares",
            [
                {"happiness"},
                {"fear", "surprise"},
                {"fear", "surprise"},
                {"anger", "fear", "sadness", "neutral", "contempt"},
                set(),
            ],
        ),
        # Where an expression has as many votes as "unknown", it is taken; five at once are too many.
        ("authors", [{"happiness"}, {"fear", "surprise"}, {"fear", "surprise"}, set(), set()]),
        ("majority", [{"happiness"}, set(), set(), set(), set()]),
        ("clear-majority", [{"happiness"}, set(), set(), set(), set()]),
        ("plurality", [{"happiness"}, set(), {"surprise"}, set(), set()]),
    ],
)
def test_rules_for_votes(corpus, rule, learnt):
    part = corpus(*((None, votes) for votes in (HAPPY, SPLIT, HALF_SURE, SPREAD, NO_FACE)))
    targets = head_targets(part, HeadConfig(target="votes", vote_rule=rule))
    assert [{EIGHT[i] for i in row.nonzero().flatten()} for row in targets.distribution] == learnt
    assert (targets.weight > 0).tolist() == [bool(expressions) for expressions in learnt]
    assert targets.answer.tolist() == [EIGHT.index("happiness"), -1, -1, -1, -1]


def test_several_by_the_rule_of_ferplus(corpus):
    part = corpus(*((None, votes) for votes in (HAPPY, SPLIT, SPREAD, NO_FACE)))
    targets = head_targets(part, HeadConfig(target="multilabel", vote_rule="authors"))
    there = [{EIGHT[i] for i in row.nonzero().flatten()} for row in targets.distribution]
    assert there == [{"happiness"}, {"fear", "surprise"}, set(), set()]
    assert targets.weight.tolist() == [1, 1, 0, 0]


def test_a_corpus_without_votes(corpus):
    with pytest.raises(CorpusError, match=r"no votes, .*--ferplus"):
        head_targets(corpus((Expression.ANGER, None)), HeadConfig(target="votes"))


@pytest.mark.parametrize("label", [None, Expression.CONTEMPT])
def test_a_corpus_without_labels(corpus, label):
    with pytest.raises(CorpusError, match="has a label that the head knows"):
        head_targets(corpus((label, HAPPY)), HeadConfig())


def test_several_expressions_from_votes(corpus):
    part = corpus(*((None, votes) for votes in (HAPPY, SPLIT, HALF_SURE, SPREAD, NO_FACE)), FACE)
    targets = head_targets(part, HeadConfig(target="multilabel"))
    there = [{EIGHT[i] for i in row.nonzero().flatten()} for row in targets.distribution]
    # Three of ten votes are just enough; where each has two of ten, nobody has.
    assert there == [{"happiness"}, {"fear", "surprise"}, {"fear", "surprise"}, set(), set(), set()]
    assert targets.weight.tolist() == pytest.approx([1, 1, 0.7, 1, 0, 0])
    assert targets.answer.tolist() == [-1] * 6
    few = head_targets(part, HeadConfig(target="multilabel", vote_share=0.4))
    assert few.distribution[2].nonzero().flatten().tolist() == [EIGHT.index("surprise")]


def test_several_from_columns(corpus):
    part = corpus(FACE, FACE, FACE, smile=[True, None, None], frown=[0, 1, None])
    head = HeadConfig(target="multilabel", columns=("smile", "frown"))
    targets = head_targets(part, head)
    nan = np.nan
    np.testing.assert_array_equal(targets.distribution.numpy(), np.float32([[1, 0], [nan, 1], [nan, nan]]))
    assert targets.weight.tolist() == [1, 1, 0]
    assert head.outputs == ("smile", "frown")


def test_values(corpus):
    part = corpus(FACE, FACE, FACE, valence=[0.25, None, None], arousal=[-3.0, 1.5, None])
    targets = head_targets(part, HeadConfig(target="values", columns=("arousal", "valence")))
    nan = np.nan
    np.testing.assert_array_equal(targets.distribution.numpy(), np.float32([[-3, 0.25], [1.5, nan], [nan, nan]]))
    assert (targets.distribution.dtype, targets.weight.dtype) == (torch.float32, torch.float32)
    assert targets.weight.tolist() == [1, 1, 0]
    assert targets.answer.tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (HeadConfig("multilabel", columns=("valence",)), "'valence' has the value 0.5, .* learns from 0, 1 or null"),
        (
            HeadConfig("values", columns=("broken",)),
            "'broken' has the value inf, .* from finite numbers",
        ),
        (HeadConfig("values", columns=("empty",)), "no face has a value in empty"),
        (
            HeadConfig("values", columns=("dominance",)),
            "'dominance'; it has valence, broken, empty",
        ),
        (HeadConfig("multilabel"), "no votes, but a head"),
    ],
)
def test_columns_that_cannot_be_learnt(corpus, head, message):
    part = corpus(FACE, FACE, valence=[0.5, 1.0], broken=[1.0, np.inf], empty=pa.nulls(2, pa.float32()))
    with pytest.raises(CorpusError, match=message):
        head_targets(part, head)


@pytest.mark.parametrize("target", ["label", "votes", "multilabel", "values"])
def test_a_piece_of_a_corpus_of_which_nothing_is_known(corpus, target):
    head = HeadConfig(target, columns=("valence",) if target == "values" else ())
    part = corpus((None, None), (None, None), valence=pa.nulls(2, pa.float32()))
    targets = head_targets(part, head, part=True)
    assert targets.weight.tolist() == [0, 0]
    assert targets.answer.tolist() == [-1, -1]
    assert targets.distribution.shape == (2, len(head.outputs))
    with pytest.raises(CorpusError):
        head_targets(part, head)


def test_sums_of_classes(corpus):
    part = corpus(FACE, (Expression.FEAR, SPLIT), (Expression.ANGER, HALF_SURE), (None, HAPPY), smile=[1, 1, 0, None])
    labels = head_targets(part, HeadConfig()).class_weight_sums()
    assert dict(zip(SEVEN, labels.tolist(), strict=True)) == {**dict.fromkeys(SEVEN, 0), "fear": 2, "anger": 1}
    votes = head_targets(part, HeadConfig("votes")).class_weight_sums()
    expected = {**dict.fromkeys(EIGHT, 0), "fear": 0.5 + 0.3, "surprise": 0.5 + 0.4, "happiness": 1}
    assert dict(zip(EIGHT, votes.tolist(), strict=True)) == pytest.approx(expected)
    several = head_targets(part, HeadConfig("multilabel", columns=("smile",)))
    assert several.class_weight_sums().tolist() == [2]


def test_outputs():
    assert HeadConfig().outputs == tuple(map(str, SEVEN))
    assert HeadConfig("multilabel").outputs == tuple(map(str, EIGHT))
    assert HeadConfig("values", columns=("valence", "arousal")).outputs == ("valence", "arousal")
    assert [HeadConfig(target).has_classes for target in ("label", "votes", "multilabel")] == [True, True, False]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (HeadConfig("label", columns=("valence",)), "'a' learns label, so it takes no columns"),
        (HeadConfig("values"), r"learns values, but of no column; .*columns: \[valence, arousal\]"),
        (HeadConfig("values", columns=("valence", "valence")), "names the column 'valence' twice"),
        (
            HeadConfig("label", vote_rule="majority"),
            "vote_rule of the head 'a' cannot be 'majority': .* learns no votes",
        ),
        (
            HeadConfig("multilabel", columns=("b",), vote_rule="authors"),
            "cannot be 'authors': the head learns no votes",
        ),
        (
            HeadConfig("multilabel", vote_rule="majority"),
            "learns several at once, so it takes shares or authors",
        ),
        (HeadConfig("multilabel", vote_share=0), "vote_share of the head 'a' must be above 0 and at most 1, not 0"),
        (HeadConfig(weight=-1), "weight of the head 'a' must be a number of at least 0, not -1"),
        (HeadConfig(weight=float("nan")), "not nan"),
    ],
)
def test_options_that_make_no_sense(head, message):
    with pytest.raises(InputError, match=message):
        check_heads({"a": head})


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


def soft(*rows, prefix="teacher.x"):
    """Columns of soft labels, from one row of seven shares for each face."""
    return {f"{prefix}.{e}": [None if row is None else row[i] for row in rows] for i, e in enumerate(SEVEN)}


UNSURE = [0.5, 0.0, 0.25, 0.0, 0.0, 0.25, 0.0]


def test_soft_labels_are_blended_with_labels(corpus):
    part = corpus(FACE, FACE, (None, None), (None, None), **soft(UNSURE, None, UNSURE, None))
    targets = head_targets(part, HeadConfig(soft_labels="teacher.x", soft_share=0.8))
    expected = torch.tensor(UNSURE) * 0.8
    expected[2] += 0.2
    assert torch.allclose(targets.distribution[0], expected)
    assert targets.distribution[1].tolist() == [0, 0, 1, 0, 0, 0, 0]  # no soft labels: the label alone
    assert torch.allclose(targets.distribution[2], torch.tensor(UNSURE))  # no label: the soft labels alone
    assert targets.weight.tolist() == pytest.approx([1, 1, 0.8, 0])
    assert targets.answer.tolist() == [2, 2, -1, -1]


def test_blending_is_the_sum_of_both_cross_entropies(corpus):
    part = corpus((None, HALF_SURE), **{f"t.{e}": [share] for e, share in zip(EIGHT, [*UNSURE, 0.0], strict=True)})
    votes = head_targets(part, HeadConfig("votes"))
    blended = head_targets(part, HeadConfig("votes", soft_labels="t", soft_share=0.6))
    log_p = torch.log_softmax(torch.arange(8.0), dim=0)
    hard = votes.weight * (votes.distribution * log_p).sum(1)
    taught = (torch.tensor([*UNSURE, 0.0]) * log_p).sum()
    assert votes.weight.item() == pytest.approx(0.7)
    assert torch.allclose(blended.weight * (blended.distribution * log_p).sum(1), 0.4 * hard + 0.6 * taught)


def test_soft_labels_over_other_classes_are_renormalized(corpus):
    part = corpus(FACE, **soft([0.2, 0, 0.2, 0, 0, 0, 0.1]))  # a teacher whose rest is contempt
    targets = head_targets(part, HeadConfig(soft_labels="teacher.x", soft_share=1))
    assert targets.distribution[0].tolist() == pytest.approx([0.4, 0, 0.4, 0, 0, 0, 0.2])


def test_soft_labels_of_other_classes_alone_say_nothing(corpus):
    targets = head_targets(corpus(FACE, **soft([0.0] * 7)), HeadConfig(soft_labels="teacher.x"))
    assert targets.distribution[0].tolist() == [0, 0, 1, 0, 0, 0, 0]
    assert targets.weight.tolist() == [1]


def test_missing_soft_labels(corpus):
    with pytest.raises(CorpusError, match=r"no soft labels 'other.anger'; `kaoiro data soft-labels` writes"):
        head_targets(corpus(FACE, **soft(UNSURE)), HeadConfig(soft_labels="other"))


@pytest.mark.parametrize("row", [[-0.1, 0.5, 0.6, 0, 0, 0, 0], [float("inf"), 0, 0, 0, 0, 0, 0]])
def test_soft_labels_that_are_no_probabilities(corpus, row):
    with pytest.raises(CorpusError, match=r"the soft labels 'teacher.x' of a:1 are no probabilities"):
        head_targets(corpus(FACE, FACE, **soft(UNSURE, row)), HeadConfig(soft_labels="teacher.x"))


def test_soft_labels_of_other_heads():
    with pytest.raises(InputError, match="'a' learns values, so it takes no soft labels"):
        check_heads({"a": HeadConfig("values", columns=("valence",), soft_labels="teacher.a")})
    with pytest.raises(InputError, match=r"soft_share of the head 'a' must lie between 0 and 1, not 1.5"):
        check_heads({"a": HeadConfig(soft_labels="teacher.a", soft_share=1.5)})
