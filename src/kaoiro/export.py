"""From a checkpoint to a model file that says everything about itself."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from kaoiro.evaluation.brief_scores import brief_scores
from kaoiro.evaluation.calibration import Calibration, fit_calibration
from kaoiro.evaluation.evaluate import right_answers
from kaoiro.evaluation.training_prior import training_prior
from kaoiro.expressions import Expression
from kaoiro.files import atomic_path, check_target, reported_writing
from kaoiro.media.face_pixels import face_pixels
from kaoiro.models import ExpressionClassifier
from kaoiro.models.ensemble import Ensemble
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.metadata import INPUT_NAME, METADATA_KEY, Crop, Head, ModelMetadata
from kaoiro.recognition.model_file import open_model
from kaoiro.training.weights.checkpoint import TrainedNetwork
from kaoiro.training.weights.weights_files import load_network

TOLERANCE: Final = 1e-4
"""The most by which a probability may differ between torch and ONNX Runtime."""
ENSEMBLE: Final = "ensemble"
"""What a model file of several checkpoints has for a network."""
_DRAWN_FACES: Final = 512
_OPSET: Final = 18


class _Probabilities(nn.Module):
    """The exported graph: raw pixels to calibrated probabilities, one output a head."""

    def __init__(self, classifier: ExpressionClassifier | Ensemble, calibrations: Mapping[str, Calibration]) -> None:
        super().__init__()
        self.classifier = classifier
        self.calibrations = dict(calibrations)

    def forward(self, faces: Tensor) -> tuple[Tensor, ...]:
        logits = self.classifier(faces)
        return tuple(torch.softmax(_calibrated(logits[name], c), dim=1) for name, c in self.calibrations.items())


def _calibrated(logits: Tensor, calibration: Calibration) -> Tensor:
    if not calibration.by_class:
        return logits / calibration.temperature
    return logits * torch.tensor(calibration.scales) + torch.tensor(calibration.biases)


@dataclass(frozen=True)
class Exported:
    """What `export` wrote."""

    path: Path
    metadata: ModelMetadata
    largest_difference: float
    """The largest difference of a probability between torch and ONNX Runtime on the faces of the check."""
    checked_faces: int
    left_out: tuple[str, ...] = ()
    """Heads of the checkpoints that are not in the file: they tell no expressions apart, or some member lacks them."""


@dataclass(frozen=True)
class _Answering:
    """What is exported: one trained network or several."""

    classifier: ExpressionClassifier | Ensemble
    trained: tuple[TrainedNetwork, ...]
    classes: dict[str, tuple[Expression, ...]]
    targets: dict[str, str]

    @property
    def size(self) -> int:
        return self.trained[0].size

    @property
    def channels(self) -> int:
        return self.trained[0].channels

    @property
    def network(self) -> str:
        return self.trained[0].network if len(self.trained) == 1 else ENSEMBLE

    @property
    def left_out(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(head for one in self.trained for head in one.targets if head not in self.classes))

    def provenance(self) -> dict[str, Any]:
        members = [
            {
                "network": one.network,
                "network_options": one.network_options,
                "normalization": one.normalization,
                "epochs": one.epochs,
                "planned_epochs": one.planned_epochs,
                "seed": one.seed,
            }
            for one in self.trained
        ]
        return members[0] if len(members) == 1 else {"network": ENSEMBLE, "members": members}


def _load(checkpoints: Sequence[Path]) -> _Answering:
    trained = tuple(load_network(str(checkpoint)) for checkpoint in checkpoints)
    for checkpoint, one in zip(checkpoints, trained, strict=True):
        if not one.classes:
            there = ", ".join(f"{head} ({one.targets[head]})" for head in one.outputs)
            raise ModelFileError(
                f"{str(checkpoint)!r} has no head for a model file, which holds label and votes heads only; it has "
                f"{there}"
            )
    first = trained[0]
    if len(trained) == 1:
        return _Answering(first.classifier, trained, first.classes, first.targets)
    for checkpoint, one in zip(checkpoints, trained, strict=True):
        if (one.size, one.channels) != (first.size, first.channels):
            raise ModelFileError(
                f"an ensemble's members read the same input, but {str(checkpoints[0])!r} reads {first.channels}×"
                f"{first.size}×{first.size} and {str(checkpoint)!r} {one.channels}×{one.size}×{one.size}"
            )
    classes = {
        head: known
        for head, known in first.classes.items()
        if all((one.classes.get(head), one.targets.get(head)) == (known, first.targets[head]) for one in trained)
    }
    if not classes:
        raise ModelFileError(
            "the members of an ensemble have a head in common, but these have none: "
            + "; ".join(f"{str(c)!r} has {', '.join(o.classes)}" for c, o in zip(checkpoints, trained, strict=True))
        )
    ensemble = Ensemble([one.classifier for one in trained], list(classes)).eval()
    return _Answering(ensemble, trained, classes, first.targets)


def _logits(classifier: ExpressionClassifier | Ensemble, faces: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
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


def _graph(answering: _Answering, calibrations: Mapping[str, Calibration]) -> onnx.ModelProto:
    example = torch.zeros(2, answering.channels, answering.size, answering.size, dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            _Probabilities(answering.classifier, calibrations).eval(),
            (example,),
            input_names=[INPUT_NAME],
            output_names=list(calibrations),
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
    checkpoint: Path | Sequence[Path],
    target: Path,
    *,
    corpus: Path | None = None,
    name: str | None = None,
    default_head: str | None = None,
    crop: Crop | None = None,
    licence: str = "",
) -> Exported:
    """Write a checkpoint's network, or several checkpoints' as an ensemble, as a model file.

    With a corpus, each head's calibration is fitted on its `validation` split, that split's scores and the classes'
    frequencies among the training faces go into the file, and torch and ONNX Runtime are compared on its faces. Without
    one the temperature stays 1 and the comparison uses faces drawn by `kaoiro.corpus.synthetic`. A model file holds
    heads that tell expressions apart: `multilabel` and `values` heads are left out.

    Args:
        checkpoint: a file that `kaoiro train` wrote; of several, the probabilities of the heads that all of them have
            are averaged. A shipped model's name or a model file of one network serves too: its weights are taken, and
            nothing else of it.
        target: the model file to write, ending in `.onnx`.
        corpus: a stored corpus with a `validation` split.
        name: the model's name; by default its network's, or `ensemble`.
        default_head: the head that photos are read with; by default one that learned votes, otherwise the first.
        crop: how the model wants faces cut out.
        licence: under which terms the weights may be used.

    Raises:
        ModelFileError: the checkpoint cannot be used or has no head for a model file, or ONNX Runtime's answers differ
            from torch's by more than `TOLERANCE`; or an ensemble's members have other inputs or no head in common.
            Nothing is written then.
        InputError: the target's name or the default head cannot be used.
        CorpusError: the corpus cannot be used.
    """
    if target.suffix != ".onnx":
        raise InputError(f"a model file's name ends in .onnx, not as in {str(target)!r}")
    check_target(target)
    checkpoints = [checkpoint] if isinstance(checkpoint, Path) else list(checkpoint)
    if not checkpoints:
        raise InputError("an export needs at least one checkpoint")
    answering = _load(checkpoints)
    if default_head is None:
        default_head = next(
            (head for head in answering.classes if answering.targets[head] == "votes"), next(iter(answering.classes))
        )
    if default_head not in answering.classes:
        raise InputError(f"there is no head {default_head!r}; the checkpoint has {', '.join(answering.classes)}")

    heads = {
        head: Head(classes, 1.0, "votes" if answering.targets[head] == "votes" else "label")
        for head, classes in answering.classes.items()
    }
    stored: Corpus | None = None if corpus is None else open_corpus(corpus)
    validation = None if stored is None else stored.select("validation")
    if stored is not None:
        heads = {key: replace(head, prior=training_prior(stored, head)) for key, head in heads.items()}
    if validation is None:
        faces = _drawn_faces(answering.size, answering.channels)
    else:
        faces = validation.decode_faces(answering.size, answering.channels)
    logits = _logits(answering.classifier, faces)
    answers = {} if validation is None else {key: right_answers(validation, head) for key, head in heads.items()}
    calibrations = {
        key: Calibration.of_temperature(1.0, len(head.classes))
        if (known := answers.get(key)) is None
        else fit_calibration(logits[key], known)
        for key, head in heads.items()
    }
    heads = {key: _with_calibration(head, calibrations[key]) for key, head in heads.items()}
    metadata = ModelMetadata(
        name=name or answering.network,
        size=answering.size,
        channels=answering.channels,
        heads=heads,
        default_head=default_head,
        crop=crop or Crop(),
        licence=licence,
        provenance={
            **answering.provenance(),
            "corpus": None if corpus is None else corpus.name,
            "kaoiro": kaoiro.__version__,
            "torch": torch.__version__,
        },
    )
    model = _graph(answering, calibrations)
    with reported_writing(target), atomic_path(target) as path:
        _write(model, metadata, path)
        found = head_probabilities(open_model(path, device="cpu"), faces, list(heads), flip_averaging=False)
        # Python's own max would lose a NaN.
        difference = float(
            np.max([_largest_difference(calibrations[key].apply(logits[key]), found[key]) for key in heads])
        )
        if not difference <= TOLERANCE:
            raise ModelFileError(
                f"not written: on {len(faces)} faces ONNX Runtime differs from torch by {difference:.2g}, "
                f"more than {TOLERANCE:.0e}"
            )
        measured = brief_scores(heads, answers, found)
        metadata = replace(metadata, scores={"validation": measured} if measured else {})
        _write(model, metadata, path)
    return Exported(target, metadata, difference, len(faces), answering.left_out)


def _write(model: onnx.ModelProto, metadata: ModelMetadata, path: Path) -> None:
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    onnx.save_model(model, str(path))


def _with_calibration(head: Head, calibration: Calibration) -> Head:
    if not calibration.by_class:
        return replace(head, temperature=calibration.temperature)
    return replace(head, temperature=calibration.temperature, scales=calibration.scales, biases=calibration.biases)


def _largest_difference(logits: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
    expected = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    return float(np.abs(expected - probabilities).max())
