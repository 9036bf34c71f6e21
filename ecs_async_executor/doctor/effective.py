"""What a profile's tasks really get: its request laid over its task definition. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ecs_async_executor.doctor.facts import Facts, Kind, Question
from ecs_async_executor.doctor.setup import Setup, Target
from ecs_async_executor.ecs_rules import FARGATE_PROVIDERS
from ecs_async_executor.engine.images import Revision
from ecs_async_executor.engine.responses import TaskDefinition
from ecs_async_executor.errors import InvalidRequestError

REGISTRY = "repositoryCredentials"
"""What takes a secret without a variable: the login of a private registry."""
_SIZES = ("cpu", "memory", "memoryReservation")
_ROLE = re.compile(r"arn:[\w-]+:iam::(?P<account>\d+):role/(?:.*/)?(?P<name>[^/]+)$")
_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr[.\w-]*?\.(?P<region>[a-z]{2,}(?:-[a-z]+)+-\d+)\.[\w.]+/(?P<repository>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?"
)


@dataclass(frozen=True, slots=True)
class EcrImage:
    """An image of Amazon ECR, by its parts."""

    account: str
    region: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, image: str) -> EcrImage | None:
        """Parse an image's name; None if it is in another registry."""
        found = _ECR.fullmatch(image)
        if found is None:
            return None
        digest = found["digest"] or ""
        tag = found["tag"] or ("" if digest else "latest")
        return cls(found["account"], found["region"], found["repository"], tag, digest)


def role_name(arn: str) -> str:
    """Return a role's name."""
    found = _ROLE.match(arn)
    return found["name"] if found else arn.rpartition("/")[2]


def account_of(arn: str) -> str:
    """Return the account in an ARN; empty if there is none."""
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 else ""


def region_of(arn: str) -> str:
    """Return the Region in an ARN; empty if there is none."""
    parts = arn.split(":")
    return parts[3] if len(parts) > 5 else ""


class Effective:
    """One profile with what AWS says about its cluster and its task definition.

    Each fact is looked up when it is first needed: a check misses only answers that it depends on.
    """

    def __init__(self, setup: Setup, target: Target, facts: Facts) -> None:
        self.setup = setup
        self.target = target
        self.name = target.name
        self.cluster_name = target.cluster
        self._facts = facts

    @cached_property
    def cluster(self) -> Mapping[str, Any] | None:
        """DescribeClusters' document; None if there is none, or it isn't known."""
        found: Mapping[str, Any] | None = self._facts.value(Kind.CLUSTER, self.cluster_name)
        return found

    @cached_property
    def _settled(self) -> tuple[Mapping[str, Any], str, str]:
        """The request's body; and why it can't be sent, with what to do."""
        request = self.target.request
        if request is None:
            return {}, self.target.problem, self.target.todo
        if request.settle is None or self.cluster is None:
            return request.body, "", ""
        try:
            return request.settle(self.cluster.get("defaultCapacityProviderStrategy") or ()).body, "", ""
        except InvalidRequestError as error:
            return request.body, error.problem, error.remedy

    @property
    def _open_body(self) -> Mapping[str, Any]:
        """The request before the cluster's default decides where it runs, which changes no task definition and no overrides."""
        return self.target.request.body if self.target.request else {}

    @property
    def is_placed(self) -> bool:
        """Whether it is known where tasks run: the cluster's default decides if the request has no launch type or strategy."""
        request = self.target.request
        return request is None or request.settle is None or self.cluster is not None

    @property
    def body(self) -> Mapping[str, Any]:
        """The request as it is sent, without a launch type if that isn't known; empty if none can be built."""
        return self._settled[0]

    @property
    def problem(self) -> str:
        """Why the request can't be sent; empty if it can."""
        return self._settled[1]

    @property
    def todo(self) -> str:
        """What to do about `problem`."""
        return self._settled[2]

    @property
    def definition_name(self) -> str:
        """The task definition's family, revision or ARN; empty if there is no request."""
        return str(self._open_body.get("taskDefinition", ""))

    @cached_property
    def definition(self) -> Mapping[str, Any] | None:
        """The task definition; None if there is none, or it isn't known."""
        name = self.definition_name
        found: Mapping[str, Any] | None = self._facts.value(Kind.DEFINITION, name) if name else None
        return found

    @cached_property
    def providers(self) -> tuple[str, ...]:
        """The capacity providers of the request; empty with a launch type."""
        items = self.body.get("capacityProviderStrategy") or ()
        return tuple(str(each.get("capacityProvider", "")) for each in items)

    @cached_property
    def launch_type(self) -> str:
        """FARGATE, EC2, EXTERNAL or MANAGED_INSTANCES; empty for a provider of the user's own, and if it isn't known."""
        if self.providers:
            return "FARGATE" if set(self.providers) & set(FARGATE_PROVIDERS) else ""
        return str(self.body.get("launchType", ""))

    @property
    def on_fargate(self) -> bool:
        """Whether Fargate runs the tasks."""
        return self.launch_type == "FARGATE"

    @property
    def on_spot(self) -> bool:
        """Whether some tasks get capacity of Fargate Spot."""
        return "FARGATE_SPOT" in self.providers

    @property
    def network(self) -> Mapping[str, Any]:
        """The request's awsvpcConfiguration, or an empty one."""
        found = (self.body.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
        return dict(found)

    @property
    def subnets(self) -> tuple[str, ...]:
        """The ids of the subnets."""
        return tuple(self.network.get("subnets") or ())

    @property
    def groups(self) -> tuple[str, ...]:
        """The ids of the security groups; empty for the VPC's default."""
        return tuple(self.network.get("securityGroups") or ())

    @property
    def public_ip(self) -> bool:
        """Whether tasks get a public address."""
        return self.network.get("assignPublicIp") == "ENABLED"

    @property
    def overrides(self) -> Mapping[str, Any]:
        """The request's overrides."""
        return dict(self._open_body.get("overrides") or {})

    @property
    def image(self) -> str:
        """The image that the executor registers a revision with; empty if containers run the task definition's."""
        return self.target.request.image if self.target.request else ""

    @property
    def launched(self) -> str:
        """The ARN of the revision that tasks are launched from; empty if it isn't known."""
        if self.definition is None or not (arn := str(self.definition.get("taskDefinitionArn") or "")):
            return ""
        if not self.image or self.setup.settings is None:
            return arn
        base = TaskDefinition(task_definition=dict(self.definition))
        deployment = self.setup.settings.engine_options.started_by
        family = Revision(base, self.target.container, self.image, deployment).family
        return f"{arn.rpartition('/')[0]}/{family}:1"

    @cached_property
    def document(self) -> dict[str, Any]:
        """The task definition with the request's image and overrides laid over it; empty if it isn't known."""
        if self.definition is None:
            return {}
        own = ("cpu", "memory", "executionRoleArn", "taskRoleArn")
        over = {name: self.overrides[name] for name in own if self.overrides.get(name)}
        of_containers = {each.get("name"): each for each in self.overrides.get("containerOverrides") or ()}
        containers = []
        for each in self.definition.get("containerDefinitions") or ():
            override = of_containers.get(each.get("name"), {})
            image = {"image": self.image} if self.image and each.get("name") == self.target.container else {}
            containers.append(
                {**each, **image, **{name: override[name] for name in _SIZES if name in override}}
            )
        return {**self.definition, **over, "containerDefinitions": containers}

    @cached_property
    def containers(self) -> tuple[Mapping[str, Any], ...]:
        """The containers of the task definition."""
        return tuple(self.document.get("containerDefinitions") or ())

    @cached_property
    def container(self) -> Mapping[str, Any] | None:
        """The container that runs Airflow; None if there is none of that name, or the definition isn't known."""
        return next((each for each in self.containers if each.get("name") == self.target.container), None)

    @property
    def execution_role(self) -> str:
        """The ARN of the execution role; empty if there is none."""
        return str(self.document.get("executionRoleArn") or "")

    @property
    def task_role(self) -> str:
        """The ARN of the task role; empty if there is none."""
        return str(self.document.get("taskRoleArn") or "")

    @property
    def roles(self) -> Iterator[tuple[str, str]]:
        """Yield what each role is for, and its ARN."""
        if self.execution_role:
            yield "execution role", self.execution_role
        if self.task_role:
            yield "task role", self.task_role

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """The variables of Airflow's container: the request's over the task definition's."""
        over = (
            each
            for each in self.overrides.get("containerOverrides") or ()
            if each.get("name") == self.target.container
        )
        sources = (
            (self.container or {}).get("environment") or (),
            *(each.get("environment") or () for each in over),
        )
        return {str(pair.get("name")): str(pair.get("value", "")) for source in sources for pair in source}

    @property
    def secrets(self) -> Iterator[tuple[str, str]]:
        """Yield name and `valueFrom` of every container's secrets, those of the log drivers too."""
        for container in self.containers:
            log = container.get("logConfiguration") or {}
            for each in (*(container.get("secrets") or ()), *(log.get("secretOptions") or ())):
                yield str(each.get("name", "")), str(each.get("valueFrom", ""))
            credentials = (container.get("repositoryCredentials") or {}).get("credentialsParameter")
            if credentials:
                yield REGISTRY, str(credentials)

    def hidden(self, variable: str) -> bool:
        """Return whether a variable of Airflow's container comes from where its value can't be seen."""
        container = self.container or {}
        named = {str(each.get("name")) for each in container.get("secrets") or ()}
        return bool({variable, f"{variable}_CMD", f"{variable}_SECRET"} & named) or bool(
            container.get("environmentFiles")
        )

    @property
    def environment_files(self) -> Iterator[str]:
        """Yield the ARNs of the objects in S3 from which containers get variables."""
        over = self.overrides.get("containerOverrides") or ()
        for container in (*self.containers, *over):
            yield from (str(each.get("value", "")) for each in container.get("environmentFiles") or ())

    @property
    def log_groups(self) -> Iterator[tuple[Mapping[str, Any], str, str]]:
        """Yield each container that uses awslogs, its log group and the Region of that."""
        for container in self.containers:
            log = container.get("logConfiguration") or {}
            if log.get("logDriver") == "awslogs":
                options = log.get("options") or {}
                region = str(options.get("awslogs-region") or self.setup.region)
                if options.get("awslogs-group"):
                    yield container, str(options["awslogs-group"]), region

    @property
    def images(self) -> Iterator[str]:
        """Yield every container's image."""
        yield from (str(each.get("image", "")) for each in self.containers)


def effectives(setup: Setup, facts: Facts) -> list[Effective]:
    """Return every profile."""
    return [Effective(setup, target, facts) for target in setup.targets]


def secret_question(variable: str, value_from: str, region: str) -> Question:
    """Return the question for the secret or parameter that a task definition's `valueFrom` names.

    A name that is no ARN is a parameter's (API reference: Secret); a registry's credentials are Secrets Manager's
    (RepositoryCredentials).
    """
    if variable == REGISTRY and not value_from.startswith("arn:"):
        return Question(Kind.SECRET, value_from, region)
    if ":secretsmanager:" in value_from:
        return Question(Kind.SECRET, ":".join(value_from.split(":")[:7]), region_of(value_from) or region)
    if ":ssm:" in value_from:
        name = value_from.partition(":parameter")[2]
        # `parameter/name`, and `parameter/path/name` for the parameter `/path/name`.
        return Question(
            Kind.PARAMETER,
            name if name.count("/") > 1 else name.lstrip("/"),
            region_of(value_from) or region,
        )
    return Question(Kind.PARAMETER, value_from, region)
