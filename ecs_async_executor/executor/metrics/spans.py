"""A span "ecs launch" in the task's trace, for each launch: from its order until its task runs or has failed."""

from __future__ import annotations

from airflow.configuration import conf
from opentelemetry import trace
from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ecs_async_executor.measurements import Start

NAME = "ecs launch"


def is_on() -> bool:
    """Return whether Airflow records traces; its settings have then set up OpenTelemetry in this process."""
    return conf.getboolean("traces", "otel_on", fallback=False)


def send_span(start: Start) -> None:
    """Record the span; OpenTelemetry exports it in a thread of its own.

    The parent is the task's span, which the API server sends when the task ends (airflow-core 3.2, 3.3).
    """
    parent = TraceContextTextMapPropagator().extract(start.trace)
    context = trace.get_current_span(parent).get_span_context()
    if not context.is_valid or not context.trace_flags.sampled:  # as core: the whole Dag run was left out
        return
    # Looked up each time, as Airflow sets the provider while it starts; it costs microseconds.
    tracer = trace.get_tracer("ecs_async_executor")
    span = tracer.start_span(
        NAME, context=parent, start_time=_ns(start.ordered_at), attributes=_attributes(start)
    )
    for name, at in (
        ("RunTask sent", start.sent_at),
        ("RunTask accepted", start.accepted_at),
        ("image pull started", start.pull_started_at),
        ("image pull stopped", start.pull_stopped_at),
        ("running", start.started_at),
    ):
        if at is not None:
            span.add_event(name, timestamp=_ns(at))
    if start.started_at is None:
        span.set_status(StatusCode.ERROR, start.error)
    end = start.started_at or start.over_at or start.ordered_at
    span.end(_ns(max(end, start.ordered_at)))


def _attributes(start: Start) -> dict[str, str | int | float]:
    # aws.ecs.task.arn: OpenTelemetry's semantic conventions.
    attributes: dict[str, str | int | float] = {
        "airflow.task_instance.queue": start.queue,
        "ecs_async.launch.number": start.number,
    }
    if start.arn:
        attributes["aws.ecs.task.arn"] = start.arn
    if start.warm:
        attributes["ecs_async.launch.warm"] = True
    if start.sent_at is not None:
        attributes["ecs_async.launch.queue_wait"] = round(start.sent_at - start.ordered_at, 3)
    if start.accepted_at is not None:
        attributes["ecs_async.launch.latency"] = round(start.accepted_at - start.ordered_at, 3)
    return attributes


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
