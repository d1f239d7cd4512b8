import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from kaoiro.audit import page
from kaoiro.audit.audit import audit_corpus
from kaoiro.audit.page import audit_page
from kaoiro.audit.record import audit_json
from kaoiro.audit.repairs import plan_repairs
from planted import encoded_anew, face, picture

CHECKS = ("labels", "balance", "groups", "sizes", "pictures", "duplicates")
VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Reads a page, and holds its tags against each other."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.text.append(" " if tag == "td" else "")

    def handle_data(self, data):
        self.text.append(data)

    def all(self, wanted):
        return [attributes for tag, attributes in self.tags if tag == wanted]

    def words(self):
        return re.sub(r"\s+", " ", "".join(self.text))


@pytest.fixture
def audited(write):
    def audited(*faces, repairs=("leaks",)):
        audit = audit_corpus(write(*faces), CHECKS)
        return audit, plan_repairs(audit, repairs)

    return audited


@pytest.fixture
def leaky(audited):
    one = picture(1)
    evil = "<script>alert('x')</script>/Überraschung/&amp;.png"
    return audited(
        face(one, "test", "fear"),
        face(encoded_anew(one), "train", "anger", source=evil),
        face(picture(2), "train", None),
        face(np.kron(picture(3), np.ones((4, 2), np.uint8)), "train", "anger"),
    )


def test_the_page_needs_nothing_beside_itself(leaky):
    text = audit_page(*leaky)
    read = Page(text)
    assert all(image["src"].startswith("data:image/webp;base64,") for image in read.all("img"))
    assert all(link["href"].startswith("#") for link in read.all("a"))
    assert not read.all("script") + read.all("link")
    assert "http" not in re.sub(r"data:[^\"]*", "", text)
    assert "url(" not in text


def test_the_page_shows_what_was_found(leaky):
    read = Page(audit_page(*leaky))
    words = read.words()
    assert "4 faces: 3 train, 1 test." in words
    assert "1 of 1 test faces (100.0%) have a copy in train." in words
    assert "<script>alert('x')</script>/Überraschung/&amp;.png" in [span.get("title") for span in read.all("span")]
    assert "leaks faces whose copy or near-duplicate is in test, or validation 1 – all together 1 –" in words
    assert "3 of 4 faces would stay." in words
    assert "Not looked for: labels that are probably wrong (not asked for)." in words
    alts = [image["alt"] for image in read.all("img")]
    assert "Row 0: fear, test" in alts
    assert "Row 2: no label, train" in alts
    assert "Row 3: anger, train; 96 × 192 px, grey" in alts
    targets = {attributes["id"] for _, attributes in read.tags if "id" in attributes}
    assert {link["href"][1:] for link in read.all("a")} <= targets


def test_a_corpus_in_order(audited):
    names = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    noise = np.random.default_rng(0).integers(0, 256, (7, 48, 48), np.uint8)
    audit, plan = audited(*(face(noise[row], None, label) for row, label in enumerate(names)))
    words = Page(audit_page(audit, plan)).words()
    assert "Nothing: every check that was made came back empty." in words
    assert "Nothing: these repairs (leaks) find no face to leave out." in words
    assert "The same picture in several splits; " in words


def test_a_section_shows_no_more_than_it_should(audited, monkeypatch):
    monkeypatch.setattr(page, "CLUSTERS_A_SECTION", 2)
    copies = [face(picture(number), label=None) for number in range(4) for _ in range(2)]
    more = [face(picture(9), split) for split in ("train",) * 6 + ("test",)]
    read = Page(audit_page(*audited(*copies, *more)))
    words = read.words()
    assert (
        "14 faces in 5 clusters. 2 of 5 clusters shown, evenly from the largest to the smallest; the JSON has all."
        in words
    )
    assert "and 2 more" in words
    # The cluster across splits shows its test face, though it is the last of seven.
    assert "Row 14: anger, test" in [image["alt"] for image in read.all("img")]


def test_json(leaky):
    audit, plan = leaky
    read = json.loads(audit_json(audit, plan))
    assert (read["format"], read["faces"]) == (1, 4)
    assert read["counts"] == {
        "anger": {"train": 2, "test": 0},
        "fear": {"train": 0, "test": 1},
        "none": {"train": 1, "test": 0},
    }
    assert read["checks"]["duplicates"]["made"]
    assert read["checks"]["no-face"] == {"made": False, "seconds": 0.0, "why_not": "not asked for"}
    assert read["duplicates"]["pictures_with_copies"] == 1
    assert read["duplicates"]["faces_also_in"]["test"] == {"train": 1, "validation": 0}
    findings = {finding["code"]: finding for finding in read["findings"]}
    across = findings["copies-across-splits"]
    assert (across["rows"], across["clusters"], across["by_split"]) == ([0, 1], [2], {"train": 1, "test": 1})
    assert findings["copies"]["faces"] == 0
    assert read["rows"]["1"] == {
        "source": "<script>alert('x')</script>/Überraschung/&amp;.png",
        "split": "train",
        "label": "anger",
        "sha256": audit.material.hashes[1],
    }
    assert set(read["rows"]) == {str(row) for finding in findings.values() for row in finding["rows"]}
    assert read["repairs"]["leave_out"] == {"leaks": {"train": 1}}
