import json
import pickle

import numpy as np
import onnx
import onnxscript.optimizer
import pytest
import torch

import kaoiro
from kaoiro import export as export_module
from kaoiro.corpus.store import open_corpus
from kaoiro.corpus.synthetic import write_synthetic_corpus
from kaoiro.errors import CorpusError, InputError, ModelFileError
from kaoiro.evaluation.calibration import Calibration, fit_calibration
from kaoiro.evaluation.evaluate import evaluate, right_answers
from kaoiro.export import export
from kaoiro.expressions import EIGHT, SEVEN
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.recognition.metadata import METADATA_KEY, Crop, ModelMetadata
from kaoiro.recognition.model_file import open_model
from kaoiro.training.weights.checkpoint import load_checkpoint
from kaoiro.training.weights.initial_weights import load_initial_weights


@pytest.fixture
def checkpoint(trained_run):
    return trained_run / "last.ckpt"


@pytest.fixture(scope="module")
def calibrated(trained_run, drawn_corpus, tmp_path_factory):
    target = tmp_path_factory.mktemp("calibrated") / "new" / "model.onnx"
    crop = Crop(side=1.2, shift_x=0.1, shift_y=-0.05)
    options = {"name": "drawn", "licence": "CC0-1.0", "default_head": "fer2013", "crop": crop}
    return export(trained_run / "best.ckpt", target, corpus=drawn_corpus, **options)


@pytest.fixture
def ready_graph(trained_model, monkeypatch):
    """Spare the test the seconds in which torch makes the graph."""
    monkeypatch.setattr(export_module, "_graph", lambda *_: onnx.load(trained_model))


def torch_probabilities(trained, faces, temperatures):
    with torch.inference_mode():
        logits = trained.classifier(torch.from_numpy(faces))
    return {head: torch.softmax(logits[head] / t, dim=1).numpy() for head, t in temperatures.items()}


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_the_same_answers_as_torch(trained_model, checkpoint, batch):
    rng = np.random.default_rng(batch)
    faces = rng.integers(0, 256, (batch, 1, 16, 16), dtype=np.uint8)
    found = open_model(trained_model).session.run(["fer2013", "ferplus"], {"faces": faces})
    expected = torch_probabilities(load_checkpoint(checkpoint), faces, {"fer2013": 1.0, "ferplus": 1.0})
    for name, output in zip(("fer2013", "ferplus"), found, strict=True):
        assert output.dtype == np.float32
        assert output == pytest.approx(expected[name], abs=1e-4)
        assert output.sum(axis=1) == pytest.approx(np.ones(batch), abs=1e-5)


def test_the_graph(trained_model):
    model = onnx.load(trained_model)
    onnx.checker.check_model(model, full_check=True)
    (given,) = model.graph.input
    assert given.name == "faces"
    assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    batch, *rest = given.type.tensor_type.shape.dim
    assert batch.dim_param
    assert [dimension.dim_value for dimension in rest] == [1, 16, 16]
    assert [output.name for output in model.graph.output] == ["fer2013", "ferplus"]
    # Nothing of the machine that it was made on. Among millions of weights any three bytes turn up by chance.
    del model.graph.initializer[:]
    assert b".py" not in model.SerializeToString()


def test_the_parameters_stand_in_the_file(trained_model, checkpoint):
    found = {entry.name: onnx.numpy_helper.to_array(entry) for entry in onnx.load(trained_model).graph.initializer}
    expected = load_checkpoint(checkpoint).classifier.state_dict()
    for name, value in expected.items():
        if not name.endswith("num_batches_tracked"):
            assert np.array_equal(found[f"classifier.{name}"], value.numpy())


@pytest.mark.slow
@pytest.mark.parametrize(("network", "size"), [("emotionnet", 64), ("expression-transformer", 32)])
def test_parameters_of_other_networks_stand_in_the_file(network, size, tmp_path):
    torch.manual_seed(0)
    expected = ExpressionClassifier(create_backbone(network, 1), {"expression": 7}).state_dict()
    about = {"network": network, "size": size, "channels": 1, "heads": {"expression": list(map(str, SEVEN))}}
    run = {"targets": {"expression": "label"}, "epochs": 1, "planned_epochs": 1, "seed": 0}
    state = {f"classifier.{name}": value for name, value in expected.items()}
    torch.save({"kaoiro": about | run, "state_dict": state}, tmp_path / "a.ckpt")
    file = export(tmp_path / "a.ckpt", tmp_path / "a.onnx").path
    found = {entry.name: onnx.numpy_helper.to_array(entry) for entry in onnx.load(file).graph.initializer}
    for name, value in expected.items():
        if not name.endswith("num_batches_tracked"):
            assert np.array_equal(found[f"classifier.{name}"], value.numpy())


def test_the_metadata(calibrated, drawn_corpus):
    found = open_model(calibrated.path).metadata
    assert found == calibrated.metadata
    assert ModelMetadata.from_json(found.to_json()) == found
    assert (found.name, found.size, found.channels, found.licence) == ("drawn", 16, 1, "CC0-1.0")
    assert found.default_head == "fer2013"
    assert found.crop == Crop(side=1.2, shift_x=0.1, shift_y=-0.05)
    assert {name: (head.classes, head.target) for name, head in found.heads.items()} == {
        "fer2013": (SEVEN, "label"),
        "ferplus": (EIGHT, "votes"),
    }
    assert found.provenance["corpus"] == drawn_corpus.name
    assert found.provenance["kaoiro"] == kaoiro.__version__
    assert (found.provenance["seed"], found.provenance["planned_epochs"]) == (0, 2)
    props = {entry.key: entry.value for entry in onnx.load(calibrated.path).metadata_props}
    assert json.loads(props[METADATA_KEY])["name"] == "drawn"


def test_without_a_corpus(trained_model):
    metadata = open_model(trained_model).metadata
    assert metadata.name == "kaoiro-s"
    assert metadata.default_head == "ferplus"  # the one that learned votes
    assert {head.temperature for head in metadata.heads.values()} == {1.0}
    assert metadata.scores == {}
    assert metadata.provenance["corpus"] is None


def test_the_temperature_is_in_the_graph(calibrated, trained_run, drawn_corpus):
    trained = load_checkpoint(trained_run / "best.ckpt")
    part = open_corpus(drawn_corpus).select("validation")
    faces = part.decode_faces(16, 1)
    with torch.inference_mode():
        logits = trained.classifier(torch.from_numpy(faces))
    temperatures = {
        name: fit_calibration(logits[name].numpy(), right_answers(part, head)).temperature
        for name, head in calibrated.metadata.heads.items()
    }
    found = {name: head.temperature for name, head in calibrated.metadata.heads.items()}
    assert found == pytest.approx(temperatures, rel=1e-3)
    assert all(abs(t - 1) > 0.01 for t in temperatures.values())
    expected = torch_probabilities(trained, faces, temperatures)
    plain = torch_probabilities(trained, faces, dict.fromkeys(temperatures, 1.0))
    for name, output in zip(temperatures, open_model(calibrated.path).session.run(None, {"faces": faces}), strict=True):
        assert output == pytest.approx(expected[name], abs=1e-4)
        assert np.abs(output - plain[name]).max() > 1e-3


def test_the_scores_are_those_of_an_evaluation(calibrated, drawn_corpus):
    report = evaluate(calibrated.path, drawn_corpus, "validation")
    for name, head in report.heads.items():
        found = calibrated.metadata.scores["validation"][name]
        assert found["n"] == head.scores.n
        assert found["accuracy"] == head.scores.accuracy.value
        assert found["macro_f1"] == head.scores.macro_f1.value
        assert found["calibration_error"] == pytest.approx(head.scores.calibration_error, abs=1e-6)


def test_what_the_check_measured(calibrated):
    assert calibrated.checked_faces == 70
    assert 0 <= calibrated.largest_difference <= 1e-4


@pytest.mark.parametrize("name", ["model", "model.pt", "model.ONNX", "onnx"])
def test_a_target_of_another_kind(checkpoint, tmp_path, name):
    with pytest.raises(InputError, match=r"ends in \.onnx"):
        export(checkpoint, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_unknown_head(checkpoint, tmp_path):
    with pytest.raises(InputError, match="no head 'affectnet'; the checkpoint has fer2013, ferplus"):
        export(checkpoint, tmp_path / "a.onnx", default_head="affectnet")


def test_a_corpus_without_validation(checkpoint, tmp_path):
    write_synthetic_corpus(tmp_path / "c.parquet", train=7, validation=0, test=0)
    with pytest.raises(CorpusError, match="no split 'validation'"):
        export(checkpoint, tmp_path / "a.onnx", corpus=tmp_path / "c.parquet")
    assert not (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize("existing", [None, b"an earlier model"])
@pytest.mark.parametrize(("head", "error"), [("ferplus", 2e-4), ("fer2013", -2e-4), ("ferplus", float("nan"))])
def test_answers_that_differ_are_not_written(ready_graph, checkpoint, tmp_path, monkeypatch, existing, head, error):
    target = tmp_path / "a.onnx"
    if existing is not None:
        target.write_bytes(existing)
    real = export_module.head_probabilities

    def disturbed(*arguments, **options):
        found = real(*arguments, **options)
        found[head][3, 0] += error
        return found

    monkeypatch.setattr(export_module, "head_probabilities", disturbed)
    with pytest.raises(
        ModelFileError, match=r"not written: on 512 faces ONNX Runtime differs from torch by (0\.0002|nan)"
    ):
        export(checkpoint, target)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if existing is None else [existing])


def test_an_earlier_file_is_replaced_in_silence(checkpoint, tmp_path, capfd):
    target = tmp_path / "a.onnx"
    target.write_text("an earlier model")
    export(checkpoint, target, name="later")
    assert capfd.readouterr() == ("", "")
    assert open_model(target).metadata.name == "later"
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("kind", ["text", "empty", "pickle", "torch", "tensor", "half", "folder", "missing", "foreign"])
def test_what_is_no_checkpoint(checkpoint, tmp_path, kind):
    path, sign = tmp_path / "a.ckpt", tmp_path / "code was run"
    match kind:
        case "text":
            path.write_text("no checkpoint")
        case "empty":
            path.touch()
        case "pickle":
            path.write_bytes(pickle.dumps(Harmful(sign)))
        case "torch":
            torch.save({"kaoiro": Harmful(sign)}, path)
        case "tensor":
            torch.save(torch.zeros(3), path)
        case "half":
            path.write_bytes(checkpoint.read_bytes()[:5000])
        case "folder":
            path.mkdir()
        case "foreign":
            torch.save({"state_dict": {}}, path)
    with pytest.raises(ModelFileError, match=r"a\.ckpt") as caught:
        export(path, tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)
    assert not sign.exists()
    assert not (tmp_path / "a.onnx").exists()


def test_training_can_begin_with_the_file(trained_model, checkpoint):
    expected = load_checkpoint(checkpoint).classifier
    outputs = {"fer2013": SEVEN, "ferplus": EIGHT}
    begun = ExpressionClassifier(create_backbone("kaoiro-s", 1), {name: len(known) for name, known in outputs.items()})
    report = load_initial_weights(begun, str(trained_model), outputs, channels=1)
    assert not report.fresh
    assert not report.left
    faces = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 1, 16, 16), dtype=np.uint8))
    with torch.inference_mode():
        assert torch.equal(begun.eval()(faces)["ferplus"], expected(faces)["ferplus"])


@pytest.mark.slow
def test_a_file_whose_norms_are_merged_is_refused(trained_model, tmp_path):
    # As earlier versions wrote it: what the exporter's optimiser leaves of the batch normalisations is nothing.
    path = tmp_path / "merged.onnx"
    onnx.save(onnxscript.optimizer.optimize(onnx.load(trained_model)), path)
    with pytest.raises(ModelFileError, match="its batch normalisations are merged into the convolutions"):
        classifier = ExpressionClassifier(create_backbone("kaoiro-s", 1), {"fer2013": 7})
        load_initial_weights(classifier, str(path), {"fer2013": SEVEN}, channels=1)


def test_a_calibration_by_class_is_in_the_graph_and_the_metadata(trained_run, drawn_corpus, tmp_path, monkeypatch):
    chosen = Calibration((0.5, 1, 1.5, 1, 1, 2, 1), (0.3, 0, -0.3, 0, 0, 0, 0))
    plain = Calibration.of_temperature(1.0, 8)
    monkeypatch.setattr(export_module, "fit_calibration", lambda z, _: chosen if z.shape[1] == 7 else plain)
    written = export(trained_run / "best.ckpt", tmp_path / "a.onnx", corpus=drawn_corpus)
    faces = np.random.default_rng(0).integers(0, 256, (5, 1, 16, 16), dtype=np.uint8)
    with torch.inference_mode():
        logits = load_checkpoint(trained_run / "best.ckpt").classifier(torch.from_numpy(faces))["fer2013"].double()
    changed = logits * torch.tensor(chosen.scales) + torch.tensor(chosen.biases)
    opened = open_model(written.path)
    (found,) = opened.session.run(["fer2013"], {"faces": faces})
    assert found == pytest.approx(torch.softmax(changed, dim=1).numpy(), abs=1e-4)
    head = opened.metadata.heads["fer2013"]
    assert (head.scales, head.biases) == (chosen.scales, chosen.biases)
    assert opened.metadata.heads["ferplus"].scales is None
