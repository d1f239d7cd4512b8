from pathlib import Path

import pytest

from kaoiro.errors import InputError
from kaoiro.files import atomic_path, check_outputs, kind_of


def test_what_was_written_becomes_the_target(tmp_path):
    target = tmp_path / "new" / "folder" / "a.txt"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".txt"
        assert temporary.name.startswith(".")
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_target_as_it_was(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="early"), atomic_path(tmp_path / "a.txt"):
        raise ValueError("early")
    assert list(tmp_path.iterdir()) == []


def test_writers_do_not_meet(tmp_path):
    target = tmp_path / "a.txt"
    with atomic_path(target) as first, atomic_path(target) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"  # whoever ends last


def test_outputs_that_meet_nothing_are_fine(tmp_path):
    (tmp_path / "old.png").touch()
    check_outputs({"the corpus": tmp_path / "none"}, {"--a": tmp_path / "old.png", "--b": tmp_path / "b", "--c": None})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("c", "--b .*/c is the corpus itself, and would overwrite it; give another file"),
        ("link", "--b .*/link is the corpus itself"),
        ("missing", "--b .*/missing is the table itself"),
        ("a", "--a and --b would both be written to .*/a; give two files"),
        (".", "cannot write .*: it is a folder"),
    ],
)
def test_outputs_that_meet_inputs_or_each_other(tmp_path, name, message):
    (tmp_path / "c").touch()
    (tmp_path / "link").symlink_to(tmp_path / "c")
    sources = {"the corpus": tmp_path / "c", "the table": tmp_path / "missing"}
    with pytest.raises(InputError, match=message):
        check_outputs(sources, {"--a": tmp_path / "a", "--b": tmp_path / name})


def test_a_folder_that_is_made_meanwhile_is_a_folder(tmp_path, monkeypatch):
    """Whatever another thread does between two looks at a path, it is never taken for something that it never was."""
    folder, looks = tmp_path / "made", []
    look = Path.stat

    def stat_and_make(path, **options):
        try:
            return look(path, **options)
        finally:
            if path == folder and not looks:
                looks.append(path)
                folder.mkdir()

    monkeypatch.setattr(Path, "stat", stat_and_make)
    assert kind_of(folder) == "missing"
    assert looks
    assert kind_of(folder) == "folder"
