import pickle
import sys

import pytest
import timm
import torch
from safetensors.torch import save_file

from kaoiro.errors import InputError, MissingExtraError
from kaoiro.models import ExpressionClassifier, create_backbone

SMALL = "timm:test_resnet"
"""One of timm's own networks for tests, with 0.5 M parameters."""


def write_weights(path, name="test_resnet", wrap=None, **arguments):
    weights = timm.create_model(name, **arguments).state_dict()
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save({wrap: weights} if wrap else weights, path)
    return weights


@pytest.mark.parametrize("channels", [1, 3])
# Convolutions only; made for one size; a layer behind the pooling, which timm's own num_features does not count.
@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "mobilenetv3_small_050"])
def test_features(name, channels):
    network = create_backbone(f"timm:{name}", channels, size=32).eval()
    with torch.no_grad():
        features = network(torch.randn(2, channels, 32, 32))
    assert features.shape == (2, network.num_features)


def test_options_reach_the_network():
    assert len(create_backbone("timm:test_vit", 1, {"depth": 2}).blocks) == 2


def test_only_one_network_is_drawn_from_the_random_stream(tmp_path):
    write_weights(tmp_path / "a.pth")
    drawn = []
    for options in ({}, {"pretrained": str(tmp_path / "a.pth")}):
        torch.manual_seed(5)
        create_backbone(SMALL, 1, options)
        drawn.append(torch.rand(3))
    assert torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize("file", ["weights.safetensors", "weights.pth"])
def test_weights_of_a_local_file(file, tmp_path):
    weights = write_weights(tmp_path / file)
    network = create_backbone(SMALL, 3, {"pretrained": str(tmp_path / file)})
    loaded = network.state_dict()
    assert {key for key in weights if key not in loaded} == {"fc.weight", "fc.bias"}
    assert all(torch.equal(loaded[key], weights[key]) for key in loaded)
    assert "state_dict" not in network.pretrained_cfg


def test_a_training_checkpoint_with_the_weights_inside(tmp_path):
    weights = write_weights(tmp_path / "checkpoint.pth", wrap="state_dict")
    network = create_backbone(SMALL, 3, {"pretrained": str(tmp_path / "checkpoint.pth")})
    assert torch.equal(network.state_dict()["conv1.0.weight"], weights["conv1.0.weight"])


def test_the_first_convolution_is_adapted_to_grey(tmp_path):
    write_weights(tmp_path / "weights.pth")
    options = {"pretrained": str(tmp_path / "weights.pth")}
    coloured, grey = (create_backbone(SMALL, channels, options).eval() for channels in (3, 1))
    picture = torch.rand(2, 1, 48, 48)
    with torch.no_grad():  # a grey picture is a coloured one with three equal channels
        torch.testing.assert_close(grey(picture), coloured(picture.expand(2, 3, 48, 48)), atol=1e-4, rtol=1e-4)


def test_positions_are_interpolated_to_the_size(tmp_path):
    weights = write_weights(tmp_path / "weights.pth", name="test_vit")
    network = create_backbone("timm:test_vit", 3, {"pretrained": str(tmp_path / "weights.pth")}, size=48)
    assert network.pos_embed.shape[1] == 9 + 1 < weights["pos_embed"].shape[1]


def test_what_a_file_lacks_is_told(tmp_path):
    weights = {k: v for k, v in write_weights(tmp_path / "a.pth").items() if not k.startswith("layer4.")}
    torch.save(weights, tmp_path / "part.pth")
    with pytest.warns(UserWarning, match=r"^\d+ of \d+ weights of '.*' are not in '.*part.pth'.*'layer4\."):
        create_backbone(SMALL, 3, {"pretrained": str(tmp_path / "part.pth")})


def test_files_that_cannot_be_used(tmp_path):
    write_weights(tmp_path / "other.pth", name="test_vit")
    write_weights(tmp_path / "wider.pth", name="resnet18")
    (tmp_path / "text.pth").write_text("not weights")
    (tmp_path / "text.safetensors").write_text("not weights")
    (tmp_path / "empty.pth").write_bytes(b"")
    torch.save({"epoch": 3}, tmp_path / "nothing.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for file, line in [
        ("missing.pth", r"there is no weights file '.*missing.pth'; pretrained takes true or the path of a file"),
        (
            "other.pth",
            r"other.pth' does not fit the network 'timm:test_resnet': no weight has its name",
        ),
        ("wider.pth", r"weights file '.*wider.pth' does not fit the network 'timm:test_resnet'"),
        ("text.pth", r"text.pth' is no weights file that can be loaded safely"),
        ("text.safetensors", r"text.safetensors' is no weights file that can be loaded safely"),
        ("empty.pth", r"empty.pth' is no weights file that can be loaded safely"),
        ("nothing.pth", r"nothing.pth' holds no weights"),
        ("list.pth", r"list.pth' is no weights file that can be loaded safely"),
    ]:
        with pytest.raises(InputError, match=line) as caught:
            create_backbone(SMALL, 3, {"pretrained": str(tmp_path / file)})
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["evil.pth", "evil.safetensors"])
def test_a_file_never_runs_code(file, tmp_path):
    class Evil:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    (tmp_path / file).write_bytes(pickle.dumps({"state_dict": Evil()}))
    with pytest.raises(InputError, match="is no weights file that can be loaded safely"):
        create_backbone(SMALL, 1, {"pretrained": str(tmp_path / file)})
    torch.save({"state_dict": Evil()}, tmp_path / file)
    with pytest.raises(InputError, match="is no weights file that can be loaded safely"):
        create_backbone(SMALL, 1, {"pretrained": str(tmp_path / file)})
    assert not (tmp_path / "ran").exists()


# One line for each way of getting it wrong.
@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        (
            "timm:resnet19",
            {},
            r"no network 'timm:resnet19' in timm [\d.]+; did you mean timm:resnet",
        ),
        ("timm:zzzzzzzzz", {}, r"timm\.list_models\(\) lists them all"),
        ("timm:resnet18.x", {}, r"no weights 'x' of timm:resnet18; it has: a1_in1k, "),
        ("timm:test_resnet", {"widths": 3}, "'timm:test_resnet' cannot be made: TypeError: .*'widths'"),
        ("timm:test_resnet", {"num_classes": 7}, "no option 'num_classes': the heads are Kaoiro's"),
        ("timm:test_resnet", {"checkpoint_path": "a"}, "no option 'checkpoint_path': give the file as pretrained"),
        ("timm:test_resnet", {"pretrained": 3}, "pretrained is true, false or the path of a file, not 3"),
        ("timm:resnet26t", {"pretrained": True, "widths": 3}, "cannot be made: .*'widths'"),
        ("timm:vit_tiny_patch16_384", {"img_size": 64}, r"cannot read pictures of 1×48×48: AssertionError"),
    ],
)
def test_what_cannot_be_used(name, options, line):
    with pytest.raises(InputError, match=line):
        create_backbone(name, 1, options)


def test_weights_that_timm_does_not_have():
    with pytest.raises(InputError, match="timm has no weights for 'timm:vit_base_patch32_plus_256'; leave"):
        create_backbone("timm:vit_base_patch32_plus_256", 1, {"pretrained": True})


def test_timms_own_weights_without_a_connection(monkeypatch, tmp_path):
    # What the hub's client does offline: an OSError of its own after many attempts.
    def unreachable(*_, **__):
        raise FileNotFoundError("We cannot find the requested files in the local cache.\nCheck your connection.")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", unreachable)
    with pytest.raises(
        InputError,
        match=r"^network 'timm:test_resnet': its weights are not in timm's cache and cannot be fetched "
        r"\(We cannot find the requested files in the local cache\); "
        r"give the path of a \.safetensors or \.pth file as pretrained$",
    ):
        create_backbone(SMALL, 1, {"pretrained": True})


def test_without_timm(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"'timm:resnet18' needs timm; .*pip install 'kaoiro\[timm\]'"):
        create_backbone("timm:resnet18", 1)


def test_one_set_of_logits_a_head():
    classifier = ExpressionClassifier(create_backbone(SMALL, 3), {"a": 7, "b": 8}, normalization="imagenet").eval()
    logits = classifier(torch.randint(0, 256, (2, 3, 48, 48), dtype=torch.uint8))
    assert {name: tuple(values.shape) for name, values in logits.items()} == {"a": (2, 7), "b": (2, 8)}
