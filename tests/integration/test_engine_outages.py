"""AWS can't be used at all for a while: nothing is lost, and it is said once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest
from aiobotocore.session import get_session

from ecs_async_executor.engine.aws.client import Connection
from ecs_async_executor.local import Control, Options, serve_in_thread
from ecs_async_executor.messages import (
    CheckHealth,
    HealthChecked,
    Paused,
    Resumed,
    Stopped,
)
from tests.support.in_between import serve_credentials, serve_proxy
from tests.support.live_engine import LiveEngine, connect_to, containers
from tests.support.ports import free_port

Start = Callable[..., LiveEngine]


def test_expired_credentials_pause_everything_until_they_are_good_again(ecs: Control, start: Start):
    connections = []

    def connect() -> Connection:
        connections.append(connect_to(ecs.endpoint_url)())
        return connections[-1]

    ecs.add_fault("expired_credentials", times=3)
    engine = start(connect)
    runs = engine.launch_many(20)
    ends = engine.ends_of(runs)
    assert {end.exit_code for end in ends.values()} == {0}
    assert containers(ecs) == dict.fromkeys(runs, 1)
    assert len(connections) > 1
    engine.until_report(Resumed)
    assert [type(report) for report in engine.reports if isinstance(report, (Paused, Resumed))][:2] == [
        Paused,
        Resumed,
    ]
    assert "credentials" in engine.of(Paused)[0].diagnosis.summary


def test_credentials_that_expire_while_tasks_run_lose_none(ecs: Control, engine: LiveEngine):
    ecs.set_plan(duration=1.0)
    ecs.add_fault("expired_credentials", action="DescribeTasks", times=5)
    runs = engine.launch_many(10)
    engine.until_report(Paused)
    ends = engine.ends_of(runs)
    assert {end.exit_code for end in ends.values()} == {0}
    assert containers(ecs) == dict.fromkeys(runs, 1)


def test_a_connection_that_can_not_be_made_pauses_and_is_tried_again(ecs: Control, start: Start):
    failures = [RuntimeError("the metadata database is down") for _ in range(3)]

    def connect() -> Connection:
        if failures:
            raise failures.pop()
        return connect_to(ecs.endpoint_url)()

    engine = start(connect)
    runs = engine.launch_many(5)
    engine.ends_of(runs)
    assert containers(ecs) == dict.fromkeys(runs, 1)
    (paused,) = engine.of(Paused)
    assert "the metadata database is down" in paused.diagnosis.detail


def test_aws_that_is_down_at_the_start_is_waited_for(impatient: None, unblocked: None):
    port = free_port()
    with ExitStack() as stack:
        engine = stack.enter_context(LiveEngine(connect_to(f"http://127.0.0.1:{port}")))
        engine.submit(CheckHealth("default"))
        runs = engine.launch_many(10)
        engine.until_report(Paused)
        assert engine.of(Stopped) == engine.of(HealthChecked) == []
        options = Options(port=port, runtime="simulated", plan={"defaults": {"duration": 0.05}})
        ecs = stack.enter_context(serve_in_thread(options))
        ends = engine.ends_of(runs)
        assert engine.until_report(HealthChecked) == HealthChecked(None)
        assert {end.exit_code for end in ends.values()} == {0}
        assert containers(ecs) == dict.fromkeys(runs, 1)
        assert len(engine.of(Paused)) == len(engine.of(Resumed)) == 1
        assert "can't reach" in engine.of(Paused)[0].diagnosis.summary


def test_aws_that_goes_away_and_comes_back_is_waited_for(impatient: None, unblocked: None):
    options = Options(port=free_port(), runtime="simulated", plan={"defaults": {"duration": 0.05}})
    url = f"http://127.0.0.1:{options.port}"
    with LiveEngine(connect_to(url)) as engine:
        with serve_in_thread(options) as ecs:
            before = engine.launch_many(5)
            engine.ends_of(before)
            assert containers(ecs) == dict.fromkeys(before, 1)
        after = engine.launch_many(5)
        engine.until_report(Paused)
        with serve_in_thread(options) as ecs:
            engine.ends_of(after)
            assert containers(ecs) == dict.fromkeys(after, 1)


def test_health_is_good_bad_or_waited_for(ecs: Control, engine: LiveEngine):
    engine.submit(CheckHealth("default"))
    assert engine.until_report(HealthChecked).diagnosis is None
    engine.reports.clear()
    engine.submit(CheckHealth("nowhere"))
    assert "`cluster`" in engine.until_report(HealthChecked).diagnosis.remedy
    engine.reports.clear()
    ecs.add_fault("server_error", action="ListTasks", times=1)
    engine.submit(CheckHealth("default"))
    assert engine.until_report(HealthChecked).diagnosis is None


def test_a_proxy_that_answers_in_ecss_place_pauses_and_fails_no_task(ecs: Control, start: Start):
    with serve_proxy(ecs.endpoint_url, refuses=4) as url:
        engine = start(connect_to(url))
        runs = engine.launch_many(10)
        ends = engine.ends_of(runs)
        assert {(type(end), end.exit_code) for end in ends.values()} == {(Stopped, 0)}
        assert containers(ecs) == dict.fromkeys(runs, 1)
        assert "Something other than ECS answered" in engine.of(Paused)[0].diagnosis.summary


def test_a_metadata_service_that_gives_expired_credentials_is_asked_until_it_gives_good_ones(
    ecs: Control, start: Start, monkeypatch: pytest.MonkeyPatch
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with serve_credentials(expired=3) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        engine = start(
            lambda: Connection(get_session(), region_name="us-east-1", endpoint_url=ecs.endpoint_url)
        )
        runs = engine.launch_many(10)
        ends = engine.ends_of(runs)
        assert {(type(end), end.exit_code) for end in ends.values()} == {(Stopped, 0)}
        assert containers(ecs) == dict.fromkeys(runs, 1)
        assert "credentials" in engine.of(Paused)[0].diagnosis.summary
