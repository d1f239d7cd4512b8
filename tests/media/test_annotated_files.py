from pathlib import Path

from kaoiro.media.annotated_files import annotated_paths, is_annotated


def names(*pictures, folder="out"):
    return [str(path) for path in annotated_paths(map(Path, pictures), Path(folder)).values()]


def test_copies_keep_the_name_and_jpeg():
    assert names("x/a.JPG", "b.png", "c.gif") == [
        "out/a-expressions.jpg",
        "out/b-expressions.png",
        "out/c-expressions.png",
    ]


def test_pictures_of_one_name_get_numbers():
    assert names("x/a.jpg", "y/a.jpg", "z/A.jpeg") == [
        "out/a-expressions.jpg",
        "out/a-expressions-2.jpg",
        "out/A-expressions-3.jpg",
    ]


def test_no_copy_takes_the_place_of_a_picture():
    assert names("out/a-expressions.jpg", "out/a.jpg") == [
        "out/a-expressions-expressions.jpg",
        "out/a-expressions-2.jpg",
    ]


def test_earlier_copies_are_recognised():
    assert is_annotated(Path("out/a-expressions.jpg"), Path("out"))
    assert is_annotated(Path("./out/a-expressions-12.png"), Path("out"))
    assert not is_annotated(Path("in/a-expressions.jpg"), Path("out"))
    assert not is_annotated(Path("out/a.jpg"), Path("out"))
