"""A journal of what was read in many pictures, by which a run that was killed can be resumed."""

import hashlib
import json
import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from kaoiro.errors import ImageError, InputError
from kaoiro.expressions import Expression
from kaoiro.files import kind_of, reported_writing
from kaoiro.recognition.many import TOGETHER, Reading
from kaoiro.recognition.results import Face

_FORMAT: Final = "kaoiro readings 1"
_SECONDS_AT_RISK: Final = 5.0
"""So much work may be lost in a power cut."""


def journal_path(target: Path) -> Path:
    """Where the journal of a run lies that writes its results to `target`: beside it."""
    return target.with_name(f"{target.name}.journal")


def is_begun(path: Path) -> bool:
    """Tell whether there is a journal, or anything else that is not empty, at this path.

    Raises:
        InputError: the path cannot be looked at.
    """
    kind = kind_of(path)
    return kind != "missing" and (kind != "file" or path.stat().st_size > 0)


class Journal:
    """The readings of one run, or of several that resume each other, in a file of JSON lines; a context manager.

    What the file holds already is taken up. Only the place of each reading is kept in memory, some 140 bytes a picture.
    Pictures that could not be read are noted, but count as not read, so that they are tried again.

    Args:
        path: the file. It is made with the first reading.
        settings: what the readings depend on, from names that the user knows to values.

    Attributes:
        path: the file.
        damaged_line: the number of the first line, from 1, that could not be understood, if there is one. It and what
            follows are dropped. A last line that was half written is dropped without being counted as damaged.

    Raises:
        InputError: the file is no journal, it was made with other settings, or it cannot be read or written.
    """

    def __init__(self, path: Path, settings: Mapping[str, str]) -> None:
        self.damaged_line: int | None = None
        self.path = path
        self._settings = dict(settings)
        self._places: dict[bytes, int] = {}
        self._failed: set[bytes] = set()
        self._reader: BinaryIO | None = None
        self._appender: BinaryIO | None = None
        self._synced = -_SECONDS_AT_RISK
        if is_begun(path):
            with reported_writing(path):
                self._take_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        with reported_writing(self.path):
            if self._reader is not None:
                self._reader.close()
            if self._appender is not None:
                self._sync(self._appender)
                self._appender.close()

    def __contains__(self, picture: object) -> bool:
        """Tell whether a picture was read, so that it need not be read again."""
        return isinstance(picture, Path) and _digest(picture) in self._places

    def noted(self) -> Iterator[Path]:
        """Give the pictures in the order in which they were noted, those that could not be read included."""
        if is_begun(self.path):
            with reported_writing(self.path), self.path.open("rb") as file:
                file.readline()
                for line in file:
                    yield _reading(line).picture

    def check_sources(self, pictures: Iterable[Path]) -> None:
        """Refuse to go on with other pictures than those of the journal; more of them, and missing files, are fine.

        Args:
            pictures: all that are to be in the results.

        Raises:
            InputError: the journal holds a picture that exists, but is not among these.
        """
        others = set(self._places)
        others.difference_update(map(_digest, pictures))
        for digest in others:
            picture = self._read(self._places[digest]).picture
            if kind_of(picture) != "missing":
                raise InputError(
                    f"cannot resume from {str(self.path)!r}: it holds {str(picture)!r}, which is not among these "
                    "sources; give those of its run, or delete it to begin anew"
                )

    def completed(self, pictures: Iterable[Path], fresh: Iterator[Reading]) -> Generator[Reading, None, None]:
        """Merge what was read before with what is read now, which is noted.

        Args:
            pictures: all of them.
            fresh: the readings of those that are not in the journal, in the same order.

        Yields:
            One reading a picture, in order.

        Raises:
            InputError: the journal cannot be written.
        """
        for picture in pictures:
            place = self._places.get(_digest(picture))
            if place is not None:
                yield self._read(place)
            else:
                reading = next(fresh)
                with reported_writing(self.path):
                    self._note(reading)
                yield reading

    def remove(self) -> None:
        """Delete the file, when all results are where they belong."""
        with reported_writing(self.path):
            self.path.unlink(missing_ok=True)

    def _take_up(self) -> None:
        with self.path.open("rb") as file:
            header = file.readline()
            self._check(header)
            group: list[tuple[int, Reading]] = []
            kept = place = len(header)
            for number, line in enumerate(file, start=2):
                if not line.endswith(b"\n"):
                    break
                try:
                    group.append((place, _reading(line)))
                except (ValueError, TypeError, KeyError, AttributeError):
                    self.damaged_line = number
                    break
                place += len(line)
                # Pictures are classified in groups of so many, and give the same bits only in the same company.
                if len(group) == TOGETHER:
                    for at, reading in group:
                        self._remember(reading, at)
                    group.clear()
                    kept = place
        os.truncate(self.path, kept)

    def _check(self, header: bytes) -> None:
        try:
            begun = json.loads(header)
            known = begun["journal"] == _FORMAT and isinstance(begun["settings"], dict)
        except (ValueError, TypeError, KeyError):
            known = False
        if not known:
            raise InputError(
                f"{str(self.path)!r} is no journal that can be resumed from; delete it, or give another file for the "
                "results"
            )
        then, now = begun["settings"], self._settings
        differences = [
            f"{name} {then.get(name)} then, {now.get(name)} now"
            for name in dict.fromkeys([*then, *now])
            if then.get(name) != now.get(name)
        ]
        if differences:
            raise InputError(
                f"cannot resume from {str(self.path)!r}, made with other settings ({'; '.join(differences)}); give "
                "the same ones, or delete it to begin anew"
            )

    def _read(self, place: int) -> Reading:
        if self._reader is None:
            self._reader = self.path.open("rb")
        self._reader.seek(place)
        return _reading(self._reader.readline())

    def _remember(self, reading: Reading, place: int) -> None:
        digest = _digest(reading.picture)
        if reading.error is None:
            self._places[digest] = place
        else:
            self._failed.add(digest)

    def _note(self, reading: Reading) -> None:
        if reading.error is not None and _digest(reading.picture) in self._failed:
            return
        if self._appender is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._appender = self.path.open("ab")
            if self._appender.tell() == 0:
                self._appender.write(_line({"journal": _FORMAT, "settings": self._settings}))
        error = {} if reading.error is None else {"error": str(reading.error)}
        self._appender.write(_line(reading.to_dict() | error))
        if time.monotonic() - self._synced >= _SECONDS_AT_RISK:
            self._sync(self._appender)

    def _sync(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())
        self._synced = time.monotonic()


def _digest(picture: Path) -> bytes:
    return hashlib.blake2b(os.fsencode(picture), digest_size=16).digest()


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record).encode("ascii") + b"\n"


def _reading(line: bytes) -> Reading:
    record = json.loads(line)
    error = ImageError(record["error"]) if "error" in record else None
    return Reading(Path(record["picture"]), [_face(face) for face in record["faces"]], error)


def _face(record: Mapping[str, Any]) -> Face:
    """The inverse of `Face.to_dict`."""
    left, top, right, bottom = record["box"]
    expression, landmarks = record["expression"], record["landmarks"]
    return Face(
        box=(left, top, right, bottom),
        expression=None if expression is None else Expression(expression),
        confidence=record["confidence"],
        probabilities={Expression(name): probability for name, probability in record["probabilities"].items()},
        landmarks=None if landmarks is None else tuple((x, y) for x, y in landmarks),
        detection_score=record["detection_score"],
        track=record["track"],
    )
