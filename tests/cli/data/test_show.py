import pytest
from PIL import Image
from typer.testing import CliRunner

from kaoiro.cli.data import data_app
from kaoiro.errors import CorpusError, InputError


def run(*arguments):
    return CliRunner().invoke(data_app, ["show", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def corpus(drawn_corpus, tmp_path):
    (tmp_path / "c.parquet").symlink_to(drawn_corpus)
    return tmp_path / "c.parquet"


def test_counts_and_pictures(corpus, tmp_path):
    result = run(corpus)
    assert result.exit_code == 0
    cells = [[word for word in line.split() if word.isalnum()] for line in result.stdout.splitlines()]
    assert ["class", "train", "validation", "test", "all"] in cells
    assert ["happiness", "20", "10", "10", "40"] in cells
    assert ["all", "140", "70", "70", "280"] in cells
    assert "votes: 280 of 280 faces, entropy " in result.stdout
    assert "groups: none\npictures: all 48 × 48 pixels\n" in result.stdout
    assert result.stdout.endswith(f"sheet: {tmp_path}/c_sheet.png\ncharts: {tmp_path}/c_charts.png\n")
    for name in ("c_sheet.png", "c_charts.png"):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 500


def test_pictures_go_where_they_are_told(corpus, tmp_path):
    run(corpus, "--sheet", tmp_path / "new/sheet.jpg", "--charts", tmp_path / "new/charts.png")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["charts.png", "sheet.jpg"]
    assert [path.name for path in tmp_path.glob("*.png")] == []
    with pytest.raises(InputError, match="cannot write"):
        run(corpus, "--sheet", tmp_path / "sheet.docx")
    with pytest.raises(InputError, match=r"cannot write .*: it is a folder"):
        run(corpus, "--charts", tmp_path)


def test_nothing_is_written_over_the_corpus_or_twice(corpus, tmp_path):
    there = sorted(tmp_path.iterdir())
    for option in ("--charts", "--sheet"):
        with pytest.raises(InputError, match=f"{option} .*c.parquet is the corpus itself"):
            run(corpus, option, corpus)
    with pytest.raises(InputError, match=r"--sheet and --charts would both be written to .*c_charts.png"):
        run(corpus, "--sheet", tmp_path / "c_charts.png")
    assert sorted(tmp_path.iterdir()) == there


def test_what_is_no_corpus(tmp_path):
    with pytest.raises(CorpusError, match="does not exist"):
        run(tmp_path / "none.parquet")
