import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from kaoiro.errors import InputError
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.models.classifier import ImagenetNormalization, standardize

FACES = hnp.arrays(np.uint8, (3, 1, 6, 5))


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    return ExpressionClassifier(create_backbone("kaoiro-s", 1), {"a": 7, "b": 8}, dropout=0.5).eval()


@given(FACES)
def test_standardize_against_numpy(faces):
    for face, given_back in zip(faces, standardize(torch.from_numpy(faces)).numpy(), strict=True):
        exact = face.astype(np.float64)
        assert given_back == pytest.approx((exact - exact.mean()) / max(exact.std(), 8.0), abs=1e-4)


@given(FACES, st.floats(0.5, 2), st.floats(-50, 50))
def test_standardize_takes_brightness_and_contrast_away(faces, contrast, brightness):
    faces = faces.astype(np.float64)
    faces[:, 0, 0, :2] = [0, 255]  # enough contrast before and after
    one = standardize(torch.from_numpy(faces))
    other = standardize(torch.from_numpy(contrast * faces + brightness))
    assert torch.allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("value", [0, 77, 255])
def test_a_blank_picture_becomes_zeros(value):
    assert not standardize(torch.full((2, 3, 8, 8), value, dtype=torch.uint8)).any()


def test_faint_noise_is_not_blown_up():
    faint = torch.tensor([99, 101] * 32, dtype=torch.uint8).view(1, 1, 8, 8)
    assert standardize(faint).abs().max() == pytest.approx(1 / 8)


def test_one_set_of_logits_a_head(classifier):
    logits = classifier(torch.randint(0, 256, (5, 1, 48, 48), dtype=torch.uint8))
    assert {name: tuple(values.shape) for name, values in logits.items()} == {"a": (5, 7), "b": (5, 8)}


def test_whole_and_floating_pixels_read_alike(classifier):
    faces = torch.randint(0, 256, (4, 1, 40, 40), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(classifier(faces)["a"], classifier(faces.float())["a"])


def test_a_blank_picture_has_an_answer(classifier):
    with torch.no_grad():
        assert classifier(torch.zeros(1, 1, 48, 48, dtype=torch.uint8))["b"].isfinite().all()


def test_faces_of_a_batch_do_not_touch_each_other(classifier):
    faces = torch.randint(0, 256, (4, 1, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        together = classifier(faces)["a"]
        alone = torch.cat([classifier(face[None])["a"] for face in faces])
    assert torch.allclose(together, alone, atol=1e-4)


def test_dropout_works_in_training_only():
    class Ones(nn.Module):
        num_features = 1000

        def forward(self, x):
            return torch.ones(len(x), 1000)

    classifier = ExpressionClassifier(Ones(), {"a": 2}, dropout=0.5)
    nn.init.ones_(classifier.heads["a"].weight)
    nn.init.zeros_(classifier.heads["a"].bias)
    faces = torch.zeros(20, 1, 2, 2)
    assert classifier.eval()(faces)["a"].unique().tolist() == [1000]
    varied = classifier.train()(faces)["a"]
    assert len(varied.unique()) > 5
    assert varied.mean().item() == pytest.approx(1000, rel=0.05)


MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # as torchvision documents them
LUMINANCE = (0.299, 0.587, 0.114)


@given(hnp.arrays(np.uint8, (2, 3, 4, 5)))
def test_imagenet_normalization_against_numpy(faces):
    found = ImagenetNormalization()(torch.from_numpy(faces)).numpy()
    for colour in range(3):
        expected = (faces[:, colour] / 255 - MEAN[colour]) / DEVIATION[colour]
        assert found[:, colour] == pytest.approx(expected, abs=1e-5)


@given(hnp.arrays(np.uint8, (2, 1, 4, 5)))
def test_grey_pictures_are_normalized_by_luminance(faces):
    expected = (faces / 255 - np.dot(LUMINANCE, MEAN)) / np.dot(LUMINANCE, DEVIATION)
    assert ImagenetNormalization()(torch.from_numpy(faces)).numpy() == pytest.approx(expected, abs=1e-5)


def test_imagenet_normalization_of_other_channels():
    with pytest.raises(InputError, match="'imagenet' is for 1 or 3 channels, not 2; take 'per-face'"):
        ImagenetNormalization()(torch.zeros(1, 2, 4, 4))


def test_an_unknown_normalization():
    with pytest.raises(InputError, match="no normalization 'imagnet'; choose one of per-face, imagenet"):
        ExpressionClassifier(create_backbone("kaoiro-s", 1), {"a": 7}, normalization="imagnet")


def test_checkpoints_do_not_depend_on_the_normalization():
    per_face, imagenet = (
        ExpressionClassifier(create_backbone("kaoiro-s", 3), {"a": 7}, normalization=normalization)
        for normalization in ("per-face", "imagenet")
    )
    names = list(per_face.state_dict())
    assert names == list(imagenet.state_dict())
    assert {name.partition(".")[0] for name in names} == {"backbone", "heads"}
    imagenet.load_state_dict(per_face.state_dict())


def test_features_and_read_out_make_up_the_answer(classifier):
    faces = torch.randint(0, 256, (3, 1, 48, 48), dtype=torch.uint8)
    with torch.no_grad():
        features = classifier.features(faces)
        assert features.shape == (3, classifier.backbone.num_features)
        assert torch.equal(features, classifier.backbone(standardize(faces)))
        read_out, whole = classifier.read_out(features), classifier(faces)
    assert all(torch.equal(read_out[name], whole[name]) for name in ("a", "b"))


def test_features_are_given_before_dropout():
    classifier = ExpressionClassifier(create_backbone("kaoiro-s", 1), {"a": 2}, dropout=0.9)
    classifier.backbone.eval()
    faces = torch.randint(0, 256, (3, 1, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(classifier.features(faces), classifier.features(faces))
        features = classifier.features(faces)
        assert not torch.equal(classifier.read_out(features)["a"], classifier.read_out(features)["a"])
