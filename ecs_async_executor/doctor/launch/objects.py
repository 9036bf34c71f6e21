"""The S3 objects of a launch: what the executor would store for its container, deleted at its end."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from ecs_async_executor.config.delivery import Bucket
from ecs_async_executor.doctor.aws.clients import Aws
from ecs_async_executor.engine.diagnosis.faults import text_of
from ecs_async_executor.engine.payloads import split
from ecs_async_executor.standby.command import lease_url, object_url
from ecs_async_executor.standby.waiting import MODULE, WARM_UP
from ecs_async_executor.tokens import without_tokens

_EXISTS = "PreconditionFailed"
"""S3's code for a put with If-None-Match of an object that is there (API reference: PutObject)."""


_REPLACED = (
    "a put with If-None-Match has replaced an object, so that two schedulers could both hand over a task"
)


@dataclass(slots=True)
class Stored:
    """What the host has stored."""

    inputs: dict[str, Any] = field(default_factory=dict)
    """The probe's."""
    problems: dict[str, Any] = field(default_factory=dict)
    """Why the rest could not, by the names of `Observation`."""


@contextmanager
def stored(bucket: Bucket | None, aws: Aws, ident: str, *, standby: bool) -> Iterator[Stored]:
    """Store an object as for a long workload, and a lease as for standbys if the profile keeps any; delete them at the end."""
    found = Stored()
    if bucket is None:
        yield found
        return
    payload, lease = f"{bucket.location}ecs-async-doctor-{ident}.json", lease_url(bucket.location, ident)
    found.inputs = {"region": [bucket.region] if bucket.region else []}
    try:
        if problem := _put(aws, payload):
            found.problems["payload_problem"] = problem
        else:
            found.inputs["payload"] = payload
        if standby and not problem:
            if problem := _put_once(aws, lease):
                found.problems["standby_problem"] = problem
            else:
                # Nobody has written the third: a standby's object before it has a workload.
                found.inputs["standby"] = [
                    lease,
                    object_url(bucket.location, secrets.token_hex(16)),
                    WARM_UP,
                    MODULE,
                ]
        yield found
    finally:
        for url in (payload, lease)[: 1 + standby]:
            name, key = split(url)
            with suppress(Exception):  # the bucket's lifecycle rule removes what is left
                aws.client("s3").delete_object(Bucket=name, Key=key)


def _put(aws: Aws, url: str, **condition: str) -> str:
    """Store an object; return why it can't be, or an empty text."""
    name, key = split(url)
    try:
        aws.client("s3").put_object(Bucket=name, Key=key, Body=b"{}", **condition)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        return code if code == _EXISTS else without_tokens(text_of(error))
    except Exception as error:  # noqa: BLE001  botocore and credential processes raise anything
        return without_tokens(text_of(error))
    return ""


def _put_once(aws: Aws, url: str) -> str:
    """Store an object that must not be there, twice; return what is wrong unless the second put fails for that."""
    once, twice = _put(aws, url, IfNoneMatch="*"), _put(aws, url, IfNoneMatch="*")
    if once in {"", _EXISTS}:  # a repeated call whose first answer was lost finds its own object
        return "" if twice == _EXISTS else twice or _REPLACED
    return once
