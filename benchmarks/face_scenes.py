"""Pictures whose faces are known: annotated photos, and scenes made of their faces and of FER2013's."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kaoiro.media.images import load_image

BOXES: Final = Path(__file__).parent / "face_boxes.json"

_CONTEXT: Final = 1.7
"""How much of its surroundings a pasted face brings along, in units of its box's longer side."""

_LARGE: Final = 250.0
"""Faces of so many pixels may be enlarged further."""

Image = NDArray[np.uint8]
Boxes = NDArray[np.float64]
"""`(n, 4)`: left, top, right, bottom, in pixels."""


@dataclass(frozen=True)
class Scene:
    """A picture with known faces."""

    group: str
    """What it tests; results are given by group."""
    image: Image
    """`uint8 (H, W, 3)` RGB."""
    boxes: Boxes
    ignored: Boxes = field(default_factory=lambda: np.empty((0, 4)))
    """Faces that nobody need find."""
    tilts: NDArray[np.float64] | None = None
    """`(n,)`: how far each face is tilted, in degrees, where the scene was made to try that."""


@dataclass(frozen=True)
class Material:
    """What scenes are made of."""

    photos: dict[str, Scene]
    """By file name; those that were found."""
    fer2013: NDArray[np.uint8] | None
    """`uint8 (n, 48, 48)`."""

    @property
    def backgrounds(self) -> list[Image]:
        return [scene.image for scene in self.photos.values() if not len(scene.boxes)]

    def faces(self, height: float) -> list[tuple[Image, NDArray[np.float64]]]:
        """The photos' faces that are at least so many pixels high, each with its photo."""
        return [
            (scene.image, box)
            for scene in self.photos.values()
            for box in scene.boxes
            if box[3] - box[1] >= height and 0.6 < (box[2] - box[0]) / (box[3] - box[1]) < 1.1
        ]


def annotated_photos(folders: Sequence[Path]) -> dict[str, Scene]:
    """Load the annotated photos that lie in these folders, by name; a file of another size is another photo."""
    known = json.loads(BOXES.read_text(encoding="utf-8"))["photos"]
    found = {}
    for name, entry in known.items():
        for path in (folder / name for folder in folders):
            if path.is_file():
                image = load_image(path)
                if [image.shape[1], image.shape[0]] == entry["size"]:
                    boxes = (np.array(entry.get(key, []), np.float64).reshape(-1, 4) for key in ("faces", "ignored"))
                    found[name] = Scene("photos as they are", image, *boxes)
                    break
    return found


def photo_scenes(material: Material) -> Iterator[Scene]:
    """The photos as they are, and shrunk."""
    for scene in material.photos.values():
        yield scene
        long_side = max(scene.image.shape[:2])
        for side in (1024, 640, 320):
            if side < long_side:
                yield _resized(scene, side / long_side, f"photos at {side}")


def made_scenes(material: Material, seed: int, repeats: int) -> Iterator[Scene]:
    """Faces pasted onto pictures without any, so that every box is known."""
    rng = np.random.default_rng(seed)
    for number in range(repeats):
        yield _pasted(material, rng, "100 faces of 20–60 px, 6 megapixels", (3000, 2000), rng.uniform(20, 60, 100))
        heights = np.concatenate([rng.uniform(20, 50, 14), [700]])
        yield _pasted(material, rng, "14 faces of 20–50 px beside a large one, 24 megapixels", (6000, 4000), heights)
        yield _pasted(material, rng, "14 faces of 20–50 px, 24 megapixels", (6000, 4000), heights[:14])
        yield _pasted(material, rng, "10 faces of 20–40 px, 640 × 480", (640, 480), rng.uniform(20, 40, 10))
        yield _pasted(material, rng, "one face of 500–700 px, 1.8 megapixels", (1400, 1280), rng.uniform(500, 700, 1))
        for tilt in (0, 15, 30, 45, 60, 90, 180):
            tilts = np.full(6, tilt) * rng.choice([-1, 1], 6)
            yield _pasted(material, rng, f"tilted by {tilt}°", (1280, 960), rng.uniform(60, 200, 6), tilts)
        if material.fer2013 is not None:
            heights = np.geomspace(20, 400, 16)
            yield _pasted(material, rng, "FER2013 faces of 20–400 px", (2400, 1600), heights, of_fer2013=True)
        if number == 0:
            for background in material.backgrounds:
                for scale in (1.0, 4.0):
                    yield _resized(Scene("no face", background, np.empty((0, 4))), scale, "no face")


def _resized(scene: Scene, scale: float, group: str) -> Scene:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    image = np.asarray(cv2.resize(scene.image, None, fx=scale, fy=scale, interpolation=method), np.uint8)
    return Scene(group, image, scene.boxes * scale, scene.ignored * scale)


def _pasted(
    material: Material,
    rng: np.random.Generator,
    group: str,
    size: tuple[int, int],
    heights: NDArray[np.float64],
    tilts: NDArray[np.float64] | None = None,
    *,
    of_fer2013: bool = False,
) -> Scene:
    width, height = size
    background = material.backgrounds[rng.integers(len(material.backgrounds))]
    scale = max(width / background.shape[1], height / background.shape[0])
    canvas = cv2.resize(background, None, fx=scale * 1.01, fy=scale * 1.01, interpolation=cv2.INTER_CUBIC)
    canvas = np.ascontiguousarray(canvas[:height, :width], np.uint8)
    taken: list[tuple[float, float, float]] = []
    boxes, kept_tilts = [], []
    for place in np.argsort(-heights):
        tall = float(heights[place])
        radius = tall * _CONTEXT / 2
        for _ in range(2000):
            x, y = rng.uniform(radius, width - radius), rng.uniform(radius, height - radius)
            if all(np.hypot(x - u, y - v) > 0.95 * (radius + other) for u, v, other in taken):
                break
        else:
            continue
        taken.append((x, y, radius))
        tilt = 0.0 if tilts is None else float(tilts[place])
        if of_fer2013:
            assert material.fer2013 is not None
            face = material.fer2013[rng.integers(len(material.fer2013))]
            source, box = np.asarray(cv2.cvtColor(face, cv2.COLOR_GRAY2RGB), np.uint8), np.array([3.0, 0.0, 45.0, 48.0])
        else:
            large_enough = material.faces(min(tall, _LARGE))
            source, box = large_enough[rng.integers(len(large_enough))]
        boxes.append(_paste(canvas, source, box, (x, y), tall, tilt, context=1.0 if of_fer2013 else _CONTEXT))
        kept_tilts.append(tilt)
    return Scene(group, canvas, np.array(boxes), tilts=None if tilts is None else np.array(kept_tilts))


def _paste(
    canvas: Image,
    source: Image,
    box: NDArray[np.float64],
    centre: tuple[float, float],
    tall: float,
    tilt: float,
    context: float,
) -> NDArray[np.float64]:
    """Paste a face, faded out towards its surroundings, so that it is so many pixels tall; gives its box."""
    scale = tall / (box[3] - box[1])
    if scale < 1:
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), 0.4 / scale), np.uint8)
    middle = (box[:2] + box[2:]) / 2
    matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), tilt, scale)
    side = int(np.ceil(tall * context)) + 2
    left, top = round(centre[0] - side / 2), round(centre[1] - side / 2)
    matrix[:, 2] += np.array([side / 2, side / 2]) - middle
    method = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    patch = cv2.warpAffine(source, matrix, (side, side), flags=method, borderMode=cv2.BORDER_REPLICATE)
    grid = (np.arange(side) + 0.5 - side / 2) / (side / 2)
    distance = np.hypot(grid[:, None], grid[None])
    weight = np.clip((1 - distance) / 0.15, 0, 1)[..., None]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, canvas.shape[1]), min(top + side, canvas.shape[0])
    inner = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    under = canvas[y0:y1, x0:x1]
    canvas[y0:y1, x0:x1] = np.round(weight[inner] * patch[inner] + (1 - weight[inner]) * under).astype(np.uint8)
    half = (box[2:] - box[:2]) / 2 * scale
    cosine, sine = abs(np.cos(np.radians(tilt))), abs(np.sin(np.radians(tilt)))
    # The upright box about the ellipse that fills the turned one.
    extent = np.hypot(half * cosine, half[::-1] * sine)
    place = np.array([left + side / 2, top + side / 2])
    return np.concatenate([place - extent, place + extent])
