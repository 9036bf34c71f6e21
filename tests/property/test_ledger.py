"""Tests the ledger against a model of ECS: whatever fails, each order ends once, and no run has two live tasks."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ecs_async_executor.engine.capacity.gate import PROBES
from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind
from ecs_async_executor.engine.diagnosis.causes.cause import Shortage
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.responses import Container, Task
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.long_waits import LongWaits
from ecs_async_executor.messages import (
    Cancelled,
    Diagnosis,
    Launched,
    LaunchFailed,
    Recovery,
    Report,
    Request,
    Room,
    Running,
    Stopped,
    Terminal,
    Watch,
)
from tests.support.engine import order

SLOTS = range(3)
CLUSTERS = ["one", "two"]
ROOMS = [Room("one", ("spot",), "small"), Room("one", ("spot",), "large"), Room("two", ("spot",), "small")]
OPTIONS = EngineOptions(launch_timeout=120, missing_grace=30, missing_sightings=2, poll_interval=10)
REFUSALS = [
    Kind.THROTTLE,
    Kind.CREDENTIALS,
    Kind.NETWORK,
    Kind.CAPACITY,
    Kind.START,
    Kind.CONFIGURATION,
]

slots = st.sampled_from(SLOTS)
losses = st.sampled_from([None, None, Kind.UNKNOWN, Kind.FAULT])
picks = st.integers(min_value=0, max_value=100)


def failure(kind: Kind, shortage: Shortage = Shortage.ROOM) -> Failure:
    return Failure(kind, Diagnosis(kind.value), shortage=shortage)


@dataclass
class EcsTask:
    """One task in the model of ECS."""

    arn: str
    run_id: str
    cluster: str
    status: str = "PROVISIONING"
    forgotten: bool = False
    """ECS no longer shows it."""
    elsewhere: bool = False
    """ECS refuses calls about it, as if the engine asked in another account."""
    had_room: bool = True
    """False: it has ended before it ran, for lack of room."""


@dataclass
class Ecs:
    """ECS's rules for clientTokens: it remembers the body and the task of each token."""

    tasks: list[EcsTask] = field(default_factory=list)
    by_token: dict[str, tuple[object, EcsTask | None]] = field(default_factory=dict)

    def alive(self, run_id: str) -> list[EcsTask]:
        return [task for task in self.tasks if task.run_id == run_id and task.status != "STOPPED"]

    def start(self, token: str, body: object, run_id: str, cluster: str) -> EcsTask:
        task = EcsTask(f"arn:{len(self.tasks)}", run_id, cluster)
        self.tasks.append(task)
        self.by_token[token] = (body, task)
        return task


class LedgerOnEcs(RuleBasedStateMachine):
    """Acts as the launcher, watcher and stopper of a ledger, with every answer that ECS may give."""

    @initialize(jitter=st.sampled_from([0.0, 0.5, 0.999]))
    def begin(self, jitter: float) -> None:
        self.now = 1000.0
        self.ledger = Ledger(OPTIONS, lambda: jitter)
        self.ecs = Ecs()
        self.sending: list[Entry] = []
        self.preparing: list[Entry] = []
        self.uploading: list[Entry] = []
        self.describing: list[Entry] = []
        self.orders: Counter[str] = Counter()
        self.terminals: Counter[str] = Counter()
        self.runs = {slot: f"run-{slot}" for slot in SLOTS}
        """Each slot's run; after a run is cancelled or forgotten, its slot gets another one."""
        self.numbers: dict[str, int] = {}
        """The launch number of each run's next order."""
        self.bodies: dict[str, object] = {}
        """The body sent with each token."""
        self.tokens: dict[object, str] = {}
        """The token each body was sent with."""
        self.stop_accepted: list[Entry] = []

    # --- orders ---------------------------------------------------------------------------------------

    @rule(
        slot=slots,
        cluster=st.sampled_from(CLUSTERS),
        priority=st.integers(0, 2),
        room=st.sampled_from(ROOMS),
        capacity_timeout=st.sampled_from([20.0, math.inf]),
    )
    def launch(self, slot: int, cluster: str, priority: int, room: Room, capacity_timeout: float) -> None:
        run_id = self.runs[slot]
        if run_id not in self.ledger:
            self.orders[run_id] += 1
        self.ledger.launch(
            order(
                run_id,
                number=self.numbers.get(run_id, 1),
                priority=priority,
                build=lambda: Request({"cluster": cluster, "nonce": object()}, "airflow"),
                room=room,
                capacity_timeout=capacity_timeout,
            ),
            self.now,
        )

    @precondition(lambda self: len(self.ledger) > 0)
    @rule(crash=st.sampled_from([False, False, False, True]))
    def launch_after_a_crash(self, crash: bool) -> None:
        """Give a new engine what the executor knows: ARNs to watch, and launches to order again by number."""
        if not crash:
            return
        live = list(self.ledger)
        self.ledger = Ledger(OPTIONS, lambda: 0.5)
        for held in (self.sending, self.preparing, self.uploading, self.describing):
            held.clear()
        for old in live:
            run_id = old.run_id
            if old.state is State.WATCHING:
                again = Watch(run_id, run_id, old.arn, old.cluster, "airflow", old.number)
                self.ledger.watch(again, self.now)
            else:
                number = self.numbers.get(run_id, 1)
                self.ledger.launch(
                    order(run_id, number=number, cluster="one", recovery=Recovery.REPLAY), self.now
                )

    @rule(slot=st.sampled_from([*SLOTS, *[None] * 3]))  # most runs are never stopped
    def stop(self, slot: int | None) -> None:
        if slot is not None:
            self.take_reports(self.ledger.stop(self.runs[slot], "because", self.now))

    @precondition(lambda self: self.sending)
    @rule(pick=picks, forgets=st.sampled_from([False, False, True]))
    def forget(self, pick: int, forgets: bool) -> None:
        """Drop a run whose call is in flight: another scheduler has it."""
        if forgets:
            entry = self.sending.pop(pick % len(self.sending))
            self.ledger.forget(entry.run_id, self.now)
            self.orders[entry.run_id] -= 1
            self.bodies.pop(str(entry.launch_id), None)
            self.replace_run(entry.run_id)

    # --- the launcher ---------------------------------------------------------------------------------

    @precondition(lambda self: self.ledger.launches.next_at(self.now) is not None)
    @rule()
    def send(self) -> None:
        """Let time pass until the next run is due, and send it."""
        while (entry := self.ledger.take(self.now)) is None:
            due = self.ledger.launches.next_at(self.now)
            assert due is not None
            assert due > self.now
            self.now = due
        assert entry.state is State.SENDING
        assert entry.launch.build is not None
        entry.launch.request = entry.launch.request or entry.launch.build()
        self.sending.append(entry)

    def body_of(self, entry: Entry) -> object:
        assert entry.launch.request is not None
        return entry.launch.request.body.get("nonce", "after a crash")

    @precondition(lambda self: self.sending)
    @rule(pick=picks, lost=losses)
    def answer_runtask(self, pick: int, lost: Kind | None) -> None:
        """ECS carries out the call; its answer may be lost on the network, or in a library that wraps the call."""
        entry = self.sending.pop(pick % len(self.sending))
        if entry.launch.fault is not None:
            self.search(entry, entry.launch.fault)
            return
        assert entry.launch.request is not None
        token, body = str(entry.launch_id), self.body_of(entry)
        cluster = str(entry.launch.request.body["cluster"])
        known = self.ecs.by_token.get(token)
        if known is None:
            task: EcsTask | None = self.ecs.start(token, body, entry.run_id, cluster)
        else:
            task = known[1]  # returned to a replay, or named by the ConflictException for another body
        entry.launch.sent |= lost is not None
        if lost is not None:
            self.take_reports(self.ledger.failed(entry, failure(lost), self.now))
        elif task is None:
            self.take_reports(self.ledger.failed(entry, failure(Kind.EXISTS), self.now))
        else:
            self.take_reports(self.ledger.launched(entry, task.arn, task.cluster, "airflow", self.now))

    def search(self, entry: Entry, fault: Failure) -> None:
        """Search for the task of a run that the launcher no longer sends."""
        task = next(iter(self.ecs.alive(entry.run_id)), None)
        if task is None:
            self.take_reports(self.ledger.failed(entry, fault, self.now))
        else:
            self.take_reports(self.ledger.launched(entry, task.arn, task.cluster, "airflow", self.now))

    @precondition(lambda self: self.sending)
    @rule(pick=picks, kind=st.sampled_from(REFUSALS), lost=losses, shortage=st.sampled_from(Shortage))
    def refuse_runtask(self, pick: int, kind: Kind, lost: Kind | None, shortage: Shortage) -> None:
        """ECS refuses the call, unless its token has started a task: the launcher rules that out."""
        entry = self.sending[pick % len(self.sending)]
        if entry.launch.fault is not None:
            self.sending.remove(entry)
            self.search(entry, entry.launch.fault)
            return
        known = self.ecs.by_token.get(str(entry.launch_id))
        if (
            known is not None
            and known[1] is not None
            and kind in {Kind.CAPACITY, Kind.START, Kind.CONFIGURATION}
        ):
            return
        self.sending.remove(entry)
        entry.launch.sent |= lost is not None
        if kind in {Kind.THROTTLE, Kind.CREDENTIALS, Kind.NETWORK} and not entry.launch.sent:
            # ECS hasn't seen the token, so the next send may have another body.
            self.bodies.pop(str(entry.launch_id), None)
        if kind is Kind.CAPACITY:
            self.ecs.by_token[str(entry.launch_id)] = (
                self.body_of(entry),
                None,
            )  # ECS replays failures[] too
        self.take_reports(self.ledger.failed(entry, failure(lost or kind, shortage), self.now))

    @precondition(lambda self: self.ledger.launches.next_at(self.now) is not None)
    @rule(lost=losses, status=st.sampled_from(["RUNNING", "STOPPED"]))
    def send_and_answer(self, lost: Kind | None, status: str) -> None:
        self.send()
        self.answer_runtask(-1, lost)
        if self.ecs.tasks:
            self.live(-1, status)

    @precondition(lambda self: self.ledger.launches.next_at(self.now) is not None)
    @rule(kind=st.sampled_from(REFUSALS))
    def send_and_refuse(self, kind: Kind) -> None:
        self.send()
        self.refuse_runtask(-1, kind, lost=None, shortage=Shortage.ROOM)

    # --- room -------------------------------------------------------------------------------------------

    @rule(room=st.sampled_from(ROOMS), shortage=st.sampled_from(Shortage))
    def refuse_others(self, room: Room, shortage: Shortage) -> None:
        """ECS refuses so many launches that single probes follow pauses."""
        for _ in range(PROBES):
            self.ledger.gates.refuse(room, (), shortage, Diagnosis("full"), self.now)

    @rule(room=st.sampled_from(ROOMS))
    def end_another(self, room: Room) -> None:
        self.ledger.gates.end(room, self.now)

    @rule()
    def look_who_waits_for_room(self) -> None:
        self.take_reports(LongWaits(self.ledger).end_or_report(self.now, 10.0, 2))

    # --- before the send -------------------------------------------------------------------------------

    @precondition(lambda self: self.sending)
    @rule(pick=picks)
    def prepare(self, pick: int) -> None:
        """Ask ECS something before the send."""
        entry = self.sending.pop(pick % len(self.sending))
        self.ledger.prepare(entry, self.now)
        self.preparing.append(entry)

    @precondition(lambda self: self.preparing)
    @rule(pick=picks, fails=st.sampled_from([None, None, Kind.THROTTLE, Kind.NETWORK, Kind.UNKNOWN]))
    def answer_before_the_send(self, pick: int, fails: Kind | None) -> None:
        """ECS shows the run's task if there is one, unless the call fails."""
        entry = self.preparing.pop(pick % len(self.preparing))
        alive = self.ecs.alive(entry.run_id)
        if fails is not None:
            self.refuse_before_the_send(entry, fails)
        elif alive:
            task = alive[0]
            self.take_reports(self.ledger.launched(entry, task.arn, task.cluster, "airflow", self.now))
        else:
            self.ledger.prepared(entry, self.now)

    @precondition(lambda self: self.sending)
    @rule(pick=picks)
    def need_an_upload(self, pick: int) -> None:
        entry = self.sending.pop(pick % len(self.sending))
        self.ledger.must_put(entry, self.now)

    @precondition(lambda self: len(self.ledger.puts) > 0)
    @rule()
    def upload(self) -> None:
        entry = self.ledger.take_put(self.now)
        if entry is not None:
            self.uploading.append(entry)

    @precondition(lambda self: self.uploading)
    @rule(pick=picks, fails=st.sampled_from([None, None, Kind.PAYLOAD, Kind.DENIED]))
    def answer_of_s3(self, pick: int, fails: Kind | None) -> None:
        """S3 takes the payload, or refuses it; then the uploader looks for a task that an earlier send has started."""
        entry = self.uploading.pop(pick % len(self.uploading))
        alive = self.ecs.alive(entry.run_id)
        if fails is None:
            self.ledger.has_put(entry, self.request_of(entry), self.now)
        elif alive:
            task = alive[0]
            self.take_reports(self.ledger.launched(entry, task.arn, task.cluster, "airflow", self.now))
        else:
            self.refuse_before_the_send(entry, fails)

    def refuse_before_the_send(self, entry: Entry, kind: Kind) -> None:
        if not entry.launch.sent:
            self.bodies.pop(str(entry.launch_id), None)  # the next request may have another body
        self.take_reports(self.ledger.failed(entry, failure(kind), self.now))

    def request_of(self, entry: Entry) -> Request:
        assert entry.launch.build is not None
        return entry.launch.request or entry.launch.build()

    # --- the watcher ----------------------------------------------------------------------------------

    @precondition(lambda self: len(self.ledger.due) > 0)
    @rule(limit=st.integers(1, 3))
    def poll(self, limit: int) -> None:
        """Let time pass until the next tasks are due, and poll them."""
        self.now = max(self.now, self.ledger.due.next_at() or 0.0)
        batch = self.ledger.due.take(self.now, limit=limit)
        assert len({entry.cluster for entry in batch}) <= 1
        self.describing.extend(batch)

    @precondition(lambda self: self.describing)
    @rule(pick=picks, answer=st.sampled_from(["task", "task", "missing", "error"]))
    def answer_describetasks(self, pick: int, answer: str) -> None:
        entry = self.describing.pop(pick % len(self.describing))
        self.describe(entry, answer)

    @precondition(lambda self: len(self.ledger.due) > 0)
    @rule(answer=st.sampled_from(["task", "missing"]))
    def poll_and_answer(self, answer: str) -> None:
        self.poll(1)
        self.answer_describetasks(-1, answer)

    def describe(self, entry: Entry, answer: str) -> None:
        task = next(task for task in self.ecs.tasks if task.arn == entry.arn)
        if answer == "error":
            self.ledger.poll_again(entry, self.now)
        elif task.elsewhere:
            if self.ledger.not_seen(entry, self.now):
                refusal = failure(Kind.CONFIGURATION)
                reports = self.ledger.not_listed(entry, self.now, asked=False, refusal=refusal)
                assert not reports or self.now - entry.task.missing_since >= OPTIONS.list_timeout
                self.take_reports(reports)
        elif answer == "task" and not task.forgotten:
            exit_code = 0 if task.status == "STOPPED" and task.had_room else None
            seen = Task(
                task_arn=task.arn,
                last_status=task.status,
                stopped_reason=None if task.had_room else "RESOURCE:MEMORY",
                containers=(Container(name="airflow", exit_code=exit_code),),
            )
            self.take_reports(self.ledger.described(entry, seen, self.now))
        elif self.ledger.not_seen(entry, self.now):
            if task.forgotten:
                self.take_reports(self.ledger.not_listed(entry, self.now, asked=True))
            else:
                self.ledger.poll_again(entry, self.now)

    # --- ECS and time ---------------------------------------------------------------------------------

    @precondition(lambda self: self.ecs.tasks)
    @rule(pick=picks, status=st.sampled_from(["RUNNING", "STOPPED", "NO ROOM", "forgotten"]))
    def live(self, pick: int, status: str) -> None:
        task = self.ecs.tasks[pick % len(self.ecs.tasks)]
        if status == "forgotten":
            task.forgotten = task.status == "STOPPED"
        elif task.status != "STOPPED":
            task.had_room = status != "NO ROOM"
            task.status = status if task.had_room else "STOPPED"

    @precondition(lambda self: self.ecs.tasks)
    @rule(pick=picks)
    def ask_elsewhere(self, pick: int) -> None:
        """The connection is changed to another account, or back."""
        task = self.ecs.tasks[pick % len(self.ecs.tasks)]
        task.elsewhere = not task.elsewhere

    @precondition(lambda self: self.ledger.stops)
    @rule()
    def stop_tasks(self) -> None:
        while self.ledger.stops:
            entry = self.ledger.stops.popleft()
            self.stop_accepted.append(entry)
            if self.ledger.holds(entry):
                assert entry.arn, "only a launched task can be stopped"
                next(task for task in self.ecs.tasks if task.arn == entry.arn).status = "STOPPED"

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    # --- reports --------------------------------------------------------------------------------------

    def take_reports(self, reports: list[Report]) -> None:
        for report in reports:
            note(f"-> {report}")
            self.take_report(report)

    def take_report(self, report: Report) -> None:
        if isinstance(report, Terminal):
            self.terminals[report.run_id] += 1
            assert report.run_id not in self.ledger
        if isinstance(report, (LaunchFailed, Cancelled)):
            assert not self.ecs.alive(report.run_id), "reported as not started, but it is alive"
        if isinstance(report, Cancelled):
            self.replace_run(report.run_id)
        elif isinstance(report, LaunchFailed):
            self.numbers[report.run_id] = report.number + 1
        elif isinstance(report, Stopped):
            assert not self.ecs.alive(report.run_id), "reported as stopped, but it is alive"
            self.numbers[report.run_id] = report.number + 1
        elif isinstance(report, (Launched, Running)):
            assert report.run_id in self.ledger

    def replace_run(self, run_id: str) -> None:
        slot = next(slot for slot, known in self.runs.items() if known == run_id)
        self.runs[slot] = f"{run_id}a"

    # --- invariants -----------------------------------------------------------------------------------

    @invariant()
    def no_run_has_two_live_tasks(self) -> None:
        for run_id in self.orders:
            assert len(self.ecs.alive(run_id)) <= 1

    @invariant()
    def each_order_has_ended_once_or_is_in_the_ledger(self) -> None:
        for run_id in self.orders:
            assert self.orders[run_id] == self.terminals[run_id] + (run_id in self.ledger)

    @invariant()
    def each_run_is_in_exactly_one_place(self) -> None:
        queued, puts, due = self.ledger.launches._waiting, self.ledger.puts._waiting, self.ledger.due
        for entry in self.ledger:
            places = {
                State.WAITING: entry in queued,
                State.PREPARING: entry in self.preparing,
                State.UPLOAD_WAITING: entry in puts,
                State.UPLOADING: entry in self.uploading,
                State.SENDING: entry in self.sending,
                State.WATCHING: (entry in due) + (entry in self.describing),
            }
            assert sum(places.values()) == places[entry.state] == 1, (entry.run_id, entry.state, places)
        held = set(self.ledger)
        assert queued.keys() <= held
        assert puts.keys() <= held
        assert len(due) == sum(entry in due for entry in held)
        assert self.ledger.sending == len(self.sending)

    @invariant()
    def each_token_has_a_body_of_its_own(self) -> None:
        for entry in self.sending:
            body = self.body_of(entry)
            if body != "after a crash":
                assert self.bodies.setdefault(str(entry.launch_id), body) is body
                assert self.tokens.setdefault(body, str(entry.launch_id)) == str(entry.launch_id)

    @invariant()
    def a_stop_reaches_every_launched_task(self) -> None:
        for entry in self.ledger:
            if entry.state is State.WATCHING and entry.stop_reason is not None:
                assert entry in self.ledger.stops or entry in self.stop_accepted

    @invariant()
    def gates_wait_for_the_answers_to_launches_under_way_and_for_no_others(self) -> None:
        under_way: Counter[object] = Counter()
        for entry in self.ledger:
            assert not entry.passes or entry.state is State.SENDING
            under_way.update((each.key, each.reason) for each in entry.passes)
        for key, gate in self.ledger.gates._gates.items():
            for reason, unanswered in gate._unanswered.items():
                assert unanswered == under_way.pop((key, reason), 0)
        assert not under_way

    @invariant()
    def a_run_has_a_due_time_unless_it_waits_for_an_answer(self) -> None:
        if len(self.ledger.launches) > 0 and not any(entry.passes for entry in self.ledger):
            assert self.ledger.launches.next_at(self.now) is not None

    @invariant()
    def only_a_watched_run_has_no_builder(self) -> None:
        for entry in self.ledger:
            assert (entry.launch.build is None) == (entry.state is State.WATCHING)

    def teardown(self) -> None:
        """Let everything run to its end: each run must end too."""
        if not hasattr(self, "ledger"):
            return
        for _ in range(100):
            self.now += 1000.0
            while (entry := self.ledger.take(self.now)) is not None:
                assert entry.launch.build is not None
                entry.launch.request = entry.launch.request or entry.launch.build()
                self.sending.append(entry)
            self.answer_all()
            for task in self.ecs.tasks:
                task.status = "STOPPED"
            self.describing.extend(self.poll_all())
            while self.describing:
                self.describe(self.describing.pop(), "task")
            self.each_run_is_in_exactly_one_place()
            if not len(self.ledger):
                break
        assert len(self.ledger) == 0, "a run never ends"
        assert self.terminals == self.orders
        assert len(self.ledger.launches) == len(self.ledger.due) == 0

    def answer_all(self) -> None:
        """Let every call before a poll succeed."""
        while self.preparing:
            self.answer_before_the_send(0, None)
        while (entry := self.ledger.take_put(self.now)) is not None:
            self.uploading.append(entry)
        while self.uploading:
            self.answer_of_s3(0, None)
        while self.sending:
            self.answer_runtask(0, lost=None)

    def poll_all(self) -> list[Entry]:
        taken: list[Entry] = []
        while batch := self.ledger.due.take(self.now, limit=100):
            taken.extend(batch)
        return taken


TestLedgerOnEcs: Any = LedgerOnEcs.TestCase
