"""Which faces of a corpus are the same picture, and which nearly so."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kaoiro.audit.material import Material, encoded_pictures
from kaoiro.corpus.closed_groups import closed_groups, connected
from kaoiro.corpus.near_duplicates import DuplicatePairs, find_pairs
from kaoiro.corpus.pictures import decode_picture
from kaoiro.corpus.schema import SPLITS
from kaoiro.errors import CorpusError, ImageError


@dataclass(frozen=True)
class Duplicates:
    """The same pictures and nearly the same ones among n faces.

    Attributes:
        copy_of: the first row with the same picture, the row itself where there is none before it: `int64 (n,)`.
        near: the pairs of near-duplicates that are not the same picture.
        splits: each face's place in `SPLITS`, -1 where it has none: `int64 (n,)`.
    """

    copy_of: NDArray[np.int64]
    near: DuplicatePairs
    splits: NDArray[np.int64]

    @property
    def likeness(self) -> NDArray[np.float32]:
        """How alike each near pair is: the larger of the correlations of pixels and of detail; `float32 (p,)`."""
        return np.maximum(self.near.correlation, self.near.detail)

    def redundant(self) -> int:
        """Count the faces whose picture an earlier row has."""
        return int((self.copy_of != np.arange(len(self.copy_of))).sum())

    def pictures_with_copies(self) -> int:
        """Count the pictures that more than one row has."""
        return int((np.bincount(self.copy_of, minlength=1) > 1).sum())

    def also_in(self, near: Literal["all", "sure", "none"] = "all") -> NDArray[np.bool_]:
        """Say in which splits the same or nearly the same picture occurs as that of each face.

        Args:
            near: which near-duplicates count beside the copies.

        Returns:
            `bool (n, 3)` in the order of `SPLITS`; a face's own split counts where another face of it is meant, and
            where it is the face itself.
        """
        has = np.zeros((len(self.copy_of), len(SPLITS)), np.bool_)
        divided = self.splits >= 0
        has[self.copy_of[divided], self.splits[divided]] = True
        tied = has.copy()
        pairs = self.near if near == "all" else self.near.select(self.near.sure & (near == "sure"))
        first, second = self.copy_of[pairs.first], self.copy_of[pairs.second]
        np.logical_or.at(tied, first, has[second])
        np.logical_or.at(tied, second, has[first])
        return tied[self.copy_of]


def find_duplicates(material: Material, on_progress: Callable[[float], None] = lambda _: None) -> Duplicates:
    """Find copies and near-duplicates.

    Pictures are the same where their bytes or their pixels are. Near-duplicates are what
    `kaoiro.corpus.near_duplicates` finds.

    Raises:
        CorpusError: the corpus cannot be read any more.
    """
    copy_of = _same_pictures(material)
    pairs = find_pairs(material.faces, on_progress=on_progress)
    near = copy_of[pairs.first] != copy_of[pairs.second]
    return Duplicates(copy_of, pairs.select(near), material.splits)


def faces_tied_together(material: Material, duplicates: Duplicates | None) -> NDArray[np.int64]:
    """Number the faces of one group, copies and near-duplicates alike where they belong together, directly or through
    others: `int64 (n,)`.

    Raises:
        CorpusError: a face has no `sha256`.
    """
    if duplicates is None:
        return closed_groups(material.corpus)
    tied = closed_groups(material.corpus, duplicates.near)
    rows = np.arange(len(tied))
    return connected(len(tied), np.concatenate([rows, rows]), np.concatenate([tied, duplicates.copy_of]))


def _same_pictures(material: Material) -> NDArray[np.int64]:
    first_with: dict[str, int] = {}
    copy_of = np.array([first_with.setdefault(hashed, row) for row, hashed in enumerate(material.hashes)], np.int64)
    # The same pixels give the same small picture, so only pictures whose small ones agree are decoded at full size.
    alike: defaultdict[bytes, list[int]] = defaultdict(list)
    for row in np.unique(copy_of).tolist():
        alike[hashlib.blake2b(material.faces[row].tobytes(), digest_size=16).digest()].append(row)
    suspects = np.array([row for rows in alike.values() if len(rows) > 1 for row in rows], np.int64)
    first_with_pixels: dict[bytes, int] = {}
    same = np.arange(len(copy_of))
    for row, encoded, source in encoded_pictures(material.stored, suspects):
        same[row] = first_with_pixels.setdefault(_pixel_hash(material, encoded, source), row)
    return same[copy_of]


def _pixel_hash(material: Material, encoded: bytes, source: str) -> bytes:
    try:
        pixels = decode_picture(encoded, source)
    except ImageError as error:
        raise CorpusError(f"{material.corpus.path}: {error}; import the corpus again") from error
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    return hashlib.blake2b(str(pixels.shape).encode() + pixels.tobytes()).digest()
