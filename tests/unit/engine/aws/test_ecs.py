from __future__ import annotations

import logging
import threading
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioRefreshableCredentials
from botocore.exceptions import ClientError, ParamValidationError
from botocore.session import get_session
from botocore.validate import ParamValidator

from ecs_async_executor.engine.aws.client import Connection, connect_by_environment, silence_request_logs
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.diagnosis.call_failures import Kind, classify
from ecs_async_executor.engine.responses import (
    Cluster,
    Clusters,
    EcsResponseParserFactory,
    StrategyItem,
    TaskArns,
    TaskDefinition,
    Tasks,
)
from ecs_async_executor.errors import ConnectError, InvalidRequestError
from tests.support.engine import error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


ANSWERS = {
    "list_tasks": TaskArns(task_arns=("arn:1",)),
    "describe_clusters": Clusters(clusters=(Cluster((StrategyItem("mine"),)),)),
}


class FakeSdkClient:
    """Takes the place of aiobotocore's client in `EcsClient`."""

    def __init__(self) -> None:
        self.meta = SimpleNamespace(region_name="eu-central-1")
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.closed = False
        self.seconds = 0.0

    def __getattr__(self, operation: str) -> Any:
        if operation.startswith("_"):
            raise AttributeError(operation)

        async def call(**arguments: Any) -> Any:
            self.calls.append((operation, arguments))
            await anyio.sleep(self.seconds)
            return {"parsed": ANSWERS.get(operation, Tasks())}

        return call


class FakeSession:
    """Takes the place of aiobotocore's session in `EcsClient`."""

    def __init__(self) -> None:
        self.made: list[FakeSdkClient] = []
        self.arguments: list[dict[str, Any]] = []
        self.components: dict[str, Any] = {}

    def register_component(self, name: str, component: Any) -> None:
        self.components[name] = component

    @asynccontextmanager
    async def create_client(self, service: str, **arguments: Any) -> AsyncIterator[FakeSdkClient]:
        assert service == "ecs"
        self.arguments.append(arguments)
        client = FakeSdkClient()
        self.made.append(client)
        yield client
        client.closed = True


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


def ecs_client(session: Any, *, call_timeout: float = 30.0, **connection: Any) -> EcsClient:
    return EcsClient(lambda: Connection(session, **connection), pool_size=72, call_timeout=call_timeout)


async def test_one_client_is_created_no_matter_how_many_calls_come_at_once(session: FakeSession):
    client = ecs_client(session)
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(client.run_task, {"taskDefinition": "t"})
    assert len(session.made) == 1
    assert len(session.made[0].calls) == 20
    await client.aclose()


async def test_no_client_is_created_before_the_first_call(session: FakeSession):
    await ecs_client(session).aclose()
    assert session.made == []


async def test_each_call_sends_what_ecs_expects(session: FakeSession):
    client = ecs_client(session)
    await client.run_task({"taskDefinition": "t", "clientToken": "c"})
    await client.describe_tasks("one", ["arn:1", "arn:2"])
    assert await client.list_tasks_started_by("one", "airflow/1") == ("arn:1",)
    await client.stop_task("one", "arn:1", "because " * 100)
    assert await client.default_strategy("one") == [{"capacityProvider": "mine"}]
    assert session.made[0].calls == [
        ("run_task", {"taskDefinition": "t", "clientToken": "c"}),
        ("describe_tasks", {"cluster": "one", "tasks": ["arn:1", "arn:2"]}),
        ("list_tasks", {"cluster": "one", "startedBy": "airflow/1"}),
        ("stop_task", {"cluster": "one", "task": "arn:1", "reason": ("because " * 100)[:255]}),
        ("describe_clusters", {"clusters": ["one"]}),
    ]
    await client.aclose()


async def test_after_forget_the_next_call_creates_a_new_client_and_the_old_one_stays_open(
    session: FakeSession,
):
    client = ecs_client(session)
    await client.run_task({})
    client.forget()
    await client.run_task({})
    await client.run_task({})
    old, new = session.made
    assert (len(old.calls), len(new.calls)) == (1, 2)
    open_before = [made.closed for made in session.made]
    await client.aclose()
    assert open_before == [False, False]
    assert [made.closed for made in session.made] == [True, True]


@pytest.mark.parametrize(("seconds", "is_closed"), [(30.0, False), (61.0, True)])
async def test_a_forgotten_client_is_closed_once_no_call_can_still_use_it(
    session: FakeSession, seconds: float, is_closed: bool
):
    """A call may spend 30 s on refreshing credentials, and then another 30 s."""
    client = ecs_client(session, call_timeout=30.0)
    await client.run_task({})
    client.forget()
    client._retired = [(since - seconds, stack) for since, stack in client._retired]
    await client.run_task({})
    assert [made.closed for made in session.made] == [is_closed, False]
    await client.aclose()


async def test_the_connection_is_made_in_a_worker_thread(session: FakeSession):
    threads = []

    def connect() -> Connection:
        threads.append(threading.current_thread())
        return Connection(session)

    client = EcsClient(connect, pool_size=1, call_timeout=30.0)
    await client.run_task({})
    assert threads
    assert threads[0] is not threading.current_thread()
    await client.aclose()


async def test_a_failed_connection_is_retried_at_the_next_call(session: FakeSession):
    failures = [RuntimeError("no such connection")]

    def connect() -> Connection:
        if failures:
            raise failures.pop()
        return Connection(session)

    client = EcsClient(connect, pool_size=1, call_timeout=30.0)
    with pytest.raises(ConnectError) as caught:
        await client.run_task({})
    assert isinstance(caught.value.__cause__, RuntimeError)
    await client.run_task({})
    assert len(session.made) == 1
    await client.aclose()


async def test_the_sdk_never_retries_and_keeps_to_the_engines_limits(session: FakeSession):
    mine = AioConfig(
        user_agent_extra="mine", max_pool_connections=1, retries={"mode": "legacy", "total_max_attempts": 9}
    )
    client = ecs_client(
        session, config=mine, call_timeout=7.0, region_name="eu-west-1", endpoint_url="http://x"
    )
    await client.run_task({})
    (arguments,) = session.arguments
    config = arguments.pop("config")
    assert arguments == {"region_name": "eu-west-1", "endpoint_url": "http://x", "verify": None}
    assert config.retries == {"mode": "standard", "total_max_attempts": 1}
    assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (5, 7.0, 72)
    assert config.user_agent_extra == "mine"
    assert isinstance(session.components["response_parser_factory"], EcsResponseParserFactory)
    await client.aclose()


def test_a_connection_can_be_made_from_the_environment():
    assert connect_by_environment().endpoint_url is None


@pytest.mark.parametrize(
    "name",
    [
        "aiobotocore.endpoint",
        "aiobotocore.parsers",
        "botocore.auth",
        "botocore.endpoint",
        "botocore.parsers",
    ],
)
def test_log_records_that_contain_requests_are_kept_out_of_every_log(
    name: str, caplog: pytest.LogCaptureFixture
):
    silence_request_logs()
    silence_request_logs()
    caplog.set_level(logging.DEBUG, logger=name)
    logger = logging.getLogger(name)
    logger.debug("the-token")
    logger.warning("a warning")
    assert caplog.messages == ["a warning"]
    assert len([each for each in logger.filters if type(each).__name__ == "_NoDebug"]) == 1


class TestTime:
    pytestmark = pytest.mark.virtual_time

    async def test_a_call_takes_no_longer_than_its_time_out(self, session: FakeSession):
        client = ecs_client(session, call_timeout=20.0)
        client._client = sdk = FakeSdkClient()
        sdk.seconds = 3600
        with pytest.raises(TimeoutError):
            await client.run_task({})
        assert anyio.current_time() == 20


async def test_a_call_whose_connection_hangs_counts_as_unsent():
    asked = threading.Event()

    def hang() -> Connection:
        asked.wait(60)
        raise AssertionError("nobody waits for it by now")

    client = EcsClient(hang, pool_size=1, call_timeout=0.01)

    with pytest.raises(ConnectError) as raised:
        await client.run_task({})
    asked.set()

    assert classify(raised.value).kind is Kind.CREDENTIALS


async def test_forget_before_the_first_call_changes_nothing(session: FakeSession):
    client = ecs_client(session)
    client.forget()

    await client.run_task({})
    await client.aclose()

    assert [made.closed for made in session.made] == [True]


class Credentials:
    """A client's credentials; their first refresh fails."""

    def __init__(self, error: Exception) -> None:
        self.errors = [error]

    async def get_frozen_credentials(self) -> None:
        if self.errors:
            raise self.errors.pop()


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(
            2, "No such file or directory", "/var/run/secrets/token"
        ),  # a projected token that is being replaced
        ParamValidationError(
            report="Invalid length for parameter WebIdentityToken, value: 0"
        ),  # the same, still empty
        RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
        KeyError("Expiration"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_failed_credentials_refresh_pauses_the_engine_and_sends_nothing(
    session: FakeSession, error: Exception
):
    client = ecs_client(session)
    await client.run_task({})
    (sdk,) = session.made
    sdk.__dict__["_request_signer"] = SimpleNamespace(_credentials=Credentials(error))
    with pytest.raises(ConnectError) as raised:
        await client.run_task({"taskDefinition": "not sent"})
    assert classify(raised.value).kind is Kind.CREDENTIALS
    assert sdk.calls == [("run_task", {})]
    await client.run_task({"taskDefinition": "sent"})
    assert sdk.calls[-1] == ("run_task", {"taskDefinition": "sent"})
    await client.aclose()


@pytest.mark.virtual_time
async def test_a_hanging_credentials_refresh_takes_no_longer_than_a_call(session: FakeSession):
    client = ecs_client(session, call_timeout=20.0)
    client._client = sdk = FakeSdkClient()
    slow = SimpleNamespace(get_frozen_credentials=lambda: anyio.sleep(60))
    sdk.__dict__["_request_signer"] = SimpleNamespace(_credentials=slow)
    with pytest.raises(ConnectError) as raised:
        await client.run_task({})
    assert classify(raised.value).kind is Kind.CREDENTIALS
    assert anyio.current_time() == 20


@pytest.mark.virtual_time
@pytest.mark.parametrize(("seconds_left", "is_sent"), [(700, True), (500, False)])
async def test_a_hanging_early_refresh_pauses_nothing_while_the_credentials_can_be_used(
    session: FakeSession, seconds_left: int, is_sent: bool
):
    client = ecs_client(session, call_timeout=20.0)
    client._client = sdk = FakeSdkClient()
    credentials = AioRefreshableCredentials(
        "id",
        "secret",
        "token",
        datetime.now(tz=timezone.utc) + timedelta(seconds=seconds_left),
        refresh_using=lambda: anyio.sleep(60),
        method="assume-role",
    )
    sdk.__dict__["_request_signer"] = SimpleNamespace(_credentials=credentials)
    with nullcontext() if is_sent else pytest.raises(ConnectError):
        await client.run_task({})
    assert len(sdk.calls) == is_sent


class Definitions(FakeSdkClient):
    """Refuses, or answers, what is asked about task definitions."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        model = get_session().get_service_model("ecs")
        self.meta = SimpleNamespace(region_name="eu-central-1", service_model=model)
        self.answer = answer

    async def describe_task_definition(self, **arguments: Any) -> Any:
        self.calls.append(("describe_task_definition", arguments))
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"parsed": self.answer}

    async def register_task_definition(self, **arguments: Any) -> Any:
        model = self.meta.service_model.operation_model("RegisterTaskDefinition")
        if report := ParamValidator().validate(arguments, model.input_shape).generate_report():
            raise ParamValidationError(report=report)
        return {"parsed": self.answer}


@asynccontextmanager
async def answering(answer: Any) -> AsyncIterator[tuple[EcsClient, Definitions]]:
    session, made = FakeSession(), Definitions(answer)
    session.create_client = lambda *_, **__: nullcontext_of(made)  # type: ignore[method-assign]  # a test's own
    yield ecs_client(session), made


@asynccontextmanager
async def nullcontext_of(made: Definitions) -> AsyncIterator[Definitions]:
    yield made


async def test_a_task_definition_is_described_with_its_tags():
    definition = TaskDefinition(task_definition={"family": "f"})
    async with answering(definition) as (client, made):
        assert await client.describe_task_definition("f") is definition
    assert made.calls == [("describe_task_definition", {"taskDefinition": "f", "include": ["TAGS"]})]


async def test_a_task_definition_that_ecs_does_not_know_is_none():
    unknown = error(
        "ClientException", "Unable to describe task definition.", operation="DescribeTaskDefinition"
    )
    async with answering(unknown) as (client, _):
        assert await client.describe_task_definition("f") is None


async def test_any_other_refusal_to_describe_a_task_definition_is_raised():
    async with answering(error("AccessDeniedException", operation="DescribeTaskDefinition")) as (client, _):
        with pytest.raises(ClientError):
            await client.describe_task_definition("f")


async def test_a_setting_that_botocore_does_not_know_is_not_left_out_in_silence():
    request = {
        "family": "f",
        "containerDefinitions": [{"name": "a", "image": "i", "tooNew": {"a": "secret"}}],
    }
    async with answering(None) as (client, _):
        with pytest.raises(InvalidRequestError) as caught:
            await client.register_task_definition(request)
    failure = classify(caught.value)
    assert failure.kind is Kind.CONFIGURATION
    assert "containerDefinitions[0].tooNew is unknown to ECS." in failure.diagnosis.summary
    assert "Upgrade botocore" in failure.diagnosis.remedy
    assert "secret" not in str(failure.diagnosis)
