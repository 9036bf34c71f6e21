"""What a container's exit code means. Codes above 128 are 128 + the signal (the container runtimes' convention)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TITLE = "Exit codes"

_CUT_OFF = (
    'If the container\'s log says "Too many failed heartbeats", its Airflow process could not reach the API server for too'
    " long and ended the task: raise AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS in the task definition."
)
_LOG = "Read the container's own log stream in CloudWatch."


@dataclass(frozen=True, slots=True)
class ExitCode:
    """What an exit code means; `explained`: it says enough, whatever Airflow's row shows."""

    summary: str
    remedy: str
    explained: bool = True


_SIGNALS: Mapping[int, tuple[str, str]] = {
    1: ("SIGHUP", "Its terminal or parent process went away."),
    2: (
        "SIGINT",
        "Something interrupted it, as Ctrl+C does: look at the entry point and at dumb-init or tini in the image.",
    ),
    3: ("SIGQUIT", "Something told it to quit: look at STOPSIGNAL in the image."),
    4: (
        "SIGILL",
        "A program needs a newer processor than the host has: choose another build of that library, or other instances.",
    ),
    6: ("SIGABRT", "A program aborted itself, often a native library or lack of memory: its log names it."),
    7: (
        "SIGBUS",
        "A file that was mapped into memory went away, or shared memory is too small: look at /dev/shm and at EFS.",
    ),
    8: ("SIGFPE", "A native library divided by zero: its log names it."),
    13: ("SIGPIPE", "It wrote to a closed connection."),
    24: ("SIGXCPU", "It used more processor time than its ulimit allows."),
    31: ("SIGSYS", "It made a system call that the container runtime forbids."),
}

EXIT_CODES: Mapping[int, ExitCode] = {
    # After three failed heartbeats, Airflow's supervisor kills its task's process. It exits with 0 if the task has
    # retries left, and otherwise with 1, because it can't report the end either (tried with airflow.sdk 1.3).
    0: ExitCode(
        "The container ended (exit code 0).",
        f"If its Airflow task was running, something killed its process, for example lack of memory. {_CUT_OFF}",
        explained=False,
    ),
    1: ExitCode(
        "The container ended with exit code 1.",
        f"Check its log: the Airflow process could not start the task, or lost the API server. {_CUT_OFF}",
        explained=False,
    ),
    2: ExitCode(
        "The container ended with exit code 2.",
        "Its program did not understand its command line: check entryPoint, and whether the image has the scheduler's Airflow version. "
        f"{_LOG}",
        explained=False,
    ),
    64: ExitCode(
        "The container ended with exit code 64: wrong usage of its program.",
        f"Check entryPoint and command in the task definition. {_LOG}",
        explained=False,
    ),
    66: ExitCode(
        "The container ended with exit code 66: an input file is missing.",
        f"Check the image and its volumes. {_LOG}",
        explained=False,
    ),
    69: ExitCode(
        "The container ended with exit code 69: a service that it needs was not available.",
        f"{_LOG} With this project's delivery by S3, the workload could not be fetched.",
        explained=False,
    ),
    70: ExitCode(
        "The container ended with exit code 70: an internal error of its program.",
        _LOG,
        explained=False,
    ),
    75: ExitCode(
        "The container's entrypoint gave up (exit code 75), for a reason that may be temporary.",
        "Check its log: with this project's image, it could not fetch the Dags.",
    ),
    77: ExitCode(
        "The container ended with exit code 77: a permission is missing.",
        f"Check the container's user and its volumes. {_LOG}",
        explained=False,
    ),
    78: ExitCode(
        "The container's entrypoint gave up (exit code 78).",
        "Check its log: with this project's image, the configuration doesn't let it fetch the Dags.",
    ),
    125: ExitCode(
        "The container could not be started by its runtime (exit code 125).",
        "Run the image with the same command in Docker to see why.",
    ),
    126: ExitCode(
        "The container's command can't be executed (exit code 126).",
        "Make it executable in the image, for the container's user and for the task's processor (X86_64 or ARM64).",
    ),
    127: ExitCode(
        "The container's command was not found (exit code 127).",
        "Use an Airflow image, or correct entryPoint and PATH in the task definition.",
    ),
    # `containers.py` names the other places that speak of a lack of memory.
    137: ExitCode(
        "The container was killed (SIGKILL, exit code 137).",
        "If nobody stopped it, it probably used too much memory: raise `memory` in the task's executor_config, its queue's profile "
        "or the task definition. Its queue can give it more with each try (docs/queues.md).",
    ),
    139: ExitCode(
        "The container crashed (SIGSEGV, exit code 139).",
        "Look for a faulty native library in the image; an image for another processor also ends like this.",
    ),
    143: ExitCode(
        "The container was terminated (SIGTERM, exit code 143).",
        "ECS or its own process ended it. CloudTrail tells who called StopTask: aws cloudtrail lookup-events --lookup-attributes "
        "AttributeKey=EventName,AttributeValue=StopTask.",
    ),
    255: ExitCode(
        "The container ended with exit code 255.",
        f"Its program or the container runtime gave no reason: a command that failed in the entry point, or a lost host. {_LOG}",
        explained=False,
    ),
    **{
        128 + number: ExitCode(f"The container was ended by {name} (exit code {128 + number}).", remedy)
        for number, (name, remedy) in _SIGNALS.items()
    },
}


def meaning_of(exit_code: int) -> ExitCode:
    """Return what any exit code means."""
    known = EXIT_CODES.get(exit_code)
    return known or ExitCode(f"The container ended with exit code {exit_code}.", _LOG, explained=False)
