"""JAFFE: names such as `KA.AN1.39.tiff` give the subject, the expression and the picture's number.

Copies of it that put other signs between the parts, leave them out, or sort the files into folders are read too: only
the files' names count.
"""

import re
from pathlib import Path
from typing import Final

from kaoiro.corpus.labelled_face import Skipped
from kaoiro.corpus.readers.layout import Layout, Reading, ReadOptions
from kaoiro.corpus.readers.lists import (
    Unread,
    label_or_skipped,
    note_unlisted,
    read_row,
    some_pictures,
    subfolders,
)
from kaoiro.corpus.readers.picture_files import PictureFile, counted, path_text, pictures_below
from kaoiro.errors import CorpusError
from kaoiro.expressions import JAFFE_CODES
from kaoiro.parallel import ordered_map

_TABLE = {code.lower(): expression for code, expression in JAFFE_CODES.items()}
_NAME = re.compile(rf"([A-Z]{{2}})[._\- ]?({'|'.join(JAFFE_CODES)})[._\- ]?\d[._\- ]*\d*", re.IGNORECASE)
_SAMPLE = 4


def read_jaffe(source: Path, options: ReadOptions) -> Reading:
    """Read JAFFE in the order of the paths; the subject is the group. It has no official splits.

    Args:
        source: a folder above the pictures.
        options: `names` reads the two letters, for example `--map fe=none`.

    Raises:
        CorpusError: a folder cannot be read, or no picture has such a name.
    """
    rows: list[Unread] = []
    named: list[str] = []
    others: list[str] = []
    for file in pictures_below(source):
        parts = _NAME.fullmatch(file.stem)
        path = path_text(file.relative_to(source))
        (others if parts is None else named).append(path)
        if parts is not None:
            label = label_or_skipped(parts[2], options.names, _TABLE)
            group = parts[1].upper()
            rows.append(label if isinstance(label, Skipped) else PictureFile(file, path, label, group=group))
    if not named:
        raise CorpusError(f"{source} is not JAFFE: it has no picture of a name such as KA.AN1.39.tiff")
    note_unlisted(others, (), f"in {source}, not named like KA.AN1.39.tiff", options.on_note)
    return Reading(ordered_map(read_row, counted(rows, options.on_progress)))


def _looks_like(source: Path) -> bool:
    """Whether most of some pictures, and some in each folder that has any, have JAFFE's names."""
    samples = [sample for folder in subfolders(source) if (sample := some_pictures(folder, _SAMPLE))]
    if not samples and source.is_dir():
        samples = [some_pictures(source, _SAMPLE)]
    fitting = [[_NAME.fullmatch(file.stem) is not None for file in sample] for sample in samples]
    return bool(fitting) and all(sum(sample) * 2 > len(sample) for sample in fitting)


JAFFE: Final = Layout(
    "jaffe",
    "JAFFE: pictures with names such as KA.AN1.39.tiff",
    looks_like=_looks_like,
    read=read_jaffe,
)
