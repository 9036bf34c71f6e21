from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiobotocore.config import AioConfig
from botocore.context import ClientContext, get_context, reset_context, set_context
from botocore.exceptions import ParamValidationError
from botocore.serialize import create_serializer
from botocore.useragent import UserAgentString

from ecs_async_executor.engine.aws.serializer import QuickSerializer, install_fast_paths
from tests.support.live_engine import connect_to
from tests.unit.engine.aws.ecs_model import RUN_TASK, operation


class CountingSerializer:
    """The stock serializer with its validation; counts the calls."""

    def __init__(self) -> None:
        self.calls = 0
        self._stock = create_serializer("json")

    def serialize_to_request(self, parameters: Any, model: Any) -> Any:
        self.calls += 1
        return self._stock.serialize_to_request(parameters, model)


@pytest.fixture
def stock() -> CountingSerializer:
    return CountingSerializer()


@pytest.fixture
def learned(stock: CountingSerializer) -> QuickSerializer:
    """A serializer that has seen one RunTask request."""
    serializer = QuickSerializer(stock)
    serializer.serialize_to_request(RUN_TASK, operation("RunTask"))
    stock.calls = 0
    return serializer


# --- requests ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("RunTask", RUN_TASK),
        ("DescribeTasks", {"cluster": "c", "tasks": ["arn:1", "arn:2"]}),
        ("ListTasks", {"cluster": "c", "startedBy": "airflow/1"}),
        ("StopTask", {"cluster": "c", "task": "arn:1", "reason": "because"}),
    ],
)
def test_from_the_second_request_on_the_stock_serializer_is_skipped_and_the_result_is_the_same(
    name: str, parameters: dict[str, Any], stock: CountingSerializer
):
    serializer = QuickSerializer(stock)
    first = serializer.serialize_to_request(parameters, operation(name))
    second = serializer.serialize_to_request(parameters, operation(name))
    assert stock.calls == 1
    assert json.loads(second.pop("body")) == json.loads(first.pop("body")) == parameters
    assert second == first


def test_additions_to_one_request_do_not_appear_in_the_next(learned: QuickSerializer):
    request = learned.serialize_to_request(RUN_TASK, operation("RunTask"))
    request["headers"]["User-Agent"] = request["url"] = "mine"
    following = learned.serialize_to_request(RUN_TASK, operation("RunTask"))
    assert "mine" not in (following.get("url"), following["headers"].get("User-Agent"))


def test_an_invalid_request_is_refused_as_by_the_stock_serializer(learned: QuickSerializer):
    with pytest.raises(ParamValidationError, match="Unknown parameter"):
        learned.serialize_to_request({**RUN_TASK, "task_definition": "x"}, operation("RunTask"))
    with pytest.raises(ParamValidationError, match="Missing required parameter"):
        learned.serialize_to_request({}, operation("RunTask"))


@pytest.mark.parametrize("odd", ["half a pair: \ud83d", "tuple"])
def test_input_that_json_encoders_treat_differently_goes_to_the_stock_serializer(
    odd: str, learned: QuickSerializer, stock: CountingSerializer
):
    request = {**RUN_TASK, "group": odd} if odd != "tuple" else {**RUN_TASK, "placementStrategy": ()}
    learned.serialize_to_request(request, operation("RunTask"))
    assert stock.calls == 1


def test_an_operation_with_parameters_outside_the_body_never_takes_the_fast_path():
    class Elsewhere(CountingSerializer):
        def serialize_to_request(self, parameters: Any, model: Any) -> Any:
            return {**super().serialize_to_request(parameters, model), "query_string": {"a": "b"}}

    stock = Elsewhere()
    serializer = QuickSerializer(stock)
    for _ in range(3):
        serializer.serialize_to_request(RUN_TASK, operation("RunTask"))
    assert stock.calls == 3


# --- the user agent ---------------------------------------------------------------------------------------


def client_with_user_agent(build: Callable[[], str]) -> Any:
    return SimpleNamespace(_user_agent_creator=SimpleNamespace(to_string=build))


def test_the_user_agent_is_built_once_for_the_same_features():
    built = []

    def build() -> str:
        built.append(get_context())
        return f"agent {len(built)}"

    client = client_with_user_agent(build)
    install_fast_paths(client)
    token = set_context(ClientContext(features={"a"}))
    texts = [client._user_agent_creator.to_string() for _ in range(3)]
    get_context().features.add("b")
    texts += [client._user_agent_creator.to_string() for _ in range(2)]
    reset_context(token)
    texts += [client._user_agent_creator.to_string() for _ in range(2)]
    assert texts == ["agent 1"] * 3 + ["agent 2"] * 2 + ["agent 3"] * 2


# --- aiobotocore's internals are those we know ----------------------------------------------------------


@asynccontextmanager
async def real_client() -> AsyncIterator[Any]:
    connection = connect_to("http://127.0.0.1:1")()
    config = AioConfig(user_agent_extra="mine", user_agent_appid="my-app")
    async with connection.session.create_client(
        "ecs", region_name="us-east-1", endpoint_url=connection.endpoint_url, config=config
    ) as client:
        yield client


async def test_aiobotocores_client_takes_all_fast_paths():
    async with real_client() as client:
        stock = client._serializer
        install_fast_paths(client)
        assert isinstance(client._serializer, QuickSerializer)
        assert client._serializer._stock is stock
        assert isinstance(client._user_agent_creator, UserAgentString)
        assert "to_string" in vars(client._user_agent_creator)


async def test_the_user_agent_is_aiobotocores_including_the_users_additions():
    async with real_client() as client:
        before = client._user_agent_creator.to_string()
        install_fast_paths(client)
        assert client._user_agent_creator.to_string() == before
    assert before.startswith("aiobotocore/")
    assert "app/my-app" in before
    assert before.endswith("mine")


def test_a_client_with_unknown_internals_is_left_alone():
    client = SimpleNamespace(_serializer=object(), _user_agent_creator=None)
    before = dict(vars(client))
    install_fast_paths(client)
    install_fast_paths(object())
    assert vars(client) == before


def test_without_botocores_context_the_user_agent_is_built_each_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "botocore.context", None)
    client = client_with_user_agent(lambda: "agent")
    before = client._user_agent_creator.to_string
    install_fast_paths(client)
    assert client._user_agent_creator.to_string is before
