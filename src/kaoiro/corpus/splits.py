"""The names by which published corpora call their splits."""

import re

_SPLIT_BY_SPELLING = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "publictest"), "validation"),
    **dict.fromkeys(("test", "testing", "privatetest"), "test"),
}
_SEPARATORS = re.compile(r"[\s_\-]+")


def parse_split(name: str) -> str | None:
    """Read a split's name in any of the spellings that published corpora use; None if it is none.

    >>> parse_split("Training"), parse_split("PublicTest"), parse_split("private_test")
    ('train', 'validation', 'test')
    """
    return _SPLIT_BY_SPELLING.get(_SEPARATORS.sub("", name.lower()))
