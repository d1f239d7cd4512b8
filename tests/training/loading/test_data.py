from types import SimpleNamespace

import lightning as L
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser

from kaoiro.corpus.pictures import encode_png
from kaoiro.corpus.store import open_corpus
from kaoiro.corpus.synthetic import write_synthetic_corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import VOTE_NAMES
from kaoiro.training.heads import HeadConfig, head_targets
from kaoiro.training.loading.data import FaceData
from kaoiro.training.run.quiet import quiet_engine

BOTH = {"labels": HeadConfig(), "votes": HeadConfig(target="votes")}
# A row group of the striped corpus has some 64 kB of pictures, so two are mixed at a time.
FROM_DISK = {"in_memory": False, "shuffle_megabytes": 0.15}
PLACES = pytest.mark.parametrize("place", [{"in_memory": True}, FROM_DISK], ids=["RAM", "disk"])


@pytest.fixture(scope="module")
def striped_corpus(tmp_path_factory):
    """140 faces in train and 70 in validation, mixed, in row groups of 35."""
    path = tmp_path_factory.mktemp("corpus") / "striped.parquet"
    write_synthetic_corpus(path, train=140, validation=70, test=0)
    rows = np.random.default_rng(0).permutation(210)
    pq.write_table(pq.read_table(path).take(rows), path, row_group_size=35)
    return path


@pytest.fixture
def data(striped_corpus):
    def make(corpus=striped_corpus, rank=0, processes=1, **options):
        made = FaceData(corpus, **{"size": 48, "heads": BOTH, "batch_size": 32, **options})
        made.trainer = SimpleNamespace(
            world_size=processes,
            global_rank=rank,
            strategy=SimpleNamespace(root_device=torch.device("cpu")),
            fit_loop=SimpleNamespace(batch_idx=-1),
            current_epoch=0,
        )
        made.setup("fit")
        return made

    return make


def epoch(data, number=0):
    data.trainer.current_epoch = number
    loader = data.train_dataloader()
    batches = list(loader)
    assert len(batches) == len(loader)
    return batches


def rows_of(batches, corpus_path, split="train"):
    """Which rows of a split a list of batches is made of; faces that count for nothing are left out."""
    faces = open_corpus(corpus_path).select(split).decode_faces(48, 1)
    place = {face.tobytes(): i for i, face in enumerate(faces)}
    assert len(place) == len(faces)
    return [
        place[face.numpy().tobytes()]
        for batch in batches
        for face, weight in zip(batch["faces"], batch["labels.weight"], strict=True)
        if weight
    ]


def same(batches, others):
    return len(batches) == len(others) and all(
        one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
        for one, other in zip(batches, others, strict=True)
    )


@PLACES
def test_validation_is_the_corpus_in_order(data, striped_corpus, place):
    batches = list(data(**place).val_dataloader())
    part = open_corpus(striped_corpus).select("validation")
    assert np.array_equal(np.concatenate([b["faces"] for b in batches]), part.decode_faces(48, 1))
    for name, head in BOTH.items():
        targets = head_targets(part, head)
        for key in ("distribution", "weight", "answer"):
            assert torch.equal(torch.cat([b[f"{name}.{key}"] for b in batches]), getattr(targets, key))


@PLACES
def test_training_batches_are_rows_of_the_corpus(data, striped_corpus, place):
    batches = epoch(data(batch_size=20, **place))
    rows = rows_of(batches, striped_corpus)
    assert [len(batch["faces"]) for batch in batches] == [20] * 7
    assert sorted(rows) == list(range(140))  # every face once
    targets = head_targets(open_corpus(striped_corpus).select("train"), BOTH["votes"])
    assert torch.equal(torch.cat([b["votes.distribution"] for b in batches]), targets.distribution[rows])
    assert torch.equal(torch.cat([b["votes.answer"] for b in batches]), targets.answer[rows])


def test_a_corpus_that_fits_into_one_window_comes_alike_from_ram_and_disk(data):
    kept, read = data(in_memory=True), data(in_memory=False)
    assert same(epoch(kept, 3), epoch(read, 3))
    assert same(list(kept.val_dataloader()), list(read.val_dataloader()))


@PLACES
@pytest.mark.parametrize(
    "workers", [{"num_workers": 1}, {"num_workers": 2, "persistent_workers": True, "prefetch_factor": 3}]
)
def test_workers_change_nothing(data, place, workers):
    alone, helped = data(batch_size=20, **place), data(batch_size=20, **place, **workers)
    loader = helped.train_dataloader()
    for number in (0, 1):
        helped.trainer.current_epoch = number
        assert same(list(loader), epoch(alone, number))
    assert same(list(helped.val_dataloader()), list(alone.val_dataloader()))


@PLACES
def test_an_incomplete_batch_is_left_to_other_epochs(data, striped_corpus, place):
    made = data(batch_size=32, **place)
    rows = [rows_of(epoch(made, number), striped_corpus) for number in range(4)]
    assert all(len(set(one)) == len(one) == 128 for one in rows)
    assert {row for one in rows for row in one} == set(range(140))


@PLACES
def test_or_it_is_trained_on(data, striped_corpus, place):
    batches = epoch(data(batch_size=32, drop_last=False, **place))
    assert [len(batch["faces"]) for batch in batches] == [32] * 4 + [12]
    assert sorted(rows_of(batches, striped_corpus)) == list(range(140))


@PLACES
def test_the_order_depends_on_seed_and_epoch(data, striped_corpus, place):
    def order(seed, number):
        return rows_of(epoch(data(seed=seed, **place), number), striped_corpus)

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


@PLACES
def test_without_shuffling(data, striped_corpus, place):
    assert rows_of(epoch(data(batch_size=20, shuffle=False, **place), 2), striped_corpus) == list(range(140))


@PLACES
def test_processes_share_an_epoch(data, striped_corpus, place):
    parts = [epoch(data(batch_size=17, rank=rank, processes=3, drop_last=False, **place)) for rank in range(3)]
    alone = epoch(data(batch_size=51, drop_last=False, **place))
    assert [[len(batch["faces"]) for batch in part] for part in parts] == [[17, 17, 13]] * 3
    for together, *shares in zip(alone, *parts, strict=True):
        rows = [row for share in shares for row in rows_of([share], striped_corpus)]
        assert sorted(rows) == sorted(rows_of([together], striped_corpus))


@PLACES
def test_processes_share_the_validation(data, striped_corpus, place):
    parts = [list(data(rank=rank, processes=3, **place).val_dataloader()) for rank in range(3)]
    assert [[len(batch["faces"]) for batch in part] for part in parts] == [[24]] * 3
    rows = [row for part in parts for row in rows_of(part, striped_corpus, "validation")]
    assert sorted(rows) == list(range(70))
    (padded,) = parts[2]
    assert padded["labels.weight"].tolist() == [1] * 23 + [0]
    assert padded["votes.weight"][23] == 0
    assert padded["labels.answer"][23] == padded["votes.answer"][23] == -1


@PLACES
def test_balanced_sampling(data, tmp_path, place):
    path = tmp_path / "unbalanced.parquet"
    write_synthetic_corpus(path, train=700, validation=7, test=0)
    table = pq.read_table(path)
    label = np.array(table["label"].to_pylist())
    rows = np.flatnonzero((label != "disgust") | (np.arange(707) % 4 == 0))
    pq.write_table(table.take(rows), path, row_group_size=100)

    def drawn(sampling):
        batches = epoch(data(path, sampling=sampling, drop_last=False, **place))
        return torch.cat([batch["labels.answer"] for batch in batches]).bincount(minlength=7).numpy()

    uniform, balanced = drawn("uniform"), drawn("balanced")
    assert uniform[1] < 40 < uniform.sum() / 7 - 40
    # Five standard deviations of a binomial count.
    assert np.all(np.abs(balanced - balanced.sum() / 7) < 5 * np.sqrt(balanced.sum() * 6 / 49))
    assert drawn({"fear": 0, "anger": 0})[[0, 2]].tolist() == [0, 0]


@PLACES
def test_a_corpus_smaller_than_a_batch(data, place):
    (batch,) = epoch(data(batch_size=1000, **place))
    assert len(batch["faces"]) == 140


@PLACES
def test_size_and_channels(data, place):
    (batch,) = epoch(data(batch_size=140, size=20, channels=3, **place))
    assert batch["faces"].shape == (140, 3, 20, 20)
    assert batch["faces"].dtype == torch.uint8


@pytest.fixture
def flawed_corpus(striped_corpus, tmp_path):
    """The striped corpus, with two blank training faces and three that raters took for none."""
    table = pq.read_table(striped_corpus)
    train = np.flatnonzero(np.array(table["split"].to_pylist()) == "train")
    images, votes = table["image"].to_pylist(), table["votes"].to_pylist()
    for row in train[:2]:
        images[row]["bytes"] = encode_png(np.full((48, 48), 90, np.uint8))
    for row in train[2:5]:
        votes[row] = [0] * 10
        votes[row][VOTE_NAMES.index("not-a-face")] = 6
        votes[row][0] = 4
    for name, values in (("image", images), ("votes", votes)):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.field(name), pa.array(values, table.field(name).type))
    path = tmp_path / "flawed.parquet"
    pq.write_table(table, path, row_group_size=35)
    return path


def test_unfit_faces_are_left_out(data, flawed_corpus):
    made = data(flawed_corpus, batch_size=15, in_memory=True)
    assert (made.left_out, made.train_faces, made.validation_faces) == (5, 135, 70)
    assert sum(int(batch["labels.weight"].sum()) for batch in epoch(made)) == 135
    assert data(flawed_corpus, only_usable=False).train_faces == 140


def test_blank_faces_from_disk_count_for_nothing(data, flawed_corpus):
    made = data(flawed_corpus, batch_size=137, **FROM_DISK)
    assert (made.left_out, made.train_faces) == (3, 137)
    (batch,) = epoch(made)
    blank = batch["faces"].flatten(1).amin(1) == batch["faces"].flatten(1).amax(1)
    assert blank.sum() == 2
    for head in BOTH:
        assert not batch[f"{head}.weight"][blank].any()
        assert (batch[f"{head}.answer"][blank] == -1).all()
    assert batch["labels.weight"].sum() == 135


@PLACES
def test_what_is_known_of_the_targets(data, striped_corpus, place):
    made = data(**place)
    part = open_corpus(striped_corpus).select("train")
    for name, head in BOTH.items():
        targets = head_targets(part, head)
        expected = (targets.distribution.double() * targets.weight[:, None]).sum(0)
        torch.testing.assert_close(made.class_weight_sums[name], expected)


def test_without_heads_the_labels_are_learned(data):
    (batch,) = epoch(data(batch_size=140, heads=None))
    assert batch["expression.distribution"].shape == (140, 7)


def first_pixels(faces):
    return {"pixels": torch.stack([face["faces"][0, 0, 0] for face in faces]), "faces": torch.zeros(len(faces))}


@PLACES
def test_a_collate_function(data, place):
    own, usual = data(collate_fn=first_pixels, **place), data(**place)
    for batch, other in zip(epoch(own), epoch(usual), strict=True):
        assert torch.equal(batch["pixels"], other["faces"][:, 0, 0, 0])
    assert same(list(own.val_dataloader()), list(usual.val_dataloader()))


def test_faces_go_where_they_fit(data, monkeypatch):
    needed = 210 * 48 * 48
    assert data().description == "140 training faces and 70 for validation, in memory (0 MB)"
    monkeypatch.setattr("kaoiro.training.loading.data.available_memory", lambda: 2 * needed - 1)
    text = "140 training faces and 70 for validation, read from disk (decoded they take 0 MB; 0 MB may be used)"
    assert data().description == text
    monkeypatch.setattr("kaoiro.training.loading.data.available_memory", lambda: 2 * needed)
    assert "in memory" in data().description
    monkeypatch.setattr("kaoiro.training.loading.data.available_memory", lambda: None)
    assert "in memory" in data().description
    assert data(in_memory=False).description.endswith("read from disk")


def test_a_corpus_without_validation(data, tmp_path):
    write_synthetic_corpus(tmp_path / "c.parquet", train=7, validation=0, test=0)
    with pytest.raises(CorpusError, match="no split 'validation'; its splits are train"):
        data(tmp_path / "c.parquet")


def test_nothing_fit_to_train_on(data, tmp_path, striped_corpus):
    table = pq.read_table(striped_corpus)
    blank = [{"bytes": encode_png(np.zeros((48, 48), np.uint8)), "path": None}] * 210
    pq.write_table(table.set_column(0, table.field(0), pa.array(blank, table.field(0).type)), tmp_path / "c.parquet")
    with pytest.raises(CorpusError, match="none of the 140 training faces"):
        data(tmp_path / "c.parquet", in_memory=True)


@PLACES
def test_a_head_without_targets(data, striped_corpus, tmp_path, place):
    table = pq.read_table(striped_corpus)
    field = table.schema.get_field_index("votes")
    pq.write_table(table.set_column(field, table.field(field), pa.nulls(210, table.field(field).type)), tmp_path / "c")
    with pytest.raises(CorpusError, match="the corpus has no votes, but a head is trained on them"):
        data(tmp_path / "c", **place)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_picture_that_cannot_be_decoded(data, striped_corpus, tmp_path, workers):
    table = pq.read_table(striped_corpus)
    images = table["image"].to_pylist()
    images[100]["bytes"] = images[100]["bytes"][:60]
    pq.write_table(table.set_column(0, table.field(0), pa.array(images, table.field(0).type)), tmp_path / "c.parquet")
    made = data(tmp_path / "c.parquet", batch_size=140, num_workers=workers, **FROM_DISK)
    with pytest.raises(CorpusError) as caught:
        epoch(made), list(made.val_dataloader())
    assert str(caught.value).startswith(f"{tmp_path / 'c.parquet'}: ")
    assert table["source"][100].as_py() in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"num_workers": -1}, "num_workers must be at least 0, not -1"),
        ({"persistent_workers": True}, "persistent_workers needs workers; give num_workers too"),
        ({"prefetch_factor": 2}, "prefetch_factor 2 needs workers; give num_workers too"),
        ({"num_workers": 1, "prefetch_factor": 0}, "prefetch_factor must be at least 1, not 0"),
        ({"shuffle_megabytes": 0}, "shuffle_megabytes must be above 0, not 0"),
        ({"sampling": "balanced", "shuffle": False}, "sampling balanced draws faces at random"),
        ({"sampling": {"fear": -1}}, "the factor of 'fear' must be a number of at least 0, not -1"),
    ],
)
def test_options_that_cannot_be(striped_corpus, options, line):
    with pytest.raises(InputError, match=line):
        FaceData(striped_corpus, **options)


@PLACES
def test_sampling_needs_classes_that_are_known(data, place):
    with pytest.raises(InputError, match="sampling names 'contempt', but the head that it goes by knows anger"):
        data(sampling={"contempt": 2}, **place)
    with pytest.raises(InputError, match="sampling balanced goes by classes, but no head has any"):
        data(sampling="balanced", heads={"several": HeadConfig(target="multilabel")}, **place)


def test_options_on_the_command_line(striped_corpus):
    parser = LightningArgumentParser()
    parser.add_lightning_class_args(FaceData, "data")

    def parsed(*options):
        config = parser.parse_args([f"--data.corpus={striped_corpus}", *options])
        again = parser.parse_string(parser.dump(config))
        assert again.data == config.data
        with quiet_engine():
            return parser.instantiate_classes(config).data

    made = parsed("--data.sampling={disgust: 4, fear: 2.5}", "--data.in_memory=false")
    assert made.sampling == {"disgust": 4, "fear": 2.5}
    assert made.in_memory is False
    made = parsed("--data.sampling=balanced", "--data.collate_fn=torch.utils.data.default_collate")
    assert made.sampling == "balanced"
    assert made.in_memory == "auto"
    assert made.collate_fn is torch.utils.data.default_collate


class Recorder(L.LightningModule):
    """Keeps what it is given, and learns a little."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(256, 7)
        self.seen = []

    def training_step(self, batch, batch_idx):
        faces = batch["faces"].flatten(1)
        self.seen.append((self.current_epoch, batch_idx, faces.numpy().tobytes()))
        return torch.nn.functional.cross_entropy(self.layer(faces / 255), batch["labels.answer"])

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def run(corpus, checkpoint=None, folder=None, accumulate=1, trainer_options=None, **options):
    """Train for three epochs of seven batches, with a checkpoint in `folder` after each step and each epoch."""
    module, data = Recorder(), FaceData(corpus, batch_size=20, size=16, heads=BOTH, **options)
    saving = [
        ModelCheckpoint(folder, filename="{step}", every_n_train_steps=1, save_top_k=-1),
        ModelCheckpoint(folder, filename="end{epoch}", save_on_train_epoch_end=True, save_top_k=-1),
    ]
    with quiet_engine():
        trainer = L.Trainer(
            **{"max_epochs": 3, **(trainer_options or {})},
            accelerator="cpu",
            accumulate_grad_batches=accumulate,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=folder is not None,
            callbacks=saving if folder else [],
        )
        trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
    return module, trainer


# What has been saved is of no use to the resumed runs' callbacks, which have none.
resumes = pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")


@resumes
@pytest.mark.parametrize(
    ("options", "accumulate", "checkpoints"),
    [
        ({"in_memory": True}, 1, {"step=1": 1, "step=6": 6, "endepoch=0": 7, "step=9": 9, "endepoch=1": 14}),
        (FROM_DISK, 1, {"step=1": 1, "step=6": 6, "endepoch=0": 7, "step=9": 9, "endepoch=1": 14}),
        # An epoch has four steps here: of two batches each, and of the one that is left over.
        ({"in_memory": True}, 2, {"step=1": 2, "step=3": 6, "endepoch=0": 7, "step=6": 11}),
        (FROM_DISK, 2, {"step=1": 2, "step=3": 6, "endepoch=0": 7, "step=6": 11}),
        ({"in_memory": True, "num_workers": 2}, 1, {"step=9": 9}),
        ({**FROM_DISK, "num_workers": 2, "persistent_workers": True}, 1, {"step=9": 9, "endepoch=0": 7}),
        ({**FROM_DISK, "sampling": "balanced"}, 1, {"step=9": 9}),
    ],
)
def test_a_resumed_run_gets_the_batches_of_an_unbroken_one(striped_corpus, tmp_path, options, accumulate, checkpoints):
    unbroken, its_trainer = run(striped_corpus, folder=tmp_path, accumulate=accumulate, **options)
    assert len(unbroken.seen) == 21
    steps = 3 * 7 if accumulate == 1 else 3 * 4
    for name, done in checkpoints.items():
        resumed, trainer = run(striped_corpus, tmp_path / f"{name}.ckpt", accumulate=accumulate, **options)
        assert resumed.seen == unbroken.seen[done:]
        assert torch.equal(resumed.layer.weight, unbroken.layer.weight)
        assert trainer.estimated_stepping_batches == trainer.global_step == its_trainer.global_step == steps
        assert trainer.current_epoch == 3


@resumes
def test_a_resumed_run_that_counts_steps(striped_corpus, tmp_path):
    counted = {"max_steps": 21, "max_epochs": -1}
    unbroken, _ = run(striped_corpus, folder=tmp_path, trainer_options=counted)
    for name, done in {"step=9": 9, "endepoch=0": 7}.items():
        resumed, _ = run(striped_corpus, tmp_path / f"{name}.ckpt", trainer_options=counted)
        assert resumed.seen == unbroken.seen[done:]


@resumes
def test_an_epoch_cannot_go_on_with_other_batches(striped_corpus, tmp_path):
    run(striped_corpus, folder=tmp_path)
    with pytest.raises(InputError, match="cannot go on in mid-epoch: it was begun with seed 0, and now it is 1"):
        run(striped_corpus, tmp_path / "step=9.ckpt", seed=1)
    run(striped_corpus, tmp_path / "endepoch=0.ckpt", seed=1)


def test_overfitting_takes_the_same_batches_in_every_epoch(striped_corpus):
    module, _ = run(striped_corpus, trainer_options={"overfit_batches": 2, "max_epochs": 3})
    faces = [faces for _, _, faces in module.seen]
    assert len(faces) == 6
    assert faces[:2] == faces[2:4] == faces[4:]


def test_torchs_own_random_stream_stays_where_it_is(data):
    for options in ({}, {"num_workers": 1, **FROM_DISK}):
        made = data(**options)
        torch.manual_seed(5)
        epoch(made), list(made.val_dataloader())
        after = torch.rand(1)
        torch.manual_seed(5)
        assert after == torch.rand(1)
