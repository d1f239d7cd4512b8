import torch

from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.models.ensemble import Ensemble
from kaoiro.models.zoom import zoom_matrix


def classifier(seed, **heads):
    torch.manual_seed(seed)
    return ExpressionClassifier(create_backbone("kaoiro-n", 1), heads).eval()


def zoomed(faces, factor):
    matrix = zoom_matrix(faces.shape[-1], factor)
    return matrix @ faces @ matrix.T


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


def test_every_member_reads_every_zoom():
    members = [classifier(seed, a=7) for seed in range(2)]
    for member in members:  # so that untrained ones tell faces apart
        torch.nn.init.normal_(member.heads["a"].weight)
    faces = torch.randint(0, 256, (4, 1, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together = Ensemble(members, ["a"], zooms=(1.0, 1.1))(faces)["a"].softmax(1)
        pictures = [faces, zoomed(faces.float(), 1.1)]
        alone = [member(picture)["a"].softmax(1) for member in members for picture in pictures]
    assert torch.allclose(together, sum(alone) / 4, atol=1e-5)
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)
