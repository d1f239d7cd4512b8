"""Corpora for training: small ones are held in RAM as one uint8 tensor, and batches are cut out of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler, SequentialSampler

from kaoiro.corpus.store import Corpus, open_corpus
from kaoiro.errors import CorpusError, InputError
from kaoiro.expressions import VOTE_NAMES
from kaoiro.training.heads import DEFAULT_HEADS, HeadConfig, Targets, head_targets

Batch = dict[str, Tensor]
"""`faces: uint8 (batch, channels, size, size)`, and each head's `Targets` as `<head>.distribution` and so on."""


class FacesInMemory(Dataset[Batch]):
    """Faces and targets as whole tensors; a batch is one indexing operation a tensor."""

    def __init__(self, faces: Tensor, targets: Mapping[str, Targets]) -> None:
        self._tensors: Batch = {"faces": faces}
        for head, target in targets.items():
            self._tensors[f"{head}.distribution"] = target.distribution
            self._tensors[f"{head}.weight"] = target.weight
            self._tensors[f"{head}.answer"] = target.answer

    def __len__(self) -> int:
        return len(self._tensors["faces"])

    def __getitem__(self, index: int) -> Batch:
        return {name: tensor[index] for name, tensor in self._tensors.items()}

    def __getitems__(self, indices: list[int]) -> Batch:
        """Give a whole batch at once; the DataLoader calls this where it exists."""
        rows = torch.tensor(indices)
        return {name: tensor[rows] for name, tensor in self._tensors.items()}


def _whole_batch(batch: Any) -> Batch:
    # `__getitems__` has made the batch already.
    whole: Batch = batch
    return whole


def usable_faces(faces: np.ndarray, votes: np.ndarray | None) -> np.ndarray:
    """Find the faces that are worth training on.

    Args:
        faces: `uint8 (n, channels, size, size)`.
        votes: `uint8 (n, 10)` in the order of `VOTE_NAMES`, or None.

    Returns:
        `bool (n,)`: false for pictures of one single colour, and for those in which more than half of the raters saw
        no face.
    """
    flat = faces.reshape(len(faces), -1)
    usable: np.ndarray = flat.min(axis=1) < flat.max(axis=1)
    if votes is not None:
        no_face = votes[:, VOTE_NAMES.index("not-a-face")].astype(np.int64)
        usable &= 2 * no_face <= votes.sum(axis=1, dtype=np.int64)
    return usable


class FaceData(L.LightningDataModule):
    """The `train` and `validation` splits of a stored corpus.

    Args:
        corpus: a Parquet file made by `kaoiro data import`.
        batch_size: faces a training step, for each process.
        only_usable: leave training faces out that `usable_faces` finds unfit; validation always keeps all.
        seed: of the order in which faces come.
        size: side of the faces in pixels; taken from the model.
        channels: 1 for grey, 3 for RGB; taken from the model.
        heads: what each head is trained on; taken from the model.
    """

    def __init__(
        self,
        corpus: Path,
        batch_size: int = 128,
        only_usable: bool = True,
        seed: int = 0,
        size: int = 48,
        channels: int = 1,
        heads: dict[str, HeadConfig] | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1, not {batch_size}")
        self.corpus = corpus
        self.batch_size = batch_size
        self.only_usable = only_usable
        self.seed = seed
        self.size = size
        self.channels = channels
        self.heads = dict(DEFAULT_HEADS) if heads is None else heads
        self.left_out = 0
        self._train: FacesInMemory | None = None
        self._validation: FacesInMemory | None = None

    def setup(self, stage: str) -> None:
        """Read both splits into memory.

        Raises:
            CorpusError: the corpus cannot be read, lacks a split, or does not have what a head is trained on.
        """
        if self._train is None:
            corpus = open_corpus(self.corpus)
            train = corpus.select("train")
            faces = train.decode_faces(self.size, self.channels)
            keep = usable_faces(faces, train.votes()) if self.only_usable else np.ones(len(faces), dtype=bool)
            self.left_out = int((~keep).sum())
            if not keep.any():
                raise CorpusError(f"{self.corpus}: none of the {len(faces)} training faces is fit to train on")
            self._train = self._in_memory(train, faces, keep)
            validation = corpus.select("validation")
            faces = validation.decode_faces(self.size, self.channels)
            self._validation = self._in_memory(validation, faces, np.ones(len(faces), dtype=bool))

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

    def _in_memory(self, part: Corpus, faces: np.ndarray, keep: np.ndarray) -> FacesInMemory:
        rows = torch.from_numpy(np.flatnonzero(keep))
        targets = {name: head_targets(part, head) for name, head in self.heads.items()}
        kept = {
            name: Targets(target.distribution[rows], target.weight[rows], target.answer[rows])
            for name, target in targets.items()
        }
        return FacesInMemory(torch.from_numpy(faces)[rows], kept)

    def train_dataloader(self) -> DataLoader[Batch]:
        assert self._train is not None
        assert self.trainer is not None
        # The sampler's order depends on the seed and the epoch alone, which makes runs resumable and lets several
        # processes share an epoch.
        sampler: DistributedSampler[Batch] = DistributedSampler(
            self._train,
            num_replicas=self.trainer.world_size,
            rank=self.trainer.global_rank,
            shuffle=True,
            seed=self.seed,
        )
        return DataLoader(
            self._train,
            batch_size=self.batch_size,
            sampler=sampler,
            collate_fn=_whole_batch,
            drop_last=len(self._train) >= self.batch_size * self.trainer.world_size,
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        assert self._validation is not None
        return DataLoader(
            self._validation,
            batch_size=256,
            sampler=SequentialSampler(self._validation),
            collate_fn=_whole_batch,
        )
