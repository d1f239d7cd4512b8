"""A package that reads whole photos, in a process of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peers.contestant import Contestant


@dataclass(frozen=True)
class PhotoFile:
    """A photo's pixels in a file: RGB, row after row."""

    path: Path
    width: int
    height: int


@dataclass(frozen=True)
class PhotoAnswer:
    """What came of one call."""

    faces: int
    seconds: float
    memory: float
    """The most memory that the process ever had, in MB."""


class PhotoReader(Contestant):
    """A running adapter for whole photos; made and closed like a `Contestant`."""

    def read(self, photo: PhotoFile) -> PhotoAnswer:
        """Read one photo, from its pixels.

        Raises:
            ContestantError: its process ended.
        """
        return PhotoAnswer(**self._ask(pixels=str(photo.path), width=photo.width, height=photo.height))

    def read_files(self, paths: Sequence[Path]) -> PhotoAnswer:
        """Read many photos from their files, where the adapter can.

        Raises:
            ContestantError: its process ended.
        """
        return PhotoAnswer(**self._ask(files=[str(path) for path in paths]))
