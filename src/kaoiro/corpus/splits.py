"""Splits: the names by which published corpora call them, and setting faces aside where a source has none."""

import hashlib
import re
from dataclasses import dataclass

from kaoiro.errors import InputError

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


@dataclass(frozen=True)
class SetAside:
    """Sets a share of the training faces aside, by a number drawn from each picture's own bytes, or from its group.

    The same picture therefore goes the same way on every machine, in every order and wherever it is copied to, faces of
    one group stay together, and each class gives about its share.

    Args:
        validation: share that becomes `validation`, 0 to below 1.
        test: share that becomes `test`; both together stay below 1.

    Raises:
        InputError: the shares do not leave anything to train on.
    """

    validation: float = 0.0
    test: float = 0.0

    def __post_init__(self) -> None:
        if self.validation < 0 or self.test < 0 or not self.validation + self.test < 1:
            raise InputError(
                f"the shares for validation ({self.validation}) and test ({self.test}) must leave faces to train on"
            )

    def split_of(self, split: str | None, image_bytes: bytes, group: str | None = None) -> str | None:
        """Give the split of a face that the source has put into `split`.

        Faces of `validation` and `test` stay there. Faces without a split become `train`, unless they are set aside or
        both shares are zero.

        Args:
            split: the source's.
            image_bytes: the picture as an encoded file.
            group: what it shares with others that must stay in one split.
        """
        if split in ("validation", "test") or not (self.validation or self.test):
            return split
        # Not the plain hash of the bytes, which a corpus keeps for other uses.
        drawn_from = b"split:" + image_bytes if group is None else b"group:" + group.encode()
        draw = int.from_bytes(hashlib.sha256(drawn_from).digest()[:8]) / 2**64
        if draw < self.test:
            return "test"
        return "validation" if draw < self.test + self.validation else "train"
