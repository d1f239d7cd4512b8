import json
from datetime import timedelta

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy

from kaoiro.errors import InputError
from kaoiro.training.processes.launcher import Launch, current_launch, tell_launcher, trainer_settings_from_launcher

_TIMEOUT = timedelta(seconds=7)


@pytest.fixture
def launched(monkeypatch):
    """Pretend that torchrun started this process; rank 2 of 2 × 2 unless told otherwise."""

    def launched(rank=2, local_rank=0, processes=4, local_processes=2, restarts=0, max_restarts=3):
        told = {
            "TORCHELASTIC_RUN_ID": "job",
            "RANK": rank,
            "LOCAL_RANK": local_rank,
            "WORLD_SIZE": processes,
            "LOCAL_WORLD_SIZE": local_processes,
            "TORCHELASTIC_RESTART_COUNT": restarts,
            "TORCHELASTIC_MAX_RESTARTS": max_restarts,
        }
        for name, value in told.items():
            monkeypatch.setenv(name, str(value))

    return launched


@pytest.fixture
def gpus(monkeypatch):
    """Pretend that the machine has so many GPUs."""

    def gpus(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return gpus


def test_without_torchrun(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert current_launch() is None
    for devices in (None, "auto", -1, 1):
        assert trainer_settings_from_launcher({"devices": devices}, _TIMEOUT) == {"devices": 1}
    assert trainer_settings_from_launcher({"devices": [2]}, _TIMEOUT) == {}
    with pytest.raises(InputError, match=r"trainer\.devices is 3, but this is one process; .* torchrun"):
        trainer_settings_from_launcher({"devices": 3}, _TIMEOUT)


def test_the_place_in_the_launch(launched):
    launched(rank=3, local_rank=1, restarts=1)
    assert current_launch() == Launch("job", 3, 1, 4, 2, 1, 3)


@pytest.mark.parametrize(
    "given",
    [
        {},
        # What Lightning's command line has where the user said nothing.
        {"accelerator": "auto", "devices": "auto", "num_nodes": 1, "strategy": "auto"},
        # What the user might say, and is right.
        {"accelerator": "cpu", "devices": 2, "num_nodes": 2, "strategy": "ddp"},
    ],
)
def test_settings_for_cpus(launched, gpus, given):
    launched()
    gpus(0)
    settings = trainer_settings_from_launcher(given, _TIMEOUT)
    strategy = settings.pop("strategy")
    assert settings == {"accelerator": "cpu", "devices": 2, "num_nodes": 2}
    assert isinstance(strategy, DDPStrategy)
    assert strategy._timeout == _TIMEOUT


def test_settings_for_gpus(launched, gpus):
    launched()
    gpus(2)
    assert trainer_settings_from_launcher({"accelerator": "auto"}, _TIMEOUT)["accelerator"] == "cuda"
    assert trainer_settings_from_launcher({"devices": "1,3"}, _TIMEOUT)["devices"] == "1,3"
    assert trainer_settings_from_launcher({"devices": [1, 3]}, _TIMEOUT)["devices"] == [1, 3]
    trainer_settings_from_launcher({"sync_batchnorm": True}, _TIMEOUT)


def test_a_strategy_of_the_user_stays(launched):
    launched()
    strategy = FSDPStrategy()
    assert trainer_settings_from_launcher({"strategy": strategy}, _TIMEOUT)["strategy"] is strategy
    assert trainer_settings_from_launcher({"strategy": "fsdp"}, _TIMEOUT)["strategy"] == "fsdp"


def test_one_process_needs_no_averaging(launched):
    launched(rank=0, processes=1, local_processes=1)
    settings = trainer_settings_from_launcher({"sync_batchnorm": True}, _TIMEOUT)
    assert (settings["devices"], settings["num_nodes"], settings["strategy"]) == (1, 1, "auto")


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"devices": 3}, r"trainer\.devices is 3, but torchrun started 2 processes on this machine"),
        ({"devices": "3"}, r"trainer\.devices is '3', but torchrun started 2 processes on this machine"),
        ({"devices": [0]}, r"trainer\.devices is \[0\], but torchrun started 2 processes on this machine"),
        ({"num_nodes": 3}, r"4 processes, 2 of them on this machine, which does not fit trainer\.num_nodes=3"),
        ({"strategy": "ddp_spawn"}, r"trainer\.strategy is 'ddp_spawn', which does not fit the 4 processes"),
        ({"sync_batchnorm": True}, r"sync_batchnorm is true, but torch's SyncBatchNorm works on GPUs only"),
    ],
)
def test_contradictions(launched, gpus, given, fault):
    launched()
    gpus(0)
    with pytest.raises(InputError, match=fault):
        trainer_settings_from_launcher(given, _TIMEOUT)


def test_machines_with_different_numbers_of_processes(launched):
    launched(processes=5)
    with pytest.raises(InputError, match=r"5 processes, 2 of them on this machine.* start equally many on each"):
        trainer_settings_from_launcher({}, _TIMEOUT)


def test_more_processes_than_gpus(launched, gpus):
    launched()
    gpus(1)
    with pytest.raises(InputError, match=r"2 processes on this machine, which has 1 GPU\(s\); give --nproc-per-node=1"):
        trainer_settings_from_launcher({}, _TIMEOUT)
    assert trainer_settings_from_launcher({"accelerator": "cpu"}, _TIMEOUT)["accelerator"] == "cpu"


def test_telling_the_launcher(monkeypatch, tmp_path):
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    tell_launcher("kaoiro: there is no corpus")
    # torchrun's own reader of the file.
    failure = ProcessFailure(local_rank=0, pid=1, exitcode=2, error_file=str(tmp_path / "error.json"))
    assert failure.message["message"] == "kaoiro: there is no corpus"
    assert json.loads((tmp_path / "error.json").read_text())["message"]["extraInfo"]["timestamp"].isdigit()
