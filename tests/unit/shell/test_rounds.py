from __future__ import annotations

from ecs_async_executor.rounds import CHECK_AFTER, CHECKS_PER_SECOND, PAUSE, Rounds


def test_a_run_is_looked_at_after_a_while_and_once() -> None:
    rounds = Rounds()
    rounds.add("run", 100.0)
    assert rounds.take(100.0 + CHECK_AFTER - 0.1) == []
    assert rounds.take(100.0 + CHECK_AFTER) == ["run"]
    assert rounds.take(1000.0) == []
    assert len(rounds) == 0


def test_many_runs_are_looked_at_in_turn_a_few_each_time() -> None:
    rounds = Rounds()
    names = [str(number) for number in range(20 * CHECKS_PER_SECOND)]
    for name in names:
        rounds.add(name, 0.0)
    part = int(CHECKS_PER_SECOND * PAUSE)
    taken = [rounds.take(CHECK_AFTER + seconds) for seconds in (0.0, PAUSE / 2, PAUSE, 2 * PAUSE, 4 * PAUSE)]
    assert [len(each) for each in taken] == [10 * CHECKS_PER_SECOND, 0, part, part, 2 * part]
    assert [name for each in taken for name in each] == names[: 10 * CHECKS_PER_SECOND + 4 * part]


def test_a_scheduler_that_is_slow_makes_up_for_it_and_one_that_stood_still_does_not() -> None:
    rounds = Rounds()
    for number in range(40 * CHECKS_PER_SECOND):
        rounds.add(str(number), 0.0)
    taken = [len(rounds.take(now)) for now in (100.0, 105.0, 1000.0)]
    assert taken == [10 * CHECKS_PER_SECOND, 5 * CHECKS_PER_SECOND, 10 * CHECKS_PER_SECOND]
