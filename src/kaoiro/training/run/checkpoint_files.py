"""Writing checkpoints so that nobody ever meets half of one."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from kaoiro.files import atomic_path, reported_writing


class WholeCheckpoints(TorchCheckpointIO):
    """Write beside the target, wait for the disk, then rename.

    Lightning's own writer goes through the system's folder for temporary files and moves from there, which is a copy
    where that folder lies on another disk; a run that is killed then leaves half a checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any | None = None
    ) -> None:
        assert storage_options is None
        target = Path(path)
        with reported_writing(target), atomic_path(target) as temporary, temporary.open("wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:
                # torch's zip writer covers up what the file itself raised, a full disk for example.
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from error
                raise
            file.flush()
            os.fsync(file.fileno())


def remove_partial_files(folder: Path) -> None:
    """Remove what a run left half-written in its folder when it was killed."""
    for path in folder.glob(".*.partial*"):
        path.unlink(missing_ok=True)
