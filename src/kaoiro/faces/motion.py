"""Where a moving face is likely to be next."""

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kaoiro.faces.crops import Box

# Centres in units of the face's size and of seconds; sizes as their logarithm.
_ACCELERATION: Final = 12.0
_FIRST_SPEED: Final = 2.0
_GROWTH: Final = 0.4
_CENTRE_ERROR: Final = 0.04
_SIZE_ERROR: Final = 0.05

# An acceleration lasts about this many seconds, which turns its strength into that of white noise.
_CORRELATION_TIME: Final = 0.2


class BoxMotion:
    """Where a face is and goes, and how large it is: a Kalman filter (Kalman 1960, https://doi.org/10.1115/1.3662552).

    The centre moves steadily, up to accelerations that are white noise: the constant-velocity model in continuous time,
    so that steps of any length may follow each other. Width and height stay as they are, up to a random walk of their
    logarithms: a trend of theirs, taken from a face that is just being covered, would lead astray.

    Args:
        box: where the face is at first.
    """

    def __init__(self, box: Box) -> None:
        self._centre, self._sizes = _parts(box)
        self._speed = np.zeros(2)
        error, speed = _CENTRE_ERROR * self.size, _FIRST_SPEED * self.size
        # x and y have the same covariance, `(2, 2)` of place and speed, as they are seen together.
        self._covariance = np.array([[error**2, 0.0], [0.0, speed**2]])
        self._size_variance = _SIZE_ERROR**2

    @cached_property
    def box(self) -> Box:
        """Where the face is now, as far as is known."""
        half = np.exp(self._sizes) / 2
        left, top, right, bottom = np.concatenate([self._centre - half, self._centre + half]).tolist()
        return left, top, right, bottom

    @cached_property
    def size(self) -> float:
        """The geometric mean of width and height, in pixels."""
        return float(np.exp(self._sizes.mean()))

    @cached_property
    def uncertainty(self) -> float:
        """The standard deviation of the centre's x, and of its y, in pixels."""
        return float(np.sqrt(self._covariance[0, 0]))

    def advance(self, seconds: float) -> None:
        """Go on in time, without seeing the face."""
        self._centre = self._centre + seconds * self._speed
        step = np.array([[1.0, seconds], [0.0, 1.0]])
        noise = np.array([[seconds**3 / 3, seconds**2 / 2], [seconds**2 / 2, seconds]])
        strength = (_ACCELERATION * self.size) ** 2 * _CORRELATION_TIME
        self._covariance = step @ self._covariance @ step.T + strength * noise
        self._size_variance += _GROWTH**2 * seconds
        self._changed()

    def see(self, box: Box, trust: float = 1.0) -> None:
        """Take in where the face is seen now; the errors of a box of less trust, below 1, are larger accordingly."""
        centre, sizes = _parts(box)
        error = (_CENTRE_ERROR * self.size / trust) ** 2
        gains = self._covariance[:, 0] / (self._covariance[0, 0] + error)
        surprise = centre - self._centre
        self._centre = self._centre + gains[0] * surprise
        self._speed = self._speed + gains[1] * surprise
        self._covariance = self._covariance - np.outer(gains, self._covariance[0])
        size_gain = self._size_variance / (self._size_variance + (_SIZE_ERROR / trust) ** 2)
        self._sizes = self._sizes + size_gain * (sizes - self._sizes)
        self._size_variance *= 1 - size_gain
        self._changed()

    def _changed(self) -> None:
        """Forget what was worked out of the former state: a crowd asks for it often."""
        for name in ("box", "size", "uncertainty"):
            self.__dict__.pop(name, None)


def _parts(box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A box's centre, and the logarithms of its width and height."""
    left, top, right, bottom = box
    sizes = np.log(np.maximum((right - left, bottom - top), 1.0))
    return np.array([(left + right) / 2, (top + bottom) / 2]), sizes
