"""A standby's command, the S3 objects it looks at, and the exit codes with which it ends without a workload. Pure."""

from __future__ import annotations

import re
from importlib.resources import files

from ecs_async_executor.standby.compact import compact
from ecs_async_executor.standby.waiting import BROKEN, LEFT, NO_ACCESS

__all__ = [
    "BROKEN",
    "LEASE_RENEWAL_SECONDS",
    "LEASE_SECONDS",
    "LEFT",
    "NO_ACCESS",
    "READY_SECONDS",
    "folders",
    "is_lease",
    "is_standby",
    "lease_url",
    "location_of",
    "object_url",
    "standby_command",
]

LEASE_SECONDS = 180
"""A standby leaves if its lease is older than this, by S3's clock: its scheduler is gone."""
LEASE_RENEWAL_SECONDS = 60
"""A scheduler writes its lease so often: two writes may fail before its standbys leave."""
READY_SECONDS = 20
"""One that can't work has ended by then: ten seconds for S3's first answer, its last look, and imports on a slow processor."""
_FOLDER = "standby/"
_OBJECT = re.compile(r"s3://[^/]+/(?:.*/)?" + _FOLDER + r"[0-9a-f]{32}\.json")
_LEASE = re.compile(r"s3://[^/]+/(?:.*/)?" + _FOLDER + r"lease-[0-9a-f]{32}\.json")


def standby_command(region: str | None, max_age: float, lease_url: str, object_url: str) -> list[str]:
    """Return the command of a container that waits for its workload at `object_url`, for at most `max_age` seconds.

    `region` is for its S3 client. None: the container's environment decides.
    """
    return ["python", "-c", CODE, region or "", f"{max_age:.0f}", lease_url, object_url]


def object_url(location: str, nonce: str) -> str:
    """Return the URL of one standby's own object, at a location like `s3://bucket/prefix/`.

    The nonce is 32 random hexadecimal digits. Whoever knows it, and may read the prefix, can read the workload.
    """
    return f"{location}{_FOLDER}{nonce}.json"


def lease_url(location: str, owner: str) -> str:
    """Return the URL of the lease that an engine writes for all its standbys; `owner` is unique to the engine."""
    return f"{location}{_FOLDER}lease-{owner}.json"


def folders(location: str) -> tuple[str, str]:
    """Return where at a location payloads are, and where the objects of standbys and the leases are."""
    return location, f"{location}{_FOLDER}"


def is_lease(url: str) -> bool:
    """Return whether a URL is that of an engine's lease."""
    return _LEASE.fullmatch(url) is not None


def location_of(url: str) -> str:
    """Return the location of a standby's own object, or of a lease: `s3://bucket/prefix/`."""
    return url.rpartition(_FOLDER)[0]


def is_standby(url: str) -> bool:
    """Return whether a command whose last argument is this URL is a standby's."""
    return _OBJECT.fullmatch(url) is not None


CODE = compact((files(__package__) / "waiting.py").read_text("utf-8"))
"""What the container runs."""
