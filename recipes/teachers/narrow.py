"""Cut a trained `kaoiro-s` to fewer channels in its last stage, to train it on as a smaller network.

    python recipes/teachers/narrow.py recipes/teachers/second.onnx fer2013.parquet --channels 176 -o narrowed.ckpt

Of the last stage's channels those stay that the layers behind them make most of: by the root mean square of a channel
on training faces, times the norm of the weights that read it, each such product in units of its mean over the
channels, and summed over the readers (structured pruning by activations and weights; compare Molchanov et al. 2019,
https://arxiv.org/abs/1906.10771). The statistics of the batch normalisations are then taken anew.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kaoiro.corpus.store import Corpus, open_corpus
from kaoiro.errors import InputError
from kaoiro.files import atomic_path, check_outputs
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.models.residual import ResidualBackbone, ResidualBlock
from kaoiro.training.weights.checkpoint import CHECKPOINT_KEY, WEIGHTS_PREFIX, TrainedNetwork
from kaoiro.training.weights.weights_files import load_network

_FACES = 1500
_BATCH = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a checkpoint, a model file or the name of a shipped model")
    parser.add_argument("corpus", type=Path, help="the stored corpus that it was trained on")
    parser.add_argument("--channels", type=int, default=176, help="how many stay in the last stage")
    parser.add_argument("--output", "-o", type=Path, required=True)
    arguments = parser.parse_args()
    # The sums are the same on every machine of one kind only where threads don't share them out.
    torch.set_num_threads(1)
    try:
        check_outputs({"the corpus": arguments.corpus, "the model": Path(arguments.model)}, {"-o": arguments.output})
        trained = load_network(arguments.model)
        corpus = open_corpus(arguments.corpus).select("train")
        some = np.random.default_rng(0).permutation(len(corpus))[:_FACES]
        corpus = Corpus(corpus.path, corpus.table.take(some))
        faces = torch.from_numpy(corpus.decode_faces(trained.size, trained.channels))
        narrowed = narrow(trained, faces, arguments.channels)
        with atomic_path(arguments.output) as temporary:
            torch.save(_content(trained, narrowed), temporary)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    before, after = (sum(p.numel() for p in one.parameters()) for one in (trained.classifier, narrowed))
    print(f"wrote {arguments.output}: {after:,} of {before:,} parameters")


def narrow(trained: TrainedNetwork, faces_BCHW: Tensor, channels: int) -> ExpressionClassifier:
    """Give a copy of the network with `channels` in its last stage.

    Raises:
        InputError: it is no residual network with blocks in its last stage, or has fewer channels than that.
    """
    backbone = trained.classifier.backbone
    if not isinstance(backbone, ResidualBackbone) or not isinstance(backbone.layers[-1], ResidualBlock):
        raise InputError(f"a network of {trained.network!r} cannot be cut: only kaoiro-s and its like can")
    if not 8 <= channels < backbone.num_features:
        raise InputError(f"--channels must be at least 8 and below {backbone.num_features}, not {channels}")
    first = max(place for place, layer in enumerate(backbone.layers) if isinstance(layer, nn.Sequential))
    blocks = {place: layer for place, layer in enumerate(backbone.layers) if place > first and _is_block(layer)}
    loudness = _loudness(trained.classifier, faces_BCHW, first, blocks)

    stays = _stream_channels(trained.classifier, loudness, first, blocks, channels)
    state = trained.classifier.state_dict()
    for name, value in state.items():
        if name.startswith(f"backbone.layers.{first}."):
            state[name] = value[stays] if value.dim() else value
        elif name.startswith("heads.") and name.endswith(".weight"):
            state[name] = value[:, stays]
    for place, block in blocks.items():
        assert isinstance(block, ResidualBlock)
        within = loudness[f"within {place}"] * _reading(block.branch[2])
        inner = within.topk(channels).indices.sort().values
        _cut_block(state, f"backbone.layers.{place}.branch", stays, inner, max(8, channels // 8))

    shape = _shape(backbone)
    smaller = ExpressionClassifier(
        create_backbone(
            trained.network,
            trained.channels,
            trained.network_options | shape | {"widths": [*shape["widths"][:-1], channels]},
            trained.size,
        ),
        {name: head.out_features for name, head in trained.classifier.heads.items() if isinstance(head, nn.Linear)},
        normalization="imagenet" if trained.normalization == "imagenet" else "per-face",
    )
    smaller.load_state_dict(state)
    _take_statistics(smaller, faces_BCHW)
    return smaller.eval()


def _shape(backbone: ResidualBackbone) -> dict[str, list[int]]:
    stages = [place for place, layer in enumerate(backbone.layers) if isinstance(layer, nn.Sequential)][1:]
    ends = [*stages[1:], len(backbone.layers)]
    convolutions = [backbone.layers[place][0] for place in stages]  # type: ignore[index]
    return {
        "widths": [convolution.out_channels for convolution in convolutions],
        "depths": [sum(map(_is_block, backbone.layers[a:b])) for a, b in zip(stages, ends, strict=True)],
    }


def _is_block(layer: nn.Module) -> bool:
    return isinstance(layer, ResidualBlock)


def _loudness(
    classifier: ExpressionClassifier, faces_BCHW: Tensor, first: int, blocks: Mapping[int, nn.Module]
) -> dict[str, Tensor]:
    """The root mean square of each channel behind the last stage's layers, and within its blocks."""
    squares: dict[str, list[Tensor]] = {}
    handles = []

    def listen(name: str, module: nn.Module) -> None:
        def hear(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            squares.setdefault(name, []).append(output.detach().float().pow(2).mean((0, 2, 3)))

        handles.append(module.register_forward_hook(hear))

    layers = classifier.backbone.layers
    assert isinstance(layers, nn.Sequential)
    # Behind the ReLU: that is what the blocks read.
    listen(f"behind {first}", layers[first + 1])
    for place, block in blocks.items():
        listen(f"behind {place}", block)
        assert isinstance(block, ResidualBlock)
        listen(f"within {place}", block.branch[1])
    with torch.no_grad():
        for start in range(0, len(faces_BCHW), _BATCH):
            classifier(faces_BCHW[start : start + _BATCH])
    for handle in handles:
        handle.remove()
    return {name: torch.stack(found).mean(0).sqrt() for name, found in squares.items()}


def _reading(layer: nn.Module) -> Tensor:
    """How strongly a convolution reads each of its inputs."""
    assert isinstance(layer, nn.Sequential)
    convolution = layer[0]
    assert isinstance(convolution, nn.Conv2d)
    strength: Tensor = convolution.weight.detach().pow(2).sum((0, 2, 3)).sqrt()
    return strength


def _stream_channels(
    classifier: ExpressionClassifier,
    loudness: Mapping[str, Tensor],
    first: int,
    blocks: Mapping[int, nn.Module],
    channels: int,
) -> Tensor:
    """Which channels of the stream that the blocks add to stay."""
    weights = [head.weight for head in classifier.heads.values() if isinstance(head, nn.Linear)]
    heads = torch.cat([weight.detach() for weight in weights]).norm(dim=0)
    places = [first, *blocks]
    products = [loudness[f"behind {places[-1]}"] * heads]
    for before, block in zip(places, blocks.values(), strict=False):
        assert isinstance(block, ResidualBlock)
        products.append(loudness[f"behind {before}"] * _reading(block.branch[0]))
    importance = products[0] / products[0].mean()
    for product in products[1:]:
        importance = importance + product / product.mean()
    stays: Tensor = importance.topk(channels).indices.sort().values
    return stays


def _cut_block(state: dict[str, Tensor], branch: str, stays: Tensor, inner: Tensor, hidden: int) -> None:
    squeeze, excite = (state[f"{branch}.3.{part}.weight"].flatten(1) for part in ("squeeze", "excite"))
    gates = (squeeze.norm(dim=1) * excite.norm(dim=0)).topk(hidden).indices.sort().values
    for name in [name for name in state if name.startswith(f"{branch}.")]:
        value, part = state[name], name.removeprefix(f"{branch}.")
        if part == "0.0.weight":
            state[name] = value[inner][:, stays]
        elif part == "2.0.weight":
            state[name] = value[stays][:, inner]
        elif part.startswith("3.squeeze"):
            state[name] = value[gates][:, stays] if part.endswith("weight") else value[gates]
        elif part.startswith("3.excite"):
            state[name] = value[stays][:, gates] if part.endswith("weight") else value[stays]
        elif value.dim():
            state[name] = value[inner if part.startswith("0.") else stays]


def _take_statistics(classifier: ExpressionClassifier, faces_BCHW: Tensor) -> None:
    for module in classifier.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            # The mean over all batches.
            module.momentum = None
            module.train()
    with torch.no_grad():
        for start in range(0, len(faces_BCHW), _BATCH):
            classifier(faces_BCHW[start : start + _BATCH])


def _content(trained: TrainedNetwork, narrowed: ExpressionClassifier) -> dict[str, object]:
    assert isinstance(narrowed.backbone, ResidualBackbone)
    return {
        CHECKPOINT_KEY: {
            "network": trained.network,
            "network_options": trained.network_options | _shape(narrowed.backbone),
            "size": trained.size,
            "channels": trained.channels,
            "normalization": trained.normalization,
            "heads": {name: list(map(str, classes)) for name, classes in trained.classes.items()},
            "targets": trained.targets,
            "epochs": 0,
            "planned_epochs": 0,
            "seed": trained.seed,
        },
        "state_dict": {f"{WEIGHTS_PREFIX}{name}": value for name, value in narrowed.state_dict().items()},
    }


if __name__ == "__main__":
    main()
