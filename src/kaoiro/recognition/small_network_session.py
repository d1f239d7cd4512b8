"""Running a small network: a few faces on one thread, many on all."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

LARGEST_FILE: Final = 1_000_000
"""In bytes. With a network up to this size, handing work to threads takes longer than reading a few faces."""
_FEW_FACES: Final = 4


class SmallNetworkSession:
    """Two sessions of one network; several threads may run it at once.

    Args:
        alone: a session with one thread.
        together: one with several.
    """

    def __init__(self, alone: onnxruntime.InferenceSession, together: onnxruntime.InferenceSession) -> None:
        self._alone = alone
        self._together = together

    def run(self, output_names: Sequence[str], inputs: Mapping[str, NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """Give these outputs, each `(batch, classes)`, for one input of `(batch, channels, size, size)`."""
        (faces,) = inputs.values()
        session = self._alone if len(faces) <= _FEW_FACES else self._together
        answers: list[NDArray[np.float32]] = session.run(output_names, inputs)
        return answers
