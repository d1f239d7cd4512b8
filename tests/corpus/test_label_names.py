import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.corpus.label_names import NO_EXPRESSION, LabelNames, parse_label_map
from kaoiro.errors import InputError
from kaoiro.expressions import EIGHT, Expression

NUMBERS = {"0": Expression.NEUTRAL, "8": NO_EXPRESSION}


@pytest.mark.parametrize(
    ("entries", "text", "corpus", "meaning"),
    [
        ([], "Happy", None, Expression.HAPPINESS),
        ([], "0", NUMBERS, Expression.NEUTRAL),
        ([], " 8 ", NUMBERS, NO_EXPRESSION),
        ([], "0", None, None),  # numbers mean nothing without a corpus's table
        ([], "9", NUMBERS, None),
        ([], "sad", NUMBERS, Expression.SADNESS),
        (["0=fear"], "0", NUMBERS, Expression.FEAR),  # the user's word goes first
        (["Happy = none"], "happy", None, NO_EXPRESSION),
        (["bored="], "bored", None, NO_EXPRESSION),
        (["smile=Joyful"], " SMILE", None, Expression.HAPPINESS),
        (["a=b=anger"], "a", None, InputError),
        (["smile"], "", None, InputError),
        (["=anger"], "", None, InputError),
        (["smile=gloom"], "", None, InputError),
        (["smile=fear", "Smile=anger"], "", None, InputError),
    ],
)
def test_what_a_label_means(entries, text, corpus, meaning):
    if meaning is InputError:
        with pytest.raises(InputError, match="--map") as error:
            parse_label_map(entries)
        assert "\n" not in str(error.value)
    else:
        assert parse_label_map(entries).read(text, corpus) == meaning


@given(st.sampled_from(EIGHT), st.sampled_from([str.upper, str.title, str.lower, "  {} ".format]))
def test_every_expression_can_be_spelt_out(expression, spell):
    assert LabelNames().read(spell(expression.value)) is expression
