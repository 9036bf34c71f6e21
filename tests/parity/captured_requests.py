"""What AwsEcsExecutor and this executor send for a configuration, each through its own code.

Both bodies go through one boto3 client, which validates and serialises as always, and stops at the wire.
"""

from __future__ import annotations

import copy
import json
import logging
import uuid
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeAlias, cast
from unittest.mock import patch

import boto3
from airflow.api_fastapi.auth.tokens import JWTGenerator
from airflow.configuration import conf
from airflow.providers.amazon.aws.executors.ecs.ecs_executor import AwsEcsExecutor
from airflow.providers.amazon.aws.hooks.ecs import EcsHook

from ecs_async_executor.config.configuration import read_configuration
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.errors import ConfigurationError, InvalidRequestError
from ecs_async_executor.executor.order_factory import OrderFactory
from ecs_async_executor.executor.runs import Run
from tests.parity.setups import Setup
from tests.support.workloads import callback_workload, task_workload

Body: TypeAlias = dict[str, Any]

RUN_ID = "22222222-2222-4222-8222-222222222222"
OLD_TOKEN = "made when the task was queued"
FRESH_TOKEN = "made when the request is sent"
_TASK = task_workload(token=OLD_TOKEN, id=uuid.UUID(int=1), dag_version_id=uuid.UUID(int=2))
_CALLBACK = callback_workload(token=OLD_TOKEN)


@dataclass(frozen=True)
class Refused:
    """No request: the executor does not start, or this task does not."""

    at_start: bool
    error: Exception


Outcome: TypeAlias = Body | Refused


class Wire:
    """A boto3 client for ECS whose calls get canned answers, and the bodies they would have sent."""

    def __init__(self) -> None:
        self.client = boto3.client(
            "ecs", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.client.meta.events.register("before-call.ecs", self._answer)
        self.sent: list[tuple[str, Body]] = []
        self.strategy_of_cluster: list[dict[str, Any]] = []

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        self.sent.append((model.name, json.loads(params["body"])))
        task = {"taskArn": "arn", "lastStatus": "PENDING", "desiredStatus": "RUNNING", "containers": []}
        answers: dict[str, dict[str, Any]] = {
            "RunTask": {"tasks": [task], "failures": []},
            "DescribeClusters": {"clusters": [{"defaultCapacityProviderStrategy": self.strategy_of_cluster}]},
        }
        return SimpleNamespace(status_code=200), answers[model.name]

    def run_task(self) -> Body:
        """Return the body of the one RunTask call."""
        (body,) = [body for name, body in self.sent if name == "RunTask"]
        return body


_SILENT = logging.getLogger("silent")
_SILENT.disabled = True


@cache
def wire() -> Wire:
    return Wire()


def _strategy(setup: Setup) -> list[dict[str, Any]]:
    return [{"capacityProvider": "the-clusters"}] if setup.strategy_of_cluster else []


def _workload(setup: Setup) -> Any:
    if setup.callback:
        return _CALLBACK
    # Not validated: what the scheduler unpickles is not, either. A copy: AwsEcsExecutor writes into it.
    ti = _TASK.ti.model_copy(update={"executor_config": copy.deepcopy(setup.config)})
    return _TASK.model_copy(update={"ti": ti})


def theirs(setup: Setup) -> Outcome:
    """Let AwsEcsExecutor start, take the workload and launch it."""
    calls, workload = wire(), _workload(setup)
    calls.sent.clear()
    calls.strategy_of_cluster = _strategy(setup)
    with (
        setup.in_force(),
        patch.object(EcsHook, "conn", calls.client),
        patch.object(
            AwsEcsExecutor, "log", _SILENT
        ),  # formatting its records would take longer than all else
    ):
        try:
            executor = AwsEcsExecutor()
        except Exception as error:  # noqa: BLE001  whatever it is, it happens to the user
            return Refused(at_start=True, error=error)
        try:
            executor.queue_workload(workload, None)
            executor._process_workloads([workload])
            task = executor.pending_workloads.popleft()
            executor._run_task(task.key, task.command, task.queue, task.executor_config)
        except Exception as error:  # noqa: BLE001  as above
            return Refused(at_start=False, error=error)
    return {**calls.run_task(), "clientToken": "botocore's, another one for each call"}


class _Minter:
    def generate(self, **_: Any) -> str:
        return FRESH_TOKEN


def ours(setup: Setup) -> Outcome:
    """Let this executor read its options and build the request of the workload's first launch.

    Only its own two errors count as refusals; anything else is a bug, and botocore's validator has the last word.
    """
    calls, workload = wire(), _workload(setup)
    calls.sent.clear()
    with setup.in_force():
        try:
            configuration = read_configuration(conf)
        except (ConfigurationError, InvalidRequestError) as error:
            return Refused(at_start=True, error=error)
    orders = OrderFactory(configuration.profiles, cast("JWTGenerator", _Minter()), queued_timeout=600)
    launch = orders.launch(Run(RUN_ID, ("key",), "label", workload))
    assert launch.build is not None
    try:
        request = launch.build()
        # From here on as the engine's launcher does it.
        if request.settle is not None:
            request = request.settle(_strategy(setup))
    except InvalidRequestError as error:
        return Refused(at_start=False, error=error)
    entry = Entry(launch.run_id, launch.label, launch.number, State.WAITING)
    identity = {
        "clientToken": str(entry.launch_id),
        "startedBy": f"{configuration.settings.engine_options.started_by}/{RUN_ID}",
    }
    calls.client.run_task(**request.body, **identity)
    return calls.run_task()
