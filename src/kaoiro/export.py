"""From a checkpoint to a model file that says everything about itself."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxscript.optimizer
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import kaoiro
from kaoiro.corpus.store import Corpus, open_corpus
from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.errors import InputError, ModelFileError
from kaoiro.evaluation.calibration import fit_temperature
from kaoiro.evaluation.evaluate import right_answers
from kaoiro.evaluation.scores import score
from kaoiro.files import atomic_path, check_target, reported_writing
from kaoiro.media.face_pixels import face_pixels
from kaoiro.models import ExpressionClassifier
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.metadata import INPUT_NAME, METADATA_KEY, Crop, Head, ModelMetadata
from kaoiro.recognition.model_file import open_model
from kaoiro.training.weights.checkpoint import TrainedNetwork, load_checkpoint

TOLERANCE: Final = 1e-4
"""The most by which a probability may differ between torch and ONNX Runtime."""
_DRAWN_FACES: Final = 512
_OPSET: Final = 18


class _Probabilities(nn.Module):
    """The exported graph: raw pixels to calibrated probabilities, one output a head."""

    def __init__(self, classifier: ExpressionClassifier, temperatures: Mapping[str, float]) -> None:
        super().__init__()
        self.classifier = classifier
        self.temperatures = dict(temperatures)

    def forward(self, faces: Tensor) -> tuple[Tensor, ...]:
        logits = self.classifier(faces)
        return tuple(torch.softmax(logits[name] / t, dim=1) for name, t in self.temperatures.items())


@dataclass(frozen=True)
class Exported:
    """What `export` wrote."""

    path: Path
    metadata: ModelMetadata
    largest_difference: float
    """The largest difference of a probability between torch and ONNX Runtime on the faces of the check."""
    checked_faces: int
    left_out: tuple[str, ...] = ()
    """Heads of the checkpoint that are not in the file, because they tell no expressions apart."""


def _logits(classifier: ExpressionClassifier, faces: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    parts: dict[str, list[NDArray[np.float32]]] = {}
    with torch.inference_mode():
        for start in range(0, len(faces), 256):
            for name, logits in classifier(torch.from_numpy(faces[start : start + 256])).items():
                parts.setdefault(name, []).append(logits.numpy())
    return {name: np.concatenate(batches) for name, batches in parts.items()}


def _drawn_faces(size: int, channels: int) -> NDArray[np.uint8]:
    faces, _ = synthetic_faces(_DRAWN_FACES, seed=0)
    return np.stack([face_pixels(face, size, channels) for face in faces])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # The exporter prints its progress and logs what it thinks of the operator set; errors still come as exceptions.
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _fold_constants(program: torch.onnx.ONNXProgram) -> None:
    """Simplify the graph, but leave every parameter as it is, so that training can begin with the file.

    The exporter's own optimiser would merge batch normalisation into the convolutions. ONNX Runtime does that itself
    when it loads a file.
    """
    parameters = set(program.model.graph.initializers)

    def may_fold(node: Any) -> bool | None:
        # None leaves the decision to the usual rules.
        return False if any(value is not None and value.name in parameters for value in node.inputs) else None

    onnxscript.optimizer.fold_constants(program.model, should_fold=may_fold)
    onnxscript.optimizer.remove_unused_nodes(program.model)


def _graph(trained: TrainedNetwork, temperatures: Mapping[str, float]) -> onnx.ModelProto:
    example = torch.zeros(2, trained.channels, trained.size, trained.size, dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            _Probabilities(trained.classifier, temperatures).eval(),
            (example,),
            input_names=[INPUT_NAME],
            output_names=list(temperatures),
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=_OPSET,
            dynamo=True,
            optimize=False,
        )
        assert program is not None
        _fold_constants(program)
    model = program.model_proto
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    return model


def export(
    checkpoint: Path,
    target: Path,
    *,
    corpus: Path | None = None,
    name: str | None = None,
    default_head: str | None = None,
    crop: Crop | None = None,
    licence: str = "",
) -> Exported:
    """Write a checkpoint's network as a model file.

    With a corpus, each head's temperature is fitted on its `validation` split, that split's scores go into the file,
    and torch and ONNX Runtime are compared on its faces. Without one the temperature stays 1 and the comparison uses
    faces drawn by `kaoiro.corpus.synthetic`. A model file holds heads that tell expressions apart: `multilabel` and
    `values` heads are left out.

    Args:
        checkpoint: a file that `kaoiro train` wrote.
        target: the model file to write, ending in `.onnx`.
        corpus: a stored corpus with a `validation` split.
        name: the model's name; by default its network's.
        default_head: the head that photos are read with; by default one that learned votes, otherwise the first.
        crop: how the model wants faces cut out.
        licence: under which terms the weights may be used.

    Raises:
        ModelFileError: the checkpoint cannot be used or has no head for a model file, or ONNX Runtime's answers differ
            from torch's by more than `TOLERANCE`; nothing is written then.
        InputError: the target's name or the default head cannot be used.
        CorpusError: the corpus cannot be used.
    """
    if target.suffix != ".onnx":
        raise InputError(f"a model file's name ends in .onnx, not as in {str(target)!r}")
    check_target(target)
    trained = load_checkpoint(checkpoint)
    if not trained.classes:
        there = ", ".join(f"{head} ({trained.targets[head]})" for head in trained.outputs)
        raise ModelFileError(
            f"{str(checkpoint)!r} has no head for a model file, which holds label and votes heads only; it has {there}"
        )
    if default_head is None:
        default_head = next(
            (head for head, kind in trained.targets.items() if kind == "votes"), next(iter(trained.classes))
        )
    if default_head not in trained.classes:
        raise InputError(f"there is no head {default_head!r}; the checkpoint has {', '.join(trained.classes)}")

    heads = {
        head: Head(classes, 1.0, "votes" if trained.targets[head] == "votes" else "label")
        for head, classes in trained.classes.items()
    }
    validation: Corpus | None = None if corpus is None else open_corpus(corpus).select("validation")
    if validation is None:
        faces = _drawn_faces(trained.size, trained.channels)
    else:
        faces = validation.decode_faces(trained.size, trained.channels)
    logits = _logits(trained.classifier, faces)
    answers = {} if validation is None else {key: right_answers(validation, head) for key, head in heads.items()}
    for key, known in answers.items():
        if known is not None:
            heads[key] = replace(heads[key], temperature=fit_temperature(logits[key], known))
    metadata = ModelMetadata(
        name=name or trained.network,
        size=trained.size,
        channels=trained.channels,
        heads=heads,
        default_head=default_head,
        crop=crop or Crop(),
        licence=licence,
        provenance={
            "network": trained.network,
            "network_options": trained.network_options,
            "normalization": trained.normalization,
            "epochs": trained.epochs,
            "planned_epochs": trained.planned_epochs,
            "seed": trained.seed,
            "corpus": None if corpus is None else corpus.name,
            "exported": datetime.now(UTC).date().isoformat(),
            "kaoiro": kaoiro.__version__,
            "torch": torch.__version__,
        },
    )
    model = _graph(trained, {name: head.temperature for name, head in heads.items()})
    with reported_writing(target), atomic_path(target) as path:
        _write(model, metadata, path)
        found = head_probabilities(open_model(path, device="cpu"), faces, list(heads), flip_averaging=False)
        scaled = {key: logits[key] / head.temperature for key, head in heads.items()}
        # Python's own max would lose a NaN.
        difference = float(np.max([_largest_difference(scaled[key], found[key]) for key in heads]))
        if not difference <= TOLERANCE:
            raise ModelFileError(
                f"not written: on {len(faces)} faces ONNX Runtime differs from torch by {difference:.2g}, "
                f"more than {TOLERANCE:.0e}"
            )
        metadata = replace(metadata, scores=_validation_scores(heads, answers, found))
        _write(model, metadata, path)
    return Exported(target, metadata, difference, len(faces), tuple(trained.outputs))


def _write(model: onnx.ModelProto, metadata: ModelMetadata, path: Path) -> None:
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    onnx.save_model(model, str(path))


def _largest_difference(logits: NDArray[np.float32], probabilities: NDArray[np.float64]) -> float:
    expected = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    return float(np.abs(expected - probabilities).max())


def _validation_scores(
    heads: Mapping[str, Head],
    answers: Mapping[str, NDArray[np.int64] | None],
    found: Mapping[str, NDArray[np.float64]],
) -> dict[str, Any]:
    scores = {}
    for name, known in answers.items():
        if known is not None:
            measured = score(found[name], known, heads[name].classes)
            scores[name] = {
                "n": measured.n,
                "accuracy": measured.accuracy.value,
                "macro_f1": measured.macro_f1.value,
                "calibration_error": measured.calibration_error,
            }
    return {"validation": scores} if scores else {}
