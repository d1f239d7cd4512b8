"""`kaoiro train`: Lightning's typed command line over our module and data, with a run folder around it."""

import argparse
import math
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.plugins import CheckpointIO
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from kaoiro.errors import InputError
from kaoiro.files import atomic_path, reported_writing
from kaoiro.training.loading.data import FaceData
from kaoiro.training.losses.base import accept_lists_as_tensors
from kaoiro.training.module import ExpressionTraining
from kaoiro.training.processes.distributed import resume_agreed
from kaoiro.training.processes.interruption import Interruption
from kaoiro.training.processes.launcher import trainer_settings_from_launcher
from kaoiro.training.processes.lost_process import naming_lost_processes
from kaoiro.training.run.checkpoint_files import WholeCheckpoints, remove_partial_files
from kaoiro.training.run.environment import RunRecord
from kaoiro.training.run.history import History
from kaoiro.training.run.kept_checkpoints import BestCheckpoint, LastCheckpoint
from kaoiro.training.run.parser_messages import plain_message
from kaoiro.training.run.periodic_checkpoint import PeriodicCheckpoint
from kaoiro.training.run.quiet import quiet_engine
from kaoiro.training.run.run_options import LAST, add_run_options, check_run_folder, check_run_options
from kaoiro.training.run.stopping import Patience
from kaoiro.training.weights.averaging import GrowingAverage
from kaoiro.training.weights.freezing import Freezing
from kaoiro.training.weights.initial_weights import load_initial_weights

BEST, CONFIG = "best.ckpt", "config.yaml"
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
            self._parser.save(self._config, path, multifile=False)


class TrainingCommand(LightningCLI):
    """LightningCLI with Kaoiro's own options around the run's folder."""

    model: ExpressionTraining
    datamodule: FaceData

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        accept_lists_as_tensors()
        add_run_options(parser)
        for name in ("size", "channels", "heads"):
            parser.link_arguments(f"model.{name}", f"data.{name}")
        for part in ("model", "data"):
            parser.link_arguments("seed_everything", f"{part}.seed", compute_fn=int)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        assert isinstance(args, list)
        self.config = parser.parse_args(args)

    def instantiate_classes(self) -> None:
        try:
            super().instantiate_classes()
        except InputError:
            raise
        except ValueError as error:
            # What a class thinks of its arguments, such as a loss of `torch.nn` of a negative margin.
            raise InputError(f"train: {plain_message(str(error))}") from error

    def before_instantiate_classes(self) -> None:
        run: Path = self.config["run"]
        self.config["resume"] = resume_agreed(self.config["resume"], run / LAST)
        check_run_folder(run, self.config["resume"])
        check_run_options(self.config)

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        run: Path = self.config["run"]
        ours = {
            "default_root_dir": run,
            "logger": TensorBoardLogger(run, name="logs", version=""),
            "enable_progress_bar": sys.stderr.isatty(),
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
        }
        theirs = {name: value for name, value in self.config_init["trainer"].items() if value is not None}
        if "max_epochs" not in theirs:
            measured_otherwise = theirs.get("max_steps", -1) != -1 or "max_time" in theirs
            theirs["max_epochs"] = -1 if measured_otherwise else DEFAULT_EPOCHS
        theirs |= trainer_settings_from_launcher(theirs, timedelta(seconds=self.config["timeout"]))
        theirs["plugins"] = _with_whole_checkpoints(theirs.get("plugins"))
        return self._instantiate_trainer({"callbacks": None, **ours, **theirs, **kwargs}, self._callbacks(run))

    def _callbacks(self, run: Path) -> list[Callback]:
        config, model = self.config, self.model
        has_classes = any(head.has_classes for head in model.head_configs.values())
        monitor = config["monitor"] or ("validation/accuracy" if has_classes else "validation/loss")
        self.interruption = Interruption(timedelta(seconds=config["timeout"]))
        self.freezing = Freezing(config["freeze"], config["unfreeze"], config["freeze_statistics"])
        callbacks: list[Callback] = [self.interruption, self.freezing]
        if config["ema_decay"] > 0:
            callbacks.append(GrowingAverage(config["ema_decay"]))
        # History comes before the checkpoints so that the checkpoint of an epoch has that epoch's row.
        callbacks += [RunRecord(run), SaveConfiguration(self.parser, config), History(run)]
        if (stopping := self.config_init["early_stopping"]) is not None:
            stopping.check()
            if config["trainer"]["limit_val_batches"] == 0 and stopping.monitor.startswith("validation/"):
                raise InputError(
                    f"early_stopping.monitor is {stopping.monitor}, but limit_val_batches is 0: no validation"
                )
            _check_monitor("early_stopping.monitor", stopping.monitor, model)
            callbacks.append(Patience(stopping))
        _check_monitor("monitor", monitor, model)
        if config["trainer"]["limit_val_batches"] != 0 or not monitor.startswith("validation/"):
            callbacks.append(BestCheckpoint(run, monitor))
            if config["keep_best"] > 1:
                callbacks.append(BestCheckpoint(run, monitor, config["keep_best"]))
        callbacks.append(LastCheckpoint(run))
        if config["checkpoint_every"]:
            callbacks.append(PeriodicCheckpoint(run / LAST, config["checkpoint_every"]))
        return callbacks


def _with_whole_checkpoints(plugins: Any) -> list[Any]:
    listed = plugins if isinstance(plugins, list) else [] if plugins is None else [plugins]
    return listed if any(isinstance(plugin, CheckpointIO) for plugin in listed) else [*listed, WholeCheckpoints()]


def _check_monitor(option: str, monitor: str, module: ExpressionTraining) -> None:
    # Callbacks of the user may log figures of other names.
    known = module.logged_names()
    if monitor.startswith(("train/", "validation/")) and monitor not in known:
        raise InputError(f"{option}: nothing is logged as {monitor!r}; there are {', '.join(sorted(known))}")


@rank_zero_only
def _announce(lines: Sequence[str]) -> None:
    print("\n".join(lines), flush=True)  # noqa: T201


def _check_validation_interval(command: TrainingCommand) -> None:
    interval, data = command.config["trainer"]["val_check_interval"], command.datamodule
    batches = math.ceil(data.train_faces / (data.batch_size * command.trainer.world_size))
    if isinstance(interval, int) and interval > batches and command.trainer.check_val_every_n_epoch is not None:
        raise InputError(
            f"trainer.val_check_interval is {interval} batches, but an epoch has no more than {batches}; to validate "
            "more rarely give trainer.check_val_every_n_epoch, or null for it to count over epochs"
        )


def _prepare(command: TrainingCommand) -> list[str]:
    """Whatever is wrong with corpus, losses, weights or freezing comes out here, before anything is written.

    Returns:
        What is to be told about the run.
    """
    module, data, config = command.model, command.datamodule, command.config
    module.try_out()
    data.setup("fit")
    module.prepare_losses(data.class_weight_sums)
    parameters = sum(parameter.numel() for parameter in module.classifier.parameters())
    left_out = f" ({data.left_out} unfit ones left out)" if data.left_out else ""
    lines = [f"{module.network}, {parameters / 1e6:.1f} M parameters; {data.description}{left_out}"]
    if module.teachers is not None:
        lines.append(module.teachers.description)
    if config["init"] and not config["resume"]:
        outputs = {name: head.outputs for name, head in module.head_configs.items()}
        report = load_initial_weights(
            module.classifier,
            config["init"],
            outputs,
            channels=module.channels,
            normalization=module.normalization,
        )
        lines += report.lines()
    _check_validation_interval(command)
    command.freezing.check(module.classifier, command.trainer.max_epochs)
    frozen = command.freezing.summary(module.classifier)
    return [*lines, frozen] if frozen else lines


def train(arguments: Sequence[str]) -> Path:
    """Run `kaoiro train` with the given command-line arguments.

    Returns:
        The run's folder, with `best.ckpt`, `last.ckpt`, `config.yaml`, `environment.json`, `history.csv`, `curves.png`
        and `logs/`.

    Raises:
        InputError: an argument, the corpus or the run's folder cannot be used.
        KeyboardInterrupt: the run was stopped by Ctrl-C; the message says how to go on.
        ProcessLostError: another process of the run died or hangs.
    """
    # A user's own networks and losses are found under `kaoiro` as they are under `python -m kaoiro`.
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    with quiet_engine(), naming_lost_processes():
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
            raise InputError(f"train: {plain_message(str(error))}") from error
        except MisconfigurationException as error:
            raise InputError(f"train: {' '.join(str(error).split())}") from error
        run: Path = command.config["run"]
        resume: bool = command.config["resume"]
        _announce(_prepare(command))
        _clean_folder(run)
        try:
            with command.interruption.listening():
                command.trainer.fit(
                    command.model,
                    command.datamodule,
                    ckpt_path=run / LAST if resume else None,
                    weights_only=True,
                )
        except MisconfigurationException as error:
            raise InputError(f"train: {' '.join(str(error).split())}") from error
        except SystemExit as stop:
            if not command.trainer.interrupted:
                raise
            raise KeyboardInterrupt(_how_to_go_on(run)) from stop
    _tell_result(command)
    return run


@rank_zero_only
def _clean_folder(run: Path) -> None:
    """Make the run's folder, and remove what a run that was killed left half-written in it."""
    with reported_writing(run):
        run.mkdir(parents=True, exist_ok=True)
        remove_partial_files(run)


def _tell_result(command: TrainingCommand) -> None:
    run: Path = command.config["run"]
    best = run / BEST if (run / BEST).is_file() else run / LAST
    which = "best epoch" if best.name == BEST else "last epoch"
    exportable = any(head.has_classes for head in command.model.head_configs.values())
    go_on = f"; go on with: kaoiro export {best} -o model.onnx" if exportable else ""
    _announce([f"the {which} is in {best}{go_on}"])


def _how_to_go_on(run: Path) -> str:
    if (run / LAST).is_file():
        return f"stopped; go on from the last checkpoint by giving the same command again with --resume (run {run})"
    return "stopped before the first checkpoint; there is nothing to resume"
