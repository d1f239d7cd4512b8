from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from kaoiro.errors import InputError, ModelFileError
from kaoiro.training.augmentation import Augmentation
from kaoiro.training.heads import HeadConfig
from kaoiro.training.module import ExpressionTraining
from kaoiro.training.run.command import train
from kaoiro.training.teachers import TeacherConfig, Teachers
from kaoiro.training.weights.checkpoint import load_checkpoint
from kaoiro.training.weights.weights_files import load_network
from killing import train_and_kill

HEADS = {"fer2013": HeadConfig(), "ferplus": HeadConfig(target="votes")}
PLAIN = Augmentation(
    rotation=0, scale=0, shift=0, shear=0, flip=0, brightness=0, contrast=0, erasing=0, mixup=0, size_by_epoch=None
)
ONE_HALF = Augmentation(**{**PLAIN.__dict__, "mixup": 1.0, "mixup_alpha": 1.0, "rotation": 10})


@pytest.fixture
def source(trained_run):
    return str(trained_run / "best.ckpt")


@pytest.fixture
def another(source, tmp_path):
    """A checkpoint like `source` with other answers."""
    content = torch.load(source, weights_only=True)
    content["state_dict"]["classifier.heads.fer2013.bias"] += torch.tensor([3.0, 0, 0, 0, 0, 0, -3])
    torch.save(content, tmp_path / "another.ckpt")
    return str(tmp_path / "another.ckpt")


@pytest.fixture
def faces():
    return torch.randint(0, 256, (6, 1, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def batch(faces):
    return {
        "faces": faces,
        "fer2013.distribution": torch.cat([torch.eye(7)[:5], torch.zeros(1, 7)]),
        "fer2013.weight": torch.tensor([1.0, 1, 1, 1, 1, 0]),
        "fer2013.answer": torch.tensor([0, 1, 2, 3, 4, -1]),
        "ferplus.distribution": torch.full((6, 8), 1 / 8),
        "ferplus.weight": torch.tensor([1.0, 0.5, 0.9, 1, 1, 1]),
        "ferplus.answer": torch.full((6,), -1),
    }


def teachers(*sources, heads=HEADS, channels=1, **options):
    return Teachers(TeacherConfig(sources, **options), heads, channels)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def expected_answers(source, faces, head, temperature=1.0):
    with torch.no_grad():
        return torch.softmax(load_network(source).classifier(faces)[head] / temperature, dim=1)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_a_teachers_answers_are_its_probabilities(source, faces, temperature):
    answers = teachers(source, temperature=temperature).answers(faces, generator())
    for head in HEADS:
        assert torch.allclose(answers[head], expected_answers(source, faces, head, temperature), atol=1e-6)


def test_one_of_several_answers_at_a_time_and_each_of_them_as_often(source, another, faces):
    pair = teachers(source, another)
    known = [expected_answers(path, faces, "fer2013") for path in (source, another)]
    chance = generator()
    draws = [pair.answers(faces, chance)["fer2013"] for _ in range(60)]
    who = [[torch.allclose(draw, answer, atol=1e-6) for answer in known].index(True) for draw in draws]
    assert 15 < sum(who) < 45
    repeated = pair.answers(faces, generator(3))["fer2013"]
    assert torch.equal(repeated, pair.answers(faces, generator(3))["fer2013"])


def test_faces_of_another_size_are_resized(source):
    coarse = torch.rand(6, 1, 4, 4, generator=generator()) * 255
    large = F.interpolate(coarse, (32, 32), mode="bicubic").clamp(0, 255)
    small = expected_answers(source, F.avg_pool2d(large, 2), "ferplus")
    assert torch.allclose(teachers(source).answers(large, generator())["ferplus"], small, atol=2e-3)
    assert not torch.allclose(expected_answers(source, large, "ferplus"), small, atol=2e-3)


def test_targets_have_the_share_that_is_asked_for(source, faces, batch):
    blended = teachers(source, share=0.6).blend(faces, batch, generator())
    answer = expected_answers(source, faces, "ferplus")
    assert torch.allclose(blended["ferplus.weight"], 0.4 * batch["ferplus.weight"] + 0.6)
    # With a weight of 1/2 the votes count half: 0.4 × 0.5 parts of them to 0.6 parts of the answer.
    assert torch.allclose(blended["ferplus.distribution"][1], (0.2 / 8 + 0.6 * answer[1]) / 0.8, atol=1e-6)
    assert torch.allclose(blended["fer2013.distribution"][5], expected_answers(source, faces, "fer2013")[5], atol=1e-6)
    assert blended["fer2013.weight"][5] == pytest.approx(0.6)
    assert blended["fer2013.answer"] is batch["fer2013.answer"]


@pytest.fixture
def module(monkeypatch):
    def make(**options):
        made = ExpressionTraining(heads=HEADS, size=16, dropout=0.0, label_smoothing=0.0, **options)
        monkeypatch.setattr(made, "log", lambda *_, **__: None)
        made._trainer = SimpleNamespace(current_epoch=0, global_rank=0, world_size=1)
        return made

    return make


def test_the_loss_is_that_of_both_targets(module, source, batch):
    made = module(augmentation=PLAIN, teachers=TeacherConfig((source,), share=0.7))
    loss = made.training_step(batch, 0)
    logits = {head: value.log_softmax(1) for head, value in made(batch["faces"]).items()}
    expected = 0.0
    for head in HEADS:
        weight, target = batch[f"{head}.weight"], batch[f"{head}.distribution"]
        own = -(target * logits[head]).sum(1) * weight
        taught = -(expected_answers(source, batch["faces"], head) * logits[head]).sum(1)
        expected += (0.3 * own + 0.7 * taught).sum() / (0.3 * weight + 0.7).sum()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-3)


def test_a_teacher_sees_the_pictures_that_the_network_sees(module, source, batch):
    made = module(augmentation=ONE_HALF, teachers=TeacherConfig((source,)))
    assert made.teachers is not None
    seen = []
    for network in (made.classifier, made.teachers._networks[0].classifier):
        network.normalize.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    made.training_step(batch, 0)
    one, other = seen
    assert torch.equal(one, other)
    assert not torch.equal(one, batch["faces"])


def test_a_teacher_may_see_them_as_they_were_before_they_were_spoilt(module, source, batch):
    spoiling = {"blur": 1.0, "blur_sigma": (1.0, 2.0), "low_resolution": 1.0, "noise": 0.2, "jpeg": 1.0}
    covered = {"erasing": 1.0, "erasing_area": (0.2, 0.3)}
    seen = {}
    for kind, augmentation in {
        "clear": Augmentation(**{**ONE_HALF.__dict__, **covered}),
        "spoilt": Augmentation(**{**ONE_HALF.__dict__, **covered, **spoiling}),
    }.items():
        for clear in (False, True):
            made = module(augmentation=augmentation, teachers=TeacherConfig((source,), clear=clear))
            for who, network in {"teacher": made.teachers._networks[0], "pupil": made}.items():
                network.classifier.normalize.register_forward_pre_hook(
                    lambda _, inputs, key=(kind, clear, who): seen.update({key: inputs[0].clone()})
                )
            made.training_step(batch, 0)
    assert torch.equal(seen["spoilt", True, "pupil"], seen["spoilt", False, "pupil"])
    assert torch.equal(seen["clear", True, "pupil"], seen["clear", False, "pupil"])
    assert torch.equal(seen["clear", True, "teacher"], seen["clear", True, "pupil"])
    assert not torch.allclose(seen["spoilt", True, "teacher"], seen["spoilt", True, "pupil"], atol=5)


def test_teachers_are_neither_trained_nor_saved(module, source):
    made, alone = module(teachers=TeacherConfig((source,))), module()
    assert made.state_dict().keys() == alone.state_dict().keys()
    assert [name for name, _ in made.named_parameters()] == [name for name, _ in alone.named_parameters()]
    made.train()
    assert made.teachers is not None
    assert not made.teachers._networks[0].classifier.training
    assert torch.equal(made.classifier.heads["fer2013"].weight, alone.classifier.heads["fer2013"].weight)


def test_a_run_learns_what_its_teacher_says(trained_run, another, drawn_corpus, tmp_path, capsys):
    """The teacher calls everything anger, so its pupil does too, although no label says so."""
    options = [f"--data.corpus={drawn_corpus}", "--data.batch_size=35", "--trainer.max_epochs=2", "--model.size=16"]
    heads = "--model.heads={fer2013: {target: label}}"
    content = torch.load(another, weights_only=True)
    content["state_dict"]["classifier.heads.fer2013.bias"][0] += 50
    torch.save(content, another)
    taught = [f"--model.teachers.models=[{another}]", "--model.teachers.share=1.0"]
    run = train([*options, heads, *taught, f"--run={tmp_path / 'run'}"])
    assert f"teachers in the step, 100% of each target: {another}" in capsys.readouterr().out.splitlines()
    pupil = load_checkpoint(run / "last.ckpt").classifier
    faces = torch.randint(0, 256, (20, 1, 16, 16), generator=generator(1), dtype=torch.uint8)
    assert (pupil(faces)["fer2013"].argmax(1) == 0).all()


def test_a_killed_run_goes_on_to_the_same_weights(source, another, drawn_corpus, one_thread, tmp_path):
    options = [
        f"--data.corpus={drawn_corpus}",
        "--data.batch_size=35",
        "--trainer.max_epochs=2",
        "--checkpoint_every=2",
        "--model.size=16",
        "--model.heads={fer2013: {target: label}, ferplus: {target: votes}}",
        f"--model.teachers.models=[{source}, {another}]",
        "--model.teachers.clear=true",
        "--model.augmentation.noise=0.1",
    ]
    whole, killed = (tmp_path / name for name in ("whole", "killed"))
    train([*options, f"--run={whole}"])
    train_and_kill([*options, f"--run={killed}"], 1, 3)
    train([*options, f"--run={killed}", "--resume"])
    one, other = (torch.load(run / "last.ckpt", weights_only=True)["state_dict"] for run in (whole, killed))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": ()}, "names no models"),
        ({"share": 0.0}, r"share must be above 0 and at most 1, not 0\.0"),
        ({"share": 1.1}, "share must be above 0"),
        ({"temperature": 0.0}, "temperature must be a number above 0"),
        ({"temperature": float("nan")}, "temperature must be a number above 0, not nan"),
    ],
)
def test_options_out_of_range(source, options, message):
    with pytest.raises(InputError, match=message):
        Teachers(TeacherConfig(**{"models": (source,), **options}), HEADS, 1)


@pytest.mark.parametrize(
    ("heads", "channels", "message"),
    [
        (HEADS, 3, r"best\.ckpt' reads faces of 1 channels, the model 3"),
        ({"mine": HeadConfig()}, 1, "has no head 'mine' to learn from; it has fer2013, ferplus"),
        ({"fer2013": HeadConfig(contempt=True)}, 1, "'fer2013' has the classes anger, .*contempt, that of the teacher"),
        ({"several": HeadConfig(target="multilabel")}, 1, "no head of the model tells classes apart"),
    ],
)
def test_a_teacher_that_does_not_fit(source, heads, channels, message):
    with pytest.raises(InputError, match=message):
        teachers(source, heads=heads, channels=channels)


def test_a_teacher_that_is_not_there():
    with pytest.raises(ModelFileError, match=r"no checkpoint 'nowhere\.ckpt'"):
        teachers("nowhere.ckpt")
