import torch

from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.models.ensemble import Ensemble


def classifier(seed, **heads):
    torch.manual_seed(seed)
    return ExpressionClassifier(create_backbone("kaoiro-n", 1), heads).eval()


def test_the_mean_of_the_probabilities():
    members = [classifier(seed, a=7, b=8) for seed in range(3)]
    faces = torch.randint(0, 256, (5, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together = Ensemble(members, ["a", "b"])(faces)
        alone = [member(faces) for member in members]
    for head in ("a", "b"):
        expected = sum(answer[head].softmax(1) for answer in alone) / 3
        assert torch.allclose(together[head].softmax(1), expected, atol=1e-6)


def test_only_the_named_heads():
    members = [classifier(0, a=7, b=8), classifier(1, a=7, c=3)]
    assert list(Ensemble(members, ["a"])(torch.zeros(2, 1, 48, 48))) == ["a"]
