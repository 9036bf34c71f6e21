"""The options: one table, which makes the settings, the `airflow config` entries and the reference page.

`[aws_ecs_executor]` is read under its documented names, so that switching costs one line; what stands in
`[ecs_async_executor]` wins over it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from ecs_async_executor.config.parsing import (
    parse_bucket,
    parse_json,
    parse_launch_type,
    parse_list,
    parse_strategy,
)
from ecs_async_executor.config.placement import is_fargate
from ecs_async_executor.config.queue_files import parse_queues
from ecs_async_executor.engine.options import EngineOptions, Rate

SECTION = "ecs_async_executor"
DROP_IN_SECTION = "aws_ecs_executor"
LONGEST = 30 * 86400.0
"""Seconds of `launch_timeout`: for as long a token of the task lives."""
LaunchType = Annotated[str, BeforeValidator(parse_launch_type)]
Names = Annotated[tuple[str, ...], BeforeValidator(parse_list)]


def _drop_in(
    default: Any,
    description: str,
    example: str | None = None,
    *,
    sensitive: bool = False,
    required_unless_in: str | None = None,
    **rules: Any,
) -> Any:
    """Declare an option of `[aws_ecs_executor]`, which `[ecs_async_executor]` may override.

    Of sensitive ones Airflow hides the value, and reads the _CMD and _SECRET forms. `required_unless_in` is the other
    option that may say the same.
    """
    extra: JsonDict = {"drop_in": True, "example": example or str(default), "sensitive": sensitive}
    if required_unless_in:
        extra["required_unless_in"] = required_unless_in
    return Field(default, description=description, json_schema_extra=extra, **rules)


def _ours(
    default: Any, description: str, example: str | None = None, *, sensitive: bool = False, **rules: Any
) -> Any:
    """Declare an option of `[ecs_async_executor]` only."""
    extra: JsonDict = {"drop_in": False, "example": example or str(default), "sensitive": sensitive}
    return Field(default, description=description, json_schema_extra=extra, **rules)


class Settings(BaseModel):
    """All options, checked. Times are in seconds, rates in calls a second."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

    cluster: str = _drop_in(..., "Name or ARN of the ECS cluster that runs the tasks.", "my-cluster")
    container_name: str = _drop_in(
        ..., "The container of the task definition that runs Airflow. Its exit code decides.", "airflow"
    )
    task_definition: str | None = _drop_in(
        None,
        "Family, family:revision or ARN of the task definition. A family means its latest revision.",
        "airflow-task",
        required_unless_in="run_task_kwargs",
    )
    region_name: str | None = _drop_in(
        None,
        "AWS Region; also read as `region`. Unset: the connection's, else the environment's.",
        "eu-central-1",
    )
    conn_id: str | None = _drop_in(
        "aws_default",
        "The Airflow connection to AWS. If there is no `aws_default`: the standard AWS variables, files and roles.",
        "aws_default",
    )
    launch_type: LaunchType | None = _drop_in(
        None,
        "FARGATE, EC2, EXTERNAL or MANAGED_INSTANCES. If neither this nor a capacity provider is set: the cluster's "
        "default capacity providers, else FARGATE.",
        "FARGATE",
    )
    capacity_provider_strategy: Annotated[
        list[dict[str, Any]] | None, BeforeValidator(lambda value: value and parse_strategy(value))
    ] = _drop_in(
        None,
        "Capacity providers as name:weight:base or as a JSON list, at most 20; excludes launch_type.",
        "FARGATE_SPOT:3,FARGATE:1",
    )
    platform_version: str | None = _drop_in(
        None, "Platform version, for tasks on Fargate. Unset: the latest.", "1.4.0"
    )
    subnets: Names = _drop_in(
        (),
        "Subnets of the tasks, comma-separated, at most 16. Fargate needs one.",
        "subnet-1,subnet-2",
    )
    security_groups: Names = _drop_in(
        (),
        "Security groups of the tasks, comma-separated, at most 5. Unset: the VPC's default.",
        "sg-1",
    )
    assign_public_ip: bool = _drop_in(False, "Give the tasks public addresses, on Fargate.")  # noqa: FBT003  a default
    run_task_kwargs: Annotated[dict[str, Any], BeforeValidator(parse_json)] = _drop_in(
        {},
        "JSON: further members of the RunTask request, in camelCase or snake_case.",
        '{"tags": {"team": "data"}}',
        sensitive=True,
    )
    max_run_task_attempts: int = _drop_in(
        3,
        "How often a task that fails before its code runs is started in all. Lack of capacity and throttling cost none.",
        ge=1,
    )
    check_health_on_startup: bool = _drop_in(
        True,  # noqa: FBT003  a default
        "Ask ECS once at the start, and log what is wrong. The scheduler starts either way.",
    )
    queues: Annotated[dict[str, dict[str, Any]], BeforeValidator(parse_queues)] = _ours(
        {},
        "Profiles: what the tasks of an Airflow queue get instead. A JSON object, or the path of a JSON or YAML file; "
        "see docs/queues.md.",
        '{"gpu": {"taskDefinition": "airflow-gpu", "launchType": "EC2"}}',
        sensitive=True,
    )
    unknown_queue: Literal["default", "refuse"] = _ours(
        "default",
        "What becomes of a task whose queue has no profile, if there are any: `default` runs it as if there were none, and "
        "says so in its Audit Log; `refuse` fails it. Airflow's default queue needs no profile.",
        "refuse",
    )
    deployment: str = _ours(
        "default",
        "Names this Airflow in the `startedBy` of its ECS tasks: airflow/<deployment>/<run id>.",
        "production",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
    )
    payload_bucket: Annotated[str | None, BeforeValidator(parse_bucket)] = _ours(
        None,
        "An S3 bucket, or s3://bucket/prefix, for the workloads of tasks whose request is too long for ECS; see "
        "docs/sizes.md. Unset: such a task fails.",
        "s3://my-bucket/airflow",
    )
    concurrency: int = _ours(50, "RunTask calls in flight at once.", ge=1, le=1000)
    poll_interval: float = _ours(
        10.0,
        "The longest time between two looks at a running task; with more than 5,000 tasks it grows, to spare `read_rate`.",
        ge=1,
    )
    capacity_timeout: float = _ours(
        3600.0,
        "How long a task may wait for capacity, or for S3, before it is failed. Costs no start attempt.",
        ge=0,
    )
    launch_timeout: float = _ours(
        1800.0,
        "How long a launched task may take to run before it is stopped and started again; 0: for ever.",
        ge=0,
        le=LONGEST,
    )
    missing_grace: float = _ours(
        120.0,
        "How long ECS may take to show what it has started. AWS advises to ask for up to 300 seconds.",
        ge=0,
    )
    shutdown_timeout: float = _ours(
        10.0, "How long the scheduler's exit may take. Containers are not stopped.", ge=1, le=120
    )
    rate_share: float = _ours(
        1.0,
        "The part of each of the following rates and bursts that this executor may use, if others use the account too.",
        gt=0,
        le=1,
    )
    run_task_rate: float | None = _ours(
        None,
        "RunTask calls a second. Unset: the 20 that AWS allows on Fargate; elsewhere as `modify_rate`. 0: no limit.",
        "10",
        ge=0,
    )
    run_task_burst: float | None = _ours(
        None,
        "RunTask calls at once. Unset: the 20 that AWS allows on Fargate; elsewhere as `modify_burst`.",
        "10",
        ge=1,
    )
    modify_rate: float = _ours(
        40.0, "RunTask and StopTask calls a second; AWS allows 40 per account and Region. 0: no limit.", ge=0
    )
    modify_burst: float = _ours(100.0, "RunTask and StopTask calls at once; AWS allows 100.", ge=1)
    read_rate: float = _ours(
        20.0,
        "DescribeTasks and ListTasks calls a second; AWS allows 20 per account and Region. Half of them are for looking "
        "at running tasks. 0: no limit.",
        ge=0,
    )
    read_burst: float = _ours(100.0, "DescribeTasks and ListTasks calls at once; AWS allows 100.", ge=1)

    @property
    def on_fargate(self) -> bool:
        """Whether tasks start on Fargate, unless other layers say otherwise. The cluster's own default counts as yes."""
        members = {str(key).replace("_", "").lower(): value for key, value in self.run_task_kwargs.items()}
        strategy, launch_type = members.get("capacityproviderstrategy"), members.get("launchtype")
        if not (strategy or launch_type):
            strategy, launch_type = self.capacity_provider_strategy, self.launch_type
        return is_fargate(launch_type or "FARGATE", strategy)

    def _run_task_limit(self) -> Rate:
        default = Rate(20, 20) if self.on_fargate else Rate(self.modify_rate, self.modify_burst)
        per_second = default.per_second if self.run_task_rate is None else self.run_task_rate
        burst = default.burst if self.run_task_burst is None else self.run_task_burst
        return Rate(per_second, burst)

    @property
    def engine_options(self) -> EngineOptions:
        """What of it the engine needs."""
        return EngineOptions(
            started_by=f"airflow/{self.deployment}",
            concurrency=self.concurrency,
            poll_interval=self.poll_interval,
            launch_timeout=self.launch_timeout,
            missing_grace=self.missing_grace,
            payloads=self.payload_bucket or "",
            run_task_rate=self._run_task_limit().part(self.rate_share),
            modify_rate=Rate(self.modify_rate, self.modify_burst).part(self.rate_share),
            read_rate=Rate(self.read_rate, self.read_burst).part(self.rate_share),
        )


def is_drop_in(field: FieldInfo) -> bool:
    """Tell whether an option also stands in `[aws_ecs_executor]`."""
    return of_option(field, "drop_in") is True


def of_option(field: FieldInfo, what: str) -> Any:
    """Give an option's `example`, or whether it is `sensitive` or `drop_in`."""
    extra = field.json_schema_extra
    return extra.get(what) if isinstance(extra, dict) else None
