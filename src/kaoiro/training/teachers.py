"""Distillation in the step: trained networks read each varied face too, and their answers are part of its target."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kaoiro.errors import InputError
from kaoiro.training.heads import HeadConfig, blended_with_soft_labels
from kaoiro.training.weights.checkpoint import TrainedNetwork
from kaoiro.training.weights.weights_files import load_network


@dataclass(frozen=True)
class TeacherConfig:
    """Trained networks to learn from.

    Each step takes one of the networks by chance, shows it the same pictures as the network in training, turned,
    covered and blended as they are, and lets that network learn its probabilities. So the teachers are learnt as a
    function of the picture, and not only at the training faces (Beyer et al. 2022, "Knowledge distillation: A good
    teacher is patient and consistent", https://arxiv.org/abs/2106.05237). On the average over the steps, several
    teachers together are learnt as their mean, at the cost of one.

    Args:
        models: names of shipped models, or paths of model files (`.onnx`) or checkpoints, of one network each. Each
            must have the heads that tell classes apart, with the same classes, and as many channels. Faces are resized
            to the size that it was trained at.
        share: how much of a face's target its answer is, 0 to 1; what the head would learn otherwise is the rest.
        temperature: divides its logits; above 1 softens its answers.
        clear: they read the pictures without the blur, the few pixels, the noise and the JPEG of the augmentation, so
            that a network in training does not learn how they fail there.
    """

    models: tuple[str, ...] = ()
    share: float = 0.7
    temperature: float = 1.0
    clear: bool = False

    def check(self) -> None:
        """Refuse options out of range.

        Raises:
            InputError: there is no model, or a number is out of range.
        """
        if not self.models:
            raise InputError("model.teachers names no models; give at least one, or leave it out")
        if not 0 < self.share <= 1:
            raise InputError(f"model.teachers.share must be above 0 and at most 1, not {self.share}")
        if not 0 < self.temperature < float("inf"):
            raise InputError(f"model.teachers.temperature must be a number above 0, not {self.temperature}")


class Teachers:
    """The networks of a `TeacherConfig`; no module, so that they are no part of what is trained, averaged and saved.

    Args:
        config: which networks, and how much they say.
        heads: the heads of the network in training.
        channels: of the faces that it reads.

    Raises:
        InputError: an option is out of range, no head tells classes apart, or a teacher does not fit the heads or
            the channels.
        ModelFileError: a teacher cannot be read.
    """

    def __init__(self, config: TeacherConfig, heads: Mapping[str, HeadConfig], channels: int) -> None:
        config.check()
        self._config = config
        self._heads = [name for name, head in heads.items() if head.has_classes]
        if not self._heads:
            raise InputError("model.teachers is of no use: no head of the model tells classes apart")
        self._networks = [load_network(source) for source in config.models]
        for source, network in zip(config.models, self._networks, strict=True):
            _check_fit(source, network, {name: heads[name] for name in self._heads}, channels)
            network.classifier.requires_grad_(False).keep_memory_format(torch.channels_last)

    @property
    def read_clear_pictures(self) -> bool:
        """Whether they read the pictures before blur, few pixels, noise and JPEG."""
        return self._config.clear

    @property
    def description(self) -> str:
        """One line for people."""
        models = ", ".join(self._config.models)
        return f"teachers in the step, {self._config.share:.0%} of each target: {models}"

    def to(self, device: torch.device) -> None:
        """Move the networks."""
        for network in self._networks:
            network.classifier.to(device)

    @torch.no_grad()
    def answers(self, faces_BCHW: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """What one of the networks, drawn with `generator`, says of faces: probabilities `(batch, classes)` by head.

        Args:
            faces_BCHW: pixel values 0 to 255.
            generator: of the CPU.
        """
        network = self._networks[int(torch.randint(len(self._networks), (), generator=generator))]
        if faces_BCHW.shape[-1] != network.size:
            faces_BCHW = F.interpolate(
                faces_BCHW.float(), (network.size, network.size), mode="bilinear", antialias=True
            )
        logits = network.classifier(faces_BCHW)
        return {name: torch.softmax(logits[name].float() / self._config.temperature, 1) for name in self._heads}

    def blend(self, faces_BCHW: Tensor, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Put their answers into a batch's targets.

        Args:
            faces_BCHW: the pictures as the network in training sees them, or as they were before they were spoilt.
            batch: `<head>.distribution` and `<head>.weight` of those pictures.
            generator: of the CPU.

        Returns:
            The batch with other distributions and weights. A face of which nothing was known has the answer alone.
        """
        blended = dict(batch)
        for name, answer_BC in self.answers(faces_BCHW, generator).items():
            blended[f"{name}.distribution"], blended[f"{name}.weight"] = blended_with_soft_labels(
                batch[f"{name}.distribution"], batch[f"{name}.weight"], answer_BC, self._config.share
            )
        return blended


def _check_fit(source: str, network: TrainedNetwork, heads: Mapping[str, HeadConfig], channels: int) -> None:
    if network.channels != channels:
        raise InputError(f"the teacher {source!r} reads faces of {network.channels} channels, the model {channels}")
    for name, head in heads.items():
        if name not in network.classes:
            there = ", ".join(network.classes) or "none that tells classes apart"
            raise InputError(f"the teacher {source!r} has no head {name!r} to learn from; it has {there}")
        if network.classes[name] != head.classes:
            raise InputError(
                f"the head {name!r} has the classes {_listed(head.classes)}, that of the teacher {source!r} "
                f"{_listed(network.classes[name])}"
            )


def _listed(classes: Sequence[object]) -> str:
    return ", ".join(map(str, classes))
