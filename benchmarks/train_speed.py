"""Measure training steps of `kaoiro-s` at 48×48 in bf16: images a second, and the share that the data takes.

    python benchmarks/train_speed.py [--size 48] [--batch 128] [--steps 30]

Run it with nothing else running. Faces are drawn, so no corpus is needed; what they show does not matter for speed.
The data's share is the time for cutting a batch out of memory and augmenting it.
"""

import argparse
import os
import platform
import statistics
import time

import torch

from kaoiro.corpus.synthetic import synthetic_faces
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.training.augmentation import Augmentation, mixup
from kaoiro.training.data import FacesInMemory
from kaoiro.training.heads import Targets
from kaoiro.training.module import parameter_groups, soft_cross_entropy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=30)
    arguments = parser.parse_args()

    faces, labels = synthetic_faces(1024, seed=0)
    answer = torch.from_numpy(labels)
    targets = Targets(torch.nn.functional.one_hot(answer, 7).float(), torch.ones(len(answer)), answer)
    data = FacesInMemory(torch.from_numpy(faces)[:, None], {"expression": targets})
    model = ExpressionClassifier(create_backbone("kaoiro-s", 1), {"expression": 7, "votes": 8}, 0.1)
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(parameter_groups(model), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    augmentation = Augmentation()
    generator = torch.Generator().manual_seed(0)
    data_seconds, step_seconds = [], []
    warmup = 5
    for step in range(warmup + arguments.steps):
        began = time.perf_counter()
        batch = data.__getitems__(torch.randint(len(data), (arguments.batch,), generator=generator).tolist())
        x = augmentation.vary(batch["faces"], arguments.size, generator)
        x, target = mixup([x, batch["expression.distribution"]], probability=0.5, alpha=0.2, generator=generator)
        ready = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(x)
        loss = soft_cross_entropy(logits["expression"], target, batch["expression.weight"], 0.1)
        loss = loss + logits["votes"].float().logsumexp(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step >= warmup:
            data_seconds.append(ready - began)
            step_seconds.append(time.perf_counter() - began)
    rates = sorted(arguments.batch / seconds for seconds in step_seconds)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, Python "
        f"{platform.python_version()}, torch {torch.__version__}"
    )
    print(
        f"kaoiro-s at {arguments.size} px, batch {arguments.batch}, bf16 autocast, n = {arguments.steps} steps: "
        f"median {statistics.median(rates):.0f} images/s (min {rates[0]:.0f}, max {rates[-1]:.0f})"
    )
    share = sum(data_seconds) / sum(step_seconds)
    print(f"data: {1e3 * statistics.median(data_seconds):.1f} ms a step, {share:.1%} of the time")


if __name__ == "__main__":
    main()
