"""Which payloads in S3 nothing will fetch any more: one table, one test per row. Pure.

The engine deletes a payload when its run ends. What is left is from schedulers that died at that moment, or from times
when S3 was away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum

from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.operate.aws import StoredObject
from ecs_async_executor.operate.text import age
from ecs_async_executor.standby.command import is_lease, is_standby

KEPT_FOR = 86_400.0
"""Seconds. RunTask repeats what a clientToken has started for 24 hours at most ("Ensuring idempotency" of the ECS API
reference), so no launch is sent again after that without putting its payload anew."""


class Verdict(Enum):
    """What to do about an object."""

    FOREIGN = "its name is not a payload's"
    IN_USE = "its run or its standby is live"
    UNSEEN = "ECS does not show every task that Airflow's rows name, so its run may be live"
    YOUNG = "it is less than a day old: somebody may still fetch it"
    LEFT_OVER = "nothing will fetch it: its run, its standby or its scheduler is gone"


@dataclass(frozen=True, slots=True)
class Judged:
    """An object, and what to do about it."""

    object: StoredObject
    verdict: Verdict

    @property
    def is_to_delete(self) -> bool:
        """Whether the sweep deletes it."""
        return self.verdict is Verdict.LEFT_OVER


def judge_all(
    objects: Iterable[StoredObject], location: str, live_runs: Collection[str], now: float, *, all_seen: bool
) -> list[Judged]:
    """Judge the objects at a location (`s3://bucket/prefix/`).

    `live_runs` are the run ids of live rows and of all live ECS tasks, whichever deployment started them, and the URLs of live
    standbys' objects; a lease is live while its scheduler renews it. `all_seen` is False if ECS doesn't show a task whose ARN a live row shows, because then its run id isn't known.
    """
    return [Judged(each, _judge(each, location, live_runs, now, all_seen=all_seen)) for each in objects]


def _judge(
    each: StoredObject, location: str, live_runs: Collection[str], now: float, *, all_seen: bool
) -> Verdict:
    name = each.url.removeprefix(location)
    if is_standby(each.url) or is_lease(each.url):
        return _by_age(each, each.url in live_runs, now, all_seen=all_seen)
    launch = LaunchId.parse(name.removesuffix(".json")) if name.endswith(".json") else None
    # A payload's name has its launch number; LaunchId.parse takes a bare run id, too.
    if launch is None or str(launch) != name.removesuffix(".json"):
        return Verdict.FOREIGN
    return _by_age(each, launch.run_id in live_runs, now, all_seen=all_seen)


def _by_age(each: StoredObject, is_live: bool, now: float, *, all_seen: bool) -> Verdict:  # noqa: FBT001  as its caller knows
    if is_live:
        return Verdict.IN_USE
    if now - each.changed_at < KEPT_FOR:
        return Verdict.YOUNG
    return Verdict.LEFT_OVER if all_seen else Verdict.UNSEEN


def explain(judged: Judged, now: float) -> str:
    """Return why, with the object's age."""
    return f"It is {age(now - judged.object.changed_at)} old; {judged.verdict.value}."
