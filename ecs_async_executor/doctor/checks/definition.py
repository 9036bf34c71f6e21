"""The task definition: it exists, fits where it runs, and has the container."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_async_executor.doctor.effective import Effective
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, error, warning
from ecs_async_executor.doctor.setup import Setup, names_of
from ecs_async_executor.local.api.fit import PLATFORM_VERSIONS
from ecs_async_executor.local.rules.registration import fargate_problems, size_problems
from ecs_async_executor.suggestions import did_you_mean
from ecs_async_executor.task_sizes import FARGATE, cpu_units, mebibytes

LEAST_MEMORY = 512
"""MiB: Airflow's worker and its task are two Python processes of about 200 MiB each before any code of the Dag's."""
_SIZES = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html"


def definition(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """It exists and is ACTIVE."""
    name = each.definition_name
    if not name:
        return
    if facts.absent(Kind.DEFINITION, name):
        yield error(
            f"ECS has no task definition {name} in {setup.region}.",
            "RunTask fails: ClientException, TaskDefinition not found.",
            f"Register it, or correct `task_definition`: aws ecs list-task-definition-families --status ACTIVE --region {setup.region}",
        )
    found = facts.value(Kind.DEFINITION, name)
    if found and found.get("status", "ACTIVE") != "ACTIVE":
        yield error(
            f"The task definition {name} is {found.get('status')}: somebody has deregistered it.",
            "RunTask fails: ClientException, TaskDefinition is inactive.",
            "Name an ACTIVE revision in `task_definition`, or only the family, which means its latest one.",
        )


def container(_: Setup, each: Effective) -> Iterator[Finding]:
    """The container of the option is there, and its end ends the task."""
    if each.definition is None:
        return
    name, known = each.target.container, names_of(each.containers)
    if each.container is None:
        hint = did_you_mean(name, known)
        yield error(
            f"The task definition {each.definition_name} has no container {name}; it has {', '.join(known)}.",
            "RunTask fails: the executor overrides the command of a container that isn't there.",
            f"Set [aws_ecs_executor] container_name = {known[0] if len(known) == 1 else '...'} (or in the queue's profile). "
            f"{hint}".rstrip(),
        )
    elif not each.container.get("essential", True):
        yield error(
            f"The container {name} is not essential.",
            "The ECS task goes on after Airflow's container has ended, so the Airflow task's end is seen late or never.",
            f'Set "essential": true for {name} in the task definition, and false for the containers beside it.',
        )


def launch_type(_: Setup, each: Effective) -> Iterator[Finding]:
    """It may run where the request wants it to."""
    definition = each.definition
    if definition is None:
        return
    fits = set(definition.get("compatibilities") or definition.get("requiresCompatibilities") or ())
    wanted = each.launch_type
    mode = str(definition.get("networkMode") or "bridge")
    if each.on_fargate:
        for problem in _fargate_problems(each):
            yield error(
                f"Fargate can't run the task definition {each.definition_name}: {problem}",
                "RunTask fails.",
                _remedy(each, problem),
            )
            return
    if wanted and fits and wanted not in fits:
        yield error(
            f"The task definition {each.definition_name} is for {', '.join(sorted(fits))}, and tasks are launched on {wanted}.",
            f"RunTask fails: Task definition does not support launch_type {wanted}.",
            f'Add "{wanted}" to requiresCompatibilities of the task definition, or correct `launch_type`.',
        )
    elif not each.on_fargate:
        if mode != "awsvpc" and each.network:
            yield error(
                f"The task definition {each.definition_name} has the network mode {mode}, and the request names subnets.",
                "RunTask fails: Network Configuration is not valid for the given networkMode of this task definition.",
                'Set "networkMode": "awsvpc" in the task definition, or remove `subnets` and `security_groups`.',
            )
        if mode == "none":
            yield error(
                f"The task definition {each.definition_name} has the network mode none.",
                "The container has no network: it reaches neither the API server nor AWS.",
                'Set "networkMode": "awsvpc" (or bridge, host) in the task definition.',
            )
        if mode == "awsvpc" and not each.subnets:
            yield error(
                f"The task definition {each.definition_name} has the network mode awsvpc, and no subnets are set.",
                "RunTask fails: Network Configuration must be provided when networkMode 'awsvpc' is specified.",
                "Set [aws_ecs_executor] subnets and security_groups.",
            )


def _fargate_problems(each: Effective) -> Iterator[str]:
    document = {"containerDefinitions": (), **each.document}
    yield from fargate_problems(document)
    yield from size_problems(document)


def _remedy(each: Effective, problem: str) -> str:
    if "network mode" in problem:
        return 'Set "networkMode": "awsvpc" in the task definition.'
    if "stop timeout" in problem:
        return 'Set "stopTimeout": 120 or less for the container in the task definition.'
    if "execution role" in problem:
        return "Set executionRoleArn in the task definition; docs/iam.md has its policy."
    if "log driver" in problem:
        return 'Set "logDriver": "awslogs" in logConfiguration of the container.'
    cpu = cpu_units(str(each.document.get("cpu", "")))
    sizes = sorted(FARGATE.get(cpu or 0, ()))
    if "configuration exists" in problem and sizes:
        return f'With "cpu": "{cpu}", set "memory" to {sizes[0]} to {sizes[-1]} MiB, in the task definition or the request\'s overrides (sizes: {_SIZES}).'
    if "configuration exists" in problem or "task level" in problem or "setting for" in problem:
        return f'Set "cpu" and "memory" of the task to a pair that Fargate has, such as "1024" and "2048": {_SIZES}'
    return "Correct the task definition, or set launch_type = EC2 for it."


def placement(_: Setup, each: Effective) -> Iterator[Finding]:
    """Placement is for container instances only."""
    given = [name for name in ("placementConstraints", "placementStrategy") if each.body.get(name)]
    if each.on_fargate and given:
        yield error(
            f"The request has {' and '.join(given)}, and tasks run on Fargate.",
            "RunTask fails: placement is not supported with the FARGATE launch type.",
            f"Remove {' and '.join(given)} from run_task_kwargs (or from the queue's profile).",
        )


def platform(_: Setup, each: Effective) -> Iterator[Finding]:
    """Operating system, processor and platform version."""
    runtime = each.document.get("runtimePlatform") or {}
    system = str(runtime.get("operatingSystemFamily") or "LINUX")
    if system.upper().startswith("WINDOWS"):
        yield error(
            f"The task definition {each.definition_name} is for {system}.",
            "Airflow's worker runs on Linux only.",
            'Set "operatingSystemFamily": "LINUX" in runtimePlatform of the task definition.',
        )
    version = str(each.body.get("platformVersion") or "")
    if each.on_fargate and version not in {"", *PLATFORM_VERSIONS}:
        yield warning(
            f"The platform version is {version}, which AWS's list didn't have when this was written.",
            "If there is none, RunTask fails: PlatformUnknownException.",
            "Remove the option platform_version, which then means the latest.",
        )
    if each.on_fargate and version and version != "LATEST" and _numbers(version) < (1, 4, 0):
        yield warning(
            f"The platform version is {version}.",
            "Before 1.4.0, Fargate has 10 GB of disk and no EFS, and AWS retires it.",
            "Remove the option platform_version, which then means the latest, or set 1.4.0.",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def memory(_: Setup, each: Effective) -> Iterator[Finding]:
    """Enough memory for Airflow itself."""
    of_task = mebibytes(str(each.document.get("memory") or "")) or 0
    limit = int((each.container or {}).get("memory") or of_task)
    if 0 < limit < LEAST_MEMORY:
        yield warning(
            f"The container {each.target.container} has a limit of {limit} MiB of memory.",
            "Airflow's worker needs about 400 MiB before any code of a Dag: the container is killed (exit code 137).",
            f'Raise "memory" of the container (and of the task) to {LEAST_MEMORY} MiB or more, or leave it out.',
        )
