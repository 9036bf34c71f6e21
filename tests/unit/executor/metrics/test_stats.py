from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
from airflow.observability.stats import Stats

from ecs_async_executor.executor.metrics.stats import (
    LONGEST,
    Naming,
    airflow_stats,
    carries_tags,
    hostname,
    is_on,
    takes_any_text,
)
from ecs_async_executor.measurements import Series
from ecs_async_executor.metrics import API_ERRORS, ENGINE_RESTARTS, METRICS, RATE, TASKS, Type
from tests.support.statsd import Line, metrics_sent_to, statsd_listener

SERIES: Series = (TASKS, ("waiting", "my queue"))


@pytest.mark.parametrize(
    ("series", "tagged", "expected"),
    [
        (
            SERIES,
            True,
            ("ecs_async.tasks", {"phase": "waiting", "queue": "my_queue", "scheduler": "host-1.net"}),
        ),
        (SERIES, False, ("ecs_async.tasks.waiting.my_queue.host-1_net", {})),
        ((RATE, ()), True, ("ecs_async.launch.rate", {"scheduler": "host-1.net"})),
        ((RATE, ()), False, ("ecs_async.launch.rate.host-1_net", {})),
        (
            (API_ERRORS, ("RunTask", "unknown outcome")),
            True,
            ("ecs_async.api.errors", {"action": "RunTask", "class": "unknown_outcome"}),
        ),
        ((API_ERRORS, ("RunTask", "denied")), False, ("ecs_async.api.errors.RunTask.denied", {})),
        ((ENGINE_RESTARTS, ()), True, ("ecs_async.engine.restarts", {})),
        ((ENGINE_RESTARTS, ()), False, ("ecs_async.engine.restarts", {})),
    ],
)
def test_a_series_has_tags_or_a_longer_name(series: Series, tagged: bool, expected: object):
    assert Naming("host-1.net", tagged=tagged).name(series) == expected


def test_a_tag_s_value_can_not_end_the_tag():
    _, tags = Naming("host").name((TASKS, ("waiting", "a,b=c|d:e #f\n")))
    assert tags["queue"] == "a_b_c_d_e_f_"


FREE = {"queue", "scheduler"}
"""Tags whose values others choose, as that of `team_name`; ours have at most 15 characters."""


@pytest.mark.parametrize("value", ["été", "gpu+1@big", "a b", "", "x" * 300, "队列", "a/b.c-d_e"])
@pytest.mark.parametrize("tagged", [True, False], ids=["tags", "names"])
def test_airflow_s_statsd_takes_every_metric_whatever_queues_hosts_and_teams_are_called(
    tagged: bool, value: str, caplog: pytest.LogCaptureFixture
):
    naming = Naming(value, tagged=tagged, any_text=False, common={"team_name": value})
    with statsd_listener() as listener, metrics_sent_to(listener, tags=tagged):
        stats = airflow_stats()
        send: dict[Type, Any] = {Type.COUNTER: stats.incr, Type.GAUGE: stats.gauge, Type.TIMING: stats.timing}
        for metric in METRICS:
            own = tuple(value if tag in FREE else "unknown outcome" for tag in metric.own_tags)
            name, tags = naming.name((metric, own))
            send[metric.type](name, 1, tags=tags)
        deadline = time.monotonic() + 60
        while len(listener.ours()) < len(METRICS):
            assert time.monotonic() < deadline, caplog.text
            time.sleep(0.01)
    for metric, line in zip(METRICS, listener.ours(), strict=True):
        assert set(line.tags) == ({*metric.tags, "team_name"} if tagged else set())


def test_a_tag_keeps_its_letters_where_the_backend_takes_them_and_few_of_them_in_statsd():
    series = TASKS, ("waiting", "été de la file")
    assert Naming("host").name(series)[1]["queue"] == "été_de_la_file"
    assert Naming("host", any_text=False).name(series)[1]["queue"] == "_t_de_la_file"
    assert Naming("host", any_text=False).name((TASKS, ("waiting", "q" * 99)))[1]["queue"] == "q" * LONGEST


def test_a_team_s_metrics_name_the_team():
    name, tags = Naming("host", common={"team_name": "red"}).name((ENGINE_RESTARTS, ()))
    assert (name, tags) == ("ecs_async.engine.restarts", {"team_name": "red"})


@pytest.mark.parametrize(
    ("options", "on", "tags", "any_text"),
    [
        ({}, False, True, True),
        ({"STATSD_ON": "True"}, True, False, False),
        ({"STATSD_ON": "True", "STATSD_INFLUXDB_ENABLED": "True"}, True, True, False),
        ({"STATSD_ON": "True", "OTEL_ON": "True"}, True, False, False),
        ({"STATSD_DATADOG_ENABLED": "True"}, True, True, True),
        ({"STATSD_DATADOG_ENABLED": "True", "STATSD_DATADOG_METRICS_TAGS": "False"}, True, False, True),
        ({"STATSD_DATADOG_ENABLED": "True", "STATSD_ON": "True"}, True, True, True),
        ({"OTEL_ON": "True"}, True, True, True),
    ],
)
def test_airflow_s_options_say_whether_and_how_metrics_are_sent(
    options: dict[str, str], on: bool, tags: bool, any_text: bool, monkeypatch: pytest.MonkeyPatch
):
    for name, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__{name}", value)
    assert (is_on(), carries_tags(), takes_any_text()) == (on, tags, any_text)


def test_airflow_sends_what_it_is_given_by_udp():
    with statsd_listener() as listener, metrics_sent_to(listener):
        stats = airflow_stats()
        stats.incr("ecs_async.relaunches", 2, tags={"class": "spot"})
        stats.gauge("ecs_async.paused", 1.0, tags={"scheduler": "host"})
        stats.timing("ecs_async.engine.loop_lag", 1.5, tags={})
        deadline = time.monotonic() + 60
        while len(listener.ours()) < 3:
            assert time.monotonic() < deadline, listener.lines
            time.sleep(0.01)
    assert listener.ours() == [
        Line("airflow.ecs_async.relaunches", {"class": "spot"}, 2.0, "counter"),
        Line("airflow.ecs_async.paused", {"scheduler": "host"}, 1.0, "gauge"),
        Line("airflow.ecs_async.engine.loop_lag", {}, 1.5, "timing"),
    ]


def test_the_scheduler_s_own_stats_are_found_without_a_warning():
    code = "from ecs_async_executor.executor.metrics.stats import airflow_stats; airflow_stats().incr('x', 1, tags={})"
    subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:ecs_async_executor", "-c", code], check=True
    )
    assert airflow_stats() is Stats


def test_the_host_has_a_name():
    assert hostname()
