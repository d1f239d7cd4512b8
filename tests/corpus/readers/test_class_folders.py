import os

import numpy as np
import pytest

from kaoiro.corpus.labelled_face import LeftOut
from kaoiro.corpus.readers.class_folders import read_class_folders
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.errors import CorpusError


def read(root, **options):
    return read_class_folders(root, ReadOptions(**options)).rows


@pytest.mark.parametrize(
    ("path", "split", "label"),
    [
        ("happy/a.png", None, "happiness"),
        ("train/sad/a.png", "train", "sadness"),
        ("test/test/04_Suprise/a.jpg", "test", "surprise"),  # as Kaggle's archives unpack
        ("PublicTest/Angry faces/a.png", "validation", "anger"),
        ("archive/images/val/contempt/a.PNG", "validation", "contempt"),  # folders that say nothing
        ("fearful/train/a.bmp", "train", "fear"),  # the split below the class
        ("dev/neutral/subject 7/a.png", "validation", "neutral"),  # more folders below the class
    ],
)
def test_split_and_label_stand_on_the_path(tmp_path, save_picture, path, split, label):
    file = save_picture(path)
    (face,) = read(tmp_path)
    assert (face.split, face.label) == (split, label)
    assert (face.source, face.name) == (path, file.name)
    assert face.image_bytes == file.read_bytes()


def test_order_is_that_of_the_paths(tmp_path, save_picture):
    paths = ["sad/b.png", "anger/c.png", "sad/a.png", "anger/b/z.png"]
    for path in paths:
        save_picture(path)
    assert [face.source for face in read(tmp_path)] == sorted(paths)


def test_hidden_and_other_files_are_passed_over(tmp_path, save_picture):
    save_picture("happy/a.png")
    for name in (
        "happy/.DS_Store",
        "happy/._a.png",
        "__MACOSX/other/a.png",
        ".git/x/a.png",
        "happy/readme.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"?")
    assert [face.source for face in read(tmp_path)] == ["happy/a.png"]


def test_links_are_followed_but_not_in_circles(tmp_path, save_picture):
    save_picture("elsewhere/a.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "happy").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path / "root")
    assert [face.source for face in read(tmp_path / "root")] == ["happy/a.png"]


def test_broken_pictures_are_left_out(tmp_path, save_picture):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
    whole = save_picture("happy/whole.jpg", noise).read_bytes()
    (tmp_path / "happy" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "happy" / "empty.png").touch()
    (tmp_path / "happy" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "happy" / "text.png").write_text("no picture")
    *bad, good = read(tmp_path)
    assert good.image_bytes == whole
    assert all(isinstance(left_out, LeftOut) for left_out in bad)
    # each is named by its path and has a reason of its own
    assert [left_out.where for left_out in bad] == [
        str(tmp_path / "happy" / name) for name in ("cut.jpg", "empty.png", "lost.png", "text.png")
    ]
    assert len({left_out.what for left_out in bad}) == 4
    assert not any("cannot read '" in left_out.what for left_out in bad)


def test_unknown_folder(tmp_path, save_picture):
    save_picture("happy/a.png")
    save_picture("train/holiday/a.png")
    with pytest.raises(CorpusError, match=r"train/holiday' has 1 picture and is not .*--skip-unknown"):
        read(tmp_path)


def test_skip_unknown(tmp_path, save_picture):
    save_picture("happy/a.png")
    save_picture("holiday/a.png")
    save_picture("holiday/b.png")
    notes = []
    faces = read(tmp_path, skip_unknown=True, on_note=notes.append)
    assert [face.source for face in faces] == ["happy/a.png"]
    assert notes == [f"left out the folder '{tmp_path}/holiday', not an expression, with its 2 pictures"]


@pytest.mark.parametrize("path", ["a.png", "train/a.png"])
def test_pictures_outside_class_folders(tmp_path, save_picture, path):
    save_picture(path)
    # --skip-unknown would leave nothing
    with pytest.raises(CorpusError, match=r"is not an expression; move them into folders named by expression$"):
        read(tmp_path)
    save_picture("train/sad/a.png")
    with pytest.raises(CorpusError, match=r"by expression, or leave them out with --skip-unknown$"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("train/test/happy/a.png", "names two splits: 'train' and 'test'"),
        ("happy/sad/a.png", "names two expressions: 'happy' and 'sad'"),
    ],
)
def test_contradicting_folders(tmp_path, save_picture, path, message):
    save_picture(path)
    with pytest.raises(CorpusError, match=message):
        read(tmp_path)


def test_no_pictures(tmp_path):
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy" / "notes.txt").touch()
    with pytest.raises(CorpusError, match="has no pictures in class folders"):
        read(tmp_path)


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CorpusError, match=r"cannot read the folder .*: Permission denied"):
        read(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_not_utf8(tmp_path, save_picture):
    file = save_picture("happy/a.png")
    try:
        file.rename(file.with_name(os.fsdecode(b"\xe9.png")))
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    (face,) = read(tmp_path)
    assert face.source == "happy/\ufffd.png"


def test_real_fer2013(fer2013_sample):
    folder, sample = fer2013_sample
    faces = list(read(folder))
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    assert sorted((face.label, face.split) for face in faces) == sorted(
        (names[label], "train" if usage == 0 else "test")
        for label, usage in zip(sample["labels"], sample["usage"], strict=True)
    )
