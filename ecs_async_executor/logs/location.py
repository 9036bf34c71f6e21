"""Where the lines of a container are, by its task definition. Pure.

Source: "Send Amazon ECS logs to CloudWatch" and "LogConfiguration" of the ECS developer guide and API reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ecs_async_executor.task_arn import TaskArn


@dataclass(frozen=True, slots=True)
class LogStream:
    """A log stream of CloudWatch Logs."""

    group: str
    stream: str
    region: str

    def __str__(self) -> str:
        """Name it as people look for it."""
        return f"log group {self.group}, stream {self.stream} ({self.region})"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A place that this package doesn't read."""

    words: str
    """Where the lines go, in one sentence or two."""
    for_good: bool = True
    """Whether asking again can't give another answer."""

    def __str__(self) -> str:
        """Return the words."""
        return self.words


Location: TypeAlias = LogStream | Elsewhere

_NO_CONFIGURATION = (
    "The task definition {definition} has no logConfiguration for the container {container}: on Fargate nothing keeps "
    "its lines, on an EC2 instance Docker does. Set its log driver to awslogs to see them here."
)
_FIRELENS = "FireLens sends the lines of the container {container}{to}: look there."
_OTHER = "The log driver {driver} sends the lines of the container {container}{to}: look there."
_ON_THE_INSTANCE = (
    "The log driver {driver} keeps the lines of the container {container} on its EC2 instance, where `docker logs` "
    "shows them. Set it to awslogs in {definition} to see them here."
)
_JOURNAL = (
    "The log driver journald keeps the lines of the container {container} in the journal of its EC2 instance."
)
_NONE = "The log driver of the container {container} is none: nothing keeps its lines. Set it to awslogs in {definition}."
_NO_GROUP = "The awslogs options of the container {container} in {definition} name no awslogs-group."
_NO_CONTAINER = "The task definition {definition} has no container {container}. It has: {containers}. Check `container_name`."
_NOT_STARTED = (
    "The container {container} has not started yet: its log stream gets the id that Docker gives it then."
)

# The option that says where each driver sends lines. None of them holds a secret, unlike splunk-token beside it.
_DESTINATION = {
    "fluentd": "fluentd-address",
    "gelf": "gelf-address",
    "logentries": None,
    "splunk": "splunk-url",
    "syslog": "syslog-address",
}
_FIXED = {
    "json-file": _ON_THE_INSTANCE,
    "local": _ON_THE_INSTANCE,
    "journald": _JOURNAL,
    "none": _NONE,
}
# What the plug-ins of Fluent Bit that send to AWS call their destination.
_FIRELENS_DESTINATION = ("delivery_stream", "stream", "log_group_name", "bucket", "host", "Host", "domain")


def locate(arn: TaskArn, definition: Mapping[str, Any], container: str, runtime_id: str | None) -> Location:
    """Return where a container's lines are.

    `definition` is DescribeTaskDefinition's `taskDefinition`; `runtime_id` is DescribeTasks' `containers[].runtimeId`,
    which on EC2 is Docker's id of the container.
    """
    name = str(definition.get("taskDefinitionArn", "")).rpartition("/")[2] or "task definition"
    containers = {str(each.get("name", "")): each for each in definition.get("containerDefinitions", ())}

    def elsewhere(words: str, *, for_good: bool = True, **more: str) -> Elsewhere:
        return Elsewhere(words.format(definition=name, container=container, **more), for_good)

    if container not in containers:
        return elsewhere(_NO_CONTAINER, containers=", ".join(containers))
    configuration = containers[container].get("logConfiguration") or {}
    options: Mapping[str, str] = configuration.get("options") or {}
    driver = str(configuration.get("logDriver") or "")
    if not driver:
        return elsewhere(_NO_CONFIGURATION)
    if driver == "awsfirelens":
        return elsewhere(_FIRELENS, to=_firelens_destination(options))
    if driver in _FIXED:
        return elsewhere(_FIXED[driver], driver=driver)
    if driver != "awslogs":
        return elsewhere(_OTHER, driver=driver, to=_to(options.get(_DESTINATION.get(driver) or "", "")))
    group = options.get("awslogs-group")
    if not group:
        return elsewhere(_NO_GROUP)
    # "If you don't specify a prefix with this option, then the log stream is named after the container ID".
    prefix = options.get("awslogs-stream-prefix")
    stream = f"{prefix}/{container}/{arn.task_id}" if prefix else runtime_id
    if not stream:
        return elsewhere(_NOT_STARTED, for_good=False)
    return LogStream(group, stream, options.get("awslogs-region") or arn.region)


def airflow_container(task: Mapping[str, Any], configured: str) -> str:
    """Return the name of the container that runs Airflow: the one whose command the launch overrides.

    A queue's profile may name another container than the option `container_name`, which is `configured`.
    """
    overrides: Sequence[Mapping[str, Any]] = (task.get("overrides") or {}).get("containerOverrides") or ()
    commanded = [str(each.get("name", "")) for each in overrides if each.get("command")]
    return commanded[0] if commanded and configured not in commanded else configured


def _firelens_destination(options: Mapping[str, str]) -> str:
    plugin = options.get("Name") or options.get("@type")
    if plugin is None:
        return " to where its own configuration file says"
    place = next((options[name] for name in _FIRELENS_DESTINATION if options.get(name)), "")
    return f" to its output {plugin}{f' ({_without_credentials(place)})' if place else ''}"


def _to(address: str) -> str:
    return f" to {_without_credentials(address)}" if address else ""


def _without_credentials(address: str) -> str:
    """Remove user and password from a URL, and what follows a `?`."""
    scheme, separator, rest = address.partition("?")[0].rpartition("//")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
