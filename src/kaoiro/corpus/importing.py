"""Making a stored corpus out of labelled faces in a published layout."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from kaoiro.corpus.ferplus import LABEL_RULES, LabelRule, label_by_votes
from kaoiro.corpus.label_names import LabelNames, Meaning
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut, Skipped
from kaoiro.corpus.layouts import layout_of
from kaoiro.corpus.readers.class_folders import CLASS_FOLDERS
from kaoiro.corpus.readers.fer2013_csv import FER2013_CSV
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.corpus.schema import SPLITS
from kaoiro.corpus.splits import SetAside
from kaoiro.corpus.store import check_metadata, opened_parquet, write_corpus
from kaoiro.errors import CorpusError
from kaoiro.files import kind_of


@dataclass(frozen=True)
class ImportSummary:
    """What an import has written.

    Attributes:
        layout: the name of the source's layout.
        faces: the number of faces of each split that occurs, in the order of `SPLITS`; None, for faces
            without one, is last.
        left_out: the number of rows that could not be used.
        skipped: the number of rows that are in order and have no place in a corpus, by the reason.
    """

    layout: str
    faces: dict[str | None, int]
    left_out: int
    skipped: dict[str, int]


def import_corpus(
    source: Path,
    target: Path,
    *,
    layout: str | None = None,
    ferplus: Path | None = None,
    votes_as_label: LabelRule | None = None,
    skip_unknown: bool = False,
    names: LabelNames | None = None,
    set_aside: SetAside | None = None,
    on_left_out: Callable[[LeftOut], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[float], None] = lambda _: None,
) -> ImportSummary:
    """Read labelled faces and write them as a stored corpus.

    `target` appears, or is replaced, only when the whole source is read.

    Args:
        source: a folder or file in one of the layouts of `kaoiro.corpus.layouts`.
        target: the Parquet file to write.
        layout: the name of the source's layout; found by looking at the source where it is not given.
        ferplus: the FERPlus file with votes on the pictures of FER2013's CSV file.
        votes_as_label: the rule by which the votes become the label, in place of the label that the source gives; a
            face without votes, or without a winner by that rule, has none then.
        skip_unknown: leave out class folders that are not an expression, in place of raising.
        names: what labels mean, where the user has a map of their own.
        set_aside: which faces become `validation` and `test` where the source does not say so itself.
        on_left_out: is given each row that could not be used.
        on_note: is given each remark about the source.
        on_progress: is told now and then which part of the source is read, from 0 to 1.

    Raises:
        CorpusError: the source cannot be used or has no usable face, or the target cannot be written.
    """
    if votes_as_label is not None and votes_as_label not in LABEL_RULES:
        raise CorpusError(f"--votes-as-label {votes_as_label!r} is not one of {', '.join(LABEL_RULES)}")
    for read in (source, ferplus):
        if read is None:
            continue
        kind = kind_of(read)
        if kind != "file" and not (read is source and kind == "folder"):
            what = "does not exist" if kind == "missing" else "is not a file"
            raise CorpusError(f"{read} {what}")
        if _is_part_of(read, target):
            raise CorpusError(f"{target} is to be read, and would be overwritten; give another file to write")

    found = layout_of(source, layout)
    if ferplus is not None and found is not FER2013_CSV:
        raise CorpusError(
            f"FERPlus votes go with FER2013's CSV file, and {source} has the layout {found.name}; give fer2013.csv"
        )
    if skip_unknown and found is not CLASS_FOLDERS:
        raise CorpusError(f"--skip-unknown is about class folders, and {source} has the layout {found.name}")
    own = _Noticed(names.own if names is not None else {})
    options = ReadOptions(
        ferplus=ferplus,
        skip_unknown=skip_unknown,
        names=LabelNames(own),
        on_note=on_note,
        on_progress=on_progress,
    )
    reading = found.read(source, options)

    left_out = 0
    counts: Counter[str | None] = Counter()
    skipped: Counter[str] = Counter()
    with_votes = labelled = 0

    def usable() -> Iterator[LabelledFace]:
        nonlocal left_out, with_votes, labelled
        for row in reading.rows:
            if isinstance(row, LeftOut):
                left_out += 1
                on_left_out(row)
            elif isinstance(row, Skipped):
                skipped[row.why] += 1
            else:
                split = row.split if set_aside is None else set_aside.split_of(row.split, row.image_bytes, row.group)
                counts[split] += 1
                with_votes += row.votes is not None
                label = row.label if votes_as_label is None else label_by_votes(row.votes, votes_as_label)
                labelled += label is not None
                yield replace(row, split=split, label=label)
        if counts and votes_as_label is not None and not with_votes:
            raise CorpusError(f"{source} has no votes, and --votes-as-label {votes_as_label} reads labels from them")
        if not counts:
            raise CorpusError(f"{source} has no usable faces" + (f": all {left_out} were left out" if left_out else ""))

    with closing(reading.rows):
        write_corpus(target, usable(), reading.numbers)
    for why, count in skipped.items():
        on_note(f"without a place in the corpus: {count:,} faces {why}")
    for label in own:
        if label not in own.met:
            on_note(f"--map {label} was never met in the source")
    faces = counts.total()
    if votes_as_label is not None and labelled < faces:
        on_note(f"--votes-as-label {votes_as_label} gives no label to {faces - labelled:,} of {faces:,} faces")
    if with_votes and not labelled and votes_as_label is None:
        on_note("the faces have votes and no labels; --votes-as-label majority takes labels from the votes")
    return ImportSummary(
        layout=found.name,
        faces={split: counts[split] for split in (*SPLITS, None) if split in counts},
        left_out=left_out,
        skipped=dict(skipped),
    )


class _Noticed(Mapping[str, Meaning]):
    """A user's map that notes in `met` which of its labels are looked up."""

    def __init__(self, meanings: Mapping[str, Meaning]) -> None:
        self._meanings = meanings
        self.met: set[str] = set()

    def __getitem__(self, label: str) -> Meaning:
        meaning = self._meanings[label]
        self.met.add(label)
        return meaning

    def __iter__(self) -> Iterator[str]:
        return iter(self._meanings)

    def __len__(self) -> int:
        return len(self._meanings)


def _is_part_of(read: Path, target: Path) -> bool:
    """Whether a target is what is to be read, or lies in it; a corpus there is an earlier target."""
    if kind_of(target) == "missing":
        return False
    if read.samefile(target):
        return True
    return target.resolve().is_relative_to(read.resolve()) and not _is_corpus(target)


def _is_corpus(file: Path) -> bool:
    try:
        with opened_parquet(file) as opened:
            check_metadata(file, opened.schema_arrow.metadata or {})
    except CorpusError:
        return False
    return True
