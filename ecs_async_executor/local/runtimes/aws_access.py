"""What a container gets so that its SDK finds the local S3, as a task on AWS finds its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Any of these says where credentials come from. Source: "Credentials" in boto3's guide. Keys beside them would win over most.
_CREDENTIALS = frozenset({
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_PROFILE",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
})  # fmt: skip
# The first is for all services; one for S3 alone would win over it.
_ENDPOINTS = frozenset({"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"})
_REGIONS = frozenset({"AWS_DEFAULT_REGION", "AWS_REGION"})
_KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


def with_s3(environment: Mapping[str, str], url: str, region: str) -> dict[str, str]:
    """Add the endpoint, the Region and dummy keys, each unless the environment says anything about it.

    A `HOME` that was passed on may say it in `~/.aws`.
    """
    home = environment.get("HOME")
    own_files = home is not None and Path(home, ".aws").is_dir()
    added: dict[str, str] = {}
    if not _ENDPOINTS & environment.keys():
        added["AWS_ENDPOINT_URL_S3"] = url
    if not _REGIONS & environment.keys():
        added["AWS_DEFAULT_REGION"] = region
    if not own_files and not _CREDENTIALS & environment.keys():
        added.update(_KEYS)
    return {**environment, **added}
