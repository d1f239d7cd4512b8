import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.errors import InputError
from kaoiro.expressions import EIGHT, SEVEN, Expression
from kaoiro.recognition.metadata import Head, ModelMetadata
from kaoiro.recognition.priors import parse_prior, prior_weights, with_weights

THREE = (Expression.ANGER, Expression.HAPPINESS, Expression.CONTEMPT)


def described(prior, classes=THREE):
    return ModelMetadata("m", 8, 1, {"h": Head(classes, 1.0, prior=prior)}, "h")


def weighted(probabilities, prior, learned, answers=THREE):
    weights = prior_weights(prior, described(learned), "h", answers)
    return with_weights(np.array([probabilities], np.float64), weights)[0]


def test_bayes_rule_by_counting_faces():
    # Of 100 training faces 60, 30 and 10 are of the classes, and a pattern is shown by 6, 15 and 9 of these: a model
    # that sees it answers 6, 15 and 9 thirtieths. Where classes are alike, say 60 faces each, 6, 30 and 54 show it.
    seen = np.array([6, 15, 9]) / 30
    assert weighted(seen, "balanced", (0.6, 0.3, 0.1)) == pytest.approx(np.array([6, 30, 54]) / 90)
    # With 120, 30 and 0 faces, 12, 15 and none do. Frequencies may be counts.
    counts = {"anger": 120, "happiness": 30, "contempt": 0}
    assert weighted(seen, counts, (0.6, 0.3, 0.1)) == pytest.approx(np.array([12, 15, 0]) / 27)


def test_natural_changes_nothing_and_needs_no_prior_of_the_model():
    probabilities = np.array([[0.2, 0.5, 0.3]])
    assert prior_weights("natural", described(None), "h", THREE) is None
    assert with_weights(probabilities, None) is probabilities


@given(
    st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
    st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
    st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(any),
)
def test_invariants(probabilities, learned, wanted):
    before = np.array(probabilities) / sum(probabilities)
    frequencies = dict(zip(map(str, THREE), wanted, strict=True))
    after = weighted(before, frequencies, tuple(learned))
    assert after.sum() == pytest.approx(1, abs=1e-12)
    assert (after >= 0).all()
    # What a model learned from, asked of it again, changes nothing, and the scale of frequencies has no meaning.
    same = dict(zip(map(str, THREE), learned, strict=True))
    assert weighted(before, same, tuple(learned)) == pytest.approx(before)
    assert weighted(before, {name: 7 * value for name, value in frequencies.items()}, tuple(learned)) == pytest.approx(
        after
    )


def test_what_is_left_out_has_no_effect():
    two = THREE[:2]
    probabilities = np.array([0.5, 0.5])
    for learned in ((0.6, 0.2, 0.2), (0.3, 0.1, 0.6), (0.75, 0.25, 0)):
        assert weighted(probabilities, "balanced", learned, two) == pytest.approx([0.25, 0.75])
        named = {"anger": 0.1, "happiness": 0.1, "contempt": 0.8}
        assert weighted(probabilities, named, learned, two) == pytest.approx([0.25, 0.75])


def test_a_class_that_was_never_learned_is_not_answered_by_balanced():
    assert weighted([0.3, 0.6, 0.1], "balanced", (0.5, 0.5, 0)) == pytest.approx([1 / 3, 2 / 3, 0])


def test_a_probability_that_was_rounded_to_0_can_be_all_that_is_left():
    only_anger = {"anger": 1, "happiness": 0, "contempt": 0}
    assert weighted([0.0, 1.0, 0.0], only_anger, (0.2, 0.4, 0.4)).tolist() == [1, 0, 0]


def test_frequencies_at_the_ends_of_the_range_of_numbers():
    huge, tiny = 1e308, 5e-324
    asked = {"anger": huge, "happiness": huge, "contempt": 0}
    assert weighted([0.3, 0.6, 0.1], asked, (0.1, 0.2, 0.7)) == pytest.approx([0.5, 0.5, 0])
    assert weighted([0.3, 0.6, 0.1], "balanced", (tiny, tiny, 0)) == pytest.approx([1 / 3, 2 / 3, 0])


FULL = {"anger": 1, "happiness": 1, "contempt": 1}


@pytest.mark.parametrize(
    ("prior", "learned", "message"),
    [
        ("balanced", None, "head 'h' of the model 'm' does not say how frequent each expression was in its training"),
        (FULL, None, "does not say how frequent"),
        ("uniform", (1, 1, 1), "unknown prior 'uniform'; give natural, balanced"),
        (None, (1, 1, 1), "unknown prior None"),
        (FULL | {"joy": 1}, (1, 1, 1), "names 'joy', which is no expression; there are anger, disgust"),
        ({"anger": 1}, (1, 1, 1), "says nothing of happiness, contempt; name every expression"),
        (FULL | {"anger": -1}, (1, 1, 1), "frequency of anger must be a number of at least 0, not -1"),
        (FULL | {"anger": float("nan")}, (1, 1, 1), "not nan"),
        (FULL | {"anger": "often"}, (1, 1, 1), "not 'often'"),
        (FULL | {"anger": 10**400}, (1, 1, 1), "must be a number of at least 0, not 1000"),
        (FULL | {"contempt": 0.2}, (1, 1, 0), "learned from no face of contempt, so the prior cannot give it 0.2"),
        (dict.fromkeys(FULL, 0), (1, 1, 1), "gives 0 to every expression that the head 'h' can answer"),
    ],
)
def test_priors_that_cannot_be_used(prior, learned, message):
    with pytest.raises(InputError, match=message) as caught:
        prior_weights(prior, described(learned), "h", THREE)
    assert "\n" not in str(caught.value)


def test_priors_as_text():
    assert parse_prior("natural") == "natural"
    assert parse_prior("balanced") == "balanced"
    assert parse_prior("happiness=0.5, neutral = 40,fear=1e-1") == {"happiness": 0.5, "neutral": 40.0, "fear": 0.1}


@pytest.mark.parametrize("text", ["", "uniform", "happiness", "happiness=", "happiness=much", "happiness=1,,fear=1"])
def test_text_that_is_no_prior(text):
    with pytest.raises(InputError, match="cannot be read at"):
        parse_prior(text)


def test_an_expression_named_twice():
    with pytest.raises(InputError, match="names fear twice"):
        parse_prior("fear=1,fear=2")


def test_expressions_may_name_themselves():
    by_member = dict.fromkeys(SEVEN, 1.0)
    weights = prior_weights(by_member, described((1.0,) * 7 + (9.0,), EIGHT), "h", SEVEN)
    assert weights.tolist() == [1] * 7
