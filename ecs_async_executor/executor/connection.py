"""Resolves the executor's AWS connection through the Amazon provider, like every other Airflow component."""

from __future__ import annotations

import os
from typing import Any

import anyio.to_thread
from aiobotocore.config import AioConfig
from airflow.providers.amazon.aws.hooks.ecs import EcsHook
from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper
from airflow.secrets.environment_variables import CONN_ENV_PREFIX, EnvironmentVariablesBackend
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from ecs_async_executor.engine.aws.client import Connect, Connection
from ecs_async_executor.engine.diagnosis.faults import text_of
from ecs_async_executor.errors import ConfigurationError, ConnectError

DEFAULT_CONN_ID = "aws_default"


def resolve_connection(conn_id: str | None, region_name: str | None, option: str = "conn_id") -> Connect:
    """Look the connection up now; if it doesn't exist, raise a `ConfigurationError` that names `option`.

    Call it in the scheduler's thread, in `start()`: earlier, Airflow doesn't find connections kept in the
    metadata database. The returned function calls AWS only when the engine calls it (assuming a role takes an
    STS call). From its second call on, it looks the connection up again, to find rotated credentials.
    """
    hooks = [look_up(conn_id, region_name, option)]

    def connect() -> Connection:
        try:
            hook = hooks.pop()
        except IndexError:
            hook = look_up(conn_id, region_name, option)
        session = hook.get_session(region_name=hook.region_name, deferrable=True)
        _refresh_off_the_loop(session, conn_id)
        return Connection(
            session,
            region_name=hook.region_name,
            endpoint_url=hook.conn_config.get_service_endpoint_url("ecs"),
            s3_endpoint_url=hook.conn_config.get_service_endpoint_url("s3"),
            verify=hook.verify,
            config=AioConfig().merge(hook.config),
        )

    return connect


def effective_region(conn_id: str | None, region_name: str | None) -> tuple[str | None, str]:
    """Return the Region that calls go to, and where it is set.

    The option `region_name` wins over the connection, and that over botocore's own sources. This asks neither
    AWS nor the database nor a secrets backend.
    """
    if region_name:
        return region_name, "the option region_name"
    connection = EnvironmentVariablesBackend().get_connection(conn_id) if conn_id else None
    if connection is not None and (named := AwsConnectionWrapper(conn=connection).region_name):
        return named, f"the connection {conn_id} ({CONN_ENV_PREFIX}{str(conn_id).upper()})"
    unless = f", unless the connection {conn_id} says otherwise" if conn_id and connection is None else ""
    found = Session().get_config_variable("region")
    if found:
        origin = "AWS_DEFAULT_REGION" if os.environ.get("AWS_DEFAULT_REGION") else "AWS's configuration file"
        return str(found), f"{origin}{unless}"
    ignored = (
        "; botocore does not read AWS_REGION: set AWS_DEFAULT_REGION" if os.environ.get("AWS_REGION") else ""
    )
    return None, f"set nowhere{unless}{ignored}"


def look_up(conn_id: str | None, region_name: str | None, option: str = "conn_id") -> Any:
    """Return the provider's hook for the connection; if there is none, raise a `ConfigurationError` that names `option`."""
    hook = EcsHook(aws_conn_id=conn_id, region_name=region_name)
    try:
        exists = bool(hook.conn_config)
    except (AttributeError, BotoCoreError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{option}: the extra of the Airflow connection {conn_id!r} can't be used ({text_of(error)}). "
            "In it `config_kwargs` is a JSON object, not text, with the members of botocore.config.Config."
        ) from error
    # The provider only warns about a missing connection and uses the environment's credentials instead. For
    # its own default that is what everyone expects; for any other connection it may be the wrong account.
    if conn_id not in {None, DEFAULT_CONN_ID} and not exists:
        raise ConfigurationError(
            f"{option}: there is no Airflow connection {conn_id!r}, or none that Airflow can read. "
            "Create it, or correct the option. "
            "If it is a URI, its secret must be URL-encoded (%2F for /, %2B for +)."
        )
    return hook


def _refresh_off_the_loop(session: Any, conn_id: str | None) -> None:
    """Refresh assumed-role credentials in a worker thread: the provider's refresh is a blocking STS call."""
    credentials = session._credentials  # noqa: SLF001  where the provider puts them; there is no other way
    refresh = getattr(credentials, "_refresh_using", None)
    if refresh is None:
        return

    async def refresh_in_thread() -> Any:
        try:
            return await anyio.to_thread.run_sync(refresh, abandon_on_cancel=True)
        except Exception as error:
            raise ConnectError(
                f"The credentials of the connection {conn_id!r} can't be refreshed."
            ) from error

    credentials._refresh_using = refresh_in_thread  # noqa: SLF001  as above
