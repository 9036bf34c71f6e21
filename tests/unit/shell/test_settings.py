from __future__ import annotations

from typing import Any

import pytest
from airflow.configuration import conf
from airflow.executors.base_executor import ExecutorConf

from ecs_async_executor.engine.options import Rate
from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.settings import DROP_IN_SECTION, SECTION, Settings, is_drop_in, load_settings

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


def load() -> Settings:
    return load_settings(conf)


def problems() -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load()
    first, *rest = str(caught.value).splitlines()
    assert first == f"AsyncEcsExecutor can't start; {len(rest)} to correct:"
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
    assert load_settings(ExecutorConf("blue")).cluster == "the-teams"
    assert load().cluster == "my-cluster"


def test_a_team_does_not_inherit_the_options_of_all(required: Options) -> None:
    with pytest.raises(ConfigurationError, match="cluster: it is required"):
        load_settings(ExecutorConf("blue"))


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
        "[aws_ecs_executor] subnets",
    ]
    assert "it is required, but not set. It means: Name or ARN of the ECS cluster" in found[0]


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
        (line,) = [line for line in found if f"] {name}: " in line and "It means: " in line]
        section = DROP_IN_SECTION if is_drop_in(Settings.model_fields[name]) else SECTION
        assert line.strip().startswith(f"- [{section}] {name}: ")


@pytest.mark.parametrize("name", WRONG)
def test_no_message_shows_a_value(required: Options, name: str) -> None:
    secret = '{"password": "their-secret"' if name == "run_task_kwargs" else "their-secret: x"
    required.set(SECTION, **{name: secret if name != "security_groups" else ",".join([secret] * 6)})
    assert "their-secret" not in "".join(problems())


def test_broken_json_says_where(required: Options) -> None:
    required.set(DROP_IN_SECTION, run_task_kwargs='{"tags": }')
    (line,) = problems()
    assert "[aws_ecs_executor] run_task_kwargs: it is not JSON: Expecting value at character 10." in line


@pytest.mark.parametrize("text", ["[]", "5", '"text"', "null"])
def test_run_task_kwargs_must_be_a_json_object(required: Options, text: str) -> None:
    required.set(DROP_IN_SECTION, run_task_kwargs=text)
    assert "run_task_kwargs" in problems()[0]


def test_a_launch_type_and_a_capacity_provider_exclude_each_other(required: Options) -> None:
    required.set(
        DROP_IN_SECTION, launch_type="FARGATE", capacity_provider_strategy='[{"capacityProvider": "x"}]'
    )
    (line,) = problems()
    assert "launch_type: it excludes capacity_provider_strategy" in line
    assert "Remove one of them." in line


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"launch_type": "EC2"},
        {"launch_type": "EXTERNAL"},
        {"capacity_provider_strategy": '[{"capacityProvider": "x"}]'},
        {"run_task_kwargs": '{"capacityProviderStrategy": [{"capacityProvider": "x"}]}'},
        {"run_task_kwargs": '{"launch_type": "EC2"}'},
        {"run_task_kwargs": '{"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}}'},
        {"run_task_kwargs": '{"network_configuration": {"awsvpc_configuration": {"subnets": ["s"]}}}'},
    ],
)
def test_only_fargate_without_its_own_network_needs_subnets(
    required: Options, monkeypatch: pytest.MonkeyPatch, elsewhere: dict[str, str]
) -> None:
    monkeypatch.delenv(f"AIRFLOW__{DROP_IN_SECTION.upper()}__SUBNETS")
    assert "subnets: Fargate tasks need at least one subnet" in problems()[0]
    required.set(DROP_IN_SECTION, **elsewhere)
    assert load().subnets == ()


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
