from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from kaoiro.errors import InputError
from kaoiro.training.augmentation import Augmentation
from kaoiro.training.heads import HeadConfig
from kaoiro.training.module import ExpressionTraining

PLAIN = Augmentation(
    rotation=0, scale=0, shift=0, shear=0, flip=0, brightness=0, contrast=0, erasing=0, mixup=0, size_by_epoch=None
)


@pytest.fixture
def batch():
    faces = torch.randint(0, 256, (6, 1, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return {
        "faces": faces,
        "a.distribution": torch.eye(7)[:6],
        "a.weight": torch.ones(6),
        "a.answer": torch.arange(6),
        "b.distribution": torch.full((6, 8), 1 / 8),
        "b.weight": torch.tensor([1.0, 1, 0, 0, 0, 1]),
        "b.answer": torch.tensor([0, -1, -1, -1, -1, 3]),
    }


@pytest.fixture
def module(monkeypatch):
    """A training module outside a run: its epoch can be set, and what it logs is dropped."""

    def make(epoch=0, rank=0, **options):
        options = {"heads": {"a": HeadConfig(), "b": HeadConfig(target="votes")}, "size": 16, "dropout": 0.0, **options}
        made = ExpressionTraining(**options)
        monkeypatch.setattr(made, "log", lambda *_, **__: None)
        made._trainer = SimpleNamespace(current_epoch=epoch, global_rank=rank, world_size=1)
        return made

    return make


def seen_faces(made, batch, batch_idx, monkeypatch):
    """The pictures that a step shows to the network."""
    seen = []
    handle = made.classifier.normalize.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    made.training_step(batch, batch_idx)
    handle.remove()
    return seen[0]


def test_the_loss_is_the_heads_weighted_sum(module, batch):
    heads = {"a": HeadConfig(weight=2.0), "b": HeadConfig(target="votes", weight=0.5)}
    made = module(heads=heads, augmentation=PLAIN, label_smoothing=0.2)
    loss = made.training_step(batch, 0)
    logits = made(batch["faces"])
    a = F.cross_entropy(logits["a"], batch["a.answer"], label_smoothing=0.2)
    known = batch["b.weight"] > 0
    b = F.cross_entropy(logits["b"][known], batch["b.distribution"][known], label_smoothing=0.2)
    assert loss.item() == pytest.approx((2 * a + 0.5 * b).item(), rel=1e-3)


def test_a_step_depends_on_its_place_in_the_run_only(module, batch, monkeypatch):
    def seen(batch_idx=3, epoch=2, **options):
        torch.rand(17)  # whatever happened before
        return seen_faces(module(epoch=epoch, **options), batch, batch_idx, monkeypatch)

    first = seen()
    assert torch.equal(first, seen())
    for other in ({"batch_idx": 4}, {"epoch": 3}, {"seed": 1}, {"rank": 1}):
        assert not torch.equal(first, seen(**other)), other


def test_what_is_dropped_depends_on_the_place_too(module, batch):
    def loss(batch_idx):
        torch.rand(17)
        return module(dropout=0.5, augmentation=PLAIN).training_step(batch, batch_idx).item()

    assert loss(3) == loss(3)
    assert loss(3) != loss(4)


def test_faces_have_the_size_of_the_epoch(module, batch, monkeypatch):
    augmentation = Augmentation(size_by_epoch={0: 8, 2: 12})
    shapes = [
        seen_faces(module(epoch=epoch, augmentation=augmentation), batch, 0, monkeypatch).shape for epoch in (0, 1, 2)
    ]
    assert [shape[-1] for shape in shapes] == [8, 8, 12]


def test_equal_seeds_give_equal_networks():
    def weights(seed):
        return torch.cat([p.flatten() for p in ExpressionTraining(seed=seed).parameters()])

    first = weights(3)
    torch.rand(5)
    assert torch.equal(first, weights(3))
    assert not torch.equal(first, weights(4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "resnet9000"}, "no network 'resnet9000'"),
        ({"heads": {}}, "no heads"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, not 1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing must be"),
        ({"warmup": 2.0}, "warmup must be"),
        ({"size": 0}, "size must be at least 8 pixels, not 0"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        ExpressionTraining(**options)
