"""RAF-DB's basic expressions: as its authors publish them, and as they go round on Kaggle.

The authors' form is `basic/EmoLabel/list_patition_label.txt` (their spelling), a line such as `train_00001.jpg 5` a
face, and `basic/Image/aligned/train_00001_aligned.jpg`, or `basic/Image/original/train_00001.jpg` where only that is.
Kaggle's form has folders of the numbers: `DATASET/train/5/train_00001_aligned.jpg`.

The compound expressions (`compound/`, 1 to 11) name two expressions a face and are refused.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Final

from kaoiro.corpus.label_names import LabelNames
from kaoiro.corpus.labelled_face import LeftOut, Skipped
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
    some_pictures,
    subfolders,
)
from kaoiro.corpus.readers.picture_files import PictureFile, counted, path_text, pictures_below
from kaoiro.errors import CorpusError
from kaoiro.expressions import RAF_DB_NUMBERS
from kaoiro.media.images import PICTURE_SUFFIXES
from kaoiro.parallel import ordered_map

_LISTS = (
    "EmoLabel/list_patition_label.txt",
    "list_patition_label.txt",
    "EmoLabel/list_partition_label.txt",
    "list_partition_label.txt",
)
_PICTURES = ("Image/aligned", "aligned", "Image/original", "original")
_TABLE = by_text(RAF_DB_NUMBERS)
_COMPOUND_ONLY = ("8", "9", "10", "11")
_NAME = re.compile(r"(train|test)_\d+")


def read_raf_db(source: Path, options: ReadOptions) -> Reading:
    """Read RAF-DB's basic expressions, in the order of its list or of the paths.

    Args:
        source: the folder above `basic`, `basic` itself, its list, or the folder of Kaggle's form.
        options: `names` reads the numbers, 1 to 7.

    Raises:
        CorpusError: it is none of these, its list or pictures cannot be read, or its labels are the compound ones.
    """
    listed = _list_of(source)
    if listed is not None:
        rows = _listed_rows(listed, options)
    else:
        numbered = corpus_folder(source, _has_numbered_folders)
        if numbered is None:
            raise CorpusError(
                f"{source} is not RAF-DB: it has neither basic/{_LISTS[0]} nor the folders 1 to 7 in train and test"
            )
        rows = _numbered_rows(numbered, options)
    return Reading(ordered_map(read_row, counted(rows, options.on_progress)))


def _list_of(source: Path) -> Path | None:
    """Find the list; that of the basic expressions where the compound ones lie beside them."""
    if source.is_file():
        return source if source.name.lower() in {Path(name).name for name in _LISTS} else None
    places = [f"basic/{name}" for name in _LISTS] + list(_LISTS)
    folder = corpus_folder(source, lambda folder: first_that_exists(folder, *places) is not None)
    return None if folder is None else first_that_exists(folder, *places)


def _listed_rows(listed: Path, options: ReadOptions) -> list[Unread]:
    root = listed.parent.parent if listed.parent.name == "EmoLabel" else listed.parent
    lines = [(number, *_name_and_label(text)) for number, text in list_lines(listed)]
    labels = Counter(label for _, _, label in lines)
    compound = sum(labels[label] for label in _COMPOUND_ONLY)
    if root.name.lower() == "compound" or compound > len(lines) / 4:
        raise CorpusError(
            f"{listed} labels compound expressions such as 'happily surprised', two a face, for which a corpus "
            "has no place; give RAF-DB's folder basic"
        )
    pictures = first_that_exists(root, *_PICTURES)
    if pictures is None:
        raise CorpusError(f"{root} lacks the pictures of {listed.name}: put them into {root / _PICTURES[0]}")

    there = file_names(pictures)
    wanted = set()
    rows: list[Unread] = []
    for number, name, label in lines:
        file = f"{Path(name).stem}_aligned{Path(name).suffix}" if pictures.name == "aligned" else name
        wanted.add(file)
        try:
            row = _row(pictures / file, root, label, options.names)
            if file in there or isinstance(row, Skipped):
                rows.append(row)
            else:
                rows.append(LeftOut(f"{listed}:{number}", f"its picture {shown(file)} is not in {pictures}"))
        except RowError as error:
            rows.append(LeftOut(f"{listed}:{number}", str(error)))
    unlisted = (name for name in there if Path(name).suffix.lower() in PICTURE_SUFFIXES)
    note_unlisted(unlisted, wanted, f"in {pictures} that {listed.name} does not name", options.on_note)
    return rows


def _row(file: Path, root: Path, label: str, names: LabelNames) -> PictureFile | Skipped:
    split = _NAME.match(file.name)
    if split is None:
        raise RowError(f"{shown(path_text(Path(file.name)))} is not a name such as 'train_00001.jpg'")
    meaning = label_or_skipped(label, names, _TABLE)
    if isinstance(meaning, Skipped):
        return meaning
    return PictureFile(file, path_text(file.relative_to(root)), meaning, split[1])


def _name_and_label(line: str) -> tuple[str, str]:
    name, _, label = line.partition(" ")
    return name, label.strip()


def _has_numbered_folders(folder: Path) -> bool:
    """Whether a folder, or the folders train and test in it, has folders 1 to 7 with pictures of RAF-DB's names."""
    above = [sub for sub in subfolders(folder) if sub.name.lower() in ("train", "test")] or [folder]
    classes = [sub for split in above for sub in subfolders(split)]
    if not classes or any(sub.name not in _TABLE for sub in classes):
        return False
    some = [file for sub in classes for file in some_pictures(sub, 1)]
    return bool(some) and all(_NAME.match(file.name) for file in some)


def _numbered_rows(folder: Path, options: ReadOptions) -> list[Unread]:
    rows: list[Unread] = []
    for file in pictures_below(folder):
        try:
            rows.append(_row(file, folder, file.parent.name, options.names))
        except RowError as error:
            rows.append(LeftOut(path_text(file), str(error)))
    return rows


def _looks_like(source: Path) -> bool:
    if _list_of(source) is not None:
        return True
    return source.is_dir() and corpus_folder(source, _has_numbered_folders) is not None


RAF_DB: Final = Layout(
    "raf-db",
    "RAF-DB: basic/EmoLabel/list_patition_label.txt and basic/Image, or Kaggle's folders train/1 to test/7",
    looks_like=_looks_like,
    read=read_raf_db,
)
