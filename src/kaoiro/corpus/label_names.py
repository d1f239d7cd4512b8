"""What a label in a source means: by the user's own map, by its corpus's numbers, or by its spelling."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

from kaoiro.errors import InputError
from kaoiro.expressions import EIGHT, Expression, parse_expression

_LEFT_OUT_WORDS: Final = ("", "-", "none", "skip")


class NoExpression(Enum):
    """The meaning of a label that is known and names no expression, for example "uncertain"."""

    NO_EXPRESSION = "no expression"


NO_EXPRESSION: Final[Literal[NoExpression.NO_EXPRESSION]] = NoExpression.NO_EXPRESSION

Meaning = Expression | NoExpression


@dataclass(frozen=True)
class LabelNames:
    """Reads labels.

    Attributes:
        own: the user's map, from a label in lower case; it goes before everything else.
    """

    own: Mapping[str, Meaning] = field(default_factory=dict)

    def read(self, text: str, corpus: Mapping[str, Meaning] | None = None) -> Meaning | None:
        """Read one label.

        Args:
            text: as it stands in the source; case and surrounding blanks do not matter.
            corpus: what the corpus's own labels mean, by their lower-case text (numbers as text). Where it is not
                given, the usual spellings hold; where it is, only what it has, and expressions spelt out.

        Returns:
            The expression; `NO_EXPRESSION` where the label is known and names none; None where it is unknown.
        """
        plain = text.strip().lower()
        if plain in self.own:
            return self.own[plain]
        if corpus is not None and plain in corpus:
            return corpus[plain]
        return parse_expression(text)


def parse_label_map(entries: Iterable[str]) -> LabelNames:
    """Read a user's map, an entry a label: `smile=happiness`, `7=contempt`; `bored=none` leaves such faces out.

    Raises:
        InputError: an entry has another form, its right side is no expression, or a label occurs twice.

    >>> parse_label_map(["Smile=happiness"]).read("smile")
    <Expression.HAPPINESS: 'happiness'>
    """
    own: dict[str, Meaning] = {}
    for entry in entries:
        label, equals, name = entry.partition("=")
        label, name = label.strip().lower(), name.strip().lower()
        if not equals or not label:
            raise InputError(f"--map {entry!r} is not of the form LABEL=EXPRESSION, for example smile=happiness")
        if label in own:
            raise InputError(f"--map gives the label {label!r} two meanings; give it one")
        meaning = NO_EXPRESSION if name in _LEFT_OUT_WORDS else parse_expression(name)
        if meaning is None:
            raise InputError(f"--map {entry!r}: {name!r} is not one of {', '.join(EIGHT)}, or none to leave out")
        own[label] = meaning
    return LabelNames(own)
