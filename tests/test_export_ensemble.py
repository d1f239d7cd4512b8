"""Exporting several checkpoints as one model file."""

import numpy as np
import pytest
import torch

from kaoiro.errors import InputError, ModelFileError
from kaoiro.export import ENSEMBLE, export
from kaoiro.recognition.model_file import open_model


@pytest.fixture
def altered(trained_run, tmp_path):
    """Write the run's checkpoint again, with other weights and perhaps another description."""

    def write(name, noise=0, **description):
        content = torch.load(trained_run / "last.ckpt", weights_only=True)
        generator = torch.Generator().manual_seed(noise)
        for key, value in content["state_dict"].items():
            if ".heads." in f".{key}":
                content["state_dict"][key] = value + torch.randn(value.shape, generator=generator)
        for key, value in description.items():
            content["kaoiro"][key] = value
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return write


def test_an_ensemble_answers_with_the_mean(altered, tmp_path):
    checkpoints = [altered("a.ckpt", 1), altered("b.ckpt", 2)]
    together = export(checkpoints, tmp_path / "both.onnx")
    assert together.largest_difference < 1e-4
    assert together.metadata.name == ENSEMBLE
    faces = np.random.default_rng(0).integers(0, 256, (9, 1, 16, 16), dtype=np.uint8)
    alone = []
    for place, checkpoint in enumerate(checkpoints):
        export(checkpoint, tmp_path / f"{place}.onnx")
        alone.append(open_model(tmp_path / f"{place}.onnx").session.run(["fer2013", "ferplus"], {"faces": faces}))
    found = open_model(tmp_path / "both.onnx").session.run(["fer2013", "ferplus"], {"faces": faces})
    assert not np.allclose(alone[0][0], alone[1][0], atol=1e-2)
    for both, one, other in zip(found, *alone, strict=True):
        assert both == pytest.approx((np.asarray(one) + np.asarray(other)) / 2, abs=1e-5)


def test_a_member_may_be_a_model_file(altered, tmp_path):
    checkpoints = [altered("a.ckpt", 1), altered("b.ckpt", 2)]
    expected = export(checkpoints, tmp_path / "both.onnx", name="mean").path
    member = export(checkpoints[0], tmp_path / "a.onnx").path
    found = export([member, checkpoints[1]], tmp_path / "again.onnx", name="mean").path
    faces = np.random.default_rng(0).integers(0, 256, (5, 1, 16, 16), dtype=np.uint8)
    answers = [open_model(path).session.run(["fer2013", "ferplus"], {"faces": faces}) for path in (found, expected)]
    for one, other in zip(*answers, strict=True):
        assert np.array_equal(one, other)


def test_an_ensemble_says_what_it_is_made_of(altered, tmp_path):
    written = export([altered("a.ckpt", 1, seed=5), altered("b.ckpt", 2, seed=6)], tmp_path / "both.onnx", name="l")
    provenance = open_model(written.path).metadata.provenance
    assert provenance["network"] == "ensemble"
    assert [member["seed"] for member in provenance["members"]] == [5, 6]


def test_heads_that_not_all_members_have_are_left_out(altered, tmp_path):
    other = altered("b.ckpt", 2, targets={"fer2013": "label", "ferplus": "values"})
    content = torch.load(other, weights_only=True)
    content["kaoiro"]["heads"]["ferplus"] = [str(place) for place in range(8)]
    torch.save(content, other)
    written = export([altered("a.ckpt", 1), other], tmp_path / "both.onnx")
    assert list(written.metadata.heads) == ["fer2013"]
    assert written.left_out == ("ferplus",)


def test_heads_that_learned_something_else_are_left_out(altered, tmp_path):
    other = altered("b.ckpt", 2, targets={"fer2013": "label", "ferplus": "label"})
    assert list(export([altered("a.ckpt", 1), other], tmp_path / "both.onnx").metadata.heads) == ["fer2013"]


def test_members_with_different_inputs(altered, tmp_path):
    with pytest.raises(ModelFileError, match=r"same input, but .*a\.ckpt' reads 1×16×16 and .*b\.ckpt' 1×24×24"):
        export([altered("a.ckpt"), altered("b.ckpt", size=24)], tmp_path / "both.onnx")
    assert not (tmp_path / "both.onnx").exists()


def test_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match="at least one checkpoint"):
        export([], tmp_path / "a.onnx")


def test_the_same_checkpoint_gives_the_same_file(trained_run, drawn_corpus, tmp_path):
    for name in ("a.onnx", "b.onnx"):
        export(trained_run / "best.ckpt", tmp_path / name, corpus=drawn_corpus)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
