from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.configuration import conf
from airflow.executors.base_executor import ExecutorConf

from ecs_async_executor.config.configuration import read_configuration
from ecs_async_executor.config.reading import strange_names
from ecs_async_executor.config.settings import (
    DROP_IN_SECTION,
    SECTION,
    Settings,
    is_drop_in,
    of_option,
)
from ecs_async_executor.config.sources import Conf, Found
from ecs_async_executor.engine.options import Rate
from ecs_async_executor.errors import ConfigurationError

REQUIRED = {
    "cluster": "my-cluster",
    "container_name": "airflow",
    "task_definition": "airflow-task",
    "subnets": "subnet-1",
}


class Options:
    """Airflow's environment variables, as a user sets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def set(self, section: str, **values: str) -> None:
        for name, value in values.items():
            self._monkeypatch.setenv(f"AIRFLOW__{section.upper()}__{name.upper()}", value)


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> Options:
    return Options(monkeypatch)


@pytest.fixture
def required(options: Options) -> Options:
    options.set(DROP_IN_SECTION, **REQUIRED)
    return options


def read(source: Conf) -> tuple[Settings, Mapping[str, Found]]:
    configuration = read_configuration(source)
    return configuration.settings, configuration.found


def load() -> Settings:
    return read(conf)[0]


def problems() -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load()
    first, *rest = str(caught.value).splitlines()
    what = "option" if len(rest) == 1 else "options"
    assert first == f"{len(rest)} {what} to correct:"
    return rest


# --- where an option comes from -------------------------------------------------------------------------------


def test_the_required_options_of_the_amazon_provider_are_enough(required: Options) -> None:
    settings = load()
    assert (settings.cluster, settings.container_name) == ("my-cluster", "airflow")
    assert (settings.task_definition, settings.subnets) == ("airflow-task", ("subnet-1",))


def test_defaults_are_the_amazon_providers(required: Options) -> None:
    settings = load()
    assert settings.conn_id == "aws_default"
    assert settings.max_run_task_attempts == 3
    assert settings.check_health_on_startup is True
    assert settings.assign_public_ip is False
    assert settings.launch_type is None
    assert settings.run_task_kwargs == {}


def test_our_section_wins_over_the_amazon_providers(required: Options) -> None:
    required.set(DROP_IN_SECTION, max_run_task_attempts="5", conn_id="theirs")
    required.set(SECTION, cluster="ours", conn_id="ours")
    settings = load()
    assert (settings.cluster, settings.conn_id, settings.max_run_task_attempts) == ("ours", "ours", 5)


def test_our_section_alone_is_enough(options: Options) -> None:
    options.set(SECTION, **REQUIRED)
    assert load().cluster == "my-cluster"


def test_what_is_only_ours_is_not_read_from_the_other_section(required: Options) -> None:
    required.set(DROP_IN_SECTION, concurrency="7")
    assert load().concurrency == 50


def test_an_empty_option_is_an_unset_one(required: Options) -> None:
    required.set(SECTION, cluster="", max_run_task_attempts="  ")
    assert (load().cluster, load().max_run_task_attempts) == ("my-cluster", 3)


@pytest.mark.parametrize("spelling", ["region_name", "region"])
@pytest.mark.parametrize("section", [SECTION, DROP_IN_SECTION])
def test_the_region_is_read_under_both_of_its_names(required: Options, section: str, spelling: str) -> None:
    required.set(section, **{spelling: "eu-central-1"})
    assert load().region_name == "eu-central-1"


def test_every_option_of_the_amazon_provider_is_known() -> None:
    theirs = set(conf.configuration_description[DROP_IN_SECTION]["options"])
    assert theirs <= {name for name, field in Settings.model_fields.items() if is_drop_in(field)}


def test_every_option_has_a_description() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_a_teams_options_are_its_own(required: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**REQUIRED, "cluster": "the-teams"}.items():
        monkeypatch.setenv(f"AIRFLOW__BLUE___{DROP_IN_SECTION.upper()}__{name.upper()}", value)
    assert read_configuration(ExecutorConf("blue")).settings.cluster == "the-teams"
    assert load().cluster == "my-cluster"


def test_a_team_does_not_inherit_the_options_of_all(required: Options) -> None:
    with pytest.raises(ConfigurationError, match="cluster: it is required") as caught:
        read_configuration(ExecutorConf("blue"))
    for name in ("CLUSTER", "CONTAINER_NAME"):
        place = f"(AIRFLOW__BLUE___AWS_ECS_EXECUTOR__{name}, or the section [blue=aws_ecs_executor])"
        assert f"not set for the team 'blue' {place}" in str(caught.value)


def test_what_the_scheduler_goes_by_is_read_from_its_own_options_for_a_team_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(f"AIRFLOW__BLUE___{DROP_IN_SECTION.upper()}__{name.upper()}", value)
    monkeypatch.setenv("AIRFLOW__BLUE___ECS_ASYNC_EXECUTOR__UNKNOWN_QUEUE", "refuse")
    monkeypatch.setenv("AIRFLOW__BLUE___ECS_ASYNC_EXECUTOR__QUEUES", '{"gpu": {"cpu": 256}}')
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_QUEUE", "usual")
    monkeypatch.setenv("AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT", "7777")
    configuration = read_configuration(ExecutorConf("blue"))
    assert configuration.queued_timeout == 7777
    assert configuration.profiles.of("usual").refusal is None
    assert configuration.profiles.of("default").refusal is not None


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("workers", "min_heartbeat_interval"),
        ("scheduler", "task_instance_heartbeat_timeout"),
        ("scheduler", "task_queued_timeout"),
        ("core", "task_success_overtime"),
    ],
)
@pytest.mark.parametrize("text", ["5s", "their-secret", "nan"])
def test_a_wrong_number_of_airflows_is_reported_with_its_place_and_the_rest(
    required: Options, section: str, name: str, text: str
) -> None:
    required.set(section, **{name: text})
    required.set(SECTION, concurrency="0")
    concurrency, number = problems()
    assert concurrency.startswith("  - [ecs_async_executor] concurrency")
    place = f"[{section}] {name} (AIRFLOW__{section.upper()}__{name.upper()})"
    assert number.startswith(f"  - {place}: it is not a number.")
    assert "their-secret" not in number


def test_what_airflow_does_not_say_in_seconds_has_airflows_defaults(
    required: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    required.set("workers", min_heartbeat_interval=" ")
    heartbeats = read_configuration(conf).heartbeats
    assert (heartbeats.interval, heartbeats.timeout, heartbeats.unwanted_grace) == (5, 300, 140)


def test_an_option_of_airflows_that_cannot_be_read_is_reported_without_a_traceback(
    required: Options, airflow_cfg: Callable[[str], None]
) -> None:
    airflow_cfg("[workers]\nmin_heartbeat_interval = 5%\n")
    (line,) = problems()
    assert line.startswith("  - [workers] min_heartbeat_interval (airflow.cfg): it can't be read: ")


def test_what_is_wrong_in_a_teams_section_is_reported_with_the_teams_name(
    monkeypatch: pytest.MonkeyPatch, airflow_cfg: Callable[[str], None]
) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(f"AIRFLOW__TEAM-B___{DROP_IN_SECTION.upper()}__{name.upper()}", value)
    airflow_cfg("[team-b=ecs_async_executor]\nconcurrency = 0\nclustr = x\ndeployment = 100%\n")
    airflow_cfg('[team-b=aws_ecs_executor]\nrun_task_kwargs = {"count": 2}\nlaunch_type = LAMBDA\n')
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(ExecutorConf("team-b"))
    for option in (
        "[team-b=ecs_async_executor] concurrency (airflow.cfg): it must be at least 1.",
        "[team-b=ecs_async_executor] clustr (airflow.cfg): there is no such option.",
        "[team-b=ecs_async_executor] deployment (airflow.cfg): it can't be read",
        "[team-b=aws_ecs_executor] run_task_kwargs (airflow.cfg): count can't be configured.",
        "[team-b=aws_ecs_executor] launch_type (airflow.cfg): it is none of EC2",
    ):
        assert option in str(caught.value)
    assert "[aws_ecs_executor]" not in str(caught.value)


def test_a_section_of_a_team_that_has_no_executor_is_a_warning(
    required: Options, airflow_cfg: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor;team-b=ecs_async_executor.AsyncEcsExecutor")
    airflow_cfg("[team-b=aws_ecs_executor]\ncluster = c\n[team-c=aws_ecs_executor]\ncluster = c\n")
    said = [warning for warning in read_configuration(conf).warnings if "nothing reads it" in warning]
    (only,) = said
    assert only == (
        "the section [team-c=aws_ecs_executor] of airflow.cfg: nothing reads it. "
        "There is no team 'team-c' in [core] executor. Did you mean team-b?"
    )


# --- where it says that they come from ------------------------------------------------------------------------


@pytest.fixture
def airflow_cfg() -> Iterator[Callable[[str], None]]:
    """Have more in airflow.cfg."""
    parser: Any = conf
    saved = parser._sections.copy()
    yield parser.read_string
    parser._sections.clear()
    parser._sections.update(saved)


def test_each_option_is_reported_with_its_section_and_its_place(
    required: Options, airflow_cfg: Callable[[str], None]
) -> None:
    airflow_cfg("[ecs_async_executor]\npoll_interval = 20\n")
    required.set(SECTION, concurrency="7")
    settings, found = read(conf)
    assert (settings.poll_interval, settings.concurrency) == (20, 7)
    places = {
        name: (found[name].section, found[name].where) for name in ("poll_interval", "concurrency", "conn_id")
    }
    assert places == {
        "poll_interval": (SECTION, "airflow.cfg"),
        "concurrency": (SECTION, "AIRFLOW__ECS_ASYNC_EXECUTOR__CONCURRENCY"),
        "conn_id": (DROP_IN_SECTION, "default"),
    }


def test_a_teams_option_is_reported_with_the_teams_variable_or_section(
    monkeypatch: pytest.MonkeyPatch, airflow_cfg: Callable[[str], None]
) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(f"AIRFLOW__BLUE___{DROP_IN_SECTION.upper()}__{name.upper()}", value)
    airflow_cfg("[blue=ecs_async_executor]\nconcurrency = 3\n")
    _, found = read(ExecutorConf("blue"))
    assert found["cluster"].where == "AIRFLOW__BLUE___AWS_ECS_EXECUTOR__CLUSTER"
    assert found["concurrency"].where == "airflow.cfg"


KWARGS = '{"environment": {"PASSWORD": "their-secret"}}'


def test_run_task_kwargs_may_come_from_a_command_which_runs_once(
    required: Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "kwargs"
    script.write_text(f"echo run >> {tmp_path}/runs\necho '{KWARGS}'\n")
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__RUN_TASK_KWARGS_CMD", f"sh {script}")
    settings, found = read(conf)
    assert settings.run_task_kwargs == {"environment": {"PASSWORD": "their-secret"}}
    assert found["run_task_kwargs"].where == "AIRFLOW__ECS_ASYNC_EXECUTOR__RUN_TASK_KWARGS_CMD"
    assert (tmp_path / "runs").read_text() == "run\n"
    assert "their-secret" not in repr(found)


def test_a_command_in_airflow_cfg_works_as_well(
    required: Options, airflow_cfg: Callable[[str], None]
) -> None:
    airflow_cfg("[ecs_async_executor]\nrun_task_kwargs_cmd = echo {}\n")
    settings, found = read(conf)
    assert settings.run_task_kwargs == {}
    assert found["run_task_kwargs"].where == "airflow.cfg"


def test_a_command_that_fails_is_reported_without_what_it_said(
    required: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__RUN_TASK_KWARGS_CMD", "ls /their-secret")
    (line,) = problems()
    assert "[ecs_async_executor] run_task_kwargs (AIRFLOW__ECS_ASYNC_EXECUTOR__RUN_TASK_KWARGS_CMD)" in line
    assert "AirflowConfigException" in line
    assert "their-secret" not in line


def test_a_percent_sign_in_airflow_cfg_is_explained(
    required: Options, airflow_cfg: Callable[[str], None]
) -> None:
    airflow_cfg("[ecs_async_executor]\ndeployment = 100%\n")
    (line,) = problems()
    assert "write %% for %" in line


# --- options that there are not ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("clustr", "Did you mean cluster?"),
        ("poll_intervall", "Did you mean poll_interval?"),
        ("zzz", "There are: assign_public_ip, "),
        (
            "cluster_cmd",
            "Airflow does not read this option's _CMD form: set cluster itself.",
        ),
        (
            "cluster_secret",
            "Airflow does not read this option's _SECRET form: set cluster itself.",
        ),
    ],
)
def test_an_unknown_option_is_reported_with_what_was_meant(required: Options, name: str, hint: str) -> None:
    required.set(SECTION, **{name: "their-secret"})
    (line,) = problems()
    place = f"[{SECTION}] {name} (AIRFLOW__ECS_ASYNC_EXECUTOR__{name.upper()})"
    assert f"{place}: there is no such option. {hint}" in line
    assert "their-secret" not in line


def test_an_unknown_option_of_airflow_cfg_is_reported_as_well(
    required: Options, airflow_cfg: Callable[[str], None]
) -> None:
    airflow_cfg("[ecs_async_executor]\nclustr = x\n")
    (line,) = problems()
    assert "clustr (airflow.cfg): there is no such option. Did you mean cluster?" in line


def test_the_other_section_may_have_options_of_a_newer_provider(required: Options) -> None:
    required.set(DROP_IN_SECTION, option_of_tomorrow="x")
    assert load().cluster == "my-cluster"


def test_in_the_other_section_what_is_probably_misspelt_is_reported_as_a_warning(required: Options) -> None:
    assert strange_names(conf) == []
    required.set(DROP_IN_SECTION, taks_definition="x", region="r")
    (line,) = strange_names(conf)
    assert line == (
        "[aws_ecs_executor] taks_definition (AIRFLOW__AWS_ECS_EXECUTOR__TAKS_DEFINITION): "
        "AsyncEcsExecutor has no such option. Did you mean task_definition?"
    )


@pytest.mark.parametrize("form", ["_cmd", "_secret"])
def test_in_the_other_section_too_a_form_that_airflow_does_not_read_is_reported(
    required: Options, form: str
) -> None:
    required.set(DROP_IN_SECTION, **{f"subnets{form}": "their-secret"})
    (line,) = strange_names(conf)
    assert f"Airflow does not read this option's {form.upper()} form: set subnets itself." in line
    assert "their-secret" not in line


def test_queues_may_come_from_a_command(required: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES_CMD", """echo '{"gpu": {}}'""")
    assert load().queues == {"gpu": {}}


def test_another_teams_options_are_not_looked_at(required: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__BLUE___ECS_ASYNC_EXECUTOR__CLUSTR", "x")
    assert load().cluster == "my-cluster"


# --- forms of values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "1", "yes", "on", "t"])
def test_true_has_many_forms(required: Options, text: str) -> None:
    required.set(DROP_IN_SECTION, assign_public_ip=text)
    assert load().assign_public_ip is True


@pytest.mark.parametrize("text", ["false", "False", "0", "no", "off", "f"])
def test_false_has_many_forms(required: Options, text: str) -> None:
    required.set(DROP_IN_SECTION, check_health_on_startup=text)
    assert load().check_health_on_startup is False


@pytest.mark.parametrize("text", ["sg-1,sg-2", " sg-1 , sg-2 ,", '["sg-1", "sg-2"]'])
def test_lists_are_comma_separated_or_json(required: Options, text: str) -> None:
    required.set(DROP_IN_SECTION, security_groups=text)
    assert load().security_groups == ("sg-1", "sg-2")


def test_json_options_are_read(required: Options) -> None:
    required.set(
        DROP_IN_SECTION,
        run_task_kwargs='{"tags": {"team": "data"}}',
        capacity_provider_strategy='[{"capacityProvider": "FARGATE_SPOT", "weight": 1}]',
    )
    settings = load()
    assert settings.run_task_kwargs == {"tags": {"team": "data"}}
    assert settings.capacity_provider_strategy == [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]


def test_space_around_a_value_does_not_matter(required: Options) -> None:
    required.set(DROP_IN_SECTION, cluster="  my-cluster ", max_run_task_attempts=" 4 ")
    assert (load().cluster, load().max_run_task_attempts) == ("my-cluster", 4)


def test_the_engine_gets_its_options(required: Options) -> None:
    required.set(SECTION, deployment="prod", concurrency="9", run_task_rate="5", run_task_burst="6")
    engine = load().engine_options
    assert (engine.started_by, engine.concurrency, engine.run_task_rate) == ("airflow/prod", 9, Rate(5, 6))


def test_the_engine_knows_where_payloads_go(required: Options) -> None:
    assert load().engine_options.payloads == ""
    required.set(SECTION, payload_bucket="my-bucket/airflow")
    assert load().engine_options.payloads == "s3://my-bucket/airflow/"


def test_the_longest_deployment_fits_into_started_by(required: Options) -> None:
    required.set(SECTION, deployment="d" * 64)
    assert len(f"{load().engine_options.started_by}/{'0' * 36}") <= 128


# --- what is wrong --------------------------------------------------------------------------------------------


def test_nothing_set_lists_everything_that_is_missing() -> None:
    found = problems()
    assert [line.split(":")[0].strip(" -") for line in found] == [
        "[aws_ecs_executor] cluster",
        "[aws_ecs_executor] container_name",
        "[aws_ecs_executor] task_definition",
    ]
    assert "it is required, but not set. Meaning: Name or ARN of the ECS cluster" in found[0]


WRONG = {
    "max_run_task_attempts": "none",
    "assign_public_ip": "maybe",
    "launch_type": "LAMBDA",
    "run_task_kwargs": '{"a": ',
    "capacity_provider_strategy": '{"a": 1}',
    "security_groups": "a,b,c,d,e,f",
    "deployment": "my deployment",
    "concurrency": "0",
    "poll_interval": "0.1",
    "shutdown_timeout": "1000",
    "read_rate": "fast",
}


def test_every_wrong_option_is_listed_at_once_with_its_section_and_meaning(required: Options) -> None:
    required.set(SECTION, **WRONG)
    found = problems()
    for name in WRONG:
        place = f"[{SECTION}] {name} (AIRFLOW__{SECTION.upper()}__{name.upper()}): "
        (line,) = [line for line in found if line.strip().startswith(f"- {place}") and "Meaning: " in line]
        assert f" Example: {of_option(Settings.model_fields[name], 'example')}" in line


def test_options_kwargs_and_profiles_are_reported_at_once(required: Options) -> None:
    required.set(
        DROP_IN_SECTION,
        subnets=",".join("s" * 17),
        run_task_kwargs='{"count": 2, "startedBy": "x", "tags": 5}',
    )
    required.set(SECTION, concurrency="0", queues='{"gpu": {"fallback_afer": 1}, "spot": {"subnets": ["s"]}}')
    places = (
        "[aws_ecs_executor] subnets",
        "[ecs_async_executor] concurrency",
        "[aws_ecs_executor] run_task_kwargs",
    )
    found = problems()
    assert [
        place for place in places if any(line.startswith(f"  - {place} (AIRFLOW__") for line in found)
    ] == [*places]
    queues = "  - [ecs_async_executor] queues (AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES): "
    assert [line.removeprefix(queues).split(":")[0] for line in found if line.startswith(queues)] == [
        "gpu",
        "spot",
    ]
    text = "\n".join(found)
    assert (
        "count can't be configured. One Airflow task is one ECS task. startedBy can't be configured." in text
    )
    assert "tags is a whole number; ECS takes a list." in text
    assert "Did you mean fallback_after?" in text
    assert "Write it as networkConfiguration.awsvpcConfiguration.subnets." in text
    assert len(found) == 5


@pytest.mark.parametrize("more", [{"security_groups": "sg-1"}, {"assign_public_ip": "yes"}])
def test_what_is_right_only_with_the_kwargs_is_not_reported_when_those_are_wrong(
    required: Options, monkeypatch: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    monkeypatch.delenv("AIRFLOW__AWS_ECS_EXECUTOR__SUBNETS")
    network = '"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}'
    required.set(DROP_IN_SECTION, run_task_kwargs=f'{{{network}, "tags": 5}}', **more)
    (line,) = problems()
    assert "run_task_kwargs" in line
    assert "tags is a whole number; ECS takes a list." in line


@pytest.mark.parametrize("name", WRONG)
def test_no_message_shows_a_value(required: Options, name: str) -> None:
    secret = '{"password": "their-secret"' if name == "run_task_kwargs" else "their-secret: x"
    required.set(SECTION, **{name: secret if name != "security_groups" else ",".join([secret] * 6)})
    assert "their-secret" not in "".join(problems())


def test_broken_json_says_where(required: Options) -> None:
    required.set(DROP_IN_SECTION, run_task_kwargs='{"tags": }')
    (line,) = problems()
    where = "[aws_ecs_executor] run_task_kwargs (AIRFLOW__AWS_ECS_EXECUTOR__RUN_TASK_KWARGS)"
    assert f"{where}: it is not JSON: Expecting value at character 10." in line


@pytest.mark.parametrize(
    "text", ['{"tags": {"a": "1"}, "tags": {"b": "2"}}', "{'tags': {'a': '1'}, 'tags': {'b': '2'}}"]
)
def test_a_name_that_stands_twice_in_run_task_kwargs_is_refused(required: Options, text: str) -> None:
    required.set(DROP_IN_SECTION, run_task_kwargs=text)
    (line,) = problems()
    assert "'tags' appears twice" in line


@pytest.mark.parametrize("name", ["launch_timeout", "capacity_timeout", "poll_interval", "run_task_rate"])
@pytest.mark.parametrize("value", ["inf", "nan", "-1"])
def test_times_and_rates_are_finite_and_not_negative(required: Options, name: str, value: str) -> None:
    required.set(SECTION, **{name: value})
    (line,) = problems()
    assert f"[{SECTION}] {name} " in line


def test_a_task_gets_no_token_for_ever(required: Options) -> None:
    required.set(SECTION, launch_timeout="1e12")
    (line,) = problems()
    assert "it must be at most 2.592e+06" in line


@pytest.mark.parametrize("name", ["cluster", "task_definition", "subnets"])
def test_an_option_that_cannot_be_read_is_not_missing_as_well(
    required: Options, airflow_cfg: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(f"AIRFLOW__AWS_ECS_EXECUTOR__{name.upper()}")
    required.set(DROP_IN_SECTION, security_groups="sg-1")
    airflow_cfg(f"[aws_ecs_executor]\n{name} = 50%\n")
    (line,) = problems()
    assert f"{name} (airflow.cfg): it can't be read" in line


@pytest.mark.parametrize(
    "kwargs", ['{"taskDefinition": "t", ', '{"taskDefinitoin": "t", "networkConfigration": {}}']
)
def test_what_broken_kwargs_may_have_said_is_not_missing(
    required: Options, monkeypatch: pytest.MonkeyPatch, kwargs: str
) -> None:
    for name in ("TASK_DEFINITION", "SUBNETS"):
        monkeypatch.delenv(f"AIRFLOW__AWS_ECS_EXECUTOR__{name}")
    required.set(DROP_IN_SECTION, run_task_kwargs=kwargs, security_groups="sg-1")
    (line,) = problems()
    assert "run_task_kwargs (" in line


@pytest.mark.parametrize("text", ["[]", "5", '"text"', "null"])
def test_run_task_kwargs_must_be_a_json_object(required: Options, text: str) -> None:
    required.set(DROP_IN_SECTION, run_task_kwargs=text)
    assert "run_task_kwargs" in problems()[0]


def test_a_launch_type_and_a_capacity_provider_exclude_each_other(required: Options) -> None:
    required.set(
        DROP_IN_SECTION, launch_type="FARGATE", capacity_provider_strategy='[{"capacityProvider": "x"}]'
    )
    (line,) = problems()
    assert (
        "launch_type (AIRFLOW__AWS_ECS_EXECUTOR__LAUNCH_TYPE): it can't be combined with capacity_provider_strategy"
        in line
    )
    assert "Remove one of them." in line


@pytest.mark.parametrize(
    "elsewhere",
    [
        {},
        {"launch_type": "EC2"},
        {"launch_type": "EXTERNAL"},
        {"capacity_provider_strategy": '[{"capacityProvider": "x"}]'},
        {"run_task_kwargs": '{"capacityProviderStrategy": [{"capacityProvider": "x"}]}'},
        {"run_task_kwargs": '{"launch_type": "EC2"}'},
        {"launch_type": "FARGATE", "run_task_kwargs": '{"launch_type": "EC2"}'},
        {
            "launch_type": "FARGATE",
            "run_task_kwargs": '{"network_configuration": {"awsvpc_configuration": {"subnets": ["s"]}}}',
        },
    ],
)
def test_only_fargate_without_its_own_network_needs_subnets(
    required: Options, monkeypatch: pytest.MonkeyPatch, elsewhere: dict[str, str]
) -> None:
    monkeypatch.delenv(f"AIRFLOW__{DROP_IN_SECTION.upper()}__SUBNETS")
    required.set(DROP_IN_SECTION, **elsewhere)
    assert load().subnets == ()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"assign_public_ip": "on"}, "(AIRFLOW__AWS_ECS_EXECUTOR__ASSIGN_PUBLIC_IP) needs them"),
        ({"security_groups": "sg-1"}, "(AIRFLOW__AWS_ECS_EXECUTOR__SECURITY_GROUPS) needs them"),
    ],
)
def test_subnets_that_are_missing_are_missed(
    required: Options, monkeypatch: pytest.MonkeyPatch, more: dict[str, str], words: str
) -> None:
    monkeypatch.delenv(f"AIRFLOW__{DROP_IN_SECTION.upper()}__SUBNETS")
    required.set(DROP_IN_SECTION, **more)
    (line,) = problems()
    assert words in line


def test_of_two_that_exclude_each_other_our_section_wins(required: Options) -> None:
    required.set(DROP_IN_SECTION, launch_type="FARGATE")
    required.set(SECTION, capacity_provider_strategy="mine:1")
    settings = load()
    assert settings.launch_type is None
    assert settings.capacity_provider_strategy == [{"capacityProvider": "mine", "weight": 1}]


def test_wrong_keys_of_run_task_kwargs_are_reported_with_the_rest(required: Options) -> None:
    required.set(DROP_IN_SECTION, run_task_kwargs='{"lauchType": "their-secret"}', max_run_task_attempts="x")
    attempts, kwargs = problems()
    assert "max_run_task_attempts" in attempts
    assert "lauchType is not a member of ECS's RunTask request. Did you mean launchType?" in kwargs
    assert "their-secret" not in kwargs


@pytest.mark.parametrize("key", ["taskDefinition", "task_definition"])
def test_the_task_definition_may_stand_in_run_task_kwargs(
    required: Options, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.delenv(f"AIRFLOW__{DROP_IN_SECTION.upper()}__TASK_DEFINITION")
    assert "task_definition: it is required" in problems()[0]
    required.set(DROP_IN_SECTION, run_task_kwargs=f'{{"{key}": "t"}}')
    assert load().task_definition is None


def test_settings_are_frozen_and_know_no_other_option() -> None:
    values: dict[str, Any] = {"cluster": "c", "container_name": "a"}
    settings = Settings(**values)
    with pytest.raises(ValueError, match="frozen"):
        settings.cluster = "other"  # type: ignore[misc]  # that is the point
    with pytest.raises(ValueError, match="Extra inputs"):
        Settings.model_validate({**values, "clusters": "x"})


@pytest.mark.parametrize(("queued_timeout", "said"), [("5999", 1), ("6000", 0)])
def test_a_task_queued_timeout_below_what_a_task_may_be_queued_for_is_a_warning(
    required: Options, queued_timeout: str, said: int
) -> None:
    required.set(SECTION, queues='{"spot": {"capacity_timeout": 600, "fallback": "plain"}, "plain": {}}')
    required.set("scheduler", task_queued_timeout=queued_timeout)
    warnings = [each for each in read_configuration(conf).warnings if "task_queued_timeout" in each]
    assert len(warnings) == said
    for each in warnings:
        assert (
            "A task of the queue spot may be queued for 6000 s and still start: its capacity_timeout" in each
        )
        assert each.endswith("Set task_queued_timeout to at least 6000.")
