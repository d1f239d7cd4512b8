import io

import numpy as np
import pytest
from PIL import Image

from kaoiro.cli.track_plot import save_plot
from kaoiro.cli.track_table import expression_shares, longest_first, print_tracks
from kaoiro.errors import InputError
from kaoiro.expressions import SEVEN, Expression, Language
from kaoiro.media.drawing import COLOURS
from kaoiro.recognition.results import Track


def track(number, times, expressions=(Expression.HAPPINESS,), frames=None):
    """A person who shows the expressions one after the other, each for the same number of moments."""
    times = np.asarray(times, float)
    rows = np.full((len(times), 7), 0.01)
    for row, one in enumerate(np.repeat(expressions, -(-len(times) // len(expressions)))[: len(times)]):
        rows[row, SEVEN.index(one)] = 0.94
    return Track(number, SEVEN, times, np.zeros((len(times), 4)), rows, len(times) if frames is None else frames)


def shown(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def share(picture, expression):
    """Which part of a picture has an expression's colour."""
    return (np.abs(picture - COLOURS[expression]).max(axis=-1) < 8).mean()


def test_areas_are_probabilities_over_time(tmp_path):
    both = (Expression.HAPPINESS, Expression.SADNESS)
    save_plot(tmp_path / "a.png", [track(1, np.arange(0, 60, 0.04), both)], "a")
    picture = shown(tmp_path / "a.png")
    happy, sad = (share(picture, one) for one in both)
    assert happy == pytest.approx(sad, rel=0.05)
    assert happy > 0.2
    left, right = np.array_split(picture, 2, axis=1)
    assert share(left, Expression.HAPPINESS) > 10 * share(right, Expression.HAPPINESS)


def test_where_a_person_was_away_the_picture_is_empty(tmp_path):
    there = np.arange(0, 90, 0.04)
    save_plot(tmp_path / "whole.png", [track(1, there)], "a")
    save_plot(tmp_path / "broken.png", [track(1, there[(there < 30) | (there >= 60)])], "a")
    whole, broken = (share(shown(tmp_path / f"{name}.png"), Expression.HAPPINESS) for name in ("whole", "broken"))
    assert broken == pytest.approx(whole * 2 / 3, rel=0.02)


@pytest.mark.parametrize("persons", [0, 1, 20])
def test_any_number_of_persons_stays_readable(tmp_path, persons):
    tracks = [track(number, [number, number + 0.5, number + 5]) for number in range(1, persons + 1)]
    save_plot(tmp_path / "a.png", tracks, "100 $ & more $ in <a>_b^c.mp4")
    height, width, _ = shown(tmp_path / "a.png").shape
    assert width == 1500
    assert 300 <= height <= 2500


def test_single_moments_and_japanese_names(tmp_path, caplog):
    save_plot(tmp_path / "a.png", [track(1, [3.0])], "顔 𓀀.mp4", Language.JAPANESE)
    assert share(shown(tmp_path / "a.png"), Expression.HAPPINESS) > 0.01
    assert caplog.records == []


def test_other_formats(tmp_path):
    save_plot(tmp_path / "a.svg", [track(1, [0, 1])], "a")
    save_plot(tmp_path / "a.pdf", [track(1, [0, 1])], "a")
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()
    assert (tmp_path / "a.pdf").read_bytes()[:4] == b"%PDF"
    with pytest.raises(InputError, match=r"plots are written as .png, .svg or .pdf"):
        save_plot(tmp_path / "a.bmp", [], "a")


def test_the_longest_come_first():
    tracks = [track(1, [0], frames=5), track(2, [0], frames=9), track(3, [0], frames=5)]
    assert [one.number for one in longest_first(tracks)] == [2, 1, 3]


def test_shares_of_expressions():
    four = [Expression.FEAR] * 3 + [Expression.ANGER]
    assert expression_shares(track(1, range(40), four), Language.ENGLISH) == "fear 75%, anger 25%"
    assert expression_shares(track(1, range(40), four), Language.JAPANESE) == "恐れ 75%, 怒り 25%"
    rare = [Expression.FEAR] * 39 + [Expression.ANGER]
    assert expression_shares(track(1, range(40), rare), Language.ENGLISH) == "fear 98%"


def test_the_table_names_twenty_persons():
    out = io.StringIO()
    print_tracks([track(number, [0, 1], frames=number) for number in range(1, 26)], out, Language.ENGLISH)
    lines = out.getvalue().splitlines()
    assert [line.split()[0] for line in lines[2:22]] == [str(number) for number in range(6, 26)]
    assert lines[2].split()[1:] == ["0:00.0", "0:01.0", "6", "happiness", "100%", "94%"]
    assert lines[22] == "and 5 more persons, each seen in fewer frames"
