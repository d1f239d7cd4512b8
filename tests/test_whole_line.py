"""From drawn faces to read faces with the real command, as a user would go."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kaoiro.corpus.synthetic import synthetic_faces, write_synthetic_corpus
from kaoiro.expressions import EIGHT, SEVEN

RECIPE = Path(__file__).parents[1] / "recipes/synthetic.yaml"
KAOIRO = Path(sys.executable).with_name("kaoiro")


def kaoiro(folder, *arguments):
    """Run the command in a folder, and give what it printed."""
    environment = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"} | os.environ
    command = [str(argument) for argument in (KAOIRO, *arguments)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def go_the_whole_line(folder, faces, least_accuracy, *options):
    """Train, evaluate, export and read; each step has to be right on more than `least_accuracy` of the faces."""
    write_synthetic_corpus(folder / "drawn.parquet", train=faces, validation=210, test=210, seed=1)
    kaoiro(folder, "train", "--config", RECIPE, "--data.corpus=drawn.parquet", "--run=run", *options)
    with (folder / "run/history.csv").open() as file:
        history = list(csv.DictReader(file))
    best = max(float(row["validation/accuracy"]) for row in history)
    assert best > least_accuracy

    wrote = kaoiro(folder, "export", "run/best.ckpt", "-o", "model.onnx", "--corpus", "drawn.parquet")
    assert float(re.search(r"validation accuracy ([\d.]+)%", wrote)[1]) == pytest.approx(100 * best, abs=1)

    kaoiro(folder, "evaluate", "model.onnx", "--data", "drawn.parquet", "--split", "test", "-o", "report.json")
    scores = json.loads((folder / "report.json").read_text())["heads"]["expression"]["scores"]
    assert scores["n"] == 210
    assert scores["accuracy"]["value"] > least_accuracy

    pictures, labels = synthetic_faces(140, seed=12345)
    (folder / "faces").mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"faces/{number:03}.png")
    printed = kaoiro(folder, "predict", "--model", "model.onnx", "--faces-are-crops", "--format", "json", "faces")
    read = [reading["faces"][0] for reading in json.loads(printed)]
    expected = [EIGHT[label] for label in labels]
    assert np.mean([face["expression"] == name for face, name in zip(read, expected, strict=True)]) > least_accuracy
    for face in read:
        assert set(face["probabilities"]) == set(SEVEN)
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_a_quick_run(tmp_path):
    small = ["--model.size=24", "--trainer.max_epochs=5", "--data.batch_size=25", "--ema_decay=0.8"]
    go_the_whole_line(tmp_path, 980, 0.6, *small)


@pytest.mark.slow
def test_the_recipe(tmp_path):
    go_the_whole_line(tmp_path, 4000, 0.95)
