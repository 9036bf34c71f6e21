"""A run keeps its limits, waits out throttles, and stops what it started, whatever happens."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from ecs_async_executor.conformance.answers import Answer, Call, Probe, Record, compact, is_too_long
from ecs_async_executor.conformance.assumptions import ASSUMPTIONS
from ecs_async_executor.conformance.judges import Outcome, Verdict, judged
from ecs_async_executor.conformance.limits import LimitError, Limits
from ecs_async_executor.conformance.probes import PROBES
from ecs_async_executor.conformance.run import ATTEMPTS, CALLS_A_SECOND
from ecs_async_executor.conformance.target import Target
from tests.support.conformance import LabEdge, alive, make_lab, run_on, target_of

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a process: Ctrl-C, a stop, and a terminal that is closed."""


def started(edge: LabEdge) -> int:
    return sum(1 for _ in edge.lab.ecs.store.all_tasks())


def test_a_whole_run_starts_six_tasks_and_leaves_none() -> None:
    edge = LabEdge(make_lab())
    outcome, limits = run_on(edge)
    assert (outcome.record.cut_short, outcome.left, outcome.interrupted) == ("", set(), False)
    assert (started(edge), alive(edge.lab), limits.unresolved) == (6, [], set())


def test_calls_keep_to_the_rate() -> None:
    edge = LabEdge(make_lab())
    begin = edge.lab.now
    run_on(edge)
    assert len(edge.sent) / (edge.lab.now - begin) <= CALLS_A_SECOND


@pytest.mark.parametrize("kind", ["throttle", "disguised_throttle", "server_error"])
def test_a_throttled_call_is_sent_again_and_its_throttle_is_no_verdict(kind: str) -> None:
    edge = LabEdge(make_lab())
    faults = [{"kind": kind, "action": "RunTask", "times": 3}]
    edge.lab.ecs.conditions.update({"faults": faults}, edge.lab.now)
    outcome, _ = run_on(edge)
    assert outcome.record.cut_short == ""
    assert started(edge) == 6


def test_a_lost_answer_is_replayed_and_starts_one_task() -> None:
    edge = LabEdge(make_lab())
    faults = [{"kind": "lost_response", "action": "RunTask", "probability": 0.5}]
    edge.lab.ecs.conditions.update({"faults": faults}, edge.lab.now)
    _, limits = run_on(edge)
    assert alive(edge.lab) == []
    assert started(edge) <= 6
    assert limits.unresolved == set()


def test_an_eventually_consistent_server_is_waited_for() -> None:
    edge = LabEdge(make_lab(conditions={"consistency_lag": 6}))
    target = target_of(edge.lab)
    outcome, _ = run_on(edge, target)
    found = {row.name: judged(row.judge, target, outcome.record) for row in ASSUMPTIONS}
    assert "call 5" in found["describe-visible"].seen
    assert [name for name, each in found.items() if each.outcome is Outcome.DIFFERS] == []
    assert alive(edge.lab) == []


def test_no_more_tasks_are_started_than_the_limit_allows() -> None:
    edge = LabEdge(make_lab())
    outcome, _ = run_on(edge, tasks=3)
    assert outcome.record.cut_short == "the limit of 3 tasks was reached"
    assert started(edge) == 3
    assert alive(edge.lab) == []


def test_a_server_that_ignores_client_tokens_reaches_the_limit_too() -> None:
    lab = make_lab()

    class Forgetful(LabEdge):
        def send(self, call: Call) -> Answer:
            if call.action == "RunTask":
                call = replace(call, params={**call.params, "clientToken": f"{len(self.sent)}"})
            return super().send(call)

    class Restoring(Forgetful):
        """The limits see the token that was asked for."""

        def send(self, call: Call) -> Answer:
            return replace(super().send(call), call=call)

    edge = Restoring(lab)
    run_on(edge, tasks=4)
    assert started(edge) == 4
    assert alive(lab) == []


def test_nothing_is_asked_after_the_time_limit_but_the_clean_up_runs() -> None:
    edge = LabEdge(make_lab())
    outcome, _ = run_on(edge, deadline=edge.lab.now + 10)
    assert outcome.record.cut_short == "the time limit was reached"
    assert alive(edge.lab) == []
    assert all(
        "the time limit" in each.seen for each in verdicts(edge, outcome.record) if "not asked" in each.seen
    )


def verdicts(edge: LabEdge, record: Record) -> list[Verdict]:
    target = target_of(edge.lab)
    return [judged(row.judge, target, record) for row in ASSUMPTIONS]


def test_the_number_of_calls_is_limited() -> None:
    edge = LabEdge(make_lab())
    outcome, _ = run_on(edge, calls=20)
    assert outcome.record.cut_short == "the limit of calls was reached"
    assert alive(edge.lab) == []


def interrupted_at(count: int, edge: LabEdge) -> Callable[[Answer], Answer]:
    def bend(answer: Answer) -> Answer:
        if len(edge.sent) == count:
            raise KeyboardInterrupt
        return answer

    return bend


@pytest.mark.parametrize("count", range(1, 40, 3))
def test_ctrl_c_at_any_call_leaves_nothing_running(count: int) -> None:
    edge = LabEdge(make_lab())
    edge.bend = interrupted_at(count, edge)
    outcome, _ = run_on(edge)
    assert outcome.interrupted
    assert alive(edge.lab) == []


def test_an_interrupted_run_task_is_looked_for_until_it_is_listed() -> None:
    edge = LabEdge(make_lab(conditions={"consistency_lag": 20}))
    launches = 0

    def bend(answer: Answer) -> Answer:
        nonlocal launches
        launches += answer.call.name == "first"
        if launches == 1 and answer.call.name == "first":
            raise KeyboardInterrupt
        return answer

    edge.bend = bend
    outcome, _ = run_on(edge)
    assert outcome.interrupted
    assert (started(edge), alive(edge.lab)) == (1, [])


def test_an_error_of_ours_still_cleans_up() -> None:
    edge = LabEdge(make_lab())

    def broken(_target: Target, _record: Record) -> Probe:
        yield Call("visible", "DescribeTasks", {"cluster": "default", "tasks": ["x"]})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_on(edge, probes=(*PROBES[:3], broken))
    assert started(edge) > 0
    assert alive(edge.lab) == []


def test_signals_are_as_before_after_a_run() -> None:
    before = [signal.getsignal(number) for number in ENDS]
    run_on(LabEdge(make_lab()))
    assert [signal.getsignal(number) for number in ENDS] == before


@pytest.mark.parametrize("line", range(1, 8))
def test_a_terminal_that_is_gone_does_not_keep_it_from_cleaning_up(line: int) -> None:
    edge, said = LabEdge(make_lab()), list[str]()

    def say(text: str) -> None:
        said.append(text)
        if len(said) >= line:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError) if line < 7 else contextlib.nullcontext():
        run_on(edge, say=say)
    assert said[-1].startswith("Cleaning up")
    assert alive(edge.lab) == []


def test_a_task_that_cannot_be_stopped_is_reported() -> None:
    edge = LabEdge(make_lab())
    send = edge.send

    def deny(call: Call) -> Answer:
        if call.action == "StopTask":
            return Answer(call, edge.lab.now, edge.lab.now, {}, "AccessDeniedException", "not authorized")
        return send(call)

    edge.send = deny  # type: ignore[method-assign]  # a server that denies one action
    edge.lab.ecs.plan.defaults = {"duration": 10_000}
    outcome, _ = run_on(edge)
    assert outcome.left == set(alive(edge.lab))
    assert outcome.left


@pytest.mark.parametrize(
    ("weight", "most"),
    [
        ({"é": 6}, 8192),  # each counted as its escape, é
        ({"é": 2}, 8192),  # in bytes
    ],
)
def test_a_limit_that_counts_otherwise_is_searched_for(weight: dict[str, int], most: int) -> None:
    edge = LabEdge(make_lab())
    target = target_of(edge.lab)

    def bend(answer: Answer) -> Answer:
        text = compact(answer.call.params.get("overrides", ""))
        if not answer.call.name.startswith("overrides-") or is_too_long(answer):
            return answer
        if sum(weight.get(character, 1) for character in text) > most:
            said = "Container Overrides length must be at most 8192"
            return replace(answer, code="InvalidParameterException", message=said, status=400)
        return answer

    edge.bend = bend
    outcome, _ = run_on(edge, target)
    found = {row.name: judged(row.judge, target, outcome.record) for row in ASSUMPTIONS}
    assert found["overrides-plain"].outcome is Outcome.HOLDS
    assert found["overrides-accents"].outcome is Outcome.DIFFERS
    sizes = [
        (each.call.params["overrides"], is_too_long(each)) for each in outcome.record.all("overrides-accents")
    ]
    taken = max(len(compact(overrides)) for overrides, refused in sizes if not refused)
    least = min(len(compact(overrides)) for overrides, refused in sizes if refused)
    assert least == taken + 1
    assert f"{taken} characters were taken" in found["overrides-accents"].seen
    assert started(edge) == 6  # the search starts nothing


def test_a_server_that_checks_containers_first_gets_requests_for_the_real_one() -> None:
    edge = LabEdge(make_lab())

    def bend(answer: Answer) -> Answer:
        if "no-such-container" in compact(answer.call.params):
            said = "Override for container named x is not a container in the TaskDefinition."
            return replace(answer, code="InvalidParameterException", message=said, status=400, body={})
        return answer

    edge.bend = bend
    target = target_of(edge.lab)
    outcome, _ = run_on(edge, target)
    sent = outcome.record.all("overrides-plain")
    assert [each.ok for each in sent] == [True, False]
    found = [
        judged(row.judge, target, outcome.record) for row in ASSUMPTIONS if row.name.startswith("overrides")
    ]
    assert [each.outcome for each in found] == [Outcome.HOLDS] * 4
    assert started(edge) == 10
    assert alive(edge.lab) == []


def test_a_run_that_may_not_tag_starts_its_task_without_tags() -> None:
    edge = LabEdge(make_lab())
    send = edge.send

    def deny_tags(call: Call) -> Answer:
        if call.params.get("tags"):
            said = "not authorized to perform: ecs:TagResource"
            return Answer(call, edge.lab.now, edge.lab.now, {}, "AccessDeniedException", said)
        return send(call)

    edge.send = deny_tags  # type: ignore[method-assign]  # a server that denies tags
    outcome, _ = run_on(edge)
    assert outcome.record.has("first")
    assert started(edge) == 6


def test_a_server_that_starts_nothing_is_no_error() -> None:
    edge = LabEdge(make_lab())
    faults = [{"kind": "capacity", "reason": "RESOURCE:CPU"}]
    edge.lab.ecs.conditions.update({"faults": faults}, edge.lab.now)
    target = target_of(edge.lab)
    outcome, _ = run_on(edge, target)
    found = {row.name: judged(row.judge, target, outcome.record) for row in ASSUMPTIONS}
    assert found["token-failures"].outcome is Outcome.HOLDS
    assert found["exit-0"].outcome is Outcome.UNTOLD
    assert "RESOURCE:CPU" in found["exit-0"].seen


@pytest.mark.parametrize("action", ["ListTasks", "DescribeTasks"])
def test_a_clean_up_that_is_throttled_all_the_time_ends_and_tells_what_may_run(action: str) -> None:
    edge = LabEdge(make_lab())
    edge.lab.ecs.plan.defaults = {"duration": 10_000}

    def one(target: Target, _record: Record) -> Probe:
        yield Call("first", "RunTask", target.run_task("first", None))
        edge.lab.ecs.conditions.update({"faults": [{"kind": "throttle", "action": action}]}, edge.lab.now)

    begin = edge.lab.now
    outcome, _ = run_on(edge, probes=(one,))
    assert edge.lab.now - begin < 400
    # StopTask isn't throttled, so it is stopped even if nothing shows it.
    assert alive(edge.lab) == []
    assert len(outcome.left) == (1 if action == "DescribeTasks" else 0)


# --- the limits ---------------------------------------------------------------------------------------


def launch(token: str) -> Call:
    return Call("x", "RunTask", {"clientToken": token, "startedBy": "a", "count": 1})


def answered(call: Call, arn: str = "", code: str = "", status: int = 200) -> Answer:
    return Answer(call, 0, 0, {"tasks": [{"taskArn": arn}] if arn else []}, code, "", status)


@pytest.mark.parametrize(
    ("answer", "may_start_another"),
    [
        (answered(launch("a"), "arn:1"), False),
        (answered(launch("a"), code="InvalidParameterException", status=400), True),
        (answered(launch("a"), code="ServerException", status=500), False),
        (answered(launch("a"), code="-"), False),
    ],
)
def test_a_launch_counts_unless_it_started_nothing_for_certain(
    answer: Answer, may_start_another: bool
) -> None:
    limits = Limits(deadline=1.0, tasks=1)
    limits.admit(answer.call, 0.0)
    limits.take_in(answer)
    assert admits(limits, launch("b")) is may_start_another


def test_a_replay_of_an_unknown_launch_is_admitted() -> None:
    limits = Limits(deadline=1.0, tasks=1)
    limits.admit(launch("a"), 0.0)
    assert admits(limits, launch("a"))
    assert not admits(limits, launch("b"))


def admits(limits: Limits, call: Call) -> bool:
    try:
        limits.admit(call, 0.0)
    except LimitError:
        return False
    return True


def test_a_call_is_sent_a_bounded_number_of_times() -> None:
    edge = LabEdge(make_lab())
    edge.lab.ecs.conditions.update(
        {"faults": [{"kind": "throttle", "action": "DescribeTasks"}]}, edge.lab.now
    )

    def one(_target: Target, _record: Record) -> Probe:
        yield Call("missing", "DescribeTasks", {"cluster": "default", "tasks": ["x"]})

    run_on(edge, probes=(one,))
    assert len([call for call in edge.sent if call.action == "DescribeTasks"]) == ATTEMPTS


# --- signals ------------------------------------------------------------------------------------------


def signalled(edge: LabEdge, number: signal.Signals, is_meant: Callable[[Call], bool]) -> None:
    """Let the process get a signal while a call is in flight."""

    def bend(answer: Answer) -> Answer:
        if is_meant(answer.call):
            signal.raise_signal(number)
        return answer

    edge.bend = bend


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_ends_the_probes_and_starts_the_clean_up(number: signal.Signals) -> None:
    edge = LabEdge(make_lab())
    signalled(edge, number, lambda call: call.name == "exit-1")
    outcome, _ = run_on(edge)
    assert outcome.interrupted
    assert alive(edge.lab) == []


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_does_not_disturb_the_clean_up(number: signal.Signals) -> None:
    edge = LabEdge(make_lab())
    signalled(edge, number, lambda call: call.name == "exit-1" or call.name.startswith("cleanup"))
    outcome, _ = run_on(edge)
    assert outcome.interrupted
    assert (alive(edge.lab), outcome.left) == ([], set())
