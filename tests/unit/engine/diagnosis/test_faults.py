"""Errors are really raised here, in modules of the names that matter: the traceback is what is read."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import botocore.exceptions as boto
import pytest

from ecs_async_executor.engine.diagnosis.call_failures import PAUSING, Kind, classify
from ecs_async_executor.engine.diagnosis.faults import fault_of


def raising(name: str, code: str) -> Callable[[], None]:
    """Make a function of a module of this name, which raises."""
    module = ModuleType(name)
    exec(f"import json\ndef call(inner=None):\n    {code}", module.__dict__)  # noqa: S102  the module's name is the point
    call: Callable[[], None] = module.__dict__["call"]
    return call


def raised(call: Callable[[], Any]) -> Exception:
    try:
        call()
    except Exception as error:  # noqa: BLE001  it is what the test looks at
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


def test_a_fault_in_pythons_own_modules_is_that_of_the_module_that_called_them():
    error = raised(raising("newrelic.hooks", "json.loads('no JSON')"))
    assert fault_of(error).detail.endswith("raised in newrelic.hooks")


@pytest.mark.parametrize("name", ["ecs_async_executor.engine.aws.serializer", "aiobotocore.endpoint"])
def test_a_fault_of_ours_is_to_be_reported(name: str):
    assert "Report it as a bug" in fault_of(raised(raising(name, "None + 1"))).remedy


def test_an_exception_that_was_never_raised_has_no_module():
    assert fault_of(KeyError("x")).detail == "KeyError: 'x'"


def test_what_an_agent_raises_inside_of_aiohttp_is_a_fault_of_the_agent():
    """aiobotocore wraps whatever is raised while it sends."""
    inner = raised(raising("opentelemetry.instrumentation.aiohttp_client", "{}['span']"))
    failure = classify(boto.HTTPClientError(error=inner))
    assert failure.kind is Kind.FAULT
    assert "raised in opentelemetry.instrumentation.aiohttp_client" in failure.diagnosis.detail


@pytest.mark.parametrize("name", ["botocore.credentials", "aiobotocore.credentials", "aiobotocore.tokens"])
def test_a_fault_while_credentials_are_fetched_pauses_since_nothing_was_sent(name: str):
    """botocore lets the JSONDecodeError of a `credential_process` that prints no JSON out as it is."""
    failure = classify(raised(raising(name, "json.loads('no JSON')")))
    assert failure.kind is Kind.CREDENTIALS
    assert failure.kind in PAUSING
    assert "JSONDecodeError" in failure.diagnosis.detail
    assert "credentials" in failure.diagnosis.summary


def test_a_long_message_is_left_out_since_it_may_repeat_a_request_and_its_token():
    error = ValueError("can't trace {'command': ['run', 'the-secret" + "x" * 200 + "']}")
    assert fault_of(error).detail == "ValueError"
