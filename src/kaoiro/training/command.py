"""`kaoiro train`: Lightning's typed command line over our module and data, with a run folder around it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from kaoiro.errors import InputError
from kaoiro.files import atomic_path
from kaoiro.training.data import FaceData
from kaoiro.training.history import History
from kaoiro.training.interruption import Interruption
from kaoiro.training.module import ExpressionTraining
from kaoiro.training.quiet import quiet_engine

BEST, CONFIG, LAST = "best.ckpt", "config.yaml", "last.ckpt"
DEFAULT_EPOCHS = 60


class SaveConfiguration(Callback):
    """Write `config.yaml` into the run's folder, fit to start such a run again with `--config`."""

    def __init__(self, parser: LightningArgumentParser, config: Any) -> None:
        self._parser = parser
        self._config = config.clone()
        self._config["resume"] = False

    # Not earlier: a run that cannot be resumed with these options keeps the file that it has.
    @rank_zero_only
    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        run: Path = self._config["run"]
        with atomic_path(run / CONFIG) as path:
            self._parser.save(self._config, path)


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

    def before_instantiate_classes(self) -> None:
        _check_run_folder(self.config["run"], self.config["resume"])
        if not 0 <= self.config["ema_decay"] < 1:
            raise InputError(f"ema_decay must be at least 0 and below 1, not {self.config['ema_decay']}")

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        run: Path = self.config["run"]
        self.interruption = Interruption()
        callbacks: list[Callback] = [
            ModelCheckpoint(
                dirpath=run,
                filename="best",
                monitor="validation/accuracy",
                mode="max",
                enable_version_counter=False,
            ),
            ModelCheckpoint(dirpath=run, filename="last", save_on_train_epoch_end=True, enable_version_counter=False),
            SaveConfiguration(self.parser, self.config),
        ]
        if self.config["ema_decay"] > 0:
            callbacks.append(EMAWeightAveraging(decay=self.config["ema_decay"]))
        ours = {
            "default_root_dir": run,
            "logger": TensorBoardLogger(run, name="logs", version=""),
            "enable_progress_bar": sys.stderr.isatty(),
            "enable_model_summary": False,
        }
        theirs = {name: value for name, value in self.config_init["trainer"].items() if value is not None}
        # History comes before the checkpoints so that the checkpoint of an epoch has that epoch's row.
        return self._instantiate_trainer(
            {"callbacks": None, **ours, **theirs, **kwargs}, [self.interruption, History(run), *callbacks]
        )


def _check_run_folder(run: Path, resume: bool) -> None:
    """Refuse to resume what is not there, and to write over an earlier run.

    Raises:
        InputError: `--resume` without a checkpoint, or a run folder in use without `--resume`.
    """
    last = run / LAST
    if resume and not last.is_file():
        raise InputError(f"cannot resume: {last} does not exist; leave --resume out to start the run")
    if not resume and last.is_file():
        raise InputError(f"{run} already holds a run; go on with it by --resume, or give another folder with --run")


@rank_zero_only
def _announce(module: ExpressionTraining, data: FaceData) -> None:
    parameters = sum(parameter.numel() for parameter in module.classifier.parameters())
    left_out = f" ({data.left_out} unfit ones left out)" if data.left_out else ""
    print(  # noqa: T201
        f"{module.network}, {parameters / 1e6:.1f} M parameters: training on {data.train_faces} faces{left_out}, "
        f"validating on {data.validation_faces}",
        flush=True,
    )


def train(arguments: Sequence[str]) -> Path:
    """Run `kaoiro train` with the given command-line arguments.

    Returns:
        The run's folder, with `best.ckpt`, `last.ckpt`, `config.yaml`, `history.csv`, `curves.png` and `logs/`.

    Raises:
        InputError: an argument, the corpus or the run's folder cannot be used.
        KeyboardInterrupt: the run was stopped by Ctrl-C; the message says how to go on.
    """
    with quiet_engine():
        try:
            command = TrainingCommand(
                ExpressionTraining,
                FaceData,
                run=False,
                args=list(arguments),
                save_config_callback=None,
                seed_everything_default=0,
                trainer_defaults={"max_epochs": DEFAULT_EPOCHS},
                auto_configure_optimizers=False,
                load_from_checkpoint_support=False,
                parser_kwargs={
                    "prog": "kaoiro train",
                    "description": "Train a network on a stored corpus.",
                    "exit_on_error": False,
                },
            )
        except (argparse.ArgumentError, MisconfigurationException) as error:
            raise InputError(f"train: {' '.join(str(error).split())}") from error
        run: Path = command.config["run"]
        # Whatever is wrong with the corpus comes out before anything is written.
        command.datamodule.setup("fit")
        _announce(command.model, command.datamodule)
        try:
            with command.interruption.listening():
                command.trainer.fit(
                    command.model,
                    command.datamodule,
                    ckpt_path=run / LAST if command.config["resume"] else None,
                    weights_only=True,
                )
        except SystemExit as stop:
            if not command.trainer.interrupted:
                raise
            raise KeyboardInterrupt(_how_to_go_on(run)) from stop
    _tell_result(run)
    return run


@rank_zero_only
def _tell_result(run: Path) -> None:
    if (run / BEST).is_file():
        print(f"the best epoch is in {run / BEST}; go on with: kaoiro export {run / BEST} -o model.onnx")  # noqa: T201


def _how_to_go_on(run: Path) -> str:
    if (run / LAST).is_file():
        return f"stopped; go on from the last whole epoch by giving the same command again with --resume (run {run})"
    return "stopped before the first epoch was complete; there is nothing to resume"
