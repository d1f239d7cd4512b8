import pytest

from corpus.layout_fixtures import write_jaffe
from kaoiro.corpus.label_names import parse_label_map
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Skipped
from kaoiro.corpus.layouts import layout_of
from kaoiro.corpus.readers.jaffe import read_jaffe
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.errors import CorpusError


def read(source, **options):
    return list(read_jaffe(source, ReadOptions(**options)).rows)


@pytest.mark.parametrize(
    ("name", "subject", "label"),
    [
        ("KA.AN1.39.tiff", "KA", "anger"),
        ("TM.SU3.192.tif", "TM", "surprise"),
        ("KL.NE2.156.jpg", "KL", "neutral"),  # turned into another format
        ("KR-DI3-88.png", "KR", "disgust"),
        ("MK_HA2_117.png", "MK", "happiness"),
        ("UYSA1142.png", "UY", "sadness"),
        ("ym.fe4.70.png", "YM", "fear"),
        ("fear/NM.FE1.110.png", "NM", "fear"),  # sorted into folders
    ],
)
def test_names(tmp_path, save_picture, name, subject, label):
    save_picture(name)
    (face,) = read(tmp_path)
    assert (face.group, face.label, face.split, face.source) == (subject, label, None, name)
    assert layout_of(tmp_path).name == "jaffe"


def test_other_names_are_noted_once(tmp_path, save_picture):
    write_jaffe(tmp_path)
    for name in ("jaffe/KA.XX1.39.tiff", "jaffe/average.png"):
        save_picture(name)
    notes = []
    assert len(read(tmp_path, on_note=notes.append)) == 8
    assert notes == [
        f"left out 2 pictures in {tmp_path}, not named like KA.AN1.39.tiff: 'jaffe/KA.XX1.39.tiff' and others"
    ]


def test_a_map_and_a_broken_picture(tmp_path):
    write_jaffe(tmp_path)
    (tmp_path / "jaffe/KA.AN1.39.tiff").write_bytes(b"II*\0")
    rows = read(tmp_path, names=parse_label_map(["fe=none"]))
    assert [type(row) for row in rows] == [LeftOut, LabelledFace, Skipped, *[LabelledFace] * 5]


@pytest.mark.parametrize("name", ["happy/man_12.png", "AF01ANS.png", "image1.png", "S010_004_00000017.png"])
def test_other_corpora_are_not_taken_for_it(tmp_path, save_picture, name):
    save_picture(name)
    assert layout_of(tmp_path).name != "jaffe"
    with pytest.raises(CorpusError, match="it has no picture of a name such as"):
        read(tmp_path)
