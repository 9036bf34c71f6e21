from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_async_executor.local.state.store import Started

if TYPE_CHECKING:
    from tests.unit.local.conftest import Lab


def history(lab: Lab) -> dict[str, Started]:
    counts: dict[str, Started] = {}
    lab.ecs.store.cluster(None).count_into(counts, lab.now)
    return counts


def test_the_history_counts_launches_and_those_that_ran(lab: Lab) -> None:
    lab.ecs.plan.defaults = {"provisioning": 10}
    lab.run(startedBy="a")
    lab.run(startedBy="b")
    lab.call("StopTask", task=lab.run(startedBy="a"))
    lab.now += 60
    assert history(lab) == {"a": Started(tasks=2, ran=1), "b": Started(tasks=1, ran=1)}


def test_old_tasks_leave_memory_but_not_the_history(lab: Lab) -> None:
    lab.run(startedBy="old", clientToken="old")
    lab.now += 2 * 3600
    for _ in range(1024):
        lab.run(startedBy="new")
    cluster = lab.ecs.store.cluster(None)
    assert len(cluster.tasks) == len(cluster.in_order) == 1024
    assert "old" not in cluster.by_started_by
    assert not cluster.tokens
    assert history(lab)["old"] == Started(tasks=1, ran=1)


def test_a_reset_keeps_clusters_and_definitions(lab: Lab) -> None:
    lab.ecs.store.ensure_cluster("mine").default_strategy = [{"capacityProvider": "FARGATE"}]
    lab.run()
    lab.ecs.reset()
    assert not list(lab.ecs.store.all_tasks())
    assert lab.ecs.store.cluster("mine").default_strategy == [{"capacityProvider": "FARGATE"}]
    assert lab.run()
