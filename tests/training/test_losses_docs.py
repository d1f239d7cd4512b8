"""What docs/losses.md shows is run as it stands there."""

import re
import sys
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch.cli import LightningArgumentParser

from kaoiro.corpus.store import open_corpus
from kaoiro.corpus.synthetic import write_synthetic_corpus
from kaoiro.training.heads import HeadConfig, check_heads, head_targets
from kaoiro.training.losses import Loss, Losses, WeightedLoss
from kaoiro.training.losses.base import accept_lists_as_tensors
from kaoiro.training.losses.fitting import FITS, name_of

PAGE = (Path(__file__).parents[2] / "docs/losses.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


class Model:
    def __init__(
        self,
        heads: dict[str, HeadConfig] | None = None,
        losses: dict[str, Loss | list[WeightedLoss]] | None = None,
    ) -> None:
        check_heads(heads)
        self.losses = Losses(heads, losses)


def test_the_configurations(tmp_path):
    heads, losses = (yaml.safe_load(block)["model"] for block in blocks("yaml"))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"model": heads | losses}))
    accept_lists_as_tensors()
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(Model, "model")
    model = parser.instantiate(parser.parse_args([f"--config={tmp_path / 'config.yaml'}"])).model
    made = {name: [type(loss).__name__ for loss in model.losses._losses[name]] for name in heads["heads"]}
    assert made == {
        "fer2013": ["CrossEntropy", "TripletMarginLoss"],
        "ferplus": ["KullbackLeibler"],
        "mixed": ["BCEWithLogitsLoss"],
        "parts": ["BCEWithLogitsLoss"],
        "affect": ["HuberLoss"],
    }


def test_a_column_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_synthetic_corpus(tmp_path / "faces.parquet", train=14, validation=0, test=0)
    sources = open_corpus("faces.parquet").sources()
    code = blocks("python")[0].replace("faces.csv:1", sources[0]).replace("faces.csv:2", sources[3])
    exec(code, {})
    targets = head_targets(open_corpus("with-valence.parquet"), HeadConfig("values", columns=("valence",)))
    assert targets.weight.nonzero().flatten().tolist() == [0, 3]
    assert targets.distribution[[0, 3], 0].tolist() == pytest.approx([0.7, -0.3])


def test_a_loss_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "my_losses.py").write_text(blocks("python")[1])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_losses", raising=False)
    from my_losses import Wing

    losses = Losses({"affect": HeadConfig("values", columns=("valence",))}, {"affect": Wing()})
    near, far = torch.tensor([[0.4]]), torch.tensor([[3.0]])
    batch = {"affect.weight": torch.ones(1), "affect.answer": torch.tensor([-1]), "affect.distribution": near * 0}
    found = [losses({"affect": values}, values, batch)[0].item() for values in (near, far)]
    log = torch.log(torch.tensor([1 + 0.4 / 0.2, 1 + 1 / 0.2]))
    assert found == pytest.approx([log[0].item(), 3 - (1 - log[1].item())], rel=1e-5)


def test_the_table_has_each_known_loss():
    fits = {
        path: set(re.findall(r"`(\w+)`", row.split("|")[2]))
        for row in re.findall(r"^\|.*\|$", PAGE, re.MULTILINE)
        for path in re.findall(r"`((?:torch\.nn|kaoiro)\.[\w.]+)`", row.split("|")[1])
    }
    assert fits == {name_of(kind): set(fit.targets) for kind, fit in FITS.items()}
