import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.errors import InputError
from kaoiro.expressions import EIGHT, SEVEN, VOTE_NAMES, Expression, Language, parse_expression


def test_seven_is_in_fer2013_order():
    assert list(SEVEN) == ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    assert (*SEVEN, "contempt") == EIGHT
    assert VOTE_NAMES[:8] == EIGHT
    assert VOTE_NAMES[8:] == ("unknown", "not-a-face")


# a corpus's folder or class name, and what it means
PUBLISHED = [
    ("angry", "anger"), ("disgust", "disgust"), ("fear", "fear"), ("happy", "happiness"), ("sad", "sadness"),
    ("surprise", "surprise"), ("neutral", "neutral"),  # FER2013's folders
    ("contempt", "contempt"), ("anger", "anger"), ("sadness", "sadness"),  # CK+
    ("AN", "anger"), ("DI", "disgust"), ("FE", "fear"), ("HA", "happiness"), ("SA", "sadness"),
    ("SU", "surprise"), ("NE", "neutral"),  # JAFFE
    ("1_Surprise", "surprise"), ("3_Disgust", "disgust"), ("7_Neutral", "neutral"),  # RAF-DB, numbered
    ("afraid", "fear"), ("disgusted", "disgust"), ("surprised", "surprise"),  # KDEF
    ("Suprise", "surprise"), ("happiness faces", "happiness"), ("Happy-03", "happiness"),
    ("class 4 sad", "sadness"), ("0-anger images", "anger"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expression"), PUBLISHED)
def test_published_names(name, expression):
    assert parse_expression(name) is Expression(expression)


@pytest.mark.parametrize("name", ["", " ", "3", "faces", "unhappy", "not sad", "holiday pictures", "angry happy", "s"])
def test_other_names(name):
    assert parse_expression(name) is None


@given(
    pair=st.sampled_from([(name, expression) for name, expression in PUBLISHED if name.isalpha()]),
    cases=st.lists(st.booleans(), min_size=9, max_size=9),
    number=st.none() | st.integers(0, 999),
    separator=st.sampled_from([" ", "_", "-", ". "]),
    number_first=st.booleans(),
    noise=st.sampled_from(["", "face", "Faces", "images", "expression"]),
    around=st.sampled_from(["", " "]),
)
def test_case_numbering_and_noise_do_not_matter(pair, cases, number, separator, number_first, noise, around):
    name, expression = pair
    name = "".join(c.upper() if up else c.lower() for c, up in zip(name, cases * 2, strict=False))
    name = f"{name}{separator}{noise}" if noise else name
    if number is not None:
        name = f"{number}{separator}{name}" if number_first else f"{name}{separator}{number}"
    assert parse_expression(around + name + around) == expression


@given(st.text())
def test_any_text_is_an_expression_or_none(name):
    assert parse_expression(name) in {None, *Expression}


def test_every_expression_has_its_own_name_in_every_language():
    for language in Language:
        assert len({expression.label(language) for expression in Expression}) == len(Expression)
    assert [expression.label() for expression in Expression] == list(Expression)
    assert Expression.SADNESS.label("ja") == "悲しみ"


def test_an_unknown_language():
    with pytest.raises(InputError, match="unknown language 'de'; choose one of en, ja"):
        Expression.FEAR.label("de")
