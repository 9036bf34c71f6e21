"""Distinguishes faults in this process (a bug, a library that wraps the AWS calls) from AWS's and network errors. Pure."""

from __future__ import annotations

import re
import sys
from traceback import format_tb, walk_tb

import aiohttp
import botocore.exceptions as boto
from botocore.parsers import ResponseParserError

from ecs_async_executor.errors import EcsAsyncError
from ecs_async_executor.messages import Diagnosis
from ecs_async_executor.tokens import without_tokens

_EXPECTED = (
    EcsAsyncError,
    boto.BotoCoreError,
    boto.ClientError,
    ResponseParserError,
    aiohttp.ClientError,
    OSError,
    TimeoutError,
)
_CREDENTIAL_MODULES = frozenset(
    {"aiobotocore.credentials", "aiobotocore.tokens", "botocore.credentials", "botocore.tokens"}
)
_OURS = frozenset({"", "ecs_async_executor", "aiobotocore", "botocore", "aiohttp", "anyio", "msgspec"})
"""Packages whose faults users should report to this project first."""
_LONGEST_MESSAGE = 200
"""Characters. A longer message isn't shown: it may repeat the request, and a workload's token alone is longer."""


def is_expected(error: BaseException) -> bool:
    """Return whether it is an error of AWS or of the network, not a fault in this process."""
    return isinstance(_unwrapped(error), _EXPECTED)


def fault_of(error: BaseException) -> Diagnosis:
    """Name an unexpected exception and the module that raised it."""
    error = _unwrapped(error)
    module = _module_that_raised(error)
    package = module.partition(".")[0]
    remedy = (
        "Report it as a bug, with the traceback from the scheduler's log."
        if package in _OURS
        else f"Upgrade {package}, or disable its integration with botocore, aiobotocore and aiohttp."
    )
    return Diagnosis(
        "The executor, or a library that wraps its AWS calls, raised an unexpected exception.",
        "".join([_fact(error), module and f", raised in {module}"]),
        remedy,
    )


def stack_of(error: BaseException) -> str:
    """Return its traceback for a log, without its message, which may hold a token."""
    return "".join(format_tb(_unwrapped(error).__traceback__)).rstrip()


def in_credentials(error: BaseException) -> bool:
    """Return whether it was raised while credentials were being fetched."""
    return not _CREDENTIAL_MODULES.isdisjoint(_modules(_unwrapped(error)))


def text_of(error: BaseException) -> str:
    """Return an exception's class and message, without the values of a request botocore rejects (to STS, for example)."""
    text = without_values(str(error)) if isinstance(error, boto.ParamValidationError) else str(error)
    return f"{type(error).__name__}: {without_tokens(text)}" if text else type(error).__name__


def without_values(report: str) -> str:
    """Remove the values from botocore's validation report: they may be secrets.

    The pattern is greedy on purpose: a value may look like the text around it, so everything between the first value
    and the last one goes.
    """
    return " ".join(re.sub(r"value: .*, (?=type:|valid )", "", report, flags=re.DOTALL).split())


def _unwrapped(error: BaseException) -> BaseException:
    """Unwrap aiobotocore's HTTPClientError: it wraps any exception, also an agent's that instruments aiohttp."""
    inner = getattr(error, "kwargs", {}).get("error") if type(error) is boto.HTTPClientError else None
    return inner if isinstance(inner, BaseException) else error


def _modules(error: BaseException) -> list[str]:
    """Return the modules in its traceback; the last one raised it."""
    return [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]


def _module_that_raised(error: BaseException) -> str:
    """Return the innermost module, preferring any to the standard library's; empty if it was never raised."""
    modules = _modules(error)[::-1]
    others = [name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names]
    return next(iter(others or modules), "")


def _fact(error: BaseException) -> str:
    text = text_of(error)
    return text if len(text) <= _LONGEST_MESSAGE else type(error).__name__
