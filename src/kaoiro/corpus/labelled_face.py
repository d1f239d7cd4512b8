"""One labelled face on its way from a source into a stored corpus."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kaoiro.expressions import Expression


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """A row of a corpus.

    Attributes:
        image_bytes: the picture as an encoded file (PNG, JPEG, …).
        name: the picture's file name.
        source: where the row came from, for example `fer2013.csv:17`.
        label: the expression, or None where only votes exist.
        votes: ten counts from 0 to 255 in the order of `VOTE_NAMES`, or None.
        split: one of `SPLITS`, or None where the source has none.
        group: what the face shares with others that must stay in one split (a subject, a sequence, a film), or None.
        numbers: values of further columns, for example `valence`; a column that is not in it is null.
    """

    image_bytes: bytes
    name: str
    source: str
    label: Expression | None
    votes: tuple[int, ...] | None = None
    split: str | None = None
    group: str | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that cannot be used, and why.

    Attributes:
        where: the file and line, as `path:line`, or the picture's path.
        what: what is wrong with it.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that is in order and has no place in a corpus, for example one that its corpus labels "uncertain".

    Attributes:
        why: the reason, in words that fit all rows of the kind: `labelled 'uncertain'`.
    """

    why: str


Row = LabelledFace | LeftOut | Skipped
"""What a reader gives for each row of its source."""
