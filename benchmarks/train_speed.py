"""Measure training: images a second of the article's loop and of ours, and the time to a given accuracy.

    python benchmarks/train_speed.py [--no-compile]
    python benchmarks/train_speed.py --to-accuracy 58.4 --corpus fer2013.parquet

The rows, each in a process of its own, with the same drawn faces (48 × 48, grey, as in FER2013) and the same batch:

- the article's loop: faces are files, opened and varied one by one with PIL and torchvision's transforms in the
  workers of a DataLoader; `emotionnet` at 224 in float32 with Adam.
- `kaoiro train --config recipes/emotionnet.yaml`: the same network, optimiser and transforms, from memory and a batch
  at a time; in float32, in bf16 as the recipe has it, and compiled.
- `kaoiro train --config recipes/kaoiro-s.yaml` at 48.

A step's time is that from the end of one to the end of the next, loading and varying included; the first ones are left
out. With `--to-accuracy`, `recipes/quick.yaml` is trained on a corpus until its validation split (FER2013's PublicTest)
is read that well, and the clock runs from the start of the process to the end of that validation.

Run it with nothing else running.
"""

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.models import create_backbone

RECIPES = Path(__file__).parents[1] / "recipes"
FACES = 2048
FER2013_FACES, ARTICLE_EPOCHS = 28_709, 55
ONE_HEAD = ["--model.heads", "{expression: {target: label}}"]


class StepTimes(Callback):
    """Write the seconds of each training step to a JSON file."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._ends: list[float] = []

    def on_train_batch_end(self, *_: object) -> None:
        self._ends.append(time.perf_counter())

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.target.write_text(json.dumps(np.diff(self._ends).tolist()))


def article_loop(folder: Path, batch: int, steps: int) -> list[float]:
    """Train EmotionNet as the article writes it, on an image folder; gives the seconds of each step."""
    transform = transforms.Compose(
        [
            transforms.Resize((256, 256)),
            transforms.RandomCrop(224),
            transforms.RandomHorizontalFlip(),
            transforms.RandomRotation(15),
            transforms.RandomVerticalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    loader = DataLoader(datasets.ImageFolder(folder, transform), batch, shuffle=True, num_workers=2)
    model = nn.Sequential(create_backbone("emotionnet", 3), nn.Linear(1280, 7)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    ends = []
    for step, (images, labels) in enumerate(loader):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        ends.append(time.perf_counter())
        if step == steps:
            break
    return np.diff(ends).tolist()


def write_faces(folder: Path) -> None:
    """Draw faces and write them as an image folder, as the article keeps FER2013."""
    faces, labels = synthetic_faces(FACES, seed=0)
    for number, (face, label) in enumerate(zip(faces, labels, strict=True)):
        path = folder / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).convert("RGB").save(path)


def run(command: Sequence[str]) -> None:
    """Run a command with this file's folder to import from, and stop with its output where it fails."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def our_loop(work: Path, recipe: str, steps: int, options: Sequence[str] = ()) -> list[float]:
    """Train a recipe for a short epoch with `kaoiro train`; gives the seconds of each step but the first."""
    times = work / "times.json"
    with tempfile.TemporaryDirectory(dir=work) as folder:
        # fmt: off
        run([
            sys.executable, "-m", "kaoiro", "train", "--config", str(RECIPES / recipe),
            "--data.corpus", str(work / "drawn.parquet"), "--run", f"{folder}/run",
            "--trainer.max_epochs", "1", "--trainer.limit_train_batches", str(steps + 1),
            "--trainer.callbacks+=train_speed.StepTimes", f"--trainer.callbacks.target={times}", *options,
        ])
        # fmt: on
    seconds: list[float] = json.loads(times.read_text())
    return seconds


def tell(name: str, seconds: Sequence[float], warmup: int, batch: int, first: float | None = None) -> float:
    """Print a row and give its median rate in images a second."""
    rates = sorted(batch / second for second in seconds[warmup:])
    median = statistics.median(rates)
    faster = f"{median / first:5.2f} ×" if first else " " * 7
    print(
        f"{name:<52} {median:6.0f} images/s {faster}  (n = {len(rates)}, {rates[0]:.0f} to {rates[-1]:.0f})", flush=True
    )
    return median


def measure_speed(work: Path, batch: int, compiled: bool) -> None:
    """Print images a second of every row."""
    images = work / "images"
    write_faces(images)
    # fmt: off
    run([
        sys.executable, "-m", "kaoiro", "data", "synthetic", "-o", str(work / "drawn.parquet"),
        "--train", str(FACES), "--validation", "32", "--test", "8",
    ])
    article = work / "article.json"
    run([sys.executable, __file__, "--article", str(images), "--batch", str(batch), "--article-times", str(article)])
    # fmt: on
    size = ["--data.batch_size", str(batch)]
    first = tell("article's loop, emotionnet at 224, float32", json.loads(article.read_text()), 1, batch)
    print(
        f"{'':<52} {FER2013_FACES / first / 60:6.1f} min an epoch of FER2013; an estimate of "
        f"{ARTICLE_EPOCHS * FER2013_FACES / first / 3600:.1f} h for the article's {ARTICLE_EPOCHS} epochs to 58.4 %"
    )
    precise = our_loop(work, "emotionnet.yaml", 5, [*size, "--trainer.precision", "32-true"])
    tell("kaoiro train, emotionnet at 224, float32", precise, 1, batch, first)
    tell("kaoiro train, emotionnet at 224, bf16", our_loop(work, "emotionnet.yaml", 12, size), 2, batch, first)
    if compiled:
        began = time.perf_counter()
        times = our_loop(work, "emotionnet.yaml", 12, [*size, "--model.compile_network", "true"])
        tell("kaoiro train, emotionnet at 224, bf16, compiled", times, 2, batch, first)
        print(f"{'':<52} {time.perf_counter() - began:6.0f} s in all, most of it for compiling")
    small = [*size, *ONE_HEAD, "--model.augmentation.size_by_epoch", "null"]
    tell("kaoiro train, kaoiro-s at 48, bf16", our_loop(work, "kaoiro-s.yaml", 15, small), 3, batch)


def time_to_accuracy(corpus: Path, percent: float, folder: Path) -> None:
    """Train `recipes/quick.yaml` until the validation accuracy is reached; print when that was."""
    # fmt: off
    command = [
        sys.executable, "-m", "kaoiro", "train", "--config", str(RECIPES / "quick.yaml"),
        "--data.corpus", str(corpus), "--run", str(folder),
    ]
    # fmt: on
    began = time.perf_counter()
    told = 0
    with (folder.parent / "log").open("w+") as log, subprocess.Popen(command, stdout=log, stderr=log) as training:
        while True:
            ended = training.poll() is not None
            rows = _rows(folder / "history.csv")
            for row in rows[told:]:
                accuracy = 100 * float(row["validation/accuracy"])
                seconds = time.perf_counter() - began
                print(f"  epoch {row['epoch']}: {accuracy:.2f} % after {seconds:.0f} s", flush=True)
                if accuracy >= percent:
                    training.terminate()
                    print(f"kaoiro-s, recipes/quick.yaml: {percent} % on the validation split after {seconds:.0f} s")
                    return
            told = len(rows)
            if ended:
                log.seek(0)
                sys.exit(f"{log.read()}the run ended before {percent} % was reached")
            time.sleep(0.2)


def _rows(history: Path) -> list[dict[str, str]]:
    if not history.is_file():
        return []
    with history.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128, help="faces a step (default: 128)")
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled row out")
    parser.add_argument(
        "--to-accuracy", type=float, metavar="PERCENT", help="measure the time to this accuracy as well"
    )
    parser.add_argument("--corpus", type=Path, help="FER2013 as a stored corpus, for --to-accuracy")
    parser.add_argument("--article", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--article-times", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.article:
        arguments.article_times.write_text(json.dumps(article_loop(arguments.article, arguments.batch, 6)))
        return
    if arguments.to_accuracy and not arguments.corpus:
        parser.error("--to-accuracy needs --corpus")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, Python "
        f"{platform.python_version()}, torch {torch.__version__}, batch {arguments.batch}"
    )
    with tempfile.TemporaryDirectory() as work:
        measure_speed(Path(work), arguments.batch, not arguments.no_compile)
        if arguments.to_accuracy:
            time_to_accuracy(arguments.corpus, arguments.to_accuracy, Path(work) / "run")


if __name__ == "__main__":
    main()
