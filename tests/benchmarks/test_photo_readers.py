import shutil
import sys

import numpy as np
import pytest

from kaoiro.errors import InputError
from kaoiro.recognition.recognizer import Recognizer
from peers.environments import ADAPTERS
from peers.photo_reader import PhotoFile, PhotoReader
from peers.photos import SIDE, photos, variants, write

# Counts a face for each 100 of brightness of the first pixel.
_ADAPTER = """
from reading_photos import serve_photos
serve_photos(lambda image: int(image[0, 0, 0]) // 100, ["Happy", "angry"], ("numpy",))
"""


def test_a_photo_goes_to_the_adapter_and_its_answer_comes_back(tmp_path):
    shutil.copy(ADAPTERS / "reading_photos.py", tmp_path)
    (tmp_path / "adapter.py").write_text(_ADAPTER)
    image = np.zeros((3, 5, 3), np.uint8)
    image[0, 0, 0] = 210
    image.tofile(tmp_path / "photo.rgb")
    with PhotoReader("test", [sys.executable, str(tmp_path / "adapter.py")]) as reader:
        answer = reader.read(PhotoFile(tmp_path / "photo.rgb", 5, 3))
    assert answer.faces == 2
    assert 0 < answer.seconds < 1
    assert 5 < answer.memory < 2000


def test_every_face_of_the_photos_is_counted_and_found(shared_photos, tmp_path):
    base = photos(shared_photos)
    assert {photo.faces for photo in base} == {1, 2, 3, 4, 5, 6}
    assert all(max(photo.image.shape[:2]) == SIDE for photo in base)
    recognizer = Recognizer()
    assert [len(recognizer.find_faces(photo.image)) for photo in base] == [photo.faces for photo in base]


def test_variants_differ(shared_photos, tmp_path):
    some = variants(photos(shared_photos), 40)
    files = [write(photo, tmp_path) for photo in some]
    assert len({path.read_bytes() for path in files}) == 40


def test_a_folder_without_the_photo(tmp_path):
    with pytest.raises(InputError, match="there is no solvay_conference_1927"):
        photos(tmp_path)
