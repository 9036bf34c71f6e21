from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import BaseSessionFactory
from botocore.exceptions import ClientError

from ecs_async_executor.engine.aws.client import Connect
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.diagnosis.call_failures import PAUSING, Failure, classify
from ecs_async_executor.errors import ConfigurationError, ConnectError
from ecs_async_executor.executor.connection import resolve_connection
from tests.support.moto import serve_moto

ROLE = "arn:aws:iam::123456789012:role/airflow"

SetConnection = Callable[..., None]


@pytest.fixture
def set_connection(monkeypatch: pytest.MonkeyPatch) -> SetConnection:
    """Define an Airflow connection of type aws in its environment variable."""

    def define(conn_id: str, *, login: str = "", password: str = "", **extra: Any) -> None:
        uri = {"conn_type": "aws", "login": login, "password": password, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(uri))

    return define


@pytest.fixture(scope="module")
def sts() -> Iterator[str]:
    with serve_moto() as url:
        yield url


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def failure_by(connect: Connect) -> Failure:
    """Return how the engine classifies the failure of a call over this connection."""
    client = EcsClient(connect, pool_size=1, call_timeout=10)
    with pytest.raises(ConnectError) as raised:
        await client.run_task({"taskDefinition": "airflow-task"})
    await client.aclose()
    return classify(raised.value)


async def frozen_credentials(session: Any) -> Any:
    credentials = await session.get_credentials()
    return await credentials.get_frozen_credentials()


# --- what the connection sets -------------------------------------------------------------------------------


async def test_without_an_aws_default_connection_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    connection = resolve_connection("aws_default", "eu-central-1")()
    assert (await frozen_credentials(connection.session)).access_key == "of-the-environment"
    assert connection.region_name == "eu-central-1"
    assert connection.endpoint_url is None


async def test_an_empty_connection_id_means_the_environment_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    connection = resolve_connection(None, None)()
    assert (await frozen_credentials(connection.session)).access_key == "of-the-environment"


def test_the_environment_does_not_replace_a_missing_named_connection() -> None:
    with pytest.raises(ConfigurationError, match="conn_id: there is no Airflow connection 'production'"):
        resolve_connection("production", None)


async def test_static_keys_come_from_the_connection(set_connection: SetConnection) -> None:
    set_connection("mine", login="the-key", password="the-secret", region_name="eu-west-1")
    connection = resolve_connection("mine", None)()
    credentials = await frozen_credentials(connection.session)
    assert (credentials.access_key, credentials.secret_key) == ("the-key", "the-secret")
    assert connection.region_name == "eu-west-1"
    assert "the-secret" not in repr(connection)


def test_the_option_wins_over_the_connections_region(set_connection: SetConnection) -> None:
    set_connection("mine", region_name="eu-west-1")
    assert resolve_connection("mine", "us-east-1")().region_name == "us-east-1"


@pytest.mark.parametrize(
    "extra",
    [
        {"endpoint_url": "http://127.0.0.1:1"},
        {"endpoint_url": "http://other", "service_config": {"ecs": {"endpoint_url": "http://127.0.0.1:1"}}},
    ],
)
def test_the_endpoint_comes_from_the_connections_extra(
    set_connection: SetConnection, extra: dict[str, Any]
) -> None:
    set_connection("mine", **extra)
    assert resolve_connection("mine", None)().endpoint_url == "http://127.0.0.1:1"


def test_s3_may_have_another_endpoint(set_connection: SetConnection) -> None:
    set_connection("mine", service_config={"s3": {"endpoint_url": "http://127.0.0.1:2"}})
    connection = resolve_connection("mine", None)()
    assert (connection.endpoint_url, connection.s3_endpoint_url) == (None, "http://127.0.0.1:2")


def test_botocore_settings_and_verify_come_from_the_connections_extra(set_connection: SetConnection) -> None:
    set_connection("mine", verify=False, config_kwargs={"user_agent_extra": "team-data"})
    connection = resolve_connection("mine", None)()
    assert connection.verify is False
    assert connection.config is not None
    assert connection.config.user_agent_extra == "team-data"


async def test_a_profile_is_read_from_the_shared_files(
    set_connection: SetConnection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    file.write_text("[team]\naws_access_key_id = of-the-profile\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    set_connection("mine", profile_name="team")
    connection = resolve_connection("mine", None)()
    assert (await frozen_credentials(connection.session)).access_key == "of-the-profile"


async def test_the_engine_finds_rotated_keys_when_it_connects_again(set_connection: SetConnection) -> None:
    set_connection("mine", login="old", password="s")
    connect = resolve_connection("mine", None)
    assert (await frozen_credentials(connect().session)).access_key == "old"
    set_connection("mine", login="new", password="s")
    assert (await frozen_credentials(connect().session)).access_key == "new"


async def test_a_connection_deleted_later_pauses_the_engine(
    set_connection: SetConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_connection("mine")
    connect = resolve_connection("mine", None)
    connect()
    monkeypatch.delenv("AIRFLOW_CONN_MINE")
    failure = await failure_by(connect)
    assert failure.kind in PAUSING
    assert "there is no Airflow connection 'mine'" in failure.diagnosis.detail


@pytest.mark.parametrize(
    ("config_kwargs", "mentioned"),
    [
        ({"retriess": 1}, "retriess"),
        ('{"read_timeout": 5}', "JSON object, not text"),
        ({"retries": {"attempts": 5}}, "attempts"),
    ],
    ids=["unknown member", "text", "unknown retry option"],
)
def test_an_extra_that_botocore_rejects_is_reported_at_startup(
    set_connection: SetConnection, config_kwargs: object, mentioned: str
) -> None:
    set_connection("mine", login="k", password="the-secret", config_kwargs=config_kwargs)
    with pytest.raises(
        ConfigurationError, match="conn_id: the extra of the Airflow connection 'mine'"
    ) as raised:
        resolve_connection("mine", None)
    assert mentioned in str(raised.value)
    assert "the-secret" not in str(raised.value)


def test_the_error_mentions_that_a_uris_secret_may_not_be_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", "aws://AKIA:abc/def+x@/")
    with pytest.raises(ConfigurationError, match="URL-encoded") as raised:
        resolve_connection("mine", None)
    assert "abc" not in str(raised.value)


# --- roles --------------------------------------------------------------------------------------------------


async def test_a_role_is_assumed_at_sts(set_connection: SetConnection, sts: str) -> None:
    set_connection(
        "mine", login="k", password="s", role_arn=ROLE, service_config={"sts": {"endpoint_url": sts}}
    )
    connection = resolve_connection("mine", "us-east-1")()
    credentials = await frozen_credentials(connection.session)
    assert credentials.access_key.startswith("ASIA")
    assert credentials.token


async def test_a_role_is_assumed_by_web_identity(
    set_connection: SetConnection, sts: str, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("a-web-identity-token")
    set_connection(
        "mine",
        role_arn=ROLE,
        assume_role_method="assume_role_with_web_identity",
        assume_role_with_web_identity_federation="file",
        assume_role_with_web_identity_token_file=str(token),
        service_config={"sts": {"endpoint_url": sts}},
    )
    connection = resolve_connection("mine", "us-east-1")()
    assert (await frozen_credentials(connection.session)).access_key.startswith("ASIA")


async def test_an_unreachable_sts_pauses_the_engine(set_connection: SetConnection, closed_port: int) -> None:
    set_connection(
        "mine",
        login="k",
        password="s",
        role_arn=ROLE,
        service_config={"sts": {"endpoint_url": f"http://127.0.0.1:{closed_port}"}},
        config_kwargs={"retries": {"total_max_attempts": 1}},
    )
    failure = await failure_by(resolve_connection("mine", "us-east-1"))
    assert failure.kind in PAUSING
    assert "EndpointConnectionError" in failure.diagnosis.detail


class Sts:
    """Returns credentials that are about to expire, then new ones from a slow STS call."""

    def __init__(self) -> None:
        self.calls: list[threading.Thread] = []
        self.answer = threading.Event()
        self.error: Exception | None = None
        self.answered_in_time = False

    def refresh(self) -> dict[str, str]:
        self.calls.append(threading.current_thread())
        minutes = 60
        if len(self.calls) == 1:
            minutes = 1
        else:
            self.answered_in_time = self.answer.wait(20)
            if self.error is not None:
                raise self.error
        expiry = dt.datetime.now(dt.timezone.utc) + dt.timedelta(minutes=minutes)
        return {
            "access_key": f"of-call-{len(self.calls)}",
            "secret_key": "s",
            "token": "t",
            "expiry_time": expiry.isoformat(),
        }


@pytest.fixture
def slow_sts(monkeypatch: pytest.MonkeyPatch, set_connection: SetConnection) -> Sts:
    fake = Sts()
    monkeypatch.setattr(BaseSessionFactory, "_refresh_credentials", fake.refresh)
    set_connection("mine", login="k", password="s", role_arn=ROLE)
    return fake


async def test_a_slow_sts_does_not_block_the_loop(slow_sts: Sts) -> None:
    connection = resolve_connection("mine", "us-east-1")()
    refreshing = asyncio.create_task(frozen_credentials(connection.session))
    ticks = 0
    while ticks < 100 or len(slow_sts.calls) < 2:  # the loop would hang here if the refresh ran in it
        await asyncio.sleep(0)
        ticks += 1
    assert not refreshing.done()
    slow_sts.answer.set()
    assert (await refreshing).access_key == "of-call-2"
    assert slow_sts.answered_in_time
    assert slow_sts.calls[1] is not threading.current_thread()


async def test_a_denied_refresh_pauses_the_engine_and_fails_no_task(slow_sts: Sts) -> None:
    slow_sts.error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")
    slow_sts.answer.set()
    failure = await failure_by(resolve_connection("mine", "us-east-1"))
    assert failure.kind in PAUSING
    assert "AccessDenied" in failure.diagnosis.detail
