import io
import json

import numpy as np
import onnx
import pytest
from PIL import Image

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.errors import CorpusError, InputError, ModelFileError
from kaoiro.evaluation.corruptions import CORRUPTIONS, Corruption
from kaoiro.evaluation.evaluate import evaluate
from kaoiro.evaluation.robustness import compare, robustness
from kaoiro.expressions import VOTE_NAMES, Expression
from kaoiro.recognition.metadata import METADATA_KEY

MIRRORED = Corruption("mirrored", "read in a mirror", lambda face, _: np.ascontiguousarray(face[:, ::-1]))
UNCHANGED = Corruption("unchanged", "left as it is", lambda face, _: face.copy())


def left_half(brightness):
    pixels = np.zeros((48, 48), np.uint8)
    pixels[:, :24] = brightness
    return pixels


@pytest.fixture
def halves(tmp_path):
    """Pictures whose bright half the tiny model's head "fer2013" reads: left as anger, right as surprise."""

    def faces():
        rows = [
            (left_half(255), Expression.ANGER),
            (left_half(254), Expression.ANGER),
            (left_half(253), Expression.SURPRISE),
            (left_half(252), Expression.FEAR),
            (left_half(251), None),
        ]
        for number, (pixels, label) in enumerate(rows):
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            yield LabelledFace(buffer.getvalue(), f"{number}.png", f"row:{number}", label, None, "test")

    write_corpus(tmp_path / "halves.parquet", faces())
    return tmp_path / "halves.parquet"


def test_known_answers(halves, tiny_model_path):
    found = robustness(tiny_model_path, halves, "test", corruptions=[MIRRORED, UNCHANGED])
    assert (found.model, found.corpus, found.split, found.faces) == ("tiny", "halves.parquet", "test", 5)
    head = found.heads["fer2013"]
    assert (head.n, head.clean) == (4, 0.5)
    assert head.changed["mirrored"].accuracy.value == 0.25
    assert head.changed["mirrored"].difference.value == -0.25
    unchanged = head.changed["unchanged"]
    assert unchanged.accuracy.value == 0.5
    assert (unchanged.difference.value, unchanged.difference.low, unchanged.difference.high) == (0, 0, 0)
    assert found.descriptions == {"mirrored": "read in a mirror", "unchanged": "left as it is"}
    json.dumps(found.to_dict())


def test_flip_averaging_makes_a_mirror_harmless(halves, tiny_model_path):
    head = robustness(tiny_model_path, halves, "test", corruptions=[MIRRORED], flip_averaging=True).heads["fer2013"]
    assert head.changed["mirrored"].accuracy.value == head.clean


def test_all_changes_on_both_heads(drawn_corpus, tiny_model_path):
    found = robustness(tiny_model_path, drawn_corpus, "test")
    assert list(found.heads) == ["ferplus", "fer2013"]
    clean = evaluate(tiny_model_path, drawn_corpus, "test", leak_check=False)
    for name, head in found.heads.items():
        assert (head.n, head.clean) == (clean.heads[name].scores.n, clean.heads[name].scores.accuracy.value)
        assert list(head.changed) == [change.name for change in CORRUPTIONS]
        for scores in head.changed.values():
            assert scores.accuracy.low <= scores.accuracy.value <= scores.accuracy.high
            assert scores.difference.low <= scores.difference.value <= scores.difference.high
            assert scores.difference.value == pytest.approx(scores.accuracy.value - head.clean)
    assert found == robustness(tiny_model_path, drawn_corpus, "test")


def test_a_prior(halves, tmp_path, tiny_model_path):
    model = tmp_path / "with-prior.onnx"
    graph = onnx.load(tiny_model_path)
    (text,) = (one for one in graph.metadata_props if one.key == METADATA_KEY)
    parts = json.loads(text.value)
    parts["heads"]["fer2013"]["prior"] = [0.1] * 6 + [0.4]
    text.value = json.dumps(parts)
    onnx.save(graph, model)
    only_surprise = {one: float(one == "surprise") for one in Expression}
    with pytest.raises(InputError, match=r"'ferplus' .* does not say how frequent"):
        robustness(model, halves, "test", prior=only_surprise)
    parts["heads"]["ferplus"]["prior"] = [0.125] * 8
    text.value = json.dumps(parts)
    onnx.save(graph, model)
    head = robustness(model, halves, "test", corruptions=[MIRRORED], prior=only_surprise).heads["fer2013"]
    assert (head.clean, head.changed["mirrored"].difference.value) == (0.25, 0)


def test_intervals_are_those_of_a_large_sample():
    generator = np.random.default_rng(5)
    right, lost, won = (generator.random(4000) < share for share in (0.7, 0.2, 0.1))
    changed = np.where(right, ~lost, won)
    found = compare(right, changed, np.random.default_rng(0))
    difference = changed.astype(float) - right
    for measured, samples in ((found.accuracy, changed.astype(float)), (found.difference, difference)):
        half_width = 1.96 * samples.std() / np.sqrt(len(samples))
        assert measured.value == pytest.approx(samples.mean())
        assert measured.low == pytest.approx(samples.mean() - half_width, abs=0.1 * half_width)
        assert measured.high == pytest.approx(samples.mean() + half_width, abs=0.1 * half_width)
    # Paired, the interval is narrower than that of two sets of other faces.
    assert found.difference.high - found.difference.low < 2 * 1.96 * np.sqrt(2 * right.var() / len(right))


def test_a_corpus_without_answers(tmp_path, tiny_model_path, halves):
    votes = tuple(10 if name == "not-a-face" else 0 for name in VOTE_NAMES)
    picture = open_corpus(halves).table["image"][0].as_py()["bytes"]
    write_corpus(tmp_path / "c.parquet", [LabelledFace(picture, "0.png", "row:0", None, votes, "test")])
    with pytest.raises(CorpusError, match="has a label or votes that the model's heads know"):
        robustness(tiny_model_path, tmp_path / "c.parquet", "test")


def test_what_is_not_there(halves, tiny_model_path):
    with pytest.raises(CorpusError, match="no split 'validation'; its splits are test"):
        robustness(tiny_model_path, halves, "validation")
    with pytest.raises(ModelFileError, match=r"no model file 'nothing\.onnx'"):
        robustness("nothing.onnx", halves, "test")
