"""Tells faults of this process (the executor, a library that wraps its calls) from errors of AWS and of the way to it. Pure."""

from __future__ import annotations

import re
import sys
from traceback import format_tb, walk_tb

import aiohttp
import botocore.exceptions as boto
from botocore.parsers import ResponseParserError

from ecs_async_executor.errors import EcsAsyncError
from ecs_async_executor.messages import Diagnosis

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
"""Packages whose faults are reported to this project first."""
_LONGEST_MESSAGE = 200
"""Characters of a message that are shown. A longer one may repeat the request, and a workload's token alone is longer."""


def is_expected(error: BaseException) -> bool:
    """Tell errors of AWS and of the way to it from faults of this process."""
    return isinstance(_origin(error), _EXPECTED)


def fault_of(error: BaseException) -> Diagnosis:
    """Name an exception that isn't expected, and the module that raised it."""
    error = _origin(error)
    module = _module_that_raised(error)
    package = module.partition(".")[0]
    remedy = (
        "Report it as a bug, with the traceback from the scheduler's log."
        if package in _OURS
        else f"Upgrade {package}, or disable its integration with botocore, aiobotocore and aiohttp."
    )
    return Diagnosis(
        "The executor, or a library that wraps its AWS calls, failed.",
        "".join([_fact(error), module and f", raised in {module}"]),
        remedy,
    )


def stack_of(error: BaseException) -> str:
    """Give where it was raised, for a log, without its message, which may hold a token."""
    return "".join(format_tb(_origin(error).__traceback__)).rstrip()


def in_credentials(error: BaseException) -> bool:
    """Tell that it was raised while the credentials for a call were fetched."""
    return not _CREDENTIAL_MODULES.isdisjoint(_modules(_origin(error)))


def text_of(error: BaseException) -> str:
    """Give an exception's class and message, without the values of a request that botocore refuses (STS's, for example)."""
    text = without_values(str(error)) if isinstance(error, boto.ParamValidationError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def without_values(report: str) -> str:
    """Take the values out of botocore's validation report: they may be somebody's secrets.

    Greedy on purpose: a value may look like the text around it, so all between the first and the last goes.
    """
    return " ".join(re.sub(r"value: .*, (?=type:|valid )", "", report, flags=re.DOTALL).split())


def _origin(error: BaseException) -> BaseException:
    """Unwrap what aiobotocore wraps whatever it is: agents wrap aiohttp, too, inside of its `send`."""
    inner = getattr(error, "kwargs", {}).get("error") if type(error) is boto.HTTPClientError else None
    return inner if isinstance(inner, BaseException) else error


def _modules(error: BaseException) -> list[str]:
    """Give the modules of the traceback; the last one raised it."""
    return [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]


def _module_that_raised(error: BaseException) -> str:
    """Give the innermost module, one of Python's own only if there is no other; empty if it was never raised."""
    modules = _modules(error)[::-1]
    others = [name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names]
    return next(iter(others or modules), "")


def _fact(error: BaseException) -> str:
    text = text_of(error)
    return text if len(text) <= _LONGEST_MESSAGE else type(error).__name__
