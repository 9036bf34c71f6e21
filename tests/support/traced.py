"""An engine in a process of its own, under a tracing agent: agents patch botocore, aiobotocore or aiohttp for good.

`python -m tests.support.traced AGENT ECS_URL S3_URL` prints what became of the runs, and what the agent has recorded, as
JSON.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from ecs_async_executor.backoff import backoff
from ecs_async_executor.engine.state import ledger
from ecs_async_executor.messages import (
    CheckHealth,
    HealthChecked,
    Launched,
    LaunchFailed,
    Payload,
    Request,
    Waiting,
)
from tests.support.live_engine import LiveEngine, body, connect_to

Record = Callable[[str], None]
"""Takes the name of a call that an agent has recorded."""


def ddtrace(record: Record) -> None:
    """As `DD_TRACE_AIOBOTOCORE_ENABLED=true ddtrace-run` does."""
    from ddtrace import patch  # noqa: PLC0415  one agent a process
    from ddtrace.trace import TraceFilter, tracer  # noqa: PLC0415

    class Recorder(TraceFilter):
        def process_trace(self, trace: Any) -> None:
            for span in trace:
                if span.get_tag("aws.requestid") or span.get_tag("aws.requestid2"):
                    assert span.get_tag("http.status_code") in {"200", "204"}
                    record(str(span.get_tag("aws.operation")))

    tracer.configure(trace_processors=[Recorder()])
    patch(aiobotocore=True, botocore=True, aiohttp=True)


def opentelemetry(record: Record) -> None:
    """Its instrumentations of botocore and aiobotocore together."""
    from opentelemetry.instrumentation.botocore import (  # noqa: PLC0415
        AiobotocoreInstrumentor,
        BotocoreInstrumentor,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter  # noqa: PLC0415

    class Recorder(SpanExporter):
        def export(self, spans: Any) -> Any:
            for span in spans:
                if span.attributes.get("aws.request_id"):
                    assert span.attributes["http.status_code"] in {200, 204}
                    assert span.attributes["retry_attempts"] == 0
                    record(span.attributes["rpc.method"])

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Recorder()))
    for instrumentor in (BotocoreInstrumentor(), AiobotocoreInstrumentor()):
        instrumentor.instrument(tracer_provider=provider)


def xray(record: Record) -> None:
    """With one segment for all threads, so that the engine's has one, too."""
    from aws_xray_sdk.core import patch, xray_recorder  # noqa: PLC0415
    from aws_xray_sdk.core.context import Context  # noqa: PLC0415
    from aws_xray_sdk.core.models.subsegment import Subsegment  # noqa: PLC0415

    class OneForAll(Context):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._local = SimpleNamespace()

    set_aws = Subsegment.set_aws

    def set_and_record(self: Any, aws_meta: Any) -> None:
        set_aws(self, aws_meta)
        if aws_meta.get("request_id"):
            record(aws_meta["operation"])

    Subsegment.set_aws = set_and_record
    xray_recorder.configure(sampling=False, context=OneForAll(), plugins=())
    xray_recorder.begin_segment("scheduler")
    patch(["aiobotocore", "botocore"])


def xray_without_a_segment(_: Record) -> None:
    """It raises before each call, which nobody can tell from outside."""
    from aws_xray_sdk.core import patch, xray_recorder  # noqa: PLC0415

    xray_recorder.configure(sampling=False, context_missing="RUNTIME_ERROR", plugins=())
    patch(["aiobotocore", "botocore"])


def sentry(record: Record) -> None:
    """Its breadcrumbs come from botocore's event hooks, and name the URL only."""
    import sentry_sdk  # noqa: PLC0415
    from sentry_sdk.integrations.aiohttp import AioHttpIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.boto3 import Boto3Integration  # noqa: PLC0415

    class Nowhere(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            pass

    def take(crumb: Any, _: Any) -> Any:
        record(crumb["data"].get("aws.request.url", "aiohttp"))
        return crumb

    sentry_sdk.init(
        "http://key@127.0.0.1:1/1",
        transport=Nowhere,
        traces_sample_rate=1.0,
        before_breadcrumb=take,
        integrations=[Boto3Integration(), AioHttpIntegration()],
    )


def nothing(_: Record) -> None:
    """No agent."""


AGENTS = {
    each.__name__: each for each in (nothing, ddtrace, opentelemetry, xray, xray_without_a_segment, sentry)
}


def unsettled(**environment: str) -> Request:
    """Make a request that needs its cluster's default strategy, and an object in S3."""
    settled = {**body(**environment)}
    request = Request(settled, "airflow", payload=Payload("s3://payloads/airflow/run.json", b"{}"))
    plain = {name: value for name, value in settled.items() if name != "launchType"}
    return replace(request, body=plain, settle=lambda _: request)


def main(agent: str, ecs_url: str, s3_url: str) -> None:
    recorded: list[str] = []
    AGENTS[agent](recorded.append)
    ledger.backoff = _shorter  # type: ignore[attr-defined]
    with LiveEngine(connect_to(ecs_url, s3_url=s3_url), payloads="s3://payloads/airflow/") as engine:
        engine.submit(CheckHealth("default"))
        engine.until_report(HealthChecked)
        short = engine.launch(build=partial(unsettled, LIVES="0.1"))
        ends = {"short": engine.end_of(short)}
        if not isinstance(ends["short"], LaunchFailed):
            long = engine.launch(body(LIVES="60"))
            engine.until_report(Launched, long)
            engine.stop(long)
            ends["long"] = engine.end_of(long)
    seen = {
        "ends": {name: type(end).__name__ for name, end in ends.items()},
        "diagnoses": {name: str(end.diagnosis) for name, end in ends.items()},
        "waits": [str(report.diagnosis) for report in engine.of(Waiting)],
        "health": [str(report.diagnosis) for report in engine.of(HealthChecked)],
        "recorded": recorded,
    }
    sys.stdout.write(f"{json.dumps(seen)}\n")


def _shorter(attempt: int, *, base: float, cap: float, random: Callable[[], float]) -> float:
    return backoff(attempt, base=base / 20, cap=cap / 20, random=random)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    main(*sys.argv[1:])
