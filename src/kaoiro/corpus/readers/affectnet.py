"""AffectNet: as its authors send it today, arrays and cropped faces, and its first release, a CSV and whole pictures.

Today's form (also called AffectNet-7 and AffectNet-8) has the folders `train_set` and `val_set`; in each are
`images/<id>.jpg` and `annotations/<id>_exp.npy`, `_val.npy`, `_aro.npy` and `_lnd.npy`: an array of one value each (a
text such as '-0.5'), and the landmarks. Its validation set is kept as `validation`.

The first release has the lists `training.csv` and `validation.csv` with a face's box in a larger picture; the faces are
cut out.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from kaoiro.corpus.label_names import LabelNames
from kaoiro.corpus.labelled_face import LeftOut, Row, Skipped
from kaoiro.corpus.readers.boxed_faces import BoxedFace
from kaoiro.corpus.readers.layout import Layout, Reading, ReadOptions
from kaoiro.corpus.readers.lists import (
    RowError,
    Unread,
    by_text,
    corpus_folder,
    file_names,
    first_that_exists,
    label_or_skipped,
    list_lines,
    note_unlisted,
    read_row,
    shown,
)
from kaoiro.corpus.readers.picture_files import PictureFile, counted, path_text
from kaoiro.errors import CorpusError
from kaoiro.expressions import AFFECTNET_NUMBERS
from kaoiro.media.images import PICTURE_SUFFIXES
from kaoiro.parallel import ordered_map

NUMBERS: Final = ("valence", "arousal")
"""The columns of numbers that its faces have, from -1 to 1; null where the annotators gave none."""

_SETS = {"train_set": "train", "val_set": "validation"}
_LISTS = {"training.csv": "train", "validation.csv": "validation"}
_LIST_FOLDERS = ("", "Manually_Annotated_file_lists", "Manually_Annotated/Manually_Annotated_file_lists")
_PICTURE_FOLDERS = ("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images")
_CSV_COLUMNS = ("subdirectory_filepath", "face_x", "face_y", "face_width", "face_height", "expression", *NUMBERS)
_TABLE = by_text(AFFECTNET_NUMBERS)
_WORDS = {"8": "none", "9": "uncertain", "10": "no face"}
_NO_NUMBER = -2.0
_HEADER_LIMIT = 4096

# The header of an array file as NumPy writes it, of one number or one text. Read by hand: that is three times as fast
# as NumPy's reader, which counts for three files a face, and nothing in a damaged file is ever evaluated.
_MAGIC = b"\x93NUMPY\x01\x00"
_ARRAY_HEADER = re.compile(
    rb"\{'descr': '([<>|])([Ufiu])(\d{1,3})', 'fortran_order': (?:True|False), 'shape': \((?:1,)?\), \}\s*"
)


@dataclass(frozen=True, slots=True)
class _Annotated:
    """A face of today's form: its `_exp.npy`, and its picture where there is one."""

    annotation: Path
    picture: Path | None
    source: str
    split: str | None


def read_affectnet(source: Path, options: ReadOptions) -> Reading:
    """Read AffectNet, in the order of its identifiers or lists; 8 to 10, which name no expression, are skipped.

    Args:
        source: the folder above `train_set` and `val_set` or one of these; or the folder of the first release, its
            list's folder, or a list.
        options: `names` reads the numbers, 0 to 10.

    Raises:
        CorpusError: it is none of these, or a folder or list of it cannot be read.
    """
    lists = _lists_of(source)
    if lists:
        return Reading(ordered_map(read_row, counted(_listed_rows(lists, options), options.on_progress)), NUMBERS)
    folder = corpus_folder(source, _has_sets)
    if folder is None:
        raise CorpusError(
            f"{source} is not AffectNet: it has neither train_set/annotations and train_set/images nor training.csv"
        )
    rows = [row for annotated in _sets_of(folder) for row in _annotated_rows(folder, annotated, options)]
    face_of = partial(_read_annotated, options.names)
    return Reading(ordered_map(face_of, counted(rows, options.on_progress), ahead=64), NUMBERS)


def _sets_of(folder: Path) -> list[Path]:
    within = [folder / name for name in _SETS if _is_set(folder / name)]
    return within or ([folder] if _is_set(folder) else [])


def _is_set(folder: Path) -> bool:
    return (folder / "annotations").is_dir() and (folder / "images").is_dir()


def _has_sets(folder: Path) -> bool:
    return bool(_sets_of(folder))


def _annotated_rows(root: Path, folder: Path, options: ReadOptions) -> Iterator[_Annotated]:
    annotations = folder / "annotations"
    names = file_names(annotations)
    pictures = {Path(name).stem: name for name in sorted(file_names(folder / "images")) if _is_picture(name)}
    faces = [name.removesuffix("_exp.npy") for name in names if name.endswith("_exp.npy")]
    unlisted = f"in {folder / 'images'} without an annotation"
    note_unlisted(pictures.values(), {pictures.get(face, "") for face in faces}, unlisted, options.on_note)
    for face in sorted(faces, key=lambda face: (len(face), face)):  # 2 before 10
        picture = folder / "images" / pictures[face] if face in pictures else None
        source = "" if picture is None else path_text(picture.relative_to(root))
        yield _Annotated(annotations / f"{face}_exp.npy", picture, source, _SETS.get(folder.name.lower()))


def _is_picture(name: str) -> bool:
    return Path(name).suffix.lower() in PICTURE_SUFFIXES


def _read_annotated(names: LabelNames, face: _Annotated) -> Row:
    try:
        return read_row(_annotated_row(names, face))
    except RowError as error:
        return LeftOut(path_text(face.annotation), str(error))


def _annotated_row(names: LabelNames, face: _Annotated) -> Unread:
    annotation = face.annotation
    if face.picture is None:
        name = path_text(Path(annotation.name.removesuffix("_exp.npy")))
        raise RowError(f"its picture {shown(f'{name}.jpg')} is not in {annotation.parent.parent / 'images'}")
    label = label_or_skipped(_whole(_number_in(annotation)), names, _TABLE, _WORDS)
    if isinstance(label, Skipped):
        return label
    numbers: dict[str, float] = {}
    for column in NUMBERS:
        file = annotation.with_name(annotation.name.replace("_exp.npy", f"_{column[:3]}.npy"))
        if file.exists():
            numbers |= _within_range(column, _number_in(file))
    return PictureFile(face.picture, face.source, label, face.split, numbers=numbers)


def _number_in(file: Path) -> float:
    """Read an array file of one number, or of one text that is a number."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RowError(f"{path_text(Path(file.name))} cannot be read ({error.strerror})") from error
    length = int.from_bytes(data[8:10], "little")
    if not data.startswith(_MAGIC) or (kind := _kind_of_array(data[10 : 10 + length])) is None:
        raise RowError(f"{path_text(Path(file.name))} is not an array of one value")
    value = data[10 + length :]
    if isinstance(kind, str):
        text = value.decode(kind, "replace").rstrip("\0")
    else:
        values = np.frombuffer(value, kind) if len(value) == kind.itemsize else np.empty(0)
        text = str(values[0]) if values.size else ""
    return _parsed(text, path_text(Path(file.name)))


@lru_cache(maxsize=64)
def _kind_of_array(header: bytes) -> str | np.dtype[np.generic] | None:
    """Read what an array file's one value is: the encoding of a text, or the type of a number; None for all else."""
    match = _ARRAY_HEADER.fullmatch(header)
    if match is None:
        return None
    order, kind, size = (group.decode() for group in match.groups())
    if kind == "U":
        return "utf-32-be" if order == ">" else "utf-32-le"
    try:
        return np.dtype(order + kind + size)
    except TypeError:
        return None


def _parsed(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RowError(f"{what} must be a number, and is {shown(text)}")
    return value


def _whole(value: float) -> str:
    return str(int(value)) if value.is_integer() else str(value)


def _within_range(column: str, value: float) -> dict[str, float]:
    """Give a face's valence or arousal; nothing where it is -2, which says that there is none."""
    if value == _NO_NUMBER:
        return {}
    if not -1 <= value <= 1:
        raise RowError(f"{column} must be from -1 to 1, or -2 for none, and is {value:g}")
    return {column: value}


def _lists_of(source: Path) -> list[Path]:
    """Find the lists of the first release: training's first."""
    if source.is_file():
        return [source] if _places_of_columns(source) is not None else []
    folder = corpus_folder(source, lambda folder: bool(_lists_in(folder)))
    return [] if folder is None else _lists_in(folder)


def _lists_in(folder: Path) -> list[Path]:
    for place in _LIST_FOLDERS:
        lists = [file for name in _LISTS if (file := folder / place / name).is_file()]
        if any(_places_of_columns(file) is not None for file in lists):
            return lists
    return []


def _places_of_columns(file: Path) -> dict[str, int] | None:
    """Read the first line: where each column stands, or None where it is not that of AffectNet's list."""
    try:
        with file.open("rb") as opened:
            line = opened.readline(_HEADER_LIMIT).decode("utf-8-sig", "replace")
    except OSError:
        return None
    places = {name.strip().strip('"').lower(): place for place, name in enumerate(line.split(","))}
    return places if all(column in places for column in _CSV_COLUMNS) else None


def _listed_rows(lists: list[Path], options: ReadOptions) -> list[Unread]:
    rows: list[Unread] = []
    folders: dict[Path, _PictureFolder] = {}
    for listed in lists:
        above = listed.parent if listed.parent.name != Path(_LIST_FOLDERS[1]).name else listed.parent.parent
        pictures = first_that_exists(above, *_PICTURE_FOLDERS)
        if pictures is None:
            wanted = above / _PICTURE_FOLDERS[0]
            raise CorpusError(f"{above} lacks the pictures of {listed.name}: put them into {wanted}")
        places = _places_of_columns(listed)
        if places is None:
            raise CorpusError(f"the first line of {listed} is not that of AffectNet's lists: {','.join(_CSV_COLUMNS)}")
        for number, line in list_lines(listed)[1:]:
            where = f"{listed}:{number}"
            try:
                rows.append(_listed_row(line, places, pictures, folders, where, options))
            except RowError as error:
                rows.append(LeftOut(where, str(error)))
    for folder, content in folders.items():
        unlisted = f"in {folder} that the lists do not name"
        note_unlisted(filter(_is_picture, content.there), content.named, unlisted, options.on_note)
    return rows


@dataclass(frozen=True, slots=True)
class _PictureFolder:
    """The names of the pictures in a folder, and those that the lists have named so far."""

    there: frozenset[str]
    named: set[str] = field(default_factory=set)


def _listed_row(
    line: str,
    places: dict[str, int],
    pictures: Path,
    folders: dict[Path, _PictureFolder],
    where: str,
    options: ReadOptions,
) -> Unread:
    fields = [text.strip().strip('"') for text in line.split(",")]
    if len(fields) != len(places):
        raise RowError(f"{len(places)} columns are expected, and there are {len(fields)}")
    row = {column: fields[place] for column, place in places.items()}
    path = _path_within(row["subdirectory_filepath"])
    file = pictures / path
    if file.parent not in folders:
        folders[file.parent] = _PictureFolder(_names_in(file.parent))
    folder = folders[file.parent]
    folder.named.add(file.name)

    label = label_or_skipped(row["expression"], options.names, _TABLE, _WORDS)
    if isinstance(label, Skipped):
        return label
    numbers: dict[str, float] = {}
    for column in NUMBERS:
        numbers |= _within_range(column, _parsed(row[column], column))
    left, top, width, height = (
        int(_parsed(row[column], column)) for column in ("face_x", "face_y", "face_width", "face_height")
    )
    if file.name not in folder.there:
        raise RowError(f"its picture {shown(path.as_posix())} is not in {pictures}")
    split = _LISTS.get(Path(where.rpartition(":")[0]).name.lower())
    picture = PictureFile(file, path.as_posix(), label, split, numbers=numbers)
    return BoxedFace(picture, f"{path.stem}.png", (left, top, left + width, top + height), where)


def _path_within(text: str) -> PurePosixPath:
    """Read a picture's path; a damaged one must not lead out of the corpus."""
    path = PurePosixPath(text.replace("\\", "/"))
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in text:
        raise RowError(f"{shown(text)} is not the path of a picture")
    return path


def _names_in(folder: Path) -> frozenset[str]:
    try:
        return file_names(folder)
    except CorpusError:
        return frozenset()


def _looks_like(source: Path) -> bool:
    return bool(_lists_of(source)) or (source.is_dir() and corpus_folder(source, _looks_annotated) is not None)


def _looks_annotated(folder: Path) -> bool:
    """Whether a folder has sets, the first of them with an array of AffectNet's name."""
    return any(any(annotated.joinpath("annotations").glob("*_exp.npy")) for annotated in _sets_of(folder))


AFFECTNET: Final = Layout(
    "affectnet",
    "AffectNet: train_set and val_set with annotations/*.npy and images, or training.csv and its pictures",
    looks_like=_looks_like,
    read=read_affectnet,
)
