"""Launches one task by a queue's effective request, and judges what it shows."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ecs_async_executor.config.configuration import Configuration
from ecs_async_executor.config.profiles import Profile
from ecs_async_executor.config.task_tags import NAMES, TaskFacts
from ecs_async_executor.doctor.aws.clients import Aws
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.launch.objects import stored
from ecs_async_executor.doctor.launch.observation import Observation
from ecs_async_executor.doctor.launch.probe import command, report_in
from ecs_async_executor.doctor.launch.task import LaunchError, LiveTask
from ecs_async_executor.doctor.tokens import make_token
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.messages import Diagnosis, Request

TOKEN_MARGIN = 300.0
"""Seconds that the token lives beyond the launch's time limit."""
FACTS = TaskFacts(**dict.fromkeys(NAMES, "ecs-async-doctor"))
"""What the tags of `task_tags` say, so that its cost is nobody else's."""


def launch(  # noqa: PLR0913  three clocks for tests
    configuration: Configuration,
    aws: Aws,
    facts: Facts,
    *,
    queue: str,
    timeout: float,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Observation:
    """Launch one ECS task, follow it for `timeout` seconds, and stop it whatever happens.

    `say` gets each step in words. Raises KeyboardInterrupt, after the task is stopped.
    """
    profile = configuration.profiles.of(queue)
    container = profile.template.container
    ident = str(uuid.uuid4())
    with stored(configuration.bucket, aws, ident, standby=profile.standby > 0) as objects:
        try:
            subject, token = make_token(timeout + TOKEN_MARGIN)
        except Exception as error:  # noqa: BLE001  Airflow raises anything for a key that it can't use
            refusal = Diagnosis(
                "No token can be signed, so nothing was launched.",
                type(error).__name__,
                "Correct [api_auth] jwt_secret or jwt_private_key_path.",
            )
            return Observation(container, refusal=refusal, **objects.problems)
        try:
            request = request_of(profile, {"token": token, "ti": subject, **objects.inputs}, say)
            body = _settled(request, facts).body
            if request.image:
                say(f"This task runs the task definition's own image. Those of Airflow run {request.image}.")
        except InvalidRequestError as error:
            refusal = Diagnosis(error.problem, remedy=error.remedy)
            return Observation(container, refusal=refusal, **objects.problems)
        task = LiveTask(aws, body, container, ident, sleep=sleep, clock=clock)
        seen: dict[str, Any] = {**objects.problems}
        try:
            with task.running():
                say(f"Launched {task.arn} (startedBy ecs-async-doctor/{ident}).")
                is_over = task.follow(timeout, say)
                seen["late"] = 0.0 if is_over else timeout
                lines, problem = task.lines(
                    _definition(aws, task.task), lambda found: report_in(found) is not None
                )
                seen |= {"lines": tuple(lines), "lines_problem": problem, "report": report_in(lines)}
        except LaunchError as error:
            seen["refusal"] = error.diagnosis
        except KeyboardInterrupt:
            say(
                (task.stop_problem and f"{task.arn} may still run: {task.stop_problem}")
                or "The task is stopped."
            )
            raise
        return Observation(container, arn=task.arn, task=task.task, stop_problem=task.stop_problem, **seen)


def request_of(profile: Profile, inputs: Mapping[str, Any], say: Callable[[str], None]) -> Request:
    """Build the probe's request; without what it tries for standbys, if only that has no room beside the profile's overrides.

    Raises `InvalidRequestError`.
    """
    try:
        return profile.request(command(inputs), None, facts=FACTS)
    except InvalidRequestError:
        if "standby" not in inputs:
            raise
    rest = {name: value for name, value in inputs.items() if name != "standby"}
    request = profile.request(command(rest), None, facts=FACTS)
    say("What a standby does is not tried: the script for it has no room beside the profile's overrides.")
    return request


def _settled(request: Request, facts: Facts) -> Request:
    if request.settle is None:
        return request
    cluster: Mapping[str, Any] = facts.value(Kind.CLUSTER, request.cluster) or {}
    return request.settle(cluster.get("defaultCapacityProviderStrategy") or ())


def _definition(aws: Aws, task: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        answer = aws.client("ecs").describe_task_definition(taskDefinition=str(task["taskDefinitionArn"]))
    except Exception:  # noqa: BLE001  then it isn't known where the lines are
        return {}
    found: Mapping[str, Any] = answer["taskDefinition"]
    return found
