"""One training step, one validation step, and the optimiser: what Lightning's Trainer runs."""

from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from kaoiro.errors import InputError
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.training.augmentation import Augmentation, mixup
from kaoiro.training.data import Batch
from kaoiro.training.heads import DEFAULT_HEADS, HeadConfig, check_heads
from kaoiro.training.schedules import Schedule, learning_rate_schedule

CHECKPOINT_KEY = "kaoiro"
"""Where a checkpoint keeps what is needed to rebuild its model: network, size, channels, heads, epochs, seed."""

RANDOM_STATE_KEY = "kaoiro_random_state"
"""Where a checkpoint keeps the state of torch's random streams, so that a resumed run goes on in them."""


def _sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)


def soft_cross_entropy(logits_BC: Tensor, target_BC: Tensor, weight_B: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy against distributions, averaged over the faces by weight; zero where all weights are zero.

    Args:
        logits_BC: `(batch, classes)`.
        target_BC: `(batch, classes)`, rows sum to 1 where the weight is not zero.
        weight_B: `(batch,)`, 0 to 1.
        smoothing: share of every target that is spread evenly over the classes.
    """
    smooth_BC = target_BC * (1 - smoothing) + smoothing / target_BC.shape[1]
    loss_B = -(smooth_BC * F.log_softmax(logits_BC.float(), dim=1)).sum(dim=1)
    return (loss_B * weight_B).sum() / weight_B.sum().clamp(min=1e-6)


def parameter_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Split parameters in those with weight decay and those without: norms and biases are not decayed."""
    decayed = [p for p in module.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in module.parameters() if p.requires_grad and p.ndim <= 1]
    return [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise InputError(f"{name} must be at least 0 and below 1, not {share}")


class ExpressionTraining(L.LightningModule):
    """Train a network with one or more heads.

    Args:
        network: the backbone's name; `kaoiro.models.network_names()` lists them.
        heads: what each head is trained on, by the head's name.
        size: side of the input in pixels.
        channels: 1 for grey, 3 for RGB.
        dropout: share of the last features that is dropped in training.
        augmentation: how training faces are varied.
        label_smoothing: share of every target that is spread evenly over the classes.
        optimizer: any `torch.optim` optimiser; its `lr` is the peak of the schedule.
        schedule: how the learning rate moves over the run.
        warmup: share of the run in which the learning rate rises.
        seed: of the initial weights and the augmentation; taken from `seed_everything`.
    """

    def __init__(
        self,
        network: str = "kaoiro-s",
        heads: dict[str, HeadConfig] | None = None,
        size: int = 48,
        channels: int = 1,
        dropout: float = 0.1,
        augmentation: Augmentation | None = None,
        label_smoothing: float = 0.1,
        optimizer: OptimizerCallable = _sgd,
        schedule: Schedule = "one-cycle",
        warmup: float = 0.15,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check_shares(dropout=dropout, label_smoothing=label_smoothing, warmup=warmup)
        if size < 8:
            raise InputError(f"size must be at least 8 pixels, not {size}")
        self.head_configs = dict(DEFAULT_HEADS) if heads is None else heads
        check_heads(self.head_configs)
        self.network = network
        self.size = size
        self.channels = channels
        self.augmentation = augmentation or Augmentation()
        self.label_smoothing = label_smoothing
        self.optimizer = optimizer
        self.schedule: Schedule = schedule
        self.warmup = warmup
        self.seed = seed
        torch.manual_seed(seed)
        self.classifier = ExpressionClassifier(
            create_backbone(network, channels),
            {name: len(head.classes) for name, head in self.head_configs.items()},
            dropout,
        ).to(memory_format=torch.channels_last)
        self.validation_metrics = nn.ModuleDict(
            {
                name: MetricCollection(
                    {
                        "accuracy": MulticlassAccuracy(len(head.classes), average="micro", ignore_index=-1),
                        "balanced_accuracy": MulticlassAccuracy(len(head.classes), average="macro", ignore_index=-1),
                    },
                    prefix=f"validation/{name}/",
                )
                for name, head in self.head_configs.items()
            }
        )
        self.validation_loss = MeanMetric()
        self._random_state: dict[str, Tensor] | None = None

    def forward(self, faces_BCHW: Tensor) -> dict[str, Tensor]:
        """Logits `(batch, classes)` by head, for faces with pixel values 0 to 255."""
        logits: dict[str, Tensor] = self.classifier(faces_BCHW)
        return logits

    def _loss(self, logits: dict[str, Tensor], targets: dict[str, Tensor], smoothing: float) -> Tensor:
        losses = [
            head.weight
            * soft_cross_entropy(logits[name], targets[f"{name}.distribution"], targets[f"{name}.weight"], smoothing)
            for name, head in self.head_configs.items()
        ]
        return torch.stack(losses).sum()

    def _step_generator(self, batch_idx: int) -> torch.Generator:
        # The augmentation of a step depends on nothing but its place in the run.
        place = [self.seed, self.current_epoch, batch_idx, self.global_rank]
        state = int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0])
        return torch.Generator().manual_seed(state % 2**63)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        generator = self._step_generator(batch_idx)
        size = self.augmentation.size_at(self.current_epoch, self.size)
        faces = self.augmentation.vary(batch["faces"], size, generator)
        names = [f"{head}.{part}" for head in self.head_configs for part in ("distribution", "weight")]
        faces, *mixed = mixup(
            [faces, *(batch[name] for name in names)],
            probability=self.augmentation.mixup,
            alpha=self.augmentation.mixup_alpha,
            generator=generator,
        )
        loss = self._loss(self(faces), dict(zip(names, mixed, strict=True)), self.label_smoothing)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=len(faces))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch["faces"])
        self.validation_loss.update(self._loss(logits, batch, smoothing=0.0), weight=len(batch["faces"]))
        for name, metrics in self.validation_metrics.items():
            assert isinstance(metrics, MetricCollection)
            metrics.update(logits[name].float(), batch[f"{name}.answer"])

    def on_validation_epoch_end(self) -> None:
        accuracies = []
        for metrics in self.validation_metrics.values():
            assert isinstance(metrics, MetricCollection)
            values = metrics.compute()
            metrics.reset()
            self.log_dict(values)
            accuracies.append(next(value for name, value in values.items() if name.endswith("/accuracy")))
        self.log("validation/loss", self.validation_loss.compute())
        self.validation_loss.reset()
        self.log("validation/accuracy", torch.stack(accuracies).mean())

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(parameter_groups(self.classifier))
        total_steps = int(self.trainer.estimated_stepping_batches)
        scheduler = learning_rate_schedule(optimizer, self.schedule, total_steps, self.warmup)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _description(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "size": self.size,
            "channels": self.channels,
            "heads": {name: [str(c) for c in head.classes] for name, head in self.head_configs.items()},
            "targets": {name: str(head.target) for name, head in self.head_configs.items()},
            "planned_epochs": self.trainer.max_epochs,
            "seed": self.seed,
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[CHECKPOINT_KEY] = {**self._description(), "epochs": self.current_epoch + 1}
        checkpoint[RANDOM_STATE_KEY] = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            checkpoint[RANDOM_STATE_KEY]["cuda"] = torch.cuda.get_rng_state(self.device)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        before = checkpoint.get(CHECKPOINT_KEY, {})
        for name, value in self._description().items():
            if name in before and before[name] != value:
                raise InputError(
                    f"cannot resume: the run was begun with {name} {before[name]!r}, and now it is {value!r}; "
                    "give the options that it was begun with, or another folder with --run"
                )
        self._random_state = checkpoint.get(RANDOM_STATE_KEY)

    def on_train_start(self) -> None:
        if self._random_state is None:
            return
        # Dropout and the order's seeds come from torch's own random stream. A run that was never stopped makes a new
        # iterator at this point, which draws from that stream too.
        torch.set_rng_state(self._random_state["cpu"])
        if self.device.type == "cuda" and "cuda" in self._random_state:
            torch.cuda.set_rng_state(self._random_state["cuda"], self.device)
        loader = self.trainer.train_dataloader
        assert loader is not None
        iter(loader)
        self._random_state = None
