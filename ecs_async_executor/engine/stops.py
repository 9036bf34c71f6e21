"""Why an ECS task stopped, and what a person should do about it.

Pure: a stopped `Task` in, a `Verdict` out. Sources: "Stopped task error codes" and "Stopped task errors" of the
ECS developer guide; exit codes above 128 are 128 + signal (container runtime convention).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from ecs_async_executor.engine.messages import Diagnosis
from ecs_async_executor.engine.responses import Container, Task


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a task ended."""

    exit_code: int | None
    """Of the container that decides; None is never success."""
    ran: bool
    """Its code may have run."""
    permanent: bool
    """It never ran, and the same request would fail the same way again."""
    capacity: bool
    """It never ran, for lack of capacity."""
    interrupted: bool
    """AWS took its Spot capacity back."""
    diagnosis: Diagnosis


class _Outlook(Enum):
    """What launching the same request again promises, if the task never ran."""

    AGAIN = "it may go well"
    USELESS = "it would fail the same way"
    CAPACITY = "it goes well once there is room"


@dataclass(frozen=True, slots=True)
class _Reason:
    """A text in stoppedReason or in a container's reason, and what it means."""

    text: re.Pattern[str]
    summary: str
    remedy: str
    outlook: _Outlook = _Outlook.AGAIN


def _text(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


# The first that fits counts. AWS wraps passing network faults and lasting refusals in the same sentences ("unable to
# pull secrets or registry auth: ..."), so the causes that pass come first.
_REASONS = (
    _Reason(
        _text(r"OutOfMemory|out of memory"),
        "The container was killed: it used more memory than it has.",
        "Give the task more memory.",
    ),
    _Reason(
        _text(
            r"Capacity is unavailable|RESOURCE:|EMPTY CAPACITY|NO ACTIVE INSTANCES|InsufficientFreeAddresses"
        ),
        "ECS found no capacity for the task.",
        "Add capacity, or subnets in other zones.",
        _Outlook.CAPACITY,
    ),
    _Reason(
        _text(
            r"(CannotPull|ResourceInitialization).*"
            r"(i/o timeout|connection issue|Throttling|Rate exceeded|deadline exceeded|timed out|\bEOF\b|reset by peer)"
        ),
        "The image, its secrets or its log group could not be reached.",
        "Check the way from the subnets to AWS (NAT gateway or VPC endpoints) if it comes back.",
    ),
    _Reason(
        _text(
            r"CannotPull.*"
            r"(not ?found|does not exist|manifest unknown|denied|unauthorized|no basic auth|\b40[134]\b)"
        ),
        "The image can't be pulled.",
        "Check the image's name and tag in the task definition, and that the execution role may pull it.",
        _Outlook.USELESS,
    ),
    _Reason(
        _text(r"CannotPull"),
        "The image could not be pulled.",
        "Check the way from the subnets to the registry (NAT gateway or VPC endpoints).",
    ),
    _Reason(
        _text(r"ResourceInitializationError.*(AccessDenied|not authorized|ResourceNotFound|does not exist)"),
        "The task's secrets or logs could not be set up.",
        "Check the execution role and the secrets and log options of the task definition.",
        _Outlook.USELESS,
    ),
    _Reason(
        _text(
            r"Timeout waiting|network interface|ResourceInit|CannotStart|ContainerRuntime|InternalError|Ephemeral"
        ),
        "The task could not be started.",
        "It is usually a passing fault of the platform; see the detail if it comes back.",
    ),
    _Reason(
        _text(r"Host EC2|deregistration forced"),
        "The machine under the task went away.",
        "Let the task retry.",
    ),
    _Reason(_text(r"maintenance"), "AWS retired the task for maintenance.", "Let the task retry."),
)
_INTERRUPTIONS = frozenset({"SpotInterruption", "TerminationNotice"})
_STOP_CODES = {
    "UserInitiated": ("The task was stopped by StopTask.", "See the detail for who stopped it."),
    "InfrastructureHealth": ("AWS stopped the task: its host is unhealthy.", "Let the task retry."),
}
_CUT_OFF = (
    'If the container\'s log says "Too many failed heartbeats", the API server was out of reach for too long, and the task was ended by its'
    " own supervisor: raise AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS in the task definition."
)
_EXIT_CODES = {
    # Airflow's supervisor ends its task's process after three failed heartbeats, and exits with 0 if the task has retries
    # left, else with 1, since it can't tell the end either (airflow.sdk 1.3's supervisor, tried).
    0: (
        "The container ended (exit code 0).",
        f"If its task was running, its process was killed, for example for lack of memory. {_CUT_OFF}",
    ),
    1: (
        "The container ended with exit code 1.",
        f"Look into its log: the Airflow process could not start the task or lost its API server. {_CUT_OFF}",
    ),
    75: (
        "The container's entrypoint gave up (exit code 75), for a reason that may pass.",
        "Look into its log: with this project's image, the Dags could not be fetched.",
    ),
    78: (
        "The container's entrypoint gave up (exit code 78).",
        "Look into its log: with this project's image, the Dags can't be fetched as it is configured.",
    ),
    127: ("The container's command was not found (exit code 127).", "The image must be an Airflow image."),
    137: (
        "The container was killed (SIGKILL, exit code 137).",
        "If nobody stopped it, it used too much memory: give the task more.",
    ),
    139: ("The container crashed (SIGSEGV, exit code 139).", "Look for a faulty native library."),
    143: ("The container was terminated (SIGTERM, exit code 143).", "See the detail for who stopped it."),
}


def without_workload(verdict: Verdict) -> Verdict:
    """Judge a task whose container says that it could not fetch its workload from S3: nothing of it ran."""
    summary = "The container could not fetch its workload from S3."
    remedy = "Look into the container's log. The task role needs s3:GetObject in the `payload_bucket`."
    return replace(verdict, ran=False, diagnosis=Diagnosis(summary, verdict.diagnosis.detail, remedy))


def judge(task: Task, container_name: str) -> Verdict:
    """Judge a task with lastStatus STOPPED by its container `container_name`; the others are only reported."""
    decider = next((c for c in task.containers if c.name == container_name), None)
    exit_code = decider.exit_code if decider else None
    ran = task.started_at is not None or exit_code is not None
    facts = _facts(task)
    # A sidecar's reason counts only where the container that decides never ran.
    texts = [task.stopped_reason or "", (decider.reason if decider else None) or ""]
    if not ran:
        texts += [c.reason or "" for c in task.containers]

    interrupted = task.stop_code in _INTERRUPTIONS or "Spot Task was interrupted" in texts[0]

    def verdict(summary: str, remedy: str, outlook: _Outlook = _Outlook.AGAIN) -> Verdict:
        return Verdict(
            exit_code,
            ran,
            permanent=not ran and outlook is _Outlook.USELESS,
            capacity=not ran and outlook is _Outlook.CAPACITY,
            interrupted=interrupted,
            diagnosis=Diagnosis(summary, facts, remedy),
        )

    if interrupted:
        return verdict("AWS took the Spot capacity back.", "Let the task retry, or run it on demand.")
    if task.stop_code in _STOP_CODES:
        return verdict(*_STOP_CODES[task.stop_code])
    for reason in _REASONS:
        if any(reason.text.search(text) for text in texts):
            return verdict(reason.summary, reason.remedy, reason.outlook)
    if exit_code is not None:
        fallback = (f"The container ended with exit code {exit_code}.", "Look into the container's log.")
        return verdict(*_EXIT_CODES.get(exit_code, fallback))
    if decider is None and task.containers:
        return verdict(
            f"The task has no container named {container_name!r}.",
            "Set the option `container_name` to the Airflow container of the task definition.",
            _Outlook.USELESS,
        )
    if ran:
        return verdict("The task stopped, and ECS has no exit code of it.", "Look into the container's log.")
    return verdict("The task stopped before it ran.", "See the detail.")


def _facts(task: Task) -> str:
    parts = [f"stopCode {task.stop_code}" if task.stop_code else "", task.stopped_reason or ""]
    parts += [_container_facts(c) for c in task.containers]
    parts.append(task.task_arn)
    return "; ".join(part.rstrip(".") for part in parts if part)


def _container_facts(container: Container) -> str:
    code = "no exit code" if container.exit_code is None else f"exit code {container.exit_code}"
    return f"container {container.name}: {code}" + (f", {container.reason}" if container.reason else "")
