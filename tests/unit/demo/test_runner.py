from __future__ import annotations

import itertools
import sqlite3
from typing import Any

import httpx
import pytest

from ecs_async_executor.demo.components import ComponentFailedError
from ecs_async_executor.demo.display import View
from ecs_async_executor.demo.expectations import EXPECTED, LONG_RUN
from ecs_async_executor.demo.interruption import Interrupted
from ecs_async_executor.demo.runner import DemoFailedError, Runner
from ecs_async_executor.demo.snapshot import DagRun, Snapshot

NAMES = ("local_ecs", "migration", "api_server", "scheduler", "dag_processor", "triggerer")
OVER = Snapshot(at=1.0, dag_runs=tuple(DagRun(dag_id, "success") for dag_id in EXPECTED))
HEALTHY = dict.fromkeys(("metadatabase", "scheduler", "dag_processor", "triggerer"), True)


class Actor:
    """A component that runs as long as the stage lets it."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.name = name

    def start(self) -> None:
        self.stage.started.append(self.name)

    @property
    def exit_code(self) -> int | None:
        return 0 if self.name == "migration" else None

    def failure(self, what: str) -> ComponentFailedError:
        return ComponentFailedError(f"The {self.name} {what}")

    def check(self) -> None:
        if self.name == self.stage.dies:
            raise ComponentFailedError(f"The {self.name} died")


class Stage:
    """Cast, ECS, API, observer, screen and interruption in one: everything is ready at once."""

    def __init__(self) -> None:
        self.dies: str | None = None
        self.healthy: dict[str, bool] = HEALTHY
        self.delivered = set(EXPECTED)
        self.errors: list[str] = []
        self.snapshots: list[Snapshot | Exception] = [OVER]
        self.interrupted = False
        self.started: list[str] = []
        self.triggered: list[str] = []
        self.views: list[View] = []
        actors = {name: Actor(self, name) for name in NAMES}
        for name, actor in actors.items():
            setattr(self, name, actor)
        self.airflow = tuple(actors[name] for name in NAMES[2:])
        self.everything = tuple(actors.values())

    def logs_url(self) -> str | None:
        return "http://127.0.0.1:9002"

    def health(self) -> dict[str, bool]:
        return self.healthy

    def warm_up(self) -> None:
        self.triggered.append("warm-up")

    def dag_ids(self) -> set[str]:
        return self.delivered

    def import_errors(self) -> list[str]:
        return self.errors

    def trigger(self, dag_id: str) -> str:
        self.triggered.append(dag_id)
        return f"run of {dag_id}"

    def snapshot(self) -> Snapshot:
        now = self.snapshots.pop(0) if len(self.snapshots) > 1 else self.snapshots[0]
        if isinstance(now, Exception):
            raise now
        return now

    def show(self, view: View) -> None:
        self.views.append(view)

    def check(self) -> None:
        if self.interrupted:
            raise Interrupted(2)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def runner(stage: Stage, timeout: float = 30.0) -> Runner:
    ticks = itertools.count()
    double: Any = stage
    return Runner(
        processes=double,
        ecs=double,
        api=double,
        observer=double,
        screen=double,
        interruption=double,
        address="http://127.0.0.1:8080",
        timeout=timeout,
        clock=lambda: float(next(ticks)),
        sleep=lambda _seconds: None,
    )


def test_everything_starts_in_order_and_every_dag_runs_once(stage: Stage) -> None:
    assert runner(stage).perform() == OVER
    assert stage.started == list(NAMES)
    assert stage.triggered == ["warm-up", *EXPECTED]


def test_who_goes_on_with_the_demo_gets_a_task_whose_log_grows(stage: Stage) -> None:
    subject = runner(stage)
    subject.perform()
    subject.start_long_run()
    assert stage.triggered[-1] == LONG_RUN
    assert subject.run_ids == {dag_id: f"run of {dag_id}" for dag_id in (*EXPECTED, LONG_RUN)}


def test_the_last_view_shows_everything_ready_and_the_address(stage: Stage) -> None:
    stage.snapshots = [Snapshot(at=0.0), OVER]
    runner(stage).perform()
    assert all(component.ready_after is not None for component in stage.views[-1].components)
    assert stage.views[-1].address == "http://127.0.0.1:8080"


def test_the_address_is_not_shown_before_the_ui_is_up(stage: Stage) -> None:
    stage.healthy = {}
    with pytest.raises(DemoFailedError):
        runner(stage).perform()
    assert {view.address for view in stage.views} == {None}


@pytest.mark.parametrize("name", NAMES[2:])
def test_a_component_that_dies_ends_the_demo(stage: Stage, name: str) -> None:
    stage.dies = name
    with pytest.raises(ComponentFailedError, match=f"The {name} died"):
        runner(stage).perform()


def test_a_component_that_dies_after_the_show_is_reported_too(stage: Stage) -> None:
    subject = runner(stage)
    subject.perform()
    stage.dies = "scheduler"
    with pytest.raises(ComponentFailedError):
        subject.keep()


def test_after_the_timeout_the_components_that_are_not_ready_are_named(stage: Stage) -> None:
    stage.healthy = {**HEALTHY, "triggerer": False}
    stage.snapshots = [Snapshot(at=0.0)]
    with pytest.raises(DemoFailedError, match=r"^The triggerer is not ready after 30 seconds$"):
        runner(stage).perform()


def test_after_the_timeout_what_is_not_as_expected_is_named(stage: Stage) -> None:
    stage.snapshots = [Snapshot(at=0.0, dag_runs=(DagRun("retry", "running"),))]
    with pytest.raises(DemoFailedError, match="retry: the Dag run is running, expected success"):
        runner(stage).perform()


def test_a_dag_that_cannot_be_imported_ends_the_demo(stage: Stage) -> None:
    stage.delivered = {"retry"}
    stage.errors = ["fan_out.py: SyntaxError"]
    with pytest.raises(DemoFailedError, match=r"A Dag can't be imported: fan_out\.py: SyntaxError"):
        runner(stage).perform()


def test_a_signal_ends_the_demo_at_the_next_look(stage: Stage) -> None:
    stage.interrupted = True
    with pytest.raises(Interrupted, match="SIGINT"):
        runner(stage).perform()


@pytest.mark.parametrize("trouble", [httpx.ReadTimeout("slow"), sqlite3.OperationalError("locked")])
def test_a_look_that_fails_is_repeated(stage: Stage, trouble: Exception) -> None:
    stage.snapshots = [trouble, OVER]
    assert runner(stage).perform() == OVER
