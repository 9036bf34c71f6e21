"""`image`: the one name that RunTask doesn't have."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.config.explain import origin_of
from ecs_async_executor.config.layers import Layer
from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.errors import InvalidRequestError, OptionsError
from ecs_async_executor.messages import Payload, Request

DIGEST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/airflow@sha256:" + "0a" * 32


def request(config: Any, queue: str = "", deliver: Any = None, **options: Any) -> Request:
    required = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "subnets": "subnet-1"}
    profiles = make_profiles(Settings.model_validate(required | options))
    command = ["airflow"] if deliver is None else ["x" * 9000]
    return profiles.of(queue).request(command, config, deliver=deliver)


@pytest.mark.parametrize("image", ["a", "airflow:2", "localhost:5000/airflow", DIGEST, "a" * 255])
def test_an_image_is_no_part_of_the_request_that_is_sent(image: str) -> None:
    made = request({"image": image})
    assert made.image == image
    assert "image" not in made.body
    assert made.is_open


@pytest.mark.parametrize(
    ("config", "queue"),
    [
        ({"image": "airflow:2"}, ""),
        ({"Image": "airflow:2"}, ""),
        (None, "ml"),
        ({"image": "airflow:2"}, "old"),
    ],
)
def test_executor_config_and_profiles_may_name_an_image_and_the_higher_layer_counts(
    config: Any, queue: str
) -> None:
    queues = {"ml": {"image": "airflow:2"}, "old": {"image": "airflow:1"}}
    assert request(config, queue, queues=queues).image == "airflow:2"


def test_run_task_kwargs_may_name_the_image_of_all_tasks() -> None:
    assert request(None, run_task_kwargs={"image": "airflow:2"}).image == "airflow:2"


def test_null_takes_the_task_definitions_own_image() -> None:
    made = request({"image": None}, "ml", queues={"ml": {"image": "airflow:2"}}, launch_type="FARGATE")
    assert made.image == ""
    assert not made.is_open


def test_an_image_goes_beside_another_task_definition() -> None:
    made = request({"image": "airflow:2", "taskDefinition": "gpu:3"})
    assert (made.image, made.body["taskDefinition"]) == ("airflow:2", "gpu:3")


def test_an_image_outlives_the_answer_about_the_clusters_default() -> None:
    made = request({"image": "airflow:2"})
    assert made.settle is not None
    settled = made.settle([{"capacityProvider": "FARGATE_SPOT"}])
    assert settled.image == "airflow:2"
    assert "image" not in settled.body


@pytest.mark.parametrize("launch_type", [None, "FARGATE"])
def test_an_image_and_a_workload_in_s3_go_together(launch_type: str | None) -> None:
    payload = Payload("s3://bucket/run.json", b"x")
    made = request({"image": "airflow:2"}, deliver=lambda: (["fetch"], payload), launch_type=launch_type)
    assert (made.image, made.payload) == ("airflow:2", payload)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("", "image is not the name of an image (without a scheme or spaces), such as "),
        (" ", "image is not the name of an image (without a scheme or spaces), such as "),
        ("airflow 2", "image is not the name of an image (without a scheme or spaces), such as "),
        (
            "https://registry/airflow",
            "image is not the name of an image (without a scheme or spaces), such as ",
        ),
        ("airflow:2\n", "image is not the name of an image (without a scheme or spaces), such as "),
        ("-airflow", "image is not the name of an image (without a scheme or spaces), such as "),
        ("a" * 256, "image has 256 characters; ECS takes at most 255."),
        (["airflow:2"], "image is a list; ECS takes text."),
        ({"name": "airflow"}, "image is an object; ECS takes text."),
        (True, "image is true or false; ECS takes text."),
    ],
)
def test_a_bad_image_is_refused_before_any_call(image: Any, says: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        request({"image": image})
    assert caught.value.problem.startswith(f"executor_config: {says}")


def test_a_bad_image_of_a_profile_is_reported_at_the_start() -> None:
    with pytest.raises(OptionsError, match=r"queues: ml: image is not the name of an image"):
        request(None, queues={"ml": {"image": "no image"}})


@pytest.mark.parametrize(
    "config",
    [
        {"overrides": {"image": "a"}},
        {"overrides": {"containerOverrides": [{"name": "airflow", "image": "a"}]}},
    ],
)
def test_an_image_in_the_wrong_place_is_reported_with_the_right_one(config: dict[str, Any]) -> None:
    with pytest.raises(
        InvalidRequestError, match=r"image is not a member of ECS's \w+\. Write it as image\."
    ):
        request(config)


def test_a_misspelt_image_is_guessed() -> None:
    with pytest.raises(InvalidRequestError, match=r"Did you mean image\?"):
        request({"imagee": "airflow:2"})


@pytest.mark.parametrize(
    ("layer", "where"),
    [
        ("executor_config", "this task's executor_config"),
        ("queue ml", "the profile of the queue ml"),
    ],
)
def test_a_message_says_where_an_image_is_set(layer: str, where: str) -> None:
    assert origin_of("image", [Layer(layer, {"image": "a"})], "airflow", {}) == where
