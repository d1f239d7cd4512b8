from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kaoiro.corpus.store import open_corpus
from kaoiro.corpus.synthetic import write_synthetic_corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import VOTE_NAMES
from kaoiro.training.data import FaceData, usable_faces
from kaoiro.training.heads import HeadConfig, head_targets

BOTH = {"labels": HeadConfig(), "votes": HeadConfig(target="votes")}


@pytest.fixture
def data(drawn_corpus):
    def make(corpus=drawn_corpus, rank=0, processes=1, **options):
        made = FaceData(corpus, **{"size": 48, "heads": BOTH, "batch_size": 32, **options})
        made.trainer = SimpleNamespace(world_size=processes, global_rank=rank)
        made.setup("fit")
        return made

    return make


def epoch(data, number=0):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)
    return list(loader)


def rows_of(batches, corpus_path):
    """Which rows of the train split a list of batches is made of."""
    faces = open_corpus(corpus_path).select("train").decode_faces(48, 1)
    place = {face.tobytes(): i for i, face in enumerate(faces)}
    assert len(place) == len(faces)
    return [place[face.numpy().tobytes()] for batch in batches for face in batch["faces"]]


def test_validation_is_the_corpus_in_order(data, drawn_corpus):
    batches = list(data().val_dataloader())
    part = open_corpus(drawn_corpus).select("validation")
    assert np.array_equal(np.concatenate([b["faces"] for b in batches]), part.decode_faces(48, 1))
    for name, head in BOTH.items():
        targets = head_targets(part, head)
        for key in ("distribution", "weight", "answer"):
            assert torch.equal(torch.cat([b[f"{name}.{key}"] for b in batches]), getattr(targets, key))


def test_training_batches_are_rows_of_the_corpus(data, drawn_corpus):
    batches = epoch(data(batch_size=20))
    rows = rows_of(batches, drawn_corpus)
    assert [len(batch["faces"]) for batch in batches] == [20] * 7
    assert sorted(rows) == list(range(140))  # every face once
    targets = head_targets(open_corpus(drawn_corpus).select("train"), BOTH["votes"])
    assert torch.equal(torch.cat([b["votes.distribution"] for b in batches]), targets.distribution[rows])
    assert torch.equal(torch.cat([b["votes.answer"] for b in batches]), targets.answer[rows])


def test_an_incomplete_batch_is_left_to_other_epochs(data, drawn_corpus):
    made = data(batch_size=32)
    rows = [rows_of(epoch(made, number), drawn_corpus) for number in range(4)]
    assert all(len(set(one)) == len(one) == 128 for one in rows)
    assert {row for one in rows for row in one} == set(range(140))


def test_the_order_depends_on_seed_and_epoch(data, drawn_corpus):
    def order(seed, number):
        return rows_of(epoch(data(seed=seed), number), drawn_corpus)

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_processes_share_an_epoch(data, drawn_corpus):
    rows = [rows_of(epoch(data(batch_size=10, rank=rank, processes=2)), drawn_corpus) for rank in (0, 1)]
    assert len(rows[0]) == len(rows[1]) == 70
    assert sorted(rows[0] + rows[1]) == list(range(140))


def test_a_corpus_smaller_than_a_batch(data):
    (batch,) = epoch(data(batch_size=1000))
    assert len(batch["faces"]) == 140


def test_size_and_channels(data):
    (batch,) = epoch(data(batch_size=140, size=20, channels=3))
    assert batch["faces"].shape == (140, 3, 20, 20)
    assert batch["faces"].dtype == torch.uint8


def test_usable_faces():
    faces = np.zeros((5, 1, 4, 4), np.uint8)
    faces[1:, 0, 0, 0] = 1
    no_face = VOTE_NAMES.index("not-a-face")
    votes = np.zeros((5, 10), np.uint8)
    votes[2, [no_face, 0]] = 5, 5
    votes[3, [no_face, 0]] = 6, 4
    assert usable_faces(faces, votes).tolist() == [False, True, True, False, True]
    assert usable_faces(faces, None).tolist() == [False, True, True, True, True]


def test_unfit_faces_are_trained_on_if_wanted(data, drawn_corpus, monkeypatch):
    monkeypatch.setattr("kaoiro.training.data.usable_faces", lambda faces, votes: np.arange(len(faces)) % 2 == 0)
    made = data(batch_size=10)
    assert (made.left_out, made.train_faces, made.validation_faces) == (70, 70, 70)
    assert sorted(rows_of(epoch(made), drawn_corpus)) == list(range(0, 140, 2))
    assert data(only_usable=False).train_faces == 140


def test_without_heads_the_labels_are_learned(data):
    (batch,) = epoch(data(batch_size=140, heads=None))
    assert batch["expression.distribution"].shape == (140, 7)


def test_a_corpus_without_validation(data, tmp_path):
    write_synthetic_corpus(tmp_path / "c.parquet", train=7, validation=0, test=0)
    with pytest.raises(CorpusError, match="no split 'validation'; its splits are train"):
        data(tmp_path / "c.parquet")


def test_nothing_fit_to_train_on(data, monkeypatch):
    monkeypatch.setattr("kaoiro.training.data.usable_faces", lambda faces, votes: np.zeros(len(faces), bool))
    with pytest.raises(CorpusError, match="none of the 140 training faces"):
        data()


def test_batches_need_a_size(drawn_corpus):
    with pytest.raises(InputError, match="batch_size must be at least 1, not 0"):
        FaceData(drawn_corpus, batch_size=0)
