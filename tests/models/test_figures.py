import pytest
import torch
from torch import nn

from kaoiro.errors import InputError
from kaoiro.models import ExpressionClassifier, create_backbone, network_names
from kaoiro.models.figures import network_figures


def test_emotionnet_has_the_published_size_and_cost():
    figures = network_figures("emotionnet")
    assert (figures.channels, figures.size) == (3, 224)
    assert figures.parameters == 1_768_551
    assert figures.mmac == pytest.approx(248, abs=1)
    # Attention by hand: q·kᵀ and its product with v, each places² × width of a band; 14×14 places in 4 bands, then 7×7.
    assert figures.attention_mmac == pytest.approx(4 * 2 * (4 * 49**2 * 64 + 49**2 * 128) / 1e6)


@pytest.mark.parametrize("name", network_names())
def test_the_figures_equal_a_count_by_layer(name):
    figures = network_figures(name)
    classifier = ExpressionClassifier(create_backbone(name, figures.channels), {"expression": 7}).eval()
    counted = 0

    def count(module, _, output):
        nonlocal counted
        outputs = output[0, 0].numel() if isinstance(module, nn.Conv2d) else output[0].numel() // module.out_features
        counted += module.weight.numel() * outputs

    layers = [module for module in classifier.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    for layer in layers:
        layer.register_forward_hook(count)
    with torch.no_grad():
        classifier(torch.zeros(1, figures.channels, figures.size, figures.size))
    assert figures.mmac == pytest.approx(counted / 1e6)
    assert figures.parameters == sum(parameter.numel() for parameter in classifier.parameters())


def test_the_input_may_be_another():
    small, large = network_figures("kaoiro-s", size=24), network_figures("kaoiro-s", size=48)
    assert large.mmac == pytest.approx(4 * small.mmac, rel=0.001)
    assert small.parameters == large.parameters
    # The stem's 16 filters of 3×3 see two channels more, at every pixel.
    coloured = network_figures("kaoiro-s", channels=3)
    assert coloured.parameters - large.parameters == 2 * 16 * 9
    assert coloured.mmac - large.mmac == pytest.approx(2 * 16 * 9 * 48**2 / 1e6)


def test_a_size_that_the_network_cannot_read():
    with pytest.raises(InputError, match="emotionnet cannot read pictures of 48×48 pixels; take multiples of 32"):
        network_figures("emotionnet", size=48)
