"""How near the parts of a division come to the ratios that were asked for, class by class."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Balance:
    """The faces of each part and class.

    Attributes:
        parts: the parts' names, for example `train`.
        classes: the classes' names; only those that occur.
        ratios: the share that each part was to have of the faces that were divided; None for a part that was not made
            by dividing, such as an official test split.
        faces: `int64 (parts, classes)`.
    """

    parts: tuple[str, ...]
    classes: tuple[str, ...]
    ratios: tuple[Fraction | None, ...]
    faces: NDArray[np.int64]

    def row(self, name: str | None = None) -> NDArray[np.int64]:
        """Give the faces of one class in each part, or of all classes: `int64 (parts,)`."""
        faces: NDArray[np.int64]
        faces = self.faces.sum(axis=1) if name is None else self.faces[:, self.classes.index(name)]
        return faces

    def shares(self, name: str | None = None) -> list[Fraction | None]:
        """Give each part's share of a class's faces (of all faces) that were divided; None for a part that was not."""
        faces = self.row(name).tolist()
        divided = sum(n for n, ratio in zip(faces, self.ratios, strict=True) if ratio is not None)
        return [
            None if ratio is None or not divided else Fraction(n, divided)
            for n, ratio in zip(faces, self.ratios, strict=True)
        ]

    def points_off(self, name: str | None = None) -> list[float | None]:
        """Give the distance of each share from its ratio in percentage points, positive where it is above."""
        return [
            None if share is None or ratio is None else float(100 * (share - ratio))
            for share, ratio in zip(self.shares(name), self.ratios, strict=True)
        ]

    def as_dict(self) -> dict[str, Any]:
        """Give everything by part and class, for JSON."""
        by_class = {name: self._cells(name) for name in self.classes}
        together = self._cells(None)
        return {
            part: {
                "ratio": None if (ratio := self.ratios[place]) is None else float(ratio),
                **together[place],
                "classes": {name: cells[place] for name, cells in by_class.items()},
            }
            for place, part in enumerate(self.parts)
        }

    def _cells(self, name: str | None) -> list[dict[str, Any]]:
        columns = zip(self.row(name).tolist(), self.shares(name), self.points_off(name), strict=True)
        return [
            {"faces": n, "share": None if share is None else float(share), "points_off": off}
            for n, share, off in columns
        ]


def balance_of(
    parts: Sequence[str],
    ratios: Sequence[Fraction | None],
    classes: Sequence[str],
    part_of_face: NDArray[np.int64],
    class_of_face: NDArray[np.int64],
) -> Balance:
    """Count faces.

    Args:
        parts: names; a part that is empty and was to be empty is left out.
        ratios: of the parts.
        classes: names; those that do not occur are left out.
        part_of_face: `int64 (n,)`.
        class_of_face: `int64 (n,)`.
    """
    numbers = np.bincount(part_of_face * len(classes) + class_of_face, minlength=len(parts) * len(classes))
    faces = numbers.reshape(len(parts), len(classes))
    shown = [place for place, ratio in enumerate(ratios) if ratio or faces[place].any()]
    occurring = np.flatnonzero(faces.any(axis=0)).tolist()
    return Balance(
        tuple(parts[place] for place in shown),
        tuple(classes[place] for place in occurring),
        tuple(ratios[place] for place in shown),
        faces[shown][:, occurring],
    )
