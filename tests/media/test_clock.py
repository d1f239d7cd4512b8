import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.media.clock import clock, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90.5", 90.5), ("1:30", 90), ("1:30.25", 90.25), ("1:02:03", 3723), (".5", 0.5), ("0:75", 75)],
)
def test_times_in_each_way_of_writing(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "a", "1:2:3:4", "-1", "1:", "1.5:30", "1e3", "nan"])
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match="is no time; write seconds"):
        parse_time(text)


@given(st.floats(0, 1e6), st.integers(0, 3))
def test_what_is_written_is_read_again(seconds, digits):
    assert parse_time(clock(seconds, digits)) == pytest.approx(seconds, abs=10.0**-digits + 1e-6)
