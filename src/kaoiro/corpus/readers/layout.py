"""What a reader of a published layout is: how it knows its layout, what it may be told, and what it gives."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

from kaoiro.corpus.label_names import LabelNames
from kaoiro.corpus.labelled_face import Row


@dataclass(frozen=True)
class ReadOptions:
    """What the user says about a source, and whom the reader tells about its progress.

    Attributes:
        ferplus: the FERPlus file with votes on the pictures of FER2013's CSV file.
        skip_unknown: leave out class folders that are not an expression, in place of raising.
        names: reads labels; has the user's own map.
        on_note: is given each remark about the source, a line.
        on_progress: is told now and then which part of the source is read, from 0 to 1.
    """

    ferplus: Path | None = None
    skip_unknown: bool = False
    names: LabelNames = field(default_factory=LabelNames)
    on_note: Callable[[str], None] = lambda _: None
    on_progress: Callable[[float], None] = lambda _: None


@dataclass(frozen=True)
class Reading:
    """A source that is being read.

    Attributes:
        rows: the source's rows in a fixed order, the broken ones and those without a place in a corpus among them.
            Closing it stops the work.
        numbers: the columns of numbers that its faces may have beside the usual ones.
    """

    rows: Generator[Row, None, None]
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """A way in which labelled faces are published.

    Attributes:
        name: as `--layout` takes it, for example `raf-db`.
        what: what it is in a few words, for example `RAF-DB: basic/EmoLabel/list_patition_label.txt and its images`.
        looks_like: whether a source, a folder or a file that exists, has this layout. It looks at names and at the
            first lines of a file, not at every picture, and takes what it cannot read for something else.
        read: begins to read a source. It raises `CorpusError` where the source as a whole cannot be used, at once or
            while the rows are drawn.
    """

    name: str
    what: str
    looks_like: Callable[[Path], bool]
    read: Callable[[Path, ReadOptions], Reading]
