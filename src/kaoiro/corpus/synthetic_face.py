"""A drawn face that moves as faces do: the action units of an expression displace its features.

An identity is a set of proportions and greys, an expression a set of action units with strengths. Both
together become outlines in face units, the pose carries those into the picture, and light, lens and sensor
spoil the result a little.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.corpus.synthetic_action_units import Muscles
from kaoiro.corpus.synthetic_sketch import Point, Pose, Sketch, bow, oval
from kaoiro.errors import InputError
from kaoiro.expressions import Expression

_SUPERSAMPLING: Final = 4


def render_face(expression: Expression, rng: np.random.Generator, size: int = 48) -> NDArray[np.uint8]:
    """Draw one face that shows `expression`, of a random identity, pose, light and strength.

    Args:
        expression: any of the eight.
        rng: every random choice is taken from it. Equal generators draw equal faces, and for two expressions
            the same person in the same pose and light.
        size: side of the picture in pixels, at least 16.

    Returns:
        `uint8 (size, size)` grey.

    Raises:
        InputError: `size` is below 16.
    """
    if size < 16:
        raise InputError(f"a synthetic face needs a size of at least 16 pixels, not {size!r}")
    sketch = Sketch()
    identity = _Identity.draw(rng)
    _draw_face(sketch, identity, Muscles.draw(expression, rng), rng)
    pose = Pose.draw(rng)
    canvas = np.full((size * _SUPERSAMPLING, size * _SUPERSAMPLING), rng.uniform(20, 235), np.uint8)
    sketch.paint(canvas, pose)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return _photograph(small.astype(np.float32), rng)


@dataclass(frozen=True, slots=True)
class _Identity:
    """What stays the same while a person's expression changes.

    Places are in face units, sizes factors around 1, greys 0 to 255.
    """

    width: float
    jaw: float
    chin: float
    skin: float
    hair: float
    fringe: float
    parting: float
    long_hair: bool
    bald: bool
    eye_x: float
    eye_y: float
    eye_size: float
    iris: float
    brow_thickness: float
    brow_grey: float
    nose_length: float
    nose_width: float
    mouth_y: float
    mouth_width: float
    lips: float
    age: float
    moustache: bool
    glasses: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "_Identity":
        skin = rng.uniform(105, 220)
        hair = rng.uniform(15, 110) if rng.random() < 0.8 else rng.uniform(150, 225)
        return cls(
            width=rng.uniform(0.9, 1.06),
            jaw=rng.uniform(0.72, 0.95),
            chin=rng.uniform(1.08, 1.22),
            skin=skin,
            hair=hair,
            fringe=rng.uniform(-0.98, -0.72),
            parting=rng.uniform(-0.6, 0.6),
            long_hair=rng.random() < 0.4,
            bald=rng.random() < 0.12,
            eye_x=rng.uniform(0.37, 0.46),
            eye_y=rng.uniform(-0.22, -0.14),
            eye_size=rng.uniform(0.9, 1.15),
            iris=rng.uniform(15, 75),
            brow_thickness=rng.uniform(0.07, 0.12),
            brow_grey=min(hair, skin * 0.55),
            nose_length=rng.uniform(0.9, 1.1),
            nose_width=rng.uniform(0.85, 1.2),
            mouth_y=rng.uniform(0.6, 0.68),
            mouth_width=rng.uniform(0.88, 1.14),
            lips=rng.uniform(0.75, 1.3),
            age=rng.uniform(0.3, 1.0),
            moustache=rng.random() < 0.08,
            glasses=rng.random() < 0.1,
        )


def _draw_face(sketch: Sketch, who: _Identity, muscles: Muscles, rng: np.random.Generator) -> None:
    jaw_drop = 0.22 * muscles.both(26)
    gaze = (rng.uniform(-0.05, 0.05), rng.uniform(-0.02, 0.02))
    _draw_head(sketch, who, jaw_drop)
    _draw_folds(sketch, who, muscles)
    for mirror, pull in ((-1, muscles.left), (1, muscles.right)):
        _draw_eye(sketch, who, mirror, pull, gaze)
        _draw_brow(sketch, who, mirror, pull)
    _draw_nose(sketch, who, muscles)
    _draw_mouth(sketch, who, muscles)
    if who.glasses:
        for mirror in (-1, 1):
            sketch.stroke(30, 0.045, *oval(mirror * who.eye_x, who.eye_y + 0.03, 0.31, 0.25))
        sketch.stroke(30, 0.045, bow((-0.12, who.eye_y), (0, who.eye_y - 0.03), (0.12, who.eye_y)))


def _draw_head(sketch: Sketch, who: _Identity, jaw_drop: float) -> None:
    w, chin, jaw = who.width, who.chin + jaw_drop, who.jaw * who.width
    if not who.bald:
        sketch.fill(who.hair, *oval(0, -0.4, w * 1.16, 1.08))
        if who.long_hair:
            for mirror in (-1, 1):
                sketch.fill(who.hair, *oval(mirror * w * 0.95, 0.35, 0.32, 1.0))
    neck = who.skin * 0.72
    sketch.fill(neck, bow((-0.5, 0.6), (-0.48, 1.2), (-0.7, 2.0)), bow((0.7, 2.0), (0.48, 1.2), (0.5, 0.6)))
    if not who.long_hair:
        for mirror in (-1, 1):
            sketch.fill(who.skin * 0.82, *oval(mirror * w * 1.02, 0.02, 0.13, 0.24))
    sketch.fill(
        who.skin,
        (0, -1.2, w * 0.98, -1.2, w, -0.2),
        (w, -0.2, w, 0.35, jaw, 0.66 + jaw_drop / 2),
        (jaw, 0.66 + jaw_drop / 2, jaw * 0.62, chin, 0, chin),
        (0, chin, -jaw * 0.62, chin, -jaw, 0.66 + jaw_drop / 2),
        (-jaw, 0.66 + jaw_drop / 2, -w, 0.35, -w, -0.2),
        (-w, -0.2, -w * 0.98, -1.2, 0, -1.2),
    )
    if not who.bald:
        parted = (who.parting, who.fringe - 0.08)
        sketch.fill(
            who.hair,
            (-w * 1.08, -0.25, -w * 1.1, -1.45, 0, -1.47),
            (0, -1.47, w * 1.1, -1.45, w * 1.08, -0.25),
            (w * 1.08, -0.25, w * 0.85, who.fringe + 0.06, *parted),
            (*parted, -w * 0.85, who.fringe + 0.06, -w * 1.08, -0.25),
        )
        for reach, shine in ((-0.9, 26), (-0.5, -18), (-0.1, 26), (0.3, -18), (0.6, 26), (0.95, -18)):
            root = (who.parting * 0.8, -1.34)
            strand = (*root, (reach + who.parting) / 2, -1.25, reach * w, who.fringe + 0.25 * reach**2 - 0.12)
            sketch.stroke(who.hair + shine, 0.06, strand)


def _draw_folds(sketch: Sketch, who: _Identity, muscles: Muscles) -> None:
    """Wrinkles and bulges that the moving skin throws; they deepen with strength and age."""

    def grey(strength: float) -> float:
        return who.skin * (1 - 0.45 * who.age * min(1.0, strength))

    raised = (muscles.both(1) + muscles.both(2)) / 2
    if raised > 0.4:
        for y in (-0.82, -0.7):
            sketch.stroke(grey(raised), 0.03, bow((-0.4, y + 0.02), (0, y - 0.03), (0.4, y + 0.02)))
    frown = muscles.both(4) - 0.6 * muscles.both(1)
    if frown > 0.3:
        for mirror in (-1, 1):
            x = mirror * 0.07
            sketch.stroke(grey(1.3 * frown), 0.035, bow((x, -0.5), (x * 0.8, -0.38), (x * 1.1, -0.27)))
    wrinkled = muscles.both(9)
    for mirror, pull in ((-1, muscles.left), (1, muscles.right)):
        if wrinkled > 0.3:
            for y in (-0.1, 0.0, 0.1):
                nose = bow((mirror * 0.02, y - 0.03), (mirror * 0.1, y), (mirror * 0.19, y + 0.06))
                sketch.stroke(grey(1.5 * wrinkled), 0.035, nose)
        fold = max(pull[12], pull[10], 0.8 * pull[9], 0.7 * pull[15])
        if fold > 0.3:
            bulge = 0.1 * max(pull[12], 0.5 * pull[10])
            nasolabial = bow(
                (mirror * 0.22, 0.26 - 0.08 * pull[9]), (mirror * (0.42 + bulge), 0.4), (mirror * 0.52, 0.68)
            )
            sketch.stroke(grey(fold), 0.04, nasolabial)
        if pull[6] > 0.4:
            x, y = mirror * who.eye_x, who.eye_y + 0.27
            sketch.stroke(grey(pull[6]), 0.035, bow((x - 0.2, y - 0.02), (x, y - 0.05), (x + 0.2, y - 0.02)))
            for rise in (-0.06, 0.03):
                crow = bow(
                    (mirror * (who.eye_x + 0.27), who.eye_y + rise / 2),
                    (mirror * (who.eye_x + 0.34), who.eye_y + rise),
                    (mirror * (who.eye_x + 0.4), who.eye_y + rise * 1.8),
                )
                sketch.stroke(grey(pull[6]), 0.025, crow)
    if muscles.both(17) > 0.25:
        y = who.chin - 0.2
        sketch.stroke(grey(muscles.both(17)), 0.04, bow((-0.16, y + 0.04), (0, y - 0.04), (0.16, y + 0.04)))


def _draw_eye(sketch: Sketch, who: _Identity, mirror: int, pull: Mapping[int, float], gaze: Point) -> None:
    x, y, half = mirror * who.eye_x, who.eye_y, 0.25 * who.eye_size
    squint = min(0.85, 0.5 * pull[6] + 0.4 * pull[7] + 0.3 * pull[9])
    upper = 0.13 * who.eye_size * (1 + 0.75 * pull[5]) * (1 - 0.6 * squint)
    lower = 0.09 * who.eye_size * (1 + 0.45 * pull[5]) * (1 - 0.75 * squint)
    droop = 0.07 * pull[1] * pull[15]  # sadness lets the outer half of the upper lid hang
    upper -= droop / 2
    inner, outer = (x - mirror * half, y + 0.02), (x + mirror * half, y - 0.01 + droop)
    upper_lid = bow(inner, (x, y - upper), outer)
    lower_lid = bow(outer, (x, y + lower), inner)
    sclera = min(245.0, 0.45 * who.skin + 135)
    sketch.fill(sclera, upper_lid, lower_lid)
    iris = 0.115 * who.eye_size
    sketch.fill(who.iris, *oval(x + gaze[0], y + gaze[1], iris, iris))
    # The lids are drawn over the iris, which cuts it off where they cover it.
    lid = who.skin * 0.9
    sketch.fill(lid, upper_lid, bow(outer, (x, y - upper - 0.14), inner))
    sketch.fill(who.skin * 0.96, lower_lid, bow(inner, (x, y + lower + 0.12), outer))
    sketch.stroke(who.skin * 0.25, 0.05, upper_lid)
    sketch.stroke(who.skin * 0.6, 0.03, lower_lid)


def _draw_brow(sketch: Sketch, who: _Identity, mirror: int, pull: Mapping[int, float]) -> None:
    base = who.eye_y - 0.29
    lowered = pull[4] * (1 - 0.8 * min(1.0, pull[1]))
    inner_y = base + 0.02 - 0.2 * pull[1] + 0.17 * lowered + 0.08 * pull[9]
    middle_y = base - 0.06 - 0.06 * pull[1] - 0.17 * pull[2] + 0.08 * lowered + 0.05 * pull[9]
    outer_y = base + 0.03 - 0.17 * pull[2] - 0.02 * lowered + 0.06 * pull[1] * (1 - min(1.0, pull[2]))
    inner_x, middle_x, outer_x = 0.17 - 0.06 * pull[4], who.eye_x + 0.03, who.eye_x + 0.3
    thick = who.brow_thickness
    sketch.fill(
        who.brow_grey,
        bow(
            (mirror * inner_x, inner_y - thick / 2),
            (mirror * middle_x, middle_y - thick / 2),
            (mirror * outer_x, outer_y),
        ),
        bow(
            (mirror * outer_x, outer_y),
            (mirror * middle_x, middle_y + thick / 2),
            (mirror * inner_x, inner_y + thick / 2),
        ),
    )


def _draw_nose(sketch: Sketch, who: _Identity, muscles: Muscles) -> None:
    lift = 0.07 * muscles.both(9) + 0.03 * muscles.both(10)
    tip = 0.3 * who.nose_length - lift
    wing = 0.16 * who.nose_width * (1 + 0.25 * muscles.both(9))
    shade = who.skin * 0.82
    sketch.fill(shade, bow((0.07, -0.15), (0.08, 0.05), (wing, tip)), bow((wing, tip), (0.04, 0.05), (0.07, -0.15)))
    for mirror in (-1, 1):
        flare = bow(
            (mirror * wing * 0.9, tip - 0.1),
            (mirror * wing * 1.1, tip - 0.02),
            (mirror * wing * 0.75, tip + 0.04),
        )
        sketch.stroke(who.skin * 0.65, 0.035, flare)
        sketch.fill(who.skin * 0.3, *oval(mirror * wing * 0.5, tip + 0.03, 0.055, 0.035))


def _draw_mouth(sketch: Sketch, who: _Identity, muscles: Muscles) -> None:
    both = muscles.both
    y = who.mouth_y
    parted, dropped = min(1.0, both(25)), both(26) * min(1.0, both(25))
    corners: list[Point] = []
    for mirror, pull in ((-1, muscles.left), (1, muscles.right)):
        widen = 0.3 * pull[12] + 0.35 * pull[20] + 0.1 * pull[14] - 0.15 * pull[23] - 0.35 * dropped
        rise = 0.19 * pull[12] + 0.04 * pull[14] - 0.16 * pull[15] - 0.1 * pull[20] - 0.1 * dropped
        corners.append((mirror * 0.36 * who.mouth_width * (1 + widen), y - rise))
    left, right = corners
    smile, sneer = min(muscles.left[12], muscles.right[12]), both(10)
    smirk = abs(muscles.left[12] - muscles.right[12])
    thin = 1 - 0.65 * min(1.0, both(23))
    middle = y + 0.01 + 0.04 * smile - 0.06 * smirk - 0.07 * both(17) - 0.05 * both(15) - 0.04 * both(20) - 0.02 * sneer
    upper_inner = middle - 0.1 * sneer * parted - 0.05 * parted * (1 - dropped) - 0.04 * dropped
    lower_inner = middle + parted * (0.05 + 0.07 * smile + 0.09 * both(20)) + 0.3 * dropped
    upper_outer = upper_inner - 0.09 * who.lips * thin - 0.06 * sneer
    lower_outer = lower_inner + 0.11 * who.lips * thin

    if who.moustache and not who.long_hair:
        hairs = bow((left[0], left[1] - 0.06), (0, upper_outer - 0.14), (right[0], right[1] - 0.06))
        sketch.fill(
            who.brow_grey,
            hairs,
            bow((right[0], right[1] - 0.04), (0, upper_outer), (left[0], left[1] - 0.04)),
        )
    lip = who.skin * 0.66
    sketch.fill(lip, bow(left, (0, upper_outer), right), bow(right, (0, lower_outer), left))
    if lower_inner - upper_inner > 0.05:
        inset_left, inset_right = (left[0] * 0.9, left[1]), (right[0] * 0.9, right[1])
        roof = bow(inset_left, (0, upper_inner), inset_right)
        sketch.fill(25, roof, bow(inset_right, (0, lower_inner), inset_left))
        edge = min(lower_inner - 0.02, upper_inner + 0.13 - 0.06 * dropped)
        sketch.fill(min(245.0, 0.3 * who.skin + 180), roof, bow(inset_right, (0, edge), inset_left))
    else:
        sketch.stroke(who.skin * 0.22, 0.05, bow(left, (0, middle), right))
    for mirror, (x, corner_y), pull in ((-1, left, muscles.left), (1, right, muscles.right)):
        if pull[14] > 0.4:
            x += mirror * 0.05
            dimple = bow((x, corner_y - 0.1), (x + mirror * 0.04, corner_y), (x, corner_y + 0.08))
            sketch.stroke(who.skin * 0.5, 0.045, dimple)
    if both(23) > 0.5:
        sketch.stroke(
            who.skin * 0.75,
            0.04,
            bow((-0.2, lower_outer + 0.07), (0, lower_outer + 0.05), (0.2, lower_outer + 0.07)),
        )


@cache
def _picture_plane(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Coordinates x `(1, size)` and y `(size, 1)` in `[-1, 1]`, and the light's fall-off `(size, size)`."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    return x, y, 1 - 0.22 * (x**2 + y**2)


def _photograph(grey: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light, lens and sensor: a gradient, contrast and brightness, a blur, noise."""
    x, y, falloff = _picture_plane(len(grey))
    lit = grey * (falloff + rng.uniform(-0.25, 0.25) * x + rng.uniform(-0.15, 0.15) * y)
    blur = rng.uniform(0.2, 0.8) * len(grey) / 48
    lit = cv2.GaussianBlur(lit, (0, 0), blur).astype(np.float32, copy=False)
    lit *= rng.uniform(0.7, 1.1)
    lit += rng.uniform(0, 40)
    lit += rng.uniform(1, 6) * rng.standard_normal(grey.shape, np.float32)
    clipped: NDArray[np.float32] = np.clip(lit, 0, 255)
    return clipped.astype(np.uint8)
