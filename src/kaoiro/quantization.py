"""From a model file in 32 bits to one whose convolutions compute in 8 bits: smaller and faster, nearly as right.

Static quantisation as ONNX Runtime does it: weights become `int8` with one scale a channel, and what flows between the
convolutions becomes `uint8` with a range that is measured on training faces beforehand. Source: Jacob et al. 2018,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
https://arxiv.org/abs/1712.05877.
"""

import contextlib
import io
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from kaoiro.corpus.store import Corpus, open_corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.evaluation.brief_scores import brief_scores
from kaoiro.evaluation.evaluate import right_answers
from kaoiro.files import atomic_path, check_outputs, reported_writing
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.metadata import INPUT_NAME, METADATA_KEY, ModelMetadata
from kaoiro.recognition.model_file import ModelFile, model_bytes, open_model

CALIBRATION_FACES: Final = 256
"""How many training faces the ranges are measured on; fewer where the split has fewer."""
BATCHES: Final = (1, 64)
"""The batch sizes at which the speed is compared."""

_BATCH: Final = 64
# Of what flows between two layers this share, in per cent, lies within the range. On the shipped models it kept the
# answers closer than the whole range did, and than 99.99 % or the range of least divergence ("entropy").
_PERCENTILE: Final = 99.999
_TIMED_ROUNDS: Final = 5
_TIMED_SECONDS: Final = 0.1
_SILENT: Final = 4  # ONNX Runtime's severity "fatal"


@dataclass(frozen=True)
class Comparison:
    """A head's accuracy on the validation split in 32 and in 8 bits, both between 0 and 1, on the same `n` faces."""

    before: float
    after: float
    n: int


@dataclass(frozen=True)
class Quantized:
    """What `quantize` wrote."""

    path: Path
    metadata: ModelMetadata
    accuracy: Mapping[str, Comparison]
    """By head."""
    speedup: Mapping[int, float]
    """By batch size: how many times as fast as before, on one thread of this machine."""
    calibration_faces: int


def quantize(model: str | Path, target: Path, corpus: Path, *, name: str | None = None) -> Quantized:
    """Write a model file's network in 8 bits.

    Batch normalisations are merged into their convolutions first. The first convolution, of each member of an ensemble,
    stays in 32 bits: it sees the standardised pixels, and costs far more accuracy than it does time. So does all that
    is no convolution. The calibration stays as it is. The file's scores are those of the corpus's `validation`
    split, measured again.

    The same model and corpus give the same file.

    Args:
        model: the name of a shipped model, or a model file's path.
        target: the model file to write, ending in `.onnx`.
        corpus: a stored corpus with the splits `train`, whose faces the ranges are measured on, and `validation`.
        name: the new model's name; by default the old one and `-int8`.

    Raises:
        ModelFileError: the model cannot be used.
        InputError: the target cannot be written or is the model itself; the model is in 8 bits already, or has no
            convolution after the first.
        CorpusError: the corpus cannot be used, or no validation face has a right answer for any head.
    """
    if target.suffix != ".onnx":
        raise InputError(f"a model file's name ends in .onnx, not as in {str(target)!r}")
    check_outputs({"the model": Path(model), "the corpus": corpus}, {"--output": target})
    before = open_model(model, device="cpu", threads=1)
    metadata = before.metadata
    if metadata.provenance.get("precision") == "int8":
        raise InputError(f"the model {str(model)!r} computes in 8 bits already; give the one that it was made from")
    stored = open_corpus(corpus)
    faces = _sample(stored.select("train"), CALIBRATION_FACES).decode_faces(metadata.size, metadata.channels)
    validation = stored.select("validation")
    heads = metadata.heads
    answers = {key: right_answers(validation, head) for key, head in heads.items()}
    if all(answer is None for answer in answers.values()):
        raise CorpusError(f"no validation face in {corpus} has a label or votes that the model's heads know")

    graph = _quantized(model_bytes(model), faces, metadata.name)
    metadata = replace(
        metadata,
        name=name or f"{metadata.name}-int8",
        provenance={**metadata.provenance, "precision": "int8", "calibration_faces": len(faces)},
    )
    judged = validation.decode_faces(metadata.size, metadata.channels)
    old = brief_scores(heads, answers, head_probabilities(before, judged, list(heads), flip_averaging=False))
    with reported_writing(target), atomic_path(target) as path:
        _write(graph, metadata, path)
        after = open_model(path, device="cpu", threads=1)
        new = brief_scores(heads, answers, head_probabilities(after, judged, list(heads), flip_averaging=False))
        metadata = replace(metadata, scores={"validation": new})
        _write(graph, metadata, path)
    return Quantized(
        path=target,
        metadata=metadata,
        accuracy={key: Comparison(old[key]["accuracy"], new[key]["accuracy"], int(new[key]["n"])) for key in new},
        speedup={batch: _speedup(before, after, batch) for batch in BATCHES},
        calibration_faces=len(faces),
    )


def _sample(part: Corpus, count: int) -> Corpus:
    """Draw faces by a fixed seed, in the corpus's order; all of them where there are no more."""
    if len(part) <= count:
        return part
    rows = np.sort(np.random.default_rng(0).choice(len(part), count, replace=False))
    return Corpus(part.path, part.table.take(rows))


class _Faces(CalibrationDataReader):  # type: ignore[misc]
    """Hands ONNX Runtime the faces on which it measures the ranges, in batches."""

    def __init__(self, faces: NDArray[np.uint8]) -> None:
        self._batches = [faces[start : start + _BATCH] for start in range(0, len(faces), _BATCH)]
        self.set_range(0, len(self))

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._left = iter(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self._left, None)
        return None if batch is None else {INPUT_NAME: batch}


def _quantized(model: bytes, faces: NDArray[np.uint8], called: str) -> onnx.ModelProto:
    with TemporaryDirectory() as folder:
        merged, quantized = Path(folder, "merged.onnx"), Path(folder, "quantized.onnx")
        _merge_norms(model, merged)
        graph = onnx.load(str(merged)).graph
        first = _first_convolutions(graph)
        if sum(node.op_type == "Conv" for node in graph.node) == len(first):
            raise InputError(f"the model {called!r} has nothing to compute in 8 bits: no convolution after the first")
        outputs = {name for node in first for name in node.output}
        after_first = [node.name for node in graph.node if node.op_type == "Relu" and node.input[0] in outputs]
        # It prints what it does.
        with contextlib.redirect_stdout(io.StringIO()):
            quantize_static(
                merged,
                quantized,
                _Faces(faces),
                quant_format=QuantFormat.QDQ,
                # A ReLU that follows a convolution becomes the lower end of its range, which all 256 values then serve.
                op_types_to_quantize=["Conv", "Relu"],
                nodes_to_exclude=[*(node.name for node in first), *after_first],
                per_channel=True,
                # Weights in 7 bits of the 8: CPUs without VNNI add two products in 16 bits, which must not overflow.
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.Percentile,
                # One batch at a time: all that flows between the layers is kept until it is counted.
                extra_options={"CalibPercentile": _PERCENTILE, "CalibStridedMinMax": 1},
            )
        return onnx.load(str(quantized))


def _first_convolutions(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The convolutions that see what no other convolution made: one, or one for each member of an ensemble."""
    first, convolved = [], set[str]()
    for node in graph.node:  # in an order in which each comes after those that it needs
        after_another = any(name in convolved for name in node.input)
        if node.op_type == "Conv" and not after_another:
            first.append(node)
        if node.op_type == "Conv" or after_another:
            convolved.update(node.output)
    return first


def _merge_norms(model: bytes, target: Path) -> None:
    """Merge batch normalisations into the convolutions before them, as ONNX Runtime does when it loads a model."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _SILENT
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    merged = onnx.load(str(target))
    used = {node.domain for node in merged.graph.node}
    opsets = [opset for opset in merged.opset_import if opset.domain in used]
    del merged.opset_import[:]
    merged.opset_import.extend(opsets)
    # Says that the graph is prepared; the quantiser logs a warning otherwise.
    add_pre_process_metadata(merged)
    onnx.save_model(merged, str(target))


def _write(model: onnx.ModelProto, metadata: ModelMetadata, path: Path) -> None:
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    onnx.save_model(model, str(path))


def _speedup(before: ModelFile, after: ModelFile, batch: int) -> float:
    """How many times as fast the second model is; the two take turns, so that both meet the same disturbances."""
    size, channels = before.metadata.size, before.metadata.channels
    faces = np.random.default_rng(0).integers(0, 256, (batch, channels, size, size), dtype=np.uint8)
    runs = [_run(model, faces) for model in (before, after)]
    rounds = [[_seconds(run) for run in runs] for _ in range(_TIMED_ROUNDS)]
    slow, fast = (min(times) for times in zip(*rounds, strict=True))
    return float(slow / fast)


def _run(model: ModelFile, faces: NDArray[np.uint8]) -> Callable[[], Any]:
    return lambda: model.session.run([model.metadata.default_head], {INPUT_NAME: faces})


def _seconds(run: Callable[[], Any]) -> float:
    """The shortest time of a run in a tenth of a second: what others do on the machine only ever adds to it."""
    run()
    best = math.inf
    end = time.perf_counter() + _TIMED_SECONDS
    while (began := time.perf_counter()) < end or best == math.inf:
        run()
        best = min(best, time.perf_counter() - began)
    return best
