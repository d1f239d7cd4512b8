"""Train on a corpus that is larger than memory should be: peak memory, and faces a second from disk and from RAM.

    python benchmarks/streaming.py [--folder DIR] [--faces 1000000] [--steps 200] [--workers 0]

Draws the corpus first, unless the folder has it already, which takes minutes. Then, in a process of its own, kaoiro-s
is trained on it for some steps, and all batches of a whole epoch are read; the memory of that process and its workers
is watched. At last kaoiro-s is trained on 30,000 faces from RAM and from disk in turns. Run it with nothing else
running.
"""

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.pictures import encode_png
from kaoiro.corpus.store import write_corpus
from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.expressions import EIGHT
from kaoiro.parallel import ordered_map

NEEDED_BYTES = 3e9
COMPARED_FACES = 30_000
WARM_UP_STEPS = 10
PASSED_ON = ("steps", "batch", "workers", "rounds", "compared_steps")


def draw_corpus(path: Path, faces: int) -> None:
    """Write faces that all differ: a few drawings, moved about, with noise."""
    drawings, labels = synthetic_faces(512, seed=0)

    def draw(number: int) -> LabelledFace:
        rng = np.random.default_rng(number)
        which = int(rng.integers(len(drawings)))
        moved = np.roll(drawings[which], rng.integers(-4, 5, 2), (0, 1)).astype(np.int16)
        noisy = moved + rng.integers(-12, 13, moved.shape, dtype=np.int16)
        return LabelledFace(
            image_bytes=encode_png(noisy.clip(0, 255).astype(np.uint8)),
            name=f"{number}.png",
            source=f"drawn:{number}",
            label=EIGHT[labels[which]],
            votes=None,
            split="validation" if number % 20 == 0 else "train",
        )

    def said(drawn: Iterator[LabelledFace]) -> Iterator[LabelledFace]:
        for number, face in enumerate(drawn):
            if number % 50_000 == 0:
                print(f"\rdrawing {number:,} of {faces:,} faces", end="", file=sys.stderr, flush=True)
            yield face
        print(file=sys.stderr)

    write_corpus(path, said(ordered_map(draw, range(faces), ahead=256)))


class Stopwatch:
    """Make a callback that times the steps after the first few."""

    def __init__(self) -> None:
        from lightning.pytorch.callbacks import LambdaCallback

        self._ends: list[float] = []
        self.callback = LambdaCallback(on_train_batch_end=lambda *_: self._ends.append(time.perf_counter()))

    def faces_a_second(self, batch: int) -> float:
        ends = self._ends[WARM_UP_STEPS:]
        return batch * (len(ends) - 1) / (ends[-1] - ends[0])


def train(data: Any, steps: int, batch: int) -> float:
    """Train kaoiro-s for some steps and give faces a second."""
    from lightning import Trainer

    from kaoiro.training.module import ExpressionTraining

    watch = Stopwatch()
    trainer = Trainer(
        accelerator="cpu",
        max_steps=steps + WARM_UP_STEPS,
        max_epochs=-1,
        precision="bf16-mixed",
        limit_val_batches=0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[watch.callback],
    )
    trainer.fit(ExpressionTraining("kaoiro-s"), data)
    return watch.faces_a_second(batch)


def data_of(path: Path, in_memory: bool, arguments: argparse.Namespace) -> Any:
    from kaoiro.training.loading.data import FaceData

    return FaceData(path, batch_size=arguments.batch, in_memory=in_memory, num_workers=arguments.workers)


def stream(path: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train from disk for some steps, then read all batches of an epoch."""
    data = data_of(path, False, arguments)
    began = time.perf_counter()
    data.setup("fit")
    opened = time.perf_counter() - began
    rate = train(data, arguments.steps, arguments.batch)
    began = time.perf_counter()
    faces = sum(len(batch["faces"]) for batch in data.train_dataloader())
    read = faces / (time.perf_counter() - began)
    return {"description": data.description, "opened": opened, "trained": rate, "read": read, "faces": faces}


def compare(path: Path, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Train from RAM and from disk in turns."""
    both = {"RAM": data_of(path, True, arguments), "disk": data_of(path, False, arguments)}
    rates: dict[str, list[float]] = {name: [] for name in both}
    for _ in range(arguments.rounds):
        for name, data in both.items():
            rates[name].append(train(data, arguments.compared_steps, arguments.batch))
    return rates


def in_child(what: str, path: Path, arguments: argparse.Namespace) -> tuple[Any, float, float]:
    """Run one part in a fresh process; give its result and the most memory that it and its workers took together.

    The first figure adds up every process's resident set, so pages that they share count several times. The second
    counts such a page once.
    """
    options = [f"--{name.replace('_', '-')}={getattr(arguments, name)}" for name in PASSED_ON]
    child = subprocess.Popen(
        [sys.executable, __file__, *options, "--part", what, "--corpus", path], stdout=subprocess.PIPE, text=True
    )
    resident = proportional = 0.0
    while child.poll() is None:
        figures = [_memory(process) for process in _family(child.pid)]
        resident = max(resident, sum(one for one, _ in figures))
        proportional = max(proportional, sum(one for _, one in figures))
        time.sleep(0.25)
    assert child.stdout is not None
    printed = child.stdout.read()
    if child.returncode:
        raise SystemExit(f"the {what} part failed")
    return json.loads(printed.splitlines()[-1]), resident, proportional


def _family(process: int) -> list[int]:
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [process, *(one for child in text.split() for one in _family(int(child)))]


def _memory(process: int) -> tuple[float, float]:
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0.0, 0.0
    kilobytes = {line.split(":")[0]: float(line.split()[1]) for line in text.splitlines()[1:]}
    return kilobytes["Rss"] * 1024, kilobytes["Pss"] * 1024


def _run_part(arguments: argparse.Namespace) -> None:
    warnings.simplefilter("ignore")
    # Lightning sets its loggers up when it is imported, so that comes before they are quietened.
    import lightning.pytorch  # noqa: F401

    from kaoiro.training.run.quiet import quiet_engine

    with quiet_engine():
        result = {"stream": stream, "compare": compare}[arguments.part](arguments.corpus, arguments)
    print(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the corpus is kept; a temporary folder otherwise")
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=200, help="training steps on the large corpus")
    parser.add_argument("--compared-steps", type=int, default=60, help="training steps a turn, from RAM and from disk")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each has")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--part", choices=["stream", "compare"], help=argparse.SUPPRESS)
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        _run_part(arguments)
        return
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="kaoiro-streaming-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _measure(folder, arguments)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)


def _corpus(folder: Path, faces: int) -> Path:
    path = folder / f"drawn-{faces}.parquet"
    if not path.exists():
        if shutil.disk_usage(folder).free < NEEDED_BYTES:
            raise SystemExit(f"{folder} has less than {NEEDED_BYTES / 1e9:.0f} GB free; give another --folder")
        began = time.perf_counter()
        draw_corpus(path, faces)
        print(f"drew {faces:,} faces in {time.perf_counter() - began:.0f} s")
    return path


def _measure(folder: Path, arguments: argparse.Namespace) -> None:
    import torch

    large, small = _corpus(folder, arguments.faces), _corpus(folder, COMPARED_FACES)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, Python "
        f"{platform.python_version()}, torch {torch.__version__}; kaoiro-s at 48 px, bf16, batch {arguments.batch}, "
        f"{arguments.workers} workers ({multiprocessing.get_start_method()})"
    )
    streamed, resident, proportional = in_child("stream", large, arguments)
    print(f"{large.name}, {large.stat().st_size / 1e9:.2f} GB: {streamed['description']}")
    print(
        f"  opened in {streamed['opened']:.1f} s; {arguments.steps} training steps: {streamed['trained']:.0f} faces/s"
    )
    print(f"  an epoch of {streamed['faces']:,} faces read without training: {streamed['read']:.0f} faces/s")
    print(
        f"  peak memory: resident {resident / 1e9:.2f} GB, with shared pages counted once {proportional / 1e9:.2f} GB"
    )
    rates, _, _ = in_child("compare", small, arguments)
    ram, disk = statistics.median(rates["RAM"]), statistics.median(rates["disk"])
    for name, values in rates.items():
        turns = ", ".join(f"{value:.0f}" for value in values)
        print(f"{COMPARED_FACES:,} faces from {name}: median {statistics.median(values):.0f} faces/s ({turns})")
    print(f"from disk {1 - disk / ram:+.1%} slower")


if __name__ == "__main__":
    main()
