import warnings

import numpy as np
import pytest
from PIL import Image

from kaoiro.corpus.plots import save_charts
from kaoiro.corpus.summary import Summary
from kaoiro.errors import InputError


def summary_of(faces=6, votes=False, groups=(), **columns):
    entropy = np.linspace(0, 2, faces) if votes else np.full(faces, np.nan)
    labels = np.arange(faces) % 3 - 1
    return Summary(
        labels=labels.astype(np.int8),
        splits=labels.astype(np.int8),
        vote_entropy=entropy.astype(np.float32),
        group_sizes=np.array(groups, np.int64),
        columns={name: np.array(values, np.float32) for name, values in columns.items()},
    )


@pytest.mark.parametrize(
    ("summary", "sides", "lines"),
    [
        (summary_of(), [48], 1),
        (summary_of(votes=True), [30, 31], 2),
        (summary_of(groups=[4, 1]), [6, 1000], 2),
        (summary_of(unknown=[]), [48], 1),
        (summary_of(votes=True, groups=[3], valence=np.linspace(-1, 1, 40), fold=[0, 1], unknown=[]), [48], 4),
    ],
)
def test_there_are_as_many_charts_as_there_is_to_show(tmp_path, summary, sides, lines):
    sizes = np.resize(sides, (6, 2)).astype(np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_charts(summary, sizes, tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as chart:
        assert chart.size == (1210, round(429 * lines))
        pixels = np.asarray(chart.convert("L"))
    for line in range(lines):
        assert (pixels[429 * line : 429 * (line + 1), :605] < 128).any()


def test_whole_numbers_have_a_bar_each(tmp_path):
    save_charts(summary_of(fold=range(45)), np.ones((6, 2), np.int64), tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as chart:
        pixels = np.asarray(chart.convert("RGB"), np.int64)[429:]
    is_bar = (np.abs(pixels - (0x5B, 0x84, 0xB1)).sum(axis=2) < 60).astype(int)
    assert (np.diff(is_bar, axis=1) == 1).sum(axis=1).max() == 45


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_charts(summary_of(), np.ones((6, 2), np.int64), tmp_path / "file/c.png")
