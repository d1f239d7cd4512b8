"""The vocabulary: the seven expressions (and contempt), and every corpus's way of writing them."""

import re
from enum import StrEnum


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


SEVEN: tuple[Expression, ...] = tuple(e for e in Expression if e is not Expression.CONTEMPT)
"""The seven expressions; also FER2013's classes 0 to 6, in its order."""

EIGHT: tuple[Expression, ...] = tuple(Expression)
"""The seven and contempt."""

VOTE_NAMES: tuple[str, ...] = (*EIGHT, "unknown", "not-a-face")
"""What FERPlus raters could choose, in the order in which a stored corpus keeps their votes."""

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
