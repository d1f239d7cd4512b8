import threading
import time

import numpy as np
import pytest

from kaoiro.errors import ImageError
from kaoiro.media.drawing import draw
from kaoiro.media.images import load_image, save_image
from kaoiro.recognition import many
from kaoiro.recognition.many import annotate_pictures, read_pictures
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


def test_only_a_few_pictures_are_looked_at_ahead_of_the_results(recognizer, tmp_path):
    save_image(tmp_path / "face.png", np.full((10, 12, 3), 99, np.uint8))
    drawn = 0

    def endless():
        nonlocal drawn
        while True:
            drawn += 1
            yield tmp_path / "face.png"

    readings = read_pictures(recognizer, endless(), faces_are_crops=True, threads=2)
    for _ in range(5):
        next(readings)
    assert drawn < 60
    threads = threading.active_count()
    readings.close()
    assert threading.active_count() == threads - 2


def test_errors_and_faces_keep_their_places_in_a_long_folder(recognizer, astronaut, tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    save_image(tmp_path / "black.png", np.zeros((40, 40, 3), np.uint8))
    kinds = [astronaut, tmp_path / "bad.jpg", tmp_path / "black.png", astronaut, astronaut, tmp_path / "bad.jpg"] * 3
    readings = list(read_pictures(recognizer, kinds, threads=3))
    assert [reading.picture for reading in readings] == kinds
    assert [reading.error is not None for reading in readings] == [kind.name == "bad.jpg" for kind in kinds]
    assert [len(reading.faces) for reading in readings] == [int(kind == astronaut) for kind in kinds]
    for reading in readings:
        for face in reading.faces:
            assert face.box == readings[0].faces[0].box
            assert list(face.probabilities.values()) == pytest.approx(
                list(readings[0].faces[0].probabilities.values()), abs=1e-6
            )


def test_no_more_pixels_are_decoded_at_a_time_than_there_is_room_for(monkeypatch, recognizer, tmp_path):
    sizes = [(100, 40), (30, 40), (50, 50), (300, 60), (10, 10), (60, 30)] * 4
    pictures = [tmp_path / f"{number}.png" for number in range(len(sizes))]
    for picture, size in zip(pictures, sizes, strict=True):
        save_image(picture, np.zeros((*size, 3), np.uint8))
    monkeypatch.setattr(many, "_PIXELS_A_THREAD", 2000)
    lock = threading.Lock()
    held, most, together = 0, 0, 0

    def slow(image):
        nonlocal held, most, together
        pixels = image.shape[0] * image.shape[1]
        with lock:
            held += pixels
            most = max(most, held)
            together = max(together, held * (held > pixels))
        time.sleep(0.003)
        with lock:
            held -= pixels
        return see_crop(image)

    see_crop = recognizer.see_crop
    monkeypatch.setattr(recognizer, "see_crop", slow)
    readings = list(read_pictures(recognizer, pictures, faces_are_crops=True, threads=3))
    assert [reading.faces[0].box[3] for reading in readings] == [size[0] for size in sizes]
    assert most == 300 * 60
    assert 0 < together <= 6000


def test_annotated_copies_hold_what_was_read(recognizer, astronaut, tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    copies = {astronaut: tmp_path / "out/copy.png", tmp_path / "bad.jpg": tmp_path / "out/bad.png"}
    readings = list(annotate_pictures(read_pictures(recognizer, copies), copies, "ja"))
    assert [reading.error is None for reading in readings] == [True, False]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["copy.png"]
    expected = draw(load_image(astronaut), readings[0].faces, "ja")
    assert np.array_equal(load_image(tmp_path / "out/copy.png"), expected)
