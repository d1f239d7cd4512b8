"""Faces from a corpus that does not fit into memory: row groups are read as batches ask for them."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, get_worker_info

from kaoiro.corpus.row_groups import Pictures, RowGroups
from kaoiro.parallel import available_cores
from kaoiro.training.heads import HeadConfig
from kaoiro.training.loading.batches import Batch, discount, named_targets, places_and_padding
from kaoiro.training.loading.survey import group_targets
from kaoiro.training.loading.usable import not_blank


@dataclass(frozen=True)
class _RowGroup:
    """A row group in memory: its pictures still encoded, the rows that are taken, and their targets."""

    pictures: Pictures
    rows: NDArray[np.int64]
    targets: Batch


class FacesOnDisk(Dataset[Batch]):
    """Faces that are read and decoded when a batch needs them.

    The last few row groups stay in memory, so numbers should come as `EpochOrder` gives them with a window of that
    many. Each worker process holds row groups of its own.

    Args:
        stored: the corpus.
        chosen: for each row group, which of its rows are taken, `bool (rows,)`. Faces are numbered in their order.
        heads: what is learnt.
        size: side of the faces in pixels.
        channels: 1 for grey, 3 for RGB.
        kept: how many row groups stay in memory.
        discount_blank: let pictures of one single colour count for nothing.
    """

    def __init__(
        self,
        stored: RowGroups,
        chosen: Sequence[NDArray[np.bool_]],
        heads: Mapping[str, HeadConfig],
        *,
        size: int,
        channels: int,
        kept: int,
        discount_blank: bool,
    ) -> None:
        self._stored = stored
        self._chosen = chosen
        self._heads = heads
        self._size = size
        self._channels = channels
        self._kept = kept
        self._discount_blank = discount_blank
        self._starts = np.cumsum([0, *(int(rows.sum()) for rows in chosen)])
        self._in_memory: OrderedDict[int, _RowGroup] = OrderedDict()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, number: int) -> Batch:
        return {name: tensor[0] for name, tensor in self.__getitems__([number]).items()}

    def __getitems__(self, numbers: list[int]) -> Batch:
        """Give a whole batch; `~number` stands for a face that counts for nothing.

        Raises:
            CorpusError: the file cannot be read any more, or a picture cannot be decoded.
        """
        given, unwanted = places_and_padding(numbers)
        places = given.numpy()
        groups = np.searchsorted(self._starts, places, side="right") - 1
        faces = np.empty((len(places), self._channels, self._size, self._size), np.uint8)
        pieces: list[tuple[NDArray[np.int64], Batch]] = []
        # In the order in which they come up: a window's last groups are done with before the next window's are read.
        for group in dict.fromkeys(groups.tolist()):
            here = np.flatnonzero(groups == group)
            loaded = self._loaded(group)
            inside = places[here] - self._starts[group]
            faces[here] = loaded.pictures.decode(loaded.rows[inside], self._size, self._channels, _threads())
            pieces.append((here, {name: tensor[torch.from_numpy(inside)] for name, tensor in loaded.targets.items()}))
        back = torch.from_numpy(np.argsort(np.concatenate([here for here, _ in pieces])))
        batch = {name: torch.cat([piece[name] for _, piece in pieces])[back] for name in pieces[0][1]}
        if self._discount_blank:
            unwanted = unwanted | ~torch.from_numpy(not_blank(faces))
        return discount({"faces": torch.from_numpy(faces), **batch}, unwanted)

    def _loaded(self, group: int) -> _RowGroup:
        if group in self._in_memory:
            self._in_memory.move_to_end(group)
        else:
            while len(self._in_memory) >= self._kept:
                self._in_memory.popitem(last=False)
            self._in_memory[group] = self._read(group)
        return self._in_memory[group]

    def _read(self, group: int) -> _RowGroup:
        chosen = self._chosen[group]
        targets = named_targets(group_targets(self._stored, group, chosen, self._heads))
        return _RowGroup(self._stored.pictures(group), np.flatnonzero(chosen), targets)


def _threads() -> int:
    # Workers share the cores among themselves already.
    return available_cores() if get_worker_info() is None else 1
