import csv
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import typer
from pyarrow import parquet
from typer.testing import CliRunner

from kaoiro.cli.predict import predict
from kaoiro.errors import InputError
from kaoiro.expressions import SEVEN
from kaoiro.media.images import load_image, save_image
from kaoiro.parallel import available_cores
from kaoiro.recognition.recognizer import Recognizer

APP = typer.Typer(pretty_exceptions_enable=False)
APP.command()(predict)
SCRIPT = "import typer; from kaoiro.cli.predict import predict; typer.run(predict)"


@pytest.fixture
def pictures(astronaut, tmp_path, monkeypatch):
    """A folder with one person's photo, a picture of nobody, and a file that is no picture."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    shutil.copy(astronaut, "in/astronaut.jpg")
    save_image(tmp_path / "in/nobody.png", np.zeros((40, 60, 3), np.uint8))
    (tmp_path / "bad.jpg").write_text("no picture")
    return tmp_path


@pytest.fixture
def run(tiny_model_path):
    def run_predict(*arguments, model=tiny_model_path):
        return CliRunner().invoke(APP, ["--model", str(model), *map(str, arguments)])

    return run_predict


def test_a_table_is_printed(run, pictures):
    result = run("in")
    assert result.exit_code == 0
    assert result.stderr == ""
    header, _, person, nobody = (line.split() for line in result.stdout.splitlines())
    assert header[:4] == ["picture", "face", "expression", "confidence"]
    assert person[:2] == ["in/astronaut.jpg", "1"]
    assert nobody == ["in/nobody.png", "no", "face", "found"]


def test_a_table_in_a_pipe_cuts_nothing_off(run, pictures):
    deep = pictures / ("long-folder-name-" * 8) / ("long-picture-name-" * 8 + ".png")
    save_image(deep, np.zeros((10, 10, 3), np.uint8))
    assert str(deep) in run(deep).stdout


def test_json_is_unrounded(run, pictures, tiny_model_path):
    person, nobody = json.loads(run("in", "--format", "json").stdout)
    expected = Recognizer(tiny_model_path).predict(pictures / "in/astronaut.jpg")
    assert person == {"picture": "in/astronaut.jpg", "faces": [face.to_dict() for face in expected]}
    assert nobody == {"picture": "in/nobody.png", "faces": []}


def test_json_lines_hold_one_picture_each(run, pictures):
    lines = run("in", "--format", "jsonl").stdout.splitlines()
    assert [len(json.loads(line)["faces"]) for line in lines] == [1, 0]


def test_csv_holds_one_face_a_row(run, pictures):
    person, nobody = csv.DictReader(io.StringIO(run("in", "--format", "csv", "--contempt").stdout))
    assert person["face"] == "1"
    names = list(person)[-8:]
    assert names[0] == "anger"
    assert names[-1] == "contempt"
    assert sum(float(person[name]) for name in names) == pytest.approx(1)
    assert float(person[person["expression"]]) == float(person["confidence"])
    assert nobody == dict.fromkeys(person, "") | {"picture": "in/nobody.png"}


@pytest.mark.parametrize("format_", ["table", "json", "jsonl", "csv"])
def test_bad_pictures_are_reported_and_the_others_read(run, pictures, format_):
    result = run("nope.jpg", "bad.jpg", "in", "*.gif", "--format", format_)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "kaoiro: cannot read 'nope.jpg': there is no such file",
        "kaoiro: no picture matches the pattern '*.gif'",
        "kaoiro: cannot read 'bad.jpg': it is no picture in a known format",
    ]
    assert "astronaut.jpg" in result.stdout
    assert "bad" not in result.stdout


def test_where_no_picture_can_be_read_the_exit_code_is_2(run, pictures):
    assert run("bad.jpg").exit_code == 2
    assert run("nope.jpg").exit_code == 2
    result = run("bad.jpg", "nope.jpg", "--format", "json")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == []


def test_long_messages_stay_on_one_line(run, pictures):
    name = "x" * 200 + ".jpg"
    assert run(name).stderr == f"kaoiro: cannot read '{name}': there is no such file\n"


def test_usage_errors(run, pictures):
    assert run().exit_code == 2
    assert run("in", "--format", "xml").exit_code == 2
    assert run("in", "--min-detection-score", "2").exit_code == 2
    assert run("in", "--annotate", "bad.jpg").exit_code == 2
    for wrong in (["--head", "nope"], ["--head", "fer2013", "--contempt"]):
        assert isinstance(run("in", *wrong).exception, InputError)
    assert "unknown model 'nope'" in str(run("in", model="nope").exception)


def test_a_picture_named_twice_is_read_once(run, pictures):
    result = run("in/astronaut.jpg", "in", "in/*.jpg", "--format", "jsonl")
    assert len(result.stdout.splitlines()) == 2


def test_names_are_shown_as_they_are(run, pictures):
    name = "[bold]:smile: 顔.png"
    save_image(pictures / name, np.zeros((10, 10, 3), np.uint8))
    assert name in run(name).stdout
    assert json.loads(run(name, "--format", "jsonl").stdout)["picture"] == name
    assert "'[bold]:smile: x.png'" in run("[bold]:smile: x.png", "in").stderr


def test_options_reach_the_recogniser(run, pictures):
    save_image(pictures / "crop.png", np.full((30, 20, 3), 255, np.uint8))

    def face(*options):
        return json.loads(run("crop.png", "--faces-are-crops", "--format", "jsonl", *options).stdout)["faces"][0]

    assert face()["box"] == [0, 0, 20, 30]
    assert len(face()["probabilities"]) == 7
    assert len(face("--contempt")["probabilities"]) == 8
    assert face("--head", "fer2013")["expression"] == "anger"
    assert face("--flip-averaging", "--device", "cpu")["probabilities"] == pytest.approx(face()["probabilities"])
    person = run("in/astronaut.jpg", "--min-detection-score", "0.99")
    assert "no face found" in person.stdout


def test_annotated_copies_are_written_beside_nothing_of_ones_own(run, pictures):
    (pictures / "other").mkdir()
    shutil.copy(pictures / "in/astronaut.jpg", "other/astronaut.jpg")
    before = (pictures / "in/astronaut.jpg").read_bytes()
    for _ in range(2):  # the second time, the copies are no pictures to read, and are written again
        result = run("in", "other", "--annotate", "in")
        assert result.exit_code == 0
        assert len(result.stdout.splitlines()) == 5
    assert sorted(path.name for path in (pictures / "in").iterdir()) == [
        "astronaut-expressions-2.jpg",
        "astronaut-expressions.jpg",
        "astronaut.jpg",
        "nobody-expressions.png",
        "nobody.png",
    ]
    assert (pictures / "in/astronaut.jpg").read_bytes() == before
    drawn, plain = (load_image(pictures / "in" / f"{name}.jpg") for name in ("astronaut-expressions", "astronaut"))
    assert drawn.shape == plain.shape
    assert np.abs(drawn.astype(int) - plain).max() > 100


def test_pictures_with_damaged_exif_are_read_without_a_word(pictures, tiny_model_path):
    from PIL import Image

    Image.new("RGB", (30, 30)).save("exif.jpg", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff nonsense")
    command = [sys.executable, "-c", SCRIPT, "exif.jpg", "--model", str(tiny_model_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""


def test_a_closed_pipe_ends_quietly(pictures, tiny_model_path):
    command = [sys.executable, "-c", SCRIPT, "in", "--format", "jsonl", "--model", str(tiny_model_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_ctrl_c_leaves_valid_json(pictures, tiny_model_path):
    large = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    save_image(pictures / "many/0.png", large)
    for number in range(1, 300):
        os.link("many/0.png", f"many/{number}.png")
    for format_ in ("jsonl", "json"):
        command = [sys.executable, "-c", SCRIPT, "many", "-f", format_, "--model", str(tiny_model_path)]
        command += ["--annotate", "out"]
        # Where these tests run in the background, Ctrl-C is ignored, and so it would be here.
        with_ctrl_c = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=with_ctrl_c
        )
        deadline = time.monotonic() + 20
        # Copies are written a few pictures ahead of the lines.
        while (
            len(list(pictures.glob("out/*-expressions*.png"))) < 2 + available_cores() and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "Traceback" not in err
        readings = json.loads(out) if format_ == "json" else [json.loads(line) for line in out.splitlines()]
        assert 1 <= len(readings) < 300
        assert not list(pictures.glob("out/*.partial*"))
        shutil.rmtree("out")


def test_a_progress_bar_is_shown_on_a_terminal_from_30_pictures_on(pictures, tiny_model_path):
    for number in range(40):
        save_image(pictures / f"many/{number}.png", np.zeros((20, 20, 3), np.uint8))

    def stderr_on_a_terminal(source):
        leader, follower = pty.openpty()
        command = [sys.executable, "-c", SCRIPT, source, "-f", "json", "--model", str(tiny_model_path)]
        environment = {**os.environ, "TERM": "xterm"}
        process = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, env=environment, check=True)
        os.close(follower)
        json.loads(process.stdout)
        shown = b""
        try:
            while chunk := os.read(leader, 4096):
                shown += chunk
        except OSError:  # how Linux ends reading from a terminal that was closed
            pass
        os.close(leader)
        return shown

    assert b"reading" in stderr_on_a_terminal("many")
    assert stderr_on_a_terminal("in") == b""


def test_unsure_answers(run, pictures):
    save_image(pictures / "crop.png", np.full((30, 20, 3), 30, np.uint8))

    def unsure(format_):
        return run("crop.png", "--faces-are-crops", "--min-confidence", "0.9", "--format", format_).stdout

    (face,) = json.loads(unsure("jsonl"))["faces"]
    assert face["expression"] is None
    assert 0.1 < face["confidence"] == max(face["probabilities"].values()) < 0.9
    (row,) = csv.DictReader(io.StringIO(unsure("csv")))
    assert row["expression"] == ""
    assert float(row["confidence"]) == face["confidence"]
    likeliest = max(face["probabilities"], key=face["probabilities"].get)
    assert f"unsure ({likeliest} {face['confidence']:.1%})" in unsure("table")
    assert run("crop.png", "--faces-are-crops", "--min-confidence", "0.9", "--annotate", "out").exit_code == 0
    assert run("crop.png", "--min-confidence", "2").exit_code == 2


def test_priors(run, pictures):
    def disgust(*options):
        arguments = ("in/astronaut.jpg", "--format", "jsonl", *options)
        return json.loads(run(*arguments, model="kaoiro-s").stdout)["faces"][0]["probabilities"]["disgust"]

    all_alike = ",".join(f"{one}=3" for one in SEVEN)
    assert disgust("--prior", "balanced") == pytest.approx(disgust("--prior", all_alike))
    assert disgust("--prior", "balanced") > disgust()
    assert disgust("--prior", "natural") == disgust()
    for prior, message in (
        ("balanced", "of the model 'tiny' does not say how frequent"),
        ("happiness=0.5,neutral=0.5", "says nothing of anger, disgust, fear, sadness, surprise; name every expression"),
        ("joyful", "the prior 'joyful' cannot be read"),
    ):
        error = run("in", "--prior", prior).exception
        assert isinstance(error, InputError)
        assert message in str(error)


def test_results_go_to_a_file(run, pictures):
    for name in ("out.jsonl", "out.json", "out.csv", "deep/out.parquet"):
        result = run("in", "bad.jpg", "--output", name)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.splitlines() == ["kaoiro: cannot read 'bad.jpg': it is no picture in a known format"]
    assert (pictures / "out.jsonl").read_text() == run("in", "--format", "jsonl").stdout
    assert (pictures / "out.json").read_text() == run("in", "--format", "json").stdout
    assert (pictures / "out.csv").read_text() == run("in", "--format", "csv").stdout
    assert run("in", "-f", "table", "-o", "out.txt").exit_code == 0
    assert "no face found" in (pictures / "out.txt").read_text()


def test_parquet_holds_what_csv_holds(run, pictures):
    assert run("in", "--contempt", "-o", "faces.parquet", "--lang", "ja").exit_code == 0
    table = parquet.read_table("faces.parquet")
    rows = list(csv.DictReader(io.StringIO(run("in", "--contempt", "--lang", "ja", "-f", "csv").stdout)))
    assert table.column_names == list(rows[0])
    for row, expected in zip(table.to_pylist(), rows, strict=True):
        assert {name: "" if value is None else str(value) for name, value in row.items()} == expected


def test_names_that_are_not_utf_8_go_to_files(run, pictures):
    name = os.fsdecode(b"in/\xff.png")
    shutil.copy("in/nobody.png", name)
    for format_ in ("csv", "jsonl", "parquet"):
        assert run(name, "--lang", "ja", "-o", f"out.{format_}").exit_code == 0
    (row,) = csv.DictReader((pictures / "out.csv").read_text().splitlines())
    assert row["picture"] == r"in/\udcff.png"
    assert parquet.read_table("out.parquet")["picture"].to_pylist() == [row["picture"]]
    assert json.loads((pictures / "out.jsonl").read_text())["picture"] == name


def test_a_parquet_file_of_no_face_has_its_columns(run, pictures):
    assert run("in/nobody.png", "-o", "faces.parquet").exit_code == 0
    assert parquet.read_table("faces.parquet").column_names[-7:] == list(SEVEN)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-f", "parquet"], "--format parquet goes to a file; name it with --output FILE"),
        (["-o", "out.txt"], "the format of 'out.txt' is not clear: name it .json, .jsonl, .csv or .parquet"),
        (["-o", "in"], "it is a folder; give the name of a file"),
        (["-o", "in/astronaut.jpg", "-f", "csv"], "is one of the pictures, and would overwrite it; give another file"),
        (["-o", "bad.jpg/out.csv"], "bad.jpg' is not a folder"),
    ],
)
def test_files_that_cannot_be_written(run, pictures, arguments, message):
    error = run("in", *arguments).exception
    assert isinstance(error, InputError)
    assert message in str(error)


def test_a_failed_run_leaves_the_old_file(run, pictures):
    (pictures / "out.csv").write_text("old")
    assert run("in", "-o", "out.csv", "--head", "nope").exit_code != 0
    assert (pictures / "out.csv").read_text() == "old"
    assert not list(pictures.glob(".*partial*"))


def test_names_in_japanese(run, pictures):
    save_image(pictures / "crop.png", np.full((30, 20, 3), 255, np.uint8))

    def read(*options):
        return run("crop.png", "--faces-are-crops", "--head", "fer2013", "--lang", "ja", *options).stdout

    assert "怒り" in read()
    assert "anger" not in read()
    face = json.loads(read("-f", "jsonl"))["faces"][0]
    assert (face["expression"], face["label"]) == ("anger", "怒り")
    assert "怒り" in read("-f", "jsonl")  # not as an escape
    (row,) = csv.DictReader(io.StringIO(read("-f", "csv")))
    assert (row["expression"], row["label"]) == ("anger", "怒り")
    assert "label" not in run("crop.png", "--faces-are-crops", "-f", "csv").stdout
    assert run("crop.png", "--lang", "fr").exit_code == 2
    for lang in ("ja", "en"):
        assert run("crop.png", "--faces-are-crops", "--lang", lang, "--annotate", lang).exit_code == 0
    assert (pictures / "ja/crop-expressions.png").read_bytes() != (pictures / "en/crop-expressions.png").read_bytes()


def test_ctrl_c_keeps_what_a_file_was_given(pictures, tiny_model_path):
    save_image(pictures / "many/0.png", np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8))
    for number in range(1, 400):
        os.link("many/0.png", f"many/{number:03}.png")
    command = [sys.executable, "-c", SCRIPT, "many", "-o", "out.jsonl", "--model", str(tiny_model_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not any(p.stat().st_size for p in pictures.glob(".out*partial*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not (pictures / "out.jsonl").exists()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    lines = (pictures / "out.jsonl").read_text().splitlines()
    assert 1 <= len(lines) < 400
    assert err == f"kaoiro: stopped; 'out.jsonl' holds {len(lines)} of 400 pictures; --resume goes on\n"
    assert all(json.loads(line)["faces"] == [] for line in lines)
    assert not list(pictures.glob(".*partial*"))
