"""Animated WebP, which FFmpeg does not decode and Pillow does."""

from collections.abc import Generator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kaoiro.media.images import rgb_from_pillow
from kaoiro.media.video_damage import Damage
from kaoiro.media.video_decoding import DecodedFrame


def is_webp(path: Path) -> bool:
    """Tell whether a file is a WebP picture, animated or not; one that cannot be opened counts as none."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:] == b"WEBP"


class Animation:
    """An animated picture's frames, one after the other.

    Args:
        path: a WebP file.

    Raises:
        OSError, SyntaxError: it cannot be read as a picture, or is larger than Pillow's limit.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._picture = Image.open(path, formats=("WEBP",))
        except Image.DecompressionBombError as error:
            raise OSError(f"its pictures are too large: {error}") from error
        self.frames: int = getattr(self._picture, "n_frames", 1)
        self.width, self.height = self._picture.size

    def decode(self, damage: Damage) -> Generator[DecodedFrame, None, None]:
        """Decode the frames from the beginning; what cannot be decoded ends them and is noted."""
        time = 0.0
        for number in range(self.frames):
            try:
                self._picture.seek(number)
                image = rgb_from_pillow(self._picture)
            except (OSError, EOFError, ValueError) as error:
                damage.ending(f"the animation is damaged from frame {number + 1} of {self.frames} on ({error})")
                return
            yield DecodedFrame(time, partial(_as_it_is, image))
            time += self._picture.info.get("duration", 100) / 1000 or 0.1

    def close(self) -> None:
        """Close the file."""
        self._picture.close()


def _as_it_is(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image
