from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.rewriting import rewrite_corpus
from kaoiro.corpus.schema import SCHEMA
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.errors import CorpusError
from kaoiro.expressions import EIGHT

FACES = [
    LabelledFace(
        f"picture {number}".encode(), f"{number}.png", f"x:{number}", EIGHT[number % 8], None, "train", f"g{number}"
    )
    for number in range(10)
]


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr("kaoiro.corpus.store._ROW_GROUP_ROWS", 3)
    faces = [replace(face, numbers={"valence": number / 10}) for number, face in enumerate(FACES)]
    write_corpus(tmp_path / "source.parquet", faces, numbers=("valence",))
    return tmp_path / "source.parquet"


def test_nothing_changed_gives_the_same_rows(source, tmp_path):
    assert rewrite_corpus(source, tmp_path / "out.parquet") == 10
    assert open_corpus(tmp_path / "out.parquet").table.equals(open_corpus(source).table)


def test_faces_left_out_over_several_row_groups(source, tmp_path):
    keep = np.arange(10) % 4 != 1
    keep[3:6] = False  # a whole row group
    before = source.read_bytes()
    told = []
    assert rewrite_corpus(source, tmp_path / "out.parquet", keep=keep, on_progress=told.append) == keep.sum()
    assert open_corpus(tmp_path / "out.parquet").table.equals(open_corpus(source).table.filter(pa.array(keep)))
    assert source.read_bytes() == before
    assert told == sorted(told)
    assert told[-1] == 1


def test_the_first_row_group_may_go_whole(source, tmp_path):
    rewrite_corpus(source, tmp_path / "out.parquet", keep=np.arange(10) >= 3)
    assert open_corpus(tmp_path / "out.parquet").sources() == [f"x:{number}" for number in range(3, 10)]


def test_columns_replaced_and_added(source, tmp_path):
    splits = pa.array(["test", None] * 5)
    folds = pa.array(range(10), pa.int8())
    rewrite_corpus(source, tmp_path / "out.parquet", columns={"split": splits, "fold": folds})
    corpus = open_corpus(tmp_path / "out.parquet")
    assert corpus.table["split"].to_pylist() == splits.to_pylist()
    assert corpus.extra_columns() == ("valence", "fold")
    assert corpus.column("fold").tolist() == list(range(10))
    assert corpus.column("valence")[3] == np.float32(0.3)
    assert corpus.groups() == [f"g{number}" for number in range(10)]


def test_an_older_corpus_becomes_one_of_today(source, tmp_path):
    note = pq.read_schema(source).metadata[b"kaoiro.corpus"]
    old = {b"kaoiro.corpus": note.replace(b'"version": 2', b'"version": 1')}
    pq.write_table(pq.read_table(source).drop_columns("group").replace_schema_metadata(old), source)
    rewrite_corpus(source, tmp_path / "out.parquet")
    schema = pq.read_schema(tmp_path / "out.parquet")
    assert schema.names == [*SCHEMA.names, "valence"]
    assert b'"version": 2' in schema.metadata[b"kaoiro.corpus"]


def test_the_source_is_not_overwritten(source, tmp_path):
    (tmp_path / "link.parquet").symlink_to(source)
    for target in (source, tmp_path / "link.parquet"):
        with pytest.raises(CorpusError, match="is to be read, and would be overwritten"):
            rewrite_corpus(source, target)


def test_nothing_left(source, tmp_path):
    with pytest.raises(CorpusError, match="there are no faces to write"):
        rewrite_corpus(source, tmp_path / "out.parquet", keep=np.zeros(10, np.bool_))
    assert list(tmp_path.iterdir()) == [source]
