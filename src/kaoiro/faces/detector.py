"""Face detectors, by name."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kaoiro.errors import InputError
from kaoiro.faces.detection import Detection, Detector
from kaoiro.faces.haar import HaarDetector
from kaoiro.faces.yunet import DEFAULT_MIN_SCORE, FaceDetector

__all__ = [
    "DEFAULT_DETECTOR",
    "DEFAULT_MIN_SCORE",
    "DETECTORS",
    "Detection",
    "Detector",
    "FaceDetector",
    "HaarDetector",
    "open_detector",
]

DEFAULT_DETECTOR: Final = "yunet"

DETECTORS: Final[dict[str, Callable[[float | None, int | None], Detector]]] = {
    "yunet": lambda score, threads: FaceDetector(min_score=_or_default(score), threads=threads),
    "yunet-thorough": lambda score, threads: FaceDetector(min_score=_or_default(score), thorough=True, threads=threads),
    "haar": lambda score, _: HaarDetector(score or 0.0),
}
"""What makes each detector from the lowest score that is asked for, None being the detector's own, and the number of
threads."""


def open_detector(
    detector: Detector | str | Path | None = None, min_score: float | None = None, threads: int | None = None
) -> Detector:
    """Give the detector that a user names.

    Args:
        detector: one of the names in `DETECTORS`; the path of a YuNet file; `package.module:Class`, a class of your
            own, which is searched in the current folder too and made without arguments; or a detector, which is given
            back as it is. None: `yunet`.
        min_score: faces with a lower score, 0 to 1, are left out; None: the detector's own limit. Without effect on
            classes and detectors of your own.
        threads: how many CPU threads YuNet may use; None: all.

    Raises:
        InputError: there is no such detector, or it cannot be used.
    """
    if detector is None:
        detector = DEFAULT_DETECTOR
    if isinstance(detector, str) and detector in DETECTORS:
        return DETECTORS[detector](min_score, threads)
    if isinstance(detector, str) and ":" in detector and not _is_file_name(detector):
        return _made_by_class(detector)
    if isinstance(detector, str | Path):
        if Path(detector).suffix != ".onnx" and not Path(detector).exists():
            raise InputError(
                f"unknown detector {str(detector)!r}; known are {', '.join(DETECTORS)}, a YuNet file (*.onnx), or a "
                "class of your own as package.module:Class"
            )
        return FaceDetector(detector, _or_default(min_score), threads=threads)
    return _checked(detector, f"the detector {detector!r}")


def _is_file_name(detector: str) -> bool:
    return Path(detector).suffix == ".onnx" or Path(detector).exists()


def _made_by_class(name: str) -> Detector:
    module_name, _, class_name = name.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except (ImportError, SyntaxError, ValueError) as error:
        raise InputError(f"cannot import the detector {name!r}: {error}") from error
    make = getattr(module, class_name, None)
    if not callable(make):
        raise InputError(f"the detector {name!r} is no class: {module_name} has no {class_name!r} that can be called")
    try:
        made = make()
    except TypeError as error:
        raise InputError(f"the detector {name!r} cannot be made without arguments: {error}") from error
    return _checked(made, f"what {name} makes")


def _checked(detector: object, name: str) -> Detector:
    if isinstance(detector, type) or not isinstance(detector, Detector):
        raise InputError(f"{name} is no detector: it needs a method detect(image)")
    return detector


def _or_default(min_score: float | None) -> float:
    return DEFAULT_MIN_SCORE if min_score is None else min_score
