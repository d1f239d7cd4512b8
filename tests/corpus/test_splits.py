import pytest

from kaoiro.corpus.splits import parse_split


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("train", "Training", "TRAIN")),
        *((name, "validation") for name in ("val", "valid", "Validation", "dev", "PublicTest", "public_test")),
        *((name, "test") for name in ("test", "testing", "PrivateTest", "Private Test")),
        *((name, None) for name in ("", "trainer", "happy", "test 2")),
    ],
)
def test_parse_split(name, split):
    assert parse_split(name) == split
