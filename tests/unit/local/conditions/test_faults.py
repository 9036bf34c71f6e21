from __future__ import annotations

import random
from typing import Any

import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.conditions.faults import (
    ERRORS,
    NO_IMAGE,
    Fault,
    Faults,
    Stage,
    bend,
    error_of,
    fault_of,
)
from ecs_async_executor.local.conditions.match import Launch, Match
from ecs_async_executor.local.state.lifecycle import Course, Interruption


def faults(*given: Fault, seed: int = 1) -> Faults:
    return Faults(given, random.Random(seed))  # noqa: S311  a seeded choice, not a secret


@pytest.mark.parametrize(
    ("fault", "action", "launch", "hit"),
    [
        (Fault("throttle"), "ListTasks", None, True),
        (Fault("throttle", action="RunTask"), "ListTasks", None, False),
        (Fault("throttle", match=Match(family="etl")), "RunTask", Launch(family="etl"), True),
        (Fault("throttle", match=Match(family="etl")), "RunTask", Launch(family="x"), False),
        (Fault("throttle", match=Match(family="etl")), "StopTask", None, False),
        (Fault("lost_response"), "StopTask", None, True),
        (Fault("capacity"), "RunTask", Launch(), True),
        (Fault("capacity"), "StopTask", None, False),
        (Fault("spot_interruption"), "DescribeTasks", None, False),
        (Fault("malformed_task"), "DescribeTasks", None, True),
        (Fault("malformed_task"), "ListTasks", None, False),
    ],
)
def test_a_fault_hits_the_calls_it_is_meant_for(
    fault: Fault, action: str, launch: Launch | None, hit: bool
) -> None:
    assert fault.hits(action, launch) is hit


@pytest.mark.parametrize(
    ("fault", "action", "key", "hit"),
    [
        (Fault("throttle"), "s3:PutObject", "k", False),
        (Fault("throttle", action="s3:*"), "s3:PutObject", "k", True),
        (Fault("throttle", action="s3:*"), "RunTask", "", False),
        (Fault("throttle", action="s3:PutObject"), "s3:GetObject", "k", False),
        (Fault("throttle", action="s3:PutObject", key="a/*"), "s3:PutObject", "a/b/c", True),
        (Fault("throttle", action="s3:PutObject", key="a/*"), "s3:PutObject", "b/a/c", False),
        (Fault("throttle", action="s3:*", key="*/lease-*"), "s3:ListObjects", "", False),
        (Fault("missing_denied", action="s3:*"), "s3:HeadObject", "k", True),
        (Fault("missing_denied", action="s3:*"), "s3:DeleteObject", "k", False),
        (Fault("lost_request"), "RunTask", "", True),
    ],
)
def test_a_fault_of_s3_hits_the_objects_it_is_meant_for(
    fault: Fault, action: str, key: str, hit: bool
) -> None:
    assert fault.hits(action, None, key) is hit


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": "capacity", "action": "s3:*"}, "capacity can't affect S3"),
        ({"kind": "throttle", "action": "s3:*", "family": "etl"}, "S3 has none"),
        ({"kind": "throttle", "key": "a/*"}, "key is for S3's objects"),
        ({"kind": "throttle", "action": "RunTask", "key": "a/*"}, "key is for S3's objects"),
        ({"kind": "missing_denied"}, "missing_denied is for S3's objects"),
        ({"kind": "throttle", "action": "s3:PutObjekt"}, "unknown action 's3:PutObjekt'"),
    ],
)
def test_what_only_one_of_the_services_has_is_refused_for_the_other(
    document: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words.replace("*", r"\*")):
        fault_of(document)


@pytest.mark.parametrize(
    ("kind", "code", "status", "words"),
    [
        ("throttle", "ThrottlingException", 400, "Rate exceeded"),
        ("disguised_throttle", "InvalidParameterException", 400, "Rate exceeded (ErrorCode: Throttling)"),
        ("server_error", "ServerException", 500, "try again"),
        ("expired_credentials", "ExpiredTokenException", 400, "expired"),
        ("access_denied", "AccessDeniedException", 400, "not authorized"),
        ("blocked", "BlockedException", 400, "blocked"),
        ("task_limit", "ClientException", 400, "reached the limit on the number of tasks"),
    ],
)
def test_an_error_fault_answers_as_aws_would(kind: str, code: str, status: int, words: str) -> None:
    error = error_of(Fault(kind))
    assert (error.code, error.status) == (code, status)
    assert words in error.message


def test_every_error_kind_has_a_row_above_or_is_the_free_one() -> None:
    assert set(ERRORS) == {
        "throttle", "disguised_throttle", "server_error", "expired_credentials", "access_denied", "blocked",
        "task_limit", "error",
    }  # fmt: skip


def test_the_free_error_says_what_it_was_given() -> None:
    error = error_of(Fault("error", code="PlatformUnknownException", status=418, reason="why"))
    assert (error.code, error.status, error.message) == ("PlatformUnknownException", 418, "why")


@pytest.mark.parametrize(
    ("fault", "course"),
    [
        (Fault("start_failure"), Course(start_failure=NO_IMAGE)),
        (Fault("start_failure", reason="x"), Course(start_failure="x")),
        (Fault("start_failure", container="c"), Course(start_failure=NO_IMAGE, failed_container="c")),
        (Fault("spot_interruption", seconds=2), Course(interruption=Interruption(2))),
        (Fault("spot_before_start", seconds=2), Course(interruption=Interruption(2, early=True))),
        (Fault("host_terminated", seconds=2), Course(interruption=Interruption(2, host_lost=True))),
        (Fault("sidecar_exit"), Course(ends={"sidecar": (137, None)})),
        (
            Fault("sidecar_exit", container="agent", exit_code=None, reason="x"),
            Course(ends={"agent": (None, "x")}),
        ),
    ],
)
def test_a_course_fault_bends_a_tasks_course(fault: Fault, course: Course) -> None:
    assert bend(Course(), fault) == course


def test_times_counts_the_calls_that_are_hit() -> None:
    limited = faults(Fault("throttle", action="RunTask", times=2))
    assert limited.first(Stage.BEFORE, "ListTasks", None) is None
    hits = [limited.first(Stage.BEFORE, "RunTask", Launch()) is not None for _ in range(3)]
    assert hits == [True, True, False]
    assert [fault.times for fault in limited.in_force()] == [0]


def test_a_fault_behind_one_that_strikes_is_not_spent() -> None:
    both = faults(Fault("throttle", times=1), Fault("server_error", times=1))
    kinds = [fault.kind for _ in range(3) if (fault := both.first(Stage.BEFORE, "ListTasks", None))]
    assert kinds == ["throttle", "server_error"]


def test_probability_is_drawn_from_the_seed() -> None:
    def strikes(seed: int) -> list[bool]:
        some = faults(Fault("throttle", probability=0.5), seed=seed)
        return [some.first(Stage.BEFORE, "ListTasks", None) is not None for _ in range(50)]

    assert strikes(1) == strikes(1)
    assert strikes(1) != strikes(2)
    assert 5 < sum(strikes(1)) < 45


def test_all_course_faults_may_strike_one_launch() -> None:
    both = faults(Fault("sidecar_exit"), Fault("start_failure"))
    assert [fault.kind for fault in both.draw(Stage.COURSE, "RunTask", Launch())] == [
        "sidecar_exit",
        "start_failure",
    ]


def test_a_fault_is_read_from_json_and_shown_as_json() -> None:
    of_s3 = {"kind": "throttle", "action": "s3:PutObject", "key": "a/*"}
    assert of_s3.items() <= fault_of(of_s3).to_json().items()
    document = {"kind": "throttle", "action": "RunTask", "times": 3, "started_by": "airflow/"}
    fault = fault_of(document)
    assert fault == Fault("throttle", action="RunTask", times=3, match=Match(started_by="airflow/"))
    assert document.items() <= fault.to_json().items()


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"kind": "nope"},
        {"kind": 5},
        {"kind": "throttle", "probability": 2},
        {"kind": "throttle", "probability": "0.5"},
        {"kind": "throttle", "time": 1},
        {"kind": "throttle", "times": "3"},
        {"kind": "throttle", "times": 1.5},
        {"kind": "throttle", "times": -1},
        {"kind": "throttle", "environment": 5},
        {"kind": "throttle", "started_by": 1},
        {"kind": "late_response", "seconds": "1"},
        {"kind": "late_response", "seconds": -1},
        {"kind": "error", "status": 200},
        {"kind": "sidecar_exit", "exit_code": "1"},
    ],
)
def test_mistakes_in_a_fault_are_configuration_errors(document: Any) -> None:
    with pytest.raises(ConfigurationError, match="fault") as caught:
        fault_of(document)
    assert "instances of" not in str(caught.value), "those are Python's words"


def test_an_action_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="unknown action 'RunTsk'"):
        fault_of({"kind": "throttle", "action": "RunTsk"})
