import pytest

from kaoiro.errors import InputError
from kaoiro.media.sources import pictures_at


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in (
        *("b.jpg", "a.PNG", "notes.txt", "x[1].jpg", "sub/c.webp", "sub/deep/d.tiff"),
        *(".hidden/e.jpg", "sub/._c.jpg"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "folder.jpg").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (".", ["a.PNG", "b.jpg", "sub/c.webp", "sub/deep/d.tiff", "x[1].jpg"]),
        ("sub", ["sub/c.webp", "sub/deep/d.tiff"]),
        ("*.jpg", ["b.jpg", "x[1].jpg"]),
        ("**/*", ["a.PNG", "b.jpg", "sub/c.webp", "sub/deep/d.tiff", "x[1].jpg"]),
        ("sub/**/*.t*", ["sub/deep/d.tiff"]),
        # a file is taken as it is named, be the name like a pattern or its suffix no picture's
        ("x[1].jpg", ["x[1].jpg"]),
        ("notes.txt", ["notes.txt"]),
    ],
)
def test_sources_stand_for_pictures(folder, source, expected):
    assert [path.as_posix() for path in pictures_at(source)] == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nope.jpg", "cannot read 'nope.jpg': there is no such file"),
        ("nope/*.jpg", "no picture matches the pattern 'nope/\\*.jpg'"),
        ("folder.jpg", "no pictures in the folder 'folder.jpg'"),
    ],
)
def test_sources_that_stand_for_nothing_are_told(folder, source, message):
    with pytest.raises(InputError, match=message):
        pictures_at(source)


def test_absolute_patterns_are_taken(folder):
    assert pictures_at(f"{folder}/*.PNG") == [folder / "a.PNG"]


def test_links_in_a_circle_end(folder):
    (folder / "sub/circle").symlink_to(folder, target_is_directory=True)
    assert len(pictures_at(folder)) == 5
