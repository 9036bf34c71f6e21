"""Why an ECS task stopped, and what a person should do about it.

Pure: a stopped `Task` in, a `Verdict` out. Sources: "Stopped task error codes" and "Stopped task errors" of the
ECS developer guide; exit codes above 128 are 128 + signal (container runtime convention).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ecs_async_executor.engine.diagnosis.iam import arn_of, missing, remedy_of
from ecs_async_executor.engine.diagnosis.start_failures import (
    START_FAILURES,
    Cause,
    Outlook,
    as_aws_writes,
    find_cause,
)
from ecs_async_executor.engine.responses import Container, Task
from ecs_async_executor.messages import Diagnosis


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
    diagnosis: Diagnosis


# The first match counts. AWS wraps temporary network faults and permanent refusals in the same sentences ("unable to
# pull secrets or registry auth: ..."), so temporary causes come first. Patterns match AWS's exact wording, and the
# wording of registries and drivers in any case.
_STARTS = r"\b(CannotPull\w*|ResourceInitializationError)\b.*"
_REASONS = (
    Cause(
        as_aws_writes(r"\bOutOfMemoryError: "),
        "The container was killed: it used more memory than it has.",
        "Give the task more memory.",
    ),
    Cause(
        as_aws_writes(r"CannotPull.*descriptor.*platform|exec format error"),
        "The image is not built for the platform that the task runs on.",
        "Build it for that platform too, or set runtimePlatform in the task definition (cpuArchitecture ARM64 or X86_64).",
        Outlook.USELESS,
    ),
    Cause(
        as_aws_writes(r"CannotPull.*(toomanyrequests|(?i:too many requests|pull rate limit))"),
        "The registry limits how often images may be pulled, and the limit was reached.",
        "Log in to the registry (repositoryCredentials in the task definition), or copy the image to ECR (pull through cache).",
    ),
    Cause(
        as_aws_writes(
            _STARTS + r"(?i:i/o timeout|connection issue|throttling|rate exceeded|deadline exceeded|timed out"
            r"|\bEOF\b|reset by peer)"
        ),
        "ECS could not reach the image's registry, the task's secrets or its log group.",
        "If it happens again, check the route from the subnets to AWS (NAT gateway or VPC endpoints).",
    ),
    Cause(
        as_aws_writes(
            r"\bCannotPull\w*\b.*(?i:not ?found|does not exist|manifest unknown|denied|unauthorized|not authorized"
            r"|no basic auth|\b40[134]\b)"
        ),
        "The image can't be pulled.",
        "Check the image's name and tag in the task definition, and that the execution role may pull it.",
        Outlook.USELESS,
    ),
    Cause(
        as_aws_writes(r"\bCannotPull"),
        "The image could not be pulled.",
        "Check the route from the subnets to the registry (NAT gateway or VPC endpoints).",
    ),
    Cause(
        as_aws_writes(
            r"(\bResourceInitializationError\b|failed to initialize logging driver).*"
            r"(?i:AccessDenied|not authorized|ResourceNotFound|does not exist)"
        ),
        "ECS could not set up the task's secrets or logs.",
        "Check the execution role, and the secrets and log options in the task definition.",
        Outlook.USELESS,
    ),
    Cause(
        as_aws_writes(
            r"exec: \"[^\"]*\": .*(?i:executable file not found|no such file or directory|permission denied)"
        ),
        "The image has no such program, or the program is not executable.",
        "Use an image that has it on its PATH, or correct the task definition's entryPoint and PATH.",
        Outlook.USELESS,
    ),
    *START_FAILURES,
    Cause(
        as_aws_writes(
            r"Timeout waiting for|[Nn]etwork [Ii]nterface|\bResourceInitializationError\b|\bCannotStartContainerError\b"
            r"|\bContainerRuntime(Timeout)?Error\b|\bInternalError\b|EphemeralStorage"
        ),
        "The task could not be started.",
        "This is usually a temporary fault at AWS. If it happens again, see the detail.",
    ),
    Cause(
        as_aws_writes(r"Host EC2 \(instance|deregistration forced by user"),
        "The task lost its container instance.",
        "Let the task retry.",
    ),
    Cause(
        as_aws_writes(r"ECS is performing maintenance"),
        "AWS retired the task for maintenance.",
        "Let the task retry.",
    ),
)
_SPOT = as_aws_writes(r"\bSpot Task was interrupted\b|\bSpotInterruptionError\b")
_STOP_CODES = {
    "UserInitiated": ("The task was stopped by StopTask.", "See the detail for who stopped it."),
    "InfrastructureHealth": ("AWS stopped the task: its host is unhealthy.", "Let the task retry."),
}
_CUT_OFF = (
    'If the container\'s log says "Too many failed heartbeats", its Airflow process could not reach the API server for too'
    " long and ended the task: raise AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS in the task definition."
)
_UNEXPLAINED = {
    # After three failed heartbeats, Airflow's supervisor kills its task's process. It exits with 0 if the task has
    # retries left, and otherwise with 1, because it can't report the end either (tried with airflow.sdk 1.3).
    0: (
        "The container ended (exit code 0).",
        f"If its Airflow task was running, something killed its process, for example lack of memory. {_CUT_OFF}",
    ),
    1: (
        "The container ended with exit code 1.",
        f"Check its log: the Airflow process could not start the task, or lost the API server. {_CUT_OFF}",
    ),
}
_EXIT_CODES = {
    75: (
        "The container's entrypoint gave up (exit code 75), for a reason that may be temporary.",
        "Check its log: with this project's image, it could not fetch the Dags.",
    ),
    78: (
        "The container's entrypoint gave up (exit code 78).",
        "Check its log: with this project's image, the configuration doesn't let it fetch the Dags.",
    ),
    127: ("The container's command was not found (exit code 127).", "Use an Airflow image."),
    137: (
        "The container was killed (SIGKILL, exit code 137).",
        "If nobody stopped it, it probably used too much memory: give the task more.",
    ),
    139: (
        "The container crashed (SIGSEGV, exit code 139).",
        "Look for a faulty native library in the image.",
    ),
    143: ("The container was terminated (SIGTERM, exit code 143).", "See the detail for who stopped it."),
}


def without_workload(verdict: Verdict, url: str) -> Verdict:
    """Return the verdict on a task whose container exited because it couldn't fetch its workload: its code never ran."""
    summary = "The container could not fetch its workload from S3."
    needed = missing("the task role", "s3:GetObject", arn_of(url))
    remedy = f"Check the container's log. If it says that access was denied: {needed}"
    return replace(verdict, ran=False, diagnosis=Diagnosis(summary, verdict.diagnosis.detail, remedy))


def judge(task: Task, container_name: str) -> Verdict:
    """Judge a task with lastStatus STOPPED by its container `container_name`; the facts list the others too."""
    decider = next((c for c in task.containers if c.name == container_name), None)
    exit_code = decider.exit_code if decider else None
    ran = task.started_at is not None or exit_code is not None
    facts = _facts(task)
    # A sidecar's reason counts only if the deciding container never ran.
    texts = [task.stopped_reason or "", (decider.reason if decider else None) or ""]
    if not ran:
        texts += [c.reason or "" for c in task.containers]

    interrupted = _is_interruption(task.stop_code, texts[0])

    def verdict(
        summary: str, remedy: str, outlook: Outlook = Outlook.AGAIN, *, unexplained: bool = False
    ) -> Verdict:
        return Verdict(
            exit_code,
            ran,
            permanent=not ran and outlook is Outlook.USELESS,
            capacity=not ran and outlook is Outlook.CAPACITY,
            interrupted=interrupted,
            unexplained=unexplained,
            diagnosis=Diagnosis(summary, facts, remedy),
        )

    if interrupted:
        return verdict("AWS reclaimed the Spot capacity.", "Let the task retry, or run it on demand.")
    if task.stop_code in _STOP_CODES:
        return verdict(*_STOP_CODES[task.stop_code])
    if cause := find_cause(_REASONS, *texts):
        denied = next(filter(None, map(remedy_of, texts)), None)
        return verdict(cause.summary, denied or cause.remedy, cause.outlook)
    if exit_code in _EXIT_CODES:
        return verdict(*_EXIT_CODES[exit_code])
    if exit_code is not None:
        unknown = (f"The container ended with exit code {exit_code}.", "Check the container's log.")
        return verdict(*_UNEXPLAINED.get(exit_code, unknown), unexplained=True)
    if decider is None and task.containers:
        return verdict(
            f"The task has no container named {container_name!r}.",
            "Set `container_name` (the option, or in the queue's profile) to the Airflow container of the task definition.",
            Outlook.USELESS,
        )
    if ran:
        return verdict("The task stopped, and ECS has no exit code for it.", "Check the container's log.")
    return verdict("The task stopped before it ran.", "See the detail.")


def _is_interruption(stop_code: str | None, stopped_reason: str) -> bool:
    """Return whether AWS reclaimed Spot capacity.

    Any EC2 instance that stops sends a termination notice too, on demand or not; then the text says what happened.
    """
    if stop_code in {"SpotInterruption", "UserInitiated"}:
        return stop_code == "SpotInterruption"
    return bool(_SPOT.search(stopped_reason)) or (stop_code == "TerminationNotice" and not stopped_reason)


def _facts(task: Task) -> str:
    parts = [f"stopCode {task.stop_code}" if task.stop_code else "", task.stopped_reason or ""]
    parts += [_container_facts(c) for c in task.containers]
    parts.append(task.task_arn)
    return "; ".join(part.rstrip(".") for part in parts if part)


def _container_facts(container: Container) -> str:
    code = "no exit code" if container.exit_code is None else f"exit code {container.exit_code}"
    return f"container {container.name}: {code}" + (f", {container.reason}" if container.reason else "")
