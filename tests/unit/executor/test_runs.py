from __future__ import annotations

import pytest

from ecs_async_executor.config.heartbeats import Heartbeats
from ecs_async_executor.executor.runs import Run, Runs
from ecs_async_executor.messages import Diagnosis, Launched, Stopped


def make(run_id: str, key: str = "key", **members: object) -> Run:
    return Run(run_id, key, f"label of {run_id}", workload=None, ti_id="ti", **members)  # type: ignore[arg-type]


def test_the_latest_run_of_a_key_is_its_current_one() -> None:
    runs, old, new = Runs(), make("old"), make("new")
    runs.add(old)
    assert runs.is_current(old)
    runs.add(new)
    assert runs.current("key") is new
    assert not runs.is_current(old)


def test_a_superseded_run_is_still_found_until_it_is_forgotten() -> None:
    runs, old, new = Runs(), make("old"), make("new")
    runs.add(old)
    runs.add(new)
    assert runs.get("old") is old
    runs.forget(old)
    assert runs.get("old") is None
    assert runs.current("key") is new
    assert list(runs) == [new]


def test_forgetting_the_current_run_leaves_its_key_without_one() -> None:
    runs, old, new = Runs(), make("old"), make("new")
    runs.add(old)
    runs.add(new)
    runs.forget(new)
    assert runs.current("key") is None
    assert not runs.is_current(old)


def test_forgetting_a_run_twice_or_an_unknown_run_is_harmless() -> None:
    runs, run = Runs(), make("run")
    runs.forget(run)
    runs.add(run)
    runs.forget(run)
    runs.forget(run)
    assert len(runs) == 0


def test_runs_of_different_keys_do_not_affect_each_other() -> None:
    runs, one, two = Runs(), make("one", "a"), make("two", "b")
    runs.add(one)
    runs.add(two)
    assert runs.is_current(one)
    assert runs.is_current(two)


def test_a_run_that_is_queued_again_is_not_current_though_no_newer_one_is_known() -> None:
    runs, run = Runs(), make("run")
    runs.add(run)
    assert runs.view(run, job_id=1, queued_again=False, may_relaunch=True, heartbeats=Heartbeats()).current
    assert not runs.view(run, job_id=1, queued_again=True, may_relaunch=True, heartbeats=Heartbeats()).current


def test_the_view_of_a_run_has_its_id_and_its_arns() -> None:
    run = make("a", try_number=2, id_committed=True)
    known = Runs().view(run, job_id=1, queued_again=False, may_relaunch=True, heartbeats=Heartbeats())
    assert (known.ids, known.try_number, known.id_committed) == (frozenset({"a"}), 2, True)
    assert (known.ran, known.published) == (False, "a")
    run.launched = Launched("a", 1, "arn", "cluster", "airflow")
    run.own_ids |= {"arn"}
    run.ended = Stopped("a", 1, "arn", 1, ran=True, permanent=False, diagnosis=Diagnosis("It died."))
    known = Runs().view(run, job_id=1, queued_again=False, may_relaunch=True, heartbeats=Heartbeats())
    assert known.ids == frozenset({"a", "arn"})
    assert (known.ran, known.published) == (True, "arn")


ENDS = {
    "ECS shows no task for it": (None, True, (True, None)),
    "its container exited as refused ones do": (1, False, (False, 5.0)),
    "its container was killed": (137, False, (False, None)),
}


@pytest.mark.parametrize(("exit_code", "lost", "known"), ENDS.values(), ids=ENDS)
def test_the_view_of_a_run_tells_when_its_code_may_not_have_ended(
    exit_code: int | None, lost: bool, known: tuple[bool, float | None]
) -> None:
    run, died = make("a", ended_at=100.0), Diagnosis("It died.")
    run.ended = Stopped("a", 1, "arn", exit_code, ran=True, permanent=False, diagnosis=died, lost=lost)
    view = Runs().view(
        run, job_id=1, queued_again=False, may_relaunch=True, heartbeats=Heartbeats(), asked_at=105.0
    )
    assert (view.lost, view.refused_for) == known
