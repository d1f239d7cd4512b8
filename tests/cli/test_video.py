import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from kaoiro.cli.video import video
from kaoiro.errors import InputError, MissingExtraError
from kaoiro.expressions import SEVEN, Expression
from kaoiro.media.images import load_image
from short_videos import damaged, make_sound, make_video, noise, shown_times, sound_packets

APP = typer.Typer(pretty_exceptions_enable=False)
APP.command()(video)
SCRIPT = "import typer; from kaoiro.cli.video import video; typer.run(video)"


@pytest.fixture(scope="module")
def person(astronaut, tmp_path_factory):
    """Twelve frames, half a second, of one person, with sound."""
    image = np.ascontiguousarray(load_image(astronaut)[:256, 96:352])
    times = [number / 25 for number in range(12)]
    path = tmp_path_factory.mktemp("videos") / "person.mp4"
    return make_video(path, times, pictures=[image] * 12, sound="aac")


@pytest.fixture
def run(tiny_model_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run_video(*arguments):
        return CliRunner().invoke(APP, ["--model", str(tiny_model_path), *map(str, arguments)])

    return run_video


def test_a_table_of_persons_is_printed(run, person):
    result = run(person)
    assert result.exit_code == 0
    assert result.stderr == ""
    header, _, row = (line.split() for line in result.stdout.splitlines())
    assert header == ["person", "from", "to", "frames", "expressions", "confidence"]
    assert row[:4] == ["1", "0:00.0", "0:00.4", "12"]
    assert row[5] == "100%"
    assert row[4] in SEVEN


def test_nobody_there(run, tmp_path):
    result = run(make_video(tmp_path / "a.mp4"), "-o", "a.jsonl", "--plot", "a.png", "--annotate", "b.mp4")
    assert (result.exit_code, result.stdout) == (0, "no face found\n")
    assert [json.loads(line)["faces"] for line in (tmp_path / "a.jsonl").read_text().splitlines()] == [[]] * 50
    assert len(shown_times(tmp_path / "b.mp4")) == 50


def test_json_lines_hold_one_frame_each(run, person, tmp_path):
    assert run(person, "-o", "out/a.jsonl").exit_code == 0
    frames = [json.loads(line) for line in (tmp_path / "out/a.jsonl").read_text().splitlines()]
    assert [frame["frame"] for frame in frames] == list(range(12))
    assert [frame["time"] for frame in frames] == pytest.approx([number / 25 for number in range(12)])
    faces = [face for frame in frames for face in frame["faces"]]
    assert [face["track"] for face in faces] == [1] * 12
    assert all(sum(face["probabilities"].values()) == pytest.approx(1) for face in faces)


def test_csv_and_parquet_hold_one_face_a_row(run, person, tmp_path):
    import pyarrow.parquet

    assert run(person, "-o", "a.csv", "--start", "0.1", "--end", "0:00.4", "--every", 2).exit_code == 0
    assert run(person, "-o", "a.parquet", "--start", "0.1", "--end", "0:00.4", "--every", 2).exit_code == 0
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert table.column_names == list(rows[0])
    assert [int(row["frame"]) for row in rows] == table["frame"].to_pylist() == [3, 5, 7, 9]
    assert [float(row["time"]) for row in rows] == table["time"].to_pylist() == pytest.approx([0.12, 0.2, 0.28, 0.36])
    assert [row["expression"] for row in rows] == table["expression"].to_pylist()
    for name in ("left", "confidence", "detection_score", *SEVEN):
        assert [float(row[name]) for row in rows] == table[name].to_pylist()
    assert float(rows[0][rows[0]["expression"]]) == float(rows[0]["confidence"])


def test_parquet_without_a_row_can_be_read(run, tmp_path):
    import pyarrow.parquet

    run(make_video(tmp_path / "a.mp4"), "-o", "a.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert table.num_rows == 0
    assert "happiness" in table.column_names


def test_the_annotated_copy_has_the_drawings_the_times_and_the_sound(run, person, tmp_path):
    assert run(person, "--annotate", "b.mp4").exit_code == 0
    assert shown_times(tmp_path / "b.mp4") == pytest.approx(shown_times(person))
    assert [data for _, data in sound_packets(tmp_path / "b.mp4")] == [data for _, data in sound_packets(person)]
    pictures = []
    for path in (person, tmp_path / "b.mp4"):
        with av.open(path) as container:
            pictures.append(next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int))
    assert np.abs(pictures[1] - pictures[0]).max() > 100


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_plot(run, person, tmp_path, suffix):
    assert run(person, "--plot", f"a.{suffix}").exit_code == 0
    assert (tmp_path / f"a.{suffix}").stat().st_size > 3000


def test_options_reach_the_reader(run, person, tmp_path):
    def faces(*options):
        assert run(person, "-o", "a.jsonl", *options).exit_code == 0
        return [json.loads(line)["faces"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]

    assert len(faces("--contempt")[0][0]["probabilities"]) == 8
    assert faces("--min-detection-score", "0.999") == [[]] * 12
    assert faces("--detect-every", 1)[3]
    assert faces("--no-smoothing")[0][0]["probabilities"] == pytest.approx(faces()[0][0]["probabilities"])


def test_expressions_in_japanese(run, person, tmp_path):
    line = run(person, "--lang", "ja", "-o", "a.csv").stdout.splitlines()[-1]
    assert any(one.label("ja") in line for one in SEVEN)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert row["expression"] in SEVEN
    assert row["label"] == Expression(row["expression"]).label("ja")


def test_damaged_videos_are_read_as_far_as_they_can_be(run, tmp_path):
    broken = damaged(make_video(tmp_path / "a.mp4", pictures=noise()), tmp_path / "b.mp4", 0.4, 0.5)
    result = run(broken, "-o", "a.jsonl", "--annotate", "c.mp4")
    assert result.exit_code == 1
    assert result.stdout == "no face found\n"
    assert all(line.startswith(f"kaoiro: {broken}: ") for line in result.stderr.splitlines())
    assert "damaged pieces passed over" in result.stderr
    frames = (tmp_path / "a.jsonl").read_text().splitlines()
    assert 30 <= len(frames) == len(shown_times(tmp_path / "c.mp4")) < 50


def test_what_cannot_be_read_leaves_no_files(run, tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    make_sound(tmp_path / "sound.mp4")
    for source in ("nope.mp4", "empty.mp4", "sound.mp4", "."):
        result = run(source, "-o", "a.jsonl", "--annotate", "b.mp4", "--plot", "c.png")
        assert isinstance(result.exception, InputError), source
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.mp4", "sound.mp4"]


def test_usage_errors(run, person, tmp_path):
    assert run().exit_code == 2
    for option, value in (("--start", "soon"), ("--every", 0), ("--detect-every", 0), ("--lang", "xx")):
        assert run(person, option, value).exit_code == 2
    assert "'soon' is no time; write seconds" in re.sub(r"\s*│\s*", " ", run(person, "--start", "soon").stderr)
    for options, message in (
        (["-o", "a.txt"], "timelines are written as .jsonl, .csv or .parquet"),
        (["--annotate", "a.avi"], "videos are written as .mp4, .mov or .mkv"),
        (["--plot", "a.mp4"], "plots are written as .png, .svg or .pdf"),
        (["--annotate", str(person)], "is the video itself, and would overwrite it"),
        (["--start", "9"], r"the start (0:09.0) lies behind its end (0:00.4)"),
        (["--start", "2", "--end", "1"], "must be later than the start"),
        (["--head", "nope"], "nope"),
    ):
        error = run(person, *options).exception
        assert isinstance(error, InputError), options
        assert message in str(error)
    assert "no frame between 0:00.0 and" not in run(person, "--end", "0.01").stderr
    assert list(tmp_path.iterdir()) == []


def test_no_frame_within_the_part(run, tmp_path):
    still = make_video(tmp_path / "a.mp4", [0, 1.0, 2.0])
    error = run(still, "--start", "0.2", "--end", "0.8", "-o", "a.csv", "--annotate", "b.mp4").exception
    assert isinstance(error, InputError)
    assert str(error) == f"cannot read {str(still)!r}: no frame is shown between 0:00.2 and 0:00.8"
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_missing_extra(run, person, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    error = run(person).exception
    assert isinstance(error, MissingExtraError)
    assert str(error) == "kaoiro video needs av; install it with: pip install 'kaoiro[video]'"


def test_without_a_screen_there_is_no_window(run, person, monkeypatch):
    pytest.importorskip("tkinter")
    monkeypatch.delenv("DISPLAY", raising=False)
    if sys.platform != "linux":
        pytest.skip("other systems have a screen without DISPLAY")
    error = run(person, "--show").exception
    assert isinstance(error, InputError)
    assert str(error).startswith("--show finds no screen")
    monkeypatch.setitem(sys.modules, "tkinter", None)
    assert "needs Tk, which this Python lacks" in str(run(person, "--show").exception)


@pytest.fixture
def long_video(tmp_path):
    return make_video(tmp_path / "long.mp4", [number / 25 for number in range(1500)], pictures=noise(1) * 1500)


def test_ctrl_c_finishes_the_files(long_video, tmp_path, tiny_model_path):
    outputs = ["-o", "a.jsonl", "--annotate", "b.mp4", "--plot", "c.png"]
    command = [sys.executable, "-c", SCRIPT, str(long_video), *outputs, "--model", str(tiny_model_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size for path in tmp_path.glob(".b.*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == "no face found\n"
    assert re.search(r"stopped at \d:\d\d\.\d; a.jsonl and b.mp4 and c.png hold what came before\n$", err)
    frames = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert 1 <= len(frames) < 1500
    assert shown_times(tmp_path / "b.mp4") == pytest.approx([frame["time"] for frame in frames], abs=1e-5)
    assert not list(tmp_path.glob(".*"))


def test_progress_is_shown_on_a_terminal(person, tmp_path, tiny_model_path):
    leader, follower = pty.openpty()
    command = [sys.executable, "-c", SCRIPT, str(person), "--model", str(tiny_model_path)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, env=environment, check=True, cwd=tmp_path)
    os.close(follower)
    assert b"person" in result.stdout
    shown = b""
    try:
        while chunk := os.read(leader, 4096):
            shown += chunk
    except OSError:  # how Linux ends reading from a terminal that was closed
        pass
    os.close(leader)
    assert b"0:00 of 0:00" in shown
