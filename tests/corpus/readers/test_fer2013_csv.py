import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from kaoiro.corpus.labelled_face import LeftOut
from kaoiro.corpus.readers.fer2013_csv import read_fer2013_csv
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.errors import CorpusError
from kaoiro.expressions import VOTE_NAMES, Expression

VOTE_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def read(path, ferplus=None, **options):
    return read_fer2013_csv(path, ReadOptions(ferplus=ferplus, **options)).rows


def csv_row(emotion=3, pixels=None, usage="Training"):
    """A line of fer2013.csv, by default with a face of one grey."""
    pixels = [128] * 48 * 48 if pixels is None else pixels
    return f"{emotion},{' '.join(str(int(pixel)) for pixel in np.ravel(pixels))},{usage}"


def pixels_of(face):
    return np.asarray(Image.open(io.BytesIO(face.image_bytes)))


def read_one(path, ferplus=None):
    (face,) = read(path, ferplus)
    return face


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    largest=st.sampled_from([0, 1, 9, 10, 99, 100, 255]),
    count=st.integers(1, 3),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_pixels_come_back(write_csv, seed, largest, count, end):
    written = np.random.default_rng(seed).integers(0, largest, (count, 48, 48), endpoint=True)
    faces = list(read(write_csv(*(csv_row(pixels=face) for face in written), end=end)))
    assert [face.source for face in faces] == [f"fer2013.csv:{line}" for line in range(2, 2 + count)]
    np.testing.assert_array_equal([pixels_of(face) for face in faces], written)


@pytest.mark.parametrize(
    ("number", "expression"),
    # the classes as Kaggle's page lists them
    list(enumerate(["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"])),
)
def test_emotions(write_csv, number, expression):
    assert read_one(write_csv(csv_row(emotion=number))).label == expression


@pytest.mark.parametrize(
    ("usage", "split"), [("Training", "train"), ("PublicTest", "validation"), ("PrivateTest", "test")]
)
def test_usages_are_the_official_splits(write_csv, usage, split):
    assert read_one(write_csv(csv_row(usage=usage))).split == split


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (
            "emotion, Usage, pixels",
            "4, PublicTest, {pixels}",
        ),  # another order, spaces: Kaggle's icml_face_data.csv
        ("\ufeffemotion,pixels,Usage", "4,{pixels},PublicTest"),  # a byte order mark
        ('"emotion","pixels","Usage"', '"4","{pixels}","PublicTest"'),  # everything quoted
        ("id,EMOTION,pixels,usage", "9,4,{pixels},publictest"),  # a column more, other capitals
    ],
)
def test_headers(write_csv, header, row):
    pixels = np.arange(48 * 48) % 256
    face = read_one(write_csv(row.format(pixels=" ".join(map(str, pixels))), header=header))
    assert (face.label, face.split) == (Expression.SADNESS, "validation")
    np.testing.assert_array_equal(pixels_of(face).ravel(), pixels)


GREYS = "128 " * 2303


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (csv_row(pixels=[1] * 2303), "2304 pixels are expected, and there are 2303"),
        (csv_row(pixels=[1] * 2305), "2304 pixels are expected, and there are 2305"),
        ("3,,Training", "2304 pixels are expected, and there are 0"),
        (csv_row(pixels=[0] * 2303 + [256]), "the pixel '256' is not a whole number from 0 to 255"),
        (f"3,{GREYS}-1,Training", "the pixel '-1' is not a whole number from 0 to 255"),
        (f"3,{GREYS}1.5,Training", "the pixel '1.5' is not a whole number from 0 to 255"),
        (f"3,{GREYS}cat,Training", "the pixel 'cat' is not a whole number from 0 to 255"),
        (f"3,{GREYS}{'9' * 40},Training", "is not a whole number from 0 to 255"),
        (f"3,{GREYS}\x0b1,Training", "is not a whole number from 0 to 255"),
        (csv_row(emotion=7), "the emotion '7' is not one of 0 to 6"),
        (csv_row(emotion="bored"), "the emotion 'bored' is not one of 0 to 6"),
        (csv_row(usage="Trial"), "the Usage 'Trial' is not one of Training, PublicTest, PrivateTest"),
        ("3,1 2 3", "3 columns are expected, and there are 2"),
        (
            '3,"1 2 3,Training\n',
            "2304 pixels are expected",
        ),  # a stray quotation mark takes no other row along
    ],
)
def test_a_bad_row_is_left_out_and_the_next_is_read(write_csv, row, what):
    path = write_csv(csv_row(), row, csv_row())
    before, bad, after = read(path)
    assert isinstance(bad, LeftOut)
    assert bad.where == f"{path}:3"
    assert what in bad.what
    assert before.image_bytes == after.image_bytes


def test_blank_lines_are_passed_over_and_counted_as_lines(write_csv):
    faces = read(write_csv("", csv_row(), "  ", csv_row(), ""))
    assert [face.source for face in faces] == ["fer2013.csv:3", "fer2013.csv:5"]


def test_progress_goes_from_0_to_1(write_csv):
    told = []
    list(read(write_csv(*[csv_row()] * 5), on_progress=told.append))
    assert told == sorted(told)
    assert 0 < told[0] < 0.3
    assert 0.99 < told[-1] <= 1


def test_votes_are_put_in_the_order_of_vote_names(write_csv):
    ferplus = write_csv("Training,fer0000123.png,0,1,2,3,4,5,6,7,8,9", header=VOTE_HEADER, name="fer2013new.csv")
    face = read_one(write_csv(csv_row()), ferplus)
    by_name = dict(zip(VOTE_NAMES, face.votes, strict=True))
    assert by_name == {
        "neutral": 0, "happiness": 1, "surprise": 2, "sadness": 3, "anger": 4, "disgust": 5, "fear": 6,
        "contempt": 7, "unknown": 8, "not-a-face": 9,
    }  # fmt: skip
    assert face.name == "fer0000123.png"


def test_without_a_name_a_face_is_named_by_its_row(write_csv):
    ferplus = write_csv(*["Training,,0,0,0,0,0,0,0,0,0,10"] * 2, header=VOTE_HEADER, name="fer2013new.csv")
    faces = read(write_csv(csv_row(), csv_row()), ferplus)
    assert [face.name for face in faces] == ["fer0000000.png", "fer0000001.png"]


@pytest.mark.parametrize("votes", ["0,0,0,x,0,0,0,0,0,0", "0,0,0,-1,0,0,0,0,0,0", "0,0,0,256,0,0,0,0,0,0"])
def test_bad_votes_are_left_out(write_csv, votes):
    ferplus = write_csv(f"Training,a.png,{votes}", header=VOTE_HEADER, name="fer2013new.csv")
    bad = read_one(write_csv(csv_row()), ferplus)
    assert bad.where == f"{ferplus}:2"
    assert bad.what.startswith("the votes for sadness must be a number from 0 to 255")


def test_votes_on_other_pictures(write_csv):
    ferplus = write_csv("PublicTest,a.png,0,0,0,0,0,0,0,0,0,0", header=VOTE_HEADER, name="fer2013new.csv")
    with pytest.raises(CorpusError, match=r"fer2013.csv:2 is of the split train and .*new.csv:2 of validation"):
        read_one(write_csv(csv_row()), ferplus)


@pytest.mark.parametrize(("faces", "votes", "shorter"), [(2, 1, "fer2013new.csv"), (1, 2, "fer2013.csv")])
def test_votes_of_another_number_of_rows(write_csv, faces, votes, shorter):
    rows = ["Training,a.png,0,0,0,0,0,0,0,0,0,0"] * votes
    ferplus = write_csv(*rows, header=VOTE_HEADER, name="fer2013new.csv")
    with pytest.raises(CorpusError, match=f"{shorter} ends after 1 rows"):
        list(read(write_csv(*[csv_row()] * faces), ferplus))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"name,age\nx,3\n", "is not a FER2013 CSV file: its first line lacks the column 'emotion'"),
        (b"emotion,pixels\n", "lacks the column 'usage'"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is not a FER2013 CSV file"),
        (b"a" * 100_000, "is not a FER2013 CSV file"),
    ],
)
def test_files_of_another_kind(tmp_path, content, message):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        read(path)


@pytest.mark.parametrize("opened_before", [0, 1])  # at the header, at the rows
def test_a_file_that_cannot_be_read(write_csv, monkeypatch, opened_before):
    path = write_csv(csv_row())
    opened = []
    open_file = Path.open

    def refuse(self, *arguments):
        opened.append(self)
        if len(opened) > opened_before:
            raise PermissionError(13, "Permission denied")
        return open_file(self, *arguments)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CorpusError, match=r"cannot read .*fer2013.csv: Permission denied"):
        list(read(path))


def test_a_ferplus_file_of_another_kind(write_csv):
    path = write_csv(csv_row())
    with pytest.raises(CorpusError, match=r"is not a FERPlus CSV file .*lacks the column 'anger'$"):
        read(path, path)


def test_real_fer2013(fer2013_sample):
    folder, sample = fer2013_sample
    faces = list(read(folder / "fer2013.csv", folder / "fer2013new.csv"))
    np.testing.assert_array_equal([pixels_of(face) for face in faces], sample["images"].reshape(-1, 48, 48))
    assert [list(Expression).index(face.label) for face in faces] == sample["labels"].tolist()
    assert [("train", "validation", "test").index(face.split) for face in faces] == sample["usage"].tolist()
    columns = [
        "neutral",
        "happiness",
        "surprise",
        "sadness",
        "anger",
        "disgust",
        "fear",
        "contempt",
        "unknown",
    ]
    by_name = [dict(zip([*columns, "not-a-face"], votes, strict=True)) for votes in sample["ferplus"].tolist()]
    assert [dict(zip(VOTE_NAMES, face.votes, strict=True)) for face in faces] == by_name
