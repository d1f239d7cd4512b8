"""Findings about what the pictures show."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kaoiro.audit.findings import Finding, finding
from kaoiro.audit.label_errors import label_errors
from kaoiro.audit.material import Material
from kaoiro.audit.no_face import THRESHOLD, no_face
from kaoiro.audit.picture_checks import check_pictures, picture_sizes
from kaoiro.expressions import EIGHT


def picture_findings(material: Material) -> list[Finding]:
    """Find blank, low-contrast and blurred pictures; the worst come first."""
    scores = check_pictures(material.faces)
    found = []
    for code, flagged, measured, name in (
        ("blank", scores.blank, scores.contrast, "contrast"),
        ("low-contrast", scores.low_contrast, scores.contrast, "contrast"),
        ("blurred", scores.blurred, scores.sharpness, "sharpness"),
    ):
        rows = _by_score(np.flatnonzero(flagged), measured)
        notes = tuple(f"{name} {measured[row]:.3g}" for row in rows)
        found.append(finding(code, rows, notes=notes, scores=measured[rows], score=name))
    return found


def size_findings(material: Material) -> list[Finding]:
    """Find pictures of sizes and shapes that are unlike the rest."""
    sizes = picture_sizes(material.stored)
    found = []
    for code, flagged in (("tiny", sizes.tiny), ("odd-sizes", sizes.odd & ~sizes.tiny)):
        rows = _by_score(np.flatnonzero(flagged), (sizes.width * sizes.height).astype(np.float64))
        notes = tuple(
            f"{sizes.width[row]} × {sizes.height[row]} px, {'grey' if sizes.channels[row] == 1 else 'colour'}"
            for row in rows
        )
        found.append(finding(code, rows, notes=notes))
    return found


def no_face_findings(material: Material, on_progress: Callable[[float], None]) -> list[Finding]:
    """Find pictures in which no face can be made out, the surest first."""
    score = no_face(material.faces, on_progress)
    rows = _by_score(np.flatnonzero(score >= THRESHOLD), -score)
    notes = tuple(f"no face: {score[row]:.2f}" for row in rows)
    return [finding("no-face", rows, notes=notes, scores=score[rows], score="that it shows no face, 0 to 1")]


def label_error_findings(
    material: Material, groups: NDArray[np.int64], seed: int, on_progress: Callable[[float], None]
) -> list[Finding]:
    """Find labels that are probably wrong, the surest first.

    Args:
        material: the corpus.
        groups: faces of one number never help to judge each other, `int64 (n,)`.
        seed: of the folds.
        on_progress: is told now and then which part is done, from 0 to 1.

    Raises:
        MissingExtraError: the packages for it are not installed.
    """
    found = label_errors(material.faces, material.labels, groups, seed, on_progress)
    return [
        finding(
            "label-errors",
            found.rows,
            notes=tuple(f"rather {EIGHT[suggested]}" for suggested in found.suggested),
            scores=found.quality[found.rows],
            score="probability of the label, 0 to 1",
            caveats=found.notes,
        )
    ]


def _by_score(rows: NDArray[np.int64], score: np.ndarray) -> NDArray[np.int64]:
    return rows[np.lexsort((rows, score[rows]))]
