"""Batches from a data set, with worker processes where wanted, beginning in mid-epoch where a run is resumed."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset

from kaoiro.errors import InputError
from kaoiro.training.loading.batches import Batch, Collate, single_faces
from kaoiro.training.loading.samplers import GlobalBatches


class Faces(Protocol):
    """Labelled faces by number."""

    def __len__(self) -> int: ...

    def __getitems__(self, numbers: list[int]) -> Batch:
        """Give a whole batch; `~number` stands for a face that counts for nothing."""
        ...


class _Source(Dataset[Any]):
    """What worker processes run. An error that a user should read comes back as a value.

    torch would put a worker's traceback into the message of an error that is raised.
    """

    def __init__(self, faces: Faces, collate: Collate | None) -> None:
        self._faces = faces
        self._collate = collate

    def __getitems__(self, numbers: list[int]) -> Batch | InputError:
        try:
            batch = self._faces.__getitems__(numbers)
            return batch if self._collate is None else self._collate(single_faces(batch))
        except InputError as error:
            return error


def _as_it_is(batch: Any) -> Any:
    return batch


class FaceLoader:
    """An epoch of batches each time that it is iterated.

    Lightning resumes it in mid-epoch: it calls `load_state_dict` only then, and the iteration that follows begins
    behind the batches that were done, without reading their faces. `len` is always that of a whole epoch.

    Args:
        faces: where batches are cut from.
        batches: the numbers of their faces.
        seed: of the workers' random streams; together with the epoch it sets them.
        plan: what must not change in mid-epoch, by name.
        place: gives the number of the epoch that begins or goes on, and how many of its batches are done; asked when
            the first batch is. Without it, every iteration is epoch 0.
        collate: makes a batch of single faces in place of the usual way.
        num_workers: processes that prepare batches; 0 does it in the training process.
        prefetch_factor: batches that each worker prepares ahead; None is torch's choice.
        persistent_workers: keep the workers from one epoch to the next.
        pin_memory: put batches where a GPU can fetch them by itself.
    """

    def __init__(
        self,
        faces: Faces,
        batches: GlobalBatches,
        *,
        seed: int = 0,
        plan: Mapping[str, Any] | None = None,
        place: Callable[[], tuple[int, int]] | None = None,
        collate: Collate | None = None,
        num_workers: int = 0,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory: bool = False,
    ) -> None:
        self._batches = batches
        self._seed = seed
        self._plan = dict(plan or {})
        self._place = place
        self._resumes = False
        # A generator of its own: iterating must not move torch's global random stream.
        self._generator = torch.Generator()
        self._loader: DataLoader[Any] = DataLoader(
            _Source(faces, collate),
            batch_sampler=batches,
            collate_fn=_as_it_is,
            num_workers=num_workers,
            prefetch_factor=prefetch_factor,
            persistent_workers=persistent_workers,
            pin_memory=pin_memory,
            generator=self._generator,
        )

    def __len__(self) -> int:
        return len(self._batches)

    # A generator function: nothing begins before the first batch is asked for. By then Lightning has counted what a
    # resumed epoch has behind it, which it has not when it calls `iter`.
    def __iter__(self) -> Iterator[Batch]:
        resumes, self._resumes = self._resumes, False
        epoch, done = self._place() if self._place else (0, 0)
        self._batches.begin_at(epoch, done if resumes else 0)
        self._generator.manual_seed(self._seed + epoch)
        for batch in self._loader:
            if isinstance(batch, InputError):
                raise batch
            yield batch

    # Under this name, which DataLoader gives it, Lightning finds the workers that it is to end after a run.
    @property
    def _iterator(self) -> Any:
        return self._loader._iterator

    @_iterator.setter
    def _iterator(self, iterator: Any) -> None:
        self._loader._iterator = iterator

    def state_dict(self) -> dict[str, Any]:
        """Say what the epoch's batches depend on."""
        return dict(self._plan)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where the Trainer stands.

        Raises:
            InputError: the batches would be others than those of the epoch that was begun.
        """
        for name, now in self._plan.items():
            before = state.get(name, now)
            if before != now:
                raise InputError(
                    f"cannot go on in mid-epoch: it was begun with {name} {before!r}, and now it is {now!r}; "
                    "give the options that it was begun with"
                )
        self._resumes = True
