import numpy as np
import pytest
from PIL import Image

from kaoiro.training.run.curves import save_curves


def row(epoch, **figures):
    return {"epoch": epoch, "train/loss": 2 / epoch, "validation/loss": 1.5, **figures}


@pytest.mark.parametrize("epochs", [1, 2, 50])
def test_a_picture(tmp_path, epochs):
    rows = [row(e + 1, **{"validation/a/accuracy": 0.5, "validation/b/balanced_accuracy": 0.4}) for e in range(epochs)]
    save_curves(rows, tmp_path / "new" / "curves.png")
    with Image.open(tmp_path / "new" / "curves.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > 2 * picture.height
        assert len(np.unique(np.asarray(picture.convert("L")))) > 10


def test_figures_that_some_epochs_lack(tmp_path):
    save_curves([{"epoch": 1.0}, row(2, **{"validation/a/accuracy": 0.5})], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").exists()


def test_nothing_of_the_interactive_side_is_touched(tmp_path):
    import sys

    loaded = "matplotlib.pyplot" in sys.modules
    save_curves([row(1, **{"validation/a/accuracy": 0.5})], tmp_path / "curves.png")
    assert ("matplotlib.pyplot" in sys.modules) == loaded
