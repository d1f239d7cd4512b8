import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kaoiro.errors import InputError
from kaoiro.expressions import EIGHT, SEVEN
from kaoiro.training.augmentation import mixup
from kaoiro.training.heads import HeadConfig, Targets
from kaoiro.training.losses import CrossEntropy, Focal, KullbackLeibler, Losses, WeightedLoss

LABEL, VOTES = HeadConfig(), HeadConfig("votes")
SEVERAL, VALUES = (
    HeadConfig("multilabel", columns=("a", "b", "c")),
    HeadConfig("values", columns=("valence", "arousal")),
)
HEADS = {"label": LABEL, "votes": VOTES, "multilabel": SEVERAL, "values": VALUES}
ONES = torch.ones(6)
seeds = st.integers(0, 999)


def numbers(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def targets_for(head, seed, faces=6):
    if head.target == "label":
        return F.one_hot(torch.arange(faces) * 3 % 7, 7).float()
    if head.target == "votes":
        return numbers(seed, faces, 8).mul(2).softmax(1)
    return (numbers(seed, faces, 3) > 0).float() if head.target == "multilabel" else numbers(seed, faces, 2)


def batch_of(head, distribution, weight=None, answer=None):
    faces = len(distribution)
    if answer is None:
        answer = distribution.argmax(1) if head.target == "label" else torch.full((faces,), -1)
    weight = torch.ones(faces) if weight is None else torch.as_tensor(weight)
    return {"h.distribution": distribution, "h.weight": weight, "h.answer": answer}


def loss_of(head, loss, logits, distribution, weight=None, *, answer=None, features=None, smoothing=True, model=0.0):
    """What one head's loss comes to."""
    losses = Losses({"h": head}, None if loss is None else {"h": loss}, model)
    features = logits if features is None else features
    total, parts = losses({"h": logits}, features, batch_of(head, distribution, weight, answer), smoothing=smoothing)
    assert parts["h"] == total
    assert not parts["h"].requires_grad
    return total


# The default losses


@settings(deadline=None)
@given(seeds, st.sampled_from([0.0, 0.1, 0.5]))
def test_hard_targets_against_torch(seed, smoothing):
    logits, targets = numbers(seed, 6, 7) * 5, targets_for(LABEL, 0)
    expected = F.cross_entropy(logits, targets.argmax(1), label_smoothing=smoothing).item()
    assert loss_of(LABEL, None, logits, targets, model=smoothing).item() == pytest.approx(expected, rel=1e-4)


@settings(deadline=None)
@given(seeds, st.sampled_from([0.0, 0.1]))
def test_soft_targets_against_torch(seed, smoothing):
    logits, targets = numbers(seed, 6, 8) * 5, targets_for(VOTES, seed + 1)
    expected = F.cross_entropy(logits, targets, label_smoothing=smoothing).item()
    assert loss_of(VOTES, None, logits, targets, model=smoothing).item() == pytest.approx(expected, rel=1e-4)


def test_defaults_for_other_targets():
    logits, targets = numbers(0, 6, 3), targets_for(SEVERAL, 1)
    expected = F.binary_cross_entropy_with_logits(logits, targets)
    assert loss_of(SEVERAL, None, logits, targets).item() == pytest.approx(expected.item())
    logits, targets = numbers(0, 6, 2), targets_for(VALUES, 1)
    assert loss_of(VALUES, None, logits, targets).item() == pytest.approx(F.smooth_l1_loss(logits, targets).item())


def test_the_released_recipe_trains_as_before():
    """The sum over two heads as it was first written, to the last bit, gradients included."""

    def first_written(logits, targets, weights, smoothing):
        smooth = targets * (1 - smoothing) + smoothing / targets.shape[1]
        each = -(smooth * F.log_softmax(logits.float(), dim=1)).sum(dim=1)
        return (each * weights).sum() / weights.sum().clamp(min=1e-6)

    losses = Losses({"a": LABEL, "b": HeadConfig("votes", weight=0.7)}, label_smoothing=0.1)
    for seed in range(20):
        a, b = (numbers(seed, 128, classes).mul(3).bfloat16().requires_grad_() for classes in (7, 8))
        batch = {
            "a.distribution": F.one_hot(torch.arange(128) % 7, 7).float(),
            "a.weight": torch.ones(128),
            "a.answer": torch.arange(128) % 7,
            "b.distribution": targets_for(VOTES, seed, 128),
            "b.weight": numbers(seed, 128).clamp(min=0),
            "b.answer": torch.full((128,), -1),
        }
        with torch.autocast("cpu", torch.bfloat16):
            parts = [
                head_weight * first_written(logits, batch[f"{name}.distribution"], batch[f"{name}.weight"], 0.1)
                for name, logits, head_weight in (("a", a, 1.0), ("b", b, 0.7))
            ]
            torch.stack(parts).sum().backward()
            expected = (a.grad.clone(), b.grad.clone())
            a.grad = b.grad = None
            total, found = losses({"a": a, "b": b}, a, batch)
            total.backward()
        assert total == torch.stack(parts).sum()
        assert [found["a"], found["b"]] == parts
        assert torch.equal(a.grad, expected[0])
        assert torch.equal(b.grad, expected[1])


# Weights of faces


class OwnByOutput(nn.Module):
    def forward(self, predictions, targets):
        return (predictions - targets) ** 2


class OwnByFace(nn.Module):
    def forward(self, predictions, targets):
        return ((predictions - targets) ** 2).mean(1)


class OwnAverage(nn.Module):
    def forward(self, predictions, targets):
        return ((predictions - targets) ** 2).mean()


KNOWN_LOSSES = [
    (LABEL, CrossEntropy),
    (VOTES, KullbackLeibler),
    (VOTES, Focal),
    (LABEL, nn.CrossEntropyLoss),
    (VOTES, nn.KLDivLoss),
    (LABEL, nn.NLLLoss),
    (LABEL, nn.MultiMarginLoss),
    (SEVERAL, nn.BCEWithLogitsLoss),
    (VOTES, nn.BCEWithLogitsLoss),
    (SEVERAL, nn.MultiLabelSoftMarginLoss),
    (SEVERAL, nn.SoftMarginLoss),
    (SEVERAL, nn.MultiLabelMarginLoss),
    *((VALUES, kind) for kind in (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, nn.PoissonNLLLoss)),
    *((head, kind) for head in (LABEL, SEVERAL, VALUES) for kind in (OwnByOutput, OwnByFace, OwnAverage)),
]
"""A loss of each way in which losses are called, with a head that it fits."""


@pytest.mark.parametrize(("head", "kind"), KNOWN_LOSSES)
def test_faces_of_weight_zero_have_no_influence(head, kind):
    targets = targets_for(head, 1)
    logits = numbers(0, *targets.shape).requires_grad_()
    unknown = targets.clone()
    unknown[3:] = 0 if head.has_classes else torch.nan
    answer = targets.argmax(1) if head.target == "label" else torch.full((6,), -1)
    answer[3:] = -1
    loss = loss_of(head, kind(), logits, unknown, [1.0, 1, 1, 0, 0, 0], answer=answer)
    loss.backward()
    assert loss.item() == pytest.approx(loss_of(head, kind(), logits[:3], targets[:3]).item(), rel=1e-5)
    assert not logits.grad[3:].any()
    assert logits.grad[:3].isfinite().all()
    assert logits.grad[:3].any()


@pytest.mark.parametrize(("head", "kind"), KNOWN_LOSSES)
def test_a_batch_of_which_nothing_is_known(head, kind):
    shape = targets_for(head, 1).shape
    logits = numbers(0, *shape).requires_grad_()
    unknown = torch.full(shape, 0.0 if head.has_classes else torch.nan)
    loss = loss_of(head, kind(), logits, unknown, torch.zeros(6), answer=torch.full((6,), -1))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


@settings(deadline=None)
@given(seeds, st.sampled_from([pair for pair in KNOWN_LOSSES if pair[1] is not OwnAverage]))
def test_the_loss_is_an_average_by_weight(seed, head_and_kind):
    head, kind = head_and_kind
    targets = targets_for(head, seed)
    logits, weights = numbers(seed, *targets.shape), torch.tensor([1.0, 0.25, 0, 0.5, 0.75, 1])
    each = [loss_of(head, kind(), logits[i : i + 1], targets[i : i + 1]).item() for i in range(6)]
    expected = np.average(each, weights=weights)
    assert loss_of(head, kind(), logits, targets, weights).item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_outputs_that_are_not_known_do_not_count():
    nan = torch.nan
    logits, targets = torch.tensor([[1.0, 5.0], [2.0, 2.0]]), torch.tensor([[3.0, nan], [2.0, 1.0]])
    assert loss_of(VALUES, nn.MSELoss(), logits, targets).item() == pytest.approx((4 + 0.5) / 2)
    assert loss_of(VALUES, OwnByOutput(), logits, targets).item() == pytest.approx((4 + 0.5) / 2)
    # Losses that look at whole faces leave out faces that are not wholly known.
    assert loss_of(VALUES, OwnByFace(), logits, targets).item() == pytest.approx(0.5)
    assert loss_of(VALUES, OwnAverage(), logits, targets).item() == pytest.approx(0.5)


def test_mixup_keeps_what_is_not_known():
    nan = torch.nan
    targets = torch.tensor([[1.0, nan], [nan, 2.0], [3.0, 4.0], [nan, nan]])
    weights = torch.tensor([1.0, 1.0, 1.0, 0.0])
    mixed, mixed_weights = mixup(
        [targets, weights], probability=1.0, alpha=1.0, generator=torch.Generator().manual_seed(3)
    )
    logits = torch.zeros(4, 2, requires_grad=True)
    loss = loss_of(VALUES, None, logits, mixed, mixed_weights)
    loss.backward()
    assert loss.isfinite()
    assert not logits.grad[mixed.isnan()].any()


def test_half_precision_is_left_behind():
    targets = targets_for(VALUES, 1) * 300
    logits = numbers(0, 6, 2).mul(300)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss_of(VALUES, nn.MSELoss(), logits.bfloat16(), targets)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(F.mse_loss(logits.bfloat16().float(), targets).item(), rel=1e-6)


# What each loss comes to


def test_torch_losses_give_torchs_own_values():
    def check(head, loss, expected, **options):
        found = loss_of(head, loss, numbers(0, *targets_for(head, 1).shape), targets_for(head, 1), **options)
        assert found.item() == pytest.approx(expected.item(), rel=1e-5)

    def given(head):
        return numbers(0, *targets_for(head, 1).shape), targets_for(head, 1)

    label, votes, several, values = map(given, (LABEL, VOTES, SEVERAL, VALUES))
    answers = label[1].argmax(1)
    weights = torch.arange(1.0, 8)
    check(LABEL, nn.CrossEntropyLoss(weight=weights), nn.CrossEntropyLoss(weights)(*label))
    check(LABEL, nn.CrossEntropyLoss(label_smoothing=0.3), nn.CrossEntropyLoss(label_smoothing=0.3)(*label))
    check(LABEL, nn.CrossEntropyLoss(label_smoothing=0.3), nn.CrossEntropyLoss()(*label), smoothing=False)
    check(LABEL, nn.NLLLoss(), nn.NLLLoss()(label[0].log_softmax(1), answers))
    check(LABEL, nn.MultiMarginLoss(p=2, margin=0.5), nn.MultiMarginLoss(p=2, margin=0.5)(label[0], answers))
    check(VOTES, nn.KLDivLoss(), nn.KLDivLoss(reduction="none")(votes[0].log_softmax(1), votes[1]).sum() / 6)
    check(
        VOTES, nn.KLDivLoss(reduction="batchmean"), F.kl_div(votes[0].log_softmax(1), votes[1], reduction="batchmean")
    )
    positives = torch.tensor([2.0, 1.0, 0.5])
    check(SEVERAL, nn.BCEWithLogitsLoss(pos_weight=positives), nn.BCEWithLogitsLoss(pos_weight=positives)(*several))
    check(SEVERAL, nn.MultiLabelSoftMarginLoss(weight=positives), nn.MultiLabelSoftMarginLoss(positives)(*several))
    check(SEVERAL, nn.SoftMarginLoss(), nn.SoftMarginLoss()(several[0], 2 * several[1] - 1))
    there = torch.full((6, 3), -1)
    for row, face in enumerate(several[1]):
        there[row, : int(face.sum())] = face.nonzero().flatten()
    check(SEVERAL, nn.MultiLabelMarginLoss(), nn.MultiLabelMarginLoss()(several[0], there))
    check(VALUES, nn.MSELoss(), nn.MSELoss()(*values))
    check(VALUES, nn.L1Loss(), nn.L1Loss()(*values))
    check(VALUES, nn.SmoothL1Loss(beta=0.3), nn.SmoothL1Loss(beta=0.3)(*values))
    check(VALUES, nn.HuberLoss(delta=0.2), nn.HuberLoss(delta=0.2)(*values))


@settings(deadline=None)
@given(seeds)
def test_focal_against_its_formula(seed):
    logits, answer = numbers(seed, 1, 7) * 3, seed % 7
    p = torch.softmax(logits.double(), 1)[0, answer].item()
    target = F.one_hot(torch.tensor([answer]), 7).float()
    for gamma in (0.0, 0.5, 2.0):
        expected = -((1 - p) ** gamma) * math.log(p)
        assert loss_of(LABEL, Focal(gamma), logits, target).item() == pytest.approx(expected, rel=1e-3, abs=1e-6)


@settings(deadline=None)
@given(seeds)
def test_focal_with_gamma_zero_is_cross_entropy(seed):
    logits, targets = numbers(seed, 6, 8), targets_for(VOTES, seed + 1)
    plain = loss_of(VOTES, None, logits, targets)
    assert loss_of(VOTES, Focal(gamma=0), logits, targets).item() == pytest.approx(plain.item(), rel=1e-5)


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2])
def test_focal_has_a_slope_where_the_answer_is_certain(gamma):
    logits = torch.tensor([[200.0, 0, 0, 0, 0, 0, 0], [0, 200.0, 0, 0, 0, 0, 0]], requires_grad=True)
    loss_of(LABEL, Focal(gamma), logits, F.one_hot(torch.tensor([0, 0]), 7).float()).backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[1, 0] < 0


@settings(deadline=None)
@given(seeds)
def test_the_divergence_is_the_cross_entropy_less_the_targets_entropy(seed):
    targets = targets_for(VOTES, seed + 1)
    targets[0] = F.one_hot(torch.tensor(3), 8)
    logits = numbers(seed, 6, 8).requires_grad_()
    entropy = torch.special.entr(targets).sum(1).mean().item()
    divergence, plain = loss_of(VOTES, KullbackLeibler(), logits, targets), loss_of(VOTES, None, logits, targets)
    assert divergence.item() == pytest.approx(plain.item() - entropy, abs=1e-5)
    torch_own = loss_of(VOTES, nn.KLDivLoss(), logits, targets)
    assert divergence.item() == pytest.approx(torch_own.item(), abs=1e-6)
    one, other = (torch.autograd.grad(loss, logits)[0] for loss in (divergence, plain))
    assert torch.allclose(one, other, atol=1e-6)
    assert loss_of(VOTES, KullbackLeibler(), (targets + 1e-12).log(), targets).item() == pytest.approx(0, abs=1e-6)


# Class weights


def targets_of(distribution, weight=None):
    weight = torch.ones(len(distribution)) if weight is None else weight
    return Targets(distribution, weight, distribution.argmax(1))


def test_class_weights_by_name_and_in_a_row():
    logits, targets = numbers(0, 6, 7), targets_for(LABEL, 0)
    weights = dict(zip(map(str, SEVEN), (0.5, 1.0, 2.0, 3.0, 0.0, 1.0, 1.0), strict=True))
    each = F.cross_entropy(logits, targets.argmax(1), reduction="none")
    expected = sum(weights[SEVEN[c]] * loss for c, loss in zip(targets.argmax(1), each, strict=True)).item() / 6
    for form in (weights, list(weights.values())):
        assert loss_of(LABEL, CrossEntropy(form), logits, targets).item() == pytest.approx(expected, rel=1e-5)
        focal = loss_of(LABEL, Focal(0, form), logits, targets)
        assert focal.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("as_sums", [False, True])
def test_balanced_weights_give_each_class_an_equal_part(as_sums):
    counts = [40, 30, 20, 5, 4, 1, 0]
    distribution = F.one_hot(torch.tensor([c for c, count in enumerate(counts) for _ in range(count)]), 7).float()
    losses = Losses({"h": LABEL}, {"h": CrossEntropy("balanced")}, 0.0)
    targets = targets_of(distribution)
    parts = [Targets(*(t[i::3] for t in (targets.distribution, targets.weight, targets.answer))) for i in range(3)]
    losses.prepare({"h": sum(p.class_weight_sums() for p in parts) if as_sums else targets}, mixup=0.5)

    def loss(rows):
        logits = torch.zeros(len(rows), 7)  # each face costs log 7 before it is weighed
        return losses({"h": logits}, logits, batch_of(LABEL, distribution[list(rows)]))[0].item() / math.log(7)

    whole = list(range(100))
    assert loss(whole) == pytest.approx(1)
    by_class = [
        loss([row for row in whole if distribution[row, c]]) * count / 100 for c, count in enumerate(counts[:6])
    ]
    assert by_class == pytest.approx([1 / 6] * 6)


def test_balanced_weights_count_faces_by_weight():
    distribution = F.one_hot(torch.tensor([0, 0, 1, 1]), 8).float()
    targets = targets_of(distribution, torch.tensor([1.0, 1.0, 0.5, 0.0]))
    losses = Losses({"h": VOTES}, {"h": Focal(0, "balanced")})
    losses.prepare({"h": targets}, mixup=0)
    logits = torch.zeros(1, 8)
    first, second = (losses({"h": logits}, logits, batch_of(VOTES, distribution[[row]]))[0].item() for row in (0, 2))
    assert second / first == pytest.approx(2 / 0.5)


def test_weights_stay_out_of_checkpoints():
    losses = Losses({"h": LABEL, "v": VALUES}, {"h": CrossEntropy("balanced")})
    losses.prepare({"h": torch.arange(7.0), "v": torch.zeros(2)}, mixup=0)
    assert not losses.state_dict()
    assert not list(losses.parameters())


# Several losses, several heads


def test_several_losses_of_several_heads():
    heads = {"a": HeadConfig(weight=2.0), "b": HeadConfig("values", weight=0.5, columns=("x", "y"))}
    losses = Losses(
        heads, {"a": [WeightedLoss(CrossEntropy(), 0.25), WeightedLoss(Focal(), 3.0)], "b": nn.L1Loss()}, 0.1
    )
    logits = {"a": numbers(0, 6, 7), "b": numbers(1, 6, 2)}
    batch = {
        "a.distribution": targets_for(LABEL, 0),
        "a.weight": ONES,
        "a.answer": targets_for(LABEL, 0).argmax(1),
        "b.distribution": targets_for(VALUES, 3),
        "b.weight": ONES,
        "b.answer": torch.full((6,), -1),
    }
    total, parts = losses(logits, logits["a"], batch)
    smooth = F.cross_entropy(logits["a"], batch["a.answer"], label_smoothing=0.1)
    focal = loss_of(LABEL, Focal(), logits["a"], batch["a.distribution"])
    values = F.l1_loss(logits["b"], batch["b.distribution"])
    assert parts["a"].item() == pytest.approx(2 * (0.25 * smooth + 3 * focal).item(), rel=1e-5)
    assert parts["b"].item() == pytest.approx(0.5 * values.item(), rel=1e-5)
    assert total.item() == pytest.approx((parts["a"] + parts["b"]).item())


def test_smoothing_of_ones_own_goes_before_the_models():
    logits, targets = numbers(0, 6, 7), targets_for(LABEL, 0)

    def expected(smoothing):
        return pytest.approx(F.cross_entropy(logits, targets.argmax(1), label_smoothing=smoothing).item(), rel=1e-5)

    assert loss_of(LABEL, CrossEntropy(), logits, targets, model=0.2).item() == expected(0.2)
    assert loss_of(LABEL, CrossEntropy(label_smoothing=0.0), logits, targets, model=0.2).item() == expected(0)
    assert loss_of(LABEL, CrossEntropy(label_smoothing=0.3), logits, targets, model=0.2).item() == expected(0.3)
    assert loss_of(LABEL, None, logits, targets, model=0.2, smoothing=False).item() == expected(0)


@pytest.mark.parametrize(
    ("head", "kind"), [(LABEL, CrossEntropy), (VALUES, nn.MSELoss), (SEVERAL, nn.BCEWithLogitsLoss)]
)
def test_processes_together_have_the_gradient_of_all_faces(head, kind):
    targets = targets_for(head, 1)
    weights = torch.tensor([1.0, 0.5, 0.0, 0.0, 0.0, 0.75])
    logits = numbers(0, *targets.shape).requires_grad_()
    losses = Losses({"h": head}, {"h": kind()})
    halves = [slice(0, 2), slice(2, 6)]
    mean_weight = sum(weights[half].sum() for half in halves) / 2
    shares = [
        losses(
            {"h": logits[half]},
            logits[half],
            batch_of(head, targets[half], weights[half]),
            world_mean=lambda sums: mean_weight.expand_as(sums),
        )[0]
        for half in halves
    ]
    (together,) = torch.autograd.grad(sum(shares) / 2, logits)
    (alone,) = torch.autograd.grad(loss_of(head, kind(), logits, targets, weights), logits)
    assert torch.allclose(together, alone, atol=1e-7)


# Triplets


def worked_out_triplets(features, classes, margin):
    """Batch-hard triplets by going through all pairs."""
    found = []
    for a, own in enumerate(classes):
        distance = [math.dist(features[a], other) for other in features]
        same = [distance[i] for i, c in enumerate(classes) if c == own and i != a]
        other = [distance[i] for i, c in enumerate(classes) if c not in (own, -1)]
        if own >= 0 and same and other:
            found.append(max(0.0, max(same) - min(other) + margin))
    return sum(found) / len(found) if found else 0.0


def triplet_part(features, classes, margin, distribution=None):
    """What a triplet loss adds to a head's other loss."""
    logits = torch.zeros(len(classes), 7)
    if distribution is None:
        distribution = F.one_hot(classes.clamp(min=0), 7).float()
    losses = Losses(
        {"h": LABEL}, {"h": [WeightedLoss(CrossEntropy(), 0.0), WeightedLoss(nn.TripletMarginLoss(margin))]}
    )
    return losses({"h": logits}, features, batch_of(LABEL, distribution, (classes >= 0).float(), classes))[0]


@settings(deadline=None)
@given(seeds, st.lists(st.integers(-1, 3), min_size=1, max_size=9))
def test_triplets_are_the_hardest_of_the_batch(seed, classes):
    features = numbers(seed, len(classes), 4)
    found = triplet_part(features, torch.tensor(classes), margin=1.5).item()
    assert found == pytest.approx(worked_out_triplets(features.tolist(), classes, 1.5), abs=1e-4)


def test_triplets_pull_and_push_the_features():
    features = torch.tensor([[0.0, 0], [1, 0], [2, 0], [3, 0]], requires_grad=True)
    triplet_part(features, torch.tensor([0, 0, 1, -1]), margin=5.0).backward()
    assert features.grad[2, 0] < 0  # away from the others
    assert features.grad[0, 0] < 0  # the nearest other one counts: away from it
    assert not features.grad[3].any()  # of no known class


def test_blended_faces_are_of_their_class_as_long_as_most_of_them_is():
    features, classes = numbers(0, 4, 3), torch.tensor([0, 0, 1, 1])
    mostly = 0.9 * F.one_hot(classes, 7) + 0.1 * F.one_hot(classes.flip(0), 7)
    barely = 0.4 * F.one_hot(classes, 7) + 0.6 * F.one_hot(classes.flip(0), 7)
    assert triplet_part(features, classes, 1.0, mostly) == triplet_part(features, classes, 1.0)
    assert triplet_part(features, classes, 1.0, barely) == 0


# What does not fit


class NoTensor(nn.Module):
    def forward(self, predictions, targets):
        return 3.0


class OtherShape(nn.Module):
    def forward(self, predictions, targets):
        return (predictions * 2).sum(0)


class Constant(nn.Module):
    def forward(self, predictions, targets):
        return targets.sum()


class Infinite(nn.Module):
    def forward(self, predictions, targets):
        return predictions.sum() / 0


class OneArgument(nn.Module):
    def forward(self, predictions):
        return predictions


class Learns(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, predictions, targets):
        return self.scale * (predictions - targets)


@pytest.mark.parametrize(
    ("head", "loss", "message"),
    [
        (
            LABEL,
            nn.MSELoss(),
            r"torch\.nn\.MSELoss does not fit .*'h', which learns label: it wants any .*Focal",
        ),
        (VALUES, nn.CrossEntropyLoss(), "learns values: it wants a distribution over classes; these fit: torch.nn.MSE"),
        (VALUES, Focal(), "kaoiro.training.losses.Focal does not fit"),
        (VOTES, nn.NLLLoss(), "learns votes: it wants one right class a face"),
        (VOTES, nn.MultiLabelMarginLoss(), "learns votes"),
        (SEVERAL, CrossEntropy(), "learns multilabel: .*BCEWithLogitsLoss"),
        (SEVERAL, nn.TripletMarginLoss(), "learns multilabel: it wants classes"),
        (SEVERAL, nn.BCELoss(), "it wants probabilities, .* so take torch.nn.BCEWithLogitsLoss"),
        (VALUES, nn.GaussianNLLLoss(), "a variance"),
        (LABEL, nn.ReLU(), "it is no loss of predictions and targets"),
        (LABEL, nn.TripletMarginLoss(), "no other loss than torch.nn.TripletMarginLoss, .* put another one beside it"),
        (LABEL, [], "empty list of losses"),
        (LABEL, [WeightedLoss(CrossEntropy(), -1.0)], r"has the weight -1\.0"),
        (VALUES, nn.MSELoss(reduction="sum"), "reduction 'sum'; leave it out"),
        (VOTES, nn.KLDivLoss(log_target=True), "log_target"),
        (LABEL, nn.CrossEntropyLoss(ignore_index=3), "ignore_index 3; leave it out"),
        (LABEL, nn.CrossEntropyLoss(weight=torch.ones(3)), "cannot be used for the head 'h': .*all 7 classes"),
        (LABEL, CrossEntropy([1.0, 2.0]), "2 weights for 7 classes"),
        (LABEL, CrossEntropy({"anger": 1.0}), "'disgust' has none"),
        (LABEL, CrossEntropy(dict.fromkeys(map(str, EIGHT), 1.0)), "'contempt' is not one of them"),
        (LABEL, CrossEntropy([1.0] * 6 + [-1.0]), "at least 0"),
        (LABEL, CrossEntropy([0.0] * 7), "not all 0"),
        (LABEL, CrossEntropy(label_smoothing=1.0), "label_smoothing must be at least 0 and below 1, not 1.0"),
        (LABEL, Focal(gamma=-1), "gamma of the focal loss must be a number of at least 0, not -1"),
        (LABEL, Learns(), "has parameters to learn"),
        (VALUES, NoTensor(), "NoTensor of the head 'h', called .* gave float; it must give one number"),
        (VALUES, OtherShape(), r"gave a tensor of shape \(2,\)"),
        (VALUES, Constant(), "does not depend on the predictions"),
        (VALUES, Infinite(), "not finite"),
        (VALUES, OneArgument(), "OneArgument cannot be used for the head 'h': .*takes 2 positional arguments"),
    ],
)
def test_losses_that_do_not_fit(head, loss, message):
    with pytest.raises(InputError, match=message) as caught:
        Losses({"h": head}, {"h": loss})
    assert "\n" not in str(caught.value)


def test_a_loss_for_a_head_that_is_not_there():
    with pytest.raises(InputError, match="no head 'valence' to have a loss; the heads are expression"):
        Losses({"expression": LABEL}, {"valence": nn.MSELoss()})


@pytest.mark.parametrize(
    ("head", "loss"),
    [(LABEL, nn.NLLLoss()), (LABEL, nn.MultiMarginLoss()), (SEVERAL, nn.SoftMarginLoss())],
)
def test_whole_answers_and_mixup(head, loss):
    losses = Losses({"h": head}, {"h": loss})
    targets = {"h": targets_of(targets_for(head, 0))}
    losses.prepare(targets, mixup=0)
    with pytest.raises(InputError, match=r"needs whole answers, .* set model\.augmentation\.mixup and cutmix to 0"):
        losses.prepare(targets, mixup=0.5)


def test_trying_a_loss_out_draws_no_random_numbers():
    class Draws(nn.Module):
        def forward(self, predictions, targets):
            return predictions.sum() * torch.rand(())

    torch.manual_seed(1)
    Losses({"h": VALUES}, {"h": Draws()})
    after = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(3))
