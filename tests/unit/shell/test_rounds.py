from __future__ import annotations

from ecs_async_executor.rounds import CHECK_AFTER, CHECKS_PER_SECOND, Rounds


def test_a_run_is_looked_at_after_a_while_and_once() -> None:
    rounds = Rounds()
    rounds.add("run", 100.0)
    assert rounds.take(100.0 + CHECK_AFTER - 0.1) == []
    assert rounds.take(100.0 + CHECK_AFTER) == ["run"]
    assert rounds.take(1000.0) == []
    assert len(rounds) == 0


def test_many_runs_are_looked_at_in_turn_a_few_each_second() -> None:
    rounds = Rounds()
    names = [str(number) for number in range(3 * CHECKS_PER_SECOND)]
    for name in names:
        rounds.add(name, 0.0)
    taken = [rounds.take(CHECK_AFTER + second) for second in (0.0, 0.5, 1.0, 1.9, 2.0)]
    assert [len(part) for part in taken] == [CHECKS_PER_SECOND, 0, CHECKS_PER_SECOND, 0, CHECKS_PER_SECOND]
    assert [name for part in taken for name in part] == names
