from __future__ import annotations

import math

from tests.chaos.journal import HANDED, SENT, Line
from tests.chaos.observations import Container, Observations, Queueing, Queueings, StandbyCounts

SHOWN = {
    "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/default/abc",
    "startedBy": "airflow/chaos/run",
    "clientToken": "run-001",
    "createdAt": 12.5,
    "lastStatus": "DEPROVISIONING",
}


def test_a_container_is_read_from_what_the_local_ecs_shows():
    container = Container.of(SHOWN)

    assert (container.id, container.started_by, container.client_token) == (
        "abc",
        "airflow/chaos/run",
        "run-001",
    )
    assert (container.created_at, container.started_at, container.stopped_at) == (12.5, None, math.inf)
    assert not container.stopped
    assert not container.failed_to_start


def test_a_container_that_stopped_by_itself_before_it_ran_failed_to_start():
    over = {**SHOWN, "lastStatus": "STOPPED", "stoppedAt": 20.0}

    assert Container.of({**over, "stopCode": "TaskFailedToStart"}).failed_to_start
    assert Container.of({**over, "stopCode": "SpotInterruption"}).failed_to_start
    assert not Container.of({**over, "stopCode": "UserInitiated"}).failed_to_start
    assert not Container.of({**over, "stopCode": "SpotInterruption", "startedAt": 15.0}).failed_to_start


def test_a_queueing_lasts_until_the_next_one_of_the_same_task_instance():
    queueings = Queueings([("a", 20.0), ("b", 12.0), ("a", 10.0)])

    assert [queueings.at("a", at) for at in (9, 10, 19, 21)] == [
        Queueing("a", 0),
        Queueing("a", 1),
        Queueing("a", 1),
        Queueing("a", 2),
    ]
    assert queueings.at("b", 100) == Queueing("b", 1)
    assert queueings.at("nobody", 100) == Queueing("nobody", 0)


def standby(name: str, *, created_at: float = 1.0, **more: str) -> Container:
    return Container.of(
        {
            **SHOWN,
            "taskArn": f"arn:aws:ecs:us-east-1:123456789012:task/default/{name}",
            "startedBy": "airflow/chaos/standby",
            "clientToken": f"{name}-1",
            "createdAt": created_at,
            "startedAt": created_at + 2,
            "lastStatus": "STOPPED",
            "stoppedAt": 40.0,
            **more,
        }
    )


def line(event: str, container: str, at: float, ti_id: str = "a") -> Line:
    return Line(event, "succeeds", 0, 1, ti_id, container, at)


def observed(containers: list[Container], journal: list[Line]) -> Observations:
    return Observations(containers, journal, Queueings([("a", 10.0), ("a", 30.0), ("b", 5.0)]), [])


def test_a_standby_belongs_to_the_queueing_for_which_it_got_its_workload_from_then_on():
    # It is created before that, and its task begins when the next queueing is in force already.
    journal = [
        line(HANDED, "s3://b/other.json", 6.0, ti_id="b"),
        line(HANDED, "s3://b/x.json", 12.0),
        line("began", "warm", 31.0),
        line(HANDED, "s3://b/y.json", 32.0),
    ]
    groups = observed([standby("warm")], journal).containers_by_queueing()

    assert list(groups) == [Queueing("a", 1)]
    assert [each.created_at for each in groups[Queueing("a", 1)]] == [12.0]


def test_a_standby_that_got_no_workload_belongs_to_nobody():
    assert observed([standby("idle")], [line(HANDED, "s3://b/x.json", 12.0)]).containers_by_queueing() == {}


def test_a_warm_and_a_cold_container_of_one_queueing_are_found_together():
    cold = Container.of({**SHOWN, "createdAt": 14.0})
    journal = [line(HANDED, "s3://b/x.json", 12.0), line("began", "warm", 13.0), line(SENT, "run-001", 13.5)]

    groups = observed([standby("warm"), cold], journal).containers_by_queueing()

    assert [each.id for each in groups[Queueing("a", 1)]] == ["warm", "abc"]


def test_standbys_are_counted_by_what_became_of_them():
    journal = [line("began", "warm", 13.0), line("ran", "warm", 13.5), line("ran", "abc", 14.0)]
    standbys = [
        standby("warm", stopCode="EssentialContainerExited"),
        standby("left", stopCode="EssentialContainerExited"),
        standby("spot", stopCode="SpotInterruption"),
        standby("host", stopCode="TerminationNotice"),
        standby("told", stopCode="UserInitiated"),
    ]

    assert observed([*standbys, Container.of(SHOWN)], journal).standbys() == StandbyCounts(
        warm=1, all=2, started=5, reclaimed=2, stopped=1, left=1
    )
