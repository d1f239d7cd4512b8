"""Reading many picture files, where some may be bad."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaoiro.errors import ImageError
from kaoiro.parallel import ordered_map
from kaoiro.recognition.recognizer import Recognizer
from kaoiro.recognition.results import Face


@dataclass(frozen=True)
class Reading:
    """What came of one picture file."""

    picture: Path
    faces: list[Face]
    """The faces in it, the largest first; empty where there is none, or where there is an error."""
    error: ImageError | None = None
    """Why the file cannot be read, where it cannot."""

    def to_dict(self) -> dict[str, Any]:
        """The picture's path and its faces in plain types that `json.dumps` takes."""
        return {"picture": str(self.picture), "faces": [face.to_dict() for face in self.faces]}


def read_pictures(
    recognizer: Recognizer,
    pictures: Iterable[Path],
    *,
    faces_are_crops: bool = False,
    threads: int | None = None,
) -> Generator[Reading, None, None]:
    """Read picture files one after the other, several at a time; a file that cannot be read stops nothing.

    Args:
        recognizer: what reads them.
        pictures: the files.
        faces_are_crops: whether each picture is a face that is already cut out.
        threads: how many pictures are read at a time; by default as many as there are CPU cores.

    Yields:
        One `Reading` a picture, in order.
    """

    def read(picture: Path) -> Reading:
        try:
            faces = recognizer.predict_crops([picture]) if faces_are_crops else recognizer.predict(picture)
        except ImageError as error:
            return Reading(picture, [], error)
        return Reading(picture, faces)

    return ordered_map(read, pictures, threads)
