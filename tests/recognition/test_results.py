import json

from kaoiro.expressions import SEVEN, Expression
from kaoiro.recognition.results import Face

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
