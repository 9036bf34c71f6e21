"""The calls of the suite, in order: generators that yield steps and read the record. No I/O, no clock.

The tasks are shared, because they cost money: `first` lives until `stop`, and the others end by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ecs_async_executor.conformance.answers import Burst, Call, Probe, Record, Wait, compact, is_too_long
from ecs_async_executor.conformance.target import Target
from ecs_async_executor.ecs_rules import OVERRIDES

Probing: TypeAlias = Callable[[Target, Record], Probe]

EXITS: Mapping[str, int] = {"exit-0": 0, "exit-1": 1, "exit-137": 137}
"""The tasks that end by themselves, and their exit codes."""
REASON = "ecs-async conformance: " + "r" * 232
"""A StopTask reason of 255 characters."""
LABEL_LIMIT, TOKEN_LIMIT, REASON_LIMIT, ID_LIMIT = 128, 64, 255, 100
"""The most that ECS takes of startedBy, clientToken and StopTask's reason, in characters, and of DescribeTasks's ids."""
VISIBLE_WITHIN = 120.0
"""Seconds after which a task that isn't shown counts as missing: the executor's default of `missing_grace`."""
START_WITHIN, STOP_WITHIN = 420.0, 180.0
"""Seconds that tasks get to start and end; a stop takes up to stopTimeout (120 s at most) and the network's release."""
ALPHABETS: Mapping[str, str] = {"plain": "a", "quotes": '"', "accents": "é", "emoji": "\N{GRINNING FACE}"}
"""Texts that differ in how many characters, UTF-16 units, bytes and escapes they are."""
QUOTAS: Mapping[str, tuple[str, str]] = {
    "quota-on-demand": ("fargate", "L-3032A538"),
    "quota-spot": ("fargate", "L-36FBB829"),
    "quota-provisioning": ("ecs", "L-B7718569"),
}
"""ServiceCode and QuotaCode: Fargate's On-Demand and Spot vCPUs, and a cluster's tasks in PROVISIONING."""
_NO_CONTAINER = "ecs-async-no-such-container"


def refusals(target: Target, record: Record) -> Probe:
    """Ask what ECS refuses, or doesn't know."""
    cluster = {"cluster": target.cluster}
    yield Call("cluster", "DescribeClusters", {"clusters": [target.cluster]})
    ids = target.unknown_arns(ID_LIMIT + 1, _cluster_arn(record))
    yield Call("missing", "DescribeTasks", {**cluster, "tasks": ids[:1]})
    yield Call("describe-100", "DescribeTasks", {**cluster, "tasks": ids[:ID_LIMIT]})
    yield Call("describe-101", "DescribeTasks", {**cluster, "tasks": ids})
    for name, arn in target.elsewhere(ids[0]).items():
        yield Call(f"elsewhere-{name}", "DescribeTasks", {**cluster, "tasks": [arn]})
    yield Call("stop-unknown", "StopTask", {**cluster, "task": ids[0], "reason": "ecs-async conformance"})
    unknown_cluster = f"ecs-async-no-such-cluster-{target.run_id[:8]}"
    yield Call("cluster-unknown", "ListTasks", {"cluster": unknown_cluster})
    label = target.started_by.ljust(LABEL_LIMIT + 1, "x")
    yield Call("started-by-129", "RunTask", target.run_task("started-by-129", startedBy=label))
    token = target.token("token-65") + "x"
    yield Call("token-65", "RunTask", target.run_task("token-65", clientToken=token))


def _cluster_arn(record: Record) -> str:
    clusters = [each for answer in record.all("cluster") for each in answer.body.get("clusters", ())]
    return str(clusters[0].get("clusterArn", "")) if clusters else ""


def overrides_size(target: Target, record: Record) -> Probe:
    """Find the longest overrides that ECS takes.

    Requests for a container that doesn't exist start nothing. They tell if ECS checks the length first, which the
    first call finds out. If it doesn't, requests for the real container do, and each that is taken starts a task.
    """
    yield _sized("overrides-control", target, "a", OVERRIDES * 2, _NO_CONTAINER)
    if record.has("overrides-control"):
        return  # there is no limit here, and each further call would start a task
    free = is_too_long(record.all("overrides-control")[-1])
    container = _NO_CONTAINER if free else target.container
    for name, character in ALPHABETS.items():
        name = f"overrides-{name}"  # noqa: PLW2901  the name in the record
        yield _sized(name, target, character, OVERRIDES, container)
        taken = not is_too_long(record.all(name)[-1])
        yield _sized(name, target, character, OVERRIDES + 1, container)
        taken_longer = not is_too_long(record.all(name)[-1])
        if free and (taken, taken_longer) != (True, False):
            # Bisect: `low` is taken, `high` is refused.
            low, high = (OVERRIDES + 1, OVERRIDES * 2) if taken_longer else (OVERRIDES // 16, OVERRIDES)
            while high - low > 1:
                middle = (low + high) // 2
                yield _sized(name, target, character, middle, container)
                low, high = (low, middle) if is_too_long(record.all(name)[-1]) else (middle, high)


def _sized(name: str, target: Target, character: str, size: int, container: str) -> Call:
    """Return a RunTask whose overrides have `size` characters of compact JSON, most of them this one."""
    command = ["python", "-c", "pass"]
    bare = len(compact(target.overrides(name, command, container, FILL="")))
    count, rest = divmod(size - bare, len(compact(character)) - 2)
    overrides = target.overrides(name, command, container, FILL=character * count + "a" * rest)
    label = f"{name}-{size}"
    return Call(name, "RunTask", target.run_task(label, overrides=overrides))


def first(target: Target, record: Record) -> Probe:
    """Start the task that lives, watch it become visible, and replay its clientToken."""
    tags = [{"key": "ecs-async-conformance", "value": target.run_id}]
    request = target.run_task("first", None, tags=tags, propagateTags="TASK_DEFINITION")
    yield Call("first", "RunTask", request)
    if record.all("first")[-1].is_denial:
        # Tags need a permission of their own.
        request = target.run_task("first-without-tags", None)
        yield Call("first", "RunTask", request)
    yield from _failures_again(record, "first", request)
    if not record.has("first"):
        return
    arn = record.arn("first")
    for pause in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0):
        yield Wait(pause)
        yield Call("visible", "DescribeTasks", {"cluster": target.cluster, "tasks": [arn]})
        yield Call("listed", "ListTasks", {"cluster": target.cluster, "startedBy": target.started_by})
        if all(arn in record.all(name)[-1].arns for name in ("visible", "listed")):
            break
    yield Call("replay", "RunTask", request)
    command = ["python", "-c", "print('another')"]
    yield Call("conflict", "RunTask", {**request, "overrides": target.overrides("first", command)})
    listing = {"cluster": target.cluster, "startedBy": target.started_by}
    yield Call("list-running", "ListTasks", {**listing, "desiredStatus": "RUNNING"})
    yield Call("list-stopped-early", "ListTasks", {**listing, "desiredStatus": "STOPPED"})
    family = target.task_definition.rpartition("/")[2].partition(":")[0]
    yield Call("list-two-filters", "ListTasks", {**listing, "family": family})


def others(target: Target, record: Record) -> Probe:
    """Start the tasks that end by themselves, and watch all until these have stopped and the first one runs."""
    names = ["first", *EXITS, "cannot-start"]
    for name, code in EXITS.items():
        # One of them has the longest startedBy.
        label = target.started_by.ljust(LABEL_LIMIT, "x") if name == "exit-0" else target.started_by
        yield Call(name, "RunTask", target.run_task(name, code, startedBy=label))
    overrides = target.overrides("cannot-start", ["/ecs-async-no-such-program"])
    yield Call("cannot-start", "RunTask", target.run_task("cannot-start", overrides=overrides))
    if target.broken_task_definition:
        request = target.run_task("cannot-pull", taskDefinition=target.broken_task_definition, overrides={})
        yield Call("cannot-pull", "RunTask", request)
        names.append("cannot-pull")
    started = [name for name in names if record.has(name)]
    if not started:
        return
    waited = 0.0
    while waited < START_WITHIN:
        yield _describe("watch", target, record, started)
        if all(_is_over(record, name) for name in started):
            break
        yield Wait(2.0)
        waited += 2.0


def _is_over(record: Record, name: str) -> bool:
    if name == "first":
        return any(task.get("lastStatus") in {"RUNNING", "STOPPED"} for _, task in record.sightings(name))
    return _is_stopped(record, name)


def _is_stopped(record: Record, name: str) -> bool:
    return [task.get("lastStatus") for _, task in record.sightings(name)][-1:] == ["STOPPED"]


def _describe(name: str, target: Target, record: Record, tasks: list[str]) -> Call:
    arns = [record.arn(task) for task in tasks]
    return Call(name, "DescribeTasks", {"cluster": target.cluster, "tasks": arns, "include": ["TAGS"]})


def stop(target: Target, record: Record) -> Probe:
    """Stop the first task, watch it end, and ask again what was asked while it lived."""
    if not record.has("first"):
        return
    arn = record.arn("first")
    request = {"cluster": target.cluster, "task": arn, "reason": REASON}
    yield Wait(10.0)  # RUNNING doesn't mean that Python has come as far as to handle signals
    yield Call("stop", "StopTask", request)
    waited = 0.0
    while waited < STOP_WITHIN:
        yield _describe("watch-stop", target, record, ["first"])
        if _is_stopped(record, "first"):
            break
        yield Wait(2.0)
        waited += 2.0
    yield Call("stop-again", "StopTask", request)
    yield Call("stop-reason-256", "StopTask", {**request, "reason": f"{REASON}r"})
    yield Call("replay-stopped", "RunTask", record.all("first")[-1].call.params)
    listing = {"cluster": target.cluster, "startedBy": target.started_by}
    for pause in (0.0, 2.0, 10.0, 30.0):
        yield Wait(pause)
        yield Call("list-after-stop", "ListTasks", listing)
        yield Call("list-stopped", "ListTasks", {**listing, "desiredStatus": "STOPPED"})
        if arn not in record.all("list-after-stop")[-1].arns and arn in record.all("list-stopped")[-1].arns:
            break


def _failures_again(record: Record, name: str, request: Mapping[str, Any]) -> Probe:
    """Replay a clientToken whose RunTask was answered with failures only."""
    last = record.all(name)[-1]
    if last.ok and last.failures and not last.tasks:
        yield Call("failures", "RunTask", request)


def quotas(_target: Target, _record: Record) -> Probe:
    """Read the account's quotas."""
    for name, (service, code) in QUOTAS.items():
        params = {"ServiceCode": service, "QuotaCode": code}
        yield Call(name, "GetServiceQuota", params, "service-quotas")


def throttle(times: int) -> Probing:
    """Return a probe that calls DescribeTasks this many times at once."""

    def probe(target: Target, record: Record) -> Probe:
        ids = target.unknown_arns(1, _cluster_arn(record))
        yield Burst(Call("throttle", "DescribeTasks", {"cluster": target.cluster, "tasks": ids}), times)

    return probe


PROBES: tuple[Probing, ...] = (refusals, first, others, stop, overrides_size, quotas)
"""In the order of a run: `first` comes early, because most assumptions are about its task."""
