import json

import pytest

from kaoiro.errors import ModelFileError
from kaoiro.expressions import SEVEN
from kaoiro.recognition.metadata import Head, ModelMetadata

METADATA = ModelMetadata("m", 48, 1, {"h": Head(SEVEN, 0.8, prior=(0.1, 0.0, 0.2, 0.3, 0.1, 0.2, 0.1))}, "h")


def changed(**parts):
    """The metadata's JSON with other parts in its head."""
    plain = json.loads(METADATA.to_json())
    plain["heads"]["h"] |= parts
    return json.dumps(plain)


def test_a_prior_is_kept():
    assert json.loads(METADATA.to_json())["heads"]["h"]["prior"] == [0.1, 0.0, 0.2, 0.3, 0.1, 0.2, 0.1]
    assert ModelMetadata.from_json(METADATA.to_json()) == METADATA


def test_files_without_a_prior_are_read():
    plain = json.loads(METADATA.to_json())
    del plain["heads"]["h"]["prior"]
    assert ModelMetadata.from_json(json.dumps(plain)).heads["h"].prior is None
    assert ModelMetadata.from_json(changed(prior=None)).heads["h"].prior is None


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ([0.5, 0.5], "one frequency a class, 7, but it has 2"),
        ([0] * 7, "not all 0"),
        ([-0.1] + [0.2] * 6, "at least 0"),
        ([float("nan")] * 7, "at least 0"),
        ([float("inf")] * 7, "at least 0"),
        (0.5, "cannot be read"),
        (["often"] * 7, "cannot be read"),
    ],
)
def test_priors_that_make_no_sense(prior, message):
    with pytest.raises(ModelFileError, match=f"the model file's metadata .*{message}"):
        ModelMetadata.from_json(changed(prior=prior))
