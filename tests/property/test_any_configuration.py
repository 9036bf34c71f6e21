"""Any configuration gives either a request that botocore accepts or one clear error, and affects no other task."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from airflow.configuration import conf
from botocore.validate import ParamValidator
from hypothesis import example, given
from hypothesis import strategies as st

from ecs_async_executor.config.checks import problems
from ecs_async_executor.config.configuration import read_configuration
from ecs_async_executor.config.explain import explain, masked, origin_of
from ecs_async_executor.config.layers import Layer, normalise_layer
from ecs_async_executor.config.profiles import Options as ProfileOptions
from ecs_async_executor.config.request import RequestTemplate
from ecs_async_executor.config.settings import SECTION, Settings, is_drop_in
from ecs_async_executor.config.spelling import container_shape, run_task_shape
from ecs_async_executor.ecs_rules import OVERRIDES
from ecs_async_executor.errors import InvalidRequestError, OptionsError
from ecs_async_executor.messages import Payload, Request

TOKEN = "the-secret-token"
COMMAND = ["python", "-m", "worker", TOKEN]
FETCH = ["python", "-c", "fetch"]
SHAPE = run_task_shape()
STRATEGIES: tuple[list[dict[str, Any]], ...] = (
    [],
    [{"capacityProvider": "FARGATE"}],
    [{"capacityProvider": "mine"}],
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=8)
    | st.just("airflow")
)
KEYS = st.sampled_from(
    [
        *SHAPE.members,
        *SHAPE.members["overrides"].members,
        *container_shape().members,
        *SHAPE.members["networkConfiguration"].members["awsvpcConfiguration"].members,
        "awsvpcConfiguration",
        "key",
        "value",
        "launch_type",
        "task_definition",
        "Launch_Type",
    ]
) | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def of_shape(shape: Any, depth: int = 4) -> st.SearchStrategy[Any]:
    """Return a strategy for values that look right, and now and then for any others."""
    if depth == 0:
        return SCALARS
    if shape.type_name == "structure":
        members = {name: of_shape(member, depth - 1) for name, member in shape.members.items()}
        right: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=members)
    elif shape.type_name == "list":
        right = st.lists(of_shape(shape.member, depth - 1), max_size=3)
        if "value" in getattr(shape.member, "members", ()):
            right |= st.dictionaries(st.text(max_size=4), SCALARS, max_size=3)
    elif shape.type_name == "string":
        right = st.sampled_from([*getattr(shape, "enum", ()), "airflow", "proxy", "FARGATE", "512"])
    elif shape.type_name == "boolean":
        right = st.booleans()
    else:
        right = st.integers(0, 10)
    return st.one_of(right, right, right, st.none(), SCALARS)


RIGHT = of_shape(SHAPE) | of_shape(container_shape())
DICTS = st.fixed_dictionaries(
    {}, optional={name: of_shape(member, 3) for name, member in SHAPE.members.items()}
) | st.dictionaries(KEYS, JSON, max_size=4)
ANYTHING = RIGHT | JSON
KWARGS = {
    "tags": {"a": "1"},
    "overrides": {"containerOverrides": [{"name": "airflow", "environment": {"A": "1"}}]},
}


def settings(**options: Any) -> Settings:
    required = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "subnets": ("s",)}
    return Settings.model_validate({**required, **options})


TEMPLATE = RequestTemplate(settings(run_task_kwargs=KWARGS))
PLAIN = deepcopy(dict(TEMPLATE.request(COMMAND, None).body))


def template(*arguments: Any) -> RequestTemplate | InvalidRequestError:
    try:
        return RequestTemplate(*arguments)
    except InvalidRequestError as error:
        return error


def deliver() -> tuple[list[str], Payload]:
    return FETCH, Payload("s3://bucket/run.json", TOKEN.encode())


def answer(
    template: RequestTemplate, config: Any, *, long: bool = False
) -> list[Request] | InvalidRequestError:
    """Return the requests it gives for each possible default strategy of the cluster, or the error."""
    try:
        request = (
            template.request([*COMMAND, "x" * 9000], config, deliver=deliver)
            if long
            else template.request(COMMAND, config)
        )
        return [request.settle(each) for each in STRATEGIES] if request.settle else [request]
    except InvalidRequestError as error:
        return error


def check(found: list[Request] | InvalidRequestError, container: str = "airflow") -> None:
    if isinstance(found, InvalidRequestError):
        assert found.problem
        assert found.remedy
        assert TOKEN not in str(found)
        assert len(str(found)) < 20_000
        return
    for request in found:
        body = dict(request.body)
        assert not ParamValidator().validate(body, SHAPE).has_errors()
        assert not list(problems(body))
        assert json.dumps(body)
        assert len(json.dumps(body["overrides"], separators=(",", ":"), ensure_ascii=False)) <= OVERRIDES
        assert [
            each["command"] for each in body["overrides"]["containerOverrides"] if each["name"] == container
        ] == [COMMAND if request.payload is None else FETCH]
        assert not {"count", "clientToken", "startedBy", "image"} & body.keys()
        assert not (body.get("launchType") and body.get("capacityProviderStrategy"))


@given(ANYTHING)
@example({"overrides": {"containerOverrides": [{"name": None}]}})
@example({"environment": [{}]})
@example({"overrides": {"containerOverrides": [{"name": "side", "environment": [{"value": "x"}]}]}})
def test_any_executor_config_gives_a_valid_request_or_fails_only_its_own_task(config: Any) -> None:
    before = deepcopy([config])
    check(answer(TEMPLATE, config))
    check(answer(TEMPLATE, config, long=True))
    assert [config] == before
    assert dict(TEMPLATE.request(COMMAND, None).body) == PLAIN


@given(DICTS, DICTS, ANYTHING)
@example({"environment": [{}]}, {}, None)
@example({}, {"environment": [{}]}, None)
def test_any_layers_give_a_valid_request_or_one_error_that_names_the_layer(
    kwargs: dict[str, Any], profile: dict[str, Any], config: Any
) -> None:
    made = template(settings(run_task_kwargs=kwargs), Layer("queue gpu", profile))
    if isinstance(made, InvalidRequestError):
        assert made.problem.startswith(("run_task_kwargs: ", "queue gpu: "))
    else:
        check(answer(made, config))


def as_json(value: Any) -> str:
    return json.dumps(value, default=repr)


NUMBERS = st.integers(-2, 2000).map(str) | st.floats().map(str)
LIKELY = {
    "launch_type": st.sampled_from(["FARGATE", "fargate", "EC2", "EXTERNAL", "LAMBDA"]),
    "capacity_provider_strategy": st.sampled_from(
        ["a:1,b", "FARGATE_SPOT:1:1", "[{'capacityProvider': 'x'}]", "a:0,b:0"]
    ),
    "subnets": st.sampled_from(["s", "s,s", ",".join("s" * 17), '["s"]', "[1]"]),
    "security_groups": st.sampled_from(["g", ",".join("g" * 6)]),
    "run_task_kwargs": ANYTHING.map(as_json) | ANYTHING.map(repr),
}
SIZES = st.lists(
    st.sampled_from([256, 512, 1024, 2048, 4096, 8192, "1 GB", "2 vCPU"]) | SCALARS, max_size=3
).map(lambda sizes: sorted(sizes, key=repr)) | st.sampled_from(
    [[512, 1024], [1024, 2048], [2048, 4096, 8192]]
)
GROWING = st.fixed_dictionaries({}, optional={"cpu": SIZES | SCALARS | st.just(1024), "memory": SIZES})
PROFILES = st.dictionaries(
    st.sampled_from(["gpu", "spot", "*", "default"]),
    st.fixed_dictionaries(
        {},
        optional={
            **{name: of_shape(member, 3) for name, member in SHAPE.members.items()},
            **dict.fromkeys(ProfileOptions.model_fields, SCALARS | st.sampled_from(["gpu", "spot", 1, 0.5])),
            "cpu": SIZES | SCALARS | st.just(1024),
            "memory": SIZES,
        },
    )
    | GROWING
    | GROWING.map(lambda sizes: {"overrides": sizes})
    | GROWING.map(lambda sizes: {"launchType": "EC2", **sizes}),
)
LIKELY["queues"] = PROFILES.map(as_json) | PROFILES.map(repr)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
OPTIONS = st.fixed_dictionaries(
    {"cluster": st.just("c"), "container_name": st.just("airflow"), "task_definition": st.just("t")},
    optional={
        name: st.one_of(LIKELY.get(name, NUMBERS), TEXT, JSON.map(repr).filter(lambda text: "\0" not in text))
        for name in Settings.model_fields
        if name not in {"cluster", "container_name", "task_definition"}
    },
)


@given(OPTIONS, st.booleans())
@example(
    {
        "cluster": "c",
        "container_name": "a",
        "task_definition": "t",
        "queues": '{"a": {"cluster": null}, "b": {"fallback": "a"}}',
    },
    True,
)
@example(
    {
        "cluster": "c",
        "container_name": "a",
        "task_definition": "t",
        "subnets": "s",
        "queues": '{"a": {"cpu": 1024, "memory": [2048, 4096]}, "b": {"launchType": "EC2", "memory": [1, 2]}}',
    },
    True,
)
@example(
    {
        "cluster": "c",
        "container_name": "a",
        "task_definition": "t",
        "subnets": "s",
        "task_tags": '{"team": null}',
    },
    True,
)
def test_any_options_give_valid_templates_or_one_error(options: dict[str, str], ours: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in options.items():
            drop_in = is_drop_in(Settings.model_fields[name]) and not ours
            section = "AWS_ECS_EXECUTOR" if drop_in else SECTION.upper()
            patch.setenv(f"AIRFLOW__{section}__{name.upper()}", value)
        try:
            read = read_configuration(conf)
        except OptionsError:
            return
    for profile in read.profiles:
        for size in profile.sizes:
            check(answer(size.template, None), size.template.container)


@given(DICTS)
def test_normalising_twice_changes_nothing_more(config: dict[str, Any]) -> None:
    wrong: list[str] = []
    once = normalise_layer(config, "airflow", wrong)
    for part in once if not wrong else ():
        assert normalise_layer(part, "airflow", wrong) == (part,)
        assert not wrong


@given(RIGHT)
def test_any_request_can_be_explained(config: Any) -> None:
    found = answer(TEMPLATE, config)
    if isinstance(found, InvalidRequestError) or config is None:
        return
    layers = (*TEMPLATE.layers, Layer("executor_config", config))
    lines = explain(found[0].body, layers, "airflow", "the executor")
    assert "taskDefinition" in {line.path for line in lines}
    assert {line.layer for line in lines} <= {layer.name for layer in layers} | {"the executor"}
    assert masked(dict(found[0].body)).keys() == found[0].body.keys()
    origins = {member: origin_of(member, layers, "airflow", {}) for member in found[0].body}
    assert origins["cluster"] is not None
    assert origins["taskDefinition"] is not None
