"""What an audit can find, and what it has found."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Severity = Literal["severe", "warning", "note"]
SEVERITIES: Final[tuple[Severity, ...]] = ("severe", "warning", "note")
"""`severe`: figures on the corpus are wrong; `warning`: training or figures suffer; `note`: good to know."""


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        code: a fixed name, for programs.
        title: what is found, in a few words.
        meaning: what it means and why it matters.
        severity: how much it matters.
        repairs: the names of the repairs that mend it, see `kaoiro.audit.repairs`.
    """

    code: str
    title: str
    meaning: str
    severity: Severity
    repairs: tuple[str, ...] = ()


_KINDS: Final = (
    Kind(
        "copies-across-splits",
        "The same picture in several splits",
        "A model remembers a picture that it was trained on, and need not recognise it: figures on validation and test "
        "come out too high.",
        "severe",
        ("leaks",),
    ),
    Kind(
        "near-duplicates-across-splits",
        "Nearly the same picture in several splits",
        "Re-encoded, rescaled, moved, brighter or mirrored copies, or neighbouring frames of one film. They raise the "
        "figures just as copies do.",
        "severe",
        ("leaks",),
    ),
    Kind(
        "groups-across-splits",
        "Groups in several splits",
        "Faces of one subject, sequence or film are in more than one split, so the figures do not tell how a model "
        "does on people that it has never seen. `kaoiro data split` makes splits that keep groups together.",
        "severe",
        ("groups",),
    ),
    Kind(
        "copies",
        "The same picture several times in one split",
        "In training such a picture weighs as much as several; in a figure its one success or failure is counted "
        "several times.",
        "warning",
        ("copies",),
    ),
    Kind(
        "conflicting-labels",
        "The same picture under different labels",
        "At least one of the labels is wrong, and a model cannot learn both.",
        "warning",
        ("conflicts", "conflicts-by-votes"),
    ),
    Kind(
        "label-errors",
        "Labels that are probably wrong",
        "A classifier that was not shown these faces' labels is sure of another expression. These are suspicions, not "
        "facts: look at them.",
        "warning",
        ("label-errors",),
    ),
    Kind(
        "no-face-votes",
        "Pictures that most raters took for no face",
        "More than half of a picture's raters voted “not a face”: it shows none, or one so cut off, turned or far away "
        "that there is no expression to read.",
        "warning",
        ("no-face-votes",),
    ),
    Kind(
        "no-face",
        "Pictures in which no face can be made out",
        "A model looked for a face and saw none. Drawings, masks and faces cut off or turned far away are "
        "among them, so look before they are dropped.",
        "warning",
        ("no-face",),
    ),
    Kind(
        "blank",
        "Blank pictures",
        "They have one single colour, or nearly so, and show nothing.",
        "warning",
        ("blank",),
    ),
    Kind(
        "unlabelled",
        "Faces without label and votes",
        "Nothing says what they show, so no head for expressions can learn from them.",
        "warning",
        ("unlabelled",),
    ),
    Kind(
        "missing-classes",
        "Classes that a split lacks",
        "A class without training faces is never recognised, and one without test faces is never measured.",
        "warning",
    ),
    Kind(
        "imbalance",
        "Classes of very different size",
        "Accuracy is mostly that of the large classes, and small ones are learned badly: look at macro-F1, and sample "
        "or weigh by class.",
        "note",
    ),
    Kind(
        "near-duplicates",
        "Nearly the same picture several times in one split",
        "They teach little more than one of them would. Neighbouring frames of one film are among them.",
        "note",
        ("near-duplicates",),
    ),
    Kind(
        "conflicting-labels-near",
        "Nearly the same picture under different labels",
        "Often one of the labels is wrong. Of frames of one film both may be right, so look before you decide.",
        "note",
    ),
    Kind(
        "votes-against-label",
        "Votes at odds with the label",
        "The raters' majority, read as FERPlus's authors do, is another expression than the label. Which of the two is "
        "trained on makes a difference: say which when you quote a figure.",
        "note",
    ),
    Kind(
        "low-contrast",
        "Pictures with little contrast",
        "Their grey values lie so close together that there is hardly a face to see.",
        "note",
        ("low-contrast",),
    ),
    Kind(
        "blurred",
        "Blurred pictures",
        "They lack the fine detail that other pictures of this corpus have, for example because they were enlarged.",
        "note",
        ("blurred",),
    ),
    Kind(
        "tiny",
        "Tiny pictures",
        "A face of so few pixels shows little of an expression.",
        "note",
        ("tiny",),
    ),
    Kind(
        "odd-sizes",
        "Sizes and shapes unlike the rest",
        "A picture far from square is squeezed when it is read, and one unlike the rest often is not a cut-out face.",
        "note",
        ("odd-sizes",),
    ),
)
KINDS: Final[dict[str, Kind]] = {kind.code: kind for kind in _KINDS}
"""Every kind of finding by its code, the gravest first."""


@dataclass(frozen=True)
class Finding:
    """What one check has found.

    Attributes:
        kind: what it is.
        rows: the faces concerned, rows of the corpus, worst or surest first; `int64 (m,)`. A face may occur in several
            clusters and then occurs as often here.
        clusters: how many of `rows` belong together, one after the other; `int64 (c,)`, summing to m. Empty where each
            face stands alone.
        notes: a remark on each of `rows`; empty where there is nothing to remark.
        scores: a number for each of `rows`, `float32 (m,)`; None where there is none.
        score: what that number is.
        facts: figures worth reading, in whole sentences.
        caveats: what could not be looked at, and why.
    """

    kind: Kind
    rows: NDArray[np.int64]
    clusters: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    scores: NDArray[np.float32] | None = None
    score: str = ""
    facts: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert not len(self.clusters) or self.clusters.sum() == len(self.rows), self.kind.code
        assert len(self.notes) in (0, len(self.rows)), self.kind.code
        assert self.scores is None or len(self.scores) == len(self.rows), self.kind.code

    @property
    def found(self) -> bool:
        """Is there anything to tell?"""
        return bool(len(self.rows) or self.facts)

    def faces(self) -> NDArray[np.int64]:
        """The faces concerned, each once and in order: `int64 (k,)`."""
        return np.unique(self.rows)

    def slices(self) -> list[slice]:
        """Where in `rows` each cluster lies; each face is its own where there are no clusters."""
        ends = np.cumsum(self.clusters) if len(self.clusters) else np.arange(1, len(self.rows) + 1)
        return [slice(start, end) for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=False)]


NO_ROWS: Final = np.empty(0, np.int64)


def finding(
    code: str,
    rows: NDArray[np.int64] = NO_ROWS,
    *,
    clusters: NDArray[np.int64] = NO_ROWS,
    notes: tuple[str, ...] = (),
    scores: NDArray[np.float32] | None = None,
    score: str = "",
    facts: tuple[str, ...] = (),
    caveats: tuple[str, ...] = (),
) -> Finding:
    """Make the finding of a kind."""
    return Finding(KINDS[code], rows, clusters, notes, scores, score, facts, caveats)


def clustered(
    code: str,
    clusters: list[NDArray[np.int64]],
    notes: list[list[str]] | None = None,
    scores: NDArray[np.float32] | None = None,
    score: str = "",
    facts: tuple[str, ...] = (),
) -> Finding:
    """Make the finding of a kind that has its faces in clusters."""
    return finding(
        code,
        np.concatenate(clusters) if clusters else NO_ROWS,
        clusters=np.array([len(cluster) for cluster in clusters], np.int64),
        notes=tuple(note for cluster in notes or () for note in cluster),
        scores=scores,
        score=score,
        facts=facts,
    )
