"""Many runs at once."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from ecs_async_executor.local import Options, serve_in_process
from ecs_async_executor.messages import Launched, Stopped
from tests.support.live_engine import LiveEngine, connect_to, containers

RUNS = 1000


@pytest.mark.timeout(120)
def test_a_thousand_runs_get_one_container_each(
    unblocked: None, record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
):
    options = Options(
        runtime="simulated",
        conditions={"latency": {"*": 0.1}},
        plan={"defaults": {"duration": [0.5, 2], "exit_code": {"0": 0.9, "1": 0.1}}},
        seed=1,
    )
    with (
        serve_in_process(options) as ecs,
        LiveEngine(connect_to(ecs.endpoint_url), poll_interval=1, concurrency=100) as engine,
    ):
        begin = time.monotonic()
        runs = engine.launch_many(RUNS)
        engine.until(lambda: len(engine.of(Launched)) == RUNS)
        rate = RUNS / (time.monotonic() - begin)
        ends = engine.ends_of(runs)
        assert {type(end) for end in ends.values()} == {Stopped}
        assert {end.exit_code for end in ends.values()} == {0, 1}
        assert containers(ecs) == dict.fromkeys(runs, 1)
    record_property("launches_per_second", round(rate))
    with capsys.disabled():
        print(f"\n{rate:.0f} launches/s with 100 ms latency")  # noqa: T201  a number to compare by hand
