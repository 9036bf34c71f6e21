"""One test per row: what ECS Exec needs, and what enables it."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.operate.exec_checks import choose_container, what_is_missing
from tests.support.operation import container

PLUGIN = "/usr/bin/session-manager-plugin"
AGENT = {"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}


def agent(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "airflow", "runtimeId": "abc", "managedAgents": [{**AGENT, **changes}]}]


def missing(plugin: str | None = PLUGIN, **changes: Any) -> list[tuple[str, str]]:
    task = container(**changes)
    found = what_is_missing(task, choose_container(task, {"airflow"}, None), plugin)
    return [(each.what, each.remedy) for each in found]


def test_nothing_is_missing_from_a_task_that_has_it_all() -> None:
    assert missing() == []


@pytest.mark.parametrize(
    ("changes", "what", "remedy"),
    [
        ({"lastStatus": "PENDING"}, "The ECS task is PENDING", "Try again"),
        ({"lastStatus": "STOPPED"}, "The ECS task is STOPPED", "It is over"),
        ({"enableExecuteCommand": False}, "enableExecuteCommand", '{"enableExecuteCommand": true}'),
        ({"containers": agent(lastStatus="PENDING")}, "is PENDING", "ssmmessages:OpenDataChannel"),
        (
            {"containers": agent(lastStatus="STOPPED", reason="no role")},
            "is STOPPED: no role",
            "VPC endpoint",
        ),
        ({"containers": [{"name": "airflow", "runtimeId": "abc"}]}, "is not there", "read-only"),
        ({"containers": [{"name": "airflow", "managedAgents": [AGENT]}]}, "has not started", "Try again"),
        ({"containers": [{"name": "a"}, {"name": "b"}]}, "isn't in this task", "a, b"),
        ({"plugin": None}, "Session Manager plugin", "docs.aws.amazon.com"),
    ],
)
def test_each_missing_thing_is_named_with_what_enables_it(
    changes: dict[str, Any], what: str, remedy: str
) -> None:
    ((said, advice),) = missing(**changes)
    assert what in said
    assert remedy in advice


def test_all_that_is_missing_is_reported_at_once() -> None:
    assert len(missing(None, enableExecuteCommand=False)) == 2


@pytest.mark.parametrize(
    ("names", "wanted", "chosen"),
    [
        (["sidecar", "airflow"], None, "airflow"),
        (["sidecar", "airflow"], "sidecar", "sidecar"),
        (["sidecar", "airflow"], "other", None),
        (["only"], None, "only"),
        (["a", "b"], None, None),
    ],
)
def test_the_container_is_the_wanted_one_else_airflows_else_the_only_one(
    names: list[str], wanted: str | None, chosen: str | None
) -> None:
    task = container(containers=[{"name": name} for name in names])
    found = choose_container(task, {"airflow"}, wanted)
    assert (found and found.name) == chosen
