from kaoiro.scale.blame import Standing, in_trouble, suspects


def blamed(*standings):
    return [(suspect.rank, suspect.deed) for suspect in suspects(standings, silence=1, patience=8)]


def test_trouble():
    well = Standing(0, entered=3, silent_for=0.1, idle_for=1.0)
    done = Standing(1, entered=9, done=True, idle_for=100.0, state="gone")
    assert not in_trouble([well, done], timeout=10)
    assert in_trouble([well, Standing(1, failure="Timed out")], timeout=10)
    assert in_trouble([well, Standing(1, state="gone")], timeout=10)
    assert in_trouble([well, Standing(1, silent_for=11)], timeout=10)
    assert in_trouble([well, Standing(1, idle_for=11)], timeout=10)


def test_who_died_is_to_blame_though_others_report_errors():
    assert blamed(Standing(0, failure="Connection closed"), Standing(1, state="gone"), Standing(2, silent_for=5)) == [
        (1, "died")
    ]


def test_who_never_came():
    assert blamed(Standing(0, failure="1 of 2 came"), Standing(1, seen=False)) == [(1, "never came")]


def test_a_stopped_process_is_blamed_and_not_its_victims():
    victim = Standing(0, entered=4, failure="Timed out")
    assert blamed(victim, Standing(1, entered=4, state="stopped")) == [(1, "is stopped")]
    assert blamed(victim, Standing(1, entered=4, silent_for=9)) == [(1, "gives no sign of life")]


def test_who_hangs_is_the_one_without_an_error():
    victims = [Standing(rank, entered=5, failure="Timed out", idle_for=10) for rank in (0, 2)]
    assert blamed(*victims, Standing(1, entered=5, idle_for=10)) == [(1, "hangs")]


def test_of_those_that_hang_the_one_furthest_behind():
    assert blamed(Standing(0, entered=6, idle_for=10), Standing(1, entered=5, idle_for=11)) == [(1, "hangs")]


def test_who_waits_for_a_process_that_failed_is_not_to_blame():
    assert blamed(Standing(0, entered=5, idle_for=3), Standing(1, entered=5, failure="a fault")) == [
        (1, "failed (a fault)")
    ]


def test_where_all_failed_each_has_its_own_error():
    assert blamed(Standing(0, failure="no route"), Standing(1, failure="refused")) == [
        (0, "failed (no route)"),
        (1, "failed (refused)"),
    ]
