from collections.abc import Callable

import pytest
import torch
from jsonargparse import ArgumentParser
from lightning.pytorch.cli import OptimizerCallable

import kaoiro.training.optimization.schedules
from kaoiro.training.run.parser_messages import plain_message


class Model:
    def __init__(
        self,
        optimizer: OptimizerCallable = torch.optim.SGD,
        schedule: kaoiro.training.optimization.schedules.Schedule = "one-cycle",
        epochs: int = 3,
        callback: Callable | None = None,
    ) -> None:
        pass


SCHEDULERS = "torch.optim.lr_scheduler"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--optimizer=Adamm"], "optimizer: 'Adamm' is no class path"),
        (["--optimizer=torch.optim.Adamm"], "optimizer: module 'torch.optim' has no attribute 'Adamm'"),
        (["--optimizer=nothing.Lion"], "optimizer: No module named 'nothing'"),
        (["--optimizer=SGD", "--optimizer.momentm=1"], "optimizer: torch.optim.SGD: Option 'momentm' is not accepted"),
        (["--optimizer=SGD", "--optimizer.lr=fast"], "optimizer: torch.optim.SGD: lr: expected a float, not 'fast'"),
        (["--schedule=cosin"], "schedule: 'cosin' is none of 'one-cycle', 'cosine', 'constant', nor a class path"),
        (["--schedule=StepLR"], f"schedule: {SCHEDULERS}.StepLR: the following arguments are required: step_size"),
        (
            ["--schedule={class_path: StepLR, init_args: {step_size: ten}}"],
            f"schedule: {SCHEDULERS}.StepLR: step_size: expected an int, not 'ten'",
        ),
        (
            [f"--schedule={SCHEDULERS}.ReduceLROnPlateau", "--schedule.mode=down"],
            f"schedule: {SCHEDULERS}.ReduceLROnPlateau: mode: 'down' is none of 'min', 'max'",
        ),
        (["--epochs=many"], "epochs: expected an int, not 'many'"),
    ],
)
def test_one_short_line(options, message):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Model)
    with pytest.raises(Exception, match=r"Parser key|Unable") as caught:
        parser.parse_args(options)
    assert plain_message(str(caught.value)).startswith(message)


def test_a_name_that_several_classes_have():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Model)
    with pytest.raises(Exception, match="ReduceLROnPlateau") as caught:
        parser.parse_args(["--schedule=ReduceLROnPlateau"])
    message = plain_message(str(caught.value))
    assert message.startswith("schedule: Multiple subclasses with name ReduceLROnPlateau. Give the full class path")
    assert "kaoiro.training.optimization.schedules.ReduceLROnPlateau" in message
    assert "\n" not in message


def test_other_messages_stay():
    assert plain_message("unrecognized\n  arguments: --nosuch") == "unrecognized arguments: --nosuch"
