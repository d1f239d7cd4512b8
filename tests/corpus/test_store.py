import hashlib
import io
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.schema import SCHEMA
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.errors import CorpusError
from kaoiro.expressions import VOTE_NAMES, Expression

COLOURS = np.random.default_rng(1).integers(0, 256, (48, 48, 3), np.uint8)


def encoded(pixels, form="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


FACES = [
    LabelledFace(encoded(COLOURS[..., 0]), "a.png", "x:1", Expression.CONTEMPT, tuple(range(10)), "train", "film 1"),
    LabelledFace(encoded(COLOURS), "b.png", "x:2", Expression.ANGER, None, "test"),
    LabelledFace(encoded(COLOURS[..., 1]), "c.png", "x:3", None, (255, *[0] * 9), "train"),
    LabelledFace(encoded(COLOURS[..., 2]), "d.png", "x:4", Expression.NEUTRAL),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "corpus.parquet"


@pytest.fixture
def corpus(path):
    assert write_corpus(path, iter(FACES)) == 4
    return open_corpus(path)


def test_columns(corpus):
    assert corpus.table.schema.equals(SCHEMA)
    assert corpus.table.to_pylist() == [
        {
            "image": {"bytes": face.image_bytes, "path": face.name},
            "label": face.label,
            "votes": face.votes and list(face.votes),
            "split": face.split,
            "source": face.source,
            "sha256": hashlib.sha256(face.image_bytes).hexdigest(),
            "group": face.group,
        }
        for face in FACES
    ]


def test_the_file_says_what_it_is(corpus, path):
    metadata = pq.read_schema(path).metadata
    assert json.loads(metadata[b"kaoiro.corpus"])["version"] == 2
    assert json.loads(metadata[b"huggingface"])["info"]["features"]["image"] == {"_type": "Image"}


def test_the_same_faces_give_the_same_file(corpus, path, tmp_path):
    write_corpus(tmp_path / "again.parquet", FACES)
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()


def test_labels_votes_sources(corpus):
    assert len(corpus) == 4
    assert corpus.labels() == ["contempt", "anger", None, "neutral"]
    assert corpus.label_indices().dtype == np.int64
    assert corpus.label_indices().tolist() == [7, 0, -1, 6]
    assert corpus.votes().dtype == np.uint8
    assert corpus.votes().tolist() == [list(range(10)), [0] * 10, [255, *[0] * 9], [0] * 10]
    assert corpus.sources() == ["x:1", "x:2", "x:3", "x:4"]


def test_groups(corpus):
    assert corpus.groups() == ["film 1", None, None, None]


def test_numbers(path):
    rows = [FACES[0], replace(FACES[1], numbers={"valence": 0.5})]
    write_corpus(path, rows, numbers=("valence", "arousal"))
    corpus = open_corpus(path)
    assert corpus.extra_columns() == ("valence", "arousal")
    np.testing.assert_array_equal(corpus.column("valence"), np.float32([np.nan, 0.5]))
    assert np.isnan(corpus.column("arousal")).all()
    features = json.loads(pq.read_schema(path).metadata[b"huggingface"])["info"]["features"]
    assert features["valence"] == {"dtype": "float32", "_type": "Value"}


def test_a_corpus_of_version_1(path):
    """It has no groups; everything else is as it is today."""
    write_corpus(path, FACES)
    old = {b"kaoiro.corpus": json.dumps({"version": 1, "votes": VOTE_NAMES}).encode()}
    pq.write_table(pq.read_table(path).drop_columns("group").replace_schema_metadata(old), path)
    corpus = open_corpus(path)
    assert corpus.groups() == [None] * 4
    assert corpus.labels() == ["contempt", "anger", None, "neutral"]


def test_splits(corpus):
    assert corpus.splits() == {"train": 2, "test": 1}
    assert corpus.select("train").sources() == ["x:1", "x:3"]
    assert corpus.select("train").votes()[1, 0] == 255
    assert corpus.select("test").votes() is None


def test_a_split_that_is_not_there(corpus):
    with pytest.raises(CorpusError, match=r"has no split 'validation'; its splits are train, test"):
        corpus.select("validation")


def test_no_splits_at_all(path):
    write_corpus(path, FACES[3:])
    with pytest.raises(CorpusError, match="its faces are not divided into splits"):
        open_corpus(path).select("train")


def test_faces_of_the_right_form_keep_their_pixels(corpus):
    faces = corpus.decode_faces(48, channels=3)
    assert (faces.dtype, faces.shape) == (np.uint8, (4, 3, 48, 48))
    np.testing.assert_array_equal(faces[1], COLOURS.transpose(2, 0, 1))
    np.testing.assert_array_equal(faces[3], np.broadcast_to(COLOURS[..., 2], (3, 48, 48)))
    np.testing.assert_array_equal(corpus.select("train").decode_faces(48, 1)[1, 0], COLOURS[..., 1])


def test_colours_become_luma(corpus):
    luma = COLOURS @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(corpus.decode_faces(48, channels=1)[1, 0], luma, atol=1)


def test_faces_are_shrunk_by_averaging(corpus):
    mean = COLOURS[..., 0].reshape(24, 2, 24, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(corpus.decode_faces(24, channels=1)[0, 0], mean, atol=1)


def test_many_row_groups(path, monkeypatch):
    monkeypatch.setattr("kaoiro.corpus.store._ROW_GROUP_ROWS", 3)
    write_corpus(path, FACES * 3)
    with pq.ParquetFile(path) as file:
        assert file.num_row_groups == 4
    corpus = open_corpus(path)
    assert corpus.label_indices().tolist() == [7, 0, -1, 6] * 3
    np.testing.assert_array_equal(corpus.decode_faces(48, 1)[:4], corpus.decode_faces(48, 1)[8:])
    assert corpus.select("train").decode_faces(48, 1).shape == (6, 1, 48, 48)
    assert corpus.votes().shape == (12, 10)


def test_large_pictures_make_smaller_row_groups(path, monkeypatch):
    monkeypatch.setattr("kaoiro.corpus.store._ROW_GROUP_BYTES", 1)
    write_corpus(path, FACES)
    with pq.ParquetFile(path) as file:
        assert file.num_row_groups == 4


def test_a_picture_that_cannot_be_decoded(path):
    write_corpus(path, [FACES[0], LabelledFace(b"broken", "b.png", "x:9", None)])
    with pytest.raises(CorpusError, match=r"corpus\.parquet: cannot read 'x:9'"):
        open_corpus(path).decode_faces(48, 1)


def test_no_faces(path):
    with pytest.raises(CorpusError, match="there are no faces"):
        write_corpus(path, [])
    assert list(path.parent.iterdir()) == []


def test_a_folder_is_in_the_way(tmp_path):
    with pytest.raises(CorpusError, match="it is a folder"):
        write_corpus(tmp_path, FACES)


def test_a_file_is_where_the_folder_should_be(corpus, path):
    with pytest.raises(CorpusError, match="cannot write"):
        write_corpus(path / "corpus.parquet", FACES)


def test_an_error_on_the_way_leaves_the_old_corpus(corpus, path):
    before = path.read_bytes()

    def failing():
        yield from FACES
        raise CorpusError("row 5")

    with pytest.raises(CorpusError, match="row 5"):
        write_corpus(path, failing())
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def table(metadata=None, **columns):
    rows = {
        "image": [{"bytes": FACES[0].image_bytes, "path": "a.png"}],
        "label": ["fear"],
        "votes": [[0] * 10],
        "split": ["train"],
        "source": ["x:1"],
        "sha256": ["0"],
    } | columns
    fields = [SCHEMA.field(name) for name, value in rows.items() if value is not None]
    kept = {name: value for name, value in rows.items() if value is not None}
    return pa.table(kept, pa.schema(fields, metadata or SCHEMA.metadata))


NEWER = {b"kaoiro.corpus": json.dumps({"version": 3, "votes": []}).encode()}
SHUFFLED = {b"kaoiro.corpus": json.dumps({"version": 1, "votes": ["fear", "anger"]}).encode()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (table({b"other": b""}), "is a Parquet file but not a corpus"),
        (table(NEWER), "is a corpus of version 3, and this Kaoiro reads versions up to 2"),
        (table({b"kaoiro.corpus": b"{"}), "metadata cannot be read"),
        (table({b"kaoiro.corpus": b"3"}), "metadata cannot be read"),
        (table(SHUFFLED), r"keeps its votes in another order \(fear, anger\)"),
        (table(split=None), "without the column 'split'"),
        (table(label=["gloom"]), "has the label 'gloom'; it must be one of anger, disgust"),
        (table(split=["exam"]), "has the split 'exam'; it must be one of train, validation, test"),
        (table(votes=[[1, 2]]), "has a face with 2 votes in place of 10"),
        (table(image=[{"bytes": None, "path": "a.png"}]), "has a face without a picture"),
        (table(image=[None]), "has a face without a picture"),
        (table().slice(0, 0), "is a corpus without faces"),
        (table().drop_columns("label").append_column("label", [[{"a": 1}]]), "columns of other types"),
    ],
)
def test_tables_that_are_not_a_corpus(path, content, message):
    pq.write_table(content, path)
    with pytest.raises(CorpusError, match=message):
        open_corpus(path)


def test_other_string_types_are_taken(path):
    large = pa.large_string()
    content = table().drop_columns("label").append_column("label", pa.array(["fear"], large))
    pq.write_table(content, path)
    assert open_corpus(path).label_indices().tolist() == [2]


def with_columns(path, **columns):
    """The faces of this module, with columns of one's own beside the usual ones."""
    write_corpus(path, FACES)
    content = pq.read_table(path)
    for name, values in columns.items():
        content = content.append_column(name, values if isinstance(values, pa.Array) else pa.array(values))
    pq.write_table(content, path)
    return open_corpus(path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, None, -1.0, 0.0], [0.5, np.nan, -1, 0]),
        ([True, False, None, True], [1, 0, np.nan, 1]),
        ([3, None, 0, -7], [3, np.nan, 0, -7]),
        (pa.array([1, 2, 3, None], pa.uint8()), [1, 2, 3, np.nan]),
        (pa.array([2**40, 0, 0, 0], pa.int64()), [2**40, 0, 0, 0]),
        (pa.array(np.float16([0.5, 1, 2, 4])), [0.5, 1, 2, 4]),
    ],
)
def test_columns_of_numbers(path, values, expected):
    found = with_columns(path, arousal=values).column("arousal")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.float32(expected))


def test_columns_follow_their_split(path):
    corpus = with_columns(path, valence=[1.0, 2.0, None, 4.0])
    assert corpus.extra_columns() == ("valence",)
    np.testing.assert_array_equal(corpus.select("train").column("valence"), np.float32([1, np.nan]))


def test_columns_of_other_types_are_left_out(path):
    corpus = with_columns(path, note=["a", "b", None, "d"], valence=[1.0] * 4)
    assert corpus.table.column_names == [*SCHEMA.names, "valence"]


def test_a_column_that_is_not_there(path):
    corpus = with_columns(path, valence=[1.0] * 4, arousal=[1.0] * 4, note=["a"] * 4)
    for name in ("dominance", "note", "label"):
        with pytest.raises(CorpusError, match=f"no column of numbers '{name}'; it has valence, arousal"):
            corpus.column(name)
    write_corpus(path, FACES)
    with pytest.raises(CorpusError, match="'valence'; it has none beside the usual ones"):
        open_corpus(path).column("valence")


@pytest.mark.parametrize("name", ["valence", "label"])
def test_two_columns_of_one_name(path, name):
    write_corpus(path, FACES)
    content = pq.read_table(path).append_column(name, pa.array([1.0] * 4)).append_column("valence", pa.array([1.0] * 4))
    pq.write_table(content, path)
    with pytest.raises(CorpusError, match=f"two columns of the name '{name}'"):
        open_corpus(path)


def test_files_that_are_not_parquet(path):
    with pytest.raises(CorpusError, match="does not exist"):
        open_corpus(path)
    with pytest.raises(CorpusError, match="is a folder"):
        open_corpus(path.parent)
    for content in (b"", b"some text that is long enough to look like something"):
        path.write_bytes(content)
        with pytest.raises(CorpusError, match="is not a readable Parquet file"):
            open_corpus(path)


def test_a_corpus_that_cannot_be_read(corpus, path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pq, "ParquetFile", refuse)
    with pytest.raises(CorpusError, match=r"cannot read .*corpus\.parquet: Permission denied"):
        open_corpus(path)


def test_a_cut_off_corpus(corpus, path):
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorpusError, match="is not a readable Parquet file"):
        open_corpus(path)
