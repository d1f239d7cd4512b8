import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from kaoiro.errors import InputError
from kaoiro.expressions import SEVEN, Expression
from kaoiro.recognition.many import read_pictures
from kaoiro.recognition.recognizer import Recognizer
from kaoiro.recognition.results import Face, Frame, Track

PROBABILITIES = dict.fromkeys(SEVEN, 0.1) | {Expression.FEAR: 1 / 3 + 1 / 15}


def test_a_face_becomes_plain_json_and_stays_unrounded():
    points = ((1.5, 2.0), (3.0, 2.0), (2.0, 3.0), (1.5, 4.0), (3.0, 4.0))
    face = Face((0.5, 1.0, 4.0, 5.0), Expression.FEAR, 1 / 3 + 1 / 15, PROBABILITIES, points, 0.91)
    plain = face.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["box"] == [0.5, 1.0, 4.0, 5.0]
    assert plain["expression"] == "fear"
    assert plain["confidence"] == plain["probabilities"]["fear"] == 1 / 3 + 1 / 15
    assert plain["landmarks"][2] == [2.0, 3.0]
    assert list(plain["probabilities"]) == [e.value for e in SEVEN]


def test_a_crop_has_neither_landmarks_nor_detection_score():
    plain = Face((0.0, 0.0, 48.0, 48.0), Expression.FEAR, 0.4, PROBABILITIES).to_dict()
    assert plain["landmarks"] is None
    assert plain["detection_score"] is None


def test_an_unsure_face_has_no_expression_but_a_likeliest_one():
    face = Face((0.0, 0.0, 48.0, 48.0), None, 0.4, PROBABILITIES)
    assert face.likeliest is Expression.FEAR
    assert face.to_dict()["expression"] is None
    assert face.to_dict()["confidence"] == 0.4


FACE = Face((0.5, 1.0, 4.0, 5.0), Expression.FEAR, 0.4, PROBABILITIES, ((1.5, 2.0),) * 5, 0.91, 3)
UNSURE = Face((0.0, 0.0, 48.0, 48.0), None, 0.4, PROBABILITIES)
FRAME = Frame(7, 0.28, (FACE, FACE))
TRACK = Track(
    3,
    (Expression.HAPPINESS, Expression.NEUTRAL),
    times=np.array([0.0, 0.04]),
    boxes=np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]),
    probabilities=np.array([[0.75, 0.25], [0.125, 0.875]]),
    frames=5,
)


def test_names_in_another_language_are_a_further_entry():
    assert FACE.to_dict("ja") == FACE.to_dict() | {"label": "恐れ"}
    assert UNSURE.to_dict("ja")["label"] is None
    with pytest.raises(InputError, match="unknown language 'fr'; choose one of en, ja"):
        FACE.to_dict("fr")


def test_a_frame_has_a_row_for_each_face():
    first, second = FRAME.to_rows()
    assert first == second
    assert list(first)[:7] == ["frame", "time", "track", "left", "top", "right", "bottom"]
    assert (first["frame"], first["time"], first["track"], first["right"]) == (7, 0.28, 3, 4.0)
    assert list(first)[-7:] == [expression.value for expression in SEVEN]
    assert Frame(8, 0.32, ()).to_rows() == []


def test_a_track_has_a_row_for_each_moment():
    assert [row["expression"] for row in TRACK.to_rows()] == ["happiness", "neutral"]
    assert TRACK.to_rows("ja")[1] == {
        "track": 3,
        "time": 0.04,
        "left": 5.0,
        "top": 6.0,
        "right": 7.0,
        "bottom": 8.0,
        "expression": "neutral",
        "label": "中立",
        "confidence": 0.875,
        "happiness": 0.125,
        "neutral": 0.875,
    }
    assert TRACK.to_dict()["moments"][0] == {
        "time": 0.0,
        "box": [1.0, 2.0, 3.0, 4.0],
        "expression": "happiness",
        "confidence": 0.75,
        "probabilities": {"happiness": 0.75, "neutral": 0.25},
    }


@pytest.fixture(scope="module")
def validator():
    schema = json.loads((Path(__file__).parents[2] / "docs/schema/results.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("language", [None, "en", "ja"])
@pytest.mark.parametrize("result", [FACE, UNSURE, FRAME, TRACK, Frame(0, 0.0, ())])
def test_results_are_as_the_schema_says(validator, result, language):
    validator.validate(json.loads(json.dumps(result.to_dict(language))))


def test_what_is_read_in_photos_is_as_the_schema_says(validator, tiny_model_path, astronaut, tmp_path):
    recognizer = Recognizer(tiny_model_path, contempt=True, min_confidence=0.2)
    readings = [
        *read_pictures(recognizer, [astronaut]),
        *read_pictures(recognizer, [astronaut], faces_are_crops=True),
    ]
    for reading in readings:
        assert reading.faces
        validator.validate(json.loads(json.dumps(reading.to_dict("ja"))))


@pytest.mark.parametrize(
    "spoilt",
    [
        {"box": [1.0, 2.0, 3.0]},
        {"expression": "joy"},
        {"confidence": 1.2},
        {"probabilities": {"joy": 1.0, "fear": 0.0}},
        {"mood": "fine"},
    ],
)
def test_the_schema_refuses_what_is_no_result(validator, spoilt):
    assert not validator.is_valid(FACE.to_dict() | spoilt)


def test_the_schema_knows_every_entry_and_expression(validator):
    definitions = validator.schema["$defs"]
    assert set(definitions["face"]["properties"]) == set(FACE.to_dict("en"))
    assert set(definitions["frame"]["properties"]) == set(FRAME.to_dict())
    assert set(definitions["track"]["properties"]) == set(TRACK.to_dict())
    assert set(definitions["moment"]["properties"]) == set(TRACK.to_dict("en")["moments"][0])
    assert definitions["expression"]["enum"] == list(Expression)
