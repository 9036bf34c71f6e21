from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.serving.admin import UnknownPathError, handle

if TYPE_CHECKING:
    from tests.unit.local.conftest import Lab


def ask(lab: Lab, method: str, path: str, **document: Any) -> dict[str, Any]:
    return handle(lab.ecs, method, f"/_local/{path}", document)


def test_health_names_the_runtime(lab: Lab) -> None:
    assert ask(lab, "GET", "health") == {"status": "ok", "runtime": "simulated", "logs": None, "s3": None}


def test_faults_are_set_added_shown_and_cleared(lab: Lab) -> None:
    ask(lab, "PUT", "faults", faults=[{"kind": "throttle"}], task_limit=5)
    ask(lab, "POST", "faults", kind="server_error", times=2)
    shown = ask(lab, "GET", "faults")
    assert [(fault["kind"], fault["times"]) for fault in shown["faults"]] == [
        ("throttle", None),
        ("server_error", 2),
    ]
    assert shown["task_limit"] == 5
    assert ask(lab, "DELETE", "faults")["faults"] == []


def test_the_plan_concerns_launches_from_now_on(lab: Lab) -> None:
    before = lab.run()
    ask(lab, "PUT", "plan", defaults={"exit_code": 4})
    after = lab.run()
    lab.now += 60
    codes = [lab.describe(arn)["containers"][0]["exitCode"] for arn in (before, after)]
    assert codes == [0, 4]


def test_calls_are_counted_by_action_and_outcome(lab: Lab) -> None:
    for outcome in ("ok", "ok", "replayed"):
        lab.ecs.count("RunTask", outcome)
    assert ask(lab, "GET", "calls") == {"RunTask": {"ok": 2, "replayed": 1}}


def test_the_history_is_by_started_by(lab: Lab) -> None:
    lab.run(startedBy="a")
    assert ask(lab, "GET", "history") == {"a": {"tasks": 1, "ran": 1}}


@pytest.mark.parametrize(
    ("kind", "stop_code", "exit_code"),
    [("spot", "SpotInterruption", 143), ("host", "TerminationNotice", None)],
)
def test_a_task_can_be_interrupted(lab: Lab, kind: str, stop_code: str, exit_code: int | None) -> None:
    arn = lab.run()
    ask(lab, "POST", f"tasks/{arn.rpartition('/')[2]}/interrupt", kind=kind)
    task = lab.describe(arn)
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", stop_code)
    assert task["containers"][0].get("exitCode") == exit_code


def test_tasks_are_listed_until_ecs_forgets_them(lab: Lab) -> None:
    arn = lab.run()
    assert [task["taskArn"] for task in ask(lab, "GET", "tasks")["tasks"]] == [arn]
    lab.now += 2 * 3600
    assert ask(lab, "GET", "tasks") == {"tasks": []}


def test_a_cluster_is_made_with_its_default_strategy(lab: Lab) -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    ask(lab, "PUT", "clusters/new", defaultCapacityProviderStrategy=strategy)
    (cluster,) = lab.call("DescribeClusters", clusters=["new"])["clusters"]
    assert cluster["defaultCapacityProviderStrategy"] == strategy


def test_a_reset_forgets_everything_that_happened(lab: Lab) -> None:
    lab.run(startedBy="a")
    lab.ecs.count("RunTask", "ok")
    ask(lab, "PUT", "faults", task_limit=1)
    ask(lab, "POST", "reset")
    assert ask(lab, "GET", "tasks") == {"tasks": []}
    assert ask(lab, "GET", "calls") == ask(lab, "GET", "history") == {}
    assert ask(lab, "GET", "faults")["task_limit"] is None


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "nope"), ("POST", "health"), ("GET", ""), ("POST", "tasks/nope/interrupt"), ("GET", "faults/x")],
)
def test_other_paths_are_unknown(lab: Lab, method: str, path: str) -> None:
    with pytest.raises(UnknownPathError):
        ask(lab, method, path)


@pytest.mark.parametrize(
    ("method", "path", "document"),
    [
        ("PUT", "faults", {"nope": 1}),
        ("POST", "faults", {"kind": "nope"}),
        ("PUT", "plan", {"nope": 1}),
        ("PUT", "clusters/x", {"defaultCapacityProviderStrategy": "FARGATE"}),
        ("POST", "tasks/x/interrupt", {"kind": "nope"}),
    ],
)
def test_mistakes_are_explained(lab: Lab, method: str, path: str, document: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        handle(lab.ecs, method, f"/_local/{path}", document)
