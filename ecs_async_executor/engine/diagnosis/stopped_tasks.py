"""Why an ECS task stopped, and what a person should do about it.

Pure: a stopped `Task` in, a `Verdict` out. The texts are looked up in the table of causes; what is left over are stop codes
(API reference: Task) and exit codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ecs_async_executor.engine.diagnosis.causes.cause import LATE, Finding, Outlook, find, own_words, plainly
from ecs_async_executor.engine.diagnosis.causes.containers import NEED_MEMORY
from ecs_async_executor.engine.diagnosis.causes.exit_codes import meaning_of
from ecs_async_executor.engine.diagnosis.causes.hosts import SPOT
from ecs_async_executor.engine.diagnosis.causes.masks import masked
from ecs_async_executor.engine.diagnosis.causes.table import STOPS
from ecs_async_executor.engine.diagnosis.iam import arn_of, missing, remedy_of
from ecs_async_executor.engine.responses import Container, Task
from ecs_async_executor.messages import Diagnosis
from ecs_async_executor.tokens import without_tokens


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a task ended."""

    exit_code: int | None
    """The deciding container's exit code; None never means success."""
    ran: bool
    """The task's code may have run."""
    permanent: bool
    """It never ran, and the same request would fail the same way again."""
    capacity: bool
    """It never ran, because ECS had no capacity."""
    interrupted: bool
    """AWS reclaimed its Spot capacity."""
    unexplained: bool
    """Only an exit code tells why it ended, and one that can mean anything."""
    out_of_memory: bool
    """The deciding container was killed for lack of memory, as far as ECS says."""
    diagnosis: Diagnosis


_SAYS_NOTHING = re.compile(
    r"(?:TaskFailedToStart: ?)?(?:Essential container in task exited|Task failed to start|TaskFailedToStart)?[.:]?",
    re.IGNORECASE,
)
"""Texts that only say that the task stopped."""
_WHO = (
    "CloudTrail tells who called StopTask: aws cloudtrail lookup-events --lookup-attributes "
    "AttributeKey=EventName,AttributeValue=StopTask."
)
_KILLED, _TERMINATED = 137, 143
"""Exit codes after SIGKILL and SIGTERM: the kernel sends the former for lack of memory, ECS both to stop a container."""
_SUPPORT = "If it happens each time, tell AWS Support the task's ARN."
_STOP_CODES: Mapping[str, tuple[str, str]] = {
    "UserInitiated": ("StopTask stopped the task.", _WHO),
    "ServiceSchedulerInitiated": (
        "An ECS service stopped the task.",
        "The executor's tasks belong to no service: find out which service or tool manages this one, and leave it to the executor.",
    ),
    "InfrastructureHealth": ("AWS stopped the task: its host is unhealthy.", "Let the task retry."),
    "TerminationNotice": ("The task's host was stopped.", "Let the task retry."),
}


def without_workload(verdict: Verdict, url: str, region: str) -> Verdict:
    """Return the verdict on a task of a Region whose container couldn't fetch its workload: its code never ran."""
    summary = "The container could not fetch its workload from S3."
    needed = missing("the task role", "s3:GetObject", arn_of(url, region))
    remedy = f"Check the container's log. If it says that access was denied: {needed}"
    return replace(verdict, ran=False, diagnosis=Diagnosis(summary, verdict.diagnosis.detail, remedy))


def judge(task: Task, container_name: str) -> Verdict:
    """Judge a task with lastStatus STOPPED by its container `container_name`; the facts list the others too."""
    decider = next((c for c in task.containers if c.name == container_name), None)
    exit_code = decider.exit_code if decider else None
    ran = task.started_at is not None or exit_code is not None
    own = _telling(task.stopped_reason, decider.reason if decider else None)
    # A sidecar's reason counts only if the deciding container never ran.
    others = _telling(*(c.reason for c in task.containers if c is not decider and not ran))
    interrupted = _is_interruption(task.stop_code, task.stopped_reason or "")

    def verdict(
        summary: str,
        remedy: str,
        outlook: Outlook = Outlook.AGAIN,
        *,
        unexplained: bool = False,
        out_of_memory: bool = False,
    ) -> Verdict:
        return Verdict(
            exit_code,
            ran,
            permanent=not ran and outlook is Outlook.USELESS,
            capacity=not ran and outlook is Outlook.CAPACITY,
            interrupted=interrupted,
            unexplained=unexplained,
            out_of_memory=out_of_memory,
            diagnosis=Diagnosis(summary, _facts(task, summary), remedy),
        )

    if interrupted:
        return verdict(*_interruption(ran=ran))
    if task.stop_code == "UserInitiated":
        return verdict(*_stop_by_request(task.stopped_reason or ""))
    if found := _cause(own, others, _images(task, decider)):
        outlook = Outlook.AGAIN if task.stop_code in _STOP_CODES else found.cause.outlook
        return verdict(
            found.summary,
            remedy_of(found.text) or found.remedy,
            outlook,
            out_of_memory=found.cause.name in NEED_MEMORY and found.text in map(plainly, own),
        )
    if task.stop_code is not None and task.stop_code in _STOP_CODES:
        return verdict(*_STOP_CODES[task.stop_code])
    if exit_code is not None:
        meaning = meaning_of(exit_code)
        return verdict(
            meaning.summary,
            meaning.remedy,
            unexplained=not meaning.explained,
            out_of_memory=exit_code == _KILLED and not _failed_first(task, decider),
        )
    if decider is None and task.containers:
        return verdict(
            f"The task has no container named {container_name!r}.",
            "Set `container_name` (the option, or in the queue's profile) to the Airflow container of the task definition.",
            Outlook.USELESS,
        )
    words = own_words(next(iter((*own, *others)), ""))
    if ran:
        nothing = "The task stopped, and ECS has no exit code for it."
        return verdict(
            words or nothing, "Read the container's own log stream in CloudWatch for how it ended."
        )
    nothing = "The task stopped before it ran, and ECS gives no reason."
    return verdict(words or nothing, _SUPPORT)


def memory_of(task: Task, container_name: str) -> int | None:
    """Return the MiB that a container had: its own limit, or else its task's; None if ECS shows neither."""
    own = next((c.memory for c in task.containers if c.name == container_name), None)
    return next((int(text) for text in (own, task.memory) if text and text.isdecimal() and int(text)), None)


def _failed_first(task: Task, decider: Container | None) -> bool:
    """Return whether another container failed by itself: then ECS may have killed the deciding one, to stop the task."""
    codes = {c.exit_code for c in task.containers if c is not decider}
    return not codes <= {None, 0, _KILLED, _TERMINATED}


def _telling(*texts: str | None) -> tuple[str, ...]:
    """Return the texts that say more than that the task stopped."""
    return tuple(text for text in texts if text and not _SAYS_NOTHING.fullmatch(plainly(text)))


def _cause(
    own: tuple[str, ...], others: tuple[str, ...], images: Mapping[str, Mapping[str, str]]
) -> Finding | None:
    """Return the cause that the task's and the decider's own texts show; a sidecar's counts where they say little."""
    found = find(STOPS, *own, known=images) if own else None
    if (found is None or found.cause.rank == LATE) and others:
        of_sidecar = find(STOPS, *others, known=images)
        if found is None or (of_sidecar is not None and of_sidecar.cause.rank != LATE):
            return of_sidecar
    return found


def _is_interruption(stop_code: str | None, stopped_reason: str) -> bool:
    """Return whether AWS reclaimed Spot capacity.

    Any EC2 instance that stops sends a termination notice too, on demand or not; then the text says what happened.
    """
    if stop_code in {"SpotInterruption", "UserInitiated"}:
        return stop_code == "SpotInterruption"
    return bool(SPOT.search(masked(plainly(stopped_reason)))) or (
        stop_code == "TerminationNotice" and not stopped_reason
    )


def _interruption(*, ran: bool) -> tuple[str, str]:
    if ran:
        return (
            "AWS reclaimed the Spot capacity.",
            "Give the task `retries`, or let its queue fall back to on-demand capacity (docs/queues.md).",
        )
    return (
        "AWS reclaimed the Spot capacity before the task ran, or had none.",
        (
            "If it happens often, add subnets in other zones, or name FARGATE too in "
            "`capacity_provider_strategy`."
        ),
    )


def _stop_by_request(reason: str) -> tuple[str, str]:
    summary, remedy = _STOP_CODES["UserInitiated"]
    said = own_words(reason).rstrip(".")
    return (f'StopTask stopped the task: "{said}".' if said else summary), remedy


def _images(task: Task, decider: Container | None) -> dict[str, dict[str, str]]:
    """Return the image that each text is about: the task's own reason is about one of them, not always the decider's."""
    images = {c.reason: {"image": c.image} for c in reversed(task.containers) if c.reason and c.image}
    if task.stopped_reason and task.stopped_reason not in images and decider and len(task.containers) == 1:
        images[task.stopped_reason] = {"image": decider.image}
    return images


def _facts(task: Task, summary: str) -> str:
    """Return what ECS says, each text once, without what the summary says already."""
    said = [plainly(summary)]

    def once(text: str | None) -> str:
        plain = plainly(text or "").rstrip(".")
        if any(plain in earlier for earlier in said):
            return ""
        said.append(plain)
        return without_tokens(text or "")

    parts = [f"stopCode {task.stop_code}" if task.stop_code else "", once(task.stopped_reason)]
    parts += [_container_facts(container, once(container.reason)) for container in task.containers]
    return _joined([*parts, task.task_arn])


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(part.rstrip(".") for part in parts if part)


def _container_facts(container: Container, reason: str) -> str:
    code = "no exit code" if container.exit_code is None else f"exit code {container.exit_code}"
    return f"container {container.name}: {code}" + (f", {reason}" if reason else "")
