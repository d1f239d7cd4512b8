"""Corpora for training: decoded into RAM where they fit, read from disk batch by batch where they do not."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from kaoiro.corpus.row_groups import RowGroups, open_row_groups
from kaoiro.errors import CorpusError, InputError
from kaoiro.parallel import available_cores
from kaoiro.training.heads import DEFAULT_HEADS, HeadConfig, Targets
from kaoiro.training.loading.batches import Batch, Collate, discount, named_targets, places_and_padding
from kaoiro.training.loading.loader import FaceLoader
from kaoiro.training.loading.memory import available_memory
from kaoiro.training.loading.samplers import EpochOrder, GlobalBatches, Sampling, face_weights
from kaoiro.training.loading.streaming import FacesOnDisk
from kaoiro.training.loading.survey import SplitRows, group_targets, survey
from kaoiro.training.loading.usable import not_blank

__all__ = ["Batch", "FaceData", "FacesInMemory"]

_VALIDATION_BATCH = 256
_SHARE_OF_MEMORY = 0.5


class FacesInMemory(Dataset[Batch]):
    """Faces and targets as whole tensors; a batch is one indexing operation a tensor.

    Args:
        faces: `uint8 (n, channels, size, size)`.
        targets: of each head, for those n faces.
    """

    def __init__(self, faces: Tensor, targets: Mapping[str, Targets]) -> None:
        self.targets = dict(targets)
        self._tensors: Batch = {"faces": faces, **named_targets(targets)}

    def __len__(self) -> int:
        return len(self._tensors["faces"])

    def __getitem__(self, number: int) -> Batch:
        return {name: tensor[number] for name, tensor in self._tensors.items()}

    def __getitems__(self, numbers: list[int]) -> Batch:
        """Give a whole batch; `~number` stands for a face that counts for nothing."""
        rows, padding = places_and_padding(numbers)
        return discount({name: tensor[rows] for name, tensor in self._tensors.items()}, padding)


class FaceData(L.LightningDataModule):
    """The `train` and `validation` splits of a stored corpus, or its folds.

    Batch k of an epoch depends on the seed and the epoch's number alone. Several processes share its faces, so that
    together they take the steps of one process with their batches put together.

    Args:
        corpus: a Parquet file made by `kaoiro data import`.
        batch_size: faces a training step, for each process.
        validation_fold: validate on this fold of the corpus's training faces and train on the others, in place of the
            two splits; `kaoiro data split --folds 5` numbers them from 0 to 4.
        shuffle: false trains on the faces in the corpus's order.
        sampling: `uniform` takes every face once an epoch. `balanced` draws as many faces with replacement, each class
            as often as the others. A mapping, for example `{disgust: 4}`, draws the faces of an expression that many
            times as often. Classes are those of the first head that has any.
        drop_last: leave an epoch's last batch out where it is incomplete and not the only one.
        only_usable: leave training faces out that show one single colour, or that most raters took for no face;
            validation always keeps all.
        in_memory: `true` decodes all faces into RAM, `false` reads them from disk batch by batch; `auto` takes RAM
            where the decoded faces fit into half of what is free.
        shuffle_megabytes: size of the encoded pictures that are mixed at a time where faces are read from disk. Each
            worker holds that much.
        num_workers: processes that prepare batches beside the training; 0 prepares them in between.
        prefetch_factor: batches that each worker prepares ahead; torch takes 2 where nothing is given.
        persistent_workers: keep the workers from one epoch to the next.
        pin_memory: let a GPU fetch batches by itself; without one it does nothing.
        collate_fn: the import path of a function that makes a batch of a list of single faces, each a dictionary as in
            `Batch`; for training only.
        seed: of the order in which faces come.
        size: side of the faces in pixels; taken from the model.
        channels: 1 for grey, 3 for RGB; taken from the model.
        heads: what each head is trained on; taken from the model.
    """

    def __init__(
        self,
        corpus: Path,
        batch_size: int = 128,
        validation_fold: int | None = None,
        shuffle: bool = True,
        sampling: Sampling = "uniform",
        drop_last: bool = True,
        only_usable: bool = True,
        in_memory: Literal["auto"] | bool = "auto",
        shuffle_megabytes: float = 128,
        num_workers: int = 0,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory: bool = True,
        collate_fn: Collate | None = None,
        seed: int = 0,
        size: int = 48,
        channels: int = 1,
        heads: dict[str, HeadConfig] | None = None,
    ) -> None:
        super().__init__()
        _check_numbers(batch_size, shuffle_megabytes)
        _check_workers(num_workers, prefetch_factor, persistent_workers)
        _check_sampling(sampling, shuffle)
        if validation_fold is not None and validation_fold < 0:
            raise InputError(f"validation_fold must be at least 0, not {validation_fold}")
        self.corpus = corpus
        self.batch_size = batch_size
        self.validation_fold = validation_fold
        self.shuffle = shuffle
        self.sampling = sampling
        self.drop_last = drop_last
        self.only_usable = only_usable
        self.in_memory = in_memory
        self.shuffle_megabytes = shuffle_megabytes
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self.pin_memory = pin_memory
        self.collate_fn = collate_fn
        self.seed = seed
        self.size = size
        self.channels = channels
        self.heads = dict(DEFAULT_HEADS) if heads is None else heads
        self.left_out = 0
        self.description = ""
        self.class_weight_sums: dict[str, Tensor] = {}
        self._train: FacesInMemory | FacesOnDisk | None = None
        self._validation: FacesInMemory | FacesOnDisk | None = None
        self._order = EpochOrder([])
        self._validation_order = EpochOrder([])

    def setup(self, stage: str) -> None:
        """Look through the corpus, and decode it into memory where it fits.

        Afterwards `description` says in a line what there is and where it is held, `left_out` how many training faces
        are left out, and `class_weight_sums` by head how much of the training faces' weight each output has.

        Raises:
            CorpusError: the corpus cannot be read, lacks a split or the fold, or does not have what a head is trained
                on.
            InputError: the sampling names an expression that the head does not know.
        """
        if self._train is not None:
            return
        stored = open_row_groups(self.corpus)
        rows = survey(
            stored,
            self.heads,
            only_seen_as_faces={"train": self.only_usable, "validation": False},
            validation_fold=self.validation_fold,
        )
        train, validation = rows["train"], rows["validation"]
        if not any(train.sizes):
            raise CorpusError(self._nothing_fit(train.left_out))
        in_memory, where = self._place(sum(train.sizes) + sum(validation.sizes))
        if in_memory:
            self._hold_in_memory(stored, train, validation)
        else:
            self._read_from_disk(stored, train, validation)
        fold = "" if self.validation_fold is None else f" (fold {self.validation_fold})"
        self.description = (
            f"{self.train_faces:,} training faces and {self.validation_faces:,} for validation{fold}, {where}"
        )

    @property
    def train_faces(self) -> int:
        """Number of faces that are trained on; known after `setup`."""
        assert self._train is not None
        return len(self._train)

    @property
    def validation_faces(self) -> int:
        """Number of faces that are validated on; known after `setup`."""
        assert self._validation is not None
        return len(self._validation)

    def _nothing_fit(self, faces: int) -> str:
        return f"{self.corpus}: none of the {faces} training faces is fit to train on"

    def _place(self, faces: int) -> tuple[bool, str]:
        """Decide whether faces go into memory, and say so."""
        needed = faces * self.channels * self.size**2
        if self.in_memory == "auto":
            free = available_memory()
            usable = math.inf if free is None else _SHARE_OF_MEMORY * free
            if needed > usable:
                room = f"decoded they take {_megabytes(needed)}; {_megabytes(usable)} may be used"
                return False, f"read from disk ({room})"
            return True, f"in memory ({_megabytes(needed)})"
        return self.in_memory, f"in memory ({_megabytes(needed)})" if self.in_memory else "read from disk"

    def _hold_in_memory(self, stored: RowGroups, train: SplitRows, validation: SplitRows) -> None:
        held = self._decoded(stored, train, without_blank=self.only_usable)
        self.left_out = train.left_out + sum(train.sizes) - len(held)
        if len(held) == 0:
            raise CorpusError(self._nothing_fit(self.left_out))
        self._train = held
        self._validation = self._decoded(stored, validation, without_blank=False)
        self.class_weight_sums = {name: target.class_weight_sums() for name, target in held.targets.items()}
        self._order = self._train_order([len(held)], {name: target.answer for name, target in held.targets.items()})
        self._validation_order = EpochOrder(validation.sizes, shuffle=False)

    def _read_from_disk(self, stored: RowGroups, train: SplitRows, validation: SplitRows) -> None:
        largest = max(stored.picture_bytes(group) for group in range(len(stored)))
        window = max(int(self.shuffle_megabytes * 1e6 // max(largest, 1)), 1)
        self.left_out = train.left_out
        self._train = FacesOnDisk(
            stored,
            train.chosen,
            self.heads,
            size=self.size,
            channels=self.channels,
            kept=window,
            discount_blank=self.only_usable,
        )
        self._validation = FacesOnDisk(
            stored,
            validation.chosen,
            self.heads,
            size=self.size,
            channels=self.channels,
            kept=1,
            discount_blank=False,
        )
        self.class_weight_sums = train.class_weight_sums
        self._order = self._train_order(train.sizes, train.answers, window)
        self._validation_order = EpochOrder(validation.sizes, shuffle=False)

    def _decoded(self, stored: RowGroups, rows: SplitRows, *, without_blank: bool) -> FacesInMemory:
        faces = np.empty((sum(rows.sizes), self.channels, self.size, self.size), np.uint8)
        pieces: dict[str, list[Targets]] = {name: [] for name in self.heads}
        filled = 0
        for group, chosen in enumerate(rows.chosen):
            if not chosen.any():
                continue
            decoded = stored.pictures(group).decode(np.flatnonzero(chosen), self.size, self.channels, available_cores())
            kept = not_blank(decoded) if without_blank else np.ones(len(decoded), dtype=np.bool_)
            number = int(kept.sum())
            faces[filled : filled + number] = decoded[kept]
            filled += number
            which = torch.from_numpy(kept)
            for name, target in group_targets(stored, group, chosen, self.heads).items():
                pieces[name].append(Targets(target.distribution[which], target.weight[which], target.answer[which]))
        targets = {
            name: Targets(
                torch.cat([piece.distribution for piece in of_head]),
                torch.cat([piece.weight for piece in of_head]),
                torch.cat([piece.answer for piece in of_head]),
            )
            for name, of_head in pieces.items()
        }
        return FacesInMemory(torch.from_numpy(faces[:filled]), targets)

    def _train_order(self, sizes: list[int], answers: Mapping[str, Tensor], window: int | None = None) -> EpochOrder:
        weights = None
        if self.sampling != "uniform":
            name = next((name for name, head in self.heads.items() if head.has_classes), None)
            if name is None:
                raise InputError(f"sampling {self.sampling} goes by classes, but no head has any; take uniform")
            weights = face_weights(answers[name], self.heads[name].classes, self.sampling)
        return EpochOrder(sizes, window=window, shuffle=self.shuffle, seed=self.seed, weights=weights)

    def train_dataloader(self) -> FaceLoader:
        assert self._train is not None
        assert self.trainer is not None
        trainer = self.trainer
        # Overfitting to a few batches, a check that a model can learn at all, needs the same ones in every epoch.
        order = EpochOrder(self._order.sizes, shuffle=False) if getattr(trainer, "overfit_batches", 0) else self._order
        batches = GlobalBatches(
            order,
            self.batch_size,
            process=trainer.global_rank,
            processes=trainer.world_size,
            drop_last=self.drop_last,
        )
        return FaceLoader(
            self._train,
            batches,
            seed=self.seed,
            plan={
                "faces": self.train_faces,
                "validation fold": self.validation_fold,
                "global batch size": self.batch_size * trainer.world_size,
                "seed": self.seed,
                "shuffle": self.shuffle,
                "sampling": self.sampling,
                "row groups shuffled together": self._order.window,
            },
            # Lightning also tells samplers a number, but where a run counts steps that is one too many after a resume
            # at an epoch's end.
            place=lambda: (trainer.current_epoch, trainer.fit_loop.batch_idx + 1),
            collate=self.collate_fn,
            **self._worker_options(),
        )

    def val_dataloader(self) -> FaceLoader:
        assert self._validation is not None
        assert self.trainer is not None
        batches = GlobalBatches(
            self._validation_order,
            _VALIDATION_BATCH,
            process=self.trainer.global_rank,
            processes=self.trainer.world_size,
        )
        return FaceLoader(self._validation, batches, seed=self.seed, **self._worker_options())

    def _worker_options(self) -> dict[str, Any]:
        assert self.trainer is not None
        return {
            "num_workers": self.num_workers,
            "prefetch_factor": self.prefetch_factor,
            "persistent_workers": self.persistent_workers,
            # Without a GPU torch warns of the option at every epoch.
            "pin_memory": self.pin_memory and self.trainer.strategy.root_device.type == "cuda",
        }


def _megabytes(number: float) -> str:
    return f"{number / 1e6:,.0f} MB"


def _check_numbers(batch_size: int, shuffle_megabytes: float) -> None:
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, not {batch_size}")
    if not shuffle_megabytes > 0:
        raise InputError(f"shuffle_megabytes must be above 0, not {shuffle_megabytes}")


def _check_workers(num_workers: int, prefetch_factor: int | None, persistent_workers: bool) -> None:
    if num_workers < 0:
        raise InputError(f"num_workers must be at least 0, not {num_workers}")
    if prefetch_factor is not None and prefetch_factor < 1:
        raise InputError(f"prefetch_factor must be at least 1, not {prefetch_factor}")
    if num_workers == 0 and prefetch_factor is not None:
        raise InputError(f"prefetch_factor {prefetch_factor} needs workers; give num_workers too, or drop it")
    if num_workers == 0 and persistent_workers:
        raise InputError("persistent_workers needs workers; give num_workers too, or drop it")


def _check_sampling(sampling: Sampling, shuffle: bool) -> None:
    if sampling != "uniform" and not shuffle:
        raise InputError(f"sampling {sampling} draws faces at random, which shuffle: false forbids; drop one of them")
    if isinstance(sampling, dict):
        for name, factor in sampling.items():
            if not (math.isfinite(factor) and factor >= 0):
                raise InputError(f"sampling: the factor of {name!r} must be a number of at least 0, not {factor}")
