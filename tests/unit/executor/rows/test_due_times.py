from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.executor.rows.schedule import DueTimes


def test_due_runs_are_taken_once_and_the_longest_overdue_first() -> None:
    due_times = DueTimes()
    for run_id, at in (("b", 2.0), ("a", 1.0), ("later", 9.0), ("c", 2.0)):
        due_times.add(run_id, at)
    assert due_times.take(2.0, limit=10) == ["a", "b", "c"]
    assert due_times.take(2.0, limit=10) == []
    assert len(due_times) == 1
    assert "later" in due_times


def test_runs_over_the_limit_stay() -> None:
    due_times = DueTimes()
    for run_id in "abc":
        due_times.add(run_id, 0.0)
    assert due_times.take(0.0, limit=2) == ["a", "b"]
    assert due_times.take(0.0, limit=2) == ["c"]


def test_a_new_time_replaces_the_old_one() -> None:
    due_times = DueTimes()
    due_times.add("run", 1.0)
    due_times.add("run", 5.0)
    assert due_times.take(4.0, limit=10) == []
    assert due_times.take(5.0, limit=10) == ["run"]
    assert due_times.take(99.0, limit=10) == []


def test_a_discarded_run_is_never_taken() -> None:
    due_times = DueTimes()
    due_times.add("run", 1.0)
    due_times.discard("run")
    due_times.discard("unknown")
    assert due_times.take(99.0, limit=10) == []
    assert "run" not in due_times


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "discard", "take"]), st.sampled_from("abc"), st.integers(0, 5))
    )
)
def test_it_behaves_like_a_dictionary_of_times(steps: list[tuple[str, str, int]]) -> None:
    due_times, times = DueTimes(), dict[str, int]()
    for what, run_id, at in steps:
        if what == "add":
            due_times.add(run_id, at)
            times[run_id] = at
        elif what == "discard":
            due_times.discard(run_id)
            times.pop(run_id, None)
        else:
            due = {each for each, time in times.items() if time <= at}
            assert set(due_times.take(at, limit=99)) == due
            times = {each: time for each, time in times.items() if each not in due}
        assert len(due_times) == len(times)
