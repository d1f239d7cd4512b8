from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.corpus.closed_groups import closed_groups, connected
from kaoiro.corpus.schema import SCHEMA
from kaoiro.corpus.store import Corpus
from kaoiro.errors import CorpusError


def corpus_of(groups, pictures, labels=None, splits=None):
    """A corpus of which only some columns are known."""
    known = {"group": groups, "sha256": pictures, "label": labels, "split": splits}
    columns = [
        pa.array(known[field.name], field.type)
        if known.get(field.name) is not None
        else pa.nulls(len(groups), field.type)
        for field in SCHEMA
    ]
    return Corpus("c.parquet", pa.table(columns, schema=SCHEMA))


def pairs_of(*pairs):
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    return SimpleNamespace(first=first, second=second)


@given(st.integers(1, 30), st.data())
def test_connected_finds_what_a_search_finds(faces, data):
    number = st.integers(0, faces - 1)
    pairs = data.draw(st.lists(st.tuples(number, number), max_size=40))
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    found = connected(faces, first, second)
    neighbours = {n: {n} for n in range(faces)}
    for one, other in pairs:
        neighbours[one].add(other)
        neighbours[other].add(one)
    for n in range(faces):
        reached, waiting = {n}, [n]
        while waiting:
            new = neighbours[waiting.pop()] - reached
            reached |= new
            waiting += new
        assert found[n] == min(reached)


def test_groups_copies_and_near_duplicates_tie_faces():
    corpus = corpus_of(["a", None, "b", "a", None, None, None], ["p", "q", "q", "r", "s", "t", "u"])
    assert closed_groups(corpus).tolist() == [0, 1, 1, 0, 4, 5, 6]
    assert closed_groups(corpus, pairs_of((0, 1), (4, 6))).tolist() == [0, 0, 0, 0, 4, 5, 4]
    assert closed_groups(corpus, pairs_of()).tolist() == [0, 1, 1, 0, 4, 5, 6]


def test_a_face_without_its_hash():
    with pytest.raises(CorpusError, match="has a face without its sha256; import the corpus again"):
        closed_groups(corpus_of([None, None], ["p", None]))
