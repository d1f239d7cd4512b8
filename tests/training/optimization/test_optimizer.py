"""Schedules over real runs: the learning rates that the optimiser saw against closed forms."""

import functools
import math

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

from kaoiro.errors import InputError
from kaoiro.training.optimization.optimizer import build_optimizer
from kaoiro.training.optimization.parameter_groups import parameter_groups
from kaoiro.training.optimization.run_length import RunLength, run_length
from kaoiro.training.optimization.schedules import ReduceLROnPlateau
from kaoiro.training.optimization.warmup import Warmup
from kaoiro.training.run.quiet import quiet_engine

EPOCHS, BATCHES = 3, 7
RATES = {"backbone/weights": 0.1, "heads/weights": 1.0}
PEAK = 0.2
LOSSES = [1.0, 2.0, 3.0]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(2, 2, bias=False)
        self.heads = nn.Linear(2, 1, bias=False)


class Training(L.LightningModule):
    """What a training module does with an `Optimization`; it notes the rates and the momentum of every step."""

    def __init__(self, schedule="constant", warmup=None, optimizer=None, logged=None):
        super().__init__()
        self.classifier = Classifier()
        self.schedule = schedule
        self.warmup = warmup or Warmup(share=0.0)
        self.make_optimizer = optimizer or functools.partial(torch.optim.SGD, lr=PEAK, momentum=0.9)
        self.logged = logged
        self.seen = []

    def configure_optimizers(self):
        self.optimization = build_optimizer(
            parameter_groups(self.classifier, backbone_rate=0.1),
            self.make_optimizer,
            self.schedule,
            run_length(self.trainer),
            self.warmup,
            logged=self.logged,
        )
        return self.optimization.for_lightning()

    def optimizer_step(self, *arguments, **options):
        step = self.trainer.global_step
        told = self.optimization.learning_rates(step)
        with self.optimization.warmed_up(step):
            groups = self.optimization.optimizer.param_groups
            assert told == {group["name"]: group["lr"] for group in groups}
            self.seen.append([told[name] for name in RATES] + [groups[0].get("momentum")])
            super().optimizer_step(*arguments, **options)

    def lr_scheduler_step(self, scheduler, metric):
        self.optimization.step_scheduler()

    def on_train_epoch_start(self):
        self.validated = False

    def on_validation_epoch_end(self):
        self.validated = True

    def on_train_epoch_end(self):
        self.optimization.epoch_ended(self.trainer, validated=self.validated)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        loss = self.classifier.heads(self.classifier.backbone(x)).square().mean()
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("validation/loss", LOSSES[self.current_epoch])
        self.log("validation/accuracy", 1 / LOSSES[self.current_epoch])


def fit(module, folder=None, ckpt_path=None, accumulate=1, epochs=EPOCHS, every_n_train_steps=None, **options):
    data = DataLoader(TensorDataset(torch.ones(BATCHES, 2)), batch_size=1)
    saving = ModelCheckpoint(
        dirpath=folder,
        filename="{epoch}-{step}",
        save_top_k=-1,
        every_n_train_steps=every_n_train_steps,
        save_on_train_epoch_end=every_n_train_steps is None,
    )
    with quiet_engine():
        trainer = L.Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            accumulate_grad_batches=accumulate,
            callbacks=[saving] if folder else [],
            enable_checkpointing=bool(folder),
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **options,
        )
        trainer.fit(module, data, data, ckpt_path=ckpt_path, weights_only=True)
    return module


def triangle(step):
    """From 0.1 to 0.5 and back over 6 steps."""
    return 0.1 + 0.4 * (step % 6 / 3 if step % 6 <= 3 else (6 - step % 6) / 3)


def one_cycle(step, total):
    """From 0.05 up to 0.5 in the first half, down to 0.005 in the second, both along half a cosine."""
    top = total / 2 - 1
    if step <= top:
        return 0.5 - 0.45 * (1 + math.cos(math.pi * step / top)) / 2
    return 0.005 + 0.495 * (1 + math.cos(math.pi * (step - top) / (total - 1 - top))) / 2


class OwnPerStep(lr_scheduler.LRScheduler):
    """The rate divided by the number of the step."""

    interval = "step"

    def get_lr(self):
        return [base / (self.last_epoch + 1) for base in self.base_lrs]


def halved(epoch):
    return 0.5**epoch


# Each with the learning rate of the heads as a function of (epoch, step, total steps).
SCHEDULES = {
    "constant": ("constant", lambda e, s, n: PEAK),
    "cosine": ("cosine", lambda e, s, n: PEAK * (1 + math.cos(math.pi * s / n)) / 2),
    "one-cycle": ("one-cycle", lambda e, s, n: PEAK * (1 + math.cos(math.pi * s / n)) / 2),
    "StepLR": (functools.partial(lr_scheduler.StepLR, step_size=2, gamma=0.5), lambda e, s, n: PEAK * 0.5 ** (e // 2)),
    "MultiStepLR": (
        functools.partial(lr_scheduler.MultiStepLR, milestones=[1, 2], gamma=0.1),
        lambda e, s, n: PEAK * 0.1**e,
    ),
    "ExponentialLR": (functools.partial(lr_scheduler.ExponentialLR, gamma=0.9), lambda e, s, n: PEAK * 0.9**e),
    "CosineAnnealingLR": (
        functools.partial(lr_scheduler.CosineAnnealingLR, T_max=EPOCHS),
        lambda e, s, n: PEAK * (1 + math.cos(math.pi * e / EPOCHS)) / 2,
    ),
    "CosineAnnealingWarmRestarts": (
        functools.partial(lr_scheduler.CosineAnnealingWarmRestarts, T_0=2),
        lambda e, s, n: PEAK * (1 + math.cos(math.pi * (e % 2) / 2)) / 2,
    ),
    "LinearLR": (
        functools.partial(lr_scheduler.LinearLR, start_factor=0.25, total_iters=2),
        lambda e, s, n: PEAK * (0.25 + 0.75 * min(e, 2) / 2),
    ),
    "PolynomialLR": (
        functools.partial(lr_scheduler.PolynomialLR, total_iters=EPOCHS, power=2),
        lambda e, s, n: PEAK * (1 - e / EPOCHS) ** 2,
    ),
    "LambdaLR": (functools.partial(lr_scheduler.LambdaLR, lr_lambda=halved), lambda e, s, n: PEAK * 0.5**e),
    # The loss is best after the first epoch; the second has no improvement, which the third feels.
    "ReduceLROnPlateau": (
        functools.partial(lr_scheduler.ReduceLROnPlateau, factor=0.5, patience=0),
        lambda e, s, n: PEAK * [1, 1, 0.5][e],
    ),
    "ReduceLROnPlateau of an accuracy": (
        functools.partial(ReduceLROnPlateau, monitor="validation/accuracy", factor=0.5, patience=0),
        lambda e, s, n: PEAK * [1, 1, 0.5][e],
    ),
    "CyclicLR": (
        functools.partial(lr_scheduler.CyclicLR, base_lr=0.1, max_lr=0.5, step_size_up=3),
        lambda e, s, n: triangle(s),
    ),
    "OneCycleLR": (
        functools.partial(lr_scheduler.OneCycleLR, max_lr=0.5, pct_start=0.5, div_factor=10, final_div_factor=10),
        lambda e, s, n: one_cycle(s, n),
    ),
    "a scheduler of one's own": (OwnPerStep, lambda e, s, n: PEAK / (s + 1)),
}
EACH = pytest.mark.parametrize("name", SCHEDULES)


@pytest.mark.parametrize(
    ("name", "accumulate"), [*((name, 3) for name in SCHEDULES), ("StepLR", 1), ("CyclicLR", 1), ("OneCycleLR", 1)]
)
def test_the_rates_of_a_run(name, accumulate):
    schedule, expected = SCHEDULES[name]
    module = fit(Training(schedule), accumulate=accumulate)
    steps = math.ceil(BATCHES / accumulate)
    total = EPOCHS * steps
    heads = [expected(step // steps, step, total) for step in range(total)]
    assert [seen[1] for seen in module.seen] == pytest.approx(heads)
    assert [seen[0] for seen in module.seen] == pytest.approx([0.1 * rate for rate in heads])


@EACH
def test_the_rates_behind_a_warm_up(name):
    schedule, expected = SCHEDULES[name]
    module = fit(Training(schedule, Warmup(steps=3)), accumulate=3, epochs=2)
    rates = [seen[1] for seen in module.seen]
    assert len(rates) == 6
    if isinstance(schedule, str):
        # The words have a rise of their own, which takes the place of a part of the run.
        assert rates[3] == pytest.approx(PEAK)
        assert rates[:3] == pytest.approx(
            [PEAK * f for f in ((0.04, 0.28, 0.76) if name == "one-cycle" else (0.25, 0.5, 0.75))]
        )
    elif name != "CosineAnnealingLR":
        factors = [0.25, 0.5, 0.75, 1, 1, 1]
        assert rates == pytest.approx([f * expected(step // 3, step, 6) for step, f in enumerate(factors)])


@EACH
@pytest.mark.parametrize("every_n_train_steps", [None, 4])
@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended")
def test_a_resumed_run_goes_on_where_it_was(name, every_n_train_steps, tmp_path):
    schedule, _ = SCHEDULES[name]

    def run(ckpt_path=None):
        return fit(Training(schedule, Warmup(steps=9)), tmp_path, ckpt_path, every_n_train_steps=every_n_train_steps)

    whole = run().seen
    path = sorted(tmp_path.iterdir())[1]
    done = torch.load(path, weights_only=True)["global_step"]
    # At an epoch's end, or in the middle of one.
    assert done == (14 if every_n_train_steps is None else 12)
    assert run(path).seen == whole[done:]


def test_the_released_recipe_keeps_its_rates():
    # As in recipes/kaoiro-s.yaml: 64 epochs of 224 steps, a rise over 0.15 of them.
    length = RunLength(64 * 224, 64, 224)
    optimizer = functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    for warmup in (Warmup(share=0.15), Warmup()):
        made = build_optimizer(parameter_groups(Classifier()), optimizer, "one-cycle", length, warmup)
        assert made.warmup_steps == 0
        (factor, _) = made.scheduler.lr_lambdas
        rise = 0.15 * 14336
        for step in (0, 1, 1000, 2150):
            assert factor(step) == pytest.approx(0.04 + 0.96 * (1 - math.cos(math.pi * step / rise)) / 2, rel=1e-12)
        for step in (2151, 9000, 14335):
            assert factor(step) == pytest.approx((1 + math.cos(math.pi * (step - rise) / (14336 - rise))) / 2, rel=1e-9)
        assert [group.get("weight_decay") for group in made.optimizer.param_groups] == [5e-4, 0.0]


def test_a_plateau_counts_the_epochs_that_were_validated():
    schedule = functools.partial(ReduceLROnPlateau, factor=0.5, patience=0)
    module = fit(Training(schedule), check_val_every_n_epoch=2)
    assert module.optimization.scheduler.last_epoch == 1
    on_training = fit(Training(functools.partial(schedule, monitor="train/loss")), check_val_every_n_epoch=2)
    assert on_training.optimization.scheduler.last_epoch == 3


@pytest.mark.parametrize("logged", [None, {"train/loss", "validation/loss"}])
def test_a_plateau_of_what_nobody_logs(logged):
    module = Training(functools.partial(ReduceLROnPlateau, monitor="validation/los"), logged=logged)
    with pytest.raises(InputError, match=r"ReduceLROnPlateau: nothing is logged as 'validation/los'; there are train"):
        fit(module)
    # Where it is known what will be logged, not one step is made.
    assert len(module.seen) == (0 if logged else BATCHES)


def test_a_run_without_an_end():
    length = RunLength(None, None, None)
    groups = parameter_groups(Classifier())
    sgd = functools.partial(torch.optim.SGD, lr=0.1)
    assert build_optimizer(groups, sgd, "constant", length, Warmup(steps=5)).scheduler is not None
    step = functools.partial(lr_scheduler.StepLR, step_size=10)
    assert build_optimizer(groups, sgd, step, length, Warmup()).interval == "epoch"
    with pytest.raises(InputError, match="needs its length"):
        build_optimizer(groups, sgd, "cosine", length, Warmup())


def test_the_length_of_a_run():
    def measured(**options):
        module = Training()
        fit(module, **options)
        return run_length(module.trainer)

    assert measured() == RunLength(21, 3, 7)
    assert measured(accumulate=3) == RunLength(9, 3, 3)
    assert measured(max_steps=5) == RunLength(5, 3, 7)
    assert measured(epochs=-1, max_steps=5).total_steps == 5


class Lion(torch.optim.Optimizer):
    """The signs of a running mean of gradients as steps."""

    def __init__(self, params, lr=1e-4, beta=0.9, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "beta": beta, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                mean = self.state[parameter].setdefault("mean", torch.zeros_like(parameter))
                mean.lerp_(parameter.grad, 1 - group["beta"])
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(mean.sign(), alpha=-group["lr"])
        return loss


@pytest.mark.parametrize(
    "optimizer",
    [
        *(torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adagrad, torch.optim.Adadelta, torch.optim.Adafactor),
        *(torch.optim.Adam, torch.optim.AdamW, torch.optim.NAdam, torch.optim.RAdam, torch.optim.Adamax),
        *(torch.optim.ASGD, torch.optim.Rprop, torch.optim.Muon, Lion),
    ],
)
def test_optimizers_learn(optimizer):
    torch.manual_seed(0)
    module = Training(
        functools.partial(lr_scheduler.StepLR, step_size=2), optimizer=functools.partial(optimizer, lr=0.01)
    )
    before = [parameter.clone() for parameter in module.parameters()]
    fit(module, epochs=1)
    assert len(module.seen) == BATCHES
    for one, other in zip(before, module.parameters(), strict=True):
        assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (functools.partial(torch.optim.LBFGS), "LBFGS cannot be used: it needs the loss of the whole corpus"),
        (functools.partial(torch.optim.SparseAdam), "SparseAdam cannot be used: it needs sparse gradients"),
        (functools.partial(torch.optim.SGD, nesterov=True), "SGD cannot be used: Nesterov momentum requires"),
        (functools.partial(torch.optim.Adam, lr=-1.0), "Adam cannot be used: Invalid learning rate: -1"),
        (functools.partial(torch.optim.Adam, lr=math.nan), "Adam has no learning rate|Adam cannot be used"),
        (functools.partial(torch.optim.Muon, lr=0.1), "Muon cannot be used: Muon only supports 2D parameters"),
    ],
)
def test_optimizers_that_cannot_be_used(optimizer, message):
    module = Training(optimizer=optimizer)
    if optimizer.func is torch.optim.Muon:
        module.classifier.heads = nn.Conv2d(1, 1, 3)
    with pytest.raises(InputError, match=message):
        fit(module)
    assert module.seen == []


def test_a_schedule_that_breaks_in_the_middle_is_refused_before_the_first_step():
    module = Training(functools.partial(lr_scheduler.StepLR, step_size=0))
    with pytest.raises(InputError, match=r"StepLR fails at its step 1: .*zero"):
        fit(module)
    assert module.seen == []
