"""Runs of `kaoiro predict` that are cut off, and resumed."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import typer
from pyarrow import parquet
from typer.testing import CliRunner

from kaoiro.cli.predict import predict
from kaoiro.errors import InputError
from kaoiro.media.images import save_image
from tiny_model import write_tiny_model

APP = typer.Typer(pretty_exceptions_enable=False)
APP.command()(predict)
SCRIPT = "import typer; from kaoiro.cli.predict import predict; typer.run(predict)"
KINDS = 11
"""So many different pictures there are; not a multiple of how many are classified together."""


@pytest.fixture
def run(tiny_model_path):
    def run_predict(*arguments, model=tiny_model_path):
        command = ["--model", str(model), "--faces-are-crops", *map(str, arguments)]
        return CliRunner().invoke(APP, command)

    return run_predict


@pytest.fixture
def crops(tmp_path, monkeypatch):
    """A folder of 20 different crops, `in/00.png` to `in/19.png`."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 14, 12, 3), np.uint8)
    for number, crop in enumerate(pixels):
        save_image(tmp_path / f"in/{number:02}.png", crop)
    return tmp_path


@pytest.fixture
def cut_off(run, crops):
    """Cut a run off by an annotated copy that cannot be written: that of `at`, by default the last but one."""

    def run_until(output, *arguments, at="18-expressions"):
        obstacle = crops / f"drawn/{at}.png"
        obstacle.mkdir(parents=True)
        result = run("in", "-o", output, "--annotate", "drawn", *arguments)
        assert "is a folder" in str(result.exception)
        obstacle.rmdir()
        assert (crops / f"{output}.journal").exists()
        assert not (crops / output).exists()

    return run_until


def records(journal):
    """The lines of a journal after the first."""
    return [json.loads(line) for line in journal.read_text().splitlines()[1:]]


@pytest.fixture
def many(crops):
    """A folder of pictures that take a while, three of which cannot be read."""
    shutil.rmtree("in")
    (crops / "in").mkdir()
    random = np.random.default_rng(1)
    for kind in range(KINDS):
        save_image(crops / f"kinds/{kind}.png", random.integers(0, 256, (350, 500, 3), np.uint8) // (kind + 1))
    for number in range(120):
        picture = crops / f"in/{number:03}.png"
        if number in (5, 60, 110):
            picture.write_text("no picture")
        else:
            os.link(crops / f"kinds/{number % KINDS}.png", picture)
    return crops


def stopped_half_way(signal_, model, output):
    """Run the command, stop it by a signal, and give its exit code and what it said."""
    command = [sys.executable, "-c", SCRIPT, "in", "--model", str(model), "--faces-are-crops", "-o", output]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    journal = Path(f"{output}.journal")
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size > 8_000) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal_)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


def test_a_killed_run_is_resumed_to_the_same_bytes(run, many, tiny_model_path):
    for suffix in ("jsonl", "csv", "parquet"):
        assert run("in", "-o", f"whole.{suffix}").exit_code == 1
    assert not list(many.glob("*.journal"))
    code, _ = stopped_half_way(signal.SIGKILL, tiny_model_path, "out.jsonl")
    assert code == -signal.SIGKILL
    assert not (many / "out.jsonl").exists()
    journal = many / "out.jsonl.journal"
    assert 16 < len(journal.read_bytes().splitlines()) < 120
    for suffix in ("csv", "parquet"):
        shutil.copy(journal, f"out.{suffix}.journal")
    # Were it read again, it would be missed.
    (many / "in/000.png").unlink()
    (many / "in/000.png").write_text("no picture")
    for suffix in ("jsonl", "csv", "parquet"):
        result = run("in", "-o", f"out.{suffix}", "--resume")
        assert result.exit_code == 1
        assert result.stderr.count("it is no picture") == 3
        assert (many / f"out.{suffix}").read_bytes() == (many / f"whole.{suffix}").read_bytes()
    assert not list(many.glob("*.journal"))
    assert not list(many.glob(".out*"))  # what the killed run left is gone too
    assert parquet.read_table("out.parquet").num_rows == 117


def test_a_run_that_ctrl_c_stopped_is_resumed_to_the_same_bytes(run, many, tiny_model_path):
    code, err = stopped_half_way(signal.SIGINT, tiny_model_path, "out.csv")
    assert code == 130
    held = (many / "out.csv").read_text().splitlines(keepends=True)
    said = f"kaoiro: stopped; 'out.csv' holds {len(held) - 1} of 120 pictures; --resume goes on"
    assert err.splitlines()[-1] == said
    assert 10 < len(held) < 118
    assert run("in", "-o", "out.csv", "--resume").exit_code == 1
    assert run("in", "-o", "whole.csv").exit_code == 1
    assert (many / "out.csv").read_bytes() == (many / "whole.csv").read_bytes()
    assert (many / "out.csv").read_text().startswith("".join(held))
    assert not (many / "out.csv.journal").exists()


def test_a_run_that_failed_is_resumed_with_the_same_copies(run, crops, cut_off):
    assert run("in", "-o", "whole.json", "--annotate", "whole").exit_code == 0
    cut_off("out.json")
    result = run("in", "-o", "out.json", "--annotate", "drawn", "--resume")
    assert (result.exit_code, result.stderr) == (0, "")
    assert (crops / "out.json").read_bytes() == (crops / "whole.json").read_bytes()
    copies = sorted(crops.glob("whole/*"))
    assert len(copies) == 20
    for copy in copies:
        assert (crops / "drawn" / copy.name).read_bytes() == copy.read_bytes()
    assert sorted(path.name for path in crops.iterdir()) == ["drawn", "in", "out.json", "whole", "whole.json"]


def test_pictures_of_faces_come_back_whole(crops, astronaut, tiny_model_path):
    """Landmarks and scores go through the journal, and an answer that is unsure."""
    shutil.rmtree("in")
    for number in range(9):
        (crops / "in").mkdir(exist_ok=True)
        shutil.copy(astronaut, crops / f"in/{number}.jpg")
    options = ["in", "--model", str(tiny_model_path), "--annotate", "drawn", "--min-confidence", "0.99", "--lang", "ja"]
    assert CliRunner().invoke(APP, [*options, "-o", "whole.jsonl"]).exit_code == 0
    (crops / "drawn/8-expressions.jpg").unlink()
    (crops / "drawn/8-expressions.jpg").mkdir()
    assert CliRunner().invoke(APP, [*options, "-o", "out.jsonl"]).exit_code != 0
    (crops / "drawn/8-expressions.jpg").rmdir()
    assert CliRunner().invoke(APP, [*options, "-o", "out.jsonl", "--resume"]).exit_code == 0
    assert (crops / "out.jsonl").read_bytes() == (crops / "whole.jsonl").read_bytes()
    (face,) = json.loads((crops / "out.jsonl").read_text().splitlines()[0])["faces"]
    assert (face["expression"], len(face["landmarks"])) == (None, 5)


def test_a_journal_is_not_overwritten(run, crops, cut_off):
    cut_off("out.csv")
    before = (crops / "out.csv.journal").read_bytes()
    error = run("in", "-o", "out.csv", "--annotate", "drawn").exception
    assert isinstance(error, InputError)
    assert "'out.csv.journal' holds what a run that was cut off has read; go on with --resume, or" in str(error)
    assert (crops / "out.csv.journal").read_bytes() == before


def test_a_journal_of_other_settings_is_refused(run, crops, cut_off, monkeypatch, tiny_model_path):
    cut_off("out.csv")
    before = (crops / "out.csv.journal").read_bytes()
    other = write_tiny_model(crops / "tiny.onnx", size=10)
    (crops / "elsewhere").mkdir()
    usual = ("in", "-o", crops / "out.csv", "--annotate", "drawn", "--resume")
    for arguments, model, folder, message in (
        (["--head", "fer2013"], None, ".", "(--head None then, fer2013 now)"),
        (["--head", "ferplus", "--contempt"], None, ".", "(--head None then, ferplus now; --contempt False then, True"),
        (["--annotate", "copies"], None, ".", "(--annotate drawn then, copies now)"),
        ([], other, ".", "(--model tiny (SHA-256 "),
        ([], None, "elsewhere", f"(working folder {crops} then, {crops}/elsewhere now)"),
    ):
        if folder != ".":
            shutil.copytree("in", f"{folder}/in")
        with monkeypatch.context() as there:
            there.chdir(folder)
            error = run(*usual, *arguments, **({"model": model} if model else {})).exception
        assert isinstance(error, InputError)
        assert "out.csv.journal', made with other settings" in str(error)
        assert message in str(error)
        assert "\n" not in str(error)
    assert before.startswith((crops / "out.csv.journal").read_bytes())  # but for the last few pictures
    same_model_elsewhere = shutil.copy(tiny_model_path, crops / "moved.onnx")
    assert run(*usual, model=same_model_elsewhere).exit_code == 0


def test_a_journal_of_other_sources_is_refused(run, crops, cut_off):
    cut_off("out.csv")
    result = run("in/1*.png", "-o", "out.csv", "--annotate", "drawn", "--resume")
    assert isinstance(result.exception, InputError)
    assert "it holds 'in/0" in str(result.exception)
    assert "which is not among these sources" in str(result.exception)
    assert run("in/1*.png", "in", "-o", "out.csv", "--annotate", "drawn", "--resume").exit_code == 0


def test_sources_may_have_grown_and_shrunk(run, crops, cut_off):
    """Copies keep their names, too, when a picture of the same name comes in before another one."""
    shutil.copytree("in", "in/a")
    shutil.copytree("in/a", "in/c")
    cut_off("out.csv", at="18-expressions-3")  # that of in/c/18.png
    drawn = {path: path.read_bytes() for path in crops.glob("drawn/0*")}
    (crops / "in/b").mkdir()
    shutil.copy("in/19.png", "in/b/03.png")
    (crops / "in/a/01.png").unlink()
    result = run("in", "-o", "out.csv", "--annotate", "drawn", "--resume")
    assert (result.exit_code, result.stderr) == (0, "")
    assert run("in", "-o", "whole.csv").exit_code == 0
    rows, whole = ([*csv.DictReader((crops / name).read_text().splitlines())] for name in ("out.csv", "whole.csv"))
    assert [row["picture"] for row in rows] == [row["picture"] for row in whole]
    assert len(rows) == 60
    confidences = [[float(row["confidence"]) for row in table] for table in (rows, whole)]
    assert confidences[0] == pytest.approx(confidences[1], abs=1e-6)
    assert all(path.read_bytes() == data for path, data in drawn.items())
    assert (crops / "drawn/03-expressions-4.png").exists()
    assert len(list(crops.glob("drawn/*"))) == 61


def test_pictures_that_could_not_be_read_are_tried_again(run, crops, cut_off):
    good = (crops / "in/02.png").read_bytes()
    for bad in ("02", "04"):
        (crops / f"in/{bad}.png").write_text("no picture")
    cut_off("out.jsonl", at="09-expressions")
    assert [one["picture"] for one in records(crops / "out.jsonl.journal") if "error" in one] == [
        "in/02.png",
        "in/04.png",
    ]
    (crops / "in/02.png").write_bytes(good)
    result = run("in", "-o", "out.jsonl", "--annotate", "drawn", "--resume")
    assert result.exit_code == 1
    assert result.stderr == "kaoiro: cannot read 'in/04.png': it is no picture in a known format\n"
    names = [json.loads(line)["picture"] for line in (crops / "out.jsonl").read_text().splitlines()]
    assert names == [f"in/{number:02}.png" for number in range(20) if number != 4]


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda data: data[:-30], None),
        (lambda data: data[:-1], None),
        (lambda data: data + b"\0" * 500, None),
        (lambda data: data.replace(b'"in/03.png", "faces": [{"box"', b'"in/03.png", "faces": [{"bux"'), 5),
        (lambda data: data.replace(b"in/12.png", b"in/12\0png"), 14),
        (lambda data: data + b"null\n", -1),
    ],
    ids=["half a line", "no line end", "zeros", "other keys", "no JSON", "other JSON"],
)
def test_what_is_damaged_is_read_again(run, crops, cut_off, damage, line):
    assert run("in", "-o", "whole.csv").exit_code == 0
    cut_off("out.csv")
    journal = crops / "out.csv.journal"
    lines = len(journal.read_bytes().splitlines())
    damaged = damage(journal.read_bytes())
    assert damaged != journal.read_bytes()
    journal.write_bytes(damaged)
    result = run("in", "-o", "out.csv", "--annotate", "drawn", "--resume")
    assert result.exit_code == 0
    line = lines + 1 if line == -1 else line
    said = f"kaoiro: 'out.csv.journal' is damaged from line {line} on; pictures from there on are read again\n"
    assert result.stderr == ("" if line is None else said)
    assert (crops / "out.csv").read_bytes() == (crops / "whole.csv").read_bytes()
    assert not journal.exists()


@pytest.mark.parametrize("content", ["shopping list\n", '{"journal": "of a ship"}\n', '[{"picture": "a.jpg"}]\n', "\0"])
def test_a_file_that_is_no_journal_stays(run, crops, content):
    (crops / "out.csv.journal").write_text(content)
    for arguments, message in (([], "go on with --resume"), (["--resume"], "is no journal that can be resumed from")):
        error = run("in", "-o", "out.csv", *arguments).exception
        assert isinstance(error, InputError)
        assert message in str(error)
    assert (crops / "out.csv.journal").read_text() == content
    assert not (crops / "out.csv").exists()


def test_where_there_is_nothing_to_resume_a_run_begins(run, crops):
    (crops / "out.csv.journal").touch()  # as a power cut may leave it
    result = run("in", "-o", "out.csv", "--resume")
    assert result.exit_code == 0
    assert result.stderr == "kaoiro: there is no 'out.csv.journal' to resume from; beginning with the first picture\n"
    assert sorted(path.name for path in crops.iterdir()) == ["in", "out.csv"]


def test_only_a_file_can_be_resumed(run, crops):
    assert "--resume needs --output" in str(run("in", "--resume").exception)
