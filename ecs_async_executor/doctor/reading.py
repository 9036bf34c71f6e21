"""Reads what the options say: the executor's configuration, and Airflow's options that matter here. Calls no AWS API."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ecs_async_executor import aws_regions
from ecs_async_executor.config.configuration import Configuration, read_configuration, time_warnings
from ecs_async_executor.config.delivery import SHORTEST_WORKLOAD, Delivery, in_command
from ecs_async_executor.config.explain import origin_of
from ecs_async_executor.config.profiles import Profile
from ecs_async_executor.config.reading import unknown_team
from ecs_async_executor.config.sources import airflow_conf, known_teams, where
from ecs_async_executor.config.standby import number_warnings
from ecs_async_executor.doctor.aws.clients import Aws
from ecs_async_executor.doctor.aws.errors import fact_of
from ecs_async_executor.doctor.facts import Kind, Question, Unknown
from ecs_async_executor.doctor.gather import within
from ecs_async_executor.doctor.setup import JwtKey, Option, Setup, Target
from ecs_async_executor.engine.diagnosis.faults import text_of
from ecs_async_executor.errors import ConfigurationError, InvalidRequestError, OptionsError

OPTIONS = (
    "core.executor",
    "core.execution_api_server_url",
    "core.parallelism",
    "core.max_active_tasks_per_dag",
    "scheduler.max_tis_per_query",
    "api.base_url",
    "api_auth.jwt_leeway",
    "logging.remote_logging",
    "logging.remote_base_log_folder",
    "logging.remote_log_conn_id",
    "scheduler.task_queued_timeout",
    "dag_processor.dag_bundle_config_list",
)
"""Airflow's options that checks read. None of them holds a secret."""
_DEFAULT_CONN_ID = "aws_default"


def read_setup(team: str | None = None) -> tuple[Setup, Aws | None, Configuration | None]:
    """Return what is known without asking AWS, the connection to ask AWS over, and the executor's configuration.

    The connection is None if it can't be used, the configuration if it has problems. Raises `ConfigurationError` for a team
    that has no executor.
    """
    from airflow.executors.base_executor import ExecutorConf  # noqa: PLC0415  a second of imports

    if team is not None and team not in known_teams():
        raise ConfigurationError(unknown_team(team))
    airflow = airflow_conf()
    common: dict[str, Any] = {
        "options": {name: _option(airflow, name) for name in OPTIONS},
        "api_url": _api_url(airflow),
        "jwt": _jwt(airflow),
        "bundles": _bundles(airflow),
        "airflow": _version("apache-airflow-core"),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    try:
        configuration = read_configuration(ExecutorConf(team))
    except OptionsError as error:
        return Setup(problems=tuple(error.problems), **common), None, None
    settings = configuration.settings
    aws, problem, todo = _connected(settings.conn_id, settings.region_name)
    checked_here = {  # by checks that know more
        *time_warnings(configuration.profiles, configuration.queued_timeout),
        *number_warnings(configuration.standby_pools, configuration.parallelism),
    }
    setup = Setup(
        settings=settings,
        targets=tuple(_target(each, configuration) for each in configuration.profiles),
        warnings=tuple(each for each in configuration.warnings if each not in checked_here),
        connection_problem=problem,
        connection_todo=todo,
        regions=aws_regions.known(),
        region=(aws.region or "") if aws else settings.region_name or "",
        local=aws.local if aws and aws.region else False,
        queued_timeout=configuration.queued_timeout,
        longest_queued=max(each.longest_queued for each in configuration.profiles),
        **common,
    )
    return setup, aws, configuration


def _target(profile: Profile, configuration: Configuration) -> Target:
    workload = "x" * SHORTEST_WORKLOAD
    deliver = Delivery(configuration.bucket, "0" * 36, workload) if configuration.bucket else None
    origin = partial(
        origin_of,
        layers=profile.template.layers,
        container=profile.template.container,
        found=configuration.found,
    )
    template = profile.template
    common = (profile.name or "default", template.cluster, template.container)
    target = partial(
        Target, *common, origin=origin, standby=profile.standby, standby_max_age=profile.standby_max_age
    )
    memory = tuple(size.memory for size in profile.sizes if size.memory is not None)
    try:
        request = profile.request(in_command(workload), None, deliver=deliver)
        return target(request, memory=memory)
    except InvalidRequestError as error:
        return target(None, error.problem, error.remedy)


def _connected(conn_id: str | None, region_name: str | None) -> tuple[Aws | None, str, str]:
    """Return the connection; or None, why it can't be used, and what to do."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook  # noqa: PLC0415  a second of imports

    hook: Any = AwsBaseHook(aws_conn_id=conn_id, client_type="ecs", region_name=region_name)
    try:
        aws, problem = within(partial(_connect, hook, conn_id))
    except TimeoutError as error:
        todo = "Check Airflow's database and secrets backend, which may hold it, and AWS STS, if it assumes a role."
        return None, f"The Airflow connection {conn_id!r} can't be used: {error}", todo
    except Exception as error:  # noqa: BLE001  connections come from anywhere: a database, a secrets backend, STS
        fact = fact_of(error, Question(Kind.IDENTITY))
        why, todo = (fact.why, fact.todo) if isinstance(fact, Unknown) else (text_of(error)[:300], "")
        return None, f"The Airflow connection {conn_id!r} can't be used: {why}", todo
    return aws, problem, ""


def _connect(hook: Any, conn_id: str | None) -> tuple[Aws | None, str]:
    """Connect, and raise whatever keeps the connection from making a client."""
    exists = bool(hook.conn_config)
    region = hook.region_name or hook.get_session().region_name
    # As in executor/connection.py: the provider only warns, and uses the environment's credentials instead.
    if conn_id not in {None, _DEFAULT_CONN_ID} and not exists:
        return None, f"There is no Airflow connection {conn_id!r}, or none that this host can read."
    aws = Aws(conn_id, region)
    if region:
        aws.client("ecs")
    return aws, ""


def _option(airflow: Any, name: str) -> Option:
    section, _, key = name.partition(".")
    try:
        value = airflow.get(section, key, fallback=None)
    except Exception as error:  # noqa: BLE001  a command or a secrets backend may fail in any way
        return Option("", f"unreadable: {type(error).__name__}")
    return Option(str(value or ""), where(airflow, section, key))


def _api_url(airflow: Any) -> str:
    """Return the address that Airflow's own code would take on this host."""
    from airflow.executors.base_executor import get_execution_api_server_url  # noqa: PLC0415  as above

    return str(get_execution_api_server_url(airflow))


def _jwt(airflow: Any) -> JwtKey:
    if path := airflow.get("api_auth", "jwt_private_key_path", fallback=None):
        readable = os.access(path, os.R_OK)
        problem = "" if readable else f"[api_auth] jwt_private_key_path is {path}, which can't be read here"
        return JwtKey(
            where=where(airflow, "api_auth", "jwt_private_key_path"), private_key=True, problem=problem
        )
    origin = where(airflow, "api_auth", "jwt_secret")
    try:
        secret = airflow.get("api_auth", "jwt_secret", fallback=None)
    except Exception as error:  # noqa: BLE001  as in `_option`
        return JwtKey(where=origin, problem=f"[api_auth] jwt_secret can't be read: {type(error).__name__}")
    if not secret or origin == "default":
        return JwtKey(where=origin, problem="[api_auth] jwt_secret is not set")
    return JwtKey(len(str(secret).encode()), origin)


def _bundles(airflow: Any) -> tuple[str, ...]:
    """Return the names of the Dag bundles, without importing their classes."""
    try:
        configured = json.loads(airflow.get("dag_processor", "dag_bundle_config_list", fallback="") or "[]")
        return tuple(str(each["name"]) for each in configured)
    except (ValueError, TypeError, KeyError):
        return ()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
