"""The options: one table defines the settings, the `airflow config` entries and the reference page.

Options of `[aws_ecs_executor]` keep their documented names, so that switching takes one line. A value in
`[ecs_async_executor]` overrides them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

from ecs_async_executor.config.folding import fold
from ecs_async_executor.config.parsing import (
    parse_bucket,
    parse_json,
    parse_launch_type,
    parse_list,
    parse_strategy,
)
from ecs_async_executor.config.placement import is_fargate
from ecs_async_executor.config.queue_files import parse_queues
from ecs_async_executor.config.task_tags import parse_task_tags
from ecs_async_executor.engine.options import EngineOptions, Rate
from ecs_async_executor.task_cost import Price, parse_prices

SECTION = "ecs_async_executor"
DROP_IN_SECTION = "aws_ecs_executor"
_ENGINE = EngineOptions()
LONGEST = 30 * 86400.0
"""Upper limit of `launch_timeout` in seconds: how long a task's token stays valid."""
YOUNGEST_STANDBY = 360.0
"""Lower limit of `standby_max_age` in seconds: each is replaced 180 s before it ends, so there are
never more than two in one place."""
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

    Airflow hides the value of a sensitive option and also reads its _CMD and _SECRET forms. `required_unless_in` names
    the option that may set the same value instead.
    """
    extra: JsonDict = {"drop_in": True, "example": example or str(default), "sensitive": sensitive}
    if required_unless_in:
        extra["required_unless_in"] = required_unless_in
    return Field(default, description=description, json_schema_extra=extra, **rules)


def _ours(
    default: Any, description: str, example: str | None = None, *, sensitive: bool = False, **rules: Any
) -> Any:
    """Declare an option that only `[ecs_async_executor]` has."""
    extra: JsonDict = {"drop_in": False, "example": example or str(default), "sensitive": sensitive}
    return Field(default, description=description, json_schema_extra=extra, **rules)


class Settings(BaseModel):
    """All options, checked. Times are in seconds, rates in calls per second."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)

    cluster: str = _drop_in(..., "Name or ARN of the ECS cluster that runs the tasks.", "my-cluster")
    container_name: str = _drop_in(
        ..., "Container in the task definition that runs Airflow. Only its exit code counts.", "airflow"
    )
    task_definition: str | None = _drop_in(
        None,
        "Task definition: family (its latest revision), family:revision or ARN.",
        "airflow-task",
        required_unless_in="run_task_kwargs",
    )
    region_name: str | None = _drop_in(
        None,
        "AWS Region; `region` works too. If unset: the connection's Region, else the environment's.",
        "eu-central-1",
    )
    conn_id: str | None = _drop_in(
        "aws_default",
        "Airflow connection to AWS. If `aws_default` doesn't exist, the standard AWS variables, files and roles apply.",
        "aws_default",
    )
    launch_type: LaunchType | None = _drop_in(
        None,
        "FARGATE, EC2, EXTERNAL or MANAGED_INSTANCES. If neither this nor a capacity provider is set: the cluster's "
        "default capacity providers, or FARGATE if it has none.",
        "FARGATE",
    )
    capacity_provider_strategy: Annotated[
        list[dict[str, Any]] | None, BeforeValidator(lambda value: value and parse_strategy(value))
    ] = _drop_in(
        None,
        "Up to 20 capacity providers, as name:weight:base or a JSON list. Can't be combined with `launch_type`.",
        "FARGATE_SPOT:3,FARGATE:1",
    )
    platform_version: str | None = _drop_in(None, "Fargate platform version. If unset: the latest.", "1.4.0")
    subnets: Names = _drop_in(
        (),
        "Up to 16 subnets for the tasks, separated by commas. Fargate needs at least one.",
        "subnet-1,subnet-2",
    )
    security_groups: Names = _drop_in(
        (),
        "Up to 5 security groups for the tasks, separated by commas. If unset: the VPC's default group.",
        "sg-1",
    )
    assign_public_ip: bool = _drop_in(False, "Give tasks on Fargate a public IP address.")  # noqa: FBT003  a default
    run_task_kwargs: Annotated[dict[str, Any], BeforeValidator(parse_json)] = _drop_in(
        {},
        "More members of the RunTask request, as a JSON object in camelCase or snake_case.",
        '{"tags": {"team": "data"}}',
        sensitive=True,
    )
    max_run_task_attempts: int = _drop_in(
        3,
        "Total attempts to start a task that fails before its code runs. Lack of capacity and throttling don't count.",
        ge=1,
    )
    check_health_on_startup: bool = _drop_in(
        True,  # noqa: FBT003  a default
        "Call ECS once at startup and log any problem. The scheduler starts either way.",
    )
    queues: Annotated[dict[str, dict[str, Any]], BeforeValidator(parse_queues)] = _ours(
        {},
        "Profiles that change the request for tasks of an Airflow queue: a JSON object, or the path of a JSON or YAML "
        "file. See docs/queues.md.",
        '{"gpu": {"taskDefinition": "airflow-gpu", "launchType": "EC2"}}',
        sensitive=True,
    )
    unknown_queue: Literal["default", "refuse"] = _ours(
        "default",
        "What to do with a task whose queue has no profile, once `queues` is set: `default` runs it without a profile "
        "and notes that in its Audit Log; `refuse` fails it. Airflow's default queue needs no profile.",
        "refuse",
    )
    task_tags: Annotated[dict[str, str | None], BeforeValidator(parse_task_tags)] = _ours(
        {},
        "Tags of each ECS task, as a JSON object of templates: in braces, bundle, dag_id, owner, queue, run_id, run_type, "
        "task_id, team. Needs ecs:TagResource. See docs/cost.md.",
        '{"dag": "{dag_id}", "task": "{task_id}"}',
    )
    deployment: str = _ours(
        "default",
        "Name of this Airflow in the `startedBy` of its ECS tasks: `airflow/<deployment>/<run id>`.",
        "production",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
    )
    payload_bucket: Annotated[str | None, BeforeValidator(parse_bucket)] = _ours(
        None,
        "S3 bucket, or s3://bucket/prefix, for workloads too long for a RunTask request, whose tasks fail without it, and for "
        "standbys. See docs/long-workloads.md.",
        "s3://my-bucket/airflow",
    )
    standby: int = _ours(
        0,
        "ECS tasks that each scheduler keeps started for tasks whose queue has no profile; each runs one of them, without the "
        "wait for a container. An idle one costs what a running task does: with 0.25 vCPU and 0.5 GB about $9 a month "
        "(us-east-1). Needs `payload_bucket`. See docs/warm-start.md.",
        "2",
        ge=0,
    )
    standby_max_age: float = _ours(
        3600.0,
        "Seconds after which a standby that got no task ends. Another one starts three minutes before, and takes its place.",
        ge=YOUNGEST_STANDBY,
    )
    concurrency: int = _ours(
        _ENGINE.concurrency, "Maximum number of RunTask calls in flight at once.", ge=1, le=1000
    )
    poll_interval: float = _ours(
        _ENGINE.poll_interval,
        "Longest time between two polls of a running task, in seconds. With over 5,000 tasks it grows, to save `read_rate`.",
        ge=1,
    )
    capacity_timeout: float = _ours(
        3600.0,
        "Seconds a task may wait for capacity or S3 before it fails. Waiting doesn't use up a start attempt.",
        ge=0,
    )
    launch_timeout: float = _ours(
        _ENGINE.launch_timeout,
        "Seconds a launched task may take to reach RUNNING before it is stopped and started again. 0: no limit.",
        ge=0,
        le=LONGEST,
    )
    missing_grace: float = _ours(
        _ENGINE.missing_grace,
        "Seconds to wait until a new ECS task shows up in DescribeTasks. AWS advises retrying for up to 300 seconds.",
        ge=0,
    )
    shutdown_timeout: float = _ours(
        10.0, "Seconds the executor may take when the scheduler exits. Containers keep running.", ge=1, le=120
    )
    task_log_lines: int = _ours(
        1000,
        "Lines of a running task's container that its log page shows, the last ones, from CloudWatch Logs. 0: none. "
        "See docs/logs.md.",
        ge=0,
        le=9_999,
    )
    last_log_lines: int = _ours(
        100,
        "Lines of a container that died before Airflow could store its log: the last ones go into that log, else into the "
        "Audit Log. 0: none. See docs/logs.md.",
        ge=0,
        le=9_999,
    )
    log_cost: bool = _ours(
        False,  # noqa: FBT003  a default
        "When an ECS task has ended, write what it has used and cost into its task's Audit Log. See docs/cost.md.",
        "True",
    )
    task_prices: Annotated[tuple[Price, ...], BeforeValidator(parse_prices)] = _ours(
        (),
        "US dollars for a vCPU-hour and a GB-hour, as name:vCPU:GB, by capacity provider or launch type. If unset: AWS's "
        "public ones, only of Fargate on demand in us-east-1.",
        "FARGATE:0.04048:0.004445,FARGATE/ARM64:0.03238:0.00356",
    )
    rate_share: float = _ours(
        1.0,
        "Fraction of the configured rates and bursts that this executor may use, if other clients share the AWS account.",
        gt=0,
        le=1,
    )
    run_task_rate: float | None = _ours(
        None,
        "RunTask calls per second. If unset: 20 on Fargate (AWS's limit), elsewhere `modify_rate`. 0: no limit.",
        "10",
        ge=0,
    )
    run_task_burst: float | None = _ours(
        None,
        "Burst of RunTask calls. If unset: 20 on Fargate (AWS's limit), elsewhere `modify_burst`.",
        "10",
        ge=1,
    )
    modify_rate: float = _ours(
        _ENGINE.modify_rate.per_second,
        "RunTask and StopTask calls per second. AWS allows 40 per account and Region. 0: no limit.",
        ge=0,
    )
    modify_burst: float = _ours(
        _ENGINE.modify_rate.burst, "Burst of RunTask and StopTask calls. AWS allows 100.", ge=1
    )
    read_rate: float = _ours(
        _ENGINE.read_rate.per_second,
        "DescribeTasks and ListTasks calls per second. AWS allows 20 per account and Region. Polling running tasks uses "
        "up to half. 0: no limit.",
        ge=0,
    )
    read_burst: float = _ours(
        _ENGINE.read_rate.burst, "Burst of DescribeTasks and ListTasks calls. AWS allows 100.", ge=1
    )

    @property
    def on_fargate(self) -> bool:
        """Whether tasks start on Fargate unless another layer changes that. The cluster's own default counts as yes."""
        members = {fold(key): value for key, value in self.run_task_kwargs.items()}
        strategy, launch_type = members.get("capacityproviderstrategy"), members.get("launchtype")
        if not (strategy or launch_type):
            strategy, launch_type = self.capacity_provider_strategy, self.launch_type
        return is_fargate(launch_type or "FARGATE", strategy)

    def _run_task_limit(self) -> Rate:
        default = _ENGINE.run_task_rate if self.on_fargate else Rate(self.modify_rate, self.modify_burst)
        per_second = default.per_second if self.run_task_rate is None else self.run_task_rate
        burst = default.burst if self.run_task_burst is None else self.run_task_burst
        return Rate(per_second, burst)

    @property
    def engine_options(self) -> EngineOptions:
        """The options the engine needs."""
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
            definition_rate=_ENGINE.definition_rate.part(self.rate_share),
            register_rate=_ENGINE.register_rate.part(self.rate_share),
        )


def is_drop_in(field: FieldInfo) -> bool:
    """Tell whether `[aws_ecs_executor]` has this option too."""
    return of_option(field, "drop_in") is True


def of_option(field: FieldInfo, what: str) -> Any:
    """Return an option's `example`, or whether it is `sensitive` or `drop_in`."""
    extra = field.json_schema_extra
    return extra.get(what) if isinstance(extra, dict) else None
