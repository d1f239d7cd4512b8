"""How well tracks keep to people, by the usual measures."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kaoiro.faces.assignment import cheapest_pairs
from kaoiro.faces.boxes import overlap
from kaoiro.faces.crops import Box
from made_video import Truth

LEAST_OVERLAP: Final = 0.5
SEEN: Final = 0.5
"""A face of which at least this share is visible must be found; one of less may be, and does not count."""
SMALLEST: Final = 20.0
HIDDEN_SECONDS: Final = 2.0
"""A face hidden for no longer than this must keep its number."""

Answer = tuple[int, Box]
"""A track's number, and where it says that its face is."""


@dataclass
class TrackingScores:
    """Counts over one or several videos; add them with `+=`."""

    frames: int = 0
    faces: int = 0
    """Faces that had to be found."""
    missed: int = 0
    false: int = 0
    """Boxes that are on no face."""
    switches: int = 0
    """How often a person's number changed, where the face was hidden for no longer than the patience."""
    late_switches: int = 0
    """How often it changed after the face was hidden for longer."""
    mixed: int = 0
    """Numbers that more than one person had, in at least five frames each."""
    fragments: int = 0
    """How often a person's track was interrupted while the face could be seen."""
    identified: int = 0
    """Faces whose number is the one that fits the person best over the whole video (IDTP)."""
    boxes: int = 0
    """Boxes given, without those on faces that do not count."""
    minutes: float = 0.0

    def __iadd__(self, other: "TrackingScores") -> "TrackingScores":
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    @property
    def recall(self) -> float:
        return 1 - self.missed / max(1, self.faces)

    @property
    def mota(self) -> float:
        """Bernardin & Stiefelhagen 2008, https://doi.org/10.1155/2008/246309; all switches count."""
        return 1 - (self.missed + self.false + self.switches + self.late_switches) / max(1, self.faces)

    @property
    def idf1(self) -> float:
        """Ristani et al. 2016, https://arxiv.org/abs/1609.01775."""
        return 2 * self.identified / max(1, self.faces + self.boxes)


def track_scores(
    truths: Sequence[Iterable[Truth]],
    answers: Sequence[Sequence[Answer]],
    rate: float,
    patience: float = HIDDEN_SECONDS,
) -> tuple[TrackingScores, list[dict[int, int]]]:
    """Compare tracks with the truth of one video.

    Args:
        truths: by frame.
        answers: by frame.
        rate: frames a second.
        patience: for how many seconds a face may be hidden and must still keep its number.

    Returns:
        The scores, and by frame which of the answers is on which person's face.
    """
    scores = TrackingScores(frames=len(truths), minutes=len(truths) / rate / 60)
    number_of: dict[int, int] = {}
    run: Counter[int] = Counter()
    """For how many frames a person has been hidden until now."""
    longest: Counter[int] = Counter()
    """The longest time hidden since the person was last tracked."""
    interrupted: set[int] = set()
    together: Counter[tuple[int, int]] = Counter()
    pairs_by_frame = []
    for known, given in zip(truths, answers, strict=True):
        known = list(known)
        counted = {one.person for one in known if one.visible >= SEEN and one.box[3] - one.box[1] >= SMALLEST}
        pairs = _pairs(known, given, number_of, counted)
        pairs_by_frame.append(pairs)
        scores.faces += len(counted)
        scores.missed += len(counted - pairs.keys())
        loose = len(given) - len(set(pairs.values()))
        scores.false += loose
        scores.boxes += loose + len(counted & pairs.keys())
        for person, answer in pairs.items():
            number = given[answer][0]
            if person not in counted:  # the box may as well be meant for whoever covers the face
                continue
            together[person, number] += 1
            if number_of.get(person, number) != number:
                hidden = longest[person] / rate
                scores.switches += hidden <= patience
                scores.late_switches += hidden > patience
            number_of[person] = number
        scores.fragments += len(interrupted & pairs.keys())
        lost = (number_of.keys() & counted) - pairs.keys()
        interrupted = (interrupted & counted | lost) - pairs.keys()
        for one in known:
            run[one.person] = run[one.person] + 1 if one.visible < SEEN else 0
            tracked = one.person in pairs and one.person in counted
            longest[one.person] = 0 if tracked else max(longest[one.person], run[one.person])
    scores.identified = _identified(together)
    numbers = Counter(number for (_, number), frames in together.items() if frames >= 5)
    scores.mixed = sum(people > 1 for people in numbers.values())
    return scores, pairs_by_frame


def _pairs(known: list[Truth], given: Sequence[Answer], number_of: dict[int, int], counted: set[int]) -> dict[int, int]:
    """Person → which answer: first as before, then the best of the rest, faces that count first."""
    pairs = {}
    free = set(range(len(given)))
    for one in known:
        for answer in sorted(free):
            if number_of.get(one.person) == given[answer][0] and overlap(one.box, given[answer][1]) >= LEAST_OVERLAP:
                pairs[one.person] = answer
                free.discard(answer)
                break
    for must in (True, False):
        rest = [one for one in known if one.person not in pairs and (one.person in counted) == must]
        left = sorted(free)
        costs = np.array([[1 - overlap(one.box, given[answer][1]) for answer in left] for one in rest])
        costs = costs.reshape(len(rest), len(left))
        for row, column in cheapest_pairs(costs, 1 - LEAST_OVERLAP + 1e-9):
            pairs[rest[row].person] = left[column]
            free.discard(left[column])
    return pairs


def _identified(together: Counter[tuple[int, int]]) -> int:
    """The most faces that one number a person can explain."""
    people = sorted({person for person, _ in together})
    numbers = sorted({number for _, number in together})
    costs = np.array([[-float(together[person, number]) for number in numbers] for person in people])
    if costs.size == 0:
        return 0
    return sum(together[people[row], numbers[column]] for row, column in cheapest_pairs(costs, 0.5))
