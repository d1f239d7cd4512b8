"""Outlines in face units, and the pose that carries them into a picture.

The origin of face units lies between the eyes and the tip of the nose; x goes to the right of the picture,
y down, and half the width of a face is about 1.
"""

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_SUBPIXEL_BITS: Final = 4  # OpenCV draws at fixed-point coordinates of 1/16 pixel

Point = tuple[float, float]
Curve = tuple[float, float, float, float, float, float]  # a quadratic Bézier: start, control point, end


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is and how it is turned.

    Attributes:
        roll: degrees, clockwise in the picture.
        yaw: how far turning moves the middle of the face to the right, in face units; so too `pitch`, down.
        scale: pixels that one face unit takes, as a fraction of the picture's side.
        shift: of the face's origin from the picture's centre, as fractions of its side.
    """

    roll: float
    yaw: float
    pitch: float
    scale: float
    shift: Point

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Pose":
        return cls(
            roll=rng.uniform(-14, 14),
            yaw=rng.uniform(-0.2, 0.2),
            pitch=rng.uniform(-0.1, 0.1),
            scale=rng.uniform(0.32, 0.4),
            shift=(rng.uniform(-0.06, 0.06), rng.uniform(-0.05, 0.05)),
        )

    def place(self, points: NDArray[np.float64], side: int) -> NDArray[np.float64]:
        """Carry `(n, 2)` points of the face to pixels of a square picture."""
        x, y = points[:, 0], points[:, 1]
        # Features lie on a bulging surface: turning the head moves its middle most, its outline not at all.
        bulge = np.sqrt(np.maximum(0, 1 - (x / 1.1) ** 2 - (y / 1.4) ** 2))
        turned = np.stack([x + self.yaw * bulge, y + self.pitch * bulge], axis=1)
        angle = math.radians(self.roll)
        cos, sin = math.cos(angle), math.sin(angle)
        rotated: NDArray[np.float64] = turned @ np.array([[cos, sin], [-sin, cos]])
        rotated *= self.scale * side
        rotated += [(0.5 + self.shift[0]) * side, (0.5 + self.shift[1]) * side]
        return rotated


@cache
def _bernstein(points: int) -> NDArray[np.float64]:
    t = np.linspace(0, 1, points)[:, None]
    return np.concatenate([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)


def bow(start: Point, middle: Point, end: Point) -> Curve:
    """A curve that passes through `middle` half-way."""
    control = (2 * middle[0] - (start[0] + end[0]) / 2, 2 * middle[1] - (start[1] + end[1]) / 2)
    return (*start, *control, *end)


def oval(x: float, y: float, rx: float, ry: float) -> tuple[Curve, ...]:
    rim = 0.914  # control points that let four parabolas pass through the ellipse's diagonals
    return (
        (x + rx, y, x + rim * rx, y + rim * ry, x, y + ry),
        (x, y + ry, x - rim * rx, y + rim * ry, x - rx, y),
        (x - rx, y, x - rim * rx, y - rim * ry, x, y - ry),
        (x, y - ry, x + rim * rx, y - rim * ry, x + rx, y),
    )


@dataclass(slots=True)
class Sketch:
    """Outlines in face units, collected first so that one matrix product turns all of them into pixels."""

    curves: list[Curve] = field(default_factory=list)
    shapes: list[tuple[int, int, float, float]] = field(default_factory=list)  # first, last, grey, thickness

    def fill(self, grey: float, *curves: Curve) -> None:
        """Fill the outline that the curves make one after another, over everything drawn before."""
        self.stroke(grey, 0, *curves)

    def stroke(self, grey: float, thickness: float, *curves: Curve) -> None:
        """Draw along the curves with a pen of `thickness` face units."""
        self.shapes.append((len(self.curves), len(self.curves) + len(curves), grey, thickness))
        self.curves.extend(curves)

    def paint(self, canvas: NDArray[np.uint8], pose: Pose) -> None:
        """Draw everything on a square `uint8` canvas."""
        side, samples = len(canvas), 7
        controls = np.array(self.curves).reshape(-1, 3, 2)
        points = (_bernstein(samples) @ controls).reshape(-1, 2)
        pixels = np.rint(pose.place(points, side) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        for first, last, grey, thickness in self.shapes:
            outline = pixels[first * samples : last * samples]
            value = min(255.0, max(0.0, grey))
            if thickness:
                width = max(1, round(thickness * pose.scale * side))
                cv2.polylines(canvas, [outline], False, value, width, cv2.LINE_8, _SUBPIXEL_BITS)
            else:
                cv2.fillPoly(canvas, [outline], value, cv2.LINE_8, _SUBPIXEL_BITS)
