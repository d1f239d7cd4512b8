import os

import pytest

from kaoiro.training.loading import memory
from kaoiro.training.loading.memory import available_memory


def test_it_is_less_than_the_machine_has():
    everything = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < available_memory() < everything


@pytest.mark.parametrize(("limit", "left"), [("3000", 1000), ("1500", 0)])
def test_a_container_may_have_less(tmp_path, monkeypatch, limit, left):
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("2000\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert available_memory() == left


def test_a_container_without_a_limit(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("2000\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert available_memory() > 2000
