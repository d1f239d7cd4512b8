import signal
import subprocess
import sys
import time

import pytest

from kaoiro.corpus.importing import import_corpus
from kaoiro.corpus.label_names import parse_label_map
from kaoiro.corpus.store import open_corpus
from kaoiro.errors import CorpusError

VOTE_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
VOTES = "Training,a.png,0,0,0,0,0,0,0,0,0,0"


def csv_row(emotion=3, usage="Training"):
    """A line of fer2013.csv with a face of one grey."""
    return f"{emotion},{' '.join(['128'] * 48 * 48)},{usage}"


def test_a_csv_with_bad_rows(write_csv, tmp_path):
    source = write_csv(csv_row(usage="PrivateTest"), csv_row(emotion=9), csv_row(), csv_row())
    left_out = []
    summary = import_corpus(source, tmp_path / "c.parquet", on_left_out=left_out.append)
    assert summary.faces == {"train": 2, "test": 1}
    assert list(summary.faces) == ["train", "test"]
    assert summary.left_out == 1
    assert [str(row) for row in left_out] == [f"{source}:3: the emotion '9' is not one of 0 to 6"]
    assert open_corpus(tmp_path / "c.parquet").sources() == [
        "fer2013.csv:2",
        "fer2013.csv:4",
        "fer2013.csv:5",
    ]


def test_class_folders(tmp_path, save_picture):
    save_picture("in/happy/a.png")
    save_picture("in/train/sad/a.png")
    save_picture("in/holiday/a.png")
    notes, progress = [], []
    summary = import_corpus(
        tmp_path / "in",
        tmp_path / "c.parquet",
        skip_unknown=True,
        on_note=notes.append,
        on_progress=progress.append,
    )
    assert summary.faces == {"train": 1, None: 1}
    assert summary.left_out == 0
    assert len(notes) == 1
    assert progress == [0.5, 1]
    assert open_corpus(tmp_path / "c.parquet").labels() == ["happiness", "sadness"]


def test_votes_are_kept(write_csv, tmp_path):
    ferplus = write_csv(VOTES, header=VOTE_HEADER, name="votes.csv")
    import_corpus(write_csv(csv_row()), tmp_path / "c.parquet", ferplus=ferplus)
    assert open_corpus(tmp_path / "c.parquet").votes().tolist() == [[0] * 10]


def test_labels_of_the_map_that_never_occur(write_csv, save_picture, tmp_path):
    save_picture("in/smile/a.png")
    ck_csv = write_csv(csv_row(emotion=7), csv_row(), name="ckextended.csv")
    for source, label in ((tmp_path / "in", "smile"), (ck_csv, "7")):
        notes = []
        names = parse_label_map([f"{label}=happiness", "typo=fear"])
        import_corpus(source, tmp_path / "c.parquet", names=names, on_note=notes.append)
        assert "--map typo was never met in the source" in notes
        assert not [note for note in notes if f"--map {label} " in note]


@pytest.mark.parametrize("name", ["happy/a.png", "notes.txt"])
def test_what_is_read_is_not_overwritten(save_picture, tmp_path, name):
    target = save_picture("in/happy/a.png").parents[1] / name
    target.touch()
    before = target.read_bytes()
    with pytest.raises(CorpusError, match=f"{name} is to be read, and would be overwritten"):
        import_corpus(tmp_path / "in", target)
    assert target.read_bytes() == before


def test_an_earlier_corpus_in_the_source_is_replaced(save_picture, tmp_path):
    save_picture("in/happy/a.png")
    import_corpus(tmp_path / "in", tmp_path / "in/c.parquet")
    save_picture("in/sad/b.png")
    assert import_corpus(tmp_path / "in", tmp_path / "in/c.parquet").faces == {None: 2}


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("nothing", {}, "nothing does not exist"),
        ("in", {"ferplus": "votes.csv"}, "FERPlus votes go with FER2013's CSV file"),
        ("fer2013.csv", {"ferplus": "nothing"}, "nothing does not exist"),
        ("fer2013.csv", {"ferplus": "in"}, "in is not a file"),
        ("fer2013.csv", {"skip_unknown": True}, "--skip-unknown is about class folders"),
        ("bad.csv", {}, "has no usable faces: all 2 were left out"),
        ("header.csv", {}, r"header\.csv has no usable faces$"),
        ("c.parquet", {}, "would be overwritten"),
        ("fer2013.csv", {"ferplus": "c.parquet"}, "would be overwritten"),
    ],
)
def test_unusable_sources(tmp_path, write_csv, save_picture, source, options, message):
    save_picture("in/happy/a.png")
    write_csv(csv_row())
    write_csv(csv_row(emotion=8), csv_row(emotion=9), name="bad.csv")
    write_csv(name="header.csv")
    write_csv(VOTES, header=VOTE_HEADER, name="votes.csv")
    target = tmp_path / "c.parquet"
    target.write_text("old")
    options = {name: tmp_path / value if isinstance(value, str) else value for name, value in options.items()}
    with pytest.raises(CorpusError, match=message):
        import_corpus(tmp_path / source, target, **options)
    assert target.read_text() == "old"
    assert not list(tmp_path.glob(".*"))


# A shell's background jobs ignore SIGINT, and a test run may be one.
CHILD = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from kaoiro.corpus.importing import import_corpus
import_corpus(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("old", [None, b"the old corpus"])
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_import_leaves_the_target_as_it_was(write_csv, tmp_path, by, old):
    source = write_csv(*[csv_row()] * 6000)
    target = tmp_path / "out" / "c.parquet"
    target.parent.mkdir()
    if old is not None:
        target.write_bytes(old)
    command = [sys.executable, "-c", CHILD, source, target]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as child:
        while not list(target.parent.glob(".c.*.partial.parquet")):
            assert child.poll() is None, "the import ended before it could be interrupted"
            time.sleep(0.002)
        child.send_signal(by)
        _, errors = child.communicate(timeout=20)
    assert child.returncode == -by
    left = {path.name for path in target.parent.iterdir()}
    if by == signal.SIGINT:
        assert b"KeyboardInterrupt" in errors
        assert left == ({"c.parquet"} if old else set())
    else:  # nothing can be tidied up then, but only a hidden file is left
        assert {name for name in left if not name.startswith(".")} == ({"c.parquet"} if old else set())
    if old is not None:
        assert target.read_bytes() == old


def test_real_fer2013(fer2013_sample, tmp_path):
    folder, sample = fer2013_sample
    import_corpus(folder / "fer2013.csv", tmp_path / "c.parquet", ferplus=folder / "fer2013new.csv")
    corpus = open_corpus(tmp_path / "c.parquet")
    assert corpus.splits() == {"train": 25, "validation": 25, "test": 25}
    assert corpus.decode_faces(48, 1).tobytes() == sample["images"].tobytes()
    assert corpus.label_indices().tolist() == sample["labels"].tolist()
    assert corpus.votes().sum(axis=1).tolist() == sample["ferplus"].sum(axis=1).tolist()
