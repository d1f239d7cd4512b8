import json
import sys
from importlib import resources

import pytest
from typer.testing import CliRunner

from kaoiro.cli.app import app
from kaoiro.errors import InputError, MissingExtraError
from kaoiro.models import figures as figures_module
from kaoiro.models import network_names
from kaoiro.recognition.model_file import open_model, shipped_models


def run(*arguments):
    return CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)


@pytest.fixture
def without_torch(monkeypatch):
    assert figures_module  # what the test takes away is there otherwise
    monkeypatch.delitem(sys.modules, "kaoiro.models.figures")
    monkeypatch.setitem(sys.modules, "torch.utils.flop_counter", None)


def rows(table):
    lines = table.splitlines()
    assert lines[0].split() == ["network", "parameters", "MMAC", "input", "shipped", "weights", "measured", "accuracy"]
    return {line.split()[0]: line for line in lines[2:] if line and not line.startswith(" ")}


def test_the_list():
    result = run()
    assert result.exit_code == 0
    found = rows(result.stdout)
    assert [name for name in found if name in network_names()] == network_names()
    assert found["emotionnet"].split()[1:] == ["1,768,551", "248.4", "+", "7.4", "3×224×224", "none"]
    size = len((resources.files("kaoiro") / "weights" / "kaoiro-s.onnx").read_bytes()) / 2**20
    scores = open_model("kaoiro-s").metadata.scores["validation"]
    assert f"kaoiro-s, {size:.1f} MiB" in found["kaoiro-s"]
    for head, measured in scores.items():
        assert f"{measured['accuracy']:.1%} {head}, validation (n = {measured['n']:,})" in result.stdout
    for shipped in shipped_models():  # each beside its own figures
        metadata = open_model(shipped).metadata
        (line,) = [line for line in result.stdout.splitlines() if f" {shipped}, " in line]
        head, measured = next(iter(metadata.scores["validation"].items()))
        assert f"{measured['accuracy']:.1%} {head}" in line
    assert "timm:<name>" in result.stdout
    assert result.stderr == ""


def test_the_list_as_json():
    listed = json.loads(run("--format", "json").stdout)
    assert [one["name"] for one in listed] == network_names()
    emotionnet, small = (next(one for one in listed if one["name"] == name) for name in ("emotionnet", "kaoiro-s"))
    assert {key: emotionnet[key] for key in ("channels", "size", "parameters", "weights")} == {
        "channels": 3,
        "size": 224,
        "parameters": 1_768_551,
        "weights": [],
    }
    metadata = open_model("kaoiro-s").metadata
    weights = next(one for one in small["weights"] if one["name"] == "kaoiro-s")
    assert weights["scores"] == metadata.scores
    assert weights["provenance"] == metadata.provenance
    assert weights["heads"] == {name: list(head.classes) for name, head in metadata.heads.items()}
    assert weights["bytes"] > 1e6


def test_one_network_at_an_input_of_ones_own():
    (listed,) = json.loads(run("kaoiro-s", "--size", "24", "--channels", "3", "--format", "json").stdout)
    assert (listed["name"], listed["size"], listed["channels"]) == ("kaoiro-s", 24, 3)
    assert "kaoiro-s" in [weights["name"] for weights in listed["weights"]]
    table = run("kaoiro-s", "--size", "24").stdout
    assert "MiB for 1×48×48" in rows(table)["kaoiro-s"]


def test_a_network_of_timm():
    found = rows(run("timm:test_resnet", "--size", "32", "--channels", "3").stdout)
    assert next(iter(found)) == "timm:test_resnet"
    assert found["timm:test_resnet"].split()[3:] == ["3×32×32", "none"]


# One line for each way of getting it wrong.
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["resnet18"], "there is no network 'resnet18'; the networks are: "),
        (["timm:resnet81"], "there is no network 'timm:resnet81' in timm"),
        (["no_such_module.Net"], "there is no module 'no_such_module'"),
        (["emotionnet", "--size", "48"], "emotionnet cannot read pictures of 48×48 pixels"),
    ],
)
def test_what_cannot_be_listed(arguments, line):
    with pytest.raises(InputError, match=line):
        run(*arguments)


def test_options_out_of_range():
    assert run("kaoiro-s", "--size", "0").exit_code == 2
    assert run("kaoiro-s", "--channels", "0").exit_code == 2
    assert run("--format", "xml").exit_code == 2


def test_without_torch_the_shipped_weights_are_listed(without_torch):
    result = run()
    assert result.exit_code == 0
    found = rows(result.stdout)
    assert {"kaoiro-n", "kaoiro-s"} <= set(found)
    assert "emotionnet" not in found
    assert "1×48×48" in found["kaoiro-s"]
    assert "MiB" in found["kaoiro-s"]
    assert "counting parameters and MMAC needs torch; install it with: pip install 'kaoiro[train]'" in result.stderr
    for listed in json.loads(run("--format", "json").stdout):
        assert set(listed) == {"name", "weights"}


def test_without_torch_a_network_that_is_not_shipped(without_torch):
    with pytest.raises(MissingExtraError, match="needs torch"):
        run("emotionnet")
