"""examples/config: what people copy is known, complete and accepted, and both forms say the same."""

from __future__ import annotations

import pytest
from airflow.configuration import conf

from ecs_async_executor.config.configuration import read_configuration
from ecs_async_executor.config.settings import DROP_IN_SECTION, SECTION, Settings
from tests.support.samples import (
    EXAMPLES,
    Option,
    Sample,
    in_force,
    is_required,
    problem_of,
    read_cfg,
    read_env,
)

CONFIG = EXAMPLES / "config"
MINIMAL, FULL = (read_cfg(CONFIG / f"{name}.cfg") for name in ("minimal", "full"))
OURS = {SECTION, DROP_IN_SECTION}


@pytest.mark.parametrize("name", ["minimal", "full"])
def test_every_option_is_known_and_none_is_deprecated(name: str):
    options = read_cfg(CONFIG / f"{name}.cfg").all
    assert [problem for option in options if (problem := problem_of(option))] == []


@pytest.mark.parametrize("name", ["minimal", "full"])
def test_the_variables_say_the_same_as_the_file(name: str):
    assert read_env(CONFIG / f"{name}.env") == read_cfg(CONFIG / f"{name}.cfg")


def test_the_minimal_sample_sets_all_that_is_required():
    set_here = {name for section, name in MINIMAL.values if section in OURS}
    assert [name for name in Settings.model_fields if is_required(name) and name not in set_here] == []


def test_the_full_sample_has_every_option_of_the_executor():
    here = {name for section, name in FULL.all if section in OURS}
    assert [name for name in Settings.model_fields if name not in here] == []


@pytest.mark.parametrize("sample", [MINIMAL, FULL], ids=["minimal", "full"])
def test_the_executor_accepts_a_sample_and_warns_of_nothing(sample: Sample):
    with in_force(sample.values):
        assert read_configuration(conf).warnings == ()


def test_a_value_that_is_commented_out_is_the_default():
    ours = {option: value for option, value in FULL.defaults.items() if option[0] in OURS}
    with in_force(FULL.values):
        as_it_is = read_configuration(conf).settings
    with in_force({**FULL.values, **ours}):
        assert read_configuration(conf).settings == as_it_is


@pytest.mark.parametrize("option", FULL.others, ids=lambda option: option[1])
def test_an_example_that_is_commented_out_is_accepted(option: Option):
    values = {**FULL.values, option: FULL.others[option]}
    if option[1] == "capacity_provider_strategy":
        del values[DROP_IN_SECTION, "launch_type"]  # the comment says: one of the two
    with in_force(values):
        assert option[1] in read_configuration(conf).found


def test_no_sample_holds_a_secret():
    secrets = ("fernet_key", "secret_key", "jwt_secret", "sql_alchemy_conn")
    assert [name for _, name in FULL.all if name in secrets] == []


def test_unknown_and_renamed_options_are_found():
    assert problem_of((SECTION, "queue")) == "[ecs_async_executor] queue is unknown"
    assert problem_of((DROP_IN_SECTION, "concurrency")) == "[aws_ecs_executor] concurrency is unknown"
    assert problem_of(("core", "sql_alchemy_conn")) != ""
    assert problem_of(("scheduler", "dag_dir_list_interval")) != ""
    assert problem_of(("api_auth", "jwt_secret_cmd")) == ""
