"""Airflow's container: what its task definition sets that breaks or hampers a worker."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_async_executor.doctor.effective import Effective
from ecs_async_executor.doctor.findings import Finding, error, warning
from ecs_async_executor.doctor.setup import Setup

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ash"})
_INITS = frozenset({"dumb-init", "tini", "tini-static", "catatonit", "env", "exec"})
"""Programs that run what follows them."""
_SWALLOWERS = frozenset(
    {
        "airflow",
        "cat",
        "celery",
        "echo",
        "false",
        "gunicorn",
        "printf",
        "python",
        "python3",
        "sleep",
        "tail",
        "true",
    }
)
"""Programs that take a command after them for arguments of their own."""
_HOMELESS = frozenset({"nobody", "daemon", "bin", "www-data", "65534", "1", "2", "33"})
"""Debian's users (base-passwd) that own no home in which Airflow could write."""
SPOT_NOTICE = 120
"""Seconds between Spot's notice and the end ("Amazon ECS clusters for Fargate", Fargate Spot)."""
STOP_TIMEOUT = 30
"""Seconds that a container has after SIGTERM by default (ContainerDefinition: stopTimeout)."""


def entry_point(_: Setup, each: Effective) -> Iterator[Finding]:
    """The entry point runs the command."""
    words = [str(word) for word in (each.container or {}).get("entryPoint") or ()]
    if not words:
        return
    shown = f"The entry point of the container {each.target.container} is {' '.join(words)}."
    program, arguments = _program(words)
    if program in _SHELLS and not _passes_on(arguments):
        yield error(
            shown,
            "A shell doesn't run the command that ECS appends to it: with -c it takes it for the script's arguments, without a "
            "script for the script's name. The task never starts.",
            'Remove "entryPoint" from the task definition, or write ["sh", "-c", "exec \\"$@\\"", "--"].',
        )
    elif program in _SWALLOWERS and not _is_script(program, arguments):
        yield error(
            shown,
            f"Airflow's command is appended to it, and {program} takes that for its arguments: the task never starts.",
            'Remove "entryPoint" from the task definition.',
        )


def _program(words: list[str]) -> tuple[str, list[str]]:
    """Return the program that an entry point runs in the end, and its arguments; an empty name for an init alone."""
    rest = list(words)
    while rest and (rest[0].rpartition("/")[2] in _INITS or rest[0].startswith("-")):
        rest = rest[1:]
    return (rest[0].rpartition("/")[2], rest[1:]) if rest else ("", [])


def _passes_on(arguments: list[str]) -> bool:
    """Return whether a shell with these arguments runs the words that are appended to them."""
    for index, word in enumerate(arguments):
        if not word.startswith("-"):
            return True  # a script, which may do anything
        if word.endswith("c") and not word.startswith("--"):
            script, after = "".join(arguments[index + 1 : index + 2]), arguments[index + 2 :]
            # The first appended word is $0, unless there is one already.
            return "$@" in script and (bool(after) or "$0" in script)
    return False


def _is_script(program: str, arguments: list[str]) -> bool:
    """Return whether Python runs a script, which may run the command."""
    return program in {"python", "python3"} and any(word.endswith(".py") for word in arguments)


def user(_: Setup, each: Effective) -> Iterator[Finding]:
    """The user is one for whom Airflow's image is made."""
    name = str((each.container or {}).get("user") or "")
    who, _colon, group = name.partition(":")
    if who in {"root", "0"}:
        yield warning(
            f"The container {each.target.container} runs as root.",
            "In Airflow's image, root doesn't find Airflow's packages (No module named airflow), and a task could change anything "
            "in its container.",
            'Remove "user" from the task definition, or set it to 50000:0, the image\'s own.',
        )
    elif who in _HOMELESS:
        yield warning(
            f"The container {each.target.container} runs as {name}, a user without a home.",
            "Airflow's worker writes to its user's home and AIRFLOW_HOME: tasks fail when they open their log.",
            'Remove "user" from the task definition, or set it to 50000:0, the image\'s own.',
        )
    elif group not in {"", "0", "root"}:
        yield warning(
            f"The container {each.target.container} runs as {name}, in another group than 0.",
            "In Airflow's image, only the group 0 may write to AIRFLOW_HOME: tasks fail when they open their log.",
            f'Set "user" to {who}:0 in the task definition.',
        )


def disk(_: Setup, each: Effective) -> Iterator[Finding]:
    """A worker writes its log."""
    container = each.container or {}
    if container.get("readonlyRootFilesystem") and not container.get("mountPoints"):
        yield error(
            f"The container {each.target.container} has a read-only root file system and no volume.",
            "Airflow's worker writes its log and temporary files: the task fails before its code runs.",
            'Set "readonlyRootFilesystem": false, or mount volumes at /tmp and at AIRFLOW_HOME/logs.',
        )


def stop_timeout(_: Setup, each: Effective) -> Iterator[Finding]:
    """Tasks on Spot use the two minutes they get."""
    container = each.container
    if container is None or not each.on_spot:
        return
    seconds = int(container.get("stopTimeout") or STOP_TIMEOUT)
    if seconds < SPOT_NOTICE:
        yield warning(
            f"Tasks run on Fargate Spot, and the container {each.target.container} has {seconds} s to end (stopTimeout).",
            "AWS gives two minutes before it takes the capacity; after stopTimeout the task is killed, without its on_kill or its "
            "log.",
            f'Set "stopTimeout": {SPOT_NOTICE} for the container in the task definition.',
        )


def execute_command(_: Setup, each: Effective) -> Iterator[Finding]:
    """ECS Exec has the role it needs."""
    if each.body.get("enableExecuteCommand") and each.definition is not None and not each.task_role:
        yield error(
            "enableExecuteCommand is on, and the task definition has no task role.",
            "RunTask fails: a valid taskRoleArn is not being used.",
            "Set taskRoleArn in the task definition, with ssmmessages:CreateControlChannel, CreateDataChannel, OpenControlChannel "
            "and OpenDataChannel; or remove enableExecuteCommand.",
        )
