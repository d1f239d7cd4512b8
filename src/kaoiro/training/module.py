"""One training step, one validation step, and the optimiser: what Lightning's Trainer runs."""

from collections.abc import Mapping
from typing import Any, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection

from kaoiro.errors import InputError
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.models.classifier import Normalization
from kaoiro.models.faults import reported_faults
from kaoiro.training.augmentation import Augmentation
from kaoiro.training.heads import DEFAULT_HEADS, HeadConfig, check_heads
from kaoiro.training.loading.batches import Batch
from kaoiro.training.losses import Loss, Losses, WeightedLoss
from kaoiro.training.metrics import head_metrics, metric_arguments, score_names
from kaoiro.training.optimization.factories import spelled
from kaoiro.training.optimization.optimizer import Optimization, build_optimizer
from kaoiro.training.optimization.parameter_groups import check_group_options, parameter_groups
from kaoiro.training.optimization.run_length import run_length
from kaoiro.training.optimization.schedules import Schedule
from kaoiro.training.optimization.warmup import Warmup
from kaoiro.training.run.history import LEARNING_RATE, STEP_LOSS
from kaoiro.training.teachers import TeacherConfig, Teachers
from kaoiro.training.weights.averaging import GrowingAverage
from kaoiro.training.weights.checkpoint import CHECKPOINT_KEY

STEPS_KEY = "kaoiro_training_loss"
"""Where a checkpoint keeps the epoch's sum of losses so far, so that a run resumed inside an epoch reports it whole."""


def _sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise InputError(f"{name} must be at least 0 and below 1, not {share}")


class ExpressionTraining(L.LightningModule):
    """Train a network with one or more heads.

    Args:
        network: the backbone: a name that `kaoiro models` lists, `timm:<name>`, or the import path of an own
            `torch.nn.Module`, for example `my_faces.MyNet`.
        network_options: keyword arguments for the network, for example `{pretrained: weights.safetensors}` for timm.
        heads: what each head is trained on, by the head's name.
        losses: the loss of each head, or several with weights, by the head's name; by default cross-entropy for `label`
            and `votes`, binary cross-entropy for `multilabel`, smooth L1 for `values`.
        size: side of the input in pixels.
        channels: 1 for grey, 3 for RGB.
        normalization: how pixels are scaled: each face by its own mean and deviation, or by those of ImageNet.
        dropout: share of the last features that is dropped in training.
        augmentation: how training faces are varied.
        teachers: trained networks that read the varied faces too, and whose answers are learnt.
        label_smoothing: share of every target that is spread evenly over the classes, in the default losses.
        optimizer: any `torch.optim` optimiser; its `lr` is the peak of a schedule given by a word, and the start of one
            given by a class.
        schedule: how the learning rate moves over the run: `one-cycle`, `cosine` or `constant`, or any
            `torch.optim.lr_scheduler` class.
        warmup: share of the run in which the learning rate rises; 0.15 for the three words where nothing is given.
        warmup_epochs: the same in epochs.
        warmup_steps: the same in optimiser steps.
        backbone_rate: factor on the learning rate of all but the heads.
        layer_decay: factor on the learning rate from each layer of the backbone to the one below it.
        decay_norms_and_biases: let weight decay act on norms and biases too.
        channels_last: keep pictures and convolutions in the channels-last layout, which CPUs and tensor cores prefer.
        compile_network: run the backbone through `torch.compile`.
        seed: of the initial weights and the augmentation; taken from `seed_everything`.
    """

    def __init__(
        self,
        network: str = "kaoiro-s",
        network_options: dict[str, Any] | None = None,
        heads: dict[str, HeadConfig] | None = None,
        losses: dict[str, Loss | list[WeightedLoss]] | None = None,
        size: int = 48,
        channels: int = 1,
        normalization: Normalization = "per-face",
        dropout: float = 0.1,
        augmentation: Augmentation | None = None,
        teachers: TeacherConfig | None = None,
        label_smoothing: float = 0.1,
        optimizer: OptimizerCallable = _sgd,
        schedule: Schedule = "one-cycle",
        warmup: float | None = None,
        warmup_epochs: float | None = None,
        warmup_steps: int | None = None,
        backbone_rate: float = 1.0,
        layer_decay: float = 1.0,
        decay_norms_and_biases: bool = False,
        channels_last: bool = True,
        compile_network: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check_shares(dropout=dropout, label_smoothing=label_smoothing)
        check_group_options(backbone_rate, layer_decay)
        if size < 8:
            raise InputError(f"size must be at least 8 pixels, not {size}")
        self.head_configs = dict(DEFAULT_HEADS) if heads is None else heads
        check_heads(self.head_configs)
        self.network = network
        self.network_options = dict(network_options or {})
        self.size = size
        self.channels = channels
        self.normalization: Normalization = normalization
        self.augmentation = augmentation or Augmentation()
        self.augmentation.check(channels)
        self.optimizer = optimizer
        self.schedule = schedule
        self.warmup = Warmup(warmup, warmup_epochs, warmup_steps)
        self.backbone_rate = backbone_rate
        self.layer_decay = layer_decay
        self.decay_norms_and_biases = decay_norms_and_biases
        self.optimization: Optimization | None = None
        self.seed = seed
        torch.manual_seed(seed)
        self.classifier = ExpressionClassifier(
            create_backbone(network, channels, self.network_options, size),
            {name: len(head.outputs) for name, head in self.head_configs.items()},
            dropout,
            normalization,
        )
        self.classifier.keep_memory_format(torch.channels_last if channels_last else torch.contiguous_format)
        if compile_network:
            self.classifier.backbone.compile()
        self.losses = Losses(self.head_configs, losses or {}, label_smoothing)
        self.teachers = Teachers(teachers, self.head_configs, channels) if teachers else None
        self.validation_metrics = nn.ModuleDict(
            {name: head_metrics(head, prefix=f"validation/{name}/") for name, head in self.head_configs.items()}
        )
        self.validation_losses = nn.ModuleDict({name: MeanMetric(nan_strategy="disable") for name in self.head_configs})
        self.validated = False
        """Whether this epoch has had a validation."""
        self.learning_rate = float("nan")
        """The highest learning rate of the last optimiser step, warm-up included."""
        self._loss_sum = torch.zeros(())
        self._loss_steps = 0
        self._carried_steps = 0

    def prepare_losses(self, class_weight_sums: Mapping[str, Tensor]) -> None:
        """Tell the losses how often each class comes among the training faces, for balanced weights.

        Args:
            class_weight_sums: by head, `(outputs,)`; `FaceData` has them after its set-up.

        Raises:
            InputError: faces are blended, and a loss needs whole answers.
        """
        self.losses.prepare(class_weight_sums, max(self.augmentation.mixup, self.augmentation.cutmix))

    def try_out(self) -> None:
        """Run the network on two blank faces of each size that training has, for what it has to say about it.

        Raises:
            InputError: the network cannot read faces of such a size.
        """
        was_training = self.classifier.training
        for size in {self.size, *(self.augmentation.size_by_epoch or {}).values()}:
            blank_BCHW = torch.zeros(2, self.channels, size, size, dtype=torch.uint8)
            with (
                torch.no_grad(),
                reported_faults(f"the network {self.network!r} cannot read pictures of {size}×{size}"),
            ):
                self.classifier.eval()(blank_BCHW)
        self.classifier.train(was_training)

    def forward(self, faces_BCHW: Tensor) -> dict[str, Tensor]:
        """Logits `(batch, outputs)` by head, for faces with pixel values 0 to 255."""
        logits: dict[str, Tensor] = self.classifier(faces_BCHW)
        return logits

    def _world_mean(self, value: Tensor) -> Tensor:
        if self.trainer.world_size == 1:
            return value
        return cast(Tensor, self.trainer.strategy.reduce(value, reduce_op="mean"))

    def _step_seed(self, batch_idx: int) -> int:
        # What is random in a step depends on nothing but its place in the run, so that a resumed run goes on exactly.
        place = [self.seed, self.current_epoch, batch_idx, self.global_rank]
        return int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0]) % 2**63

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        seed = self._step_seed(batch_idx)
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        size = self.augmentation.size_at(self.current_epoch, self.size)
        names = [f"{head}.{part}" for head in self.head_configs for part in ("distribution", "weight")]
        reads_clear = self.teachers is not None and self.teachers.read_clear_pictures
        if reads_clear:
            # As channels of one picture both are mixed alike.
            pictures = torch.cat(self.augmentation.vary_twice(batch["faces"], size, generator), 1)
        else:
            pictures = self.augmentation.vary(batch["faces"], size, generator)
        pictures, *mixed = self.augmentation.mix([pictures, *(batch[name] for name in names)], generator)
        faces, seen = pictures.tensor_split(2, 1) if reads_clear else (pictures, pictures)
        batch = {**batch, **dict(zip(names, mixed, strict=True))}
        if self.teachers is not None:
            batch = self.teachers.blend(seen, batch, generator)
        features_BF = self.classifier.features(faces)
        loss: Tensor
        loss, _ = self.losses(
            self.classifier.read_out(features_BF),
            features_BF,
            batch,
            world_mean=self._world_mean,
        )
        self._log_loss(loss.detach())
        return loss

    def _log_loss(self, loss: Tensor) -> None:
        if self._carried_steps:
            mean = self._loss_sum.to(loss.device) / self._carried_steps
            self.log("train/loss", mean, on_step=False, on_epoch=True, batch_size=self._carried_steps, sync_dist=True)
            self._carried_steps = 0
        self._loss_sum = self._loss_sum.to(loss.device) + loss
        self._loss_steps += 1
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)
        self.log(STEP_LOSS, loss, on_step=True, on_epoch=False)

    def on_fit_start(self) -> None:
        if self.teachers is not None:
            self.teachers.to(self.device)

    def on_train_start(self) -> None:
        # Measuring the run's length for the schedule has made the loader before Lightning read the checkpoint, and
        # Lightning gives a loader its place in the epoch only where it makes it afterwards.
        self.trainer.fit_loop._load_combined_loader_states()

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        self.log(LEARNING_RATE, self.learning_rate, on_step=True, on_epoch=False)

    def on_train_epoch_start(self) -> None:
        self.validated = False

    def on_train_epoch_end(self) -> None:
        assert self.optimization is not None
        self.optimization.epoch_ended(self.trainer, validated=self.validated)
        self._loss_sum = torch.zeros_like(self._loss_sum)
        self._loss_steps = 0

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        features_BF = self.classifier.features(batch["faces"])
        logits = self.classifier.read_out(features_BF)
        _, shares = self.losses(logits, features_BF, batch, smoothing=False)
        for name, metrics in self.validation_metrics.items():
            head_loss = self.validation_losses[name]
            assert isinstance(head_loss, MeanMetric)
            head_loss.update(shares[name], weight=batch[f"{name}.weight"].sum())
            assert isinstance(metrics, MetricCollection)
            metrics.update(*metric_arguments(name, self.head_configs[name], logits[name], batch))

    def on_validation_epoch_end(self) -> None:
        self.validated = True
        accuracies, loss = [], torch.zeros((), device=self.device)
        for name, metrics in self.validation_metrics.items():
            assert isinstance(metrics, MetricCollection)
            values = metrics.compute()
            metrics.reset()
            self.log_dict(values)
            if self.head_configs[name].has_classes:
                accuracies.append(values[f"validation/{name}/accuracy"])
            head_loss = self.validation_losses[name]
            assert isinstance(head_loss, MeanMetric)
            loss = loss + head_loss.compute()
            head_loss.reset()
        self.log("validation/loss", loss)
        if accuracies:
            self.log("validation/accuracy", torch.stack(accuracies).mean())

    def logged_names(self) -> set[str]:
        """The names of the figures that are logged each epoch."""
        names = {"train/loss", "validation/loss"}
        for name, head in self.head_configs.items():
            names |= {f"validation/{name}/{score}" for score in score_names(head)}
        return names | ({"validation/accuracy"} if any(h.has_classes for h in self.head_configs.values()) else set())

    def configure_optimizers(self) -> Any:
        groups = parameter_groups(
            self.classifier,
            decay_norms_and_biases=self.decay_norms_and_biases,
            backbone_rate=self.backbone_rate,
            layer_decay=self.layer_decay,
        )
        self.optimization = build_optimizer(
            groups, self.optimizer, self.schedule, run_length(self.trainer), self.warmup, logged=self.logged_names()
        )
        return self.optimization.for_lightning()

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        assert self.optimization is not None
        step = self.trainer.global_step
        self.learning_rate = max(self.optimization.learning_rates(step).values())
        with self.optimization.warmed_up(step):
            super().optimizer_step(*arguments, **options)

    def lr_scheduler_step(self, scheduler: Any, metric: Any | None) -> None:
        assert self.optimization is not None
        self.optimization.step_scheduler()

    def _description(self) -> dict[str, Any]:
        return {
            "network": self.network,
            # Where the weights first came from no longer matters once they are in the checkpoint.
            "network_options": {key: value for key, value in self.network_options.items() if key != "pretrained"},
            "size": self.size,
            "channels": self.channels,
            "normalization": self.normalization,
            "heads": {name: [str(output) for output in head.outputs] for name, head in self.head_configs.items()},
            "targets": {name: str(head.target) for name, head in self.head_configs.items()},
            # The optimiser's state in a checkpoint would silently outweigh other rates and groups.
            "backbone_rate": self.backbone_rate,
            "layer_decay": self.layer_decay,
            "decay_norms_and_biases": self.decay_norms_and_biases,
            "optimizer": spelled(self.optimizer),
            "schedule": self.schedule if isinstance(self.schedule, str) else spelled(self.schedule),
            "planned_epochs": self.trainer.max_epochs,
            "seed": self.seed,
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        whole_epochs = self.current_epoch + (self._loss_steps == 0)
        checkpoint[CHECKPOINT_KEY] = {**self._description(), "epochs": whole_epochs}
        checkpoint[STEPS_KEY] = {"sum": self._world_mean(self._loss_sum), "steps": self._loss_steps}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        before = checkpoint.get(CHECKPOINT_KEY, {})
        for name, value in self._description().items():
            if name in before and before[name] != value:
                raise InputError(
                    f"cannot resume: the run was begun with {name} {before[name]!r}, and now it is {value!r}; "
                    "give the options that it was begun with, or another folder with --run"
                )
        averaged = "current_model_state" in checkpoint
        callbacks = self.trainer.callbacks  # type: ignore[attr-defined]
        if averaged != any(isinstance(callback, GrowingAverage) for callback in callbacks):
            raise InputError(
                f"cannot resume: the run was begun {'with' if averaged else 'without'} averaged weights (ema_decay), "
                f"and now it is {'without' if averaged else 'with'} them; give the options that it was begun with"
            )
        so_far = checkpoint.get(STEPS_KEY, {"sum": torch.zeros(()), "steps": 0})
        self._loss_sum, self._loss_steps = so_far["sum"], so_far["steps"]
        self._carried_steps = self._loss_steps
