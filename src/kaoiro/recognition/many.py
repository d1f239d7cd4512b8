"""Reading many picture files, where some may be bad."""

from collections.abc import Container, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from kaoiro.errors import ImageError
from kaoiro.expressions import Language
from kaoiro.media.drawing import draw
from kaoiro.media.images import decode_image, picture_bytes, read_header, save_image
from kaoiro.parallel import Budget, available_cores, ordered_map
from kaoiro.recognition.recognizer import Recognizer
from kaoiro.recognition.results import Face, Tabular
from kaoiro.recognition.seen_faces import SeenFaces
from kaoiro.recognition.tables import Rows


@dataclass(frozen=True)
class Reading(Tabular):
    """What came of one picture file; a table has a row for each face, and one row where there is none."""

    picture: Path
    faces: list[Face]
    """The faces in it, the largest first; empty where there is none, or where there is an error."""
    error: ImageError | None = None
    """Why the file cannot be read, where it cannot."""

    def to_dict(self, language: str | None = None) -> dict[str, Any]:
        """The picture's path and its faces in plain types that `json.dumps` takes; `language` as in `Face.to_dict`."""
        return {"picture": str(self.picture), "faces": [face.to_dict(language) for face in self.faces]}

    def to_rows(self, language: str | None = None) -> Rows:
        # A name that is not UTF-8 is shown as the terminal shows it.
        picture = str(self.picture).encode("utf-8", "backslashreplace").decode()
        rows = [
            {"picture": picture, "face": number, **row}
            for number, face in enumerate(self.faces, start=1)
            for row in face.to_rows(language)
        ]
        return rows or [{"picture": picture}]


TOGETHER: Final = 8
"""The faces of so many pictures are classified together."""
_PIXELS_A_THREAD: Final = 32_000_000


def read_pictures(
    recognizer: Recognizer,
    pictures: Iterable[Path],
    *,
    faces_are_crops: bool = False,
    threads: int | None = None,
    left_out: Container[Path] = (),
) -> Generator[Reading, None, None]:
    """Read picture files, several at a time; a file that cannot be read stops nothing.

    Each thread decodes a few pictures, finds their faces, and classifies these together. Work goes on only as far ahead
    as results are taken. So that large pictures fit into memory too, those that are decoded at the same time have at
    most 32 megapixels a thread; one that is larger than all of that waits until it is alone.

    Args:
        recognizer: what reads them; with `threads=1` it is fastest here.
        pictures: the files; they are drawn from the iterable as they are needed.
        faces_are_crops: whether each picture is a face that is already cut out.
        threads: how many there are; by default as many as there are CPU cores.
        left_out: pictures that are passed over, because they were read before. The others are classified in the groups
            that all pictures would make.

    Yields:
        One `Reading` for each picture that is not left out, in order.
    """
    threads = threads or available_cores()
    pixels = Budget(threads * _PIXELS_A_THREAD)

    def see(picture: Path) -> SeenFaces | ImageError:
        try:
            data = picture_bytes(picture)
            header = read_header(data, picture)
            with pixels.held(header.width * header.height):
                image = decode_image(data, picture)
                if faces_are_crops:
                    return recognizer.see_crop(image)
                return recognizer.see_faces(image, recognizer.find_faces(image))
        except ImageError as error:
            return error

    def read(some: list[Path]) -> list[Reading]:
        seen = [see(picture) for picture in some]
        faces = iter(recognizer.read_seen([one for one in seen if isinstance(one, SeenFaces)]))
        return [
            Reading(picture, next(faces)) if isinstance(one, SeenFaces) else Reading(picture, [], one)
            for picture, one in zip(some, seen, strict=True)
        ]

    groups = ([one for one in few if one not in left_out] for few in _few_at_a_time(pictures))
    with closing(ordered_map(read, filter(None, groups), threads, ahead=2)) as readings:
        for some in readings:
            yield from some


def annotate_pictures(
    readings: Iterable[Reading], copies: Mapping[Path, Path], language: str = Language.ENGLISH
) -> Generator[Reading, None, None]:
    """Write a copy of each picture with what was read drawn into it, several at a time.

    Args:
        readings: from `read_pictures`.
        copies: from each picture to the file that is written; the suffix chooses the format.
        language: of the expressions' names.

    Yields:
        The readings as they come, each after its copy is written.

    Raises:
        ImageError: a copy cannot be written.
    """
    threads = available_cores()
    pixels = Budget(threads * _PIXELS_A_THREAD)

    def annotate(reading: Reading) -> Reading:
        if reading.error is None:
            data = picture_bytes(reading.picture)
            header = read_header(data, reading.picture)
            with pixels.held(header.width * header.height):
                drawn = draw(decode_image(data, reading.picture), reading.faces, language)
                save_image(copies[reading.picture], drawn)
        return reading

    with closing(ordered_map(annotate, readings, threads, ahead=1)) as annotated:
        yield from annotated


def _few_at_a_time(pictures: Iterable[Path]) -> Iterator[list[Path]]:
    pictures = iter(pictures)
    while few := list(islice(pictures, TOGETHER)):
        yield few
