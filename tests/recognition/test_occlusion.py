import numpy as np
import pytest

from kaoiro.recognition.occlusion import occlusion_evidence


def textured(side=48):
    """Noise, whose contrast vanishes wherever it is covered by the blurred picture."""
    return np.random.default_rng(1).integers(0, 256, (side, side)).astype(np.uint8)


def contrast_within(rows, columns, sign=1.0):
    """A decision that hangs on the contrast within one part of the face, and on nothing else."""

    def probability(faces):
        contrasts = np.array([np.asarray(face, float)[rows, columns].std() for face in faces])
        return 1 / (1 + np.exp(-sign * (contrasts - 50) / 20))

    return probability


PARTS = [
    (slice(30, 42), slice(14, 34)),
    (slice(12, 20), slice(8, 20)),
    (slice(0, 10), slice(38, 48)),
]


@pytest.mark.parametrize("part", PARTS)
def test_the_evidence_lies_where_the_decision_was_made(part):
    evidence = occlusion_evidence(contrast_within(*part), textured())
    inside = np.zeros((48, 48), bool)
    inside[part] = True
    assert inside.flat[evidence.argmax()]
    assert evidence[inside].mean() > 6 * np.abs(evidence[~inside]).mean()


def test_evidence_against_is_negative():
    part = PARTS[0]
    for_it = occlusion_evidence(contrast_within(*part), textured())
    against = occlusion_evidence(contrast_within(*part, sign=-1.0), textured())
    assert np.allclose(against, -for_it)


def test_an_answer_that_never_changes_has_no_evidence():
    evidence = occlusion_evidence(lambda faces: np.array([0.7 for _ in faces]), textured())
    assert np.allclose(evidence, 0)


def test_the_size_of_the_evidence_is_what_the_cover_costs():
    """With log-odds linear in the visible share of a part, its evidence adds up to the whole difference."""
    face = np.zeros((36, 36), np.uint8)
    face[:, 18:] = 255  # the blur keeps both halves' means nearly apart, so visibility is told by the edge alone

    def probability(faces):
        edges = np.array([float(one[:, 18].mean()) - float(one[:, 17].mean()) for one in map(np.asarray, faces)])
        return 1 / (1 + np.exp(-4 * (edges / 255 - 0.5)))

    evidence = occlusion_evidence(probability, face, covers=4096)
    whole, covered = 4 * 0.5, 4 * (-0.5)
    along_the_edge = evidence[:, 17:19].mean()
    elsewhere = np.abs(evidence[:, :8]).mean()
    assert 0 < along_the_edge < whole - covered
    assert elsewhere < along_the_edge / 4


def test_certain_answers_give_finite_evidence():
    evidence = occlusion_evidence(
        lambda faces: np.array([float(np.asarray(face).std() > 60) for face in faces]), textured(), covers=64
    )
    assert np.isfinite(evidence).all()


def test_colour_and_the_same_evidence_twice():
    part = PARTS[0]
    colour = np.repeat(textured()[..., None], 3, axis=2)
    first = occlusion_evidence(contrast_within(*part), colour)
    assert first.shape == (48, 48)
    assert np.array_equal(first, occlusion_evidence(contrast_within(*part), colour))
