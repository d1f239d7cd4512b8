"""Making a stored corpus out of labelled faces in a published layout."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from kaoiro.corpus.labelled_face import LabelledFace, LeftOut
from kaoiro.corpus.readers.class_folders import read_class_folders
from kaoiro.corpus.readers.fer2013_csv import read_fer2013_csv
from kaoiro.corpus.schema import SPLITS
from kaoiro.corpus.splits import SetAside
from kaoiro.corpus.store import write_corpus
from kaoiro.errors import CorpusError
from kaoiro.files import kind_of


@dataclass(frozen=True)
class ImportSummary:
    """What an import has written.

    Attributes:
        faces: the number of faces of each split that occurs, in the order of `SPLITS`; None, for faces
            without one, is last.
        left_out: the number of rows that could not be used.
    """

    faces: dict[str | None, int]
    left_out: int


def import_corpus(
    source: Path,
    target: Path,
    *,
    ferplus: Path | None = None,
    skip_unknown: bool = False,
    set_aside: SetAside | None = None,
    on_left_out: Callable[[LeftOut], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> ImportSummary:
    """Read labelled faces and write them as a stored corpus; the layout is found by looking at the source.

    `target` appears, or is replaced, only when the whole source is read.

    Args:
        source: a folder of class folders, or FER2013's CSV file.
        target: the Parquet file to write.
        ferplus: the FERPlus file with votes on the pictures of FER2013's CSV file.
        skip_unknown: leave out folders that are not an expression, in place of raising.
        set_aside: which faces become `validation` and `test` where the source does not say so itself.
        on_left_out: is given each row that could not be used.
        on_note: is given each remark about the source.
        on_progress: is told now and then which part of the source is read, from 0 to 1.

    Raises:
        CorpusError: the source cannot be used or has no usable face, or the target cannot be written.
    """
    for read in (source, ferplus):
        if read is None:
            continue
        kind = kind_of(read)
        if kind != "file" and not (read is source and kind == "folder"):
            what = "does not exist" if kind == "missing" else "is not a file"
            raise CorpusError(f"{read} {what}")
        if kind_of(target) != "missing" and read.samefile(target):
            raise CorpusError(f"{target} is to be read, and would be overwritten; give another file to write")

    faces: Generator[LabelledFace | LeftOut, None, None]
    if source.is_dir():
        if ferplus is not None:
            raise CorpusError(f"FERPlus votes go with FER2013's CSV file, and {source} is a folder; give fer2013.csv")
        faces = read_class_folders(source, skip_unknown=skip_unknown, on_note=on_note, on_progress=on_progress)
    else:
        if skip_unknown:
            raise CorpusError(f"--skip-unknown is about class folders, and {source} is a file")
        faces = read_fer2013_csv(source, ferplus, on_progress)

    left_out = 0
    counts: Counter[str | None] = Counter()

    def usable() -> Iterator[LabelledFace]:
        nonlocal left_out
        for face in faces:
            if isinstance(face, LeftOut):
                left_out += 1
                on_left_out(face)
            else:
                if set_aside is not None:
                    face = replace(face, split=set_aside.split_of(face.split, face.image_bytes))
                counts[face.split] += 1
                yield face
        if not counts:
            raise CorpusError(f"{source} has no usable faces" + (f": all {left_out} were left out" if left_out else ""))

    with closing(faces):
        write_corpus(target, usable())
    return ImportSummary({split: counts[split] for split in (*SPLITS, None) if split in counts}, left_out)
