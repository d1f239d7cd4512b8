import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kaoiro.corpus.labelled_face import LabelledFace
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.corpus.synthetic import synthetic_faces, write_synthetic_corpus
from kaoiro.errors import CorpusError, InputError, ModelFileError
from kaoiro.evaluation.evaluate import evaluate, right_answers
from kaoiro.evaluation.scores import score
from kaoiro.expressions import EIGHT, SEVEN, VOTE_NAMES, Expression
from kaoiro.model_metadata import replace_metadata
from kaoiro.recognition.classifier import head_probabilities
from kaoiro.recognition.metadata import Head
from kaoiro.recognition.model_file import open_model

# The halves' brightness, and what the tiny model's heads make of it: seven and eight classes.
BRIGHT_LEFT, BRIGHT_RIGHT, DARK = (255, 0), (0, 255), (0, 0)


def picture(left, right):
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:, :4], pixels[:, 4:] = left, right
    return pixels


@pytest.fixture
def stored(tmp_path):
    """Write pictures as a corpus: `(pixels, label, votes, split)` each."""

    def store(*rows):
        def faces():
            for number, (pixels, label, votes, split) in enumerate(rows):
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "PNG")
                yield LabelledFace(buffer.getvalue(), f"{number}.png", f"row:{number}", label, votes, split)

        write_corpus(tmp_path / "c.parquet", faces())
        return tmp_path / "c.parquet"

    return store


def votes_for(name):
    return tuple(10 if name == other else 0 for other in VOTE_NAMES)


def test_known_answers(stored, tiny_model_path):
    # The head "fer2013" reads bright left halves as anger and bright right halves as surprise.
    corpus = stored(
        (picture(*BRIGHT_LEFT), Expression.ANGER, None, "test"),
        (picture(*BRIGHT_LEFT), Expression.FEAR, None, "test"),
        (picture(*BRIGHT_RIGHT), Expression.SURPRISE, None, "test"),
        (picture(*BRIGHT_RIGHT), Expression.SURPRISE, None, "test"),
        (picture(*BRIGHT_RIGHT), None, None, "test"),
        (picture(*DARK), Expression.ANGER, None, "validation"),
    )
    report = evaluate(tiny_model_path, corpus, "test")
    assert (report.model, report.corpus, report.split, report.faces) == ("tiny", "c.parquet", "test", 5)
    scores = report.heads["fer2013"].scores
    assert scores.n == 4
    assert scores.accuracy.value == 0.75
    assert scores.confusion[SEVEN.index("fear")][SEVEN.index("anger")] == 1
    assert report.near_duplicates is None  # there are no training faces
    assert report.heads["fer2013"].leak_free is None
    assert "label" in report.heads["fer2013"].rule


def test_flip_averaging_in_the_report(drawn_corpus, tiny_model_path):
    report = evaluate(tiny_model_path, drawn_corpus, "test", flip_averaging=True)
    assert report.flip_averaging
    part = open_corpus(drawn_corpus).select("test")
    faces = part.decode_faces(8, 1)
    found = head_probabilities(open_model(tiny_model_path), faces, ["fer2013"], flip_averaging=True)
    assert report.heads["fer2013"].scores == score(found["fer2013"], part.label_indices(), SEVEN)


def test_near_duplicates_of_training_faces(stored, tiny_model_path):
    faces, labels = synthetic_faces(16, seed=3)
    labelled = [(face, EIGHT[label], None) for face, label in zip(faces, labels, strict=True)]
    train, fresh = labelled[:8], labelled[8:]
    planted = [
        (np.ascontiguousarray(train[0][0][:, ::-1]), train[0][1], None),  # mirrored
        ((train[1][0] * 0.7 + 40).astype(np.uint8), train[1][1], None),  # another light
    ]
    corpus = stored(*((*row, "train") for row in train), *((*row, "test") for row in [*planted, *fresh]))
    report = evaluate(tiny_model_path, corpus, "test")
    assert report.faces == 10
    assert report.near_duplicates == 2
    head = report.heads["fer2013"]
    assert (head.scores.n, head.leak_free.n) == (10, 8)
    fresh_faces = open_corpus(corpus).select("test").decode_faces(8, 1)[2:]
    found = head_probabilities(open_model(tiny_model_path), fresh_faces, ["fer2013"], flip_averaging=False)
    assert head.leak_free == score(found["fer2013"], np.array([EIGHT.index(row[1]) for row in fresh]), SEVEN)

    unchecked = evaluate(tiny_model_path, corpus, "test", leak_check=False)
    assert unchecked.near_duplicates is None
    assert unchecked.heads["fer2013"].leak_free is None
    assert unchecked.heads["fer2013"].scores == head.scores
    # The training split is not held against itself.
    assert evaluate(tiny_model_path, corpus, "train").near_duplicates is None


def test_nothing_but_near_duplicates(stored, tiny_model_path):
    (face,), _ = synthetic_faces(1, seed=0)
    corpus = stored((face, Expression.FEAR, None, "train"), (face, Expression.FEAR, None, "test"))
    report = evaluate(tiny_model_path, corpus, "test")
    assert report.near_duplicates == 1
    assert report.heads["fer2013"].leak_free is None


def test_right_answers(stored):
    part = open_corpus(
        stored(
            (picture(0, 1), Expression.ANGER, votes_for("happiness"), "test"),
            (picture(0, 2), Expression.CONTEMPT, votes_for("unknown"), "test"),
            (picture(0, 3), None, None, "test"),
        )
    )
    assert right_answers(part, Head(SEVEN, 1.0)).tolist() == [0, -1, -1]
    assert right_answers(part, Head(EIGHT, 1.0)).tolist() == [0, EIGHT.index("contempt"), -1]
    assert right_answers(part, Head(EIGHT, 1.0, "votes")).tolist() == [EIGHT.index("happiness"), -1, -1]


def test_what_a_corpus_cannot_answer(stored):
    part = open_corpus(stored((picture(0, 1), None, votes_for("not-a-face"), "test")))
    assert right_answers(part, Head(SEVEN, 1.0)) is None
    assert right_answers(part, Head(EIGHT, 1.0, "votes")) is None
    without_votes = open_corpus(stored((picture(0, 1), Expression.FEAR, None, "test")))
    assert right_answers(without_votes, Head(EIGHT, 1.0, "votes")) is None


def test_heads_without_answers_are_left_out(trained_model, stored):
    (face,), _ = synthetic_faces(1, seed=0)
    labels_only = stored((face, Expression.FEAR, None, "test"))
    assert list(evaluate(trained_model, labels_only, "test").heads) == ["fer2013"]
    votes_only = stored((face, None, votes_for("fear"), "test"))
    assert list(evaluate(trained_model, votes_only, "test").heads) == ["ferplus"]


def test_a_corpus_without_answers(stored, tiny_model_path):
    corpus = stored((picture(0, 1), None, None, "test"))
    with pytest.raises(CorpusError, match="has a label or votes that the model's heads know"):
        evaluate(tiny_model_path, corpus, "test")


def test_a_corpus_without_the_split(tmp_path, tiny_model_path):
    write_synthetic_corpus(tmp_path / "c.parquet", train=7, validation=0, test=7)
    with pytest.raises(CorpusError, match="no split 'validation'; its splits are train, test"):
        evaluate(tiny_model_path, tmp_path / "c.parquet", "validation")


def test_a_model_that_is_none(drawn_corpus):
    with pytest.raises(ModelFileError, match=r"no model file 'nothing\.onnx'"):
        evaluate("nothing.onnx", drawn_corpus, "test")


def test_another_prior(tmp_path, drawn_corpus, tiny_model_path):
    model = tmp_path / "m.onnx"
    model.write_bytes(tiny_model_path.read_bytes())
    metadata = open_model(model).metadata
    learned = {"fer2013": (0.1, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1), "ferplus": (0.1,) * 6 + (0.3, 0.1)}
    heads = {name: replace(head, prior=learned[name]) for name, head in metadata.heads.items()}
    replace_metadata(model, replace(metadata, heads=heads))
    part = open_corpus(drawn_corpus).select("test")
    found = head_probabilities(open_model(model), part.decode_faces(8, 1), list(heads), flip_averaging=False)
    frequencies = dict(zip(map(str, EIGHT), (1, 2, 3, 4, 5, 6, 7, 8), strict=True))
    for prior, wanted in (("balanced", [1] * 8), (frequencies, list(frequencies.values()))):
        report = evaluate(model, drawn_corpus, "test", prior=prior)
        assert report.prior == prior
        for name, head in report.heads.items():
            classes = len(learned[name])
            expected = found[name] * wanted[:classes] / np.array(learned[name])
            expected /= expected.sum(axis=1, keepdims=True)
            scores = score(expected, right_answers(part, heads[name]), heads[name].classes)
            assert head.scores.confusion == scores.confusion
            assert head.scores.selection.area == pytest.approx(scores.selection.area)
    assert evaluate(model, drawn_corpus, "test").prior == "natural"
    with pytest.raises(InputError, match="says nothing of disgust"):
        evaluate(model, drawn_corpus, "test", prior={"anger": 1})
    with pytest.raises(InputError, match="of the model 'tiny' does not say how frequent"):
        evaluate(tiny_model_path, drawn_corpus, "test", prior="balanced")
