import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from kaoiro.errors import MissingExtraError
from kaoiro.expressions import SEVEN, Expression
from kaoiro.recognition.many import Reading
from kaoiro.recognition.results import Face, Frame
from kaoiro.recognition.tables import to_arrow, to_pandas

PROBABILITIES = dict.fromkeys(SEVEN, 0.1) | {Expression.FEAR: 0.4}
FACE = Face((0.5, 1.0, 4.0, 5.0), Expression.FEAR, 0.4, PROBABILITIES, None, 0.91, 2)
UNSURE = Face((0.0, 0.0, 48.0, 48.0), None, 0.4, PROBABILITIES)
EMPTY, FULL = Reading(Path("nobody.png"), []), Reading(Path("a.jpg"), [FACE, UNSURE])


def test_readings_become_an_arrow_table_with_a_row_for_a_picture_of_nobody():
    table = to_arrow([EMPTY, FULL])
    assert table.column_names == [
        *("picture", "face", "left", "top", "right", "bottom", "detection_score", "expression", "confidence"),
        *(expression.value for expression in SEVEN),
    ]
    assert table["picture"].to_pylist() == ["nobody.png", "a.jpg", "a.jpg"]
    assert table["face"].to_pylist() == [None, 1, 2]
    assert table["expression"].to_pylist() == [None, "fear", None]
    assert table["detection_score"].to_pylist() == [None, 0.91, None]
    assert table["fear"].to_pylist() == [None, 0.4, 0.4]
    assert table.schema.field("face").type == pa.int64()
    assert table.schema.field("left").type == pa.float64()
    assert table.schema.field("expression").type == pa.string()


def test_pandas_gives_the_same_as_arrow():
    frames = [Frame(0, 0.0, (FACE,)), Frame(1, 0.04, ()), Frame(2, 0.08, (FACE, FACE))]
    frame = to_pandas(frames, "ja")
    assert list(frame["frame"]) == [0, 2, 2]
    assert list(frame["label"]) == ["恐れ"] * 3
    assert frame.to_dict("records") == to_arrow(frames, "ja").to_pylist()
    missing = to_pandas([EMPTY, FULL])["face"]
    assert missing[0] is pd.NA
    assert missing.dtype == "Int64"


def test_each_result_becomes_a_table_by_itself():
    assert FACE.to_arrow().to_pylist() == FACE.to_rows()
    assert FULL.to_pandas("en")["label"][0] == "fear"


def test_nothing_becomes_an_empty_table():
    assert to_arrow([]).num_rows == 0
    assert to_pandas([]).empty


@pytest.mark.parametrize(("package", "call"), [("pyarrow", to_arrow), ("pandas", to_pandas)])
def test_a_missing_package_is_named(monkeypatch, package, call):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"needs {package}; install it with: pip install 'kaoiro\[tables\]'"):
        call([FULL])


def test_results_need_neither_pandas_nor_arrow():
    script = (
        "import sys, kaoiro.recognition.results; "
        "assert not {'pandas', 'pyarrow'} & sys.modules.keys(), 'imported without need'"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
