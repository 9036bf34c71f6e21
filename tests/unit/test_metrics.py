from __future__ import annotations

import re

import pytest

import ecs_async_executor.metrics as table
from ecs_async_executor.metrics import METRICS, SCHEDULER, Metric, Type

OTEL_LONGEST = 63
"""Airflow's OpenTelemetry logger cuts longer names, its prefix included."""


def test_every_metric_of_the_module_is_in_the_table_once():
    constants = [value for value in vars(table).values() if isinstance(value, Metric)]
    assert [*METRICS] == constants
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_named_as_airflow_names_its_own(metric: Metric):
    assert re.fullmatch(r"ecs_async(\.[a-z]+(_[a-z]+)*)+", metric.name)
    assert len(f"airflow.{metric.name}") <= OTEL_LONGEST
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", tag) for tag in metric.tags)
    assert metric.meaning.endswith(".")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_only_gauges_name_their_scheduler_and_timings_are_in_milliseconds(metric: Metric):
    assert (SCHEDULER in metric.tags) == (metric.type is Type.GAUGE)
    assert (metric.unit == "milliseconds") == (metric.type is Type.TIMING)
