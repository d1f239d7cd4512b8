"""Holding parts of a network still while the rest learns, and letting them go later."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch import nn

from kaoiro.errors import InputError


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern names a parameter, or a module that it lies in.

    >>> matches("backbone.layers.0.weight", "backbone.layers.*"), matches("backbone.layers.0.weight", "backbone")
    (True, True)
    """
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


class Freezing(Callback):
    """Freeze parameters of the classifier by name; thaw them from given epochs on.

    A frozen parameter gets no gradient, no weight decay and no momentum. A module whose own parameters are all frozen
    is in evaluation mode: a batch normalisation keeps its statistics. What is thawed later is in the optimiser from the
    start, so that its learning rate follows the schedule of the whole run; its momentum begins at nothing when it
    thaws. What never thaws is not in the optimiser.

    What is frozen depends on the epoch alone, so that a resumed run goes on exactly.

    Args:
        freeze: patterns as in a shell (`*`, `?`, `[…]`) for names as `classifier.named_parameters()` gives them; a
            module's name stands for all below it: `backbone`, `backbone.layers.0`, `*.bias`.
        unfreeze: patterns to thaw, by the epoch from which on they learn, counted from 0: `{5: ["backbone"]}`.
        freeze_statistics: whether all batch normalisations use and keep the statistics that they begin with, while
            their scales and shifts learn.
    """

    def __init__(
        self,
        freeze: Sequence[str] = (),
        unfreeze: Mapping[int, Sequence[str]] | None = None,
        freeze_statistics: bool = False,
    ) -> None:
        self.freeze = list(freeze)
        self.unfreeze = {epoch: list(patterns) for epoch, patterns in sorted((unfreeze or {}).items())}
        self.freeze_statistics = freeze_statistics
        if self.unfreeze and not self.freeze:
            raise InputError("unfreeze needs freeze: nothing is frozen that could thaw")
        for epoch in self.unfreeze:
            if epoch < 1:
                raise InputError(
                    f"unfreeze: epochs are counted from 0, so the first that can thaw something is 1, not {epoch}"
                )
        self._modules: list[nn.Module] = []
        self._without_gradient: list[nn.Parameter] = []

    def is_frozen(self, name: str, epoch: int) -> bool:
        """Whether a parameter of the classifier is frozen in an epoch.

        Args:
            name: of the parameter.
            epoch: counted from 0.
        """
        name = name.replace("_orig_mod.", "")
        thawed = (pattern for start, patterns in self.unfreeze.items() if start <= epoch for pattern in patterns)
        return any(matches(name, p) for p in self.freeze) and not any(matches(name, p) for p in thawed)

    def check(self, classifier: nn.Module, epochs: int | None = None) -> None:
        """Refuse patterns that do nothing, and a model of which nothing learns.

        Args:
            classifier: the model.
            epochs: of the run; None or below 0 where that is open.

        Raises:
            InputError: a pattern matches no parameter, thaws nothing that is frozen, or thaws it after the last epoch;
                or all is frozen.
        """
        names = [name.replace("_orig_mod.", "") for name, _ in classifier.named_parameters()]
        for pattern in self.freeze:
            if not any(matches(name, pattern) for name in names):
                raise InputError(
                    f"freeze: no parameter matches {pattern!r}; names are, for example, {_examples(names)}"
                )
        for epoch, patterns in self.unfreeze.items():
            if epochs is not None and 0 <= epochs <= epoch:
                raise InputError(f"unfreeze: epoch {epoch} never comes in a run of {epochs} epochs, counted from 0")
            frozen = [name for name in names if self.is_frozen(name, epoch - 1)]
            for pattern in patterns:
                if not any(matches(name, pattern) for name in frozen):
                    examples = f"; frozen are, for example, {_examples(frozen)}" if frozen else ""
                    raise InputError(
                        f"unfreeze: {pattern!r} matches nothing that is frozen before epoch {epoch}{examples}"
                    )
        if all(self.is_frozen(name, 0) for name in names):
            raise InputError("freeze: everything is frozen, so nothing would learn; leave some patterns out")

    def summary(self, classifier: nn.Module) -> str:
        """One line about what is frozen, empty where nothing is."""
        sizes = {name: parameter.numel() for name, parameter in classifier.named_parameters()}
        frozen = sum(size for name, size in sizes.items() if self.is_frozen(name, 0))
        parts = [f"{frozen / 1e6:.2f} M of {sum(sizes.values()) / 1e6:.2f} M parameters frozen"] if frozen else []
        parts += [f"{', '.join(patterns)} from epoch {epoch} on learning" for epoch, patterns in self.unfreeze.items()]
        if self.freeze_statistics:
            parts.append("batch statistics frozen")
        return "; ".join(parts)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        classifier = _classifier(pl_module)
        self.check(classifier, trainer.max_epochs)
        # Before the optimiser is made and before DDP looks for what it has to exchange.
        for name, parameter in classifier.named_parameters():
            if self._never_thaws(name):
                parameter.requires_grad_(False)

    def _never_thaws(self, name: str) -> bool:
        return self.is_frozen(name, max(self.unfreeze, default=0))

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # A run that is resumed within an epoch does not start that epoch again.
        self._hold(_classifier(pl_module), trainer.current_epoch, trainer.world_size)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._hold(_classifier(pl_module), trainer.current_epoch, trainer.world_size)

    def _hold(self, classifier: nn.Module, epoch: int, processes: int) -> None:
        for module in self._modules:
            module.training = True
        self._modules = list(self._still_modules(classifier, epoch))
        for module in self._modules:
            # Not eval(), which would take the modules below along.
            module.training = False
        self._without_gradient = []
        for name, parameter in classifier.named_parameters():
            if self._never_thaws(name):
                continue
            if processes == 1:
                parameter.requires_grad_(not self.is_frozen(name, epoch))
            elif self.is_frozen(name, epoch):
                # DDP waits for the gradient of everything that had one at the start, so it is computed and dropped.
                self._without_gradient.append(parameter)

    def _still_modules(self, classifier: nn.Module, epoch: int) -> Iterator[nn.Module]:
        for path, module in classifier.named_modules():
            has_statistics = getattr(module, "running_mean", None) is not None
            names = [name for name, _ in module.named_parameters(recurse=False)]
            if not names and has_statistics:
                names = ["running_mean"]
            frozen = bool(names) and all(self.is_frozen(f"{path}.{name}".lstrip("."), epoch) for name in names)
            if frozen or (self.freeze_statistics and has_statistics):
                yield module

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Any) -> None:
        # Gradients are clipped after this.
        for parameter in self._without_gradient:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        return {"freeze": self.freeze, "unfreeze": self.unfreeze, "freeze_statistics": self.freeze_statistics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, now in self.state_dict().items():
            if state_dict[name] != now:
                raise InputError(
                    f"cannot resume: the run was begun with {name} {state_dict[name]!r}, and now it is {now!r}; "
                    "give the options that it was begun with, or another folder with --run"
                )


def _classifier(module: L.LightningModule) -> nn.Module:
    classifier = module.classifier
    assert isinstance(classifier, nn.Module)
    return classifier


def _examples(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(dict.fromkeys([listed[0], listed[len(listed) // 2], listed[-1]]))
