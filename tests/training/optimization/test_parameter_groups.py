import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from kaoiro.errors import InputError
from kaoiro.models import ExpressionClassifier, create_backbone, network_names
from kaoiro.training.optimization.parameter_groups import backbone_layers, parameter_groups


def classifier(network="kaoiro-s"):
    return ExpressionClassifier(create_backbone(network, 1), {"fer2013": 7, "ferplus": 8})


def names(module, parameters):
    known = {id(parameter): name for name, parameter in module.named_parameters()}
    return {known[id(parameter)] for parameter in parameters}


def test_the_usual_two_groups():
    module = classifier()
    weights, rest = parameter_groups(module)
    assert (weights.name, weights.decayed, weights.rate) == ("weights", True, 1.0)
    assert (rest.name, rest.decayed, rest.rate) == ("norms-and-biases", False, 1.0)
    of_norms = {id(p) for m in module.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()}
    biases = {id(p) for name, p in module.named_parameters() if name.endswith("bias")}
    assert {id(p) for p in rest.parameters} == of_norms | biases
    # In the order of the network: optimiser states in checkpoints are stored by place.
    everything = list(module.parameters())
    assert [id(p) for p in weights.parameters] == [id(p) for p in everything if p.ndim > 1]
    assert [id(p) for p in rest.parameters] == [id(p) for p in everything if p.ndim <= 1]


@given(
    st.sampled_from(network_names()),
    st.booleans(),
    st.sampled_from([1.0, 0.1]),
    st.sampled_from([1.0, 0.8]),
)
def test_every_trained_parameter_is_in_one_group(network, decay_all, backbone_rate, layer_decay):
    module = classifier(network)
    frozen = next(iter(module.parameters())).requires_grad_(False)
    groups = parameter_groups(
        module, decay_norms_and_biases=decay_all, backbone_rate=backbone_rate, layer_decay=layer_decay
    )
    members = [id(p) for group in groups for p in group.parameters]
    assert sorted(members) == sorted(id(p) for p in module.parameters() if p is not frozen)
    assert len({group.name for group in groups}) == len(groups)
    assert all(group.parameters for group in groups)
    assert all(group.decayed for group in groups) == decay_all
    heads = {group.rate for group in groups if names(module, group.parameters) & {"heads.ferplus.weight"}}
    assert heads == {1.0}


def test_a_smaller_rate_for_the_backbone():
    module = classifier()
    groups = parameter_groups(module, backbone_rate=0.1)
    assert [(group.name, group.rate, group.decayed) for group in groups] == [
        ("backbone/weights", 0.1, True),
        ("backbone/norms-and-biases", 0.1, False),
        ("heads/weights", 1.0, True),
        ("heads/norms-and-biases", 1.0, False),
    ]
    assert names(module, groups[2].parameters) == {"heads.fer2013.weight", "heads.ferplus.weight"}


def test_norms_and_biases_may_be_decayed():
    (group,) = parameter_groups(classifier(), decay_norms_and_biases=True)
    assert (group.name, group.decayed) == ("weights", True)


def test_rates_fall_from_layer_to_layer():
    module = classifier()
    groups = {group.name: group for group in parameter_groups(module, backbone_rate=0.5, layer_decay=0.8)}
    # Eight layers: the stem, and in each of three stages a convolution and a block, in the last one two.
    weights = [name for name in groups if name.endswith("/weights")]
    assert weights == [f"backbone-{layer}/weights" for layer in range(1, 9)] + ["heads/weights"]
    assert [groups[name].rate for name in weights] == pytest.approx([0.5 * 0.8 ** (9 - i) for i in range(1, 9)] + [1.0])
    assert names(module, groups["backbone-1/weights"].parameters) == {"backbone.layers.0.0.weight"}
    assert names(module, groups["backbone-1/norms-and-biases"].parameters) == {
        "backbone.layers.0.1.weight",
        "backbone.layers.0.1.bias",
    }


@pytest.mark.parametrize(
    ("network", "layers"),
    [
        ("kaoiro-s", {"layers.0.0.weight": 1, "layers.2.1.bias": 2, "layers.4.branch.0.0.weight": 3}),
        ("emotionnet", {"layers.0.0.weight": 1, "layers.1.0.weight": 2, "layers.2.leave.1.bias": 3}),
        (
            "expression-transformer",
            {
                "tokenizer.0.0.weight": 1,
                "tokenizer.2.1.bias": 3,
                "blocks.0.mlp.0.bias": 4,
                "blocks.5.attention.qkv.weight": 9,
                "norm.weight": 9,
                "pool.score.weight": 10,
            },
        ),
    ],
)
def test_layers_of_our_networks(network, layers):
    found = backbone_layers(create_backbone(network, 1))
    assert layers.items() <= found.items()
    assert set(found.values()) == set(range(1, {"kaoiro-s": 8}.get(network, 10) + 1))


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, 3))
        self.enter = nn.Linear(3, 3)
        self.norm = nn.LayerNorm(3)
        self.blocks = nn.ModuleList(nn.Linear(3, 3) for _ in range(2))
        self.num_features = 3

    def no_weight_decay(self):
        return {"position"}


def test_layers_of_a_network_of_ones_own():
    assert backbone_layers(Own()) == {
        "position": 1,
        "enter.weight": 1,
        "enter.bias": 1,
        "norm.weight": 1,
        "norm.bias": 1,
        "blocks.0.weight": 2,
        "blocks.0.bias": 2,
        "blocks.1.weight": 3,
        "blocks.1.bias": 3,
    }


def test_what_a_network_names_is_not_decayed():
    module = ExpressionClassifier(Own(), {"a": 2})
    weights, rest = parameter_groups(module)
    assert "backbone.position" in names(module, rest.parameters)
    assert "backbone.enter.weight" in names(module, weights.parameters)


def test_layers_of_timm():
    timm = pytest.importorskip("timm")
    layers = backbone_layers(nn.ModuleDict({"inner": timm.create_model("vit_tiny_patch16_224", num_classes=0)}))
    assert layers["inner.pos_embed"] == layers["inner.patch_embed.proj.weight"] == 1
    assert [layers[f"inner.blocks.{block}.mlp.fc1.weight"] for block in range(12)] == list(range(2, 14))
    # timm counts the last norm to the last block.
    assert layers["inner.norm.weight"] == 13


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone_rate": 0.0}, "backbone_rate must be above 0, not 0.0; to train the heads alone, freeze it"),
        ({"layer_decay": 1.5}, "layer_decay must be above 0 and at most 1, not 1.5"),
        ({"layer_decay": 0.0}, "layer_decay must be above 0"),
    ],
)
def test_factors_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        parameter_groups(classifier(), **options)


def test_nothing_to_train():
    with pytest.raises(InputError, match="every parameter of the network is frozen"):
        parameter_groups(classifier().requires_grad_(False))
