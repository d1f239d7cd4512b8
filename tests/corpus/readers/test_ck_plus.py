import pytest

from corpus.layout_fixtures import CK_PLUS_SEQUENCES, write_ck_48, write_ck_csv, write_ck_plus, write_text
from kaoiro.corpus.label_names import parse_label_map
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Skipped
from kaoiro.corpus.layouts import layout_of
from kaoiro.corpus.readers.ck_plus import read_ck_plus
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.errors import CorpusError

EMOTION = "Emotion/S005/001/S005_001_00000011_emotion.txt"


def read(source, **options):
    return list(read_ck_plus(source, ReadOptions(**options)).rows)


def test_the_peak_of_each_labelled_sequence(tmp_path):
    expected = write_ck_plus(tmp_path)
    rows = read(tmp_path)
    assert [row.source for row in rows if isinstance(row, LabelledFace)] == [face.source for face in expected]
    assert [row for row in rows if not isinstance(row, LabelledFace)] == [
        Skipped("at the peak of a sequence without an emotion file")
    ]


def test_the_archives_in_folders_of_their_own(tmp_path):
    expected = write_ck_plus(tmp_path / "x")
    for folder, archive in (("Emotion", "Emotion_labels"), ("cohn-kanade-images", "extended-cohn-kanade-images")):
        (tmp_path / archive).mkdir()
        (tmp_path / "x" / folder).rename(tmp_path / archive / folder)
    assert sum(isinstance(row, LabelledFace) for row in read(tmp_path)) == len(expected)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "it must hold a number from 0 to 7, and holds ''"),
        ("happy\n", "it must hold a number from 0 to 7, and holds 'happy'"),
        ("   8.0000000e+00\n", "the label '8' is not one of 0, 1, 2, 3, 4, 5, 6, 7"),
        ("   3.5000000e+00\n", "the label '3.5000000e+00' is not one of 0, 1, 2, 3, 4, 5, 6, 7"),
        ("inf", "the label 'inf' is not one of 0, 1, 2, 3, 4, 5, 6, 7"),
    ],
)
def test_broken_emotion_files_are_left_out(tmp_path, content, what):
    write_ck_plus(tmp_path)
    write_text(tmp_path / EMOTION, content)
    rows = read(tmp_path)
    assert [str(row) for row in rows if isinstance(row, LeftOut)] == [f"{tmp_path / EMOTION}: {what}"]
    assert sum(isinstance(row, LabelledFace) for row in rows) == len(CK_PLUS_SEQUENCES) - 2


def test_an_emotion_file_without_its_frame(tmp_path):
    write_ck_plus(tmp_path)
    (tmp_path / "cohn-kanade-images/S005/001/S005_001_00000011.png").unlink()
    (left_out,) = (row for row in read(tmp_path) if isinstance(row, LeftOut))
    assert str(left_out) == f"{tmp_path / EMOTION}: its frame 'S005_001_00000011' does not exist"


def test_kaggles_folders_keep_subjects_and_the_map(tmp_path):
    write_ck_48(tmp_path)
    rows = read(tmp_path, names=parse_label_map(["contempt=none"]))
    assert len(rows) == 3 * (len(CK_PLUS_SEQUENCES) - 2)
    assert all(row.group == row.name[:4] for row in rows)


def test_kaggles_csv_has_contempt_and_no_subjects(tmp_path):
    write_ck_csv(tmp_path)
    notes = []
    rows = read(tmp_path / "ckextended.csv", on_note=notes.append)
    assert [row.label for row in rows][-2:] == ["neutral", "contempt"]
    assert len(notes) == 1
    assert "names no subjects" in notes[0]
    *_, last = read(tmp_path / "ckextended.csv", names=parse_label_map(["7=none"]))
    assert last == Skipped("labelled '7'")


def test_sequences_without_any_labels(tmp_path):
    write_ck_plus(tmp_path)
    (tmp_path / "Emotion").rename(tmp_path / "Other")
    assert layout_of(tmp_path).name == "ck-plus"
    with pytest.raises(CorpusError, match=f"frames and not their labels; .* there is {tmp_path}/Emotion$"):
        read(tmp_path)
