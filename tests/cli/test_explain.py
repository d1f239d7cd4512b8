import shutil

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from kaoiro.cli.explain import explain
from kaoiro.errors import InputError
from kaoiro.media.images import load_image, save_image

APP = typer.Typer(pretty_exceptions_enable=False)
APP.command()(explain)


@pytest.fixture
def run(tiny_model_path, astronaut, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(astronaut, "photo.jpg")
    save_image(tmp_path / "nobody.png", np.zeros((40, 60, 3), np.uint8))

    def run_explain(*arguments):
        return CliRunner().invoke(APP, ["--model", str(tiny_model_path), "--covers", "4", *map(str, arguments)])

    return run_explain


def test_a_drawing_is_written(run, tmp_path):
    result = run("photo.jpg")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    first, last = result.stdout.splitlines()
    assert first.startswith("1  ")
    assert first.endswith("%")
    assert last == "wrote photo-explained.png"
    assert load_image(tmp_path / "photo-explained.png").shape[1] > 640


def test_another_expression_in_another_language(run, tmp_path):
    result = run("photo.jpg", "--expression", "fear", "--lang", "ja", "-o", "drawn/x.png")
    assert result.exit_code == 0, result.stderr
    assert "恐れ" in result.stdout
    assert (tmp_path / "drawn/x.png").is_file()


def test_a_picture_that_is_a_face(run):
    assert run("nobody.png", "--faces-are-crops").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nobody.png"], "no face was found in 'nobody.png'; --faces-are-crops"),
        (["photo.jpg", "--face", 7], "no face 7; the number of faces found is 1"),
        (["photo.jpg", "-o", "./photo.jpg"], "--output photo.jpg is the picture itself"),
        (["photo.jpg", "-o", "x.xyz"], "cannot write 'x.xyz': the suffix stands for no kind of picture"),
        (["missing.jpg"], "cannot read 'missing.jpg': there is no such file"),
        (["photo.jpg", "--expression", "joy"], "'joy' is none of"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_writes_nothing(run, tmp_path, arguments, line):
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = run(*arguments)
    assert isinstance(result.exception, InputError)
    assert line in str(result.exception)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
