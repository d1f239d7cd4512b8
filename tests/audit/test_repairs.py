import csv
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaoiro.audit.audit import CHECKS, audit_corpus
from kaoiro.audit.mending import record_path, write_mended
from kaoiro.audit.repairs import REPAIRS, parse_repairs, plan_repairs
from kaoiro.corpus.pictures import encode_png
from kaoiro.corpus.store import open_corpus, write_corpus
from kaoiro.errors import CorpusError, InputError
from planted import encoded_anew, face, picture

CHEAP = ("labels", "groups", "pictures", "duplicates", "sizes")
PICTURES = [picture(number) for number in range(8)]


@pytest.fixture
def left_out(write):
    """Plan repairs for faces, and say what each face that goes goes for, and because of which other."""

    def left_out(*faces, repairs, splits=("train",)):
        plan = plan_repairs(audit_corpus(write(*faces), CHEAP), repairs, splits)
        return {
            row: (plan.repairs[plan.reason[row]], int(plan.twin[row])) for row in np.flatnonzero(~plan.keep).tolist()
        }

    return left_out


@pytest.mark.parametrize(
    ("splits", "kept"),
    [
        (("train", "train", "train"), 0),
        (("train", "validation", "train"), 1),
        (("train", "validation", "test"), 2),
        ((None, None, "train"), 2),
        ((None, None, None), 0),
    ],
)
def test_of_copies_the_one_of_the_highest_split_stays(left_out, splits, kept):
    gone = left_out(*(face(PICTURES[0], split) for split in splits), repairs=["copies"], splits=("train", "validation"))
    assert gone == {row: ("copies", kept) for row in range(3) if row != kept}


def test_a_split_that_may_not_lose_faces_keeps_its_copies(left_out):
    faces = [face(PICTURES[0], split) for split in ("test", "test", "train", "validation")]
    assert left_out(*faces, repairs=["copies"]) == {2: ("copies", 0)}
    assert left_out(*faces, repairs=["copies"], splits=("test",)) == {1: ("copies", 0)}


def test_leaks_go_on_the_training_side(left_out):
    faces = [
        face(PICTURES[0], "train"),
        face(np.ascontiguousarray(PICTURES[0][:, ::-1]), "test"),
        face(PICTURES[1], "train"),
        face(encoded_anew(PICTURES[1]), "validation"),
        face(PICTURES[2], "validation"),
        face(PICTURES[2], "test"),
        face(PICTURES[3], None),
        face(PICTURES[3], "test"),
        face(PICTURES[0], "train"),  # a copy of 0, and so nearly 1
    ]
    gone = {0: ("leaks", 1), 2: ("leaks", 3), 8: ("leaks", 1)}
    assert left_out(*faces, repairs=["leaks"]) == gone
    assert left_out(*faces, repairs=["leaks"], splits=("train", "validation")) == gone | {4: ("leaks", 5)}


def test_conflicts(left_out):
    def voted(label, **counts):
        names = ["anger", "disgust", "fear"]
        return face(PICTURES[0], label=label, votes=tuple(counts.get(name, 0) for name in names) + (0,) * 7)

    faces = [voted("anger", anger=6, fear=4), voted("fear", fear=9, anger=1), voted("fear", fear=6, anger=4)]
    assert left_out(*faces, repairs=["conflicts"]) == {row: ("conflicts", twin) for row, twin in enumerate([1, 0, 0])}
    assert left_out(*faces, repairs=["conflicts-by-votes"]) == {0: ("conflicts-by-votes", 1)}
    undecided = [voted("anger", anger=5), voted("fear", fear=5)]
    assert set(left_out(*undecided, repairs=["conflicts-by-votes"])) == {0, 1}
    without_votes = [face(PICTURES[1], label="anger"), face(PICTURES[1], label="fear")]
    assert set(left_out(*without_votes, repairs=["conflicts-by-votes"])) == {0, 1}


def test_each_face_goes_for_its_first_reason(left_out):
    no_face = (0,) * 9 + (10,)
    blank = np.full((48, 48), 7, np.uint8)
    faces = [
        face(blank, "train", "fear", votes=no_face),
        face(PICTURES[0], "train", "fear", votes=no_face),
        face(PICTURES[0], "test"),
        face(blank, "train", "anger"),
    ]
    assert left_out(*faces, repairs=["copies", "leaks", "no-face-votes", "blank"]) == {
        0: ("blank", -1),
        1: ("no-face-votes", -1),
        3: ("blank", -1),
    }


def test_groups_near_duplicates_and_single_faces(left_out):
    brighter = PICTURES[3] + np.uint8(20)
    faces = [
        face(PICTURES[0], "train", group="a"),
        face(PICTURES[1], "test", group="a"),
        face(PICTURES[2], "train", None),
        face(PICTURES[3], "train"),
        face(brighter, "train"),
        face(brighter[:16, :16].copy(), "train"),
    ]
    assert left_out(*faces, repairs=["groups"]) == {0: ("groups", 1)}
    assert left_out(*faces, repairs=["unlabelled"]) == {2: ("unlabelled", -1)}
    assert left_out(*faces, repairs=["near-duplicates"]) == {4: ("near-duplicates", 3)}
    assert left_out(*faces, repairs=["tiny"]) == {5: ("tiny", -1)}


def test_parsing():
    default = ("blank", "no-face-votes", "no-face", "leaks", "conflicts", "copies")
    assert parse_repairs("default", CHECKS) == default
    assert parse_repairs("default", ["duplicates"]) == ("leaks", "conflicts", "copies")
    assert parse_repairs(" groups, default ", CHECKS) == (*default, "groups")
    assert "conflicts" not in parse_repairs("default,conflicts-by-votes", CHECKS)
    for wrong, message in [
        ("", "names no repair"),
        ("leak", "'leak' is unknown; known are default, blank"),
        ("blank", "needs the check 'pictures'"),
        ("conflicts,conflicts-by-votes", "choose one"),
    ]:
        with pytest.raises(InputError, match=message):
            parse_repairs(wrong, ["duplicates"])


def test_a_repair_needs_its_check(write):
    audit = audit_corpus(write(face(PICTURES[0])), ["labels"])
    with pytest.raises(InputError, match="'leaks' needs the check 'duplicates'"):
        plan_repairs(audit, ["leaks"])


@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),  # which picture
            st.sampled_from(["same", "anew", "mirrored", "brighter"]),
            st.sampled_from(["train", "validation", "test", None]),
            st.sampled_from(["anger", "fear"]),
        ),
        min_size=2,
        max_size=12,
    ),
    st.sampled_from([("train",), ("train", "validation")]),
)
def test_a_second_audit_finds_what_was_mended_gone(rows, splits):
    forms = {
        "same": encode_png,
        "anew": encoded_anew,
        "mirrored": lambda pixels: encode_png(np.ascontiguousarray(pixels[:, ::-1])),
        "brighter": lambda pixels: encode_png(pixels + np.uint8(15)),
    }
    faces = [face(forms[form](PICTURES[number]), split, label) for number, form, split, label in rows]
    faces.append(face(PICTURES[7], "train"))  # something is always left
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "a.parquet", Path(folder) / "b.parquet"
        write_corpus(source, faces)
        audit = audit_corpus(source, ["duplicates"])
        plan = plan_repairs(audit, parse_repairs("default", ["duplicates"]), splits)
        write_mended(audit, plan, target)
        again = audit_corpus(target, ["duplicates"])
        left, kept = again.material.splits, open_corpus(target).table
    assert kept.num_rows == plan.keep.sum()
    # What may not lose faces has lost none.
    for split in {"validation", "test"} - set(splits):
        assert kept["split"].to_pylist().count(split) == [row[2] for row in rows].count(split)
    lossy = {0, -1} | ({1} if "validation" in splits else set())
    for one in again.found():
        for part in one.slices():
            concerned = left[one.rows[part]].tolist()
            if one.kind.code in ("copies-across-splits", "near-duplicates-across-splits"):
                assert not set(concerned) & lossy
            if one.kind.code in ("copies", "conflicting-labels"):
                assert sum(split in lossy for split in concerned) <= 1
    assert plan_repairs(again, parse_repairs("default", ["duplicates"]), splits).keep.all()


def test_the_record(write, tmp_path):
    source = write(face(PICTURES[0], "test"), face(PICTURES[0], "train", "fear"), face(PICTURES[1]))
    before = source.read_bytes()
    audit = audit_corpus(source, ["duplicates"])
    target = tmp_path / "new" / "clean.parquet"
    assert write_mended(audit, plan_repairs(audit, ["leaks"]), target) == 2
    with record_path(target).open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "row": "1",
        "source": "drawn:1",
        "sha256": audit.material.hashes[1],
        "split": "train",
        "label": "fear",
        "reason": "leaks",
        "because_of_row": "0",
        "because_of_source": "drawn:0",
    }
    assert record_path(target).name == "clean_dropped.csv"
    assert open_corpus(target).sources() == ["drawn:0", "drawn:2"]
    assert source.read_bytes() == before


def test_what_goes_wrong_leaves_nothing(write, tmp_path, monkeypatch):
    source = write(face(PICTURES[0], "test"), face(PICTURES[0], "train"))
    audit = audit_corpus(source, ["duplicates"])
    plan = plan_repairs(audit, ["leaks"])
    there = sorted(tmp_path.iterdir())

    def stopped(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mended(audit, plan, tmp_path / "clean.parquet", stopped)
    assert sorted(tmp_path.iterdir()) == there

    (tmp_path / "clean_dropped.csv").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*clean_dropped.csv': it is a folder"):
        write_mended(audit, plan, tmp_path / "clean.parquet")
    assert not (tmp_path / "clean.parquet").exists()


def test_a_plan_that_cannot_be_carried_out(write, tmp_path):
    source = write(face(PICTURES[0], label=None))
    audit = audit_corpus(source, ["labels"])
    plan = plan_repairs(audit, ["unlabelled"])
    with pytest.raises(CorpusError, match="the repairs unlabelled leave no face"):
        write_mended(audit, plan, tmp_path / "clean.parquet")
    write(face(PICTURES[0]), face(PICTURES[1]))
    with pytest.raises(CorpusError, match=r"corpus.parquet has changed since it was audited; audit it again"):
        write_mended(audit, plan_repairs(audit, []), tmp_path / "clean.parquet")


def test_repairs_belong_to_checks():
    assert {repair.check for repair in REPAIRS.values()} <= set(CHECKS)
