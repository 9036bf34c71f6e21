"""The options: one table, which makes the settings, the `airflow config` entries and the reference page.

`[aws_ecs_executor]` is read under its documented names, so that switching costs one line; what stands in
`[ecs_async_executor]` wins over it.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from ecs_async_executor.engine.options import EngineOptions, Rate
from ecs_async_executor.errors import ConfigurationError

SECTION = "ecs_async_executor"
DROP_IN_SECTION = "aws_ecs_executor"
_SPELLINGS = {"region_name": ("region_name", "region")}


def _parse_list(value: object) -> object:
    """Take `a, b`, or a JSON list."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        return _parse_json(text)
    return [part.strip() for part in text.split(",") if part.strip()]


def _parse_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg} at character {error.pos + 1}") from error


Names = Annotated[tuple[str, ...], BeforeValidator(_parse_list)]


def _drop_in(default: Any, description: str, example: str | None = None, **rules: Any) -> Any:
    """Declare an option of `[aws_ecs_executor]`, which `[ecs_async_executor]` may override."""
    return Field(
        default, description=description, json_schema_extra={"drop_in": True, "example": example}, **rules
    )


def _ours(default: Any, description: str, example: str | None = None, **rules: Any) -> Any:
    """Declare an option of `[ecs_async_executor]` only."""
    return Field(
        default, description=description, json_schema_extra={"drop_in": False, "example": example}, **rules
    )


class Settings(BaseModel):
    """All options, checked. Times are in seconds, rates in calls a second."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    cluster: str = _drop_in(..., "Name or ARN of the ECS cluster that runs the tasks.", "my-cluster")
    container_name: str = _drop_in(
        ..., "The container of the task definition that runs Airflow. Its exit code decides.", "airflow"
    )
    task_definition: str | None = _drop_in(
        None,
        "Family, family:revision or ARN of the task definition. A family means its latest revision.",
        "airflow-task",
    )
    region_name: str | None = _drop_in(
        None,
        "AWS Region; also read as `region`. Unset: the connection's, else the environment's.",
        "eu-central-1",
    )
    conn_id: str | None = _drop_in(
        "aws_default",
        "The Airflow connection to AWS. If there is no `aws_default`: the standard AWS variables, files and roles.",
    )
    launch_type: Literal["FARGATE", "EC2", "EXTERNAL", "MANAGED_INSTANCES"] | None = _drop_in(
        None,
        "FARGATE, EC2, EXTERNAL or MANAGED_INSTANCES. FARGATE if neither this nor a capacity provider is set.",
    )
    capacity_provider_strategy: Annotated[list[dict[str, Any]] | None, BeforeValidator(_parse_json)] = (
        _drop_in(
            None,
            "JSON list of capacity providers, at most 20; excludes launch_type.",
            '[{"capacityProvider": "FARGATE_SPOT", "weight": 1}]',
            max_length=20,
        )
    )
    platform_version: str | None = _drop_in(None, "Fargate's platform version. Unset: the latest.", "1.4.0")
    subnets: Names = _drop_in(
        (),
        "Subnets of the tasks, comma-separated, at most 16. Fargate needs one.",
        "subnet-1,subnet-2",
        max_length=16,
    )
    security_groups: Names = _drop_in(
        (),
        "Security groups of the tasks, comma-separated, at most 5. Unset: the VPC's default.",
        "sg-1",
        max_length=5,
    )
    assign_public_ip: bool = _drop_in(False, "Give the tasks public addresses.")  # noqa: FBT003  a default
    run_task_kwargs: Annotated[dict[str, Any], BeforeValidator(_parse_json)] = _drop_in(
        {},
        "JSON: further members of the RunTask request, in camelCase or snake_case.",
        '{"tags": {"team": "data"}}',
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
    deployment: str = _ours(
        "default",
        "Names this Airflow in the `startedBy` of its ECS tasks: airflow/<deployment>/<run id>.",
        "production",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
    )
    concurrency: int = _ours(50, "RunTask calls in flight at once.", ge=1, le=1000)
    poll_interval: float = _ours(
        10.0,
        "The longest time between two looks at a running task; with more than 5,000 tasks it grows, to spare `read_rate`.",
        ge=1,
    )
    capacity_timeout: float = _ours(
        3600.0, "How long a task may wait for capacity before it is failed. Costs no start attempt.", ge=0
    )
    launch_timeout: float = _ours(
        1800.0,
        "How long a launched task may take to run before it is stopped and started again; 0: for ever.",
        ge=0,
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
        ge=0,
    )
    run_task_burst: float | None = _ours(
        None,
        "RunTask calls at once. Unset: the 20 that AWS allows on Fargate; elsewhere as `modify_burst`.",
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
        """Whether tasks start on Fargate, unless their own `executor_config` says otherwise."""
        members = {str(key).replace("_", "").lower(): value for key, value in self.run_task_kwargs.items()}
        providers = members.get("capacityproviderstrategy") or self.capacity_provider_strategy
        if providers:
            return "'FARGATE" in str(providers)  # FARGATE or FARGATE_SPOT; names of one's own can't begin so
        return (members.get("launchtype") or self.launch_type or "FARGATE") == "FARGATE"

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
            run_task_rate=self._run_task_limit().part(self.rate_share),
            modify_rate=Rate(self.modify_rate, self.modify_burst).part(self.rate_share),
            read_rate=Rate(self.read_rate, self.read_burst).part(self.rate_share),
        )


class Conf(Protocol):
    """What of Airflow's configuration is needed: `conf`, or a team's `ExecutorConf`."""

    def get(self, section: str, key: str, *, fallback: str | None) -> str | None:
        """Look an option up, with its environment, _CMD and _SECRET forms."""


def is_drop_in(field: FieldInfo) -> bool:
    """Tell whether an option also stands in `[aws_ecs_executor]`."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and extra.get("drop_in") is True


def load_settings(conf: Conf) -> Settings:
    """Read and check all options; raises one `ConfigurationError` that lists everything that is wrong."""
    problems: list[str] = []
    raw: dict[str, str] = {}
    for name, field in Settings.model_fields.items():
        value = _look_up(conf, name, field)
        if value is not None:
            raw[name] = value
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        problems += [_explain(str(each["loc"][0]), each["type"], each["msg"]) for each in error.errors()]
    problems += _check_together(raw)
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise ConfigurationError(f"AsyncEcsExecutor can't start; {len(problems)} to correct:\n{lines}")
    return settings


def _look_up(conf: Conf, name: str, field: FieldInfo) -> str | None:
    sections = (SECTION, DROP_IN_SECTION) if is_drop_in(field) else (SECTION,)
    for section in sections:
        for spelling in _SPELLINGS.get(name, (name,)):
            value = conf.get(section, spelling, fallback=None)
            if value is not None and str(value).strip():
                return str(value)
    return None


def _explain(name: str, kind: str, message: str) -> str:
    field = Settings.model_fields[name]
    section = DROP_IN_SECTION if is_drop_in(field) else SECTION
    what = "it is required, but not set" if kind == "missing" else message.removeprefix("Value error, ")
    return f"[{section}] {name}: {what}. It means: {field.description}"


def _check_together(raw: dict[str, str]) -> list[str]:
    """Check what concerns several options. Works on the raw values, so that all problems are found at once."""
    problems = []
    kwargs = _members(raw.get("run_task_kwargs"))
    if "task_definition" not in raw and "taskdefinition" not in kwargs:
        problems.append(_explain("task_definition", "missing", ""))
    if "launch_type" in raw and "capacity_provider_strategy" in raw:
        problems.append(
            f"[{DROP_IN_SECTION}] launch_type: it excludes capacity_provider_strategy, which is set too."
            " Remove one of them."
        )
    elsewhere = {"launchtype", "capacityproviderstrategy"} & kwargs or "capacity_provider_strategy" in raw
    fargate = raw.get("launch_type", "FARGATE") == "FARGATE" and not elsewhere
    if fargate and "subnets" not in raw and "networkconfiguration" not in kwargs:
        problems.append(f"[{DROP_IN_SECTION}] subnets: Fargate tasks need at least one subnet.")
    return problems


def _members(run_task_kwargs: str | None) -> set[str]:
    """Give the members that `run_task_kwargs` sets, whatever their spelling."""
    try:
        value = json.loads(run_task_kwargs or "{}")
    except json.JSONDecodeError:
        return set()  # reported by the model
    return {str(key).replace("_", "").lower() for key in value} if isinstance(value, dict) else set()
