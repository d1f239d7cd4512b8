import numpy as np

from kaoiro.expressions import VOTE_NAMES
from planted import face, picture

PICTURES = [picture(number) for number in range(24)]


def votes(**counts):
    return tuple(counts.get(name.replace("-", "_"), 0) for name in VOTE_NAMES)


def test_labels_and_votes(found):
    result = found(
        face(PICTURES[0], label=None),
        face(PICTURES[1], label="anger", votes=votes(anger=2, fear=8)),
        face(PICTURES[2], label="anger", votes=votes(fear=6, anger=4)),
        face(PICTURES[3], label="anger", votes=votes(anger=4, fear=4, sadness=2)),  # nobody has the majority
        face(PICTURES[4], label=None, votes=votes(fear=10)),
        face(PICTURES[5], label="anger", votes=votes(not_a_face=6, anger=4)),
        face(PICTURES[6], label="anger", votes=votes(not_a_face=10)),
        face(PICTURES[7], label="anger", votes=votes(not_a_face=5, anger=5)),
        checks=("labels",),
    )
    assert set(result) == {"unlabelled", "votes-against-label", "no-face-votes"}
    assert result["unlabelled"].rows.tolist() == [0]
    odds = result["votes-against-label"]
    assert odds.rows.tolist() == [1, 2]
    assert odds.notes == ("raters: fear, 8 of 10", "raters: fear, 6 of 10")
    assert odds.scores.tolist() == [np.float32(0.8), np.float32(0.6)]
    assert odds.facts == ("2 of 6 faces with label and votes (33.3%).",)
    assert result["no-face-votes"].rows.tolist() == [6, 5]


def test_balance(found):
    faces = [face(PICTURES[row], label="fear" if row < 10 else "anger") for row in range(12)]
    faces.append(face(PICTURES[12], "test", "fear"))
    result = found(*faces, checks=("balance",))
    assert result["imbalance"].facts == (
        "The largest class, fear, has 11 faces, 5.5 times as many as the smallest, anger (2).",
    )
    assert result["missing-classes"].facts == (
        "There is no face of disgust, happiness, sadness, surprise, neutral.",
        "test has no faces of anger.",
    )


def test_balance_by_votes_where_there_are_no_labels(found):
    result = found(
        *(face(PICTURES[row], label=None, votes=votes(fear=10)) for row in range(5)),
        face(PICTURES[5], label=None, votes=votes(anger=10)),
        checks=("balance",),
    )
    assert result["imbalance"].facts[0].startswith("The largest class, fear, has 5 faces, 5.0 times")


def test_groups_across_splits(found):
    places = [("train", "a"), ("test", "a"), ("train", "b"), ("train", "b"), (None, "c"), ("test", "c"), ("test", None)]
    places += [("validation", "d"), ("train", "d"), ("train", "d"), ("train", None)]
    result = found(
        *(face(PICTURES[row], split, group=group) for row, (split, group) in enumerate(places)), checks=("groups",)
    )
    straddling = result["groups-across-splits"]
    assert [straddling.rows[part].tolist() for part in straddling.slices()] == [[7, 8, 9], [0, 1]]
    assert straddling.facts == ("2 of 4 groups; the largest: d (3 faces), a (2 faces).",)
    assert straddling.notes[0] == "group d"


def test_a_corpus_without_groups_votes_and_splits_is_in_order(found):
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    assert found(*(face(PICTURES[row], None, label) for row, label in enumerate(names))) == {}
