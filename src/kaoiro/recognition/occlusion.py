"""Which parts of a face carried a decision: how the answer changes as parts are covered at random.

Randomised input sampling (Petsiuk et al. 2018, https://arxiv.org/abs/1806.07421), on log-odds, with covers in pairs of
opposites and the blurred face as what covers, so that a cover brings in no edges and no brightness of its own. It asks
only for answers, hence works for every model, head, prior and backend.
"""

from collections.abc import Callable, Iterable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Probability = Callable[[Iterable[NDArray[np.uint8]]], NDArray[np.float64]]
"""The probability of one expression, `float64 (n,)`, for each of n faces."""

DEFAULT_COVERS: Final = 512
_CELLS: Final = 9  # along each side, about the size of an eye
_BLUR: Final = 1 / 6  # standard deviation, of the face's side
_SEED: Final = 0  # the same face gives the same evidence


def occlusion_evidence(
    probability: Probability, face: NDArray[np.uint8], covers: int = DEFAULT_COVERS
) -> NDArray[np.float64]:
    """Measure how much each part of a face speaks for an expression.

    Half of the face, in random cells with soft edges, is covered each time. Regressing the log-odds on what was visible
    gives each pixel's share.

    Args:
        probability: gives the expression's probability for faces of this form.
        face: `uint8 (n, n)` grey or `(n, n, 3)` RGB; best in the size of the model's input, as the whole face is read
            once for each cover.
        covers: how many; an odd number counts as the even one below it. More make the evidence less noisy.

    Returns:
        `float64 (n, n)`: by how much the log-odds of the expression are higher, in nats, when a pixel's surroundings
        are visible than when they are covered, whatever else is. Positive: the part speaks for the expression.
        Negative: it speaks against.
    """
    side = face.shape[0]
    blurred = np.asarray(cv2.GaussianBlur(face, (0, 0), _BLUR * side, borderType=cv2.BORDER_REPLICATE), np.uint8)
    visible = _random_visibility(side, covers)
    log_odds = _log_odds(probability(_blend(face, blurred, shares) for shares in visible))
    from_mean = visible - 0.5  # the mean, since each cover has its opposite
    slopes = np.tensordot(log_odds - log_odds.mean(), from_mean, 1) / np.square(from_mean).sum(axis=0)
    return np.asarray(slopes)


def _random_visibility(side: int, covers: int) -> NDArray[np.float64]:
    """How visible each pixel is under each cover, 0 to 1: `(covers, side, side)`."""
    random = np.random.default_rng(_SEED)
    cell = -(-side // _CELLS)
    masks = []
    for _ in range(covers // 2):
        cells = random.integers(0, 2, (_CELLS + 1, _CELLS + 1)).astype(np.float64)
        large = np.asarray(cv2.resize(cells, None, fx=cell, fy=cell, interpolation=cv2.INTER_LINEAR))
        # Cells that always lay in the same places would show in the evidence as a grid.
        top, left = random.integers(0, large.shape[0] - side + 1, 2)
        mask = large[top : top + side, left : left + side]
        masks += [mask, 1 - mask]
    return np.stack(masks)


def _blend(face: NDArray[np.uint8], cover: NDArray[np.uint8], visible: NDArray[np.float64]) -> NDArray[np.uint8]:
    share = visible if face.ndim == 2 else visible[..., None]
    return np.asarray(np.rint(face * share + cover * (1 - share)), np.uint8)


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    # Beyond this, differences are rounding errors of the model's softmax.
    clipped = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
