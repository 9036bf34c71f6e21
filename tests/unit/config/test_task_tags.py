"""Templates of tags are checked when options are read; after that no name of a task fails its launch."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.config.checks import problems
from ecs_async_executor.config.explain import explain
from ecs_async_executor.config.profiles import Profiles, make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.config.task_tags import (
    NAMES,
    TagTemplate,
    TaskFacts,
    as_layer,
    fill,
    parse_task_tags,
)
from ecs_async_executor.ecs_rules import LONGEST_TAG_KEY, LONGEST_TAG_VALUE, MOST_TAGS
from ecs_async_executor.errors import OptionsError

FACTS = TaskFacts(
    bundle="main",
    dag_id="etl",
    owner="ada+bob",
    queue="gpu",
    run_id="scheduled__2026-11-27T00:00:00+00:00",
    run_type="scheduled",
    task_id="load.rows",
    team="data",
)


def profiles(**options: Any) -> Profiles:
    required = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "launch_type": "EC2"}
    return make_profiles(Settings.model_validate({**required, **options}))


def tags(made: Profiles, queue: str = "", config: object = None, facts: TaskFacts = FACTS) -> dict[str, str]:
    body = made.of(queue).request(["run"], config, facts=facts).body
    return {tag["key"]: tag["value"] for tag in body.get("tags", ())}


@pytest.mark.parametrize("name", NAMES)
def test_a_template_may_name_each_fact(name: str) -> None:
    assert tags(profiles(task_tags={"it": f"x-{{{name}}}"})) == {"it": f"x-{getattr(FACTS, name)}"}


def test_without_the_option_a_request_has_no_tags() -> None:
    assert "tags" not in profiles().of("").request(["run"], None, facts=FACTS).body


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "it is not JSON"),
        ('["dag"]', "it is not an object of tags"),
        ('{"a": "b", "a": "c"}', "'a' appears twice"),
        ({"": "x"}, "the tag '' has a key of 0 characters; ECS takes 1 to 128"),
        ({"k" * 129: "x"}, "has a key of 129 characters"),
        ({"aws:dag": "x"}, "the tag 'aws:dag' begins with aws:, which AWS reserves"),
        ({"AWS:dag": "x"}, "begins with aws:"),
        ({"dag#": "x"}, "the tag 'dag#' has '#' in its key; AWS takes letters"),
        ({"dag": "{dag}"}, "the tag 'dag' names {dag}, which no task has. Did you mean dag_id?"),
        ({"dag": "{try_number}"}, "names {try_number}, which no task has. There are: bundle, dag_id"),
        ({"dag": "{}"}, "names {}, which no task has"),
        ({"dag": "{dag_id.__class__}"}, "names {dag_id.__class__}, which no task has"),
        ({"dag": "{dag_id[0]}"}, "which no task has"),
        ({"dag": "{dag_id:>99}"}, "the tag 'dag' formats {dag_id}: write it without : and !"),
        ({"dag": "{dag_id!r}"}, "formats {dag_id}"),
        ({"dag": "{dag_id"}, "the tag 'dag' has a broken template (expected '}' before end of string)"),
        ({"dag": "{{dag_id}}"}, "has '{' '}' in its template; AWS takes letters"),
        ({"dag": "a;b,c"}, "has ';' ',' in its template"),
        ({"dag": "aws:{dag_id}"}, "begins with aws:, which AWS reserves"),
        ({"dag": "v" * 257}, "has a template of 257 characters; ECS takes at most 256"),
        ({"dag": "v" * 251 + "{dag_id}"}, "has a template of 257 characters"),
        ({"dag": 5}, "the tag 'dag' has a value that isn't text"),
        ({str(n): "x" for n in range(51)}, "it has 51 tags; ECS takes at most 50"),
    ],
)
def test_what_can_never_be_a_tag_is_said_when_options_are_read(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_task_tags(value)


def test_a_wrong_template_of_a_profile_is_said_with_its_name() -> None:
    with pytest.raises(OptionsError) as caught:
        profiles(queues={"gpu": {"task_tags": {"dag": "{dga_id}"}}})
    (problem,) = caught.value.problems
    assert problem.endswith(
        "gpu: task_tags: the tag 'dag' names {dga_id}, which no task has. Did you mean dag_id?"
    )


@pytest.mark.parametrize(
    ("template", "facts", "value"),
    [
        ("{dag_id}", {"dag_id": "a,b;c"}, "a_b_c"),
        ("{dag_id}", {"dag_id": "größe.数据-\u0661"}, "größe.数据-\u0661"),
        ("{dag_id}", {"dag_id": "cafe\u0301"}, "caf\u00e9"),
        ("{dag_id}", {"dag_id": "a\u0489b"}, "a_b"),
        ("{dag_id}", {"dag_id": "  a \t\n b\u2028"}, "a b"),
        ("{dag_id}", {"dag_id": "😀"}, "_"),
        ("{dag_id}", {"dag_id": "\ud800"}, "_"),
        ("{dag_id}", {"dag_id": "aws:x"}, "aws_x"),
        ("{dag_id}", {"dag_id": "AWS:x:y"}, "AWS_x:y"),
        ("{dag_id}", {"dag_id": "a" * 300}, "a" * 256),
        ("{dag_id}/{task_id}", {"dag_id": "a", "task_id": "{dag_id}"}, "a/_dag_id_"),
        ("{team}", {}, None),
        ("{dag_id}-{team}", {"dag_id": "a"}, None),
        ("{dag_id}", {"dag_id": "   "}, None),
        ("constant", {}, "constant"),
    ],
)
def test_values_are_cleaned_and_unknown_ones_left_out(
    template: str, facts: dict[str, str], value: str | None
) -> None:
    assert TagTemplate(template).value_for(TaskFacts(**facts)) == value


TEXTS = st.text(max_size=300) | st.text(st.sampled_from("aAwWsS:\u0301{}# é"), max_size=20)


@given(st.builds(TaskFacts, **dict.fromkeys(NAMES, TEXTS)))
def test_no_name_of_a_task_makes_a_request_that_ecs_refuses(facts: TaskFacts) -> None:
    templates = {"one": "".join(f"{{{name}}}" for name in NAMES), **{name: f"{{{name}}}" for name in NAMES}}
    body = fill({"taskDefinition": "t", "tags": _tags(templates)}, facts)
    assert problems(body) == []
    for tag in body.get("tags", ()):
        assert 1 <= len(tag["value"]) <= LONGEST_TAG_VALUE
        assert not tag["value"].lower().startswith("aws:")
        assert type(tag["value"]) is str
    assert fill({"taskDefinition": "t", "tags": _tags(templates)}, facts) == body


@given(st.dictionaries(st.text(max_size=130), st.text(max_size=30), max_size=3))
def test_what_is_accepted_when_options_are_read_ecs_accepts_too(found: dict[str, str]) -> None:
    try:
        parsed = parse_task_tags(json.dumps(found))
    except ValueError:
        return
    filled = fill({"taskDefinition": "t", "tags": _tags(parsed)}, FACTS)
    assert problems(filled) == []
    assert problems({"taskDefinition": "t", "tags": _tags(parsed)}) == []


def _tags(templates: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in as_layer(templates)["tags"].items()]


def test_the_limits_are_those_of_the_model() -> None:
    from ecs_async_executor.config.spelling import run_task_shape  # noqa: PLC0415  beside what it is for

    shape = run_task_shape().members["tags"]
    assert shape.metadata["max"] == MOST_TAGS
    assert shape.member.members["key"].metadata["max"] == LONGEST_TAG_KEY
    assert shape.member.members["value"].metadata["max"] == LONGEST_TAG_VALUE


GENERAL = {"dag": "{dag_id}", "kind": "{run_type}"}


def test_every_later_layer_wins_tag_by_tag() -> None:
    made = profiles(
        task_tags=GENERAL,
        run_task_kwargs={"tags": {"kind": "of run_task_kwargs", "more": "1"}},
        queues={
            "gpu": {"tags": {"more": "of the profile"}, "task_tags": {"more": "x", "task": "{task_id}"}},
            "bare": {"task_tags": {"dag": None, "kind": None}},
        },
    )
    assert tags(made) == {"dag": "etl", "kind": "of run_task_kwargs", "more": "1"}
    assert tags(made, "gpu") == {
        "dag": "etl",
        "kind": "of run_task_kwargs",
        "more": "of the profile",
        "task": "load.rows",
    }
    assert tags(made, "bare") == {"more": "1"}
    config = {"tags": [{"key": "dag", "value": "of the task"}, {"key": "kind", "value": None}]}
    assert tags(made, config=config) == {"dag": "of the task", "more": "1"}


def test_a_request_is_the_same_each_time_it_is_built() -> None:
    made = profiles(task_tags={**GENERAL, "team": "{team}", "who": "{owner}"})
    one, other = (made.of("").request(["run"], {"cpu": "1"}, facts=FACTS) for _ in range(2))
    assert json.dumps(one.body) == json.dumps(other.body)
    assert [tag["key"] for tag in one.body["tags"]] == ["dag", "kind", "team", "who"]


def test_tags_are_filled_before_the_clusters_default_settles_a_request() -> None:
    required = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "subnets": "s"}
    made = make_profiles(Settings.model_validate({**required, "task_tags": GENERAL}))
    request = made.of("").request(["run"], None, facts=FACTS)
    assert request.settle is not None
    assert request.settle(()).body["tags"][0] == {"key": "dag", "value": "etl"}


def test_too_many_tags_together_are_said_of_the_layer_that_adds_them() -> None:
    many = {f"t{n}": "x" for n in range(49)}
    with pytest.raises(OptionsError, match="tags has 51 items; ECS takes at most 50"):
        profiles(task_tags=GENERAL, run_task_kwargs={"tags": many})


def test_what_is_shown_of_a_request_is_the_template_and_the_option_that_sets_it() -> None:
    template = profiles(task_tags=GENERAL).of("").template
    lines = explain(template.request(["run"], None).body, template.layers, "airflow", "the executor")
    shown = {line.path: (line.value, line.layer) for line in lines}
    assert shown["tags[dag]"] == ("{dag_id}", "task_tags")
