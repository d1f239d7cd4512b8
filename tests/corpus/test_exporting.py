import csv
import io
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from corpus.layout_fixtures import FIXTURES
from kaoiro.corpus.exporting import export_corpus
from kaoiro.corpus.importing import import_corpus
from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.rewriting import rewrite_corpus
from kaoiro.corpus.schema import SPLITS
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.errors import CorpusError
from kaoiro.expressions import EIGHT, Expression


def picture(grey=0, form="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(np.full((3, 2), grey, np.uint8)).save(buffer, form)
    return buffer.getvalue()


PICTURES = [picture(1), picture(2), *(picture(3, form) for form in ("JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"))]
# The characters that upset paths, CSV and spreadsheets come up often.
NAMES = st.text(
    st.sampled_from("aA.é/\\\"',;\n\r\t\0 顔=#\u2028") | st.characters(codec="utf-8"), min_size=1, max_size=8
)
GROUPS = NAMES.map(str.strip).filter(bool)
COLUMNS = st.sampled_from(["valence", "age", "label", "Path", "person", "fear", "number:x", "original name", "index"])
NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def faces(draw):
    columns = draw(st.lists(COLUMNS.filter(lambda name: name != "label"), unique=True, max_size=3))
    face = st.builds(
        LabelledFace,
        image_bytes=st.sampled_from(PICTURES),
        name=NAMES,
        source=NAMES,
        label=st.none() | st.sampled_from(Expression),
        votes=st.none() | st.tuples(*[st.integers(0, 255)] * 10),
        split=st.none() | st.sampled_from(SPLITS),
        group=st.none() | GROUPS,
        numbers=st.fixed_dictionaries({}, optional=dict.fromkeys(columns, NUMBERS)),
    )
    return columns, draw(st.lists(face, min_size=1, max_size=5))


@settings(max_examples=40)
@given(faces())
def test_an_export_is_imported_again_without_loss(columns_and_faces):
    columns, rows = columns_and_faces
    with tempfile.TemporaryDirectory() as folder:
        first, exported, second = (Path(folder) / name for name in ("a.parquet", "out", "b.parquet"))
        write_corpus(first, rows, columns)
        assert export_corpus(first, exported) == len(rows)
        summary = import_corpus(exported, second)
        assert (summary.layout, summary.left_out, summary.skipped) == ("picture-list", 0, {})
        assert open_corpus(second).table.equals(open_corpus(first).table)


@pytest.mark.parametrize("name", FIXTURES)
def test_a_published_corpus_comes_back(name, tmp_path):
    form = FIXTURES[name]
    form.write(tmp_path / "in")
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    import_corpus(tmp_path / "in" / form.source, first)
    export_corpus(first, tmp_path / "out")
    assert import_corpus(tmp_path / "out", second).layout == "picture-list"
    assert open_corpus(second).table.equals(open_corpus(first).table)


def test_a_second_list_in_an_export(tmp_path, drawn_corpus):
    export_corpus(drawn_corpus, tmp_path / "out")
    (tmp_path / "out/mine.csv").write_text("path,label\n")
    with pytest.raises(CorpusError, match=r"has 2: faces\.csv, mine\.csv; give the list"):
        import_corpus(tmp_path / "out", tmp_path / "c.parquet")


def test_what_is_written(tmp_path):
    votes = (0, 1, 2, 3, 0, 0, 0, 0, 4, 0)
    write_corpus(
        tmp_path / "c.parquet",
        [
            LabelledFace(PICTURES[0], "a/face.jpg", "x.csv:2", Expression.FEAR, split="train", group="S1"),
            LabelledFace(PICTURES[2], "Face.png", "x.csv:3", Expression.FEAR, split="train", numbers={"age": 31}),
            LabelledFace(PICTURES[1], "face", "x.csv:4", Expression.FEAR, split="train", numbers={"age": 0.1}),
            LabelledFace(PICTURES[1], "..", "x.csv:5", None, votes),
            LabelledFace(PICTURES[1], "con.png", "x.csv:6", None, votes),
            LabelledFace(PICTURES[1], ".hid den?" + "é" * 300, "x.csv:7", Expression.ANGER),
        ],
        ["age"],
    )
    progress = []
    export_corpus(tmp_path / "c.parquet", tmp_path / "new" / "out", progress.append)
    assert progress == [1]
    with (tmp_path / "new" / "out" / "faces.csv").open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    assert [row["path"] for row in listed] == [
        "train/fear/face.png",  # by its true format, and not by its name
        "train/fear/Face.jpg",
        "train/fear/face_2.png",
        "all/no-label/face.png",
        "all/no-label/_con.png",
        f"all/anger/hid_den_{'é' * 51}.png",
    ]
    for row, face in zip(listed, open_corpus(tmp_path / "c.parquet").table.to_pylist(), strict=True):
        assert (tmp_path / "new" / "out" / row["path"]).read_bytes() == face["image"]["bytes"]
    assert listed[0]["group"] == "S1"
    assert [row["age"] for row in listed[:3]] == ["", "31.0", "0.1"]
    assert [value for name, value in listed[3].items() if name.startswith("votes_")] == list(map(str, votes))
    assert listed[0]["votes_not_a_face"] == ""


def test_columns_of_other_types(tmp_path, drawn_corpus):
    rows = 280
    columns = {
        "count": pa.array(range(rows)),
        "glasses": pa.array([True, False] * (rows // 2)),
        "double": pa.array(np.linspace(0, 1, rows)),
        "empty": pa.nulls(rows, pa.float32()),
        "nan": pa.array(np.full(rows, np.nan)),
    }
    rewrite_corpus(drawn_corpus, tmp_path / "c.parquet", columns=columns)
    export_corpus(tmp_path / "c.parquet", tmp_path / "out")
    import_corpus(tmp_path / "out", tmp_path / "again.parquet")
    before, after = open_corpus(tmp_path / "c.parquet"), open_corpus(tmp_path / "again.parquet")
    assert after.extra_columns() == before.extra_columns() == tuple(columns)
    for name in columns:
        np.testing.assert_array_equal(after.column(name), before.column(name))
    assert after.table.select(before.table.column_names[:7]).equals(before.table.select(before.table.column_names[:7]))


def test_folders_that_are_taken(tmp_path, drawn_corpus):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").touch()
    (tmp_path / "file").touch()
    for folder, what in ((taken, "is not empty"), (tmp_path / "file", "is not a folder")):
        with pytest.raises(CorpusError, match=f"{folder.name} {what}; give a new folder to write"):
            export_corpus(drawn_corpus, folder)
    with pytest.raises(CorpusError, match="cannot write"):
        export_corpus(drawn_corpus, tmp_path / "file" / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "mine.txt", "taken"]


def test_an_empty_folder_is_filled(tmp_path, drawn_corpus):
    (tmp_path / "out").mkdir()
    assert export_corpus(drawn_corpus, tmp_path / "out") == 280
    labels = {path.name for path in (tmp_path / "out" / "train").iterdir()}
    assert labels <= set(EIGHT)


def test_a_damaged_corpus_leaves_nothing(tmp_path, drawn_corpus):
    damaged = bytearray(drawn_corpus.read_bytes())
    contents = pq.ParquetFile(drawn_corpus).metadata.row_group(0)
    split = next(
        contents.column(i) for i in range(contents.num_columns) if contents.column(i).path_in_schema == "split"
    )
    damaged[split.data_page_offset + 1 : split.data_page_offset + 20] = bytes(19)
    (tmp_path / "c.parquet").write_bytes(damaged)
    with pytest.raises(CorpusError, match=r"c\.parquet"):
        export_corpus(tmp_path / "c.parquet", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["c.parquet"]


# A shell's background jobs ignore SIGINT, and a test run may be one.
CHILD = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from kaoiro.corpus.exporting import export_corpus
while True:
    export_corpus(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_an_interrupted_export_leaves_nothing(tmp_path):
    faces = (LabelledFace(PICTURES[0], f"{number}.png", "", Expression.FEAR) for number in range(20_000))
    write_corpus(tmp_path / "c.parquet", faces)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path / "c.parquet", tmp_path / "out"], stderr=subprocess.PIPE
    ) as child:
        while not list(tmp_path.glob(".out.*.partial/all/fear/9.png")):
            assert child.poll() is None, "the export ended before it could be interrupted"
            time.sleep(0.002)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=20)
    assert child.returncode == -signal.SIGINT
    assert b"KeyboardInterrupt" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["c.parquet"]
