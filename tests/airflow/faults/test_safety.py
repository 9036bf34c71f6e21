"""The scheduler's safety and speed: no fault of AwsEcsExecutor, F14 to F24, is one of this executor.

No test measures time: where AwsEcsExecutor waits for an answer, these tests withhold it, and see who goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import botocore.exceptions as boto
import pytest
from airflow.sdk import DAG, BaseOperator

from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.poll_schedule import next_poll
from ecs_async_executor.engine.thread import INBOX_INTERVAL
from ecs_async_executor.local import Control
from ecs_async_executor.messages import Watch
from tests.airflow.faults.conftest import Held
from tests.support.bulk import queue_many
from tests.support.callbacks import needs_callbacks
from tests.support.ecs import live
from tests.support.scheduler import (
    Scheduler,
    crash,
    logged_events,
    one_task_dag,
    parts_of,
    set_row,
    task_instances,
)
from tests.support.sent import payload

RunDag = Callable[[DAG], str]
Sent = list[dict[str, Any]]
AfterCrash = Callable[[], Scheduler]
Hold = Callable[[str], Held]


def tasks(dag_id: str, *operators: dict[str, Any]) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        for number, operator in enumerate(operators):
            BaseOperator(**{"task_id": f"task_{number}", **operator})
    return dag


def states() -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in task_instances()}


# --- F14: missing credentials kill the scheduler ------------------------------------------------------------------


@pytest.fixture
def no_credentials(configured: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")


@pytest.mark.usefixtures("no_credentials")
def test_f14_without_credentials_the_scheduler_lives_and_its_tasks_wait_until_there_are_some(
    scheduler: Scheduler,
    ecs: Control,
    run_dag: RunDag,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_dag(one_task_dag("no_credentials"))
    scheduler.until(lambda: "AWS can't be used; all tasks are kept." in capsys.readouterr().out)
    scheduler.until(lambda: scheduler.executor.running)
    scheduler.rest(0.2)
    assert states() == {"task": "queued"}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    scheduler.launched()
    assert len(ecs.tasks()) == 1


# --- F15: credential and network errors count as task failures ----------------------------------------------------

REFUSALS = (
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidSignatureException",
    "IncompleteSignature",
    "UnrecognizedClientException",
)
EXCEPTIONS = (
    boto.NoCredentialsError(),
    boto.CredentialRetrievalError(provider="container-role", error_msg="timed out"),
    boto.TokenRetrievalError(provider="sso", error_msg="expired"),
    boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
    boto.SSOTokenLoadError(error_msg="no token"),
    boto.EndpointConnectionError(endpoint_url="https://ecs"),
    boto.ConnectTimeoutError(endpoint_url="https://ecs"),
)


@pytest.mark.usefixtures("single_start")
def test_f15_no_error_of_credentials_or_of_the_network_costs_a_start(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code in REFUSALS:
        ecs.add_fault("error", action="RunTask", code=code, times=1)
    exceptions, run_task = list(EXCEPTIONS), EcsClient.run_task

    async def failing_at_first(client: EcsClient, body: dict[str, Any]) -> Any:
        if exceptions:
            raise exceptions.pop()
        return await run_task(client, body)

    monkeypatch.setattr(EcsClient, "run_task", failing_at_first)
    run_dag(one_task_dag("unusable_aws"))
    (ti,) = scheduler.launched()
    assert (ti.state, ti.try_number) == ("queued", 1)
    assert not exceptions
    assert ecs.calls()["RunTask"] == {**dict.fromkeys(REFUSALS, 1), "ok": 1}
    assert not logged_events("ecs launch failed")


# --- F16: one Dag author can crash the scheduler with executor_config ---------------------------------------------

FORBIDDEN = ({"name": "x"}, {"command": ["x"]})


def test_f16_a_wrong_executor_config_fails_its_own_task_with_the_reason_and_no_other(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(tasks("configs", *({"executor_config": config} for config in FORBIDDEN), {}))
    scheduler.launched(1)
    scheduler.until(lambda: states() == {"task_0": "failed", "task_1": "failed", "task_2": "queued"})
    reasons = " ".join(logged_events("ecs task not launched"))
    assert "name can't be configured" in reasons
    assert "command can't be configured: it is Airflow's" in reasons


def test_f16_a_scheduler_that_starts_again_survives_the_task_that_is_still_queued(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, after_crash: AfterCrash
) -> None:
    run_dag(tasks("still_queued", {"executor_config": FORBIDDEN[0]}, {}))
    scheduler.until(lambda: set(states().values()) == {"queued"}, step=scheduler.schedule)
    scheduler.executor.heartbeat()
    successor = after_crash()
    successor.launched(1)
    successor.until(lambda: states() == {"task_0": "failed", "task_1": "queued"})


# --- F17: permanent request errors are retried --------------------------------------------------------------------

PERMANENT: tuple[dict[str, Any], ...] = (
    {"lauchType": "EC2"},
    {"overrides": {"cpu": ["512"]}},
    {"overrides": {"containerOverrides": {"airflow": "x"}}},
)


def test_f17_a_request_that_can_never_succeed_fails_at_once(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.add_fault(
        "error", action="RunTask", code="InvalidParameterException", reason="No Fargate configuration exists."
    )
    configs = (*PERMANENT, {})  # the last is refused by ECS itself
    run_dag(tasks("never", *({"executor_config": config} for config in configs)))
    scheduler.until(lambda: set(states().values()) == {"failed"})
    assert len(logged_events("ecs task not launched")) == len(configs)
    assert not logged_events("ecs launch failed")
    assert len(sent) == 1


# --- F18: one bad record stops everything -------------------------------------------------------------------------


def test_f18_a_malformed_record_hides_no_end_stops_no_launch_and_fails_no_living_task(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(tasks("records", {}, {}, {}))
    for ti in scheduler.launched(3):
        set_row(ti, state="running")
    ecs.add_fault("malformed_task")  # the first record of each answer, from now on
    dead = [ti.external_executor_id or "" for ti in task_instances()][:2]
    for arn in dead:
        ecs.interrupt(arn)
    scheduler.until(lambda: sorted(states().values()) == ["failed", "failed", "running"])
    run_dag(one_task_dag("meanwhile"))
    scheduler.launched(1, dag_id="meanwhile")
    scheduler.rest(1.3)  # longer than what ECS shows late is waited for
    assert len(live(ecs)) == 2
    assert sorted(ti.state or "" for ti in task_instances(dag_id="records")) == [
        "failed",
        "failed",
        "running",
    ]


# --- F19: a throttled DescribeTasks is silent and stops launching -------------------------------------------------


def test_f19_a_throttled_describe_tasks_is_logged_and_stops_no_launch(
    scheduler: Scheduler,
    ecs: Control,
    run_dag: RunDag,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A gate that a throttle shut would stay shut for an hour.
    monkeypatch.setattr(
        "ecs_async_executor.engine.admission.circuit_breaker.backoff", lambda *_, **__: 3600.0
    )
    ecs.add_fault("throttle", action="DescribeTasks")
    run_dag(one_task_dag("watched"))
    scheduler.launched(1)
    scheduler.until(lambda: "AWS throttles DescribeTasks" in caplog.text)
    run_dag(tasks("launched_meanwhile", {}, {}))
    scheduler.launched(2, dag_id="launched_meanwhile")
    assert set(ecs.calls()["DescribeTasks"]) == {"ThrottlingException"}
    crash(scheduler)  # it would never see an end


# --- F20: serial, blocking RunTask inside the scheduler loop ------------------------------------------------------


def test_f20_heartbeats_go_on_and_launches_run_at_once_while_no_runtask_answers(
    scheduler: Scheduler, ecs: Control, hold: Hold
) -> None:
    held = hold("run_task")
    workloads = queue_many(scheduler.job_id, scheduler.executor.jwt_generator, 20, one_task_dag("many"))
    scheduler.executor._process_workloads(workloads)
    scheduler.until(lambda: len(held.waiting) == 20, step=scheduler.heartbeat)
    assert not ecs.tasks()
    held.let_go()
    scheduler.launched(20)


# --- F21: every task is described at every heartbeat, serially ----------------------------------------------------


def test_f21_tasks_are_described_by_the_hundred_and_all_calls_run_at_once_beside_the_heartbeats(
    scheduler: Scheduler, ecs: Control, after_crash: AfterCrash, hold: Hold
) -> None:
    workloads = queue_many(scheduler.job_id, scheduler.executor.jwt_generator, 101, one_task_dag("many"))
    scheduler.executor._process_workloads(workloads)
    scheduler.launched(101)
    held = hold("describe_tasks")
    successor = after_crash()
    successor.until(
        lambda: len({arn for _, arns in held.waiting for arn in arns}) == 101, step=successor.heartbeat
    )
    assert 2 <= len(held.waiting) <= 4, "by the hundred, or what has arrived by then"
    held.let_go()


@pytest.mark.usefixtures("clean_database")
def test_f21_a_task_that_was_launched_long_ago_is_looked_at_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecs_async_executor.engine.state.ledger.next_poll", next_poll)
    ledger, now = Ledger(EngineOptions(poll_interval=60), lambda: 0.5), 0.0
    ledger.watch(Watch("run", "label", "arn", "cluster", "airflow"), now)
    reads = []
    while now < 3600:
        now = ledger.due.next_at() or now
        reads.append(now)
        (entry,) = ledger.due.take(now, limit=100)
        ledger.poll_again(entry, now)
    assert reads[0] == 1
    assert reads[-1] - reads[-2] == 60
    assert len(reads) < 120, "the official executor looks at it every five seconds, 720 times"


# --- F22: the client has botocore's defaults ----------------------------------------------------------------------


@pytest.fixture
def patient_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that asks for botocore's defaults."""
    config = {
        "retries": {"mode": "legacy", "max_attempts": 4},
        "read_timeout": 60,
        "max_pool_connections": 10,
    }
    extra = {"config_kwargs": config, "region_name": "us-east-1"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "extra": extra}))


@pytest.mark.usefixtures("patient_connection")
def test_f22_the_client_never_retries_waits_briefly_and_has_a_connection_for_each_call(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("configured_client"))
    scheduler.launched()
    _, engine = parts_of(scheduler.executor).engine._engine._ready.result()
    config = engine._client._client.meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert config.connect_timeout == 5
    assert config.read_timeout == 20
    assert config.max_pool_connections > 50, "the RunTask calls alone may be 50"


# --- F23: waiting tasks use up parallelism ------------------------------------------------------------------------
# They do count for it, as in every executor: Airflow bounds its QUEUED rows by it. What can be different is tested.


@pytest.fixture
def one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__CONCURRENCY", "1")


@pytest.mark.usefixtures("one_call_at_a_time")
def test_f23_tasks_that_wait_for_capacity_are_shown_as_waiting_and_hold_up_no_other_launch(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.add_fault("capacity", environment={"POOL": "spot"})
    spot = {"containerOverrides": [{"name": "airflow", "environment": [{"name": "POOL", "value": "spot"}]}]}
    config = {"capacity_provider_strategy": "FARGATE_SPOT", "overrides": spot}
    waiting = {"executor_config": config, "priority_weight": 9}
    run_dag(tasks("no_spot", waiting, waiting, waiting))
    scheduler.until(lambda: len(logged_events("ecs launch waits")) == 3)
    run_dag(one_task_dag("on_demand"))
    scheduler.launched(1, dag_id="on_demand")
    shown = {ti.external_executor_id or "" for ti in task_instances(dag_id="no_spot")}
    assert not any(external_id.startswith("arn:") for external_id in shown)
    assert len(live(ecs)) == 1


@needs_callbacks
@pytest.mark.usefixtures("one_call_at_a_time")
def test_f23_a_callback_overtakes_all_tasks_that_wait(
    scheduler: Scheduler,
    ecs: Control,
    run_dag: RunDag,
    enqueue_callback: Callable[[], None],
    hold: Hold,
    sent: Sent,
) -> None:
    held = hold("run_task")
    workloads = queue_many(scheduler.job_id, scheduler.executor.jwt_generator, 5, one_task_dag("many"))
    scheduler.executor._process_workloads(workloads)
    scheduler.until(lambda: held.waiting, step=scheduler.executor.heartbeat)
    enqueue_callback()
    scheduler.heartbeat()
    scheduler.rest(4 * INBOX_INTERVAL)  # until the engine has it
    assert len(held.waiting) == 1
    held.let_go()
    scheduler.until(lambda: len(sent) == 6, step=scheduler.executor.heartbeat)
    assert [payload(body)["type"] for body in sent][:2] == ["ExecuteTask", "ExecuteCallback"]


# --- F24: the queue's order ignores priority after the first pass -------------------------------------------------


@pytest.mark.usefixtures("one_call_at_a_time")
def test_f24_tasks_that_were_throttled_are_launched_by_priority_the_new_ones_among_them(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecs_async_executor.engine.admission.adaptive_bucket.TRICKLE", 20.0)
    ecs.add_fault("throttle", action="RunTask")

    def weights(dag_id: str, *numbers: int) -> DAG:
        rule = {"weight_rule": "absolute"}
        return tasks(dag_id, *({"task_id": f"w{n}", "priority_weight": n, **rule} for n in numbers))

    run_dag(weights("first", 5, 1, 9))
    scheduler.until(lambda: ecs.calls().get("RunTask", {}).get("ThrottlingException", 0) > 3)
    run_dag(weights("second", 3, 7))
    scheduler.until(lambda: len(scheduler.executor.running) == 5)
    scheduler.rest(0.2)
    ecs.clear_conditions()
    by_arn = {ti.external_executor_id: ti.task_id for ti in scheduler.launched(5)}
    assert [by_arn[task["taskArn"]] for task in ecs.tasks()] == ["w9", "w7", "w5", "w3", "w1"]
