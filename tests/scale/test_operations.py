import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kaoiro.scale.operations import OPERATIONS, Trial, bandwidths, piece, term, total, whole_elements
from kaoiro.scale.rehearsal import difference

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("operation", "bus"),
    [
        ("broadcast", 2.0),
        ("reduce", 2.0),
        ("all_reduce", 3.0),  # 2 × 3/4
        ("all_gather", 1.5),  # 3/4
        ("gather", 1.5),
        ("scatter", 1.5),
        ("reduce_scatter", 1.5),
        ("all_to_all", 1.5),
    ],
)
def test_bandwidths_of_four_processes(operation, bus):
    assert bandwidths(operation, 4, size=8_000_000, seconds=0.004) == pytest.approx((2e9, bus * 1e9))


def test_one_process_needs_no_bus_where_pieces_stay_at_home():
    assert {name for name in OPERATIONS if bandwidths(name, 1, 1000, 1.0)[1] > 0} == {"broadcast", "reduce"}


@given(st.integers(0, 2**14 - 1), st.integers(0, 2**14 - 1), st.integers(1, 1200))
def test_two_pieces_differ_in_every_place(one, other, elements):
    differ = piece(one, elements, CPU) != piece(other, elements, CPU)
    assert bool(differ.all()) == (one != other)


def test_a_piece_tells_its_position():
    moved = piece(3, 1000, CPU).roll(1)
    assert bool((moved != piece(3, 1000, CPU)).all())


@pytest.mark.parametrize("processes", [1, 2, 7, 300])
def test_the_total_is_the_sum_of_the_terms(processes):
    terms = [term(rank, 1100, torch.device("cpu")).to(torch.int64) for rank in range(processes)]
    assert total(processes, 1100, CPU).to(torch.int64).equal(torch.stack(terms).sum(0))


@given(st.integers(1, 2**26), st.integers(1, 64))
def test_messages_are_cut_into_equal_pieces(size, processes):
    elements = whole_elements(size, processes)
    assert elements % processes == 0
    assert elements >= processes
    assert abs(4 * elements - size) <= 4 * processes


def test_differences_name_the_place_and_the_giver():
    expected = torch.cat([piece(rank, 4, CPU) for rank in range(3)])
    result = expected.clone()
    result[6:8] = 9
    text, givers = difference(Trial(lambda: None, result, expected, givers=range(3)))
    assert text == "2 of 12 values are wrong, number 6 is 9 instead of 514; given by rank 1"
    assert givers == [1]


def test_differences_of_a_sum_name_nobody():
    expected = total(3, 4, CPU)
    text, givers = difference(Trial(lambda: None, expected + 1, expected))
    assert text == "4 of 4 values are wrong, number 0 is 4 instead of 3; a sum, to which every rank gave"
    assert givers == []


def test_no_difference():
    assert difference(Trial(lambda: None, piece(1, 5, CPU), piece(1, 5, CPU), (0,))) == (None, [])
    assert difference(Trial(lambda: None, None, None)) == (None, [])
