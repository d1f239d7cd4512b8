import numpy as np
import onnx
import pytest

from kaoiro import quantization
from kaoiro.corpus.store import open_corpus
from kaoiro.corpus.synthetic import write_synthetic_corpus
from kaoiro.errors import CorpusError, InputError, ModelFileError
from kaoiro.evaluation.evaluate import evaluate
from kaoiro.export import export
from kaoiro.expressions import SEVEN
from kaoiro.models import ExpressionClassifier, create_backbone
from kaoiro.quantization import quantize
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.metadata import METADATA_KEY
from kaoiro.recognition.model_file import open_model
from kaoiro.training.weights.initial_weights import load_initial_weights

HEADS = ("fer2013", "ferplus")


@pytest.fixture(autouse=True, scope="module")
def hasty():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantization, "_TIMED_SECONDS", 0.002)
        yield


@pytest.fixture(scope="module")
def quantized(trained_model, drawn_corpus, tmp_path_factory):
    return quantize(trained_model, tmp_path_factory.mktemp("quantized") / "new" / "small.onnx", drawn_corpus)


@pytest.fixture(scope="module")
def faces(drawn_corpus):
    return open_corpus(drawn_corpus).select("validation").decode_faces(16, 1)


def answers(path, faces, **options):
    return head_probabilities(open_model(path, **options), faces, HEADS, flip_averaging=False)


def test_nearly_the_same_answers(quantized, trained_model, faces):
    before, after = answers(trained_model, faces), answers(quantized.path, faces)
    for head in HEADS:
        assert after[head].sum(axis=1) == pytest.approx(np.ones(len(faces)), abs=1e-5)
        assert np.abs(before[head] - after[head]).mean() < 0.005
        assert not np.array_equal(before[head], after[head])


def test_openvino_gives_nearly_the_same_answers_too(quantized, faces):
    pytest.importorskip("openvino")
    expected, found = answers(quantized.path, faces), answers(quantized.path, faces, backend="openvino")
    for head in HEADS:
        assert np.abs(expected[head] - found[head]).mean() < 0.005


def test_every_convolution_but_the_first_is_in_8_bits(quantized, trained_model):
    model = onnx.load(quantized.path)
    onnx.checker.check_model(model, full_check=True)
    assert {opset.domain for opset in model.opset_import} == {""}
    kinds = [node.op_type for node in model.graph.node]
    assert "BatchNormalization" not in kinds
    made_by = {name: node for node in model.graph.node for name in node.output}
    constants = {entry.name: onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer}
    first, *others = (node for node in model.graph.node if node.op_type == "Conv")
    assert constants[first.input[1]].dtype == np.float32
    assert made_by[first.input[0]].op_type == "Div"  # the standardisation
    assert len(others) == [node.op_type for node in onnx.load(trained_model).graph.node].count("Conv") - 1
    for node in others:
        kind_of_input, kind_of_weight = (made_by[name] for name in node.input[:2])
        assert kind_of_input.op_type == kind_of_weight.op_type == "DequantizeLinear"
        assert constants[kind_of_input.input[2]].dtype == np.uint8
        weight, scale = (constants[name] for name in kind_of_weight.input[:2])
        assert weight.dtype == np.int8
        assert np.abs(weight.astype(int)).max() <= 64  # two products fit into 16 bits
        assert scale.shape == weight.shape[:1]


def test_the_metadata(quantized, trained_model):
    before, after = open_model(trained_model).metadata, open_model(quantized.path).metadata
    assert after == quantized.metadata
    assert after.name == "kaoiro-s-int8"
    assert (after.heads, after.crop, after.default_head) == (before.heads, before.crop, before.default_head)
    assert after.provenance == before.provenance | {"precision": "int8", "calibration_faces": 140}
    props = [entry.key for entry in onnx.load(quantized.path).metadata_props]
    assert props.count(METADATA_KEY) == 1


def test_the_accuracies_are_those_of_evaluations(quantized, trained_model, drawn_corpus):
    before, after = (evaluate(path, drawn_corpus, "validation") for path in (trained_model, quantized.path))
    assert quantized.accuracy.keys() == set(HEADS)
    for head, compared in quantized.accuracy.items():
        assert compared.n == after.heads[head].scores.n
        assert compared.before == before.heads[head].scores.accuracy.value
        assert compared.after == after.heads[head].scores.accuracy.value
        assert quantized.metadata.scores["validation"][head]["accuracy"] == compared.after
    assert quantized.metadata.scores.keys() == {"validation"}


def test_size_and_speed(quantized, trained_model):
    assert quantized.path.stat().st_size < 0.4 * trained_model.stat().st_size
    assert quantized.speedup.keys() == {1, 64}
    assert all(0 < speedup < 100 for speedup in quantized.speedup.values())


def test_the_same_file_every_time_and_not_a_word(quantized, trained_model, drawn_corpus, tmp_path, capfd, caplog):
    again = quantize(trained_model, tmp_path / "again.onnx", drawn_corpus, name=quantized.metadata.name)
    assert again.path.read_bytes() == quantized.path.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.onnx"]
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_sample_of_a_large_corpus(quantized, trained_model, drawn_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(quantization, "CALIBRATION_FACES", 9)
    found = quantize(trained_model, tmp_path / "a.onnx", drawn_corpus, name="other")
    assert found.calibration_faces == found.metadata.provenance["calibration_faces"] == 9
    assert found.metadata.name == "other"
    ranges = [
        {entry.name: entry.float_data[:] for entry in onnx.load(path).graph.initializer if "scale" in entry.name}
        for path in (found.path, quantized.path)
    ]
    assert ranges[0].keys() == ranges[1].keys()
    assert ranges[0] != ranges[1]


@pytest.mark.parametrize(
    ("model", "target", "message"),
    [
        ("trained", "a.pt", r"ends in \.onnx"),
        ("trained", "trained", "--output .* is the model itself"),
        ("quantized", "a.onnx", "computes in 8 bits already"),
        ("tiny", "a.onnx", "nothing to compute in 8 bits"),
    ],
)
def test_what_cannot_be_quantised(model, target, message, request, trained_model, drawn_corpus, tmp_path):
    models = {"trained": trained_model, "tiny": request.getfixturevalue("tiny_model_path")}
    models["quantized"] = request.getfixturevalue("quantized").path
    kept = trained_model.read_bytes()
    with pytest.raises(InputError, match=message):
        quantize(models[model], models.get(target, tmp_path / target), drawn_corpus)
    assert trained_model.read_bytes() == kept
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("missing", "message"), [("train", "no split 'train'"), ("validation", "no split 'valid")])
def test_a_corpus_without_a_split(trained_model, tmp_path, missing, message):
    write_synthetic_corpus(tmp_path / "c.parquet", **({"train": 7, "validation": 7, "test": 0} | {missing: 0}))
    with pytest.raises(CorpusError, match=message):
        quantize(trained_model, tmp_path / "a.onnx", tmp_path / "c.parquet")
    assert not (tmp_path / "a.onnx").exists()


def test_training_cannot_begin_with_the_file(quantized):
    classifier = ExpressionClassifier(create_backbone("kaoiro-s", 1), {"fer2013": 7})
    with pytest.raises(ModelFileError, match="training cannot use"):
        load_initial_weights(classifier, str(quantized.path), {"fer2013": SEVEN}, channels=1)


def test_the_first_convolution_of_each_member_stays(trained_run, drawn_corpus, tmp_path):
    export([trained_run / "best.ckpt", trained_run / "last.ckpt"], tmp_path / "both.onnx", corpus=drawn_corpus)
    written = quantize(tmp_path / "both.onnx", tmp_path / "small.onnx", drawn_corpus)
    graph = onnx.load(written.path).graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    kernels = [made_by.get(node.input[1]) for node in graph.node if node.op_type == "Conv"]
    assert kernels.count(None) == 2
    assert len(kernels) > 4
