"""A callback that writes down what each process of a training run did, step by step."""

import hashlib
import json
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback


class RecordedSteps(Callback):
    """Write `<rank>.json`: each step's loss in this process, and the faces that it counted.

    Args:
        folder: gets the files.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.steps = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        weights = [value for name, value in batch.items() if name.endswith(".weight")]
        counted = torch.stack(weights).amax(0) > 0
        faces = [hashlib.sha256(face.numpy().tobytes()).hexdigest() for face in batch["faces"][counted]]
        self.steps.append({"epoch": trainer.current_epoch, "loss": outputs["loss"].item(), "faces": faces})

    def on_train_end(self, trainer, pl_module):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{trainer.global_rank}.json").write_text(json.dumps(self.steps))
