import pytest

from kaoiro.errors import InputError
from kaoiro.scale.launched import Launched, launched, leave_the_word_to_rank_0

VARIABLES = {"RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "node1", "MASTER_PORT": "29500"}


def test_places():
    local = {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    assert launched(VARIABLES | local) == Launched(3, 4, 1, 2, "node1:29500")
    assert launched(VARIABLES) == Launched(3, 4, 0, 1, "node1:29500")


def test_without_a_launcher():
    with pytest.raises(InputError, match=r"\(RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT not set\); run: torchrun --n"):
        launched({})


def test_a_strange_launcher():
    with pytest.raises(InputError, match="set WORLD_SIZE='two', which is not a number"):
        launched(VARIABLES | {"WORLD_SIZE": "two"})


def test_who_reports_errors_that_all_have():
    assert not leave_the_word_to_rank_0({})
    assert not leave_the_word_to_rank_0({"RANK": "0"})
    assert leave_the_word_to_rank_0({"RANK": "1"}, patience=0)
