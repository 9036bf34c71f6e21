"""These tests raise real errors, in modules with the names that matter, because the code reads the traceback."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import botocore.exceptions as boto
import pytest

from ecs_async_executor.engine.diagnosis.call_failures import PAUSING, Kind, classify
from ecs_async_executor.engine.diagnosis.faults import fault_of


def raising(name: str, code: str) -> Callable[[], None]:
    """Return a function that raises, in a module of this name."""
    module = ModuleType(name)
    exec(f"import json\ndef call(inner=None):\n    {code}", module.__dict__)  # noqa: S102  the module's name is the point
    call: Callable[[], None] = module.__dict__["call"]
    return call


def raised(call: Callable[[], Any]) -> Exception:
    try:
        call()
    except Exception as error:  # noqa: BLE001  the test inspects it
        return error
    raise AssertionError("it did not raise")


def test_a_fault_names_the_exception_the_module_that_raised_it_and_the_library_to_upgrade_or_disable():
    error = raised(raising("ddtrace.contrib.internal.aiobotocore.patch", "{}['ResponseMetadata']"))
    diagnosis = classify(error).diagnosis
    assert diagnosis.detail == (
        "KeyError: 'ResponseMetadata', raised in ddtrace.contrib.internal.aiobotocore.patch"
    )
    assert "Upgrade ddtrace, or disable its integration" in diagnosis.remedy
    assert "Nothing to do" not in str(diagnosis)


def test_a_fault_in_the_standard_library_is_blamed_on_the_module_that_called_it():
    error = raised(raising("newrelic.hooks", "json.loads('no JSON')"))
    assert fault_of(error).detail.endswith("raised in newrelic.hooks")


@pytest.mark.parametrize("name", ["ecs_async_executor.engine.aws.serializer", "aiobotocore.endpoint"])
def test_a_fault_of_ours_asks_for_a_bug_report(name: str):
    assert "Report it as a bug" in fault_of(raised(raising(name, "None + 1"))).remedy


def test_an_exception_that_was_never_raised_has_no_module():
    assert fault_of(KeyError("x")).detail == "KeyError: 'x'"


def test_an_exception_that_an_agent_raises_inside_aiohttp_is_the_agents_fault():
    """aiobotocore wraps any exception raised while it sends."""
    inner = raised(raising("opentelemetry.instrumentation.aiohttp_client", "{}['span']"))
    failure = classify(boto.HTTPClientError(error=inner))
    assert failure.kind is Kind.FAULT
    assert "raised in opentelemetry.instrumentation.aiohttp_client" in failure.diagnosis.detail


@pytest.mark.parametrize("name", ["botocore.credentials", "aiobotocore.credentials", "aiobotocore.tokens"])
def test_a_fault_while_credentials_are_fetched_pauses_because_nothing_was_sent(name: str):
    """botocore doesn't wrap the JSONDecodeError of a `credential_process` that prints no JSON."""
    failure = classify(raised(raising(name, "json.loads('no JSON')")))
    assert failure.kind is Kind.CREDENTIALS
    assert failure.kind in PAUSING
    assert "JSONDecodeError" in failure.diagnosis.detail
    assert "credentials" in failure.diagnosis.summary


def test_a_long_message_is_left_out_because_it_may_repeat_a_request_and_its_token():
    error = ValueError("can't trace {'command': ['run', 'the-secret" + "x" * 200 + "']}")
    assert fault_of(error).detail == "ValueError"
