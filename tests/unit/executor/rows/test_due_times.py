from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.executor.rows.schedule import DueTimes


def test_what_is_due_is_taken_once_the_longest_overdue_first() -> None:
    agenda = DueTimes()
    for run_id, at in (("b", 2.0), ("a", 1.0), ("later", 9.0), ("c", 2.0)):
        agenda.add(run_id, at)
    assert agenda.take(2.0, limit=10) == ["a", "b", "c"]
    assert agenda.take(2.0, limit=10) == []
    assert len(agenda) == 1
    assert "later" in agenda


def test_what_is_over_the_limit_stays() -> None:
    agenda = DueTimes()
    for run_id in "abc":
        agenda.add(run_id, 0.0)
    assert agenda.take(0.0, limit=2) == ["a", "b"]
    assert agenda.take(0.0, limit=2) == ["c"]


def test_a_new_time_replaces_the_old_one() -> None:
    agenda = DueTimes()
    agenda.add("run", 1.0)
    agenda.add("run", 5.0)
    assert agenda.take(4.0, limit=10) == []
    assert agenda.take(5.0, limit=10) == ["run"]
    assert agenda.take(99.0, limit=10) == []


def test_what_is_discarded_is_never_taken() -> None:
    agenda = DueTimes()
    agenda.add("run", 1.0)
    agenda.discard("run")
    agenda.discard("unknown")
    assert agenda.take(99.0, limit=10) == []
    assert "run" not in agenda


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "discard", "take"]), st.sampled_from("abc"), st.integers(0, 5))
    )
)
def test_it_is_a_dictionary_of_times(steps: list[tuple[str, str, int]]) -> None:
    agenda, times = DueTimes(), dict[str, int]()
    for what, run_id, at in steps:
        if what == "add":
            agenda.add(run_id, at)
            times[run_id] = at
        elif what == "discard":
            agenda.discard(run_id)
            times.pop(run_id, None)
        else:
            due = {each for each, time in times.items() if time <= at}
            assert set(agenda.take(at, limit=99)) == due
            times = {each: time for each, time in times.items() if each not in due}
        assert len(agenda) == len(times)
