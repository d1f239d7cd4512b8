"""Little sources of labelled faces."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_csv(tmp_path):
    """Write lines behind a header, and give the file."""

    def write(*rows, header="emotion,pixels,Usage", name="fer2013.csv", end="\n"):
        path = tmp_path / name
        path.write_bytes(end.join([header, *rows, ""]).encode())
        return path

    return write


@pytest.fixture
def save_picture(tmp_path):
    """Save a picture below the test's folder, and give its file."""

    def save(name, pixels=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((6, 5), 77, np.uint8) if pixels is None else pixels).save(path)
        return path

    return save


@pytest.fixture(scope="session")
def fer2013_sample(tmp_path_factory):
    """The first rows of each split of the real FER2013: a folder of its published forms, and the arrays."""
    shared = Path(__file__).parents[3] / "shared"
    tool, arrays = shared / "tools" / "fer2013_files.py", shared / "data" / "fer2013.npz"
    if not (tool.exists() and arrays.exists()):
        pytest.skip("FER2013 is not beside the repository")
    folder = tmp_path_factory.mktemp("fer2013")
    forms = ["--kaggle-csv", "--ferplus-csv", "--folders"]
    subprocess.run([sys.executable, tool, folder, "--limit", "25", *forms], check=True)
    with np.load(arrays) as file:
        usage = file["usage"]
        rows = np.sort(np.concatenate([np.flatnonzero(usage == split)[:25] for split in range(3)]))
        sample = {name: file[name][rows] for name in ("images", "labels", "usage", "ferplus")}
    return folder, sample
