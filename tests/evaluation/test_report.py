import json
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from kaoiro.evaluation.evaluate import evaluate
from kaoiro.evaluation.page import report_page
from kaoiro.evaluation.report import print_report, report_json


@pytest.fixture(scope="module")
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


def test_operating_points_in_the_tables(report, capsys):
    print_report(report)
    cells = [[cell.strip() for cell in line.strip("│┃").split("│")] for line in capsys.readouterr().out.splitlines()]
    point = report.heads["fer2013"].scores.selection.points[3]
    shown = [f"{100 * point.answered:.1f}", f"{point.threshold:.3f}", str(point.n)]
    assert [row for row in cells if row[:3] == shown]


def test_the_prior_is_named(report, capsys):
    print_report(replace(report, prior={"fear": 0.25, "anger": 3}))
    assert "weighted to the prior fear=0.25,anger=3\n" in capsys.readouterr().out


class Page(HTMLParser):
    """What a page shows and what it asks for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.pictures, self.scripts = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        assert "href" not in attributes
        self.scripts += tag == "script"
        if tag == "img":
            assert attributes["alt"]
            self.pictures.append(attributes["src"])
        elif tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.cells.append(" ".join(data.split()))


def test_the_page_needs_nothing_beside_itself(report):
    text = report_page(report)
    page = Page(text)
    assert page.open == []
    assert page.scripts == 0
    assert "http" not in text
    sets = sum(1 + (head.leak_free is not None) for head in report.heads.values())
    assert len(page.pictures) == 2 * sets == 8
    for picture in page.pictures:
        start, _, svg = picture.partition(",")
        assert start == "data:image/svg+xml;base64"
        assert ElementTree.fromstring(b64decode(svg)).tag == "{http://www.w3.org/2000/svg}svg"
    assert report_page(report) == text


def test_the_page_has_the_figures(report):
    cells = Page(report_page(report)).cells
    assert "kaoiro-s on drawn.parquet, test" in cells
    for head in report.heads.values():
        for scores in (head.scores, head.leak_free):
            for measured in (scores.accuracy, scores.macro_f1, *(point.accuracy for point in scores.selection.points)):
                assert f"{100 * measured.value:.2f}" in cells
                assert f"{100 * measured.low:.2f} to {100 * measured.high:.2f}" in cells
            for row in scores.confusion:
                places = [i for i in range(len(cells)) if cells[i : i + len(row)] == [str(count) for count in row]]
                assert places


def test_a_page_of_names_that_look_like_html(report):
    page = Page(report_page(replace(report, corpus="<b>&.parquet", near_duplicates=None)))
    assert "kaoiro-s on <b>&.parquet, test" in page.cells
    assert "b" not in page.open
