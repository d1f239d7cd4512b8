import pytest

from kaoiro.corpus.labelled_face import LabelledFace, LeftOut
from kaoiro.corpus.layouts import layout_of
from kaoiro.corpus.readers.ferplus_folders import FERPLUS_FOLDERS, read_ferplus_folders
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.errors import CorpusError
from kaoiro.expressions import VOTE_NAMES

BOX = '"(0, 0, 48, 48)"'


@pytest.fixture
def write_folder(tmp_path, save_picture):
    """Write a split's pictures and its list, of which each line is a picture's name and the rest of the line."""

    def write(folder, *lines, pictures=("fer0000001.png",)):
        for name in pictures:
            save_picture(f"{folder}/{name}")
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "label.csv").write_bytes("".join(f"{line}\r\n" for line in lines).encode())

    return write


def read(source, notes=None):
    return list(read_ferplus_folders(source, ReadOptions(on_note=(notes if notes is not None else []).append)).rows)


@pytest.mark.parametrize("above", ["", "FERPlus-master/data/"])
@pytest.mark.parametrize("box", ["", BOX + ","])  # as the script writes it now, and as it once did
def test_votes_and_splits(tmp_path, write_folder, above, box):
    # neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, not a face
    write_folder(f"{above}FER2013Train", f"fer0000001.png,{box}9,8,7,6,5,4,3,2,1,0")
    write_folder(f"{above}FER2013Valid", f"fer0028638.png,{box}4,0,0,0,1,0,0,4,1,0", pictures=["fer0028638.png"])
    write_folder(f"{above}FER2013Test", f"fer0032220.png,{box}10,0,0,0,0,0,0,0,0,0", pictures=["fer0032220.png"])
    assert layout_of(tmp_path) is FERPLUS_FOLDERS
    faces = read(tmp_path)
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt"]
    assert VOTE_NAMES[:8] == tuple(names)
    assert faces[0] == LabelledFace(
        (tmp_path / above / "FER2013Train/fer0000001.png").read_bytes(),
        "fer0000001.png",
        "FER2013Train/label.csv:1",
        label=None,
        votes=(5, 4, 3, 8, 6, 7, 9, 2, 1, 0),
        split="train",
    )
    assert [face.split for face in faces] == ["train", "validation", "test"]


def test_broken_lines_and_lost_pictures(tmp_path, write_folder):
    good = f"fer0000001.png,{BOX},10,0,0,0,0,0,0,0,0,0"
    bad = {
        good.replace("0000001", "0000002"): "cannot be read",
        good.replace("10", "256"): "must be a number from 0 to 255, and are '256'",
        good.replace(",10", ",ten"): "are 'ten'",
        good[:-4]: "a name, a box and 10 counts are expected, and there are 10 fields",
        good.replace('"(', '("'): "fields",
        f'"{good}': "the line is not CSV",
        "fer0000001.png" + "," * 11: "has no votes",
        good.replace("fer", "../fer"): "is not the name of a picture",
        f",{good.partition(',')[2]}": "is not the name of a picture",
    }
    write_folder("FER2013Test", *bad, good, pictures=["fer0000001.png", "fer0000009.png"])
    notes = []
    *left_out, face = read(tmp_path, notes)
    assert face.split == "test"
    for row, what in zip(left_out, bad.values(), strict=True):
        assert isinstance(row, LeftOut)
        assert what in row.what
    assert notes == ["left out 1 picture in FER2013Test that label.csv does not name: 'fer0000009.png'"]


def test_lists_without_pictures(tmp_path, write_folder):
    write_folder("FER2013Train", "fer0000001.png,10,0,0,0,0,0,0,0,0,0", pictures=())
    with pytest.raises(CorpusError, match=r"lists and no pictures; give fer2013\.csv with --ferplus"):
        read(tmp_path)


def test_other_folders(tmp_path):
    (tmp_path / "FER2013Train").mkdir()
    assert not FERPLUS_FOLDERS.looks_like(tmp_path)
    with pytest.raises(CorpusError, match=r"has none of FER2013Train/label\.csv"):
        read(tmp_path)
