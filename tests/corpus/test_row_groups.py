import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kaoiro.corpus.row_groups import open_row_groups
from kaoiro.corpus.store import open_corpus
from kaoiro.errors import CorpusError


@pytest.fixture(scope="module")
def in_groups(drawn_corpus, tmp_path_factory):
    """The drawn corpus in three row groups of 100, 100 and 80 faces, with a column of numbers."""
    path = tmp_path_factory.mktemp("corpus") / "groups.parquet"
    table = pq.read_table(drawn_corpus)
    pq.write_table(table.append_column("valence", pa.array(np.linspace(-1, 1, 280))), path, row_group_size=100)
    return path


def test_row_groups_are_the_corpus_in_pieces(in_groups):
    whole, pieces = open_corpus(in_groups), open_row_groups(in_groups)
    assert len(pieces) == 3
    parts = [pieces.without_pictures(group) for group in range(3)]
    assert [len(part) for part in parts] == [100, 100, 80]
    assert np.array_equal(np.concatenate([part.label_indices() for part in parts]), whole.label_indices())
    assert np.array_equal(np.concatenate([part.votes() for part in parts]), whole.votes())
    assert np.array_equal(np.concatenate([part.column("valence") for part in parts]), whole.column("valence"))
    assert [source for part in parts for source in part.sources()] == whole.sources()


@pytest.mark.parametrize("threads", [1, 3])
def test_pictures_of_some_rows(in_groups, threads):
    rows = np.array([79, 3, 3, 50])
    faces = open_row_groups(in_groups).pictures(2).decode(rows, size=20, channels=3, threads=threads)
    assert np.array_equal(faces, open_corpus(in_groups).decode_faces(20, 3)[200 + rows])


def test_size_of_the_pictures(in_groups):
    pieces = open_row_groups(in_groups)
    in_group = [len(image["bytes"]) for image in open_corpus(in_groups).table["image"].to_pylist()[200:]]
    assert sum(in_group) <= pieces.picture_bytes(2) < 1.05 * sum(in_group)


@pytest.mark.parametrize(
    ("name", "column", "line"),
    [
        ("label", ["joy"] * 280, "has the label 'joy'"),
        ("split", ["training"] * 280, "has the split 'training'"),
        ("votes", [[1, 2]] * 280, "has a face with 2 votes in place of 10"),
    ],
)
def test_values_that_break_the_rules(in_groups, tmp_path, name, column, line):
    table = pq.read_table(in_groups)
    field = table.schema.field(name)
    broken = table.set_column(table.schema.get_field_index(name), field, pa.array(column, field.type))
    pq.write_table(broken, tmp_path / "c.parquet")
    with pytest.raises(CorpusError, match=line):
        open_row_groups(tmp_path / "c.parquet").without_pictures(0)


def test_a_face_without_a_picture(in_groups, tmp_path):
    table = pq.read_table(in_groups)
    images = table["image"].to_pylist()
    images[4]["bytes"] = None
    pq.write_table(table.set_column(0, table.field(0), pa.array(images, table.field(0).type)), tmp_path / "c.parquet")
    with pytest.raises(CorpusError, match="has a face without a picture"):
        open_row_groups(tmp_path / "c.parquet").pictures(0)


def test_a_picture_that_cannot_be_decoded(in_groups, tmp_path):
    table = pq.read_table(in_groups)
    images = table["image"].to_pylist()
    images[4]["bytes"] = b"no picture"
    pq.write_table(table.set_column(0, table.field(0), pa.array(images, table.field(0).type)), tmp_path / "c.parquet")
    pictures = open_row_groups(tmp_path / "c.parquet").pictures(0)
    with pytest.raises(CorpusError, match=r"c\.parquet: .*synthetic:4.*import the corpus again"):
        pictures.decode(np.array([3, 4]), 48, 1)


def test_files_that_are_no_corpus(tmp_path, in_groups):
    with pytest.raises(CorpusError, match="does not exist"):
        open_row_groups(tmp_path / "none.parquet")
    with pytest.raises(CorpusError, match="is a folder"):
        open_row_groups(tmp_path)
    (tmp_path / "text").write_text("text")
    with pytest.raises(CorpusError, match="is not a readable Parquet file"):
        open_row_groups(tmp_path / "text")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(CorpusError, match="is a Parquet file but not a corpus"):
        open_row_groups(tmp_path / "other.parquet")
    pq.write_table(pq.read_table(in_groups).slice(0, 0), tmp_path / "empty.parquet")
    with pytest.raises(CorpusError, match="without faces"):
        open_row_groups(tmp_path / "empty.parquet")
    pq.write_table(pq.read_table(in_groups).drop_columns("label"), tmp_path / "less.parquet")
    with pytest.raises(CorpusError, match="without the column 'label'"):
        open_row_groups(tmp_path / "less.parquet").without_pictures(0)


def test_a_file_that_is_gone_after_opening(in_groups, tmp_path):
    path = tmp_path / "c.parquet"
    path.write_bytes(in_groups.read_bytes())
    pieces = open_row_groups(path)
    path.unlink()
    with pytest.raises(CorpusError, match=r"cannot read row group 1 of .*c\.parquet: "):
        pieces.pictures(1)
