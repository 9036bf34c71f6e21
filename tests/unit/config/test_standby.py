"""The pools of standbys: their requests, which of them can't work, and which runs they may serve."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from airflow.configuration import conf

from ecs_async_executor.config.configuration import Configuration, read_configuration
from ecs_async_executor.config.delivery import Bucket
from ecs_async_executor.config.profiles import Profiles, make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.config.standby import pool_for, pools_of
from ecs_async_executor.config.task_tags import TaskFacts
from ecs_async_executor.errors import OptionsError
from ecs_async_executor.messages import Request, StandbyPool
from ecs_async_executor.standby.command import lease_url, object_url, standby_command

REQUIRED = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "subnets": ("s",)}
BUCKET = Bucket("s3://bucket/airflow/", "eu-central-1")
OBJECT, LEASE = (make(BUCKET.location, "0" * 32) for make in (object_url, lease_url))
FACTS = TaskFacts("bundle", "the_dag", "me", "gpu", "run", "manual", "the_task", "blue")


def profiles(queues: dict[str, Any], default_queue: str = "default", **options: Any) -> Profiles:
    settings = Settings.model_validate({**REQUIRED, **options, "queues": queues})
    return make_profiles(settings, default_queue=default_queue)


def pools(queues: dict[str, Any], bucket: Bucket | None = BUCKET, **options: Any) -> tuple[StandbyPool, ...]:
    return pools_of(profiles(queues, **options), bucket)


def problems(queues: dict[str, Any], bucket: Bucket | None = BUCKET, **options: Any) -> list[str]:
    with pytest.raises(OptionsError) as caught:
        pools(queues, bucket, **options)
    return caught.value.problems


def bodies(request: Request) -> list[dict[str, Any]]:
    """What is sent, whatever the cluster's default is; without the command."""
    strategies: tuple[list[dict[str, Any]], ...] = ([], [{"capacityProvider": "FARGATE_SPOT"}])
    settled = [request.settle(each) for each in strategies] if request.settle else [request]
    found = []
    for each in settled:
        (container,) = each.body["overrides"]["containerOverrides"]
        bare = {name: value for name, value in container.items() if name != "command"}
        found.append({**each.body, "overrides": {**each.body["overrides"], "containerOverrides": [bare]}})
    return found


# --- which pools there are --------------------------------------------------------------------------------------


def test_each_profile_with_standbys_has_a_pool_and_nobody_else() -> None:
    queues = {"gpu-*": {"standby": 2, "standby_max_age": 600, "launch_timeout": 60, "cluster": "c2"}, "b": {}}
    default, gpu = pools(queues, standby=1, default_queue="main")
    assert (default.name, default.queue, default.count, default.max_age) == ("main", "main", 1, 3600)
    assert (gpu.name, gpu.queue, gpu.count, gpu.max_age) == ("gpu-*", "gpu-*", 2, 600)
    assert (gpu.cluster, gpu.container, gpu.launch_timeout, gpu.location) == (
        "c2",
        "airflow",
        60,
        "s3://bucket/airflow/",
    )
    assert gpu.room == profiles(queues).of("gpu-1").template.room(None)
    assert pools({"b": {}}) == ()


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param({}, id="the defaults, where the cluster decides on capacity"),
        pytest.param({"capacityProviderStrategy": "FARGATE_SPOT:1"}, id="Spot"),
        pytest.param({"launchType": "EC2", "taskDefinition": "gpu", "environment": {"A": "1"}}, id="EC2"),
        pytest.param({"cpu": 1024, "memory": [2048, 4096]}, id="memory that grows"),
        pytest.param({"image": "airflow:2"}, id="an image"),
        pytest.param({"tags": {"cost": "low"}, "task_tags": {"of": "{queue}", "team": "{team}"}}, id="tags"),
    ],
)
def test_a_standbys_request_is_a_cold_ones_but_for_the_command(profile: dict[str, Any]) -> None:
    found = profiles({"gpu": {**profile, "standby": 1}})
    (pool,) = pools_of(found, BUCKET, team="blue")
    warm, cold = pool.build(OBJECT, LEASE), found.of("gpu").request(["airflow"], None, facts=FACTS)
    assert bodies(warm) == bodies(cold)
    assert replace(warm, body={}, settle=None, origin=None) == replace(cold, body={}, settle=None)
    assert (warm.settle is None) is (cold.settle is None)


def test_a_standby_waits_at_its_own_object_with_the_profiles_age() -> None:
    (pool,) = pools({"gpu": {"standby": 1, "standby_max_age": 600}})
    request = pool.build(OBJECT, LEASE)
    assert request.settle is not None
    (container,) = request.settle([]).body["overrides"]["containerOverrides"]
    assert container["command"] == standby_command("eu-central-1", 600, LEASE, OBJECT)


def test_what_ecs_rejects_in_a_standby_is_traced_to_its_option() -> None:
    (pool,) = pools({"gpu": {"standby": 1, "cpu": 256}})
    origin = pool.build(OBJECT, LEASE).origin
    assert origin is not None
    assert origin("overrides") == "the profile of the queue gpu"


# --- which can't work -------------------------------------------------------------------------------------------


def test_standbys_need_a_bucket_and_the_queue_is_named() -> None:
    general, of_queue = problems({"gpu": {"standby": 1}}, None, standby=1)
    assert general.startswith(
        "[ecs_async_executor] standby: standbys get their tasks through S3. Set payload_bucket"
    )
    assert of_queue.startswith(
        "[ecs_async_executor] queues: gpu: standby: standbys get their tasks through S3."
    )


@pytest.mark.parametrize(
    ("queue", "tags", "says"),
    [
        ("gpu", {"dag": "{dag_id}"}, 'dag ({dag_id}). Add "task_tags": {"dag": null} to the profile'),
        ("gpu", {"a": "x", "b": "{team}", "c": "{queue}"}, ""),
        ("gpu-*", {"c": "{queue}-{team}-{run_id}"}, "c ({queue}, {run_id})."),
        ("gpu-[ab]", {"c": "{queue}"}, "c ({queue})."),
    ],
)
def test_tags_that_differ_from_task_to_task_are_refused(queue: str, tags: dict[str, str], says: str) -> None:
    queues = {queue: {"standby": 1}}
    if says:
        (problem,) = problems(queues, task_tags=tags)
        assert says in problem
        assert problem.startswith(
            f"[ecs_async_executor] queues: {queue}: standby: a standby is tagged before it has a task"
        )
    else:
        assert len(pools(queues, task_tags=tags)) == 1


def test_a_profile_without_the_tags_that_differ_may_have_standbys() -> None:
    queues = {"gpu": {"standby": 1, "task_tags": {"dag": None}}}
    assert len(pools(queues, task_tags={"dag": "{dag_id}", "of": "us"})) == 1
    (problem,) = problems({}, standby=1, task_tags={"dag": "{dag_id}"})
    assert "Take them out of task_tags, or remove standby." in problem


def test_the_waiting_command_must_have_room_beside_the_overrides() -> None:
    (problem,) = problems({"gpu": {"standby": 1, "environment": {"A": "x" * 7000}}})
    assert "gpu: standby: the command that waits for a task has no room. The overrides have " in problem
    assert "characters; ECS takes 8192. Shorten the profile's overrides" in problem
    assert "payload_bucket" not in problem


def test_the_waiting_command_leaves_a_user_room_for_variables() -> None:
    assert len(pools({"gpu": {"standby": 1, "environment": {"A": "x" * 2000}}})) == 1


@pytest.mark.parametrize(
    ("profile", "options", "where"),
    [
        ({}, {"standby": 1, "launch_type": "FARGATE"}, "standby"),
        ({}, {"standby": 1, "capacity_provider_strategy": "FARGATE_SPOT:1"}, "standby"),
        ({"launchType": "FARGATE", "standby": 1}, {"launch_type": "EC2"}, "queues: gpu: standby"),
    ],
)
def test_standbys_that_no_subnet_is_for_are_refused_with_that_reason(
    profile: dict[str, Any], options: dict[str, Any], where: str
) -> None:
    expected = [f"[ecs_async_executor] {where}: no standby can be launched. Fargate tasks need at least one "]
    found = problems({"gpu": profile}, **options, subnets=())
    assert [each[: len(start)] for each, start in zip(found, expected, strict=True)] == expected
    assert found[0].endswith("Or remove standby.")
    assert len(problems({"gpu": profile}, None, **options, subnets=())) == 2, "the bucket is missing, too"


def test_standbys_on_ec2_need_no_subnet_and_where_the_cluster_decides_it_is_not_known_yet() -> None:
    assert len(pools({"gpu": {"launchType": "EC2", "standby": 1}}, subnets=())) == 1
    assert len(pools({"gpu": {"standby": 1}}, subnets=())) == 1


@pytest.mark.parametrize("name", ["default", "*", "def*"])
def test_standbys_that_only_unknown_queues_would_use_are_refused(name: str) -> None:
    (problem,) = problems({name: {}}, standby=1)
    assert problem.startswith("[ecs_async_executor] standby: ")
    assert f"Airflow's default queue has the profile {name}" in problem
    assert [each.name for each in pools({name: {"standby": 1}})] == [name]


def test_pools_have_names_of_their_own() -> None:
    """A queue may be called `default` where Airflow's default queue has another name."""
    found = pools({"default": {"standby": 1}}, standby=1, default_queue="main")
    assert [each.name for each in found] == ["main", "default"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    queues = {"a": {"standby": 1}, "b": {"standby": 1, "environment": {"A": "x" * 7000}}}
    found = problems(queues, task_tags={"dag": "{dag_id}"})
    assert [each.split(": ")[1] for each in found] == ["a", "b", "b"]


# --- which runs they may serve ----------------------------------------------------------------------------------

QUEUES: dict[str, Any] = {
    "growing": {"cpu": 1024, "memory": [2048, 4096], "standby": 1},
    "spot-*": {"standby": 1, "fallback": "plain"},
    "plain": {},
}


@pytest.mark.parametrize(
    ("queue", "run", "pool", "why"),
    [
        ("default", {}, "default", ""),
        ("", {}, "default", ""),
        ("nobody-knows", {}, "default", ""),
        ("spot-1", {}, "spot-*", ""),
        ("spot-1", {"executor_config": {}}, "spot-*", ""),
        ("growing", {"outgrown": 1000}, "growing", ""),
        ("growing", {"outgrown": 2048}, "", "it gets more memory"),
        ("spot-1", {"fallbacks": 1}, "", "it has fallen back to plain"),
        ("spot-1", {"executor_config": {"cpu": 512}}, "", "it has an executor_config"),
        ("spot-1", {"executor_config": "wrong"}, "", "it has an executor_config"),
        ("plain", {}, "", "its queue keeps no standbys"),
        ("plain", {"executor_config": {"cpu": 512}}, "", "its queue keeps no standbys"),
    ],
)
def test_a_run_gets_a_standby_only_if_its_request_is_the_pools(
    queue: str, run: dict[str, Any], pool: str, why: str
) -> None:
    assert pool_for(profiles(QUEUES, standby=1), queue, **run) == (pool, why)


def test_a_refused_queue_gets_none() -> None:
    found = profiles(QUEUES, standby=1, unknown_queue="refuse")
    assert pool_for(found, "nobody-knows") == ("", "its queue keeps no standbys")


def test_a_name_that_is_given_is_a_pools() -> None:
    found = profiles(QUEUES, standby=1, default_queue="main")
    names = {pool.name for pool in pools_of(found, BUCKET)}
    given = {pool_for(found, queue)[0] for queue in ("main", "", "spot-1", "growing", "plain")}
    assert given - {""} == names == {"main", "spot-*", "growing"}


# --- at startup -------------------------------------------------------------------------------------------------


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {**REQUIRED, "subnets": "s"}.items():
        monkeypatch.setenv(f"AIRFLOW__AWS_ECS_EXECUTOR__{name.upper()}", str(value))
    return monkeypatch


def set_ours(options: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        options.setenv(f"AIRFLOW__ECS_ASYNC_EXECUTOR__{name.upper()}", value)


def read() -> Configuration:
    return read_configuration(conf)


def test_the_configuration_has_the_pools(options: pytest.MonkeyPatch) -> None:
    assert read().standby_pools == ()
    set_ours(options, standby="2", payload_bucket="s3://bucket/airflow")
    (pool,) = read().standby_pools
    assert (pool.name, pool.count, pool.location) == ("default", 2, "s3://bucket/airflow/")


def test_a_scheduler_does_not_start_with_standbys_that_cannot_work(options: pytest.MonkeyPatch) -> None:
    set_ours(options, standby="2", queues='{"gpu": {"standby": 1}}')
    with pytest.raises(OptionsError) as caught:
        read()
    general, of_queue = caught.value.problems
    assert general.startswith(
        "[ecs_async_executor] standby (AIRFLOW__ECS_ASYNC_EXECUTOR__STANDBY): standbys get"
    )
    assert of_queue.startswith(
        "[ecs_async_executor] queues (AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES): gpu: standby: "
    )


def test_a_scheduler_says_that_its_standbys_have_no_subnet(options: pytest.MonkeyPatch) -> None:
    set_ours(options, standby="2", payload_bucket="s3://bucket/airflow")
    options.setenv("AIRFLOW__AWS_ECS_EXECUTOR__LAUNCH_TYPE", "FARGATE")
    options.delenv("AIRFLOW__AWS_ECS_EXECUTOR__SUBNETS")
    with pytest.raises(OptionsError, match=r"STANDBY\): no standby can be launched. Fargate tasks need"):
        read()


def test_a_wrong_bucket_is_not_also_called_missing(options: pytest.MonkeyPatch) -> None:
    set_ours(options, standby="2", payload_bucket="https://bucket")
    with pytest.raises(OptionsError) as caught:
        read()
    (only,) = caught.value.problems
    assert only.startswith("[ecs_async_executor] payload_bucket ")


@pytest.mark.parametrize(
    ("standby", "parallelism", "warned"),
    [("32", "32", False), ("33", "32", True), ("33", "0", False), ("33", "many", False), ("0", "1", False)],
)
def test_more_standbys_than_tasks_at_once_are_a_probable_mistake(
    options: pytest.MonkeyPatch, standby: str, parallelism: str, warned: bool
) -> None:
    set_ours(options, standby=standby, payload_bucket="s3://bucket/airflow")
    options.setenv("AIRFLOW__CORE__PARALLELISM", parallelism)
    said = [each for each in read().warnings if "so the other standbys only cost" in each]
    assert len(said) == warned
    assert all("standby of the queue default is 33, and [core] parallelism is 32" in each for each in said)
