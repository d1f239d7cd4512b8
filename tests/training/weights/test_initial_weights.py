import pytest
import torch
from torch import nn

from kaoiro.errors import ModelFileError
from kaoiro.expressions import EIGHT, SEVEN
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.training.weights.initial_weights import load_initial_weights
from kaoiro.training.weights.weights_files import shipped_names

SMALL = {"stem": 8, "widths": (16, 24), "depths": (1, 1)}
WIDER = {"stem": 8, "widths": (16, 32), "depths": (1, 1)}
SEVEN_NAMES, EIGHT_NAMES = tuple(map(str, SEVEN)), tuple(map(str, EIGHT))
HEADS = {"fer2013": SEVEN_NAMES, "ferplus": EIGHT_NAMES}


def classifier(heads=None, channels=1, options=None, network="kaoiro-s", seed=1):
    torch.manual_seed(seed)
    heads = heads or HEADS
    backbone = create_backbone(network, channels, options or (SMALL if network == "kaoiro-s" else None))
    made = ExpressionClassifier(backbone, {name: len(outputs) for name, outputs in heads.items()})
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics as of a trained network
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return made.eval()


def checkpoint_content(trained, heads=None, **description):
    heads = heads or HEADS
    about = {"network": "kaoiro-s", "size": 16, "channels": 1, "heads": {k: list(v) for k, v in heads.items()}}
    state = {f"classifier.{name}": value for name, value in trained.state_dict().items()}
    return {"kaoiro": about | description, "state_dict": state, "epoch": 3}


@pytest.fixture
def trained():
    return classifier(seed=7)


@pytest.fixture
def checkpoint(trained, tmp_path):
    torch.save(checkpoint_content(trained), tmp_path / "last.ckpt")
    return str(tmp_path / "last.ckpt")


def faces(channels=1):
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (4, 1, 16, 16), generator=generator).float().expand(-1, channels, -1, -1)


def logits(model, channels=1):
    with torch.inference_mode():
        return model(faces(channels))


def load(model, source, heads=None, channels=1, **more):
    return load_initial_weights(model, source, heads or HEADS, channels=channels, **more)


def test_everything_fits(trained, checkpoint):
    model = classifier()
    report = load(model, checkpoint)
    for name, value in logits(trained).items():
        assert torch.equal(logits(model)[name], value)
    assert not (report.fresh or report.left or report.adapted or report.notes)
    assert report.lines() == [
        f"initial weights from {checkpoint}: 43 of the backbone's 43 tensors",
        "  head fer2013: all 7 outputs loaded",
        "  head ferplus: all 8 outputs loaded",
    ]


def test_other_classes_are_copied_by_name(trained, checkpoint):
    heads = {"fer2013": ("happiness", "pain", "anger"), "ferplus": EIGHT_NAMES[:5], "mine": ("valence",)}
    model, untouched = classifier(heads), classifier(heads)
    report = load(model, checkpoint, heads)
    found, fresh, before = logits(model), logits(untouched), logits(trained)
    column = SEVEN_NAMES.index
    assert torch.allclose(found["fer2013"][:, 0], before["fer2013"][:, column("happiness")], atol=1e-6)
    assert torch.allclose(found["fer2013"][:, 2], before["fer2013"][:, column("anger")], atol=1e-6)
    assert torch.equal(model.heads["fer2013"].weight[1], untouched.heads["fer2013"].weight[1])
    assert torch.allclose(found["ferplus"], before["ferplus"][:, :5], atol=1e-6)
    assert torch.equal(model.heads["mine"].weight, untouched.heads["mine"].weight)
    assert not torch.equal(found["mine"], fresh["mine"])  # its features are the trained ones
    assert report.lines()[1:] == [
        "  head fer2013: happiness, anger loaded; afresh: pain",
        "  head ferplus: all 5 outputs loaded",
        "  head mine: begins afresh (the file has no head of that name; it has fer2013, ferplus)",
    ]


def test_heads_of_other_names_and_outputs(checkpoint):
    heads = {"ferplus": ("valence", "arousal")}
    report = load(classifier(heads), checkpoint, heads)
    assert report.lines()[1:] == [
        f"  head ferplus: begins afresh (the file's head has other outputs: {', '.join(EIGHT_NAMES)})",
        "  left in the file: heads.fer2013.weight, heads.fer2013.bias (the model has no such head)",
    ]


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_other_channels(tmp_path, before, after):
    trained, model = classifier(channels=before, seed=7), classifier(channels=after)
    torch.save(checkpoint_content(trained), tmp_path / "a.ckpt")
    report = load(model, str(tmp_path / "a.ckpt"), channels=after)
    # The same grey faces, in one channel and in three.
    for name, value in logits(trained, before).items():
        assert torch.allclose(logits(model, after)[name], value, atol=1e-5)
    (name,) = report.adapted
    assert name == "backbone.layers.0.0.weight"
    assert len(report.loaded) == 43


def test_other_shapes(trained, checkpoint):
    model, untouched = classifier(options=WIDER), classifier(options=WIDER)
    report = load(model, checkpoint)
    state, before, fresh = model.state_dict(), trained.state_dict(), untouched.state_dict()
    assert torch.equal(state["backbone.layers.2.0.weight"], before["backbone.layers.2.0.weight"])
    assert torch.equal(state["backbone.layers.5.0.weight"], fresh["backbone.layers.5.0.weight"])
    assert report.left["backbone.layers.5.0.weight"] == "the shape is 24×16×3×3 there, 32×16×3×3 here"
    assert report.heads["fer2013"].reason == "the shape is 7×24 there, 7×32 here"
    assert set(report.loaded) | set(report.fresh) == {
        name for name in state if name.startswith("backbone.") and not name.endswith("num_batches_tracked")
    }


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: f"module.{name}",
        lambda name: f"model.module.{name}",
        lambda name: f"_orig_mod.{name}",
        lambda name: f"classifier._orig_mod.{name}",
        lambda name: f"classifier.{name.replace('backbone.', 'backbone._orig_mod.')}",
    ],
    ids=["plain", "module", "model.module", "compiled", "within Lightning", "backbone compiled"],
)
@pytest.mark.parametrize("nested", [None, "state_dict", "model"])
def test_plain_weights(trained, tmp_path, rename, nested):
    content = {rename(name): value for name, value in trained.state_dict().items()}
    torch.save({nested: content, "epoch": 3} if nested else content, tmp_path / "weights.pth")
    model = classifier()
    report = load(model, str(tmp_path / "weights.pth"))
    assert not (report.fresh or report.left)
    assert torch.equal(logits(model)["ferplus"], logits(trained)["ferplus"])


def test_a_backbone_alone(trained, tmp_path):
    torch.save(trained.backbone.state_dict(), tmp_path / "backbone.pth")
    model = classifier()
    report = load(model, str(tmp_path / "backbone.pth"))
    assert len(report.loaded) == 43
    assert torch.equal(model.features(faces()), trained.features(faces()))
    assert report.heads["ferplus"].reason == "the file has no head of that name"


def test_safetensors(trained, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    path = tmp_path / "weights.safetensors"
    safetensors.save_file({name: value.contiguous() for name, value in trained.state_dict().items()}, path)
    model = classifier()
    load(model, str(path))
    assert torch.equal(logits(model)["ferplus"], logits(trained)["ferplus"])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelFileError, match=r"weights\.safetensors' is no \.safetensors file, or not a whole one"):
        load(model, str(path))


def test_half_precision_is_brought_to_full(trained, tmp_path):
    torch.save({name: value.half() for name, value in trained.state_dict().items()}, tmp_path / "half.pth")
    model = classifier()
    load(model, str(tmp_path / "half.pth"))
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert torch.allclose(logits(model)["ferplus"], logits(trained)["ferplus"], atol=0.02)


def test_the_averaged_weights_are_taken(trained, tmp_path):
    # As Lightning writes them: the averages as the state, the current weights beside it.
    current = classifier(seed=9)
    state = {f"classifier.{name}": value for name, value in current.state_dict().items()}
    torch.save(checkpoint_content(trained) | {"current_model_state": state}, tmp_path / "a.ckpt")
    model = classifier()
    load(model, str(tmp_path / "a.ckpt"))
    assert torch.equal(logits(model)["ferplus"], logits(trained)["ferplus"])


def test_another_normalisation_is_noted(checkpoint):
    report = load(classifier(), checkpoint, normalization="imagenet")
    assert report.lines()[-1] == "  note: the file's network expects pixels normalised 'per-face', this one 'imagenet'"


@pytest.mark.parametrize("network", ["emotionnet", "expression-transformer"])
def test_another_network(checkpoint, network):
    model = classifier(network=network)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ModelFileError, match="it holds another network") as caught:
        load(model, checkpoint)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_weights_that_are_no_numbers(trained, tmp_path):
    trained.backbone.layers[2][0].weight.data[0, 0, 0, 0] = float("nan")
    torch.save(checkpoint_content(trained), tmp_path / "a.ckpt")
    with pytest.raises(ModelFileError, match=r"no finite numbers, in backbone\.layers\.2\.0\.weight for one"):
        load(classifier(), str(tmp_path / "a.ckpt"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("kaoiro-xxl", None, "give the path of a file, or a shipped model's name"),
        ("nothing.ckpt", None, "there are no initial weights .*nothing.ckpt'"),
        ("a.onnx", b"no model", "is no model file of `kaoiro export`, or not a whole one"),
        ("a.onnx", b"", "is no model file of `kaoiro export`"),
        ("a.ckpt", b"no checkpoint", "is no checkpoint or weights file of torch"),
    ],
)
def test_no_weights(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=message):
        load(classifier(), str(path))


@pytest.mark.parametrize("content", [{}, {"state_dict": {}}, [1, 2], torch.zeros(2), {"epoch": 3}])
def test_files_of_torch_without_weights(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(ModelFileError, match="holds no weights"):
        load(classifier(), str(tmp_path / "a.pt"))


@pytest.mark.parametrize("name", [name for name in shipped_names() if not name.endswith("-int8")])
def test_a_shipped_model(name):
    heads = {"ferplus": EIGHT_NAMES, "fer2013": EIGHT_NAMES}
    model = ExpressionClassifier(create_backbone(name, 1), dict.fromkeys(heads, 8))
    report = load(model, name, heads)
    assert not report.fresh
    assert not report.left
    assert report.heads["ferplus"].loaded == EIGHT_NAMES
    assert (report.heads["fer2013"].loaded, report.heads["fer2013"].fresh) == (SEVEN_NAMES, ("contempt",))


@pytest.mark.parametrize("name", [name for name in shipped_names() if name.endswith("-int8")])
def test_a_shipped_model_in_8_bits_is_refused(name):
    with pytest.raises(ModelFileError, match="computes in 8 bits"):
        load(classifier(), name)
