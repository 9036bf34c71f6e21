"""Whether a Region's name can be right, as far as botocore on this host knows AWS's Regions. Pure, but for `known`."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache

from ecs_async_executor.suggestions import did_you_mean

_SHAPE = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,5})?-(?:(?:north|south)(?:east|west)?|east|west|central)-\d{1,2}")
"""How AWS has named all its Regions: an area, a direction, a number (botocore's endpoints.json)."""


@cache
def known() -> tuple[str, ...]:
    """Return the Regions with ECS that botocore lists: a new one may be missing."""
    from botocore.session import Session  # noqa: PLC0415  every `airflow` command imports this module

    session = Session()
    partitions = session.get_available_partitions()
    return tuple(region for each in partitions for region in session.get_available_regions("ecs", each))


def is_misspelt(region: str, regions: Collection[str]) -> bool:
    """Return whether a Region is in no list and has no name that AWS would give to a new one."""
    return bool(regions) and region not in regions and not _SHAPE.fullmatch(region)


def why_not(region: str) -> str:
    """Return a sentence if there is no AWS Region of this name, with the one that may be meant; else an empty text."""
    if not is_misspelt(region, known()):
        return ""
    return f"there is no AWS Region {region[:80]!r}. {did_you_mean(region, known())}".rstrip()
