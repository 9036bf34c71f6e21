"""Asks STS who calls."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

from ecs_async_executor.doctor.facts import Question


def identity(client: Any, _: Question) -> Any:
    """Return ARN and account of the caller, and how many seconds this host's clock is `ahead` of AWS's (None: not known)."""
    before = time.time()
    answer = client.get_caller_identity()
    now = (before + time.time()) / 2
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    # The header has whole seconds, cut off.
    ahead = now - parsedate_to_datetime(date).timestamp() - 0.5 if date else None
    return {"Arn": answer["Arn"], "Account": answer["Account"], "ahead": ahead}
