"""The columns of a table of faces, known by the names that such tables usually give them."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kaoiro.corpus.readers.lists import RowError, shown
from kaoiro.corpus.schema import SCHEMA
from kaoiro.corpus.splits import parse_split
from kaoiro.expressions import VOTE_NAMES

NUMBER_PREFIX: Final = "number:"
"""What `kaoiro data export` puts before the name of a column of numbers that would be taken for something else."""

PICTURE_NAMES: Final = (
    *("path", "image", "file", "filename", "filepath", "img", "imagepath", "imagefile", "imagename", "imgpath"),
    *("imgname", "picture", "photo", "face", "relativepath", "pth"),
)
_LABEL_NAMES: Final = ("label", "expression", "emotion", "class", "labels", "emotions", "expressionlabel", "classname")
_SPLIT_NAMES: Final = ("split", "usage", "set", "subset", "partition")
_GROUP_NAMES: Final = (
    *("group", "subject", "person", "identity", "film", "movie", "video", "sequence"),
    *("groupid", "subjectid", "personid", "identityid", "filmid", "movieid", "videoid", "sequenceid"),
)
_NAME_NAMES: Final = ("originalname",)
_SOURCE_NAMES: Final = ("originalsource",)
_INDEX_NAMES: Final = ("index", "indexlevel0", "unnamed0")  # as pandas writes them
_ALWAYS_NUMBERS: Final = ("valence", "arousal")
_MISSING: Final = ("", "-", "na", "n/a", "nan", "none", "null")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_LARGEST: Final = 3.40282356e38  # what single precision rounds to its largest number, and not to infinity
_NOT_LETTERS: Final = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True)
class UsualColumns:
    """Which of a table's columns have what, by the columns' own names; None where no column has it.

    Attributes:
        picture: the picture, or the path to it.
        label: the expression.
        split: the split.
        group: what the face shares with others that must stay in one split.
        name: the name that the picture had before it was exported.
        source: where the face came from before it was exported.
        votes: ten columns of votes in the order of `VOTE_NAMES`.
        numbers: the columns that are always of numbers, such as valence.
        others: the columns of which their values say whether they are of numbers.
    """

    picture: str | None
    label: str | None
    split: str | None
    group: str | None
    name: str | None
    source: str | None
    votes: tuple[str, ...] | None
    numbers: tuple[str, ...]
    others: tuple[str, ...]


def find_usual_columns(names: Sequence[str]) -> UsualColumns:
    """Know columns by their names; capitals, blanks and signs in them do not matter.

    >>> find_usual_columns(["File name", "Emotion", "usage", "age"]).label
    'Emotion'
    """
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(_plain(name), name)
    known = (PICTURE_NAMES, _LABEL_NAMES, _SPLIT_NAMES, _GROUP_NAMES, _NAME_NAMES, _SOURCE_NAMES)
    picture, label, split, group, original_name, source = (_first(by_plain, spellings) for spellings in known)
    votes = _votes(by_plain)
    taken = {spelling for spellings in (*known, _INDEX_NAMES) for spelling in spellings}
    taken |= {_plain(vote) for vote in votes or ()}
    left = [
        name
        for name in names
        if name.startswith(NUMBER_PREFIX) or (_plain(name) not in taken and name not in SCHEMA.names and name.strip())
    ]
    return UsualColumns(
        picture=picture,
        label=label,
        split=split,
        group=group,
        name=original_name,
        source=source,
        votes=votes,
        numbers=tuple(name for name in left if name.startswith(NUMBER_PREFIX) or _plain(name) in _ALWAYS_NUMBERS),
        others=tuple(name for name in left if not (name.startswith(NUMBER_PREFIX) or _plain(name) in _ALWAYS_NUMBERS)),
    )


def is_plain_number(name: str) -> bool:
    """Say whether a column of this name is taken for numbers if its values are, whatever columns are beside it."""
    columns = find_usual_columns([name])
    is_vote = any(_plain(name) in spellings for spellings in _VOTE_SPELLINGS)
    return bool(columns.others or columns.numbers) and not is_vote and not name.startswith(NUMBER_PREFIX)


def parse_number(text: str) -> float | None:
    """Read a number; None where the text says that there is none.

    Raises:
        RowError: it is not a finite number.
    """
    plain = text.strip().lower()
    if plain in _MISSING:
        return None
    value = float(plain) if _NUMBER.fullmatch(plain) else math.inf
    if not abs(value) <= _LARGEST:
        raise RowError(f"{shown(text)} is not a number")
    return value


def parse_votes(texts: Iterable[str]) -> tuple[int, ...] | None:
    """Read ten counts of votes; None where all are missing.

    Raises:
        RowError: one is not a whole number from 0 to 255.
    """
    counts = [text.strip() for text in texts]
    if not any(counts):
        return None
    for count, name in zip(counts, VOTE_NAMES, strict=True):
        if not (count.isascii() and count.isdigit() and len(count) <= 3 and int(count) <= 255):
            raise RowError(f"the votes for {name} must be a number from 0 to 255, and are {shown(count)}")
    return tuple(map(int, counts))


def parse_split_or_none(text: str) -> str | None:
    """Read a split; None where there is none.

    Raises:
        RowError: the text names no split.
    """
    if not text.strip():
        return None
    split = parse_split(text.strip())
    if split is None:
        raise RowError(f"the split {shown(text)} is none of train, validation, test")
    return split


def _plain(name: str) -> str:
    return _NOT_LETTERS.sub("", name.lower())


def _first(by_plain: dict[str, str], spellings: Iterable[str]) -> str | None:
    return next((by_plain[spelling] for spelling in spellings if spelling in by_plain), None)


def _spellings_of_votes(name: str) -> tuple[str, ...]:
    plain = _plain(name)
    return ("votes" + plain, plain) + (("nf",) if plain == "notaface" else ())


_VOTE_SPELLINGS: Final = tuple(_spellings_of_votes(name) for name in VOTE_NAMES)


def _votes(by_plain: dict[str, str]) -> tuple[str, ...] | None:
    columns = [_first(by_plain, spellings) for spellings in _VOTE_SPELLINGS]
    found = tuple(column for column in columns if column is not None)
    return found if len(found) == len(VOTE_NAMES) else None
