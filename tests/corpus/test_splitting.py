from collections import Counter
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.pictures import encode_png
from kaoiro.corpus.schema import SCHEMA, SPLITS
from kaoiro.corpus.splitting import Wish, divide, parse_ratios, split_corpus
from kaoiro.corpus.store import Corpus, open_corpus, write_corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import Expression

EIGHTY = (Fraction(8, 10), Fraction(1, 10), Fraction(1, 10))


def corpus_of(labels, splits=None, votes=None):
    """A corpus of faces without pictures, each another."""
    known = {"label": labels, "split": splits, "votes": votes, "sha256": [f"{n:04}" for n in range(len(labels))]}
    columns = [
        pa.nulls(len(labels), field.type) if known.get(field.name) is None else pa.array(known[field.name], field.type)
        for field in SCHEMA
    ]
    return Corpus("c.parquet", pa.table(columns, schema=SCHEMA))


def alone(corpus):
    return np.arange(len(corpus))


@st.composite
def corpora(draw):
    number = draw(st.integers(1, 40))
    some = st.sampled_from(["anger", "fear", None])
    splits = draw(st.lists(st.sampled_from([*SPLITS, None]), min_size=number, max_size=number))
    labels = draw(st.lists(some, min_size=number, max_size=number))
    groups = draw(st.lists(st.integers(0, number - 1), min_size=number, max_size=number))
    return corpus_of(labels, splits), np.array(groups)


wishes = st.builds(
    Wish,
    ratios=st.sampled_from([EIGHTY, (Fraction(1, 2), Fraction(0), Fraction(1, 2)), None]),
    folds=st.sampled_from([None, 2, 3]),
    seed=st.integers(0, 3),
    anew=st.booleans(),
    drop_leaks=st.booleans(),
)


@given(corpora(), wishes)
def test_what_holds_of_every_division(corpus_and_groups, wish):
    corpus, groups = corpus_and_groups
    try:
        division = divide(corpus, groups, wish)
    except CorpusError as error:
        assert "no face for training" in str(error)
        return
    except InputError as error:
        assert f"{wish.folds} folds need as many groups" in str(error)
        return
    own = corpus.table["split"].to_pylist()
    named = [SPLITS[split] for split in division.splits]
    if not wish.anew:
        assert all(now == before for now, before in zip(named, own, strict=True) if before in ("validation", "test"))
    if wish.anew or wish.drop_leaks:
        for group in set(groups.tolist()):
            assert len(set(division.splits[(groups == group) & division.keep].tolist())) <= 1
    assert wish.drop_leaks or division.keep.all()
    assert int((~division.keep).sum()) == sum(division.leaks.values()) * wish.drop_leaks
    assert division.split_balance.faces.sum() == division.keep.sum()
    if wish.folds is not None:
        assert np.array_equal(division.folds >= 0, division.keep & (division.splits == 0))
        assert set(division.folds[division.folds >= 0].tolist()) == set(range(wish.folds))
        for group in set(groups.tolist()):
            assert len(set(division.folds[groups == group].tolist()) - {-1}) <= 1


def test_each_class_comes_in_the_ratios():
    labels = ["happiness"] * 500 + ["disgust"] * 20
    division = divide(corpus_of(labels), np.arange(520), Wish(folds=4))
    assert division.split_balance.parts == SPLITS
    assert division.split_balance.classes == ("disgust", "happiness")
    assert division.split_balance.faces.tolist() == [[16, 400], [2, 50], [2, 50]]
    assert division.split_balance.points_off("disgust") == [0, 0, 0]
    assert division.fold_balance.faces.tolist() == [[4, 100]] * 4


def test_balance_in_shares_and_points():
    groups = np.array([0] * 6 + list(range(6, 10)))
    division = divide(corpus_of(["fear"] * 10), groups, Wish((Fraction(1, 2), Fraction(1, 2), Fraction(0))))
    assert division.split_balance.parts == ("train", "validation")
    assert division.split_balance.row("fear").tolist() == [6, 4]
    assert division.split_balance.shares() == [Fraction(6, 10), Fraction(4, 10)]
    assert division.split_balance.points_off() == [10, -10]
    assert (division.groups, division.largest_group) == (1, 6)


def test_votes_stand_for_a_label_that_is_missing():
    def votes(expression, number):
        return [number if one is expression else 0 for one in [*Expression, "unknown", "not-a-face"]]

    corpus = corpus_of(
        [None] * 40 + ["anger"] * 10,
        votes=[votes(Expression.FEAR, 9)] * 10 + [[0] * 10] * 20 + [None] * 10 + [votes(Expression.FEAR, 9)] * 10,
    )
    balance = divide(corpus, alone(corpus), Wish()).split_balance
    assert balance.classes == ("anger", "fear", "no label")
    assert balance.faces.tolist() == [[8, 8, 24], [1, 1, 3], [1, 1, 3]]


@pytest.mark.parametrize(
    ("own", "counts"),
    [
        # Validation comes out of train: 0.1 / 0.9 of its 90 faces.
        ({"train": 90, "test": 30}, {"train": 80, "validation": 10, "test": 30}),
        ({"train": 90, "validation": 30}, {"train": 80, "validation": 30, "test": 10}),
        ({"train": 80, "validation": 10, "test": 5}, {"train": 80, "validation": 10, "test": 5}),
        ({None: 100}, {"train": 80, "validation": 10, "test": 10}),
        ({"train": 100}, {"train": 80, "validation": 10, "test": 10}),
        ({None: 45, "train": 45, "test": 5}, {"train": 80, "validation": 10, "test": 5}),
    ],
)
def test_the_corpus_keeps_its_own_splits(own, counts):
    corpus = corpus_of(["fear"] * sum(own.values()), [split for split, n in own.items() for _ in range(n)])
    division = divide(corpus, alone(corpus), Wish())
    assert Counter(SPLITS[split] for split in division.splits) == counts
    kept = {"validation", "test"} & set(own)
    assert set(division.own_splits) == kept
    for part, ratio in zip(division.split_balance.parts, division.split_balance.ratios, strict=True):
        assert (ratio is None) == (part in kept or len(kept) == 2)
    # Anew, all faces are divided.
    faces = sum(own.values())
    anew = divide(corpus, alone(corpus), Wish((Fraction(3, 5), Fraction(1, 5), Fraction(1, 5)), anew=True))
    assert np.bincount(anew.splits).tolist() == [faces * 3 // 5, faces // 5, faces // 5]


def test_only_folds():
    corpus = corpus_of(["fear"] * 12, ["train"] * 6 + [None] * 2 + ["test"] * 4)
    division = divide(corpus, alone(corpus), Wish(ratios=None, folds=4))
    assert division.splits.tolist() == [0] * 8 + [2] * 4
    assert sorted(division.folds.tolist()) == [-1] * 4 + [0, 0, 1, 1, 2, 2, 3, 3]


def test_leaks():
    splits = ["train", "train", "validation", "train", "validation", "test", "test", "train", None]
    corpus = corpus_of(["fear"] * 9, splits)
    groups = np.array([0, 1, 1, 3, 3, 3, 6, 6, 6])
    division = divide(corpus, groups, Wish())
    assert division.leaks == {("train", "validation"): 1, ("train", "test"): 3, ("validation", "test"): 1}
    assert [SPLITS[split] for split in division.splits] == [split or "train" for split in splits]
    assert division.keep.all()
    dropped = divide(corpus, groups, Wish(drop_leaks=True))
    assert dropped.keep.tolist() == [True, False, True, False, False, True, True, False, False]
    assert dropped.leaks == division.leaks
    assert divide(corpus, groups, Wish(anew=True)).leaks == {}


def test_leaks_stay_in_train_and_count_there():
    corpus = corpus_of(["fear"] * 101, ["train"] * 100 + ["test"])
    groups = np.array([100] * 50 + list(range(50, 100)) + [100])
    division = divide(corpus, groups, Wish((Fraction(8, 10), Fraction(2, 10), Fraction(0))))
    assert np.bincount(division.splits).tolist() == [80, 20, 1]
    assert not division.splits[:50].any()


def test_nothing_to_divide():
    corpus = corpus_of(["fear"] * 2, ["test", "validation"])
    with pytest.raises(CorpusError, match="no face for training that could be divided; --anew divides those"):
        divide(corpus, alone(corpus), Wish())
    with pytest.raises(InputError, match="3 folds need as many groups of training faces, and there are 2; give fewer"):
        divide(corpus, alone(corpus), Wish(anew=True, ratios=None, folds=3))


@pytest.mark.parametrize(
    ("texts", "ratios"),
    [
        (["0.8", "0.1", "0.1"], EIGHTY),
        (["0.8", "0.2"], (Fraction(4, 5), Fraction(1, 5), Fraction(0))),
        (["2/3", "1/3"], (Fraction(2, 3), Fraction(1, 3), Fraction(0))),
    ],
)
def test_ratios_are_read_exactly(texts, ratios):
    assert parse_ratios(texts) == ratios
    assert Wish(parse_ratios(texts)).ratios == ratios


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        (["1"], r"shares of train, validation and test, or the first two, not 1 \(1\); for example --ratios 0.8"),
        (["1"] * 4, r"not 4 \(1 1 1 1\)"),
        (["0.8", "some"], r"--ratios 0.8 some: these are not all numbers, such as 0.8 or 2/3"),
        (["0.8", "1/0"], r"not all numbers"),
        (["0.8", "nan"], r"not all numbers"),
        (["0.8", "0.1"], r"the ratios 0.8 0.1 0.0 must sum to 1, not to 0.9"),
        (["1.2", "-0.2"], r"the ratios 1.2 -0.2 0.0 are shares; none of them can be below 0"),
        (["0", "0.5", "0.5"], r"leave nothing to train on; the first one is that of train"),
    ],
)
def test_ratios_that_cannot_be(texts, line):
    with pytest.raises(InputError, match=line):
        Wish(parse_ratios(texts))


def test_too_few_folds():
    with pytest.raises(InputError, match="1 folds are too few to validate on one and train on others; give 2 or more"):
        Wish(folds=1)


@pytest.fixture
def noisy(tmp_path):
    """30 pictures of noise, each also a little brighter; two of them of one film; one is a copy."""
    pictures = np.random.default_rng(0).integers(20, 200, (30, 48, 48), np.uint8)
    encoded = [encode_png(picture + brighter) for picture in pictures for brighter in (0, 9)]
    encoded.append(encoded[0])
    faces = [
        LabelledFace(
            picture,
            "a.png",
            f"x:{row}",
            Expression.FEAR,
            group="film" if row in (20, 30) else None,
            numbers={"fold": 3.0, "valence": row / 7},
        )
        for row, picture in enumerate(encoded)
    ]
    write_corpus(tmp_path / "c.parquet", faces, ["fold", "valence"])
    return tmp_path / "c.parquet"


def test_a_corpus_on_disk(noisy, tmp_path):
    progress = []
    halves = Wish((Fraction(1, 2), Fraction(1, 2), Fraction(0)))
    division = split_corpus(noisy, tmp_path / "new.parquet", halves, on_progress=progress.append)
    assert progress == sorted(progress)
    assert progress[-1] == 1
    before, after = open_corpus(noisy), open_corpus(tmp_path / "new.parquet")
    splits = after.table["split"].to_pylist()
    assert [SPLITS[split] for split in division.splits] == splits
    assert splits[0:60:2] == splits[1:60:2]
    assert splits[0] == splits[60]
    assert splits[20] == splits[30]
    assert (division.groups, division.largest_group) == (29, 4)
    for name in ("image", "label", "sha256", "group", "source", "valence"):
        assert after.table[name].equals(before.table[name])
    # Its own folds were of another division.
    assert after.table["fold"].null_count == 61


def test_the_order_of_the_rows_plays_no_role(noisy, tmp_path):
    table = pq.read_table(noisy)
    order = np.random.default_rng(1).permutation(61)
    pq.write_table(table.take(order), tmp_path / "shuffled.parquet", row_group_size=20)
    split_corpus(noisy, tmp_path / "one.parquet", Wish(folds=3))
    split_corpus(tmp_path / "shuffled.parquet", tmp_path / "other.parquet", Wish(folds=3))
    one, other = (open_corpus(tmp_path / f"{name}.parquet").table for name in ("one", "other"))
    for name in ("split", "fold"):
        assert one[name].take(order).to_pylist() == other[name].to_pylist()


def test_without_near_duplicates(noisy, tmp_path):
    division = split_corpus(noisy, tmp_path / "new.parquet", Wish(folds=2, ratios=None), near_duplicates=False)
    assert (division.groups, division.largest_group) == (2, 2)
    table = open_corpus(tmp_path / "new.parquet").table
    assert table["split"].to_pylist() == ["train"] * 61
    assert table.schema.field("fold").type == pa.int32()
    assert Counter(table["fold"].to_pylist()) == {0: 31, 1: 30}


def test_the_corpus_itself_is_never_overwritten(noisy, tmp_path):
    content = noisy.read_bytes()
    with pytest.raises(CorpusError, match="is to be read, and would be overwritten; give another file"):
        split_corpus(noisy, noisy, Wish())
    with pytest.raises(InputError, match="cannot write"):
        split_corpus(noisy, tmp_path, Wish())
    assert noisy.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["c.parquet"]
