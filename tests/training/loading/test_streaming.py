import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from kaoiro.corpus.row_groups import RowGroups, open_row_groups
from kaoiro.corpus.store import open_corpus
from kaoiro.corpus.synthetic import write_synthetic_corpus
from kaoiro.training.heads import HeadConfig, head_targets
from kaoiro.training.loading.samplers import EpochOrder, GlobalBatches
from kaoiro.training.loading.streaming import FacesOnDisk

HEADS = {"votes": HeadConfig(target="votes")}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """100 faces in ten row groups."""
    path = tmp_path_factory.mktemp("corpus") / "ten.parquet"
    write_synthetic_corpus(path, train=100, validation=0, test=0)
    pq.write_table(pq.read_table(path), path, row_group_size=10)
    return path


def faces_of(path, chosen, kept=2):
    return FacesOnDisk(open_row_groups(path), chosen, HEADS, size=48, channels=1, kept=kept, discount_blank=False)


def every_third():
    return list((np.arange(100) % 3 == 0).reshape(10, 10))


def test_faces_are_numbered_as_they_lie(path):
    faces = faces_of(path, every_third())
    assert len(faces) == 34
    corpus = open_corpus(path)
    rows = np.arange(0, 100, 3)
    numbers = [33, 0, 5, 5, 17, 1]
    batch = faces.__getitems__(numbers)
    assert np.array_equal(batch["faces"], corpus.decode_faces(48, 1)[rows[numbers]])
    targets = head_targets(corpus, HEADS["votes"])
    assert torch.equal(batch["votes.distribution"], targets.distribution[rows[numbers]])
    assert torch.equal(batch["votes.weight"], targets.weight[rows[numbers]])
    assert torch.equal(batch["votes.answer"], targets.answer[rows[numbers]])
    assert torch.equal(faces[17]["faces"], batch["faces"][4])


def test_padding_counts_for_nothing(path):
    faces = faces_of(path, every_third())
    batch, whole = faces.__getitems__([4, ~5]), faces.__getitems__([4, 5])
    assert torch.equal(batch["faces"], whole["faces"])
    assert batch["votes.weight"].tolist() == [whole["votes.weight"][0], 0]
    assert batch["votes.answer"].tolist() == [whole["votes.answer"][0], -1]


@pytest.mark.parametrize("window", [1, 3])
def test_an_epoch_reads_each_row_group_once(path, monkeypatch, window):
    read = []
    pictures = RowGroups.pictures
    monkeypatch.setattr(RowGroups, "pictures", lambda self, group: read.append(group) or pictures(self, group))
    faces = faces_of(path, [np.ones(10, bool)] * 10, kept=window)
    # Batches of seven lie across windows again and again.
    for numbers in GlobalBatches(EpochOrder([10] * 10, window=window), 7):
        faces.__getitems__(numbers)
    assert sorted(read) == list(range(10))


def test_it_can_be_sent_to_another_process(path):
    faces = faces_of(path, every_third())
    faces.__getitems__([3])
    sent = pickle.loads(pickle.dumps(faces))
    assert torch.equal(sent.__getitems__([30])["faces"], faces.__getitems__([30])["faces"])
