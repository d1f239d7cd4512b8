"""Losses as a configuration gives them, through the parser that `kaoiro train` uses."""

import argparse
import contextlib
import io
import warnings

import pytest
import torch
from lightning.pytorch.cli import LightningArgumentParser
from torch import nn

from kaoiro.training.losses import CrossEntropy, Focal, Loss, WeightedLoss
from kaoiro.training.losses.base import accept_lists_as_tensors


class Model:
    def __init__(self, losses: dict[str, Loss | list[WeightedLoss]] | None = None) -> None:
        """Anything with losses.

        Args:
            losses: by head.
        """
        self.losses = losses


class Halved(nn.Module):
    def forward(self, predictions, targets):
        return (predictions - targets).abs() / 2


@pytest.fixture(scope="module")
def parser():
    accept_lists_as_tensors()
    made = LightningArgumentParser(exit_on_error=False)
    made.add_class_arguments(Model, "model")
    return made


def read(parser, losses):
    """The losses of a configuration, and of the same one written down and read again."""
    config = parser.parse_args([f"--model.losses={losses}"])
    again = parser.parse_string(parser.dump(config))
    assert parser.dump(again) == parser.dump(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning calls it by the older name too
        return parser.instantiate_classes(again).model.losses


def test_one_loss(parser):
    found = read(parser, "{a: {class_path: torch.nn.CrossEntropyLoss, init_args: {label_smoothing: 0.25}}}")
    assert isinstance(found["a"], nn.CrossEntropyLoss)
    assert found["a"].label_smoothing == 0.25


def test_a_class_path_alone(parser):
    assert isinstance(read(parser, "{a: torch.nn.HuberLoss}")["a"], nn.HuberLoss)


def test_several_losses(parser):
    focal = "{class_path: kaoiro.training.losses.Focal, init_args: {gamma: 1.5}}"
    entries = read(parser, f"{{a: [{{loss: {focal}, weight: 0.5}}, {{loss: torch.nn.TripletMarginLoss}}]}}")["a"]
    assert [(type(entry.loss), entry.weight) for entry in entries] == [(Focal, 0.5), (nn.TripletMarginLoss, 1.0)]
    assert entries[0].loss.gamma == 1.5


@pytest.mark.parametrize("weights", ["balanced", {"anger": 2.0, "fear": 1.0}, [0.5, 1.0, 2.0]])
def test_class_weights(parser, weights):
    loss = f"{{class_path: kaoiro.training.losses.CrossEntropy, init_args: {{class_weights: {weights}}}}}"
    found = read(parser, f"{{a: {loss}}}")["a"]
    assert isinstance(found, CrossEntropy)
    assert found.class_weights == weights
    assert found.label_smoothing is None


def test_tensors_as_lists(parser):
    found = read(parser, "{a: {class_path: torch.nn.BCEWithLogitsLoss, init_args: {pos_weight: [2.0, 0.5]}}}")["a"]
    assert torch.equal(found.pos_weight, torch.tensor([2.0, 0.5]))


def test_ones_own_loss(parser):
    assert isinstance(read(parser, f"{{a: {Halved.__module__}.Halved}}")["a"], nn.Module)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ("{a: torch.nn.CrossEntropyLos}", "no attribute 'CrossEntropyLos'"),
        ("{a: collections.OrderedDict}", "not correspond to a subclass of Loss"),
        ("{a: {class_path: torch.nn.HuberLoss, init_args: {gamma: 2}}}", "Option 'gamma' is not accepted"),
        ("{a: {class_path: torch.nn.HuberLoss, init_args: {delta: far}}}", "far"),
        ("{a: kaoiro.training.losses.Loss}", "abstract"),
    ],
)
def test_mistakes(parser, losses, message):
    with pytest.raises(argparse.ArgumentError, match=message):
        parser.parse_args([f"--model.losses={losses}"])


def test_the_help_lists_our_losses_only(parser):
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    listed = "".join(text.getvalue().split())
    ours = ("CrossEntropy", "Focal", "KullbackLeibler")
    assert listed.endswith("knownsubclasses:" + ",".join(f"kaoiro.training.losses.{name}" for name in ours) + ")")


def test_the_help_of_one_loss(parser):
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit):
        parser.parse_args(["--model.losses.help", "kaoiro.training.losses.Focal"])
    assert "how much less a face counts that is read rightly" in " ".join(text.getvalue().split())
