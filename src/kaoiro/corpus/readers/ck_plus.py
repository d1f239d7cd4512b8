"""CK+, the Extended Cohn-Kanade data: its authors' folders, and the two forms that go round on Kaggle.

The authors' form is a folder of frames a sequence, `cohn-kanade-images/S005/001/S005_001_00000011.png`, and for those
whose expression is validated `Emotion/S005/001/S005_001_00000011_emotion.txt`, a number from 0 to 7 on the sequence's
last frame, the peak. That frame is read, and no other; the subject (`S005`) is the group.

Kaggle's forms are class folders of such frames (CK+48: the last three of each sequence), where the subject is the group
too, and `ckextended.csv`, which is FER2013's form with 7 for contempt and names no subject.
"""

import re
from collections import defaultdict
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from kaoiro.corpus.label_names import LabelNames
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Row, Skipped
from kaoiro.corpus.readers.class_folders import read_class_folders
from kaoiro.corpus.readers.fer2013_csv import FER2013_CSV, read_fer2013_csv
from kaoiro.corpus.readers.layout import Layout, Reading, ReadOptions
from kaoiro.corpus.readers.lists import (
    RowError,
    Unread,
    by_text,
    corpus_folder,
    first_that_exists,
    label_or_skipped,
    read_row,
    shown,
    some_pictures,
    subfolders,
)
from kaoiro.corpus.readers.picture_files import PictureFile, counted, files_below, path_text, pictures_below
from kaoiro.errors import CorpusError
from kaoiro.expressions import CK_PLUS_CSV_NUMBERS, CK_PLUS_NUMBERS, parse_expression
from kaoiro.parallel import ordered_map

_FRAMES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images", "extended-cohn-kanade-images")
_LABELS = ("Emotion", "Emotion_labels/Emotion", "Emotion_labels")
_TABLE = by_text(CK_PLUS_NUMBERS)
_FRAME = re.compile(r"(S\d{3})_(\d{3})_\d{8}")
_EMOTION = "_emotion.txt"
_LONGEST_LABEL = 100


def read_ck_plus(source: Path, options: ReadOptions) -> Reading:
    """Read CK+ in the order of its sequences, or of the paths or lines of Kaggle's forms.

    Args:
        source: the folder with `cohn-kanade-images` and `Emotion`, the folder of CK+48, or `ckextended.csv`.
        options: `names` reads the numbers, 0 to 7.

    Raises:
        CorpusError: it is none of these, or a folder or file of it cannot be read.
    """
    if source.is_file():
        return _read_csv(source, options)
    folder = corpus_folder(source, _has_sequences)
    if folder is not None:
        if first_that_exists(folder, *_LABELS) is None:
            raise CorpusError(
                f"{folder} has CK+'s frames and not their labels; they come in an archive of their own: "
                f"unpack it, so that there is {folder / _LABELS[0]}"
            )
        rows = _sequences(folder, options)
        return Reading(ordered_map(read_row, counted(rows, options.on_progress)))
    if not _has_frames_by_class(source):
        raise CorpusError(
            f"{source} is not CK+: it has neither {_FRAMES[0]} and {_LABELS[0]} nor class folders of frames such as "
            "S010_004_00000017.png"
        )
    inner = read_class_folders(source, options)
    return Reading(_with_subjects(inner.rows), inner.numbers)


def _has_sequences(folder: Path) -> bool:
    return first_that_exists(folder, *_FRAMES) is not None


def _sequences(root: Path, options: ReadOptions) -> list[Unread]:
    frames_below, labels_below = first_that_exists(root, *_FRAMES), first_that_exists(root, *_LABELS)
    assert frames_below is not None
    assert labels_below is not None
    frames: dict[str, dict[str, Path]] = defaultdict(dict)
    for file in pictures_below(frames_below):
        if match := _FRAME.fullmatch(file.stem):
            frames[f"{match[1]}_{match[2]}"][file.stem] = file
    labels: dict[str, list[Path]] = defaultdict(list)
    for file in files_below(labels_below):
        if file.name.endswith(_EMOTION):
            labels["_".join(file.name.split("_")[:2])].append(file)

    rows: list[Unread] = []
    for sequence in sorted(frames.keys() | labels.keys()):
        if sequence not in labels:
            rows.append(Skipped("at the peak of a sequence without an emotion file"))
        for file in labels.get(sequence, []):
            try:
                rows.append(_peak(file, root, frames.get(sequence, {}), options.names))
            except RowError as error:
                rows.append(LeftOut(path_text(file), str(error)))
    return rows


def _peak(file: Path, root: Path, frames: dict[str, Path], names: LabelNames) -> PictureFile | Skipped:
    frame = file.name.removesuffix(_EMOTION)
    label = label_or_skipped(_emotion_in(file), names, _TABLE)
    if frame not in frames:
        raise RowError(f"its frame {shown(frame)} does not exist")
    if isinstance(label, Skipped):
        return label
    picture = frames[frame]
    return PictureFile(picture, path_text(picture.relative_to(root)), label, group=frame.partition("_")[0])


def _emotion_in(file: Path) -> str:
    """Read the number in an emotion file, `   3.0000000e+00`, as the text of a whole one."""
    try:
        text = file.read_bytes()[:_LONGEST_LABEL].decode("utf-8", "replace").strip()
    except OSError as error:
        raise RowError(f"it cannot be read ({error.strerror})") from error
    try:
        value = float(text)
    except ValueError as error:
        raise RowError(f"it must hold a number from 0 to 7, and holds {shown(text)}") from error
    return str(int(value)) if value.is_integer() else text


def _has_frames_by_class(source: Path) -> bool:
    """Whether a folder, or the only folder in it, has class folders in which some frame of CK+ comes first."""
    return corpus_folder(source, _is_ck_48) is not None


def _is_ck_48(folder: Path) -> bool:
    samples = [some_pictures(sub, 1) for sub in subfolders(folder) if parse_expression(sub.name) is not None]
    some = [file for sample in samples for file in sample]
    return bool(some) and all(_FRAME.fullmatch(file.stem) for file in some)


def _with_subjects(rows: Generator[Row, None, None]) -> Generator[Row, None, None]:
    with closing(rows):
        for row in rows:
            match = _FRAME.fullmatch(Path(row.name).stem) if isinstance(row, LabelledFace) else None
            yield replace(row, group=match[1]) if isinstance(row, LabelledFace) and match is not None else row


def _read_csv(source: Path, options: ReadOptions) -> Reading:
    options.on_note(f"{source.name} names no subjects: the same people may be in several of its splits")
    return read_fer2013_csv(source, options, by_text(CK_PLUS_CSV_NUMBERS))


def _looks_like(source: Path) -> bool:
    if source.is_file():
        return source.name.lower().startswith("ck") and FER2013_CSV.looks_like(source)
    return corpus_folder(source, _has_sequences) is not None or _has_frames_by_class(source)


CK_PLUS: Final = Layout(
    "ck-plus",
    "CK+: cohn-kanade-images and Emotion, or Kaggle's CK+48 folders or ckextended.csv",
    looks_like=_looks_like,
    read=read_ck_plus,
)
