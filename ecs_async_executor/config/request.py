"""Builds RunTask requests from layers: options, run_task_kwargs, a queue's profile, executor_config. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from ecs_async_executor.config.checks import problems as problems_of
from ecs_async_executor.config.delivery import FETCH_SIZE
from ecs_async_executor.config.layers import Layer, merge, normalise_layer, short_members
from ecs_async_executor.config.option_layers import airflow_layers, option_layers
from ecs_async_executor.config.placement import EXCLUSIVE, Strategy, is_fargate, is_open, settled
from ecs_async_executor.config.room import decisive, room_of
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.config.spelling import IMAGE, OURS, Body
from ecs_async_executor.config.task_tags import TaskFacts, fill
from ecs_async_executor.ecs_rules import OVERRIDES
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.messages import Payload, Request, Room

_MARK = {"name": "AIRFLOW_IS_EXECUTOR_CONTAINER", "value": "true"}
"""Airflow's logging looks for this variable (`logging_mixin`). AwsEcsExecutor sets it too."""
_as_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

ROOMS_REMEMBERED = 1_000
"""Rooms of different executor_configs that a template remembers: working one out takes a tenth of a millisecond."""

Deliver: TypeAlias = Callable[[], tuple[list[str], Payload]]
"""Returns the command that fetches the workload, and the payload the engine must upload for it."""


class RequestTemplate:
    """The part that all requests of this executor, or of one queue, share."""

    def __init__(
        self,
        settings: Settings,
        *layers: Layer,
        container: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Merge `layers` over the options and run_task_kwargs; raises `InvalidRequestError`, which names the layer.

        `container` runs Airflow, if it isn't the option's. `environment` holds the Airflow options passed to it; every
        layer overrides them.
        """
        self.container = container or settings.container_name
        above = (Layer("run_task_kwargs", settings.run_task_kwargs), *layers)
        below = (*airflow_layers(environment), *option_layers(settings))
        self.layers = (*below, *above)
        self._base: Body = {}
        for layer in below:
            self._base = self._lay(self._base, layer, [])
        self._rooms: dict[str, Room] = {}
        for layer in above:
            try:
                self._base = self._checked(self._base, layer)
                self._assemble(["airflow"], None)
            except InvalidRequestError as error:
                raise error.within(layer.name) from None

    def room(self, executor_config: object) -> Room:
        """Return what a task's request needs room for, even if it can't be built. Never raises."""
        try:
            return self._room(decisive(executor_config))
        except Exception:  # noqa: BLE001  a wrong executor_config is reported when its request is built
            return self._room({})

    def _room(self, members: Mapping[Any, Any]) -> Room:
        known = repr(members)
        if (room := self._rooms.get(known)) is None:
            if len(self._rooms) >= ROOMS_REMEMBERED:
                self._rooms.clear()
            body = self._lay(self._base, Layer("executor_config", members), []) if members else self._base
            room = self._rooms[known] = room_of(body)
        return room

    @property
    def cluster(self) -> str:
        """The cluster of its requests, unless an executor_config changes it."""
        return str(self._base["cluster"])

    @property
    def tags(self) -> Sequence[Mapping[str, Any]]:
        """The tags of its requests, those of `task_tags` as templates."""
        return self._base.get("tags") or ()

    @property
    def on_fargate(self) -> bool:
        """Whether its tasks run on Fargate. The cluster's own default counts as yes, as in `Settings.on_fargate`."""
        strategy = self._base.get("capacityProviderStrategy")
        return is_open(self._base) or is_fargate(self._base.get("launchType"), strategy)

    @property
    def cpu(self) -> str | None:
        """The ECS task's `cpu`, if a layer overrides it."""
        cpu: str | None = (self._base.get("overrides") or {}).get("cpu")
        return cpu

    def request(
        self,
        command: Sequence[str],
        executor_config: object,
        *,
        deliver: Deliver | None = None,
        facts: TaskFacts | None = None,
    ) -> Request:
        """Build one task's request; raises `InvalidRequestError`, which never shows the command.

        Calls `deliver` if the overrides would be too long for ECS. Without `facts`, tags of `task_tags` stay templates.
        """
        complete, payload = self._assemble(command, executor_config, deliver)
        if facts is not None:
            complete = fill(complete, facts)
        image = complete.pop(IMAGE, "")
        if is_open(complete):
            settle = partial(self._settle, complete, image, payload)
            return Request(complete, self.container, settle, payload, image=image)
        return self._settle(complete, image, payload)

    def _assemble(
        self, command: Sequence[str], executor_config: object, deliver: Deliver | None = None
    ) -> tuple[Body, Payload | None]:
        body = self._base
        if executor_config is not None:
            body = self._with_executor_config(body, executor_config)
        complete = self._with_command(body, list(command))
        size = _size(complete)
        # AWS doesn't document how it counts. An unneeded trip through S3 costs little, so count the escaped bytes as sent.
        fits = size <= OVERRIDES and (deliver is None or len(json.dumps(complete["overrides"])) <= OVERRIDES)
        return (complete, None) if fits else self._delivered(body, size, deliver)

    def _settle(
        self, body: Body, image: str, payload: Payload | None, default_strategy: Strategy = ()
    ) -> Request:
        return Request(settled(body, default_strategy), self.container, image=image, payload=payload)

    def _delivered(self, body: Body, size: int, deliver: Deliver | None) -> tuple[Body, Payload]:
        """Use the command that fetches the workload; raises `InvalidRequestError` if even that is too long."""
        own = _size(self._with_command(body, []))
        facts = f"The overrides have {size} characters; ECS takes {OVERRIDES}."
        where = "the executor_config, the queue's profile or run_task_kwargs"
        shorten = f"Shorten {where}: {own} characters of it are not Airflow's command."
        if deliver is None:
            if own + FETCH_SIZE <= OVERRIDES:
                shorten = (
                    "Set the option `payload_bucket`, which puts Airflow's workload into S3, or shorten a callback's "
                    f"arguments, {where}: {own} characters of it are not Airflow's command."
                )
            raise InvalidRequestError(facts, shorten)
        command, payload = deliver()
        complete = self._with_command(body, command)
        if (left := _size(complete)) > OVERRIDES:
            raise InvalidRequestError(f"{facts} With the workload in S3 they have {left}.", shorten)
        return complete, payload

    def _with_executor_config(self, body: Body, executor_config: object) -> Body:
        if not isinstance(executor_config, Mapping):
            raise InvalidRequestError(
                f"executor_config is a {type(executor_config).__name__}, not a dict.",
                "Write members of the RunTask request, such as {'overrides': {'cpu': '512'}}.",
            )
        if executor_config:
            try:
                body = self._checked(body, Layer("executor_config", executor_config))
            except InvalidRequestError as error:
                raise error.within("executor_config") from None
        return body

    def _checked(self, body: Body, layer: Layer) -> Body:
        """Merge a layer over a body; raises one `InvalidRequestError` for every problem of the result."""
        problems: list[str] = []
        body = _without_count_of_one(self._lay(body, layer, problems))
        # Don't report a member as missing if it may only be misspelled.
        problems += [
            each for each in self._problems(body, layer) if not (problems and each.endswith(" is missing."))
        ]
        if problems:
            raise InvalidRequestError.of(problems, "See ECS's RunTask request and its quotas.")
        return body

    def _lay(self, body: Body, layer: Layer, problems: list[str]) -> Body:
        for part in normalise_layer(layer.value, self.container, problems, layer.beside):
            body = merge(body, part)
        return body

    def _with_command(self, body: Body, command: list[str]) -> Body:
        """Set the Airflow container's command and mark; add the container if absent. Copies whatever it changes."""
        overrides = dict(body.get("overrides") or {})
        containers = list(overrides.get("containerOverrides") or [])
        names = [container.get("name") for container in containers]
        if self.container not in names:
            names.append(self.container)
            containers.append({"name": self.container})
        index = names.index(self.container)
        if containers[index].get("command"):
            raise InvalidRequestError(
                f"The command of container {self.container!r} is overridden.",
                "Remove `command` from executor_config and run_task_kwargs: it is Airflow's.",
            )
        environment = containers[index].get("environment") or []
        if not any(variable.get("name") == _MARK["name"] for variable in environment):
            environment = [*environment, _MARK]
        containers[index] = {**containers[index], "environment": environment, "command": command}
        return {**body, "overrides": {**overrides, "containerOverrides": containers}}

    def _problems(self, body: Body, layer: Layer) -> list[str]:
        found = [f"{name} can't be configured. {why}" for name, why in OURS.items() if name in body]
        if "cluster" not in body:
            found.append("cluster can't be removed: name another one, or leave it out.")
        if all(name in body for name in EXCLUSIVE):
            found.append(f"{' and '.join(EXCLUSIVE)} exclude each other: remove one of them.")
        return found + problems_of(body, self.container, short_members(layer.value))


def _without_count_of_one(body: Body) -> Body:
    """Leave out a `count` of 1, which changes nothing: each request starts one task."""
    is_one = body.get("count") == 1 and body["count"] is not True
    return {name: value for name, value in body.items() if name != "count"} if is_one else body


def _size(body: Body) -> int:
    """Count the characters of the overrides as compact JSON."""
    return len(_as_json(body["overrides"]))
