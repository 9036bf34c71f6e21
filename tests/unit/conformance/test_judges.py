"""Each assumption: what AWS is documented to answer holds, what a wrong server answers differs, and silence tells nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ecs_async_executor.conformance.answers import Answer, Record, compact, is_too_long
from ecs_async_executor.conformance.assumptions import ASSUMPTIONS
from ecs_async_executor.conformance.judges import Outcome, Verdict, judged
from ecs_async_executor.conformance.probes import PROBES, REASON, throttle
from ecs_async_executor.conformance.target import Target
from ecs_async_executor.engine.diagnosis.call_failures import classify
from tests.support.conformance import LabEdge, make_lab, run_on, target_of
from tests.support.engine import ELSEWHERE

BY_NAME = {row.name: row for row in ASSUMPTIONS}
NEEDS_LUCK = {"token-failures", "vcpu-limit"}
"""A healthy server with room shows nothing that tells about these."""
Bend = Callable[[Answer], Answer]


@cache
def good() -> tuple[Target, Record]:
    """Return the record of a run on a server that does as AWS documents."""
    lab = make_lab(conditions={"throttling": {"cluster_resource_read": [100, 20]}})
    target = target_of(lab)
    outcome, _ = run_on(LabEdge(lab), target, (*PROBES, throttle(200)))
    return target, outcome.record


def bent(change: Bend, *names: str) -> Record:
    """Return the good record, with the answers of these calls changed."""
    _, record = good()
    return Record([change(each) if each.call.name in names else each for each in record.answers])


def verdict(name: str, record: Record) -> Verdict:
    return judged(BY_NAME[name].judge, good()[0], record)


def refused(code: str, message: str = "No.", status: int = 400, **body: Any) -> Bend:
    return lambda answer: replace(answer, code=code, message=message, status=status, body=body)


def accepted(**body: Any) -> Bend:
    return lambda answer: replace(
        answer, code="", message="", status=200, body={"tasks": [], "failures": [], **body}
    )


def tasks(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Bend:
    def bend(answer: Answer) -> Answer:
        shown = [change(dict(task)) for task in answer.tasks]
        return replace(answer, body={**answer.body, "tasks": shown})

    return bend


def task(**members: Any) -> Bend:
    return tasks(lambda shown: {**shown, **members})


def without(*members: str) -> Bend:
    return tasks(lambda shown: {key: value for key, value in shown.items() if key not in members})


def container(**members: Any) -> Bend:
    def change(shown: dict[str, Any]) -> dict[str, Any]:
        containers = [{**each, **members} for each in shown["containers"]]
        return {
            **shown,
            "containers": [{k: v for k, v in each.items() if v is not None} for each in containers],
        }

    return tasks(change)


def both(*bends: Bend) -> Bend:
    def bend(answer: Answer) -> Answer:
        for each in bends:
            answer = each(answer)
        return answer

    return bend


def only_if(is_meant: Callable[[Answer], bool], bend: Bend) -> Bend:
    return lambda answer: bend(answer) if is_meant(answer) else answer


def unlisted(answer: Answer) -> Answer:
    return replace(answer, body={"taskArns": []})


def longer(limit: int) -> Bend:
    """A server that takes overrides of up to this many characters."""

    def bend(answer: Answer) -> Answer:
        if _size(answer) > limit:
            return refused("InvalidParameterException", "Container Overrides length must be at most 8192")(
                answer
            )
        return accepted()(answer)

    return bend


def _size(answer: Answer) -> int:
    return len(compact(answer.call.params["overrides"]))


FIRST = good()[1].arn("first")
OTHER = "arn:aws:ecs:us-east-1:123456789012:task/default/ffffffffffffffffffffffffffffffff"
INVALID = "InvalidParameterException"
WATCH = ("watch", "watch-stop")

WRONG: list[tuple[str, tuple[str, ...], Bend, str]] = [
    ("token-replay", ("replay",), task(taskArn=OTHER), "ignores the clientToken"),
    ("token-conflict", ("conflict",), accepted(tasks=[{"taskArn": OTHER}]), "started another task"),
    ("token-conflict", ("conflict",), accepted(tasks=[{"taskArn": FIRST}]), "returned the first task"),
    ("token-conflict", ("conflict",), refused("ConflictException"), "None"),
    ("token-conflict", ("conflict",), refused("ConflictException", resourceIds=[OTHER]), "resourceIds"),
    ("token-conflict", ("conflict",), refused("ClientException", "Idempotent parameter mismatch"), "mismatch"),
    ("token-after-stop", ("replay-stopped",), task(taskArn=OTHER), "another task"),
    ("token-after-stop", ("replay-stopped",), task(lastStatus="RUNNING"), "as RUNNING"),
    ("token-length", ("token-65",), accepted(tasks=[{"taskArn": OTHER}]), "65 characters: accepted"),
    ("token-length", ("token-65",), refused("SerializationException"), "refused, but with SerializationException"),
    ("started-by-length", ("exit-0",), task(startedBy="airflow"), "7 were kept"),
    ("started-by-length", ("started-by-129",), accepted(tasks=[{"taskArn": OTHER}]), "accepted"),
    ("list-started-by", ("listed",), lambda a: replace(a, body={"taskArns": [FIRST, OTHER]}), "another startedBy"),
    ("list-desired-status", ("list-running",), refused(INVALID, "cannot specify startedBy"), "cannot specify"),
    ("list-desired-status", ("list-stopped-early",), refused(INVALID, "no"), "STOPPED beside startedBy was refused"),
    ("list-desired-status", ("list-stopped-early",), lambda a: replace(a, body={"taskArns": [FIRST]}), "STOPPED"),
    ("list-desired-status", ("list-running",), unlisted, "not listed with desiredStatus RUNNING"),
    ("list-two-filters", ("list-two-filters",), accepted(taskArns=[]), "accepted"),
    ("list-after-stop", ("list-after-stop",), lambda a: replace(a, body={"taskArns": [FIRST]}), "still listed"),
    ("list-after-stop", ("list-stopped",), unlisted, "not listed with desiredStatus STOPPED"),
    ("missing", ("missing",), accepted(), "0 tasks and the failures []"),
    ("missing", ("missing",), accepted(failures=[{"arn": OTHER, "reason": "MISSING"}]), "but names"),
    ("missing", ("missing",), refused("ClientException", "unknown"), "was refused"),
    ("describe-100", ("describe-100",), accepted(), "0 of 100"),
    ("describe-100", ("describe-100",), refused(INVALID, "too many"), "were refused"),
    ("describe-101", ("describe-101",), accepted(), "accepted"),
    ("describe-elsewhere", ("elsewhere-account",), refused(INVALID, "taskId is odd"), "account: InvalidParameterException: taskId is odd"),
    ("describe-elsewhere", ("elsewhere-region",), accepted(tasks=[{"taskArn": OTHER}]), "region: 1 tasks"),
    ("stop-unknown", ("stop-unknown",), accepted(task={}), "accepted"),
    ("stop-unknown", ("stop-unknown",), refused("ClientException", "gone"), "ClientException: gone"),
    ("cluster-unknown", ("cluster-unknown",), accepted(taskArns=[]), "accepted"),
    ("cluster-unknown", ("cluster-unknown",), refused("ClientException", "none"), "ClientException: none"),
    ("statuses", WATCH, task(lastStatus="HIBERNATING"), "Unknown values: HIBERNATING"),
    ("statuses", ("watch-stop",), only_if(lambda a: a.tasks[0]["lastStatus"] == "STOPPED", task(lastStatus="PENDING")), "Out of order"),
    ("desired-status", ("first",), task(desiredStatus="STOPPED"), "STOPPED at first"),
    ("desired-status", ("watch",), task(desiredStatus="RUNNING"), "RUNNING after its own end"),
    ("exit-0", ("watch",), container(exitCode=None), "exitCode absent"),
    ("exit-1", ("watch",), container(exitCode=0), "exitCode 0"),
    ("exit-137", ("watch",), without("stopCode"), "stopCode absent"),
    ("exit-0", ("watch",), task(stopCode="TaskFailedToStart"), "TaskFailedToStart"),
    ("cannot-start", ("watch",), container(exitCode=0), "exitCode 0"),
    ("cannot-start", ("watch",), task(stopCode="EssentialContainerExited"), "EssentialContainerExited"),
    ("cannot-pull", ("watch",), both(task(stoppedReason="Task failed to start"), container(reason="it broke")), "it broke"),
    ("stop-reason", ("watch-stop",), task(stopCode="EssentialContainerExited"), "EssentialContainerExited"),
    ("stop-reason", ("watch-stop",), task(stoppedReason=REASON[:128]), "became"),
    ("stop-reason-length", ("stop-reason-256",), accepted(task={}), "accepted"),
    ("stop-again", ("stop-again",), refused(INVALID, "The referenced task was not found."), "not found"),
    ("stop-signal", ("watch-stop",), container(exitCode=137), "was killed"),
    ("stop-signal", ("watch-stop",), container(exitCode=143), "exitCode 143"),
    ("times", ("watch",), without("pullStoppedAt", "startedAt"), "Absent: pullStoppedAt, startedAt"),
    ("times", ("watch",), task(createdAt=4e9), "Out of order"),
    ("runtime-id", ("watch",), container(runtimeId=None), "Absent"),
    ("tags", ("watch",), task(tags=[]), "showed 0 tags"),
    ("tags", ("visible",), task(tags=[{"key": "a", "value": "b"}]), "without"),
    ("tags-propagated", ("watch",), tasks(lambda t: {**t, "tags": t["tags"][1:]}), "Not propagated: team"),
    ("tags-after-stop", ("watch-stop",), task(tags=[{"key": "a", "value": "b"}]), "1 tags were still shown"),
    ("overrides-plain", ("overrides-plain",), longer(10_000), "nothing was refused"),
    ("overrides-plain", ("overrides-plain",), longer(0), "nothing was taken"),
    ("overrides-plain", ("overrides-control",), accepted(tasks=[{"taskArn": OTHER}]), "no such limit"),
    ("overrides-quotes", ("overrides-quotes",), longer(8192 - 1), "nothing was taken"),
    ("overrides-accents", ("overrides-accents",), longer(4000), "nothing was taken"),
    ("overrides-emoji", ("overrides-emoji",), longer(10**6), "nothing was refused"),
    ("throttle", ("throttle",), only_if(lambda a: not a.ok, refused("SlowDown", "slow", 429)), "SlowDown"),
    ("quotas", ("quota-spot",), accepted(Quota={"QuotaName": "Spot vCPUs", "Value": "6"}), "Spot vCPUs has the value '6'"),
    ("policy", ("stop",), refused("AccessDeniedException", "not authorized to perform: ecs:StopTask"), "Denied: StopTask"),
]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in NEEDS_LUCK])
def test_an_assumption_holds_on_a_server_that_does_as_aws_documents(name: str) -> None:
    found = verdict(name, good()[1])
    assert found.outcome is Outcome.HOLDS, found.seen


@pytest.mark.parametrize(("name", "calls", "bend", "words"), WRONG)
def test_a_wrong_server_differs(name: str, calls: tuple[str, ...], bend: Bend, words: str) -> None:
    found = verdict(name, bent(bend, *calls))
    assert found.outcome is Outcome.DIFFERS, found.seen
    assert words in found.seen


@pytest.mark.parametrize("name", BY_NAME)
def test_nothing_follows_from_a_run_that_asked_nothing(name: str) -> None:
    found = verdict(name, Record(cut_short="the time limit was reached"))
    assert found.outcome is Outcome.UNTOLD


def silent(answers: Iterable[Answer], change: Bend) -> Record:
    return Record([change(each) for each in answers])


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "policy"])
@pytest.mark.parametrize(
    "change",
    [
        refused("AccessDeniedException", "not authorized"),
        refused("ServerException", "Service Unavailable", 503),
        refused("-", "ReadTimeoutError"),
        refused("ExpiredTokenException", "The security token included in the request is expired"),
    ],
)
def test_nothing_follows_from_calls_that_were_denied_or_broke(name: str, change: Bend) -> None:
    found = verdict(name, silent(good()[1].answers, change))
    assert found.outcome is Outcome.UNTOLD, found.seen


def test_every_assumption_has_a_wrong_server() -> None:
    visible = {"describe-visible", "list-visible"}
    assert {name for name, *_ in WRONG} | NEEDS_LUCK | visible == set(BY_NAME)


@pytest.mark.parametrize(("name", "call"), [("describe-visible", "visible"), ("list-visible", "listed")])
def test_a_task_that_is_shown_late_differs(name: str, call: str) -> None:
    def hide(answer: Answer) -> Answer:
        return replace(answer, body={"tasks": [], "taskArns": []}, at=answer.at + 130)

    found = verdict(name, bent(hide, call))
    assert found.outcome is Outcome.DIFFERS
    assert "didn't show it in 13" in found.seen


def test_a_task_that_the_last_of_few_calls_did_not_show_tells_nothing() -> None:
    hidden = bent(lambda answer: replace(answer, body={"tasks": []}), "visible")
    assert verdict("describe-visible", hidden).outcome is Outcome.UNTOLD


def failed(reason: str) -> Bend:
    return accepted(failures=[{"reason": reason}])


def with_failures(again: Bend) -> Record:
    record = bent(failed("RESOURCE:CPU"), "first")
    first = record.all("first")[0]
    record.add(again(replace(first, call=replace(first.call, name="failures"))))
    return record


@pytest.mark.parametrize(
    ("again", "outcome"),
    [
        (failed("RESOURCE:CPU"), Outcome.HOLDS),
        (failed("RESOURCE:MEMORY"), Outcome.DIFFERS),
        (accepted(tasks=[{"taskArn": OTHER}]), Outcome.DIFFERS),
    ],
)
def test_a_replay_after_failures_is_compared_with_them(again: Bend, outcome: Outcome) -> None:
    assert verdict("token-failures", with_failures(again)).outcome is outcome


@pytest.mark.parametrize(
    ("bend", "where"),
    [
        (refused("ClientException", "You've reached the limit on the number of vCPUs you can run concurrently"), "ClientException"),
        (failed("You've reached the limit on the number of tasks you can run concurrently"), "failures[]"),
    ],
)  # fmt: skip
def test_the_shape_of_the_vcpu_limit_is_known_if_it_is_reached(bend: Bend, where: str) -> None:
    found = verdict("vcpu-limit", bent(bend, "exit-1"))
    assert found.outcome is Outcome.HOLDS
    assert where in found.seen


@pytest.mark.parametrize("code", [2, 127])
def test_an_entry_point_that_starts_first_hides_how_a_missing_program_ends(code: int) -> None:
    hidden = bent(both(task(stopCode="EssentialContainerExited"), container(exitCode=code)), "watch")
    found = verdict("cannot-start", hidden)
    assert found.outcome is Outcome.UNTOLD
    assert "entry point" in found.seen


@pytest.mark.parametrize("name", ["stop-reason", "stop-signal", "tags-after-stop"])
def test_a_task_that_ended_before_it_was_stopped_tells_nothing_about_stops(name: str) -> None:
    found = verdict(name, bent(task(lastStatus="STOPPED"), "watch"))
    assert (found.outcome, found.seen) == (Outcome.UNTOLD, "the task had ended before StopTask.")


def test_an_id_that_is_answered_with_its_arn_is_the_one_that_was_asked_for() -> None:
    def by_id(answer: Answer) -> Answer:
        ids = [each.rpartition("/")[2] for each in answer.call.params["tasks"]]
        return replace(answer, call=replace(answer.call, params={"cluster": "default", "tasks": ids}))

    assert verdict("missing", bent(by_id, "missing")).outcome is Outcome.HOLDS


@pytest.mark.parametrize("words", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_refusal_that_the_executor_knows_says_that_a_task_is_elsewhere(words: str) -> None:
    assert classify(ClientError({"Error": {"Code": INVALID, "Message": words}}, "DescribeTasks")).is_elsewhere
    record = bent(refused(INVALID, words), "elsewhere-account", "elsewhere-region", "elsewhere-cluster")
    assert verdict("describe-elsewhere", record).outcome is Outcome.HOLDS


def test_a_task_that_is_elsewhere_may_be_missing() -> None:
    missing = accepted(failures=[{"arn": OTHER, "reason": "MISSING"}])
    record = bent(missing, "elsewhere-account", "elsewhere-region", "elsewhere-cluster")
    assert verdict("describe-elsewhere", record).outcome is Outcome.HOLDS


def test_an_image_that_exists_was_not_asked_for_without_the_option() -> None:
    target = replace(good()[0], broken_task_definition="")
    found = judged(BY_NAME["cannot-pull"].judge, target, good()[1])
    assert (found.outcome, "--broken-task-definition" in found.seen) == (Outcome.UNTOLD, True)


def test_a_task_definition_without_tags_tells_nothing_about_their_propagation() -> None:
    target = replace(good()[0], tags=())
    assert judged(BY_NAME["tags-propagated"].judge, target, good()[1]).outcome is Outcome.UNTOLD


@pytest.mark.parametrize("name", ["tags", "tags-propagated"])
def test_a_run_that_may_not_tag_tells_nothing_about_tags(name: str) -> None:
    def untagged(answer: Answer) -> Answer:
        params = {k: v for k, v in answer.call.params.items() if k not in {"tags", "propagateTags"}}
        return replace(answer, call=replace(answer.call, params=params))

    found = verdict(name, bent(untagged, "first"))
    assert (found.outcome, "not allowed to tag" in found.seen) == (Outcome.UNTOLD, True)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Container Overrides length must be at most 8192", True),
        ("Override for container named x is not a container in the TaskDefinition.", False),
        ("startedBy longer than 128.", False),
    ],
)
def test_the_refusal_of_long_overrides_is_told_from_others(message: str, expected: bool) -> None:
    answer = refused(INVALID, message)(good()[1].answers[0])
    assert is_too_long(answer) is expected


def test_every_row_says_what_the_executor_does_and_where_aws_documents_it() -> None:
    for row in ASSUMPTIONS:
        assert row.source.startswith("https://docs.aws.amazon.com/"), row.name
        assert all(text.endswith((".", '."')) for text in (row.says, row.use, row.probe)), row.name
    assert len(BY_NAME) == len(ASSUMPTIONS)
