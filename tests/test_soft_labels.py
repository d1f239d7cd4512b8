import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tiny_model
from kaoiro.corpus.store import open_corpus
from kaoiro.corpus.synthetic import write_synthetic_corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import EIGHT, SEVEN
from kaoiro.soft_labels import VIEWS, heads_of, read_answers, teach, write_answers, write_taught_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("soft") / "drawn.parquet"
    write_synthetic_corpus(path, 40, validation=6, test=6, seed=3)
    return path


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return tiny_model.write_tiny_model(tmp_path_factory.mktemp("teacher") / "tiny.onnx")


@pytest.fixture(scope="module")
def columns(corpus, teacher):
    return teach(corpus, [teacher])


def expected_of(face, head):
    return (tiny_model.probabilities(face, head) + tiny_model.probabilities(face[:, ::-1], head)) / 2


def test_both_readings_are_averaged(corpus, columns):
    stored = open_corpus(corpus)
    faces = stored.decode_faces(8, 1)[:, 0]
    in_train = np.array([split == "train" for split in stored.table["split"].to_pylist()])
    assert 0 < in_train.sum() < len(faces)
    for head, classes in (("ferplus", EIGHT), ("fer2013", SEVEN)):
        found = np.stack([columns[f"teacher.{head}.{expression}"] for expression in classes], axis=1)
        assert np.isnan(found[~in_train]).all()
        wanted = np.stack([expected_of(face, head) for face in faces[in_train]])
        assert found[in_train] == pytest.approx(wanted, abs=6e-4)


def test_teachers_are_averaged(corpus, teacher, columns, tmp_path):
    larger = tiny_model.write_tiny_model(tmp_path / "larger.onnx", size=12)
    alone, both = teach(corpus, [larger]), teach(corpus, [teacher, larger])
    for name, values in both.items():
        assert values == pytest.approx((columns[name] + alone[name]) / 2, abs=1.1e-3, nan_ok=True)


def test_more_views_of_the_same_faces(corpus, teacher, columns):
    several = teach(corpus, [teacher], views=3, prefix="varied")
    difference = several["varied.fer2013.anger"] - columns["teacher.fer2013.anger"]
    assert 0 < np.nanmax(np.abs(difference)) < 0.2


@pytest.mark.parametrize("views", [0, len(VIEWS) + 1])
def test_bad_views(corpus, teacher, views):
    with pytest.raises(InputError, match=f"views must lie between 1 and {len(VIEWS)}, not {views}"):
        teach(corpus, [teacher], views=views)


def test_no_teacher(corpus):
    with pytest.raises(InputError, match="at least one teacher"):
        teach(corpus, [])


def test_a_corpus_with_soft_labels(corpus, columns, tmp_path):
    target = tmp_path / "taught.parquet"
    assert write_taught_corpus(corpus, target, columns) == len(open_corpus(corpus))
    taught = open_corpus(target)
    assert set(taught.extra_columns()) == set(columns)
    for name, values in columns.items():
        assert taught.column(name) == pytest.approx(values, nan_ok=True)
    assert heads_of(taught.extra_columns()) == ["teacher.ferplus", "teacher.fer2013"]


def test_answers_find_their_faces_again(corpus, columns, tmp_path):
    answers = tmp_path / "answers.parquet"
    taught_faces = int((~np.isnan(columns["teacher.fer2013.anger"])).sum())
    assert write_answers(corpus, columns, answers) == taught_faces
    reversed_corpus = tmp_path / "reversed.parquet"
    table = pq.read_table(corpus)
    pq.write_table(table.take(pa.array(np.arange(len(table))[::-1])), reversed_corpus)
    found = read_answers(reversed_corpus, answers)
    for name, values in columns.items():
        assert found[name][::-1] == pytest.approx(values, nan_ok=True)


def test_answers_to_other_pictures(corpus, columns, tmp_path):
    write_answers(corpus, columns, tmp_path / "answers.parquet")
    write_synthetic_corpus(tmp_path / "other.parquet", 10, validation=2, test=2, seed=99)
    with pytest.raises(CorpusError, match="soft labels for none of the pictures"):
        read_answers(tmp_path / "other.parquet", tmp_path / "answers.parquet")


@pytest.mark.parametrize("content", [b"", b"no parquet"])
def test_files_that_are_no_parquet(corpus, tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(CorpusError, match="not a readable Parquet file of soft labels"):
        read_answers(corpus, tmp_path / "a.parquet")


def test_a_parquet_file_of_something_else(corpus, tmp_path):
    with pytest.raises(CorpusError, match=r"holds no soft labels; `kaoiro data soft-labels --only-answers`"):
        read_answers(corpus, corpus)
    with pytest.raises(CorpusError, match="no file of soft labels"):
        read_answers(corpus, tmp_path / "missing.parquet")


def test_other_faces_keep_their_soft_labels(corpus, teacher, columns, tmp_path):
    write_taught_corpus(corpus, tmp_path / "train.parquet", columns)
    validation = teach(tmp_path / "train.parquet", [teacher], split="validation")
    write_taught_corpus(tmp_path / "train.parquet", tmp_path / "both.parquet", validation)
    both = open_corpus(tmp_path / "both.parquet")
    for name, values in columns.items():
        expected = np.where(np.isnan(values), validation[name], values)
        assert both.column(name) == pytest.approx(expected, nan_ok=True)
    assert np.isnan(both.column(name)).sum() == 6  # those of the split test
