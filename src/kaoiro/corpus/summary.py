"""How many faces a corpus has, by expression and split."""

from dataclasses import dataclass

from kaoiro.corpus.schema import SPLITS
from kaoiro.corpus.store import Corpus
from kaoiro.expressions import EIGHT


@dataclass(frozen=True)
class Counts:
    """The number of faces of each label and split.

    Attributes:
        labels: the labels that occur, in the order of `Expression`; None, where it occurs, is last.
        splits: the splits that occur, in the order of `SPLITS`; None, where it occurs, is last.
        faces: the number of faces by label and split. A pair that does not occur is not in it.
        with_votes: the number of faces that have raters' votes.
    """

    labels: tuple[str | None, ...]
    splits: tuple[str | None, ...]
    faces: dict[tuple[str | None, str | None], int]
    with_votes: int

    def of_label(self, label: str | None) -> int:
        """Give the number of faces of a label, over all splits."""
        return sum(self.faces.get((label, split), 0) for split in self.splits)

    def of_split(self, split: str | None) -> int:
        """Give the number of faces of a split, over all labels."""
        return sum(self.faces.get((label, split), 0) for label in self.labels)

    def total(self) -> int:
        """Give the number of faces."""
        return sum(self.faces.values())


def count_faces(corpus: Corpus) -> Counts:
    """Count a corpus's faces."""
    groups = corpus.table.group_by(["label", "split"]).aggregate([([], "count_all")]).to_pylist()
    faces = {(group["label"], group["split"]): group["count_all"] for group in groups}
    labels = {label for label, _ in faces}
    splits = {split for _, split in faces}
    return Counts(
        labels=tuple(label for label in (*EIGHT, None) if label in labels),
        splits=tuple(split for split in (*SPLITS, None) if split in splits),
        faces=faces,
        with_votes=len(corpus) - corpus.table["votes"].null_count,
    )
