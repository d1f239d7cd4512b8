import argparse
import os
import pickle
import zipfile

import pytest
import torch

from kaoiro.errors import ModelFileError
from kaoiro.training.weights.safe_loading import load_safely


class Harmful:
    """Asks to run a command when it is read."""

    def __init__(self, sign):
        self.sign = sign

    def __reduce__(self):
        return os.system, (f"touch '{self.sign}'",)


@pytest.mark.parametrize("kind", ["new form", "old form", "plain pickle", "old plain pickle"])
def test_code_is_not_run(tmp_path, kind):
    path, sign = tmp_path / "weights.pth", tmp_path / "code was run"
    content = {"state_dict": {"weight": torch.zeros(3)}, "extra": Harmful(sign)}
    match kind:
        case "new form":
            torch.save(content, path)
        case "old form":
            torch.save(content, path, _use_new_zipfile_serialization=False)
        case "plain pickle":
            path.write_bytes(pickle.dumps(Harmful(sign)))
        case "old plain pickle":
            path.write_bytes(pickle.dumps(Harmful(sign), protocol=0))
    with pytest.raises(ModelFileError, match=r"wants to run code when it is loaded \(posix\.system\)") as caught:
        load_safely(path)
    assert "\n" not in str(caught.value)
    assert not sign.exists()
    if "plain" in kind:  # the file is what it claims to be
        with path.open("rb") as file:
            pickle.load(file)
        assert sign.exists()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (argparse.Namespace(lr=0.1), r"argparse\.Namespace"),
        (torch.nn.Linear(2, 2), r"torch\.nn\.modules\.linear\.Linear"),
    ],
)
def test_objects_beside_the_weights(tmp_path, content, name):
    torch.save({"model": content}, tmp_path / "weights.pth")
    with pytest.raises(ModelFileError, match=rf"wants to run code when it is loaded \({name}\); .*state_dict"):
        load_safely(tmp_path / "weights.pth")


@pytest.mark.parametrize("content", [b"", b"no weights", bytes(1000), b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_other_files(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"weights\.pth' is no checkpoint or weights file of torch"):
        load_safely(path)


def test_half_a_file(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ModelFileError, match="or not a whole one"):
        load_safely(path)


def test_no_file(tmp_path):
    with pytest.raises(ModelFileError, match="there is no file"):
        load_safely(tmp_path / "weights.pth")


def as_saved_on_a_gpu(path):
    """Let a file say that its tensors were on the first GPU; only their place is different in such a file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (pickled,) = (name for name in members if name.endswith("/data.pkl"))
    there, here = (b"X" + len(text).to_bytes(4, "little") + text for text in (b"cuda:0", b"cpu"))
    assert here in members[pickled]
    members[pickled] = members[pickled].replace(here, there)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_the_cpu_loads_what_a_gpu_saved(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}, path)
    as_saved_on_a_gpu(path)
    if not torch.cuda.is_available():  # the file does ask for a GPU
        with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
            torch.load(path, weights_only=True)
    found = load_safely(path)
    assert {value.device.type for value in found.values()} == {"cpu"}
    assert torch.equal(found["weight"], torch.arange(6.0).reshape(2, 3))
