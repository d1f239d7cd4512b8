import json

import pytest

from kaoiro.evaluation.evaluate import evaluate
from kaoiro.evaluation.report import print_report, report_json


@pytest.fixture
def report(trained_model, drawn_corpus):
    return evaluate(trained_model, drawn_corpus, "test", flip_averaging=True)


def test_json(report):
    text = report_json(report)
    assert text.endswith("}\n")
    parts = json.loads(text)
    assert parts["faces"] == 70
    assert parts["split"] == "test"
    for name, head in report.heads.items():
        found = parts["heads"][name]
        assert found["scores"]["accuracy"]["value"] == head.scores.accuracy.value  # not rounded
        assert found["scores"]["confusion"] == head.scores.confusion
        assert list(found["scores"]["classes"]) == [str(expression) for expression in head.scores.classes]


def test_tables(report, capsys):
    print_report(report)
    printed = capsys.readouterr().out
    first, second, *_ = printed.splitlines()
    assert first == "kaoiro-s on drawn.parquet, split test: 70 faces, each face and its mirror image, averaged"
    assert second.startswith(f"{report.near_duplicates} of them (")
    cells = [[cell.strip() for cell in line.strip("│┃").split("│")] for line in printed.splitlines()]
    scores = report.heads["fer2013"].scores
    accuracy = (
        f"{100 * scores.accuracy.value:.2f} ({100 * scores.accuracy.low:.2f} to {100 * scores.accuracy.high:.2f})"
    )
    rows = [row for row in cells if row[:2] == ["all", "70"]]
    assert rows[0][2] == accuracy  # whole, though the output is no terminal
    assert [row for row in cells if row[0] == "leak-free"]
    assert [row for row in cells if row[0] == "fear" and row[-1] == "10"]
    assert "fer2013: right is the corpus's label" in printed
    assert "ferplus: right is the raters' majority" in printed
