from __future__ import annotations

from ecs_async_executor.executor.rows.schedule import CHECK_AFTER, CHECKS_PER_SECOND, PAUSE, RoundRobin


def test_a_run_is_read_again_and_again_at_intervals() -> None:
    round_robin: RoundRobin[str] = RoundRobin()
    round_robin.add("run", "its read", 100.0)
    assert round_robin.take(100.0 + CHECK_AFTER - 0.1) == []
    assert round_robin.take(100.0 + CHECK_AFTER) == ["its read"]
    assert round_robin.take(100.0 + CHECK_AFTER + PAUSE) == []
    assert round_robin.take(100.0 + 2 * CHECK_AFTER) == ["its read"]


def test_a_new_read_replaces_the_old_one_and_waits_a_full_interval() -> None:
    round_robin: RoundRobin[str] = RoundRobin()
    round_robin.add("run", "old", 0.0)
    round_robin.add("run", "new", 10.0)
    assert round_robin.take(CHECK_AFTER) == []
    assert round_robin.take(10.0 + CHECK_AFTER) == ["new"]
    assert len(round_robin) == 1


def test_a_discarded_run_is_not_read() -> None:
    round_robin: RoundRobin[str] = RoundRobin()
    for name in ("one", "two"):
        round_robin.add(name, name, 0.0)
    round_robin.discard("one")
    round_robin.discard("unknown")
    assert round_robin.take(CHECK_AFTER) == ["two"]
    assert len(round_robin) == 1


def test_many_runs_are_read_in_turn_a_few_at_a_time() -> None:
    round_robin: RoundRobin[int] = RoundRobin()
    many = range(20 * CHECKS_PER_SECOND)
    for number in many:
        round_robin.add(str(number), number, 0.0)
    part = int(CHECKS_PER_SECOND * PAUSE)
    taken = [
        round_robin.take(CHECK_AFTER + seconds) for seconds in (0.0, PAUSE / 2, PAUSE, 2 * PAUSE, 4 * PAUSE)
    ]
    assert [len(each) for each in taken] == [10 * CHECKS_PER_SECOND, 0, part, part, 2 * part]
    assert [number for each in taken for number in each] == list(many[: 10 * CHECKS_PER_SECOND + 4 * part])


def test_a_slow_scheduler_catches_up_but_a_stalled_one_does_not() -> None:
    round_robin: RoundRobin[int] = RoundRobin()
    for number in range(40 * CHECKS_PER_SECOND):
        round_robin.add(str(number), number, 0.0)
    taken = [len(round_robin.take(now)) for now in (100.0, 105.0, 1000.0)]
    assert taken == [10 * CHECKS_PER_SECOND, 5 * CHECKS_PER_SECOND, 10 * CHECKS_PER_SECOND]
