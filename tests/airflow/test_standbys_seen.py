"""What people see of standbys beside a real scheduler: the commands, the page's numbers, metrics, the Audit Log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.models.log import Log
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select

from ecs_async_executor.cli import main
from ecs_async_executor.event_names import EventName
from ecs_async_executor.local import Control
from ecs_async_executor.metrics import STANDBY_TASKS, STANDBYS, WARM
from ecs_async_executor.operate.aws import Aws, StoredObject
from tests.support.ecs import live
from tests.support.s3 import Bucket, bucket
from tests.support.scheduler import Scheduler, crash, one_task_dag, parts_of, running_scheduler, set_row

RunDag = Callable[[DAG], str]


@pytest.fixture(scope="module")
def served_bucket() -> Iterator[Bucket]:
    with bucket("standbys") as served:
        yield served


@pytest.fixture
def warm(
    served_bucket: Bucket, configured: Control, clean_database: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scheduler]:
    """A scheduler whose two standbys are ready."""
    served_bucket.empty()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", served_bucket.endpoint_url)
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET", f"{served_bucket.name}/airflow")
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__STANDBY", "2")
    monkeypatch.setattr("ecs_async_executor.engine.standby.pool.READY_AFTER", 0.2)
    monkeypatch.setattr("ecs_async_executor.engine.thread.STATUS_INTERVAL", 0.2)
    with running_scheduler() as scheduler:
        scheduler.until(lambda: gauge(scheduler, "ready") == 2)
        yield scheduler


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `sweep` see a day more on its clock."""
    at = datetime.now(timezone.utc).timestamp() + 100_000
    monkeypatch.setattr("ecs_async_executor.cli.sweep.time.time", lambda: at)


def gauge(scheduler: Scheduler, stage: str) -> float:
    return parts_of(scheduler.executor).monitor.engine.gauges.get((STANDBYS, (stage, "default")), 0.0)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main((*arguments, "--json")) == 0
    out = capsys.readouterr().out
    return json.loads(out[out.index("\n[" if "\n[" in out else "[" if arguments[0] != "status" else "{") :])


def events(name: EventName) -> list[str]:
    with create_session() as session:
        return [text or "" for text in session.scalars(select(Log.extra).where(Log.event == name.value))]


def test_a_standby_is_seen_while_it_waits_and_as_its_task_s_when_it_has_one(
    warm: Scheduler, ecs: Control, run_dag: RunDag, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = told(capsys, "tasks")
    assert [(each["phase"], each["ecs_state"], each["warm"]) for each in waiting] == [
        ("standby", "RUNNING", False)
    ] * 2
    run_dag(one_task_dag("warm"))
    (ti,) = warm.launched()
    assert ti.external_executor_id in {each["arn"] for each in waiting}
    warm.until(lambda: len(events(EventName.LAUNCHED)) == 1)
    assert "warm start: in a standby that had been running for" in events(EventName.LAUNCHED)[0]
    warm.until(lambda: len(live(ecs)) == 3)  # another one has taken its place
    shown = {each["arn"]: each for each in told(capsys, "tasks")}
    mine = shown.pop(ti.external_executor_id)
    assert (mine["phase"], mine["dag"], mine["warm"]) == ("starting", "warm", True)
    assert [each["phase"] for each in shown.values()] == ["standby"] * 2
    counts = parts_of(warm.executor).monitor.engine.counts()
    assert counts[STANDBY_TASKS, (WARM, "default")] == 1


def test_the_status_tells_each_pool_and_why_tasks_started_cold(
    warm: Scheduler, run_dag: RunDag, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dag(one_task_dag("own", executor_config={"environment": {"OWN": "1"}}))
    warm.launched()
    assert "cold start: it has an executor_config" in " ".join(warm.until(lambda: events(EventName.LAUNCHED)))

    def pool() -> Any:
        (found,) = told(capsys, "status")["standbys"] or [None]
        return found if found is not None and found["cold"] else None

    found = warm.until(pool)
    assert (found["pool"], found["wanted"], found["ready"], found["warm"]) == ("default", 2, 2, 0)
    assert found["why_cold"] == [{"reason": "it has an executor_config", "tasks": 1}]
    assert found["vcpus"]
    assert found["rests"] is None


def test_the_sweep_leaves_standbys_of_a_scheduler_that_lives_and_ends_those_of_one_that_is_gone(
    warm: Scheduler,
    ecs: Control,
    run_dag: RunDag,
    served_bucket: Bucket,
    later: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_dag(one_task_dag("warm"))
    (ti,) = warm.launched()
    warm.until(lambda: len(live(ecs)) == 3)
    # The clock of the sweep is a day ahead, so a lease that is renewed now would look old to it.
    at = time.time() + 100_000
    real = Aws.objects

    def fresh(self: Aws, location: str) -> Iterator[StoredObject]:
        for each in real(self, location):
            yield StoredObject(each.url, at - 20, each.size)

    with monkeypatch.context() as patch:
        patch.setattr(Aws, "objects", fresh)
        verdicts = {each["arn"]: each["verdict"] for each in told(capsys, "sweep", "--yes") if "arn" in each}
    assert sorted(verdicts.values()) == ["in_use", "waits", "waits"]
    assert len(live(ecs)) == 3
    set_row(ti, state="running")
    crash(warm)
    documents = told(capsys, "sweep", "--yes")
    verdicts = {each["arn"]: each["verdict"] for each in documents if "arn" in each}
    assert verdicts.pop(ti.external_executor_id) == "in_use"
    assert [*verdicts.values()] == ["forsaken"] * 2
    assert [task["taskArn"] for task in live(ecs)] == [ti.external_executor_id]
    lease = [each for each in documents if "lease-" in each.get("url", "")]
    assert [each["verdict"] for each in lease] == ["left_over"]
    own = [each for each in documents if "/standby/" in each.get("url", "") and "lease-" not in each["url"]]
    assert [each["verdict"] for each in own] == ["in_use"]
    assert [name for name in served_bucket.names() if "lease-" in name] == []
