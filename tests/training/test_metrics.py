import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kaoiro.training.heads import HeadConfig
from kaoiro.training.metrics import head_metrics, metric_arguments, score_names

VALUES = HeadConfig("values", columns=("valence", "arousal"))
SEVERAL = HeadConfig("multilabel", columns=("a", "b", "c"))


def numbers(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def scores(head, logits, distribution, weight=None, answer=None, batches=1):
    metrics = head_metrics(head, prefix="validation/h/")
    faces = len(logits)
    weight = torch.ones(faces) if weight is None else weight
    answer = torch.full((faces,), -1) if answer is None else answer
    for rows in torch.arange(faces).chunk(batches):
        batch = {"h.distribution": distribution[rows], "h.weight": weight[rows], "h.answer": answer[rows]}
        metrics.update(*metric_arguments("h", head, logits[rows], batch))
    found = metrics.compute()
    assert all(value.shape == () for value in found.values())
    by_name = {name.removeprefix("validation/h/"): value.item() for name, value in found.items()}
    assert by_name.keys() <= set(score_names(head))
    return by_name


@pytest.mark.parametrize("head", [HeadConfig(), HeadConfig("votes")])
def test_classes(head):
    answer = torch.tensor([0, 0, 0, 1, -1, 2])
    given = torch.tensor([0, 0, 1, 1, 3, 0])
    logits = torch.eye(len(head.outputs))[given].bfloat16()
    found = scores(head, logits, torch.zeros(6, 8), answer=answer, batches=2)
    assert found == pytest.approx({"accuracy": 3 / 5, "balanced_accuracy": (2 / 3 + 1 + 0) / 3})


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(1, 3))
def test_values_against_numpy(seed, batches):
    predicted, target = numbers(seed, 9, 2) + 3, numbers(seed + 1, 9, 2)
    target[2, 0] = torch.nan
    weight = torch.ones(9)
    weight[7] = 0
    found = scores(VALUES, predicted, target, weight, batches=batches)
    for output, name in enumerate(VALUES.outputs):
        known = [row for row in range(9) if row != 7 and not (row == 2 and output == 0)]
        x, y = predicted[known, output].double().numpy(), target[known, output].double().numpy()
        covariance = np.cov(x, y, bias=True)
        expected = 2 * covariance[0, 1] / (np.trace(covariance) + (x.mean() - y.mean()) ** 2)
        assert found[f"concordance/{name}"] == pytest.approx(expected, abs=1e-6)
        assert found[f"mean_absolute_error/{name}"] == pytest.approx(np.abs(x - y).mean(), rel=1e-5)
    for score in ("concordance", "mean_absolute_error"):
        both = [found[f"{score}/{name}"] for name in VALUES.outputs]
        assert found[score] == pytest.approx(sum(both) / 2, abs=1e-6)


def test_concordance_of_special_answers():
    target = torch.tensor([[1.0], [2.0], [3.0]])
    one = HeadConfig("values", columns=("valence",))
    assert scores(one, target, target) == {"mean_absolute_error": 0, "concordance": 1}
    assert scores(one, 4 - target, target)["concordance"] == -1
    constant = torch.full((3, 1), 2.0)
    assert scores(one, constant, target)["concordance"] == 0
    assert scores(one, constant, constant) == {"mean_absolute_error": 0, "concordance": 0}


def test_an_output_of_which_nothing_is_known():
    target = torch.tensor([[1.0, torch.nan], [2.0, torch.nan]])
    found = scores(VALUES, target.nan_to_num(0), target)
    assert found["concordance"] == found["concordance/valence"] == 1
    assert "concordance/arousal" not in found


def test_several_by_hand():
    # Outputs a, b, c of four faces; the last face does not count, and b is unknown for the first.
    given = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1]])
    right = torch.tensor([[1, torch.nan, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]])
    weight = torch.tensor([1.0, 1.0, 0.3, 0.0])
    # Logits that look like probabilities are logits all the same.
    found = scores(SEVERAL, given * 0.8 - 0.2, right, weight, batches=2)
    f1_a, f1_b, f1_c = 2 * 1 / (2 * 1 + 1), 1.0, 0.0
    assert found == pytest.approx({"accuracy": 6 / 8, "macro_f1": (f1_a + f1_b + f1_c) / 3})


def test_logits_between_zero_and_one():
    right = torch.tensor([[1.0, 1, 1], [1, 1, 1]])
    assert scores(SEVERAL, torch.full((2, 3), 0.2), right)["macro_f1"] == 1
