"""`kaoiro train`: Lightning's typed command line over our module and data, with a run folder around it."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from kaoiro.errors import InputError
from kaoiro.training.data import FaceData
from kaoiro.training.history import History
from kaoiro.training.module import ExpressionTraining

BEST, LAST = "best.ckpt", "last.ckpt"


class TrainingCommand(LightningCLI):
    """LightningCLI with Kaoiro's own options: `--run`, `--resume` and `--ema_decay`."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--run",
            type=Path,
            default=Path("runs/train"),
            help="Folder that gets the configuration, logs, curves and checkpoints of this run.",
        )
        parser.add_argument("--resume", action="store_true", help="Go on from the last checkpoint in the run's folder.")
        parser.add_argument(
            "--ema_decay",
            type=float,
            default=0.998,
            help="Decay a step of the averaged weights, which are the ones validated and saved; 0: no averaging.",
        )
        for name in ("size", "channels", "heads"):
            parser.link_arguments(f"model.{name}", f"data.{name}")
        for part in ("model", "data"):
            parser.link_arguments("seed_everything", f"{part}.seed", compute_fn=int)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        assert isinstance(args, list)
        self.config = parser.parse_args(args)

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        run: Path = self.config["run"]
        callbacks: list[Callback] = [
            ModelCheckpoint(
                dirpath=run,
                filename="best",
                monitor="validation/accuracy",
                mode="max",
                enable_version_counter=False,
            ),
            ModelCheckpoint(dirpath=run, filename="last", save_on_train_epoch_end=True, enable_version_counter=False),
            SaveConfigCallback(self.parser, self.config, overwrite=True),
        ]
        if self.config["ema_decay"] > 0:
            callbacks.append(EMAWeightAveraging(decay=self.config["ema_decay"]))
        loggers = [TensorBoardLogger(run, name="logs", version=""), CSVLogger(run, name="logs", version="")]
        trainer_config = {
            **self.config_init["trainer"],
            "default_root_dir": run,
            "logger": loggers,
            "enable_progress_bar": sys.stderr.isatty(),
            **kwargs,
        }
        # History comes first so that the checkpoint of an epoch has that epoch's row.
        return self._instantiate_trainer(trainer_config, [History(run), *callbacks])


def _checked_run_folder(run: Path, resume: bool) -> Path | None:
    """Give the checkpoint to go on from, if any, and refuse to write over an earlier run.

    Raises:
        InputError: `--resume` without a checkpoint, or a run folder in use without `--resume`.
    """
    last = run / LAST
    if resume and not last.is_file():
        raise InputError(f"cannot resume: {last} does not exist; leave --resume out to start the run")
    if not resume and last.is_file():
        raise InputError(f"{run} already holds a run; go on with it by --resume, or give another folder with --run")
    return last if resume else None


def train(arguments: Sequence[str]) -> Path:
    """Run `kaoiro train` with the given command-line arguments.

    Returns:
        The run's folder, with `best.ckpt`, `last.ckpt`, `config.yaml`, `history.csv`, `curves.png` and `logs/`.

    Raises:
        InputError: an argument, the corpus or the run's folder cannot be used.
    """
    # Lightning advises worker processes, which batches cut from memory do not need.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    try:
        command = TrainingCommand(
            ExpressionTraining,
            FaceData,
            run=False,
            args=list(arguments),
            save_config_callback=None,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_kwargs={
                "prog": "kaoiro train",
                "description": "Train a network on a stored corpus.",
                "exit_on_error": False,
            },
        )
    except argparse.ArgumentError as error:
        raise InputError(f"train: {' '.join(str(error).split())}") from error
    run: Path = command.config["run"]
    checkpoint = _checked_run_folder(run, command.config["resume"])
    command.trainer.fit(command.model, command.datamodule, ckpt_path=checkpoint, weights_only=True)
    return run
