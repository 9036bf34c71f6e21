from __future__ import annotations

import math

from tests.chaos.observations import Container, Queueing, Queueings

SHOWN = {
    "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/default/abc",
    "startedBy": "airflow/chaos/run",
    "clientToken": "run-1",
    "createdAt": 12.5,
    "lastStatus": "DEPROVISIONING",
}


def test_a_container_is_read_from_what_the_local_ecs_shows():
    container = Container.of(SHOWN)

    assert (container.id, container.started_by, container.client_token) == (
        "abc",
        "airflow/chaos/run",
        "run-1",
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
