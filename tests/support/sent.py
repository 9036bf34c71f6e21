"""What RunTask requests carry to the worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jwt


def payload(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the workload inside a RunTask request."""
    (container,) = body["overrides"]["containerOverrides"]
    document: dict[str, Any] = json.loads(container["command"][-1])
    return document


def worker_token(body: Mapping[str, Any]) -> str:
    return str(payload(body)["token"])


def worker_claims(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the claims of the worker's token; it need not be valid now."""
    claims: dict[str, Any] = jwt.decode(worker_token(body), options={"verify_signature": False})
    return claims
