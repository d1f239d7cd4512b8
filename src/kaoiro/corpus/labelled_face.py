"""One labelled face on its way from a source into a stored corpus."""

from dataclasses import dataclass

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
    """

    image_bytes: bytes
    name: str
    source: str
    label: Expression | None
    votes: tuple[int, ...] | None = None
    split: str | None = None


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
