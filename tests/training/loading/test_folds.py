from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from kaoiro.corpus.splitting import Wish, split_corpus
from kaoiro.corpus.store import open_corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.training.loading.data import FaceData


@pytest.fixture(scope="module")
def folded(drawn_corpus, tmp_path_factory):
    """The drawn corpus with its 140 training faces in three folds, in row groups of 60."""
    path = tmp_path_factory.mktemp("folds") / "folded.parquet"
    split_corpus(drawn_corpus, path, Wish(ratios=None, folds=3), near_duplicates=False)
    pq.write_table(pq.read_table(path), path, row_group_size=60)
    return path


def data(corpus, **options):
    made = FaceData(corpus, batch_size=200, drop_last=False, shuffle=False, **options)
    made.trainer = SimpleNamespace(
        world_size=1,
        global_rank=0,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        fit_loop=SimpleNamespace(batch_idx=-1),
        current_epoch=0,
    )
    made.setup("fit")
    return made


@pytest.mark.parametrize("in_memory", [True, False], ids=["RAM", "disk"])
@pytest.mark.parametrize("fold", [0, 2])
def test_one_fold_validates_and_the_others_train(folded, fold, in_memory):
    made = data(folded, validation_fold=fold, in_memory=in_memory)
    corpus = open_corpus(folded)
    faces, folds = corpus.decode_faces(48, 1), corpus.column("fold")
    (validation,), (train,) = list(made.val_dataloader()), list(made.train_dataloader())
    assert np.array_equal(validation["faces"], faces[folds == fold])
    assert np.array_equal(train["faces"], faces[(folds != fold) & ~np.isnan(folds)])
    assert made.train_faces + made.validation_faces == 140
    assert f"for validation (fold {fold}), " in made.description


def test_without_a_fold_the_splits_hold(folded):
    made = data(folded)
    assert (made.train_faces, made.validation_faces) == (140, 70)


def test_folds_of_faces_outside_train_are_not_used(folded, tmp_path):
    table = pq.read_table(folded)
    place = table.schema.get_field_index("fold")
    pq.write_table(table.set_column(place, "fold", pa.array(np.arange(280) % 2)), tmp_path / "c.parquet")
    made = data(tmp_path / "c.parquet", validation_fold=1)
    assert made.train_faces + made.validation_faces == 140


@pytest.mark.parametrize(
    ("fold", "line"),
    [
        (3, r"validation_fold is 3, and the folds of .*folded.parquet are 0 to 2"),
        (-1, r"validation_fold must be at least 0, not -1"),
    ],
)
def test_a_fold_that_there_is_not(folded, fold, line):
    with pytest.raises(InputError, match=line):
        data(folded, validation_fold=fold)


def test_a_corpus_without_folds(drawn_corpus, folded, tmp_path):
    with pytest.raises(CorpusError, match=r"has no folds for validation_fold; `kaoiro data split .* -o NEW --folds 5`"):
        data(drawn_corpus, validation_fold=0)
    table = pq.read_table(folded)
    place = table.schema.get_field_index("fold")
    pq.write_table(table.set_column(place, "fold", pa.nulls(280, pa.int32())), tmp_path / "c.parquet")
    with pytest.raises(CorpusError, match="has no folds for validation_fold"):
        data(tmp_path / "c.parquet", validation_fold=0)
