"""The plain botocore client: sends calls, and turns its answers and errors into `Answer`s."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from ecs_async_executor import aws_regions
from ecs_async_executor.conformance.answers import Answer, Call
from ecs_async_executor.errors import ConfigurationError

_AWS = re.compile(r"\.amazonaws\.com(\.cn)?$|\.api\.aws$")
THREADS = 32
"""Calls of a burst in flight at once: enough to empty a bucket of 100 that gets 20 a second."""


class BotocoreEdge:
    """Sends calls with botocore's usual credentials and configuration, each once."""

    def __init__(self, region: str | None, endpoint_url: str | None, profile: str | None = None) -> None:
        session = Session(profile=profile)
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=30,
            max_pool_connections=THREADS,
        )
        self._clients = {
            "ecs": session.create_client("ecs", region_name=region, endpoint_url=endpoint_url, config=config)
        }
        self.endpoint_url = str(self._clients["ecs"].meta.endpoint_url)
        self.region = str(self._clients["ecs"].meta.region_name)
        is_aws = bool(_AWS.search(urlsplit(self.endpoint_url).hostname or ""))
        if is_aws and (says := aws_regions.why_not(self.region)):
            raise ConfigurationError(f"{says} Correct --region, AWS_DEFAULT_REGION or the profile's region.")
        if is_aws:
            self._clients["service-quotas"] = session.create_client(
                "service-quotas", region_name=region, config=config
            )

    def send(self, call: Call) -> Answer:
        """Send one call."""
        asked_at = time.time()
        client = self._clients.get(call.service)
        if client is None:
            said = f"{self.endpoint_url} is not AWS's, and has no {call.service}"
            return Answer(call, asked_at, time.time(), {}, "UnknownService", said)
        try:
            body = getattr(client, xform_name(call.action))(**call.params)
        except ClientError as error:
            response: Mapping[str, Any] = error.response
            told = response.get("Error", {})
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
            rest = {key: _plain(value) for key, value in response.items() if key not in _ENVELOPE}
            code, message = str(told.get("Code") or status), str(told.get("Message", ""))
            return Answer(call, asked_at, time.time(), rest, code, message, int(status))
        except (BotoCoreError, OSError) as error:
            return Answer(call, asked_at, time.time(), {}, "-", f"{type(error).__name__}: {error}")
        kept = {key: _plain(value) for key, value in body.items() if key not in _ENVELOPE}
        return Answer(call, asked_at, time.time(), kept)

    def send_at_once(self, call: Call, times: int) -> Sequence[Answer]:
        """Send the same call many times, from several threads."""
        with ThreadPoolExecutor(THREADS) as threads:
            return [*threads.map(self.send, [call] * times)]


_ENVELOPE = frozenset({"ResponseMetadata", "Error"})


def _plain(value: Any) -> Any:
    """Return botocore's value as JSON has it: times as epoch seconds."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
