import json

from kaoiro.scale.collectives_report import CollectivesReport, Participant, row_of, size_text
from kaoiro.scale.rehearsal import SET_UP, Outcome, Step

PEOPLE = [Participant(0, "here", 10, "cpu"), Participant(1, "there", 11, "cpu")]
SUM = Step("all_reduce", 2**20)


def test_the_slowest_rank_counts():
    row = row_of(SUM, [Outcome("right", seconds=0.001), Outcome("right", seconds=0.002)], 2)
    assert (row.status, row.seconds) == ("right", 0.002)
    assert row.algorithm_bandwidth == row.bus_bandwidth == 2**20 / 0.002  # 2(n−1)/n is 1 for two


def test_a_step_that_not_all_came_through():
    assert row_of(SUM, [Outcome("right", seconds=0.001), None], 2).status == "unfinished"
    assert row_of(SUM, [Outcome("wrong", "5 is 6", seconds=0.001), None], 2).status == "wrong"


def test_passed():
    rows = [
        row_of(SET_UP, [Outcome("right")] * 2, 2),
        row_of(SUM, [Outcome("right", seconds=0.002)] * 2, 2),
        row_of(Step("all_to_all", 64), [Outcome("unsupported", "gloo does not support it")] * 2, 2),
        row_of(Step("barrier"), [Outcome("right", seconds=0.001)] * 2, 2),
    ]
    report = CollectivesReport("gloo", 2, PEOPLE, rows)
    assert report.passed
    lines = report.to_text().splitlines()
    assert lines[0] == "collectives over gloo: 2 processes on 2 machines"
    assert lines[4].split() == ["all_reduce", "1", "MiB", "2.000", "ms", "0.524", "GB/s", "0.524", "GB/s", "right"]
    assert lines[-2] == "gloo does not support all_to_all"
    assert lines[-1] == "passed: each operation that the backend supports gave the right values on every rank"
    plain = json.loads(report.to_json())
    assert plain["passed"] is True
    assert [row["operation"] for row in plain["rows"]] == ["all_reduce", "all_to_all", "barrier"]
    assert plain["participants"][1] == {"rank": 1, "host": "there", "pid": 11, "device": "cpu"}


def test_wrong_values():
    wrong = [Outcome("wrong", "3 is 4; given by rank 1", 0.1, [1]), Outcome("right", seconds=0.1)]
    report = CollectivesReport("gloo", 2, PEOPLE, [row_of(Step("all_gather", 64), wrong, 2)])
    assert not report.passed
    lines = report.to_text().splitlines()
    assert lines[-2] == "rank 0, all_gather of 64 B: 3 is 4; given by rank 1"
    assert lines[-1] == "failed: wrong values on rank 0 in all_gather, given by rank 1"


def test_many_wrong_values_do_not_fill_the_screen():
    rows = [row_of(Step("reduce", 4 * size), [Outcome("wrong", "so", 0.1)] * 2, 2) for size in range(1, 11)]
    lines = CollectivesReport("gloo", 2, PEOPLE, rows).to_text().splitlines()
    assert lines[-2] == "… and 12 more; --format json has them all"
    assert sum(line.startswith("rank ") for line in lines) == 8


def test_sizes_in_words():
    assert [size_text(size) for size in (3, 1020, 65532, 2**20, 3 * 2**29)] == [
        "3 B", "1020 B", "64 KiB", "1 MiB", "1.5 GiB"
    ]  # fmt: skip
