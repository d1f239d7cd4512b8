"""Measure everything that a model card says of a model, and write it as JSON.

    python benchmarks/measure_model.py MODEL CORPUS --split test -o docs/results/MODEL.json
    python benchmarks/model_cards.py

Three parts are measured: the scores (each face once, flip-averaged, and weighted to the balanced prior), the
robustness, and the speed. `--only` measures one of them and keeps the others of an existing output, so that the speed
can be taken while nothing else runs. Parts of another model file, corpus or split are not mixed.

Several minutes on two cores; the speed alone takes about twenty seconds.
"""

import argparse
import hashlib
import json
import platform
import statistics
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

from kaoiro.corpus.store import open_corpus
from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.doctor.machine import processor
from kaoiro.errors import InputError
from kaoiro.evaluation.evaluate import evaluate
from kaoiro.evaluation.robustness import robustness
from kaoiro.files import atomic_path, check_outputs, reported_writing
from kaoiro.media.face_pixels import face_pixels
from kaoiro.parallel import available_cores
from kaoiro.recognition.metadata import INPUT_NAME, ModelMetadata
from kaoiro.recognition.model_file import model_bytes, open_model

KIND, FORMAT = "model measurements", 1
PARTS = ("scores", "robustness", "speed")
BATCH = 64
SECONDS = 4.0
"""How long each speed is measured."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a shipped model's name or a model file")
    parser.add_argument("corpus", type=Path, help="a corpus that `kaoiro data import` wrote")
    parser.add_argument("--split", default="validation", help="train, validation or test (default: %(default)s)")
    parser.add_argument("--only", choices=PARTS, help="measure this part and keep the others of the output")
    parser.add_argument("--output", "-o", type=Path, required=True, help="the JSON file")
    arguments = parser.parse_args()
    try:
        measure(arguments.model, arguments.corpus, arguments.split, arguments.output, arguments.only)
    except InputError as error:
        print(f"measure_model: {error}", file=sys.stderr)
        sys.exit(2)


def measure(model: str, corpus: Path, split: str, output: Path, only: str | None) -> None:
    """Measure one part or all, and write them."""
    check_outputs({"the corpus": corpus, "the model": Path(model)}, {"--output": output})
    metadata = open_model(model, device="cpu").metadata
    stored = open_corpus(corpus)
    stored.select(split)  # a split that is not there is better found before minutes of measuring
    contents = model_bytes(model)
    subject = {
        "kind": KIND,
        "format": FORMAT,
        "model": json.loads(metadata.to_json()),
        "file": {"bytes": len(contents), "sha256": hashlib.sha256(contents).hexdigest()},
        "graph": graph_figures(contents),
        "corpus": {"name": corpus.name, "splits": stored.splits()},
        "split": split,
    }
    kept = kept_parts(output, subject) if only else {}
    measures = {
        "scores": lambda: scores(model, corpus, split, metadata),
        "robustness": lambda: robustness(model, corpus, split).to_dict(),
        "speed": lambda: speed(model, metadata),
    }
    for part in PARTS:
        if only in (None, part):
            print(f"{part} …", file=sys.stderr, flush=True)
            kept[part] = {**measures[part](), "measured": when_and_where()}
    text = json.dumps(subject | {part: kept[part] for part in PARTS if part in kept}, indent=1, ensure_ascii=False)
    with reported_writing(output), atomic_path(output) as path:
        path.write_text(text + "\n", encoding="utf-8")


def kept_parts(output: Path, subject: dict[str, Any]) -> dict[str, Any]:
    """The parts that an earlier output has, which must be about the same model file, corpus and split."""
    if not output.exists():
        return {}
    try:
        earlier = json.loads(output.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{output} is no JSON that this script wrote ({error}); give another --output") from error
    if any(earlier.get(key) != subject[key] for key in ("kind", "format", "file", "corpus", "split")):
        raise InputError(f"{output} is about another model file, corpus or split; measure all parts, without --only")
    return {part: earlier[part] for part in PARTS if part in earlier}


def scores(model: str, corpus: Path, split: str, metadata: ModelMetadata) -> dict[str, Any]:
    """Reports by reading: each face once, and flip-averaged; the balanced prior where the heads know their own."""
    reports = {
        "once": evaluate(model, corpus, split).to_dict(),
        "flip-averaged": evaluate(model, corpus, split, flip_averaging=True).to_dict(),
    }
    if all(head.prior is not None for head in metadata.heads.values()):
        reports["balanced"] = evaluate(model, corpus, split, leak_check=False, prior="balanced").to_dict()
    return reports


def speed(model: str, metadata: ModelMetadata) -> dict[str, Any]:
    """Medians of the default head's answers by number of threads, on faces that are cut out already."""
    drawn, _ = synthetic_faces(BATCH, seed=0)
    faces = np.stack([face_pixels(face, metadata.size, metadata.channels) for face in drawn])
    found = []
    for threads in (1, 2):
        if threads > available_cores():
            continue
        session = open_model(model, device="cpu", threads=threads).session

        def seconds(batch: np.ndarray, session: Any = session) -> float:
            for _ in range(5):
                session.run([metadata.default_head], {INPUT_NAME: batch})
            times = []
            until = time.perf_counter() + SECONDS
            while time.perf_counter() < until:
                start = time.perf_counter()
                session.run([metadata.default_head], {INPUT_NAME: batch})
                times.append(time.perf_counter() - start)
            return statistics.median(times)

        found.append(
            {"threads": threads, "one_face_ms": 1000 * seconds(faces[:1]), "faces_per_second": BATCH / seconds(faces)}
        )
    return {"head": metadata.default_head, "batch": BATCH, "by_threads": found}


def when_and_where() -> dict[str, Any]:
    """The date, the machine, and the versions that figures depend on."""
    machine = processor()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": machine.name,
        "cores": machine.allowed_cores,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("kaoiro", "onnxruntime", "numpy", "opencv-python-headless")},
    }


def graph_figures(contents: bytes) -> dict[str, float]:
    """Count the parameters, and the multiply-accumulates for one face in convolutions and matrix products.

    Counted in the file's own graph, so that ensembles and quantised models are counted too. Running statistics of
    batch norms are no parameters, nor are the biases of zero that the exporter puts before them.
    """
    graph = shape_inference.infer_shapes(onnx.load_from_string(contents), strict_mode=True).graph
    constants = {one.name: tuple(one.dims) for one in graph.initializer if numpy_helper.to_array(one).any()}
    shapes = {one.name: tuple(one.dims) for one in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = tuple(one.dim_value or 1 for one in value.type.tensor_type.shape.dim)
    # Quantised weights reach their layer through a node that turns them into numbers again.
    restored = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    learned: set[str] = set()
    operations = 0
    for node in graph.node:
        inputs = [restored.get(name, name) for name in node.input]
        weights = [name for name in inputs[1:] if name in constants]
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            weight = shapes[inputs[1]]
            transposed = any(one.name == "transB" and one.i for one in node.attribute)
            summed = np.prod(weight[1:]) if node.op_type == "Conv" or transposed else weight[-2]
            operations += int(np.prod(shapes[node.output[0]]) * summed)
            learned.update(weights)
        elif node.op_type == "BatchNormalization":
            learned.update(weights[:2])
        elif node.op_type in ("PRelu", "LayerNormalization", "Add", "Mul"):
            learned.update(name for name in weights if np.prod(constants[name]) > 1)
    return {"parameters": int(sum(np.prod(constants[name]) for name in learned)), "mmac": operations / 1e6}


if __name__ == "__main__":
    main()
