"""What AWS's answers have in common: pages, and policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote


def all_pages(client: Any, operation: str, member: str, request: Mapping[str, Any]) -> list[Any]:
    """Return a list that AWS may answer in pages."""
    return [
        each
        for page in client.get_paginator(operation).paginate(**request)
        for each in page.get(member) or ()
    ]


def policy(document: Any) -> Mapping[str, Any]:
    """Return a policy, which AWS may give as JSON in a URL's escapes."""
    found: Mapping[str, Any] = json.loads(unquote(document)) if isinstance(document, str) else document
    return found
