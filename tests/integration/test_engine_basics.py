"""An engine on a local ECS where nothing goes wrong."""

from __future__ import annotations

import time

from ecs_async_executor.local import Control
from ecs_async_executor.messages import Launched, LaunchFailed, Request, Running, Stopped
from tests.support.blocking import blocked_calls
from tests.support.live_engine import LiveEngine, body, connect_to, containers


def test_a_run_is_launched_seen_running_and_ends_with_its_exit_code(ecs: Control, engine: LiveEngine):
    ecs.set_plan(duration=6, exit_code=3)
    run = engine.launch()
    end = engine.end_of(run)
    assert [type(report) for report in engine.about(run)] == [Launched, Running, Stopped]
    assert (end.exit_code, end.ran, end.permanent) == (3, True, False)
    assert containers(ecs) == {run: 1}


def test_fifty_runs_get_one_container_each(ecs: Control, engine: LiveEngine):
    runs = engine.launch_many(50)
    ends = engine.ends_of(runs)
    assert {end.exit_code for end in ends.values()} == {0}
    assert containers(ecs) == dict.fromkeys(runs, 1)


def test_a_call_that_blocks_the_engines_loop_is_noticed(ecs: Control):
    def build() -> Request:
        time.sleep(0.001)
        return Request(body(), "airflow")

    with blocked_calls() as blocked, LiveEngine(connect_to(ecs.endpoint_url)) as engine:
        run = engine.launch(build=build)
        assert isinstance(engine.end_of(run), LaunchFailed)
    assert blocked == ["time.sleep"]
