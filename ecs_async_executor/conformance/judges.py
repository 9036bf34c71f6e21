"""Whether an assumption holds, from the answers: one function an assumption. Pure.

A judge raises `NotSeenError` (often by reading the record) if the answers don't say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import Any, TypeAlias

from ecs_async_executor.conformance.answers import (
    Answer,
    NotSeenError,
    Record,
    compact,
    container_of,
    is_too_long,
)
from ecs_async_executor.conformance.probes import (
    ID_LIMIT,
    LABEL_LIMIT,
    QUOTAS,
    REASON,
    VISIBLE_WITHIN,
)
from ecs_async_executor.conformance.target import SIGTERM_EXIT, Target
from ecs_async_executor.ecs_rules import OVERRIDES


class Outcome(Enum):
    """What became of an assumption."""

    HOLDS = "holds"
    DIFFERS = "differs"
    UNTOLD = "could not tell"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome, and what was seen, or why it couldn't be determined."""

    outcome: Outcome
    seen: str


Judge: TypeAlias = Callable[[Target, Record], Verdict]

STATUSES = (
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
)
"""lastStatus, in the order of "Amazon ECS task lifecycle"."""
_TIMES = ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt", "stoppedAt")
_ELSEWHERE = ("identifier is for", "invalid region", "your accountid is")
"""What the executor looks for in a refusal because of an ARN of another account, Region or cluster, in lower case."""
_VCPU_LIMIT = "reached the limit on the number of"


def holds(seen: str) -> Verdict:
    """The assumption holds."""
    return Verdict(Outcome.HOLDS, seen)


def differs(seen: str) -> Verdict:
    """ECS does something else."""
    return Verdict(Outcome.DIFFERS, seen)


def judged(judge: Judge, target: Target, record: Record) -> Verdict:
    """Return a judge's verdict; `UNTOLD` if it has seen nothing that decides."""
    try:
        return judge(target, record)
    except NotSeenError as error:
        return Verdict(Outcome.UNTOLD, f"{str(error).rstrip('. ')}.")


# --- clientToken --------------------------------------------------------------------------------------


def replay(_target: Target, record: Record) -> Verdict:
    """The same request with the same token returns the same task."""
    arn, again = record.arn("first"), record.arn("replay")
    if arn == again:
        return holds("The replay returned the task of the first call.")
    return differs("The replay started a second task: this API ignores the clientToken.")


def conflict(_target: Target, record: Record) -> Verdict:
    """Another request with the same token is refused, and the error names the task."""
    arn, answer = record.arn("first"), record.answer("conflict")
    if answer.ok:
        same = answer.arns == [arn]
        return differs(
            f"It was accepted, and {'returned the first task' if same else 'started another task'}."
        )
    if answer.code != "ConflictException":
        return differs(f"It was refused with {answer.says}")
    named = answer.body.get("resourceIds")
    if named != [arn]:
        return differs(f"It was refused with ConflictException, whose resourceIds are {named!r}.")
    return holds("It was refused with ConflictException, whose resourceIds name the task.")


def replay_after_stop(_target: Target, record: Record) -> Verdict:
    """A replay for a stopped task returns that task."""
    arn = record.arn("first")
    record.ended("first")
    task = record.launched("replay-stopped")
    if task["taskArn"] != arn:
        return differs(
            "The replay started another task, although the first one had stopped less than an hour ago."
        )
    if task.get("lastStatus") != "STOPPED":
        return differs(
            f"The replay returned the task as {task.get('lastStatus')}, after DescribeTasks had shown it STOPPED."
        )
    members = ", ".join(sorted(task))
    return holds(f"The replay returned the stopped task, with {members}.")


def failures_pinned(_target: Target, record: Record) -> Verdict:
    """A replay of a token whose RunTask had only failures returns them again."""
    if not record.all("failures"):
        raise NotSeenError("no RunTask was answered with failures only, because there was capacity")
    again, before = record.success("failures"), record.all("first")[0]
    if again.tasks:
        return differs("The replay started a task.")
    reasons = [[each.get("reason") for each in answer.failures] for answer in (before, again)]
    return (
        holds("The replay had the same failures.")
        if reasons[0] == reasons[1]
        else differs(f"Reasons: {reasons}.")
    )


def token_64(_target: Target, record: Record) -> Verdict:
    """A token of 64 characters is taken, and one of 65 is refused."""
    record.launched("first")  # its token has 64 characters
    return _refused(record.answer("token-65"), "A token of 65 characters")


# --- startedBy, ListTasks -----------------------------------------------------------------------------


def started_by_128(target: Target, record: Record) -> Verdict:
    """A startedBy of 128 characters is taken whole, and one of 129 is refused."""
    label = target.started_by.ljust(LABEL_LIMIT, "x")
    shown = record.launched("exit-0").get("startedBy")
    if shown != label:
        return differs(f"Of a startedBy of {LABEL_LIMIT} characters, {len(str(shown or ''))} were kept.")
    return _refused(record.answer("started-by-129"), "A startedBy of 129 characters")


def list_by_started_by(_target: Target, record: Record) -> Verdict:
    """ListTasks by startedBy alone lists the task."""
    arn = record.arn("first")
    answers = [record.success("listed"), *record.all("listed")]
    if not any(arn in answer.arns for answer in answers):
        raise NotSeenError("ListTasks didn't list the task; see list-visible")
    strangers = {each for answer in answers for each in answer.arns} - {arn}
    if strangers - _all_arns(record):
        return differs(f"It also listed {len(strangers)} tasks with another startedBy.")
    return holds("It listed the task, and none of another startedBy.")


def _all_arns(record: Record) -> set[str]:
    return {arn for answer in record.answers if answer.call.action == "RunTask" for arn in answer.arns}


def list_by_desired_status(_target: Target, record: Record) -> Verdict:
    """Whether desiredStatus may stand beside startedBy, and filters."""
    arn, running, stopped = (
        record.arn("first"),
        record.answer("list-running"),
        record.answer("list-stopped-early"),
    )
    if not running.ok:
        return differs(f"desiredStatus beside startedBy was refused: {running.says}")
    if not stopped.ok:
        return differs(f"desiredStatus STOPPED beside startedBy was refused: {stopped.says}")
    if arn in stopped.arns:
        return differs("A running task was listed with desiredStatus STOPPED.")
    if arn not in running.arns:
        return differs("A running task was not listed with desiredStatus RUNNING.")
    return holds("Accepted; a running task was listed with RUNNING, and not with STOPPED.")


def list_two_filters(_target: Target, record: Record) -> Verdict:
    """Family beside startedBy is refused."""
    return _refused(record.answer("list-two-filters"), "family beside startedBy")


def list_after_stop(_target: Target, record: Record) -> Verdict:
    """A stopped task is no longer listed by startedBy alone, but with desiredStatus STOPPED."""
    record.ended("first")
    arn, default, stopped = (
        record.arn("first"),
        record.success("list-after-stop"),
        record.success("list-stopped"),
    )
    if arn in default.arns:
        seconds = default.at - next(
            at for at, task in record.sightings("first") if task.get("lastStatus") == "STOPPED"
        )
        return differs(
            f"{seconds:.0f} s after it was seen STOPPED, the task was still listed without a desiredStatus."
        )
    if arn not in stopped.arns:
        return differs("The stopped task was not listed with desiredStatus STOPPED.")
    return holds("Without a desiredStatus it was no longer listed; with STOPPED it was.")


# --- visibility ---------------------------------------------------------------------------------------


def describe_visible(_target: Target, record: Record) -> Verdict:
    """DescribeTasks shows a new task within the grace time."""
    return _visible(record, "visible", "DescribeTasks")


def list_visible(_target: Target, record: Record) -> Verdict:
    """ListTasks lists a new task within the grace time."""
    return _visible(record, "listed", "ListTasks")


def _visible(record: Record, name: str, action: str) -> Verdict:
    arn = record.arn("first")
    started_at = next(answer.at for answer in record.all("first") if arn in answer.arns)
    record.answer(name)
    for count, answer in enumerate(record.all(name), 1):
        if arn in answer.arns:
            seconds = max(answer.at - started_at, 0.0)
            calls = "the first call" if count == 1 else f"call {count}"
            return holds(f"{action} showed it in {calls}, {seconds:.1f} s after RunTask's answer.")
    waited = record.all(name)[-1].at - started_at
    if waited < VISIBLE_WITHIN - 1:
        raise NotSeenError(f"{action} didn't show it in {waited:.0f} s, and then the calls ended")
    return differs(f"{action} didn't show it in {waited:.0f} s.")


def missing(_target: Target, record: Record) -> Verdict:
    """An unknown ARN is a failure MISSING of a successful answer."""
    answer = record.answer("missing")
    if not answer.ok:
        return differs(f"It was refused: {answer.says}")
    reasons = [each.get("reason") for each in answer.failures]
    arns = [str(each.get("arn")) for each in answer.failures]
    if reasons != ["MISSING"]:
        return differs(f"The answer had {len(answer.tasks)} tasks and the failures {reasons!r}.")
    # An id alone is answered with the ARN that it would have.
    if [arn.rpartition("/")[2] for arn in arns] != [
        each.rpartition("/")[2] for each in answer.call.params["tasks"]
    ]:
        return differs(f"The failure is MISSING, but names {arns!r}.")
    return holds("HTTP 200, with the failure MISSING for that ARN.")


def describe_100(_target: Target, record: Record) -> Verdict:
    """A hundred ids are taken at once, each is answered."""
    answer = record.answer("describe-100")
    if not answer.ok:
        return differs(f"{ID_LIMIT} ids were refused: {answer.says}")
    answered = len(answer.tasks) + len(answer.failures)
    return (
        holds(f"All {ID_LIMIT} were answered.")
        if answered == ID_LIMIT
        else differs(f"{answered} of {ID_LIMIT} were answered.")
    )


def describe_101(_target: Target, record: Record) -> Verdict:
    """One more is refused."""
    return _refused(record.answer("describe-101"), f"{ID_LIMIT + 1} ids")


def describe_elsewhere(_target: Target, record: Record) -> Verdict:
    """Of a task that is elsewhere nothing is known."""
    answers = {place: record.answer(f"elsewhere-{place}") for place in ("account", "region", "cluster")}
    seen = {place: _about_elsewhere(answer) for place, answer in answers.items()}
    says = "; ".join(f"{place}: {text.removesuffix('.')}" for place, (_, text) in seen.items())
    return holds(f"{says}.") if all(is_known for is_known, _ in seen.values()) else differs(f"{says}.")


def _about_elsewhere(answer: Answer) -> tuple[bool, str]:
    if answer.ok:
        reasons = [each.get("reason") for each in answer.failures]
        return not answer.tasks and reasons == ["MISSING"], f"{len(answer.tasks)} tasks, failures {reasons!r}"
    is_known = answer.code == "InvalidParameterException" and any(
        words in answer.message.lower() for words in _ELSEWHERE
    )
    return is_known, answer.says


def stop_unknown(_target: Target, record: Record) -> Verdict:
    """StopTask of an unknown task is refused with words that the executor knows."""
    answer = record.answer("stop-unknown")
    if not answer.ok and "not found" in answer.message.lower() and answer.code == "InvalidParameterException":
        return holds(answer.says)
    return differs("It was accepted." if answer.ok else answer.says)


def cluster_unknown(_target: Target, record: Record) -> Verdict:
    """An unknown cluster has an error of its own."""
    answer = record.answer("cluster-unknown")
    if answer.code == "ClusterNotFoundException":
        return holds(answer.says)
    return differs("It was accepted." if answer.ok else answer.says)


# --- ends ---------------------------------------------------------------------------------------------


def exit_with(name: str, code: int) -> Judge:
    """Return the judge of a task whose container ends with this code."""

    def judge(target: Target, record: Record) -> Verdict:
        task = record.ended(name)
        found = container_of(task, target.container).get("exitCode")
        seen = f"{_how(task)}, exitCode {'absent' if found is None else found}."
        return (
            holds(seen)
            if (task.get("stopCode"), found) == ("EssentialContainerExited", code)
            else differs(seen)
        )

    return judge


def cannot_start(target: Target, record: Record) -> Verdict:
    """A container whose program doesn't exist never ran: TaskFailedToStart without an exit code."""
    task = record.ended("cannot-start")
    container = container_of(task, target.container)
    code, reason = container.get("exitCode"), container.get("reason")
    seen = f"{_how(task)}, exitCode {'absent' if code is None else code}, the container's reason: {reason or 'none'}."
    if task.get("stopCode") == "EssentialContainerExited" and code:
        raise NotSeenError(f"the image's entry point started, and then found no such program: {seen}"[:-1])
    return holds(seen) if task.get("stopCode") == "TaskFailedToStart" and code is None else differs(seen)


def cannot_pull(target: Target, record: Record) -> Verdict:
    """An image that doesn't exist: TaskFailedToStart with CannotPullContainerError."""
    if not target.broken_task_definition:
        raise NotSeenError("it needs --broken-task-definition, a task definition whose image doesn't exist")
    task = record.ended("cannot-pull")
    reasons = [str(each.get("reason")) for each in task.get("containers", ())]
    seen = f"{_how(task)}, reasons: {'; '.join(reasons)}."
    told = "CannotPull" in f"{task.get('stoppedReason')}{reasons}"
    return holds(seen) if told and task.get("stopCode") == "TaskFailedToStart" else differs(seen)


def user_initiated(_target: Target, record: Record) -> Verdict:
    """A stopped task says UserInitiated, and StopTask's whole reason."""
    task = record.stopped_by_us("first")
    code, reason = task.get("stopCode"), str(task.get("stoppedReason") or "")
    if code != "UserInitiated":
        return differs(f"{_how(task)}.")
    if reason != REASON:
        return differs(f"UserInitiated, but the reason of {len(REASON)} characters became {reason!r}.")
    return holds(f"UserInitiated, with the whole reason of {len(REASON)} characters.")


def reason_256(_target: Target, record: Record) -> Verdict:
    """A longer reason is refused."""
    return _refused(record.answer("stop-reason-256"), "A reason of 256 characters")


def stop_again(_target: Target, record: Record) -> Verdict:
    """StopTask of a stopped task does no harm."""
    record.ended("first")
    answer = record.answer("stop-again")
    return holds("It was accepted.") if answer.ok else differs(f"It was refused: {answer.says}")


def sigterm(target: Target, record: Record) -> Verdict:
    """StopTask sends SIGTERM, and waits for the container."""
    code = container_of(record.stopped_by_us("first"), target.container).get("exitCode")
    if code == SIGTERM_EXIT:
        return holds("The container got SIGTERM, and its own exit code was kept.")
    if code == 137:
        return differs("exitCode 137: it was killed. Does the image's entry point pass SIGTERM on?")
    return differs(
        f"exitCode {'absent' if code is None else code}; the container ends with {SIGTERM_EXIT} when it gets SIGTERM."
    )


def statuses(_target: Target, record: Record) -> Verdict:
    """LastStatus moves only forward through the known values."""
    seen: list[str] = []
    for name in ("first", "exit-0", "exit-1", "exit-137", "cannot-start"):
        if record.has(name):
            of_task = [str(task.get("lastStatus")) for _, task in record.sightings(name)]
            if strange := [each for each in of_task if each not in STATUSES]:
                return differs(f"Unknown values: {', '.join(strange)}.")
            if of_task != sorted(of_task, key=STATUSES.index):
                changes = [status for status, _ in groupby(of_task)]
                return differs(f"Out of order: {', '.join(changes)}.")
            seen += of_task
    if not seen:
        raise NotSeenError("DescribeTasks showed no task")
    return holds(f"Seen: {', '.join(sorted(set(seen), key=STATUSES.index))}.")


def desired_status(_target: Target, record: Record) -> Verdict:
    """DesiredStatus is RUNNING until the task is to end, then STOPPED."""
    born, ended = record.launched("first").get("desiredStatus"), record.ended("first").get("desiredStatus")
    natural = record.ended("exit-0").get("desiredStatus")
    seen = f"{born} at first, {ended} after StopTask, {natural} after its own end."
    return holds(seen) if (born, ended, natural) == ("RUNNING", "STOPPED", "STOPPED") else differs(seen)


def times(_target: Target, record: Record) -> Verdict:
    """Every time of a task that ran is there, and they are in order."""
    task = record.ended("exit-0")
    absent = [name for name in _TIMES if name not in task]
    if absent:
        return differs(f"Absent: {', '.join(absent)}.")
    values = [task[name] for name in _TIMES]
    if values != sorted(values):
        return differs(f"Out of order: {dict(zip(_TIMES, values, strict=True))}.")
    return holds(f"All there, in order: {', '.join(_TIMES)}.")


def runtime_id(target: Target, record: Record) -> Verdict:
    """A running container has a runtimeId."""
    running = [task for _, task in record.sightings("first") if task.get("lastStatus") == "RUNNING"]
    if not running:
        raise NotSeenError("the task was never seen RUNNING")
    found = container_of(running[-1], target.container).get("runtimeId")
    return holds("Present.") if found else differs("Absent from a running container.")


# --- tags ---------------------------------------------------------------------------------------------


def tags_shown(_target: Target, record: Record) -> Verdict:
    """RunTask's tags are shown, if they are asked for."""
    record.launched("first")
    sent = record.all("first")[-1].call.params.get("tags")
    if not sent:
        raise NotSeenError("RunTask was not allowed to tag the task")
    plain = [task for answer in record.all("visible") for task in answer.tasks]
    shown = _tags_of_first(record)
    if sent[0] not in shown:
        return differs(f"DescribeTasks showed {len(shown)} tags, and not RunTask's.")
    if any(task.get("tags") for task in plain):
        return differs("They are shown without `include: TAGS`, too.")
    return holds("Shown with `include: TAGS`, and only with it.")


def tags_propagated(target: Target, record: Record) -> Verdict:
    """The task definition's tags are propagated."""
    record.launched("first")
    if "propagateTags" not in record.all("first")[-1].call.params:
        raise NotSeenError("RunTask was not allowed to tag the task")
    if not target.tags:
        raise NotSeenError("the task definition has no tags, or this identity may not see them")
    shown = _tags_of_first(record)
    absent = [tag["key"] for tag in target.tags if dict(tag) not in shown]
    return (
        differs(f"Not propagated: {', '.join(absent)}.")
        if absent
        else holds(f"All {len(target.tags)} propagated.")
    )


def tags_after_stop(_target: Target, record: Record) -> Verdict:
    """StopTask deletes the task's tags."""
    if not _tags_of_first(record):
        raise NotSeenError("the task had no tags before the stop")
    left = record.stopped_by_us("first").get("tags") or []
    return (
        differs(f"{len(left)} tags were still shown after StopTask.")
        if left
        else holds("None was shown any more.")
    )


def _tags_of_first(record: Record) -> list[Mapping[str, Any]]:
    shown = [
        task.get("tags") or []
        for answer in record.all("watch")
        for task in answer.tasks
        if task["taskArn"] == record.arn("first")
    ]
    if not shown:
        raise NotSeenError("DescribeTasks didn't show the task")
    return [*shown[-1]]


# --- sizes --------------------------------------------------------------------------------------------


def overrides(name: str) -> Judge:
    """Return the judge of one alphabet: is it counted as the executor counts?"""

    def judge(_target: Target, record: Record) -> Verdict:
        if record.has("overrides-control"):
            sent = record.answer("overrides-control")
            return differs(f"{_size(sent)} characters were taken: this API has no such limit.")
        record.answer(f"overrides-{name}")
        answers = [each for each in record.all(f"overrides-{name}") if not each.tells_nothing]
        taken = [_size(each) for each in answers if not is_too_long(each)]
        refused = [_size(each) for each in answers if is_too_long(each)]
        most, least = max(taken, default=0), min(refused, default=0)
        if (most, least) == (OVERRIDES, OVERRIDES + 1):
            return holds(f"{most} characters as compact JSON were taken, and {least} were refused.")
        if not refused:
            return differs(f"{most} characters as compact JSON were taken, and nothing was refused.")
        if not taken:
            return differs(f"{least} characters as compact JSON were refused, and nothing was taken.")
        return differs(f"As compact JSON, {most} characters were taken, and {least} were refused.")

    return judge


def _size(answer: Answer) -> int:
    return len(compact(answer.call.params["overrides"]))


# --- what may or may not come up ------------------------------------------------------------------------


def throttle_shape(_target: Target, record: Record) -> Verdict:
    """One call too many is ThrottlingException."""
    if not record.all("throttle"):
        raise NotSeenError("it needs --burst, which throttles others of this account, too")
    throttled = [each for each in record.answers if each.is_throttle]
    if not throttled:
        raise NotSeenError(f"none of {len(record.all('throttle'))} calls was throttled")
    shapes = sorted({f"HTTP {each.status}, {each.says}" for each in throttled})
    seen = f"{len(throttled)} calls were throttled: {'; '.join(shapes)}."
    return holds(seen) if all(each.code == "ThrottlingException" for each in throttled) else differs(seen)


def vcpu_limit(_target: Target, record: Record) -> Verdict:
    """The refusal of a task over the account's vCPU limit says so."""
    for answer in record.answers:
        if answer.call.action == "RunTask":
            texts = [
                answer.message,
                *(f"{each.get('reason')} {each.get('detail')}" for each in answer.failures),
            ]
            if any(_VCPU_LIMIT in text for text in texts):
                where = f"the error {answer.code}" if not answer.ok else "failures[]"
                return holds(f"In {where}: {' '.join(texts).strip()}")
    raise NotSeenError("the account's limit was not reached")


def quotas(_target: Target, record: Record) -> Verdict:
    """Service Quotas gives the limits of Fargate's vCPUs and of tasks in PROVISIONING as numbers."""
    seen = []
    for name in QUOTAS:
        quota = record.success(name).body.get("Quota", {})
        value, title = quota.get("Value"), str(quota.get("QuotaName"))
        if not isinstance(value, (int, float)):
            return differs(f"{title} has the value {value!r}.")
        seen.append(f"{title}: {value:g}")
    return holds(f"{'; '.join(seen)}.")


def policy(_target: Target, record: Record) -> Verdict:
    """No call was denied."""
    denied = sorted(
        {
            each.call.action
            for each in record.answers
            if each.is_denial and each.call.name != "cluster-unknown"
        }
    )
    if denied:
        said = next(each.says for each in record.answers if each.is_denial)
        return differs(f"Denied: {', '.join(denied)}. {said}")
    if not any(each.ok for each in record.answers):
        raise NotSeenError("no call succeeded")
    actions = sorted({each.call.action for each in record.answers if each.ok})
    return holds(f"Allowed: {', '.join(actions)}.")


def _refused(answer: Answer, what: str) -> Verdict:
    if answer.ok:
        return differs(f"{what}: accepted.")
    if answer.code not in {"InvalidParameterException", "ClientException", "ValidationException"}:
        return differs(f"{what}: refused, but with {answer.says}")
    return holds(f"{what}: refused with {answer.says}")


def _how(task: Mapping[str, Any]) -> str:
    return f"stopCode {task.get('stopCode') or 'absent'}, stoppedReason {task.get('stoppedReason')!r}"
