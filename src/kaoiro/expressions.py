"""The vocabulary: the seven expressions (and contempt), and every corpus's way of writing them."""

import re
from enum import StrEnum
from typing import Self

from kaoiro.errors import InputError


class Expression(StrEnum):
    """A facial expression. The members' order is the order of classes in every model and table of Kaoiro."""

    ANGER = "anger"
    DISGUST = "disgust"
    FEAR = "fear"
    HAPPINESS = "happiness"
    SADNESS = "sadness"
    SURPRISE = "surprise"
    NEUTRAL = "neutral"
    CONTEMPT = "contempt"

    def label(self, language: "Language | str" = "en") -> str:
        """The expression's name for people to read, in a language.

        >>> Expression.HAPPINESS.label("ja")
        '喜び'

        Raises:
            InputError: the language is unknown.
        """
        return _LABELS[Language.of(language)][self]


class Language(StrEnum):
    """A language in which expressions are named to people. Files and programs always get the English names."""

    ENGLISH = "en"
    JAPANESE = "ja"

    @classmethod
    def of(cls, code: str) -> Self:
        """The language with this code.

        Raises:
            InputError: there is no such language.
        """
        try:
            return cls(code)
        except ValueError:
            raise InputError(f"unknown language {code!r}; choose one of {', '.join(cls)}") from None


_LABELS: dict[Language, dict[Expression, str]] = {
    Language.ENGLISH: {expression: expression.value for expression in Expression},
    Language.JAPANESE: {
        Expression.ANGER: "怒り",
        Expression.DISGUST: "嫌悪",
        Expression.FEAR: "恐れ",
        Expression.HAPPINESS: "喜び",
        Expression.SADNESS: "悲しみ",
        Expression.SURPRISE: "驚き",
        Expression.NEUTRAL: "中立",
        Expression.CONTEMPT: "軽蔑",
    },
}


SEVEN: tuple[Expression, ...] = tuple(e for e in Expression if e is not Expression.CONTEMPT)
"""The seven expressions; also FER2013's classes 0 to 6, in its order."""

EIGHT: tuple[Expression, ...] = tuple(Expression)
"""The seven and contempt."""

VOTE_NAMES: tuple[str, ...] = (*EIGHT, "unknown", "not-a-face")
"""What FERPlus raters could choose, in the order in which a stored corpus keeps their votes."""

FER2013_NUMBERS: dict[int, Expression] = dict(enumerate(SEVEN))
"""FER2013's column `emotion` (Goodfellow et al. 2013, https://arxiv.org/abs/1307.0414)."""

RAF_DB_NUMBERS: dict[int, Expression] = {
    1: Expression.SURPRISE,
    2: Expression.FEAR,
    3: Expression.DISGUST,
    4: Expression.HAPPINESS,
    5: Expression.SADNESS,
    6: Expression.ANGER,
    7: Expression.NEUTRAL,
}
"""RAF-DB's basic expressions (Li et al. 2017; the numbering is that of its `list_patition_label.txt`)."""

AFFECTNET_NUMBERS: dict[int, Expression | None] = {
    0: Expression.NEUTRAL,
    1: Expression.HAPPINESS,
    2: Expression.SADNESS,
    3: Expression.SURPRISE,
    4: Expression.FEAR,
    5: Expression.DISGUST,
    6: Expression.ANGER,
    7: Expression.CONTEMPT,
    8: None,  # none of these
    9: None,  # uncertain
    10: None,  # no face
}
"""AffectNet's `expression` (Mollahosseini et al. 2019, https://arxiv.org/abs/1708.03985); None for what names none."""

CK_PLUS_NUMBERS: dict[int, Expression] = {
    0: Expression.NEUTRAL,
    1: Expression.ANGER,
    2: Expression.CONTEMPT,
    3: Expression.DISGUST,
    4: Expression.FEAR,
    5: Expression.HAPPINESS,
    6: Expression.SADNESS,
    7: Expression.SURPRISE,
}
"""CK+'s emotion files (Lucey et al. 2010, https://doi.org/10.1109/CVPRW.2010.5543262; the numbers are its ReadMe's)."""

CK_PLUS_CSV_NUMBERS: dict[int, Expression] = dict(enumerate(EIGHT))
"""The column `emotion` of Kaggle's `ckextended.csv`: FER2013's numbers, and 7 for contempt."""

EXPW_NUMBERS: dict[int, Expression] = dict(enumerate(SEVEN))
"""ExpW's `label.lst` (Zhang et al. 2018, https://arxiv.org/abs/1609.06426; its readme): FER2013's order."""

JAFFE_CODES: dict[str, Expression] = {
    "AN": Expression.ANGER,
    "DI": Expression.DISGUST,
    "FE": Expression.FEAR,
    "HA": Expression.HAPPINESS,
    "NE": Expression.NEUTRAL,
    "SA": Expression.SADNESS,
    "SU": Expression.SURPRISE,
}
"""The two letters in the names of JAFFE's files (Lyons et al. 1998, https://doi.org/10.5281/zenodo.3451524)."""

_SPELLINGS: dict[Expression, tuple[str, ...]] = {
    Expression.ANGER: ("anger", "angry", "ang", "an", "angriness"),
    Expression.DISGUST: ("disgust", "disgusted", "disgusting", "disgusts", "dis", "di"),
    Expression.FEAR: ("fear", "fearful", "fearfulness", "afraid", "scared", "scare", "fea", "fe"),
    Expression.HAPPINESS: ("happiness", "happy", "hapiness", "happines", "joy", "joyful", "hap", "ha"),
    Expression.SADNESS: ("sadness", "sad", "sa"),
    Expression.SURPRISE: ("surprise", "surprised", "suprise", "suprised", "surprize", "sur", "su"),
    Expression.NEUTRAL: ("neutral", "neutrality", "natural", "normal", "calm", "neu", "ne"),
    Expression.CONTEMPT: ("contempt", "contemptuous", "con", "co"),
}
_EXPRESSION_BY_SPELLING = {spelling: e for e, spellings in _SPELLINGS.items() for spelling in spellings}
_NUMBERING = re.compile(r"^(?:class|label)?[\s_\-.]*\d+[\s_\-.]+|[\s_\-.]+\d+$")
_NOISE_WORDS = re.compile(r"[\s_\-.]+(?:faces?|images?|imgs?|expressions?|emotions?)$")


def parse_expression(name: str) -> Expression | None:
    """Read one expression's name in any of the spellings that published corpora and class folders use.

    Case, numbering ("3_happy", "Happy-03") and words such as "faces" behind the name do not matter.

    >>> parse_expression("Angry"), parse_expression("04 Suprise")
    (<Expression.ANGER: 'anger'>, <Expression.SURPRISE: 'surprise'>)
    >>> parse_expression("holiday pictures") is None
    True
    """
    plain = _NOISE_WORDS.sub("", _NUMBERING.sub("", name.strip().lower()))
    return _EXPRESSION_BY_SPELLING.get(plain)
