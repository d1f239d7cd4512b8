import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kaoiro.errors import InputError
from kaoiro.models import ExpressionClassifier, create_backbone

GOOD = """
import torch
from torch import nn

class Small(nn.Module):
    def __init__(self, channels, width=5):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, width, 3), nn.BatchNorm2d(width), nn.Dropout())
    def forward(self, x):
        return self.layers(x).mean((2, 3))

class Maps(Small):
    def forward(self, x):
        return self.layers(x)

class Wrapper(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.LazyLinear(4)
    def forward(self, x):
        return self.linear(x.flatten(1))

class Random(Small):
    def forward(self, x):
        return super().forward(x) + torch.rand(1)

class Anything(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.num_features = options["features"]
        self.options = options
    def forward(self, x):
        return x.new_zeros(len(x), self.num_features)

NOT_A_NETWORK = 3
def function(channels):
    return Small(channels)
"""

BAD = """
from torch import nn
import torch

class Liar(nn.Module):
    num_features = 12
    def forward(self, x):
        return x.flatten(1)

class Tuple(nn.Module):
    def forward(self, x):
        return x, x

class Scalar(nn.Module):
    def forward(self, x):
        return x.sum()

class Whole(nn.Module):
    def forward(self, x):
        return x.flatten(1).long()

class Mixer(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:1]

class NoForward(nn.Module):
    pass

class Broken(nn.Module):
    def __init__(self, channels, depth):
        super().__init__()
        raise KeyError("no such thing")

class Narrow(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(28 * 28, 4)
    def forward(self, x):
        return self.linear(x.flatten(1))

class View(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.convolution = nn.Conv2d(channels, 2, 3)
    def forward(self, x):
        return self.convolution(x).view(len(x), -1)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current folder, with modules that nothing outside the test remembers."""
    (tmp_path / "own_good.py").write_text(GOOD)
    (tmp_path / "own_bad.py").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("own_"):
            del sys.modules[name]


def test_a_network_from_the_current_folder():
    network = create_backbone("own_good.Small", channels=3, options={"width": 9}, size=20)
    assert network.num_features == 9
    assert network(torch.rand(4, 3, 20, 20)).shape == (4, 9)


def test_a_network_in_a_package(folder):
    (folder / "own_package" / "inner").mkdir(parents=True)
    (folder / "own_package" / "inner" / "nets.py").write_text(GOOD)
    assert create_backbone("own_package.inner.nets.Small", 1).num_features == 5


def test_maps_are_averaged():
    torch.manual_seed(0)
    maps = ExpressionClassifier(create_backbone("own_good.Maps", 1), {"a": 3}).eval()
    torch.manual_seed(0)
    features = ExpressionClassifier(create_backbone("own_good.Small", 1), {"a": 3}).eval()
    faces = torch.randint(0, 256, (2, 1, 48, 48), dtype=torch.uint8)
    torch.testing.assert_close(maps(faces)["a"], features(faces)["a"])


def test_a_network_that_takes_any_option():
    network = create_backbone("own_good.Anything", 1, {"features": 3, "colour": "grey"})
    assert network.options == {"features": 3, "colour": "grey"}
    assert network.num_features == 3


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_lazy_layers_are_made_for_the_size():
    assert create_backbone("own_good.Wrapper", 1, size=10).linear.weight.shape == (4, 100)


@pytest.mark.parametrize("name", ["own_good.Small", "own_good.Random"])
def test_the_trial_leaves_no_trace(name):
    torch.manual_seed(7)
    network = create_backbone(name, 1)
    drawn = torch.rand(3)
    import own_good

    torch.manual_seed(7)
    untried = getattr(own_good, name.partition(".")[2])(1)
    assert torch.equal(drawn, torch.rand(3))
    assert all(module.training for module in network.modules())
    for key, value in untried.state_dict().items():
        assert torch.equal(network.state_dict()[key], value), key


# One line for each way of getting it wrong.
@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("own_missing.Net", {}, r"no module 'own_missing' in the current folder '.*' nor in this Python's packages"),
        ("own_good.part.Net", {}, "no module 'own_good.part' in the current folder"),
        (
            "own_good.Smal",
            {},
            r"'own_good' has no subclass of torch.nn.Module called 'Smal'; its networks are: Any",
        ),
        ("own_good.NOT_A_NETWORK", {}, "no subclass of torch.nn.Module called 'NOT_A_NETWORK'"),
        ("own_good.function", {}, "no subclass of torch.nn.Module called 'function'"),
        ("own_good.Small", {"depth": 3}, "'own_good.Small' has no option 'depth'; its options are: width"),
        ("own_good.Wrapper", {"depth": 3}, "has no option 'depth'; it has none"),
        ("own_bad.Liar", {}, r"'own_bad.Liar' says num_features = 12, but gives 2304 features"),
        ("own_bad.Tuple", {}, r"turns \(2, 1, 48, 48\) into a tuple; it must give one tensor"),
        ("own_bad.Scalar", {}, r"turns \(2, 1, 48, 48\) into \(\); it must give floating \(2, features\)"),
        ("own_bad.Whole", {}, r"into \(2, 2304\) of torch.int64; it must give floating"),
        ("own_bad.Mixer", {}, r"into \(1, 2304\); it must"),
        ("own_bad.NoForward", {}, r"cannot read pictures of 1×48×48: NotImplementedError: .*forward"),
        ("own_bad.Broken", {}, "'own_bad.Broken' needs the option 'depth'; give it in model.network_options"),
        ("own_bad.Broken", {"depth": 1}, r"cannot be made: KeyError: 'no such thing' \(own_bad.py, line 32\)"),
        ("own_bad.Narrow", {}, r"read pictures of 1×48×48: RuntimeError: mat1 and mat2 .* \(own_bad.py, line 39\)"),
        ("own_bad.View", {}, r"Use \.reshape\(\.\.\.\) instead\. \(own_bad.py, line 46\)"),
    ],
)
def test_what_cannot_be_used(name, options, line):
    with pytest.raises(InputError, match=line) as caught:
        create_backbone(name, 1, options)
    assert "\n" not in str(caught.value)


# A module that fails while it is imported, and what the line says of it.
@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("class Net(:\n", r"cannot be imported: SyntaxError: .*own_faulty.py, line 1\)$"),
        ("\nimport numpi\n", r"ModuleNotFoundError: No module named 'numpi' \(own_faulty.py, line 2\)"),
        ("from torch import nm\n", r"ImportError: cannot import name 'nm' .* \(own_faulty.py, line 1\)"),
        ("x = 1\ny = x / 0\n", r"ZeroDivisionError: division by zero \(own_faulty.py, line 2\)"),
    ],
)
def test_a_module_that_cannot_be_imported(folder, code, line):
    (folder / "own_faulty.py").write_text(code)
    with pytest.raises(InputError, match=line):
        create_backbone("own_faulty.Net", 1)


def test_nothing_but_a_network_is_ever_called():
    with pytest.raises(InputError, match=r"has no subclass of torch\.nn\.Module called 'Popen'$"):
        create_backbone("subprocess.Popen", 1, {"args": "touch called"})
    assert not Path("called").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", [["-m", "kaoiro"], [str(Path(sys.executable).with_name("kaoiro"))]])
def test_both_ways_of_starting_find_the_current_folder(command):
    result = subprocess.run(
        [sys.executable, *command, "models", "own_good.Small"], capture_output=True, text=True, check=True
    )
    # 5 filters of 3×3, 5 scales and shifts, and a head of 7 classes.
    assert f"{5 * 9 + 5 + 10 + 7 * 6:,}" in result.stdout.splitlines()[2]
    assert result.stderr == ""
