import numpy as np
import pytest

from kaoiro.errors import ImageError
from kaoiro.media.images import save_image
from kaoiro.recognition.many import read_pictures
from kaoiro.recognition.recognizer import Recognizer


@pytest.fixture(scope="module")
def recognizer(tiny_model_path):
    return Recognizer(tiny_model_path)


def test_a_bad_picture_stops_nothing(recognizer, astronaut, tmp_path):
    save_image(tmp_path / "black.png", np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "bad.jpg").write_text("no picture")
    pictures = [tmp_path / "black.png", tmp_path / "bad.jpg", astronaut]
    black, bad, person = read_pictures(recognizer, pictures)
    assert [reading.picture for reading in (black, bad, person)] == pictures
    assert black.faces == bad.faces == []
    assert black.error is person.error is None
    assert isinstance(bad.error, ImageError)
    assert person.faces == recognizer.predict(astronaut)
    assert person.to_dict() == {"picture": str(astronaut), "faces": [person.faces[0].to_dict()]}


def test_pictures_may_be_faces_already_cut_out(recognizer, tmp_path):
    save_image(tmp_path / "face.png", np.full((10, 12, 3), 99, np.uint8))
    (reading,) = read_pictures(recognizer, [tmp_path / "face.png"], faces_are_crops=True, threads=1)
    assert reading.faces[0].box == (0, 0, 12, 10)


def test_many_pictures_are_read_in_order(recognizer, tmp_path):
    pictures = [tmp_path / f"{number}.png" for number in range(40)]
    for number, picture in enumerate(pictures, start=1):
        save_image(picture, np.zeros((number, 50, 3), np.uint8))
    readings = list(read_pictures(recognizer, pictures, faces_are_crops=True))
    assert [reading.picture for reading in readings] == pictures
    assert [reading.faces[0].box[3] for reading in readings] == list(range(1, 41))
