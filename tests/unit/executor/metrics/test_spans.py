from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from ecs_async_executor.executor.metrics.spans import send_span
from ecs_async_executor.measurements import Start

TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"}
ARN = "arn:aws:ecs:us-east-1:1:task/c/t"


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


def test_a_launch_is_a_span_below_its_task_s(exported: InMemorySpanExporter):
    send_span(
        Start(
            SAMPLED,
            "spot",
            2,
            ordered_at=100.0,
            sent_at=102.5,
            accepted_at=103.0,
            pull_started_at=113.0,
            pull_stopped_at=133.0,
            started_at=140.0,
            arn=ARN,
        )
    )
    (span,) = exported.get_finished_spans()
    assert span.name == "ecs launch"
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE_ID
    assert f"{span.parent.span_id:016x}" == PARENT_ID
    assert (span.start_time, span.end_time) == (100 * 10**9, 140 * 10**9)
    assert {**(span.attributes or {})} == {
        "airflow.task_instance.queue": "spot",
        "ecs_async.launch.number": 2,
        "aws.ecs.task.arn": ARN,
        "ecs_async.launch.queue_wait": 2.5,
        "ecs_async.launch.latency": 3.0,
    }
    assert [(event.name, event.timestamp / 10**9) for event in span.events] == [
        ("RunTask sent", 102.5),
        ("RunTask accepted", 103.0),
        ("image pull started", 113.0),
        ("image pull stopped", 133.0),
        ("running", 140.0),
    ]
    assert span.status.status_code is StatusCode.UNSET


def test_a_warm_start_has_no_call_and_says_that_it_was_warm(exported: InMemorySpanExporter):
    send_span(Start(SAMPLED, "spot", 1, ordered_at=100.0, started_at=100.5, arn=ARN, warm=True))
    (span,) = exported.get_finished_spans()
    assert {**(span.attributes or {})} == {
        "airflow.task_instance.queue": "spot",
        "ecs_async.launch.number": 1,
        "ecs_async.launch.warm": True,
        "aws.ecs.task.arn": ARN,
    }
    assert [event.name for event in span.events] == ["running"]


def test_a_launch_that_came_to_nothing_is_an_error_with_its_reason(exported: InMemorySpanExporter):
    send_span(
        Start(SAMPLED, "spot", 1, ordered_at=100.0, sent_at=101.0, over_at=109.0, error="No such image.")
    )
    (span,) = exported.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "No such image.")
    assert span.end_time == 109 * 10**9


def test_no_span_ends_before_it_begins_even_if_aws_s_clock_is_late(exported: InMemorySpanExporter):
    send_span(Start(SAMPLED, "spot", 1, ordered_at=100.0, sent_at=101.0, started_at=99.0))
    (span,) = exported.get_finished_spans()
    assert span.end_time == span.start_time


@pytest.mark.parametrize(
    "carrier", [{}, {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-00"}, {"traceparent": "odd"}]
)
def test_a_dag_run_that_is_not_traced_has_no_spans_of_ours(
    carrier: dict[str, str], exported: InMemorySpanExporter
):
    send_span(Start(carrier, "spot", 1, ordered_at=100.0, started_at=110.0))
    assert exported.get_finished_spans() == ()
