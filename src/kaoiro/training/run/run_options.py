"""The options of `kaoiro train` that belong to no class of Lightning's: the run's folder and what happens around it."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.cli import LightningArgumentParser

from kaoiro.errors import InputError
from kaoiro.files import kind_of
from kaoiro.training.run.stopping import EarlyStoppingConfig

LAST = "last.ckpt"


def add_run_options(parser: LightningArgumentParser) -> None:
    """Add them to a parser."""
    parser.add_argument(
        "--run",
        "--run_folder",
        type=Path,
        default=Path("runs/train"),
        help="Folder that gets the configuration, logs, curves and checkpoints of this run.",
    )
    parser.add_argument("--resume", action="store_true", help="Go on from the last checkpoint in the run's folder.")
    parser.add_argument(
        "--init",
        type=str | None,
        default=None,
        help="Weights to begin with: a shipped model's name, a checkpoint, a model file or a file of weights; what "
        "fits is loaded, and what does not is told.",
    )
    parser.add_argument(
        "--freeze",
        type=list[str],
        default=[],
        help="Patterns of the classifier's parameters that do not learn, for example [backbone].",
    )
    parser.add_argument(
        "--unfreeze",
        type=dict[int, list[str]],
        default={},
        help="Patterns of frozen parameters that learn from an epoch on, counted from 0, for example {3: [backbone]}.",
    )
    parser.add_argument(
        "--freeze_statistics",
        type=bool,
        default=False,
        help="Keep the statistics of all batch normalisations as they begin.",
    )
    parser.add_argument(
        "--ema_decay",
        type=float,
        default=0.998,
        help="Decay a step of the averaged weights, which are the ones validated and saved; 0: no averaging.",
    )
    parser.add_argument(
        "--monitor",
        type=str | None,
        default=None,
        help="Logged figure by which the best epoch is chosen; by default validation/accuracy, or validation/loss "
        "where no head has classes.",
    )
    parser.add_argument(
        "--keep_best",
        type=int,
        default=1,
        help="How many of the best epochs are kept: above 1 as epoch-007.ckpt and so on, beside best.ckpt.",
    )
    parser.add_argument(
        "--checkpoint_every",
        type=int,
        default=0,
        help="Optimiser steps from one checkpoint within an epoch to the next; 0: at the end of each epoch only.",
    )
    parser.add_argument(
        "--early_stopping",
        type=EarlyStoppingConfig | None,
        default=None,
        help="End the run once a figure has not got better for a while.",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=600.0,
        help="Seconds that a process waits for the others before the run counts as lost, where there are several.",
    )


def check_run_options(config: Any) -> None:
    """Refuse what is out of range, before anything is made.

    Raises:
        InputError: an option is out of range, or its precision needs a GPU that is not there.
    """
    if not 0 <= config["ema_decay"] < 1:
        raise InputError(f"ema_decay must be at least 0 and below 1, not {config['ema_decay']}")
    for name, least in (("keep_best", 1), ("checkpoint_every", 0)):
        if config[name] < least:
            raise InputError(f"{name} must be at least {least}, not {config[name]}")
    if not config["timeout"] > 0:
        raise InputError(f"timeout must be above 0 seconds, not {config['timeout']}")
    _check_precision(config["trainer"]["precision"], config["trainer"]["accelerator"])


def _check_precision(precision: Any, accelerator: Any) -> None:
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.cuda.is_available())
    if str(precision) in ("16", "16-mixed") and on_cpu:
        raise InputError(
            f"trainer.precision {precision} scales fp16 gradients, which CPUs cannot do; take bf16-mixed, or 32-true"
        )


def check_run_folder(run: Path, resume: bool) -> None:
    """Refuse to resume what is not there, and to write over an earlier run.

    Raises:
        InputError: the path is no folder, `--resume` has no checkpoint, or the folder is in use without `--resume`.
    """
    if kind_of(run) not in ("folder", "missing"):
        raise InputError(f"{str(run)!r} is no folder; give another one with --run")
    last = run / LAST
    if resume and not last.is_file():
        raise InputError(f"cannot resume: {last} does not exist; leave --resume out to start the run")
    if not resume and last.is_file():
        raise InputError(f"{run} already holds a run; go on with it by --resume, or give another folder with --run")
