from __future__ import annotations

from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind
from ecs_async_executor.engine.diagnosis.origins import located
from ecs_async_executor.messages import Diagnosis, Request

SUBNETS = "networkConfiguration.awsvpcConfiguration.subnets"
BODY = {
    "cluster": "prod",
    "taskDefinition": "airflow:7",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"]}},
    "overrides": {"containerOverrides": [{"name": "airflow", "command": ["the-token"]}]},
}
ORIGINS = {
    "taskDefinition": "this task's executor_config",
    SUBNETS: "airflow.cfg",
    "overrides": "the profile",
}


def failure(*members: str) -> Failure:
    return Failure(Kind.CONFIGURATION, Diagnosis("It is refused.", "why", "Correct it."), members=members)


def located_remedy(*members: str) -> str:
    request = Request(BODY, "airflow", origin=ORIGINS.get)
    return located(failure(*members), "prod", "eu-west-1", request).diagnosis.remedy


def test_a_failure_names_the_cluster_and_the_region_of_the_call() -> None:
    detail = located(failure("cluster"), "prod", "eu-west-1").diagnosis.detail
    assert detail == "why; cluster prod, Region eu-west-1"
    assert located(failure("cluster"), "prod", "").diagnosis.detail == "why; cluster prod"


def test_a_failure_about_no_member_is_left_unchanged() -> None:
    assert located(failure(), "prod", "eu-west-1") == failure()


def test_a_remedy_shows_each_members_value_and_where_it_is_set() -> None:
    assert located_remedy("taskDefinition", SUBNETS) == (
        "Correct it. Where it is set: taskDefinition 'airflow:7' in this task's executor_config;"
        " subnets 'subnet-1, subnet-2' in airflow.cfg."
    )


def test_a_structure_is_not_shown_because_it_may_hold_secrets() -> None:
    assert located_remedy("overrides") == "Correct it. Where it is set: overrides in the profile."


def test_members_that_are_set_nowhere_are_not_mentioned() -> None:
    assert located_remedy("cluster", "platformVersion", "overrides.cpu.none") == "Correct it."
    without_origin = located(failure("cluster"), "prod", "", Request(BODY, "airflow"))
    assert without_origin.diagnosis.remedy == "Correct it."


def test_a_remedy_loses_only_its_last_sentence_if_the_origin_can_not_be_found() -> None:
    def broken(member: str) -> str | None:
        raise KeyError(member)

    explained = located(failure("cluster"), "prod", "", Request(BODY, "airflow", origin=broken))
    assert explained.diagnosis.remedy == "Correct it."
