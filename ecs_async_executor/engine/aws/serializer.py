"""Saves a third of a call's CPU time: caches or shortens what aiobotocore does anew for every call.

All of it depends on private attributes of aiobotocore. If they are gone, or a request isn't a plain one, the
stock code runs instead, and only speed is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from ecs_async_executor.engine.aws.validation import Check, checker


def install_fast_paths(client: Any) -> None:
    """Install the fast paths on an aiobotocore client, if its internals are those we know."""
    if hasattr(getattr(client, "_serializer", None), "serialize_to_request"):
        client._serializer = QuickSerializer(client._serializer)  # noqa: SLF001  see above
    with suppress(ImportError):
        from botocore.context import get_context  # noqa: PLC0415  private as well

        agent: Any = getattr(client, "_user_agent_creator", None)
        if hasattr(agent, "to_string"):
            agent.to_string = _once_per_features(agent.to_string, get_context)


def _once_per_features(build: Callable[[], str], get_context: Callable[[], Any]) -> Callable[[], str]:
    """Cache the user agent's text, in which only the features that a call has used so far can change."""
    known: dict[frozenset[str], str] = {}

    def to_string() -> str:
        features = frozenset(getattr(get_context(), "features", ()))
        text = known.get(features)
        if text is None:
            text = known[features] = build()
        return text

    return to_string


class QuickSerializer:
    """Checks and serializes requests in a tenth of the stock serializer's time, by reusing an earlier result.

    A request that it can't confirm as valid goes to the stock serializer, which says what is wrong
    (`ParamValidationError`).
    """

    def __init__(self, stock: Any) -> None:
        self._stock = stock
        self._known: dict[str, tuple[Check, dict[str, Any]]] = {}
        """By operation: the check for plain requests, and a serialized request without its body."""

    def serialize_to_request(self, parameters: Any, operation_model: Any) -> dict[str, Any]:
        """Do what the stock serializer does, and raise what it raises."""
        known = self._known.get(operation_model.name)
        if known is not None and known[0](parameters):
            # Half a surrogate pair, or an integer of more than 64 bits.
            with suppress(msgspec.MsgspecError, ValueError, OverflowError):
                return {
                    **known[1],
                    "headers": dict(known[1]["headers"]),
                    "body": msgspec.json.encode(parameters),
                }
        request: dict[str, Any] = self._stock.serialize_to_request(parameters, operation_model)
        if known is None and _is_plain_json(request, parameters):
            rest = {**request, "headers": dict(request["headers"])}  # a copy: the caller adds headers
            self._known[operation_model.name] = (checker(operation_model.input_shape), rest)
        return request


_REST = {"url_path": "/", "query_string": "", "method": "POST"}


def _is_plain_json(request: dict[str, Any], parameters: Any) -> bool:
    """Tell whether only the body depends on the parameters, and contains nothing else."""
    rest = {key: value for key, value in request.items() if key not in {"headers", "body"}}
    return rest == _REST and json.loads(request["body"]) == parameters
