"""A stored corpus opened with others' tools."""

import numpy as np
import pytest
from PIL import Image

from kaoiro.corpus.store import open_corpus


@pytest.fixture
def corpus(drawn_corpus):
    return open_corpus(drawn_corpus)


def test_hugging_face_datasets(drawn_corpus, corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    loaded = datasets.load_dataset("parquet", data_files=str(drawn_corpus), cache_dir=str(tmp_path), split="train")
    assert loaded.column_names == corpus.table.column_names
    assert loaded["label"][:] == corpus.labels()
    assert loaded["split"][:] == corpus.table["split"].to_pylist()
    assert np.array_equal(loaded["votes"][:], corpus.votes())
    picture = loaded[7]["image"]
    assert isinstance(picture, Image.Image)
    assert np.array_equal(np.asarray(picture.convert("L")), corpus.decode_faces(picture.width, 1)[7, 0])


def test_polars(drawn_corpus, corpus):
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(drawn_corpus)
    assert frame["label"].to_list() == corpus.labels()
    assert frame["votes"].to_list() == corpus.votes().tolist()
    pictures = frame["image"].struct.field("bytes").to_list()
    assert pictures == [row["bytes"] for row in corpus.table["image"].to_pylist()]


def test_duckdb(drawn_corpus, corpus):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        query = "select label, image.path, octet_length(image.bytes), votes from read_parquet(?)"
        rows = connection.execute(query, [str(drawn_corpus)]).fetchall()
    table = corpus.table.to_pylist()
    expected = [(row["label"], row["image"]["path"], len(row["image"]["bytes"]), row["votes"]) for row in table]
    assert rows == expected
