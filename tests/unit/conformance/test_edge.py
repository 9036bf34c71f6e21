from __future__ import annotations

from datetime import datetime, timezone

import pytest

from ecs_async_executor.conformance.answers import Call
from ecs_async_executor.conformance.edge import BotocoreEdge, _plain

LIST = Call("x", "ListTasks", {"cluster": "default"})


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")


def test_a_call_that_reaches_nobody_is_an_answer_that_tells_nothing() -> None:
    answer = BotocoreEdge("us-east-1", "http://127.0.0.1:9").send(LIST)
    assert (answer.is_unknown, answer.tells_nothing, answer.ok) == (True, True, False)
    assert answer.says.startswith("EndpointConnectionError: ")


def test_a_burst_has_an_answer_for_each_call() -> None:
    answers = BotocoreEdge("us-east-1", "http://127.0.0.1:9").send_at_once(LIST, 5)
    assert [answer.is_unknown for answer in answers] == [True] * 5


@pytest.mark.parametrize(
    ("region", "url", "has"),
    [
        ("us-east-1", None, True),
        ("cn-north-1", None, True),
        ("us-east-1", "http://127.0.0.1:9", False),
        ("us-east-1", "https://amazonaws.com.example.org", False),
    ],
)
def test_only_aws_is_asked_for_quotas(region: str, url: str | None, has: bool) -> None:
    assert ("service-quotas" in BotocoreEdge(region, url)._clients) is has


def test_quotas_of_another_server_are_an_error_that_is_not_repeated() -> None:
    call = Call("quota", "GetServiceQuota", {}, "service-quotas")
    answer = BotocoreEdge("us-east-1", "http://127.0.0.1:9").send(call)
    assert (answer.code, answer.is_unknown) == ("UnknownService", False)


def test_times_become_epoch_seconds_wherever_they_are() -> None:
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert _plain({"tasks": [{"createdAt": moment, "containers": [{"at": moment}], "cpu": "256"}]}) == {
        "tasks": [{"createdAt": 1767225600.0, "containers": [{"at": 1767225600.0}], "cpu": "256"}]
    }
