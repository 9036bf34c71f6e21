"""Standbys in a whole engine: who they serve, what it costs if they can't, and what a hand-over leaves behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from msgspec import Raw
from msgspec.json import encode

from ecs_async_executor.engine import engine as module
from ecs_async_executor.engine.aws.client import connect_by_environment
from ecs_async_executor.engine.diagnosis.call_failures import Kind
from ecs_async_executor.engine.engine import Engine
from ecs_async_executor.engine.options import Rate
from ecs_async_executor.engine.responses import Container, Task, Tasks
from ecs_async_executor.engine.standby.pool import READY_AFTER
from ecs_async_executor.engine.workers.hand_over import (
    CLAIM_AGAIN_AFTER,
    CLAIM_TIMEOUT,
    LEAVE,
    SETTLED_LATER_AFTER,
)
from ecs_async_executor.engine.workers.standby_keeper import RENEW_AGAIN_AFTER
from ecs_async_executor.launch_id import STANDBY
from ecs_async_executor.messages import (
    Cancelled,
    Claimed,
    Forget,
    HandedOver,
    KeepStandbys,
    Launch,
    Launched,
    LaunchFailed,
    Order,
    Payload,
    Request,
    Room,
    StandbyPool,
    StandbysOff,
    Stop,
    Stopped,
    Watch,
)
from ecs_async_executor.standby.command import BROKEN, LEASE_RENEWAL_SECONDS, LEFT, is_standby
from tests.support.engine import FakeClient, FakeS3, Reports, error, options, refused, s3_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.virtual_time
LOCATION = "s3://bucket/airflow/"
BOOT = 10.0
"""Seconds that a container of this ECS takes to run."""
READY = BOOT * 1.2 + READY_AFTER + 1
"""Seconds after which the first standbys are ready, at the latest."""


def request(command: list[str], workload: bytes = b"", **overrides: Any) -> Request:
    container = {"name": "airflow", "command": command}
    body = {
        "cluster": "c",
        "taskDefinition": "t",
        "overrides": {"containerOverrides": [container], **overrides},
    }
    return Request(body, "airflow", workload=workload)


def pool(standbys: int = 1, **more: Any) -> StandbyPool:
    def build(url: str, lease: str) -> Request:
        return request(["python", "-c", "wait", lease, url])

    given = {"max_age": 3600.0, "cluster": "c", "container": "airflow", "location": LOCATION, **more}
    return StandbyPool("pool", standbys, build=build, **given)


class Ecs(FakeClient):
    """Its tasks run `BOOT` seconds after RunTask, until they are stopped; and it knows their commands."""

    def __init__(self) -> None:
        super().__init__()
        self.started: dict[str, tuple[float, dict[str, Any]]] = {}
        self.exit_codes: dict[str, int] = {}
        self.is_full = False

    async def run_task(self, body: Any) -> Any:
        if self.is_full:
            return refused("RESOURCE:MEMORY")
        answer = await super().run_task(body)
        self.started[answer.tasks[0].task_arn] = anyio.current_time(), body
        return answer

    async def stop_task(self, cluster: str, arn: str, reason: str) -> Any:
        self.exit_codes.setdefault(arn, LEFT)
        return await super().stop_task(cluster, arn, reason)

    async def describe_tasks(self, cluster: str, arns: Any) -> Any:
        await super().describe_tasks(cluster, arns)
        return Tasks(tasks=tuple(self._task(arn) for arn in arns))

    def _task(self, arn: str) -> Task:
        at, body = self.started[arn]
        overrides = Raw(encode(body["overrides"]))
        if arn in self.exit_codes:
            containers = (Container(name="airflow", exit_code=self.exit_codes[arn]),)
            return Task(arn, "STOPPED", "STOPPED", started_at=1.0, containers=containers, overrides=overrides)
        status = "RUNNING" if anyio.current_time() >= at + BOOT else "PENDING"
        return Task(arn, status, "RUNNING", overrides=overrides)

    @property
    def standbys(self) -> list[str]:
        """The ARNs of all that were ever launched as standbys."""
        return [arn for arn, (_, body) in self.started.items() if body["startedBy"].endswith(f"/{STANDBY}")]

    def url(self, arn: str) -> str:
        return str(self.started[arn][1]["overrides"]["containerOverrides"][0]["command"][-1])


class World:
    """An engine, and who answers its claims."""

    def __init__(self, engine: Engine, submit: Callable[..., None]) -> None:
        self.engine = engine
        self.submit = submit
        self.claims: list[tuple[str, str]] = []
        self.held: bool | None = True
        """What claims are answered; None: nothing."""

    def launch(self, run_id: str, **more: Any) -> None:
        def build() -> Request:
            return request(["python", "run it"], b"workload of " + run_id.encode())

        given = {"build": build, "cluster": "c", "container": "airflow", "standby": "pool", **more}
        self.submit(Launch(run_id, run_id, claim=partial(self._claim, run_id), **given))

    def _claim(self, run_id: str, arn: str) -> None:
        self.claims.append((run_id, arn))
        if self.held is not None:
            self.submit(Claimed(run_id, arn, self.held))


@pytest.fixture
def ecs() -> Ecs:
    return Ecs()


@pytest.fixture
def world(ecs: Ecs, s3: FakeS3, reports: Reports, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it with pools: an engine that keeps them runs inside its `async with`."""
    monkeypatch.setattr(module, "EcsClient", lambda *_, **__: ecs)
    monkeypatch.setattr(module, "S3Client", lambda *_, **__: s3)

    @asynccontextmanager
    async def run(*pools: StandbyPool, **changes: Any) -> AsyncIterator[World]:
        inbox: SimpleQueue[tuple[Order, ...]] = SimpleQueue()
        given = options(payloads=LOCATION, **changes)
        engine = Engine(connect_by_environment, inbox, reports, given, random=lambda: 1.0)

        def submit(*orders: Order) -> None:
            inbox.put(orders)
            engine.inbox_wakeup.notify()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            submit(KeepStandbys(pools))
            yield World(engine, submit)
            if not engine._closing.is_set():
                engine.close(5)

    return run


def written(s3: FakeS3) -> list[str]:
    """Return the objects that were to be written for standbys."""
    return [url for operation, url, _ in s3.asked if operation == "put_once"]


# --- a warm start ---------------------------------------------------------------------------------------


async def test_a_run_goes_to_a_standby_once_its_row_names_it(
    world: Any, ecs: Ecs, s3: FakeS3, reports: Reports
):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        (arn,) = ecs.standbys
        at.held = None
        at.launch("run")
        await anyio.sleep(1)
        assert at.claims == [("run", arn)]
        assert not written(s3), "the row doesn't name it yet"
        at.submit(Claimed("run", arn, held=True))
        await anyio.sleep(1)
        assert s3.objects[ecs.url(arn)] == b"workload of run"
        assert [type(each) for each in reports] == [Launched, HandedOver]
        (launched,) = reports.of(Launched)
        assert (launched.arn, launched.start[:10]) == (arn, "warm start")
        assert len(ecs.standbys) == 2, "another takes its place at once"
        ecs.exit_codes[arn] = 0
        await anyio.sleep(30)
        (end,) = reports.of(Stopped)
        assert (end.run_id, end.exit_code, end.ran, end.standby) == ("run", 0, True, True)
        assert ecs.url(arn) not in s3.objects
    assert {body["startedBy"] for _, body in ecs.started.values()} == {f"airflow/default/{STANDBY}"}


async def test_no_two_standbys_share_an_object_and_all_share_the_lease(world: Any, ecs: Ecs, s3: FakeS3):
    async with world(pool(5)):
        await anyio.sleep(READY)
        commands = [body["overrides"]["containerOverrides"][0]["command"] for _, body in ecs.started.values()]
        assert len({command[-1] for command in commands}) == 5
        assert all(is_standby(command[-1]) for command in commands)
        (lease,) = {command[-2] for command in commands}
        assert lease in s3.objects
    assert not s3.objects, "an engine that closes takes its lease away"


async def test_a_standby_whose_container_has_not_run_for_a_while_serves_nobody(
    world: Any, ecs: Ecs, reports: Reports
):
    async with world(pool()) as at:
        for number, wait in enumerate((1.0, BOOT + READY_AFTER - 2)):
            await anyio.sleep(wait)
            at.launch(f"run-{number}")
        await anyio.sleep(1)
        assert not at.claims
        assert [each.start for each in reports.of(Launched)] == ["cold start: no standby was free"] * 2


async def test_the_most_urgent_runs_of_a_burst_start_warm_and_the_rest_is_launched_at_once(
    world: Any, ecs: Ecs, reports: Reports
):
    async with world(pool(10)) as at:
        await anyio.sleep(READY)
        begun = anyio.current_time()
        for number in range(1000):
            at.launch(str(number), priority=number % 500)
        await anyio.sleep(2)
        warm = {each.run_id for each in reports.of(Launched) if each.start.startswith("warm")}
        assert warm == {str(number) for number in range(1000) if number % 500 >= 495}
        cold = [
            time
            for (name, body), time in zip(ecs.asked, ecs.times, strict=True)
            if name == "run_task" and STANDBY not in body["startedBy"]
        ]
        assert len(cold) == 990
        assert max(cold) - begun < 0.1


async def test_a_hundred_hand_overs_at_once_take_as_long_as_one(world: Any, s3: FakeS3, reports: Reports):
    s3.latency = 0.1
    async with world(pool(100)) as at:
        await anyio.sleep(READY)
        for number in range(100):
            at.launch(str(number))
        await anyio.sleep(0.5)
        assert len(reports.of(HandedOver)) == 100


async def test_no_standby_is_launched_while_a_run_waits_for_its_turn(world: Any, ecs: Ecs):
    async with world(pool(2), run_task_rate=Rate(1, 1)) as at:
        await anyio.sleep(5)
        for number in range(20):
            at.launch(str(number), standby=None)
        sent = len(ecs.started)
        at.engine.ledger.standbys.note_definition("pool", "", "other")  # all must be replaced
        await anyio.sleep(15)
        since = list(ecs.started.values())[sent + 1 :]
        assert len(since) > 10
        assert not [body for _, body in since if body["startedBy"].endswith(STANDBY)]


# --- cold starts ----------------------------------------------------------------------------------------


async def test_a_run_whose_request_differs_starts_cold_and_says_in_what(
    world: Any, ecs: Ecs, reports: Reports
):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        at.launch("run", build=partial(request, ["python"], b"w", cpu="4096"))
        await anyio.sleep(1)
        assert reports.of(Launched)[0].start == (
            "cold start: its request differs from the standbys' in overrides.cpu"
        )
        assert not at.claims
        at.launch("same")
        await anyio.sleep(1)
        assert [run_id for run_id, _ in at.claims] == ["same"], "the standby is still there"


async def test_a_run_whose_row_can_not_name_the_standby_is_launched_anew_and_the_standby_serves_another(
    world: Any, ecs: Ecs, s3: FakeS3, reports: Reports
):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        at.held = False
        at.launch("run")
        await anyio.sleep(1)
        (end,) = reports.of(LaunchFailed)
        assert (end.run_id, end.number, end.standby, end.permanent) == ("run", 1, True, False)
        assert not written(s3)
        at.held = True
        at.launch("other")
        await anyio.sleep(1)
        assert at.claims[0][1] == at.claims[1][1]
        assert [each.run_id for each in reports.of(HandedOver)] == ["other"]


async def test_a_run_whose_standby_does_not_serve_it_keeps_its_place_in_the_queue(world: Any, ecs: Ecs):
    async with world(pool(), run_task_rate=Rate(1, 1)) as at:
        await anyio.sleep(READY)
        at.held = None
        for number in range(5):
            at.launch(str(number))
        await anyio.sleep(0.5)
        ((run_id, arn),) = at.claims
        at.submit(Claimed(run_id, arn, held=None))
        await anyio.sleep(0.1)
        at.launch(run_id, number=2)
        await anyio.sleep(10)
        sent = [body["clientToken"] for body in ecs.calls("run_task") if STANDBY not in body["startedBy"]]
        assert sent == ["1-001", "0-002", "2-001", "3-001", "4-001"]


async def test_a_row_that_does_not_answer_ends_the_launch_and_the_standby(
    world: Any, ecs: Ecs, s3: FakeS3, reports: Reports
):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        at.held = None
        at.launch("run")
        await anyio.sleep(CLAIM_TIMEOUT + 1)
        assert [each.standby for each in reports.of(LaunchFailed)] == [True]
        (arn,) = (arn for _, arn in at.claims)
        assert arn in ecs.exit_codes
        at.submit(Claimed("run", arn, held=True))
        await anyio.sleep(1)
        assert not written(s3)


@pytest.mark.parametrize("comes_late", [True, False])
async def test_while_the_database_does_not_answer_no_other_run_waits_for_it(
    world: Any, ecs: Ecs, reports: Reports, *, comes_late: bool
):
    async with world(pool(3)) as at:
        await anyio.sleep(READY)
        at.held = None
        at.launch("run")
        await anyio.sleep(CLAIM_TIMEOUT + 1)
        at.launch("other")
        await anyio.sleep(1)
        assert [each.run_id for each in reports.of(Launched)] == ["other"]
        at.held = True
        if comes_late:
            ((run_id, arn),) = at.claims
            at.submit(Claimed(run_id, arn, held=False))
        else:
            await anyio.sleep(CLAIM_AGAIN_AFTER)
        at.launch("later")
        await anyio.sleep(1)
        assert [each.run_id for each in reports.of(HandedOver)] == ["later"]


async def test_while_s3_has_failed_twice_to_take_a_workload_others_start_cold(
    world: Any, s3: FakeS3, reports: Reports
):
    async with world(pool(3)) as at:
        await anyio.sleep(READY)
        s3.script.extend([s3_error(Kind.PAYLOAD)] * 3)
        at.launch("run")
        await anyio.sleep(1)
        at.launch("other")
        await anyio.sleep(10)
        assert [each.run_id for each in reports.of(Launched)] == ["other", "run"]
        at.launch("later")
        await anyio.sleep(1)
        assert [each.run_id for each in reports.of(HandedOver)] == ["run", "later"], "it takes them again"


async def test_a_standby_that_a_row_may_still_name_serves_nobody_else(world: Any, ecs: Ecs, reports: Reports):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        at.held = None
        at.launch("run")
        await anyio.sleep(1)
        ((run_id, arn),) = at.claims
        at.submit(Claimed(run_id, arn, held=None))
        await anyio.sleep(1)
        assert [each.standby for each in reports.of(LaunchFailed)] == [True]
        assert arn in ecs.exit_codes


async def test_one_that_ecs_does_not_show_is_stopped_and_serves_nobody(
    world: Any, ecs: Ecs, reports: Reports
):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        (standby,) = at.engine.ledger.standbys
        at.engine.ledger._entries[standby.run_id].task.missing = 1
        at.launch("run")
        await anyio.sleep(1)
        assert not at.claims
        assert standby.arn in ecs.exit_codes


@pytest.mark.parametrize("held", [True, False])
async def test_a_payload_that_was_uploaded_before_a_standby_was_free_is_deleted(
    world: Any, ecs: Ecs, s3: FakeS3, reports: Reports, monkeypatch: pytest.MonkeyPatch, *, held: bool
):
    url = f"{LOCATION}run-001.json"

    def build() -> Request:
        return replace(request(["fetch", url], b"workload"), payload=Payload(url, b"workload"))

    original = ecs.run_task

    async def throttled(body: Any) -> Any:
        if STANDBY not in body["startedBy"]:
            raise error("ThrottlingException")
        return await original(body)

    monkeypatch.setattr(ecs, "run_task", throttled)
    async with world(pool()) as at:
        await anyio.sleep(BOOT)
        at.held = held
        at.launch("run", build=build)
        await anyio.sleep(5)
        assert url in s3.objects
        await anyio.sleep(READY)
        assert at.claims
        assert url not in s3.objects
        assert len(reports.of(HandedOver if held else LaunchFailed)) == 1


@pytest.mark.parametrize("kind", [Kind.DENIED, Kind.CONFIGURATION])
async def test_a_refused_workload_ends_the_launch_stops_the_standby_and_others_start_cold(
    world: Any, ecs: Ecs, s3: FakeS3, reports: Reports, kind: Kind
):
    async with world(pool(2)) as at:
        await anyio.sleep(READY)
        s3.script.append(s3_error(kind))
        at.launch("run")
        await anyio.sleep(1)
        (end,) = reports.of(LaunchFailed)
        assert (end.standby, end.diagnosis.summary) == (True, "S3 says no.")
        assert at.claims[0][1] in ecs.exit_codes
        at.launch("other")
        await anyio.sleep(1)
        assert reports.of(Launched)[-1].start == "cold start: S3 can't be used"
        await anyio.sleep(60)
        at.launch("later")
        await anyio.sleep(1)
        assert reports.of(HandedOver)[-1].run_id == "later", "the lease has been written since"


# --- open outcomes --------------------------------------------------------------------------------------


async def test_a_workload_whose_outcome_is_unknown_is_written_again(world: Any, s3: FakeS3, reports: Reports):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        s3.script.extend([s3_error(Kind.PAYLOAD)] * 3)
        at.launch("run")
        await anyio.sleep(10)
        assert len(written(s3)) == 4
        assert [each.run_id for each in reports.of(HandedOver)] == ["run"]


async def test_a_standby_that_may_have_its_workload_is_watched_and_told_to_leave_if_it_has_none(
    world: Any, ecs: Ecs, s3: FakeS3, reports: Reports
):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        s3.script.extend([s3_error(Kind.PAYLOAD)] * 15)
        at.launch("run")
        await anyio.sleep(SETTLED_LATER_AFTER + 5)
        assert [each.run_id for each in reports.of(Launched)] == ["run"]
        await anyio.sleep(300)
        (arn,) = (arn for _, arn in at.claims)
        assert s3.objects[ecs.url(arn)] == LEAVE
        ecs.exit_codes[arn] = LEFT
        await anyio.sleep(30)
        (end,) = reports.of(Stopped)
        assert (end.run_id, end.ran, end.standby) == ("run", False, True)
        assert ecs.url(arn) not in s3.objects


async def test_a_denial_after_an_unknown_outcome_refuses_nothing(world: Any, s3: FakeS3, reports: Reports):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        s3.script.extend([s3_error(Kind.PAYLOAD), s3_error(Kind.DENIED)])
        at.launch("run")
        await anyio.sleep(10)
        assert [each.run_id for each in reports.of(Launched)] == ["run"]
        assert not reports.of(LaunchFailed)


@pytest.mark.parametrize("location", [LOCATION, "s3://another/"])
@pytest.mark.parametrize("has_workload", [False, True])
async def test_a_standby_that_a_dead_scheduler_has_chosen_leaves_unless_it_has_its_workload(
    world: Any, ecs: Ecs, s3: FakeS3, reports: Reports, location: str, *, has_workload: bool
):
    url = f"{location}standby/{'a' * 32}.json"
    body = {"overrides": {"containerOverrides": [{"name": "airflow", "command": ["python", "-c", "w", url]}]}}
    ecs.started["arn:x"] = -100.0, {**body, "startedBy": f"airflow/default/{STANDBY}"}
    if has_workload:
        s3.objects[url] = b"its workload"
    async with world() as at:
        at.submit(Watch("run", "run", "arn:x", "c", "airflow", listed=False))
        await anyio.sleep(5)
        assert [each.run_id for each in reports.of(HandedOver)] == ["run"]
        assert s3.objects[url] == (b"its workload" if has_workload else LEAVE)
        ecs.exit_codes["arn:x"] = 0 if has_workload else LEFT
        await anyio.sleep(30)
        assert [(each.ran, each.standby) for each in reports.of(Stopped)] == [(has_workload, True)]
        assert (url in s3.objects) == (location != LOCATION), "what lies elsewhere is for others to delete"


# --- runs that go away ----------------------------------------------------------------------------------


async def test_a_run_that_is_stopped_during_the_claim_gets_no_workload(
    world: Any, ecs: Ecs, s3: FakeS3, reports: Reports
):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        at.held = None
        at.launch("run")
        await anyio.sleep(1)
        (arn,) = (arn for _, arn in at.claims)
        at.submit(Stop("run", "enough"))
        at.submit(Claimed("run", arn, held=True))
        await anyio.sleep(1)
        assert [type(each) for each in reports] == [Cancelled]
        assert not written(s3)
        assert arn in ecs.exit_codes, "a row may name it, so it serves nobody else"


async def test_a_run_that_is_forgotten_during_the_claim_gets_no_workload(
    world: Any, ecs: Ecs, s3: FakeS3, reports: Reports
):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        at.held = None
        at.launch("run")
        await anyio.sleep(1)
        (arn,) = (arn for _, arn in at.claims)
        at.submit(Forget("run"))
        at.submit(Claimed("run", arn, held=True))
        await anyio.sleep(1)
        assert not reports
        assert not written(s3)
        assert arn in ecs.exit_codes


async def test_a_run_that_is_stopped_while_its_workload_is_written_is_stopped_in_ecs(
    world: Any, ecs: Ecs, s3: FakeS3, reports: Reports
):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        s3.latency = 3.0
        at.launch("run")
        await anyio.sleep(1)
        at.submit(Stop("run", "enough"))
        await anyio.sleep(30)
        assert [type(each) for each in reports] == [Launched, HandedOver, Stopped]


async def test_a_standby_that_ends_during_the_claim_costs_the_run_nothing(
    world: Any, ecs: Ecs, s3: FakeS3, reports: Reports
):
    async with world(pool()) as at:
        await anyio.sleep(READY)
        at.held = None
        at.launch("run")
        await anyio.sleep(1)
        (arn,) = (arn for _, arn in at.claims)
        ecs.exit_codes[arn] = 137
        await anyio.sleep(20)
        at.submit(Claimed("run", arn, held=True))
        await anyio.sleep(1)
        assert [each.standby for each in reports.of(LaunchFailed)] == [True]
        assert not written(s3)


# --- launches of standbys ------------------------------------------------------------------------------


async def test_a_standby_whose_launch_got_no_answer_is_sent_again_under_its_token(world: Any, ecs: Ecs):
    ecs.script["run_task"].append(error("ServerException", status=500))
    async with world(pool()):
        await anyio.sleep(READY + 10)
        sent = [body["clientToken"] for body in ecs.calls("run_task")]
        assert len(sent) == 2
        assert len(set(sent)) == 1
        assert len(ecs.standbys) == 1


async def test_a_standby_that_may_or_may_not_exist_takes_nobody_elses_task(
    world: Any, ecs: Ecs, reports: Reports
):
    async with world(pool(2)) as at:
        await anyio.sleep(READY)
        first = list(ecs.standbys)
        ecs.exit_codes[first[0]] = 137
        ecs.script["run_task"].extend([error("ServerException", status=500), error("AccessDeniedException")])
        ecs.script["list_tasks"].extend([(first[1],)] * 50)
        await anyio.sleep(300)
        assert len({each.arn for each in at.engine.ledger.standbys}) == len(at.engine.ledger.standbys)
        assert not ecs.calls("list_tasks"), "all standbys have the same startedBy: it tells nothing"


# --- leases ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "after", "start"),
    [([Kind.PAYLOAD], 62.0, "warm"), ([Kind.PAYLOAD] * 2, 67.0, "cold"), ([Kind.DENIED], 62.0, "cold")],
)
async def test_tasks_start_cold_once_s3_refuses_a_lease_or_can_not_take_it_twice(
    world: Any,
    s3: FakeS3,
    reports: Reports,
    monkeypatch: pytest.MonkeyPatch,
    kinds: list[Kind],
    after: float,
    start: str,
):
    put, errors = s3.put, list(kinds)

    async def fail(url: str, data: bytes) -> None:
        if anyio.current_time() > READY and errors:
            raise s3_error(errors.pop())
        await put(url, data)

    monkeypatch.setattr(s3, "put", fail)  # the lease is renewed after 60 s, and 5 s after a failure
    async with world(pool()) as at:
        await anyio.sleep(after)
        assert not errors
        at.launch("run")
        await anyio.sleep(1)
        assert reports.of(Launched)[0].start.startswith(start)


async def test_the_log_says_why_leases_can_not_be_written_and_once_that_they_can_again(
    world: Any, s3: FakeS3, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    put, errors = s3.put, [Kind.DENIED] * 3

    async def fail(url: str, data: bytes) -> None:
        if anyio.current_time() > READY and errors:
            raise s3_error(errors.pop())
        await put(url, data)

    monkeypatch.setattr(s3, "put", fail)
    caplog.set_level(logging.INFO)
    async with world(pool()):
        await anyio.sleep(LEASE_RENEWAL_SECONDS + 3 * RENEW_AGAIN_AFTER + 1)
        assert not errors
        await anyio.sleep(120)
    said = [(each.levelname, each.getMessage()) for each in caplog.records if "S3" in each.getMessage()]
    assert said == [
        ("WARNING", "Standbys need S3: tasks start cold meanwhile. S3 says no."),
        ("INFO", "S3 takes the standbys' leases again."),
    ]


async def test_a_store_that_takes_leases_but_no_workloads_is_not_said_to_be_back(
    world: Any, s3: FakeS3, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def refuse(url: str, data: bytes) -> None:
        raise s3_error(Kind.DENIED)

    monkeypatch.setattr(s3, "put_once", refuse)
    caplog.set_level(logging.INFO)
    async with world(pool()) as at:
        await anyio.sleep(READY)
        at.launch("run")
        await anyio.sleep(3 * LEASE_RENEWAL_SECONDS)
        assert at.engine.ledger.standbys.s3_failure is None
    assert not [text for text in caplog.messages if "again" in text]


@pytest.mark.parametrize(
    ("answered_after", "deleted_after"), [(0.5, 0.6), (30.0, 1.1)], ids=["it is answered", "S3 hangs"]
)
async def test_a_lease_that_is_being_written_when_the_engine_closes_is_deleted_after_that(
    world: Any, s3: FakeS3, monkeypatch: pytest.MonkeyPatch, answered_after: float, deleted_after: float
):
    put = s3.put

    async def be_slow(url: str, data: bytes) -> None:
        if anyio.current_time() < READY:
            return await put(url, data)
        # What is on its way arrives, whether anybody waits for the answer or not.
        asyncio.get_running_loop().call_later(0.5, s3.objects.__setitem__, url, data)
        return await anyio.sleep(answered_after)

    monkeypatch.setattr(s3, "put", be_slow)
    async with world(pool()) as at:
        await anyio.sleep(LEASE_RENEWAL_SECONDS + 0.1)
        assert s3.objects
        at.engine.close(5)
        await anyio.sleep(deleted_after)
        assert not s3.objects
    assert not s3.objects


# --- pools ----------------------------------------------------------------------------------------------


async def test_standbys_give_way_to_runs_that_wait_for_room(world: Any, ecs: Ecs, reports: Reports):
    async with world(pool(3, room=Room("c", ("FARGATE",), "small")), concurrency=1) as at:
        await anyio.sleep(READY)
        ecs.is_full = True
        for number in range(20):
            at.launch(str(number), standby=None, room=Room("c", ("FARGATE",), "large"))
        await anyio.sleep(5)
        assert reports.of(LaunchFailed)
        assert sorted(ecs.exit_codes) == sorted(ecs.standbys)
        assert len(ecs.standbys) == 3, "and none is launched in their place"


async def test_a_standby_gives_way_to_the_only_run_that_waits_for_room_though_each_refusal_takes_it_back(
    world: Any, ecs: Ecs
):
    async with world(pool(3, room=Room("c", ("FARGATE",), "small")), concurrency=1) as at:
        await anyio.sleep(READY)
        ecs.is_full = True
        for number in range(1, 11):
            at.launch("only", standby=None, number=number, room=Room("c", ("FARGATE",), "small"))
            await anyio.sleep(4)
        assert ecs.exit_codes, "a standby has made room"


async def test_a_pool_whose_standbys_end_at_once_rests_and_says_so_once(
    world: Any, ecs: Ecs, reports: Reports, monkeypatch: pytest.MonkeyPatch
):
    original = ecs._task

    def broken(arn: str) -> Task:
        if anyio.current_time() >= ecs.started[arn][0] + BOOT:
            ecs.exit_codes.setdefault(arn, BROKEN)
        return original(arn)

    monkeypatch.setattr(ecs, "_task", broken)
    async with world(pool()) as at:
        await anyio.sleep(300)
        assert [each.pool for each in reports.of(StandbysOff)] == ["pool"]
        assert len(ecs.started) == 3
        at.launch("run")
        await anyio.sleep(1)
        assert not at.claims
        (status,) = at.engine.status(anyio.current_time()).standbys
        assert (status.ready, status.cold) == (0, 1)
        assert status.off


async def test_standbys_do_not_count_among_the_runs(world: Any, ecs: Ecs):
    async with world(pool(4)) as at:
        await anyio.sleep(READY)
        status = at.engine.status(anyio.current_time())
        assert (status.waiting, status.sending, status.watched) == (0, 0, 0)
        (standbys,) = status.standbys
        assert (standbys.wanted, standbys.starting, standbys.ready) == (4, 0, 4)
