from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from ecs_async_executor.config.delivery import FETCH, Bucket
from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.executor.order_factory import TOKEN_LIFETIME, TOKEN_MARGIN, OrderFactory
from ecs_async_executor.executor.run_factory import make_run
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.messages import Launch, Launched, RateShare, Recovery, Watch
from tests.support.workloads import callback_workload, task_workload, token_claims, token_generator


@pytest.fixture
def order_factory() -> OrderFactory:
    return make_order_factory()


def make_order_factory(
    queued_timeout: float = 600.0, launch_timeout: float = 1800.0, bucket: Bucket | None = None
) -> OrderFactory:
    settings = Settings(
        cluster="c",
        container_name="airflow",
        task_definition="t",
        subnets=("s",),
        launch_timeout=launch_timeout,
        queues={"gpu": {"task_definition": "gpu", "rate_share": 0.25, "launch_timeout": 60}},
    )
    return OrderFactory(
        make_profiles(settings), token_generator(), queued_timeout=queued_timeout, bucket=bucket
    )


def run_of(workload: Any) -> Run:
    return make_run(None, workload)  # type: ignore[arg-type]  # only 3.4 uses the executor


def sent_workload(launch: Launch) -> dict[str, Any]:
    (container,) = launch.build().body["overrides"]["containerOverrides"]
    *command, text = container["command"]
    assert command == ["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string"]
    workload: dict[str, Any] = json.loads(text)
    return workload


def test_an_order_carries_the_runs_number_and_priority(order_factory: OrderFactory) -> None:
    run = run_of(task_workload(priority_weight=7))
    run.number = 3
    launch = order_factory.launch(run)
    assert (launch.run_id, launch.label, launch.number) == (run.run_id, run.label, 3)
    assert launch.priority == 7


def test_an_order_says_what_an_earlier_scheduler_may_have_done(order_factory: OrderFactory) -> None:
    run = run_of(task_workload())
    assert order_factory.launch(run).recovery is Recovery.NONE
    assert order_factory.launch(run, recovery=Recovery.REPLAY).recovery is Recovery.REPLAY
    run.recovery = Recovery.SEARCH
    assert order_factory.launch(run).recovery is Recovery.SEARCH


def test_a_run_whose_workload_has_not_been_read_can_only_be_searched_for(order_factory: OrderFactory) -> None:
    run = Run("id", "key", "label", None, ti_id="ti", recovery=Recovery.SEARCH)
    launch = order_factory.launch(run, recovery=Recovery.REPLAY)
    assert launch.recovery is Recovery.SEARCH_ONLY
    assert (launch.cluster, launch.container) == ("c", "airflow")


@pytest.mark.parametrize("key", ["cluster", "Cluster"])
def test_an_order_names_the_cluster_even_if_its_request_cannot_be_built(
    order_factory: OrderFactory, key: str
) -> None:
    launch = order_factory.launch(run_of(task_workload(executor_config={key: "mine", "wrong": 1})))
    assert launch.cluster == "mine"
    assert order_factory.launch(run_of(task_workload(executor_config={"wrong": 1}))).cluster == "c"
    assert order_factory.launch(run_of(callback_workload())).cluster == "c"


def test_an_order_follows_the_profile_of_the_tasks_queue(order_factory: OrderFactory) -> None:
    run = run_of(task_workload(queue="gpu"))
    launch = order_factory.launch(run)
    assert (launch.lane, launch.launch_timeout) == (RateShare("gpu", 0.25), 60)
    assert launch.build().body["taskDefinition"] == "gpu"
    other = order_factory.launch(run_of(task_workload()))
    assert (other.lane, other.launch_timeout) == (None, 1800)
    assert other.build().body["taskDefinition"] == "t"


def test_a_run_that_is_only_searched_for_has_no_lane(order_factory: OrderFactory) -> None:
    assert (
        order_factory.launch(run_of(task_workload(queue="gpu")), recovery=Recovery.SEARCH_ONLY).lane is None
    )


def test_a_watch_follows_the_profile_as_well(order_factory: OrderFactory) -> None:
    run = run_of(task_workload(queue="gpu"))
    run.adopted_by_arn = True
    watch = order_factory.watch(run, Launched(run.run_id, 2, "arn", "c", "airflow"))
    assert watch == Watch(
        run.run_id,
        run.label,
        "arn",
        "c",
        "airflow",
        2,
        listed=False,
        launch_timeout=60,
        queue="gpu",
        room=order_factory.launch(run_of(task_workload(queue="gpu"))).room,
    )


def test_a_watch_knows_the_room_of_its_tasks_cluster(order_factory: OrderFactory) -> None:
    run = run_of(task_workload())
    watch = order_factory.watch(run, Launched(run.run_id, 1, "arn", "elsewhere", "airflow"))
    launch = order_factory.launch(run_of(task_workload(executor_config={"cluster": "elsewhere"})))
    assert watch.room == launch.room


def test_tasks_that_need_the_same_room_say_so(order_factory: OrderFactory) -> None:
    usual = order_factory.launch(run_of(task_workload()))
    large = order_factory.launch(run_of(task_workload(executor_config={"cpu": 4096})))
    assert usual.room == order_factory.launch(run_of(task_workload(task_id="other"))).room
    assert (large.room.cluster, large.room != usual.room) == ("c", True)


def test_an_order_gives_the_time_that_is_left_to_wait_for_room(order_factory: OrderFactory) -> None:
    run = run_of(task_workload())
    assert order_factory.launch(run).capacity_timeout == 3600.0
    order_factory._clock = lambda: 1000.0
    run.waits_since = 900.0
    assert order_factory.launch(run).capacity_timeout == 3500.0
    run.waits_since = -9000.0
    assert order_factory.launch(run).capacity_timeout == 0.0


def test_callbacks_go_before_every_task(order_factory: OrderFactory) -> None:
    callback, task = run_of(callback_workload()), run_of(task_workload(priority_weight=2**31 - 1))
    assert order_factory.launch(callback).priority > order_factory.launch(task).priority


def test_the_command_is_the_workload_as_json(order_factory: OrderFactory) -> None:
    workload = task_workload(map_index=2)
    sent = sent_workload(order_factory.launch(run_of(workload)))
    assert sent["type"] == "ExecuteTask"
    assert sent["ti"]["id"] == str(workload.ti.id)
    assert sent["ti"]["map_index"] == 2
    assert "executor_config" not in sent["ti"]


def test_each_build_makes_a_new_token_for_its_task(order_factory: OrderFactory) -> None:
    workload = task_workload(token="queued long ago")
    launch = order_factory.launch(run_of(workload))
    one, two = (token_claims(sent_workload(launch)["token"]) for _ in range(2))
    assert one["jti"] != two["jti"]
    assert (one["sub"], one["scope"]) == (str(workload.ti.id), "workload")
    assert workload.token == "queued long ago"


@pytest.mark.parametrize(
    ("queued_timeout", "launch_timeout", "lifetime"),
    [(600, 1800, TOKEN_LIFETIME), (7200, 1800, 7200), (600, 7200, 7200 + TOKEN_MARGIN)],
)
def test_a_token_outlives_a_slow_start(queued_timeout: float, launch_timeout: float, lifetime: float) -> None:
    launch = make_order_factory(queued_timeout, launch_timeout).launch(run_of(task_workload()))
    claims = token_claims(sent_workload(launch)["token"])
    assert claims["exp"] - claims["iat"] == lifetime


def test_a_callbacks_token_is_for_the_callback(order_factory: OrderFactory) -> None:
    workload = callback_workload()
    sent = sent_workload(order_factory.launch(run_of(workload)))
    assert sent["type"] == "ExecuteCallback"
    assert token_claims(sent["token"])["sub"] == workload.callback.id


def test_executor_config_shapes_the_request(order_factory: OrderFactory) -> None:
    request = order_factory.launch(run_of(task_workload(executor_config={"group": "g"}))).build()
    assert request.body["group"] == "g"


def test_an_invalid_executor_config_fails_when_the_request_is_built(order_factory: OrderFactory) -> None:
    launch = order_factory.launch(run_of(task_workload(executor_config={"name": "x"})))
    with pytest.raises(InvalidRequestError):
        launch.build()


def test_the_error_of_a_request_that_cannot_be_built_warns_about_retries(order_factory: OrderFactory) -> None:
    launch = order_factory.launch(run_of(task_workload(executor_config={"name": "x"})))
    with pytest.raises(InvalidRequestError, match="If the task has `retries`, Airflow uses them up"):
        launch.build()


BUCKET = Bucket("s3://bucket/airflow/", "us-east-1")


def long_callback() -> Run:
    workload = callback_workload()
    workload.callback.data["kwargs"] = {"text": "x" * 20_000}
    return run_of(workload)


def test_a_workload_that_is_too_long_goes_to_s3_under_the_launchs_name() -> None:
    run = long_callback()
    run.number = 2
    request = make_order_factory(bucket=BUCKET).launch(run).build()
    (container,) = request.body["overrides"]["containerOverrides"]
    url = f"s3://bucket/airflow/{run.launch_id}.json"
    assert container["command"] == ["python", "-c", FETCH, "us-east-1", url]
    assert request.payload is not None
    assert request.payload.url == url
    sent = json.loads(request.payload.data)
    assert sent["callback"]["data"]["kwargs"] == {"text": "x" * 20_000}
    assert token_claims(sent["token"])["scope"] == "workload"
    assert sent["token"] not in str(request.body)


def test_building_a_launch_again_gives_the_same_request_although_the_token_differs() -> None:
    launch = make_order_factory(bucket=BUCKET).launch(long_callback())
    one, two = launch.build(), launch.build()
    assert one.body == two.body
    assert one.payload != two.payload


def test_a_workload_that_fits_stays_in_its_command() -> None:
    launch = make_order_factory(bucket=BUCKET).launch(run_of(task_workload()))
    assert sent_workload(launch)["type"] == "ExecuteTask"
    assert launch.build().payload is None


def test_without_a_bucket_a_long_workload_is_rejected_with_the_option_that_helps(
    order_factory: OrderFactory,
) -> None:
    with pytest.raises(InvalidRequestError, match=r"have 2\d{4} characters; ECS takes 8192") as refused:
        order_factory.launch(long_callback()).build()
    assert "`payload_bucket`" in refused.value.remedy


def test_neither_orders_nor_logs_show_a_token(
    order_factory: OrderFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = token_generator().generate({"sub": "x"})
    launch = order_factory.launch(run_of(task_workload(token=token)))
    fresh = sent_workload(launch)["token"]
    visible = repr(launch) + caplog.text
    assert token not in visible
    assert fresh not in visible


@pytest.mark.parametrize(
    ("ti", "member", "origin"),
    [
        ({}, "cluster", "[aws_ecs_executor] cluster"),
        ({"queue": "gpu"}, "taskDefinition", "the profile of the queue gpu"),
        ({"executor_config": {"cluster": "mine"}}, "cluster", "this task's executor_config"),
        ({}, "platformVersion", None),
    ],
)
def test_a_request_says_where_its_members_are_set(
    order_factory: OrderFactory, ti: dict[str, Any], member: str, origin: str | None
) -> None:
    request = order_factory.launch(run_of(task_workload(**ti))).build()
    assert request.origin is not None
    assert request.origin(member) == origin
