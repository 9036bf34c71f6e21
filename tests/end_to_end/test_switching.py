"""Switching as docs/switching.md says, there and back, with a real Airflow whose tasks run on meanwhile."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ecs_async_executor.demo.home import free_ports
from tests.chaos.airflow import Airflow, Setting, airflow, api_server
from tests.chaos.departures import LEAVE, SignalLostError, leave
from tests.chaos.multi_scheduler import Scheduler, start, until
from tests.chaos.observations import End, Task
from tests.support.switch import Switch, switch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OFFICIAL = "airflow.providers.amazon.aws.executors.ecs.AwsEcsExecutor"
OURS = "ecs_async_executor.AsyncEcsExecutor"
TASKS = 3
ALL: set[Task] = {("patient", index) for index in range(TASKS)}
# Seconds, all: what takes a minute with Airflow's defaults. A heartbeat a second, and each is tried twice.
HEARTBEATS = {"AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1"}
IMPATIENT = {"AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "2", **HEARTBEATS}
AWAY = 25.0
"""Twice as long as it takes tasks to die by default."""
LONG_SUFFERING = {"AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "1000"}


@dataclass
class Stage:
    """An Airflow whose workers reach the API server by a load balancer, and whose tasks end when the test says so."""

    world: Airflow
    balancer: Switch
    release: Path

    def scheduler(self, executor: str, **options: str) -> Scheduler:
        """Start a scheduler with this executor, and more `options` (environment variables)."""
        name = f"{executor.rpartition('.')[2]}-{len(self.world.database.scheduler_jobs())}"
        return start(self.world, name, AIRFLOW__CORE__EXECUTOR=executor, **HEARTBEATS, **options)

    def until_all_run_under(self, scheduler: Scheduler) -> None:
        """Wait until this scheduler has all tasks, and their code runs."""
        until(lambda: self.world.database.running_by_job().get(scheduler.job) == ALL, seconds=60)

    def finish(self) -> list[End]:
        """Let all tasks end, and give how."""
        self.release.touch()
        until(lambda: not self.world.database.unfinished(), seconds=60)
        return self.world.database.ends()


@contextmanager
def stage(container: dict[str, str]) -> Iterator[Stage]:
    with TemporaryDirectory(prefix="ecs-async-switching-") as folder, switch("", on=False) as balancer:
        root = Path(folder).resolve()
        release = root / "release"
        setting = Setting(
            TASKS,
            worker="airflow",
            dags=Path(__file__).parent / "switching",
            container={
                **container,
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{balancer.url}/execution/",
                "SWITCHING_RELEASE": str(release),
            },
        )
        with airflow(root / "airflow", setting) as world:
            world.ecs.clear_conditions()  # AwsEcsExecutor bears none of them
            balancer.lead_to(world.ports.airflow_url)
            balancer.on()
            yield Stage(world, balancer, release)


def test_tasks_run_on_through_three_switches_and_a_rolling_replacement_of_the_api_server() -> None:
    with stage(IMPATIENT) as at:
        official = at.scheduler(OFFICIAL)
        at.until_all_run_under(official)
        official.process.kill(signal.SIGKILL)

        ours = at.scheduler(OURS)
        at.until_all_run_under(ours)
        port = free_ports().airflow
        api_server(at.world.fork_server, "api-server-2", port)
        at.balancer.lead_to(f"http://127.0.0.1:{port}")
        at.world.api.kill(signal.SIGTERM)
        assert at.world.api.ended.wait(30)
        with suppress(SignalLostError):  # then it was killed
            departure = leave(ours.process)
            assert departure.is_orderly, departure.log
            assert departure.seconds < LEAVE, "it waits for no task"

        official = at.scheduler(OFFICIAL)
        at.until_all_run_under(official)
        official.process.kill(signal.SIGKILL)

        ours = at.scheduler(OURS)
        at.until_all_run_under(ours)
        assert at.finish() == [End("patient", index, "success", 1) for index in range(TASKS)]
        containers = at.world.ecs.tasks()
        assert len(containers) == TASKS
        assert not any(container.get("stopCode") == "UserInitiated" for container in containers)


def test_tasks_run_on_while_the_api_server_is_away_if_they_may_miss_many_heartbeats() -> None:
    with stage({**IMPATIENT, **LONG_SUFFERING}) as at:
        at.until_all_run_under(at.scheduler(OURS))
        at.balancer.off()
        time.sleep(AWAY)
        at.balancer.on()
        assert at.finish() == [End("patient", index, "success", 1) for index in range(TASKS)]


def test_tasks_die_while_the_api_server_is_away_by_default_and_their_events_name_the_option() -> None:
    with stage(IMPATIENT) as at:
        # So that Airflow itself doesn't fail them for their heartbeats before their containers have ended.
        patience = {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "600"}
        at.until_all_run_under(at.scheduler(OURS, **patience))
        at.balancer.off()
        until(lambda: not at.world.database.unfinished())
        assert {end.state for end in at.world.database.ends()} == {"failed"}
        (told, *_) = until(
            lambda: [
                line
                for task in sorted(ALL)
                for line in at.world.database.debug_report(*task)
                if "ecs task ended" in line
            ]
        )
        assert "exit code 1" in told
        assert "raise AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS in the task definition" in told
