"""Writes docs/metrics.md, and statsd_exporter's mapping, from the table of metrics. Run by `make format`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ecs_async_executor.metrics import METRICS, SCHEDULER, Metric, Type

PAGE = Path(__file__).with_name("metrics.md")
MAPPING = Path(__file__).parents[1] / "examples" / "observability" / "statsd_mapping.yml"

_HEAD = """\
# Metrics

The executor sends these through Airflow's own metrics, so they go where Airflow's go: StatsD, Datadog or OpenTelemetry.
Nothing has to be turned on besides `[metrics]` in Airflow's configuration. For StatsD, let it send tags:

```ini
[metrics]
statsd_on = True
statsd_host = localhost
statsd_influxdb_enabled = True
```

With StatsD and without `statsd_influxdb_enabled`, Airflow drops tags. The executor then appends their values to the name,
in the order of the table, as Airflow does with its own: `ecs_async.tasks.running.default.host-1`.

For OpenTelemetry, name the collector's OTLP port for HTTP. This needs the extra `apache-airflow-core[otel]`, as StatsD needs
`apache-airflow-core[statsd]`:

```ini
[metrics]
otel_on = True
otel_host = localhost
otel_port = 4318
```

- Airflow puts its prefix before each name (`airflow.` by default), and `metrics_allow_list` and `metrics_block_list` apply.
- Timings are distributions, in milliseconds. With OpenTelemetry before Airflow 3.3, Airflow keeps only the last value.
- Each scheduler sends its own. A gauge has the tag `scheduler`, the scheduler's host, so that sums over schedulers are right. A
  scheduler that ends sets its gauges to 0. Two schedulers on one host overwrite each other's gauges in StatsD.
- With multi-team Airflow, each metric has the tag `team_name` as well.
- They are collected in memory and sent every two seconds by a thread of its own, which the scheduler never waits for. If a
  backend hangs, counts go on and the oldest timings are dropped.

[monitoring.md](monitoring.md) says what to alert on, and how to get them into CloudWatch. A Grafana dashboard, alerts for Prometheus and
a mapping for statsd_exporter are in [examples/observability](../examples/observability).

## The table

| name | type | unit | tags | meaning |
|---|---|---|---|---|
"""
_FOOT = """
`class` of errors is one of the [failure classes](architecture.md#failure-classes), with `_` for spaces. Callbacks, which have
no queue, are counted under `callbacks`.

In a tag, `_` stands for spaces and for characters that would end it. Airflow's StatsD takes no others than ASCII letters,
digits, `_`, `-`, `.` and `/`, and no long names: there, `_` stands for all others, too, and values are cut to 60 characters. If
your queues' names differ in other characters only, use OpenTelemetry.

## The log

Without any of this, the scheduler's log has one line a minute while something waits or runs. The debug dump (`SIGUSR2`)
shows it at once, with what else `ecs-async status` shows: slots, a pause and its reason, the last failures.

```text
12 tasks wait for their launch (7 capacity, 5 throttle; the oldest for 95 s). 430 live (5 launching, 20 starting, 405 running). RunTask: 4.2 of 10 calls/s; in the last minute 250 launched, 31 throttled. Standbys: 3 ready, 2 starting; in the last minute 40 warm starts, 4 cold.
```

## Traces

With `[traces] otel_on`, for the schedulers and for the API server, each launch is a span `ecs launch` below its task's span.
It starts with the order to launch the task and ends when the task runs, or when the launch has come to nothing (status ERROR,
with the reason). Events mark when RunTask was sent and accepted, when the image was pulled, and when the task ran. Attributes
are the queue, the launch number, the ARN (`aws.ecs.task.arn`), the queue wait and the launch latency, in seconds. The span of a
[warm start](warm-start.md) ends when its standby has the workload; it has the attribute `ecs_async.launch.warm`, and no call.

Whoever creates a Dag run decides whether it is traced: the API server, if somebody triggers it. A task whose launch another
scheduler made has no span of it: only a workload that Airflow hands over says which trace it belongs to.

This page is written by `make format` from `ecs_async_executor/metrics.py`: edit the table there.
"""

_MAPPING_HEAD = """\
# A mapping for statsd_exporter 0.20 or newer, written by `make format` from ecs_async_executor/metrics.py.
# Each metric is matched with its tags in InfluxDB's format (statsd_influxdb_enabled) and with their values in its name.
# The exporter turns StatsD's milliseconds into seconds.
mappings:
"""
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
"""Seconds: from a call's latency to a long wait for capacity."""
_SUFFIXES = {Type.COUNTER: "_total", Type.GAUGE: "", Type.TIMING: "_seconds"}


def metrics_page() -> str:
    """Return the page."""
    rows = (
        f"| `{each.name}` | {each.type.value} | {each.unit} | "
        f"{', '.join(f'`{tag}`' for tag in each.tags)} | {each.meaning} |\n"
        for each in METRICS
    )
    return _HEAD + "".join(rows) + _FOOT


def prometheus_name(metric: Metric) -> str:
    """Return a metric's name in Prometheus, through the mapping."""
    return f"airflow_{metric.name.replace('.', '_')}{_SUFFIXES[metric.type]}"


def mapping() -> str:
    """Return statsd_exporter's mapping."""
    return _MAPPING_HEAD + "".join(line for metric in METRICS for line in _rules(metric))


def _rules(metric: Metric) -> Iterator[str]:
    for named in (False, True) if metric.tags else (False,):
        yield f'  - match: "airflow.{metric.name}{".*" * len(metric.tags) * named}"\n'
        yield f'    name: "{prometheus_name(metric)}"\n'
        if named:
            yield "    labels:\n"
            yield from (f'      {tag}: "${number}"\n' for number, tag in enumerate(metric.tags, 1))
        if metric.type is Type.TIMING:
            yield "    observer_type: histogram\n"
            yield f"    histogram_options: {{buckets: [{', '.join(map(str, _BUCKETS))}]}}\n"
        if SCHEDULER in metric.tags:
            yield "    ttl: 5m  # a scheduler that is gone leaves no gauges\n"


if __name__ == "__main__":
    PAGE.write_text(metrics_page(), "utf-8")
    MAPPING.write_text(mapping(), "utf-8")
