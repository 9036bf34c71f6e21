from __future__ import annotations

from ecs_async_executor.executor.rows.schedule import CHECK_AFTER, CHECKS_PER_SECOND, PAUSE, RoundRobin


def test_a_run_is_looked_at_after_a_while_again_and_again() -> None:
    rounds: RoundRobin[str] = RoundRobin()
    rounds.add("run", "its look", 100.0)
    assert rounds.take(100.0 + CHECK_AFTER - 0.1) == []
    assert rounds.take(100.0 + CHECK_AFTER) == ["its look"]
    assert rounds.take(100.0 + CHECK_AFTER + PAUSE) == []
    assert rounds.take(100.0 + 2 * CHECK_AFTER) == ["its look"]


def test_a_new_look_replaces_the_old_one_and_has_its_turn_after_a_while() -> None:
    rounds: RoundRobin[str] = RoundRobin()
    rounds.add("run", "old", 0.0)
    rounds.add("run", "new", 10.0)
    assert rounds.take(CHECK_AFTER) == []
    assert rounds.take(10.0 + CHECK_AFTER) == ["new"]
    assert len(rounds) == 1


def test_a_discarded_run_is_not_looked_at() -> None:
    rounds: RoundRobin[str] = RoundRobin()
    for name in ("one", "two"):
        rounds.add(name, name, 0.0)
    rounds.discard("one")
    rounds.discard("unknown")
    assert rounds.take(CHECK_AFTER) == ["two"]
    assert len(rounds) == 1


def test_many_runs_are_looked_at_in_turn_a_few_each_time() -> None:
    rounds: RoundRobin[int] = RoundRobin()
    many = range(20 * CHECKS_PER_SECOND)
    for number in many:
        rounds.add(str(number), number, 0.0)
    part = int(CHECKS_PER_SECOND * PAUSE)
    taken = [rounds.take(CHECK_AFTER + seconds) for seconds in (0.0, PAUSE / 2, PAUSE, 2 * PAUSE, 4 * PAUSE)]
    assert [len(each) for each in taken] == [10 * CHECKS_PER_SECOND, 0, part, part, 2 * part]
    assert [number for each in taken for number in each] == list(many[: 10 * CHECKS_PER_SECOND + 4 * part])


def test_a_scheduler_that_is_slow_makes_up_for_it_and_one_that_stood_still_does_not() -> None:
    rounds: RoundRobin[int] = RoundRobin()
    for number in range(40 * CHECKS_PER_SECOND):
        rounds.add(str(number), number, 0.0)
    taken = [len(rounds.take(now)) for now in (100.0, 105.0, 1000.0)]
    assert taken == [10 * CHECKS_PER_SECOND, 5 * CHECKS_PER_SECOND, 10 * CHECKS_PER_SECOND]
