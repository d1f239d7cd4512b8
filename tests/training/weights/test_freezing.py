from types import SimpleNamespace

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

from kaoiro.errors import InputError
from kaoiro.models import ExpressionClassifier
from kaoiro.training.weights.averaging import GrowingAverage
from kaoiro.training.weights.freezing import Freezing

FACES, BATCH, EPOCHS = 24, 8, 4


class SmallBackbone(nn.Module):
    num_features = 6

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU())

    def forward(self, x_BCHW):
        return self.second(self.first(x_BCHW)).mean((2, 3))


class SmallTraining(L.LightningModule):
    def __init__(self, make_optimizer):
        super().__init__()
        torch.manual_seed(0)
        self.classifier = ExpressionClassifier(SmallBackbone(), {"expression": 3})
        self.make_optimizer = make_optimizer
        self.rates = []

    def training_step(self, batch, batch_idx):
        faces, labels = batch
        return nn.functional.cross_entropy(self.classifier(faces)["expression"], labels)

    def validation_step(self, batch, batch_idx):
        self.log("validation/loss", self.training_step(batch, batch_idx))

    def configure_optimizers(self):
        optimizer = self.make_optimizer([p for p in self.parameters() if p.requires_grad])
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)]


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=0.02, weight_decay=0.1)


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01)


class Snapshots(L.Callback):
    """The classifier's state before the first step and after each epoch."""

    def __init__(self):
        self.states = []

    def keep(self, module):
        self.states.append({name: value.clone() for name, value in module.classifier.state_dict().items()})

    def on_train_start(self, trainer, pl_module):
        self.keep(pl_module)

    def on_train_epoch_end(self, trainer, pl_module):
        self.keep(pl_module)


def faces():
    generator = torch.Generator().manual_seed(3)
    pictures = torch.randint(0, 256, (FACES, 1, 12, 12), generator=generator, dtype=torch.uint8)
    return torch.utils.data.TensorDataset(pictures, torch.arange(FACES) % 3)


def fit(folder, freezing, *more, optimizer=momentum, epochs=EPOCHS, resume=None, **settings):
    """Train a little and say what the classifier was like before and after each epoch."""
    module, snapshots = SmallTraining(optimizer), Snapshots()
    loader = torch.utils.data.DataLoader(faces(), BATCH)
    trainer = L.Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        max_epochs=epochs,
        callbacks=[freezing, snapshots, *more],
        logger=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in more),
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    trainer.fit(module, loader, loader, ckpt_path=resume, weights_only=None if resume is None else True)
    return module, snapshots.states


pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'train_dataloader' does not have many workers",
    "ignore:The 'val_dataloader' does not have many workers",
    "ignore:The number of training batches",
    "ignore:Checkpoint directory",
    "ignore:`isinstance.treespec, LeafSpec.`",
)


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name]) and "tracked" not in name}


ALL = {
    *(f"backbone.{part}.0.{kind}" for part in ("first", "second") for kind in ("weight", "bias")),
    *(
        f"backbone.{part}.1.{kind}"
        for part in ("first", "second")
        for kind in ("weight", "bias", "running_mean", "running_var")
    ),
    "heads.expression.weight",
    "heads.expression.bias",
}
FIRST = {name for name in ALL if name.startswith("backbone.first")}


@pytest.mark.parametrize(
    ("patterns", "learning"),
    [
        ([], ALL),
        (["backbone"], {"heads.expression.weight", "heads.expression.bias"}),
        (["backbone.first.*"], ALL - FIRST),
        (["*.bias"], {name for name in ALL if not name.endswith(".bias")}),
        (["backbone.first", "heads.*.bias"], ALL - FIRST - {"heads.expression.bias"}),
    ],
    ids=["nothing", "module", "pattern", "end of the name", "two"],
)
def test_what_is_frozen_stays(tmp_path, patterns, learning):
    # AdamW would decay even what has a gradient of zero.
    _, states = fit(tmp_path, Freezing(patterns), optimizer=adamw, epochs=2)
    assert changed(states[0], states[1]) == learning
    assert changed(states[0], states[2]) == learning


@pytest.mark.parametrize("optimizer", [momentum, adamw])
def test_thawing_step_by_step(tmp_path, optimizer):
    freezing = Freezing(["backbone"], {1: ["backbone.second"], 3: ["*"]})
    module, states = fit(tmp_path, freezing, optimizer=optimizer)
    heads = {"heads.expression.weight", "heads.expression.bias"}
    assert changed(states[0], states[1]) == heads
    assert changed(states[1], states[2]) == ALL - FIRST
    assert changed(states[2], states[3]) == ALL - FIRST
    assert changed(states[3], states[4]) == ALL
    assert all(child.training for child in module.modules())


def test_thawed_parameters_follow_the_schedule_and_have_no_momentum_yet(tmp_path):
    # One batch an epoch and no momentum of old: the step is the gradient times the rate of that epoch.
    class Gradients(L.Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            self.rate = optimizer.param_groups[0]["lr"]
            self.gradient = pl_module.classifier.backbone.first[0].weight.grad
            self.weight = pl_module.classifier.backbone.first[0].weight.detach().clone()

    gradients = Gradients()
    module, states = fit(
        tmp_path,
        Freezing(["backbone.first"], {2: ["*"]}),
        gradients,
        epochs=3,
        limit_train_batches=1,
        optimizer=momentum,
    )
    assert gradients.rate == pytest.approx(0.1 * 0.5**2)
    step = gradients.rate * (gradients.gradient + 0.01 * gradients.weight)
    assert torch.allclose(states[3]["backbone.first.0.weight"], states[2]["backbone.first.0.weight"] - step, atol=1e-7)
    assert torch.equal(module.classifier.backbone.first[0].weight, states[3]["backbone.first.0.weight"])


def test_statistics_alone(tmp_path):
    _, states = fit(tmp_path, Freezing(freeze_statistics=True), epochs=2)
    assert changed(states[0], states[2]) == {name for name in ALL if "running" not in name}


def test_what_never_thaws_is_not_in_the_optimiser(tmp_path):
    module, _ = fit(tmp_path, Freezing(["backbone"], {1: ["backbone.second"]}), epochs=2)
    (group,) = module.optimizers(use_pl_optimizer=False).param_groups
    held = {id(parameter) for parameter in group["params"]}
    inside = {name for name, parameter in module.classifier.named_parameters() if id(parameter) in held}
    assert inside == {name for name in ALL if "running" not in name} - FIRST


@pytest.mark.parametrize(("done", "averaging"), [(1, False), (2, True), (3, True)])
def test_a_resumed_run_is_the_same(tmp_path, done, averaging):
    def parts(folder):
        average = [GrowingAverage(0.5)] if averaging else []
        keep = ModelCheckpoint(folder, "last", enable_version_counter=False, save_on_train_epoch_end=True)
        return Freezing(["backbone"], {2: ["*"]}), *average, keep

    class Stop(L.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == done:
                raise RuntimeError("the power failed")

    whole, _ = fit(tmp_path, *parts(tmp_path / "whole"), optimizer=adamw)
    with pytest.raises(RuntimeError, match="the power failed"):
        fit(tmp_path, *parts(tmp_path / "parts"), Stop(), optimizer=adamw)
    last = tmp_path / "parts" / "last.ckpt"
    resumed, _ = fit(tmp_path, *parts(tmp_path / "parts"), optimizer=adamw, resume=last)
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_resuming_with_other_patterns(tmp_path):
    keep = ModelCheckpoint(tmp_path, "last", enable_version_counter=False)
    fit(tmp_path, Freezing(["backbone"]), keep, epochs=1)
    with pytest.raises(InputError, match=r"cannot resume: the run was begun with freeze \['backbone'\], and now it is"):
        fit(tmp_path, Freezing(["backbone.first"]), keep, epochs=2, resume=tmp_path / "last.ckpt")


def test_averages_of_what_is_frozen_are_exact(tmp_path):
    module, states = fit(tmp_path, Freezing(["backbone"]), GrowingAverage(0.9), epochs=2)
    after = module.classifier.state_dict()  # the averages, put in place at the end
    assert changed(states[0], after) == {"heads.expression.weight", "heads.expression.bias"}


def test_dropped_gradients_where_other_processes_wait_for_them():
    # What DDP needs: gradients are computed and dropped before they are clipped and used.
    module, freezing = SmallTraining(momentum), Freezing(["backbone"], {1: ["*"]})
    freezing.on_train_start(SimpleNamespace(current_epoch=0, world_size=2), module)
    pictures, labels = faces()[:]
    module.training_step((pictures, labels), 0).backward()
    assert all(parameter.grad is not None for parameter in module.classifier.parameters())
    freezing.on_before_optimizer_step(None, module, None)
    left = {name for name, parameter in module.classifier.named_parameters() if parameter.grad is not None}
    assert left == {"heads.expression.weight", "heads.expression.bias"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"freeze": ["bakbone.*"]},
            "no parameter matches 'bakbone.*'; names are, for example, backbone.first.0.weight,",
        ),
        ({"freeze": ["backbone"], "unfreeze": {2: ["heads"]}}, "'heads' matches nothing that is frozen before epoch 2"),
        (
            {"freeze": ["backbone"], "unfreeze": {1: ["*"], 2: ["*"]}},
            r"'\*' matches nothing that is frozen before epoch 2",
        ),
        ({"freeze": ["backbone"], "unfreeze": {4: ["*"]}}, "epoch 4 never comes in a run of 4 epochs, counted from 0"),
        ({"freeze": ["*"]}, "everything is frozen, so nothing would learn"),
        ({"freeze": ["backbone"], "unfreeze": {0: ["*"]}}, "the first that can thaw something is 1, not 0"),
        ({"unfreeze": {2: ["*"]}}, "unfreeze needs freeze"),
    ],
)
def test_what_makes_no_sense(options, message):
    with pytest.raises(InputError, match=message) as caught:
        Freezing(**options).check(SmallTraining(momentum).classifier, EPOCHS)
    assert "\n" not in str(caught.value)


def test_names_of_a_compiled_model():
    # torch.compile puts its own word into the names.
    assert Freezing(["backbone.first"]).is_frozen("_orig_mod.backbone._orig_mod.first.0.weight", 0)


def test_the_summary():
    classifier = SmallTraining(momentum).classifier
    assert Freezing().summary(classifier) == ""
    text = Freezing(["backbone"], {2: ["backbone.second", "*.bias"]}, freeze_statistics=True).summary(classifier)
    assert text == (
        "0.00 M of 0.00 M parameters frozen; backbone.second, *.bias from epoch 2 on learning; batch statistics frozen"
    )
