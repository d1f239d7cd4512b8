import numpy as np
import pytest

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.row_groups import open_row_groups
from kaoiro.corpus.store import write_corpus
from kaoiro.corpus.summary import summarise
from kaoiro.expressions import Expression

HAPPY, SAD = Expression.HAPPINESS, Expression.SADNESS
ROWS = [(SAD, "test"), (HAPPY, "train"), (HAPPY, "train"), (None, "train"), (HAPPY, "test"), (SAD, None)]


@pytest.fixture
def summary(tmp_path, monkeypatch):
    """Of six faces in row groups of four."""
    votes = [None, (1,) * 8 + (0, 0), None, (0,) * 10, (5, 5) + (0,) * 8, (10,) + (0,) * 9]
    groups = ["a", "b", None, "a", None, "a"]
    numbers = [{"valence": 0.5}, {}, {"valence": -1.0}, {}, {}, {"valence": 0.25}]
    faces = [
        LabelledFace(b".", "a", "b", label, vote, split, group, number)
        for (label, split), vote, group, number in zip(ROWS, votes, groups, numbers, strict=True)
    ]
    monkeypatch.setattr("kaoiro.corpus.store._ROW_GROUP_ROWS", 4)
    write_corpus(tmp_path / "c.parquet", faces, ["valence"])
    return summarise(open_row_groups(tmp_path / "c.parquet"))


def test_counts(summary):
    counts = summary.counts()
    assert counts.labels == ("happiness", "sadness", None)
    assert counts.splits == ("train", "test", None)
    assert counts.faces == {pair: ROWS.count(pair) for pair in ROWS}
    assert [counts.of_label(label) for label in counts.labels] == [3, 2, 1]
    assert [counts.of_split(split) for split in counts.splits] == [3, 2, 1]
    assert counts.total() == len(summary) == 6


def test_rows(summary):
    for pair in ROWS:
        assert summary.rows_of(*pair).tolist() == [row for row, other in enumerate(ROWS) if other == pair]


def test_votes_groups_and_columns(summary):
    # Eight choices with one vote each are three bits, two with half of the votes one.
    assert np.array_equal(summary.vote_entropy, [np.nan, 3, np.nan, np.nan, 1, 0], equal_nan=True)
    assert summary.with_votes == 3
    assert summary.group_sizes.tolist() == [3, 1]
    assert summary.columns["valence"].tolist() == [0.5, -1, 0.25]
