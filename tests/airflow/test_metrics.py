"""What a run with faults sends to a real StatsD listener fills every panel of the dashboard; a launch is a span."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG, BaseOperator
from airflow.utils.session import create_session
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import update

from ecs_async_executor.local import Control
from ecs_async_executor.messages import Watch
from ecs_async_executor.metrics import (
    ENGINE_RESTARTS,
    METRICS,
    PAUSED,
    STANDBY_IDLE,
    STANDBY_TASKS,
    WARM,
    Type,
)
from tests.support.bulk import queue_many
from tests.support.ecs import end_all
from tests.support.prometheus import PROMETHEUS, Ask, scraping
from tests.support.s3 import bucket
from tests.support.scheduler import (
    Scheduler,
    end_job,
    finish_all_rows,
    next_scheduler,
    one_task_dag,
    parts_of,
    running_scheduler,
)
from tests.support.statsd import Listener, metrics_sent_to, statsd_listener, to_prometheus

RunDag = Callable[[DAG], str]
DASHBOARD = Path(__file__).parents[2] / "examples" / "observability" / "dashboard.json"
COUNT = 500
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BY_NAME = {f"airflow.{metric.name}": metric for metric in METRICS}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look and send often, so that no test waits for it."""
    monkeypatch.setattr("ecs_async_executor.engine.thread.STATUS_INTERVAL", 0.1)
    monkeypatch.setattr("ecs_async_executor.executor.metrics.observer.INTERVAL", 0.1)
    monkeypatch.setattr("ecs_async_executor.executor.metrics.emitter.INTERVAL", 0.1)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with statsd_listener() as listener, metrics_sent_to(listener):
        yield listener


@pytest.fixture
def prometheus(listener: Listener, tmp_path: Path) -> Iterator[Ask | None]:
    if PROMETHEUS is None:
        yield None
    else:
        with scraping(listener, tmp_path) as ask:
            yield ask


@pytest.fixture
def payloads(configured: Control, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with bucket() as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", served.endpoint_url)
        monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET", f"{served.name}/airflow")
        yield


def panels() -> dict[str, set[str]]:
    """Return each panel of the dashboard, and the names that it asks Prometheus for."""
    found = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    return {
        panel["title"]: {
            name.removesuffix("_bucket")
            for target in panel["targets"]
            for name in re.findall(r"airflow_\w+", target["expr"])
        }
        for panel in found
    }


def check_with_prometheus(ask: Ask) -> None:
    """Check that Prometheus has an answer for every query of every panel, and takes every alert."""
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "10m")
            values = [sample["value"][1] for sample in ask("query", query)["result"]]
            assert any(value != "NaN" for value in values), f"{panel['title']}: no number for {query}"
    (group,) = ask("rules", "")["groups"]
    assert {rule["health"] for rule in group["rules"]} == {"ok"}
    assert "EcsAsyncEngineRestarted" in {rule["name"] for rule in group["rules"] if rule["state"] == "firing"}


def kill_engine(scheduler: Scheduler) -> None:
    """Give the engine an order that nothing can digest."""
    poison: Any = []
    parts_of(scheduler.executor).engine.submit([Watch(poison, "poison", "arn", "cluster", "airflow")])


def start_warm(ecs: Control, run_dag: RunDag, patch: pytest.MonkeyPatch) -> None:
    """Run one task in a standby, under a scheduler of its own."""
    with patch.context() as own:
        own.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__STANDBY", "1")
        own.setattr("ecs_async_executor.engine.standby.pool.READY_AFTER", 0.1)
        with running_scheduler() as scheduler:
            counts = parts_of(scheduler.executor).monitor.engine.counts
            scheduler.until(lambda: counts().get((STANDBY_IDLE, ("default",))))
            run_dag(one_task_dag("warm"))
            scheduler.until(lambda: (STANDBY_TASKS, (WARM, "default")) in counts())
            finish_all_rows()
            end_all(ecs)
            scheduler.until_idle()
            scheduler.executor.end()
            end_job(scheduler)
    end_all(ecs)


def break_ecs(ecs: Control) -> None:
    """Let the next calls and tasks fail in many ways."""
    ecs.set_plan(provisioning=0.05, pending=0.05, pull=0.1, activating=0.05, duration=3600)
    ecs.add_fault("throttle", action="RunTask", times=10)
    ecs.add_fault("capacity", reason="RESOURCE:CPU", times=10)
    ecs.add_fault("server_error", action="RunTask", times=3)
    ecs.add_fault("server_error", action="DescribeTasks", times=2)
    ecs.add_fault("start_failure", reason="CannotPullContainerError: i/o timeout", times=5)


@pytest.mark.slow
def test_a_run_with_faults_fills_every_panel_of_the_dashboard(
    listener: Listener,
    prometheus: Ask | None,
    far_ecs: Control,
    payloads: None,
    clean_database: None,
    run_dag: RunDag,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__RUN_TASK_RATE", "200")
    start_warm(far_ecs, run_dag, monkeypatch)
    with running_scheduler() as first:
        with DAG("payloads", schedule=None) as dag:
            BaseOperator(task_id="long", executor_config={"environment": {"A": "x" * 7000}})
        run_dag(dag)
        first.launched(1, dag_id="payloads")
        break_ecs(far_ecs)
        workloads = queue_many(first.job_id, first.executor.jwt_generator, COUNT, one_task_dag("many"))
        for workload in workloads:
            first.executor.queued_tasks[workload.ti.key] = workload
        first.executor._process_workloads(workloads)
        first.until(lambda: all(run.launched for run in first.runs), step=first.executor.sync)
        first.until(
            lambda: f"({COUNT + 1} running)" in parts_of(first.executor).monitor.summary(),
            step=first.executor.sync,
        )
        kill_engine(first)
        counts = parts_of(first.executor).monitor.scheduler.counts
        first.until(lambda: (ENGINE_RESTARTS, ()) in counts(), step=first.executor.sync)
        first.until(lambda: "live" in parts_of(first.executor).monitor.summary(), step=first.executor.sync)
        first.executor.end()
        end_job(first)
    with next_scheduler() as heir:
        finish_all_rows()
        end_all(far_ecs)
        heir.until(lambda: not heir.executor.running, step=heir.executor.sync)
    lines = listener.ours()
    for line in lines:
        metric = BY_NAME[line.name]
        assert line.kind == metric.type.value
        assert set(line.tags) == set(metric.tags)
    filled = {to_prometheus(line)[0] for line in lines if line.value > 0 or line.name.endswith(PAUSED.name)}
    assert {title: names - filled for title, names in panels().items() if names - filled} == {}
    totals = dict.fromkeys(BY_NAME, 0.0)
    for line in lines:
        if line.kind == Type.COUNTER.value:
            totals[line.name] += line.value
    assert totals["airflow.ecs_async.launch.started"] == sum(
        entry["tasks"] for entry in far_ecs.history().values()
    )
    assert totals["airflow.ecs_async.adoptions"] == COUNT + 1
    assert totals["airflow.ecs_async.payload.puts"] == 1
    assert totals["airflow.ecs_async.engine.restarts"] == 1
    assert totals["airflow.ecs_async.api.throttles"] == 10
    assert totals["airflow.ecs_async.relaunches"] == 15
    if prometheus is not None:
        time.sleep(7)  # two scrapes and an evaluation
        check_with_prometheus(prometheus)
    phases = {
        line.tags["phase"] for line in lines if line.name == "airflow.ecs_async.tasks" and line.value > 0
    }
    assert {"waiting", "starting", "running"} <= phases


def test_without_statsd_nothing_is_sent_and_the_dump_tells_what_there_is(
    scheduler: Scheduler,
    run_dag: RunDag,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_dag(one_task_dag("dumped"))
    scheduler.launched()
    monitor = parts_of(scheduler.executor).monitor
    scheduler.until(lambda: "1 live (1 running)" in monitor.summary())
    assert len(monitor._threads) == 1
    scheduler.executor.debug_dump()
    line = (
        "No task waits for its launch. 1 live (1 running). RunTask: no limit; in the last minute 1 launched"
    )
    said = capsys.readouterr().out + caplog.text
    assert line in said
    assert "slots are in use; 0 queued tasks wait for one." in said
    assert "Last failures: none" in said


def test_a_launch_is_a_span_of_its_task_s_trace(
    request: pytest.FixtureRequest,
    run_dag: RunDag,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    monkeypatch.setenv("AIRFLOW__TRACES__OTEL_ON", "True")
    scheduler: Scheduler = request.getfixturevalue("scheduler")
    run_dag(one_task_dag("traced"))
    with create_session(scoped=False) as session:  # core's own is not sampled, as it has no provider here
        session.execute(update(TaskInstance).values(context_carrier={"traceparent": TRACEPARENT}))
    (ti,) = scheduler.launched()
    scheduler.until(exporter.get_finished_spans)
    (span,) = exporter.get_finished_spans()
    assert span.name == "ecs launch"
    assert span.parent is not None
    assert f"00-{span.parent.trace_id:032x}-{span.parent.span_id:016x}-01" == TRACEPARENT
    assert (span.attributes or {})["aws.ecs.task.arn"] == ti.external_executor_id
    assert [event.name for event in span.events][-1] == "running"
    provider.shutdown()
