"""The published layouts that can be imported, and finding out which one a source has."""

from pathlib import Path
from typing import Final

from kaoiro.corpus.readers.affectnet import AFFECTNET
from kaoiro.corpus.readers.ck_plus import CK_PLUS
from kaoiro.corpus.readers.class_folders import CLASS_FOLDERS
from kaoiro.corpus.readers.expw import EXPW
from kaoiro.corpus.readers.fer2013_csv import FER2013_CSV
from kaoiro.corpus.readers.ferplus_folders import FERPLUS_FOLDERS
from kaoiro.corpus.readers.hugging_face import HUGGING_FACE
from kaoiro.corpus.readers.jaffe import JAFFE
from kaoiro.corpus.readers.layout import Layout
from kaoiro.corpus.readers.picture_list import PICTURE_LIST, is_export
from kaoiro.corpus.readers.raf_db import RAF_DB
from kaoiro.corpus.readers.sfew import SFEW
from kaoiro.corpus.readers.table_lines import TABLE_SUFFIXES
from kaoiro.errors import CorpusError

LAYOUTS: Final[tuple[Layout, ...]] = (
    RAF_DB,
    AFFECTNET,
    EXPW,
    CK_PLUS,
    SFEW,
    JAFFE,
    FER2013_CSV,
    FERPLUS_FOLDERS,
    HUGGING_FACE,
    PICTURE_LIST,
    CLASS_FOLDERS,
)
"""All layouts, in the order in which a source is held against them: those with clearer marks come first."""

_BY_NAME = {layout.name: layout for layout in LAYOUTS}


def layout_of(source: Path, name: str | None = None) -> Layout:
    """Find a source's layout by looking at it.

    Args:
        source: a folder or a file that exists.
        name: the layout on which the user insists, in place of looking.

    Raises:
        CorpusError: there is no layout of that name, or the source has none that is known.
    """
    if name is not None:
        if name not in _BY_NAME:
            raise CorpusError(f"there is no layout {name!r}; the layouts are {', '.join(_BY_NAME)}")
        return _BY_NAME[name]
    if is_export(source):  # whose pictures still have the names that their corpus gave them
        return PICTURE_LIST
    found = next((layout for layout in LAYOUTS if layout.looks_like(source)), None)
    if found is None:
        as_list = "; the first line of a list of pictures must name its columns (path, label, …)"
        raise CorpusError(
            f"{source} has no layout that is known; give one with --layout, one of {', '.join(_BY_NAME)}"
            f"{as_list if source.suffix.lower() in TABLE_SUFFIXES else ''}"
        )
    return found
