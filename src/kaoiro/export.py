"""From a checkpoint to a model file that says everything about itself."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import kaoiro
from kaoiro.corpus.store import Corpus, open_corpus
from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.errors import InputError, ModelFileError
from kaoiro.evaluation.calibration import fit_temperature
from kaoiro.evaluation.evaluate import model_probabilities, right_answers
from kaoiro.evaluation.scores import score
from kaoiro.files import atomic_path
from kaoiro.media.face_pixels import face_pixels
from kaoiro.models import ExpressionClassifier
from kaoiro.recognition.metadata import INPUT_NAME, METADATA_KEY, Crop, Head, ModelMetadata
from kaoiro.recognition.model_file import open_model
from kaoiro.training.checkpoint import TrainedNetwork, load_checkpoint

TOLERANCE: Final = 1e-4
"""The most by which a probability may differ between torch and ONNX Runtime."""
_PARITY_FACES: Final = 512
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


def _logits(classifier: ExpressionClassifier, faces: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    parts: dict[str, list[NDArray[np.float32]]] = {}
    with torch.inference_mode():
        for start in range(0, len(faces), 256):
            for name, logits in classifier(torch.from_numpy(faces[start : start + 256])).items():
                parts.setdefault(name, []).append(logits.numpy())
    return {name: np.concatenate(batches) for name, batches in parts.items()}


def _drawn_faces(size: int, channels: int) -> NDArray[np.uint8]:
    faces, _ = synthetic_faces(_PARITY_FACES, seed=0)
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
        )
    assert program is not None
    model = program.model_proto
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
    faces drawn by `kaoiro.corpus.synthetic`.

    Args:
        checkpoint: a file that `kaoiro train` wrote.
        target: the model file to write, ending in `.onnx`.
        corpus: a stored corpus with a `validation` split.
        name: the model's name; by default its network's.
        default_head: the head that photos are read with; by default one that learned votes, otherwise the first.
        crop: how the model wants faces cut out.
        licence: under which terms the weights may be used.

    Raises:
        ModelFileError: the checkpoint cannot be used, or ONNX Runtime's answers differ from torch's by more than
            `TOLERANCE`; nothing is written then.
        InputError: the target's name or the default head cannot be used.
        CorpusError: the corpus cannot be used.
    """
    if target.suffix != ".onnx":
        raise InputError(f"a model file's name ends in .onnx, not as in {str(target)!r}")
    trained = load_checkpoint(checkpoint)
    if default_head is None:
        default_head = next(
            (head for head, kind in trained.targets.items() if kind == "votes"), next(iter(trained.classes))
        )
    if default_head not in trained.classes:
        raise InputError(f"there is no head {default_head!r}; the checkpoint has {', '.join(trained.classes)}")

    validation: Corpus | None = None if corpus is None else open_corpus(corpus).select("validation")
    uncalibrated = {
        head: Head(classes, 1.0, "votes" if trained.targets[head] == "votes" else "label")
        for head, classes in trained.classes.items()
    }
    temperatures = dict.fromkeys(uncalibrated, 1.0)
    if validation is None:
        faces = _drawn_faces(trained.size, trained.channels)
    else:
        faces = validation.decode_faces(trained.size, trained.channels)
        logits = _logits(trained.classifier, faces)
        for head, description in uncalibrated.items():
            answers = right_answers(validation, description)
            if answers is not None:
                temperatures[head] = fit_temperature(logits[head], answers)
    heads = {head: Head(d.classes, temperatures[head], d.target) for head, d in uncalibrated.items()}
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
            "epochs": trained.epochs,
            "planned_epochs": trained.planned_epochs,
            "seed": trained.seed,
            "corpus": None if corpus is None else corpus.name,
            "exported": datetime.now(UTC).date().isoformat(),
            "kaoiro": kaoiro.__version__,
            "torch": torch.__version__,
        },
    )
    model = _graph(trained, temperatures)
    with atomic_path(target) as path:
        _write(model, metadata, path)
        opened = open_model(path, device="cpu")
        found = model_probabilities(opened, faces, flip_averaging=False)
        difference = _largest_difference(trained, temperatures, faces[:_PARITY_FACES], found)
        if not difference <= TOLERANCE:
            raise ModelFileError(
                f"not written: on {min(len(faces), _PARITY_FACES)} faces ONNX Runtime differs from torch by "
                f"{difference:.2g}, more than {TOLERANCE:.0e}"
            )
        if validation is not None:
            scores = _validation_scores(validation, heads, found)
            metadata = ModelMetadata(**{**metadata.__dict__, "scores": {"validation": scores}})
            _write(model, metadata, path)
    return Exported(target, metadata, difference, min(len(faces), _PARITY_FACES))


def _write(model: onnx.ModelProto, metadata: ModelMetadata, path: Path) -> None:
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    onnx.save_model(model, str(path))


def _largest_difference(
    trained: TrainedNetwork,
    temperatures: Mapping[str, float],
    faces: NDArray[np.uint8],
    found: Mapping[str, NDArray[np.float32]],
) -> float:
    logits = _logits(trained.classifier, faces)
    differences = [
        np.abs(torch.softmax(torch.from_numpy(logits[head]) / t, dim=1).numpy() - found[head][: len(faces)]).max()
        for head, t in temperatures.items()
    ]
    return float(np.max(differences))


def _validation_scores(
    validation: Corpus, heads: Mapping[str, Head], found: Mapping[str, NDArray[np.float32]]
) -> dict[str, Any]:
    scores = {}
    for name, head in heads.items():
        answers = right_answers(validation, head)
        if answers is not None:
            measured = score(found[name], answers, head.classes)
            scores[name] = {
                "n": measured.n,
                "accuracy": measured.accuracy.value,
                "macro_f1": measured.macro_f1.value,
                "calibration_error": measured.calibration_error,
            }
    return scores
