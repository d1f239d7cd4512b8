import shutil

import pytest

from corpus.layout_fixtures import FIXTURES
from kaoiro.corpus.labelled_face import LabelledFace, LeftOut
from kaoiro.corpus.layouts import LAYOUTS, layout_of
from kaoiro.corpus.readers.layout import ReadOptions
from kaoiro.errors import CorpusError


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Every form of a published corpus: its source and the faces that it must give."""
    forms = {}
    for name, form in FIXTURES.items():
        root = tmp_path_factory.mktemp("form")
        forms[name] = (root / form.source, form.write(root))
    return forms


@pytest.mark.parametrize("name", FIXTURES)
def test_each_form_is_known_for_its_own_and_no_other(name, written):
    source, _ = written[name]
    # class folders are any folder, and CK+'s CSV is FER2013's but for one number: both come last
    catch_all = {"class-folders", "fer2013"}
    assert {layout.name for layout in LAYOUTS if layout.looks_like(source)} - catch_all == {FIXTURES[name].layout}
    assert layout_of(source).name == FIXTURES[name].layout


@pytest.mark.parametrize("name", FIXTURES)
def test_every_face_comes_with_what_its_corpus_says_of_it(name, written):
    source, expected = written[name]
    rows = list(layout_of(source).read(source, ReadOptions()).rows)
    faces = [(row.source, row.label, row.split, row.group) for row in rows if isinstance(row, LabelledFace)]
    assert faces == [tuple(face) for face in expected]
    assert not [row for row in rows if isinstance(row, LeftOut)]


@pytest.mark.parametrize("name", [name for name, form in FIXTURES.items() if form.source == "."])
def test_a_folder_that_has_only_the_corpus_in_it(name, written, tmp_path):
    source, expected = written[name]
    shutil.copytree(source, tmp_path / "downloads" / "corpus")
    (tmp_path / "downloads" / "__MACOSX").mkdir()  # left by archives; counts for nothing
    found = layout_of(tmp_path / "downloads")
    assert found.name == FIXTURES[name].layout
    rows = found.read(tmp_path / "downloads", ReadOptions()).rows
    assert sum(isinstance(row, LabelledFace) for row in rows) == len(expected)


@pytest.mark.parametrize("layout", ["raf-db", "affectnet", "ck-plus", "jaffe", "expw", "sfew"])
def test_a_layout_that_the_source_has_not(layout, tmp_path, save_picture):
    save_picture("happy/a.png")
    with pytest.raises(CorpusError, match=r"is not .*: it "):
        layout_of(tmp_path, layout).read(tmp_path, ReadOptions())


def test_a_list_without_a_header(tmp_path):
    (tmp_path / "list.csv").write_text("a.png,happy\n")
    with pytest.raises(CorpusError, match=r"no layout that is known.*first line of a list .* \(path, label, …\)$"):
        layout_of(tmp_path / "list.csv")


def test_two_corpora_in_one_folder_are_not_taken_for_one(tmp_path):
    FIXTURES["RAF-DB"].write(tmp_path / "raf")
    FIXTURES["JAFFE"].write(tmp_path / "jaffe")
    assert layout_of(tmp_path).name == "class-folders"
