from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ecs_async_executor.local.api.describe import describe, encoded, without_secrets

if TYPE_CHECKING:
    from tests.unit.local.conftest import Lab

SECRET = "eyJhbGciOi.a-token"


def test_the_encoded_task_is_the_described_one_at_every_moment(lab: Lab) -> None:
    lab.ecs.plan.defaults = {"provisioning": 1, "pending": 1, "pull": 1, "activating": 1, "deprovisioning": 1}
    lab.run(tags=[{"key": "a", "value": "b"}])
    (task,) = lab.ecs.store.all_tasks()
    for tags in (True, False):
        for seconds in range(9):
            now = lab.now + seconds
            assert json.loads(encoded(task, now, tags=tags)) == describe(task, now, tags=tags)


def test_a_task_that_has_not_changed_is_encoded_once(lab: Lab) -> None:
    lab.ecs.plan.defaults = {"duration": 100}
    lab.run()
    (task,) = lab.ecs.store.all_tasks()
    assert encoded(task, lab.now + 1, tags=False) is encoded(task, lab.now + 99, tags=False)


def test_commands_and_environments_are_not_shown_to_the_control_side(lab: Lab) -> None:
    override = {
        "name": "airflow",
        "cpu": 3,
        "command": [SECRET],
        "environment": [{"name": "A", "value": SECRET}],
    }
    lab.run(overrides={"containerOverrides": [override]}, clientToken="t")
    (task,) = lab.ecs.store.all_tasks()
    shown = without_secrets(task, lab.now)
    assert SECRET not in json.dumps(shown)
    assert shown["clientToken"] == "t"
    assert shown["overrides"]["containerOverrides"] == [
        {"name": "airflow", "cpu": 3, "environment": [{"name": "A"}]}
    ]
    assert SECRET not in repr(task)
