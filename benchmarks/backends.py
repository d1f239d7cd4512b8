"""Time models under each backend: one face at a time and 64 at once; and score them where a corpus is given.

    python benchmarks/backends.py MODEL [MODEL ...] [--corpus CORPUS] [--threads 1 2] [--json FILE]

A model is a shipped name or a file, in 32 or in 8 bits (`kaoiro export --int8`). The backends take turns in several
rounds; each figure is the best round's median. Accuracy is that of the `validation` split, without flip averaging.
OpenVINO's bfloat16, which Kaoiro itself never uses, stands beside the others for comparison.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from kaoiro.corpus.store import open_corpus
from kaoiro.evaluation.brief_scores import brief_scores
from kaoiro.evaluation.evaluate import right_answers
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.metadata import INPUT_NAME
from kaoiro.recognition.model_file import ModelFile, model_bytes, open_model

ROUNDS = 3
SECONDS = 0.2


class Bfloat16:
    """A session of OpenVINO that computes in bfloat16."""

    def __init__(self, model: bytes, threads: int) -> None:
        core = openvino.Core()
        properties = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16",
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
        }
        self._request = core.compile_model(core.read_model(model), "CPU", properties).create_infer_request()

    def run(self, output_names: Sequence[str], inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        self._request.set_input_tensor(openvino.Tensor(inputs[INPUT_NAME], shared_memory=True))
        self._request.infer()
        return [self._request.get_tensor(name).data.copy() for name in output_names]


def opened(model: str, threads: int) -> dict[str, ModelFile]:
    by_onnxruntime = open_model(model, device="cpu", threads=threads)
    found = {"onnxruntime": by_onnxruntime, "openvino": open_model(model, threads=threads, backend="openvino")}
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        found["openvino bf16"] = ModelFile(by_onnxruntime.metadata, Bfloat16(model_bytes(model), threads))
    return found


def seconds(run: Callable[[], Any]) -> float:
    for _ in range(3):
        run()
    times: list[float] = []
    while len(times) < 3 or sum(times) < SECONDS:
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return median(times)


def timed(models: Mapping[str, ModelFile], batch: int) -> dict[str, float]:
    """Seconds a call takes, by backend."""
    about = next(iter(models.values())).metadata
    faces = np.random.default_rng(0).integers(0, 256, (batch, about.channels, about.size, about.size), dtype=np.uint8)
    best = dict.fromkeys(models, float("inf"))
    for _ in range(ROUNDS):
        for name, model in models.items():
            call = partial(model.session.run, [about.default_head], {INPUT_NAME: faces})
            best[name] = min(best[name], seconds(call))
    return best


def accuracies(model: ModelFile, corpus: Path) -> dict[str, float]:
    part = open_corpus(corpus).select("validation")
    heads = model.metadata.heads
    answers = {name: right_answers(part, head) for name, head in heads.items()}
    faces = part.decode_faces(model.metadata.size, model.metadata.channels)
    found = head_probabilities(model, faces, list(heads), flip_averaging=False)
    return {name: scores["accuracy"] for name, scores in brief_scores(heads, answers, found).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    versions = {name: metadata.version(name) for name in ("kaoiro", "onnxruntime", "openvino")}
    cpu = openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")
    print(f"{cpu}, {os.cpu_count()} cores, {', '.join(f'{name} {version}' for name, version in versions.items())}")
    rows = []
    for model in arguments.models:
        scores: dict[str, dict[str, float]] = {}
        for threads in arguments.threads:
            models = opened(model, threads)
            one, many = timed(models, 1), timed(models, 64)
            if arguments.corpus and not scores:
                scores = {backend: accuracies(file, arguments.corpus) for backend, file in models.items()}
            for backend, file in models.items():
                row = {
                    "model": file.metadata.name,
                    "precision": file.metadata.provenance.get("precision", "float32"),
                    "backend": backend,
                    "threads": threads,
                    "ms_per_face": 1000 * one[backend],
                    "faces_per_second": 64 / many[backend],
                    "validation_accuracy": scores.get(backend),
                }
                rows.append(row)
                right = "  ".join(f"{head} {value:.2%}" for head, value in scores.get(backend, {}).items())
                print(
                    f"{row['model']:16} {backend:14} {threads} threads: {row['ms_per_face']:7.3f} ms a face, "
                    f"{row['faces_per_second']:7.0f} faces/s  {right}",
                    flush=True,
                )
    if arguments.json:
        report = {"cpu": cpu, "cores": os.cpu_count(), "versions": versions, "rows": rows}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
