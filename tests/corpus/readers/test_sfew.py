import pytest

from corpus.layout_fixtures import write_sfew
from kaoiro.corpus.label_names import parse_label_map
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Skipped
from kaoiro.corpus.layouts import layout_of
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.corpus.readers.sfew import read_sfew


def read(source, **options):
    return list(read_sfew(source, ReadOptions(**options)).rows)


@pytest.mark.parametrize(
    ("path", "split", "label", "film"),
    [
        ("Train/Angry/Airheads_000519240_00000005.png", "train", "anger", "Airheads"),
        ("Train_Aligned_Faces/Sad/A_Few_Good_Men_001519240_00000005.png", "train", "sadness", "A_Few_Good_Men"),
        (
            "Val_Aligned_Faces_new/x/Happy/Juno_000410240_00000033.png",
            "validation",
            "happiness",
            "Juno",
        ),
        ("Validation/Happy/Juno_000410240_00000033.png", "validation", "happiness", "Juno"),
        ("train/Surprise/Juno_001424240_00000001.PNG", "train", "surprise", "Juno"),
    ],
)
def test_paths(tmp_path, save_picture, path, split, label, film):
    save_picture(path)
    (face,) = read(tmp_path)
    assert (face.split, face.label, face.group, face.source) == (split, label, film, path)
    assert layout_of(tmp_path).name == "sfew"


def test_whole_frames_beside_the_aligned_faces_are_noted(tmp_path, save_picture):
    expected = write_sfew(tmp_path)
    save_picture("Train/Angry/Airheads_000519240_00000005.png")
    notes = []
    rows = read(tmp_path, on_note=notes.append)
    assert sum(isinstance(row, LabelledFace) for row in rows) == len(expected)
    assert notes == [
        f"left out 1 picture in {tmp_path}, not among the aligned faces: 'Train/Angry/Airheads_000519240_00000005.png'"
    ]


def test_what_has_no_place(tmp_path, save_picture):
    write_sfew(tmp_path)
    lost = save_picture("Train/Train_Aligned_Faces/Juno_001424240_00000001.png")
    save_picture("Extras/poster.png")
    notes = []
    rows = read(tmp_path, names=parse_label_map(["disgust=none"]), on_note=notes.append)
    assert [row for row in rows if not isinstance(row, LabelledFace)] == [
        Skipped("of the test split, whose labels are not published"),
        Skipped("in folders that --map leaves out"),
        LeftOut(str(lost), "it lies in no folder that is named by an expression"),
    ]
    assert notes == [f"left out 1 picture in {tmp_path}, in no split's folder: 'Extras/poster.png'"]


def test_ordinary_class_folders_are_not_taken_for_it(tmp_path, save_picture):
    save_picture("train/happy/a.png")
    save_picture("val/happy/b.png")
    assert layout_of(tmp_path).name == "class-folders"
