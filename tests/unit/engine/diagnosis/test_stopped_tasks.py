from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.engine.diagnosis.stopped_tasks import Verdict, judge, memory_of
from ecs_async_executor.engine.responses import Container, Task

EXITED: dict[str, Any] = {
    "stop_code": "EssentialContainerExited",
    "stopped_reason": "Essential container in task exited",
}
FAILED = "TaskFailedToStart"
NO_IMAGE = "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found"
NO_REGISTRY = "CannotPullContainerError: dial tcp 10.0.0.1:443: i/o timeout"
NO_ECR = (
    "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon"
    " ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. RequestError:"
    " send request failed caused by: Post https://api.ecr.eu-west-1.amazonaws.com/: dial tcp 10.0.0.1:443: i/o timeout"
)
ECR_THROTTLED = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
    " retrieve ecr registry auth: service call has been retried 3 time(s): ThrottlingException: Rate exceeded"
)
NO_SECRET = "ResourceInitializationError: unable to pull secrets: AccessDeniedException: not authorized"


def stopped(*containers: Container, ran: bool = True, **members: Any) -> Task:
    return Task(
        task_arn="arn:task/1",
        last_status="STOPPED",
        started_at=100.0 if ran else None,
        containers=containers,
        **members,
    )


def airflow(exit_code: int | None = None, reason: str | None = None) -> Container:
    return Container(name="airflow", exit_code=exit_code, reason=reason)


def verdict_of(*containers: Container, ran: bool = True, **members: Any) -> Verdict:
    return judge(stopped(*containers, ran=ran, **members), "airflow")


@pytest.mark.parametrize(
    ("exit_code", "summary"),
    [
        (0, "ended (exit code 0)"),
        (1, "exit code 1."),
        (2, "exit code 2."),
        (127, "not found (exit code 127)"),
        (137, "SIGKILL"),
        (139, "SIGSEGV"),
        (143, "SIGTERM"),
        (255, "exit code 255."),
    ],
)
def test_an_exit_code_is_reported_and_explained(exit_code: int, summary: str):
    verdict = verdict_of(airflow(exit_code), **EXITED)
    assert (verdict.exit_code, verdict.ran, verdict.permanent) == (exit_code, True, False)
    assert summary in verdict.diagnosis.summary
    assert "EssentialContainerExited" in verdict.diagnosis.detail
    assert "arn:task/1" in verdict.diagnosis.detail


@pytest.mark.parametrize("exit_code", [0, 1], ids=["with retries left", "without"])
def test_the_diagnosis_of_a_task_that_lost_its_api_server_says_which_option_to_raise(exit_code: int):
    diagnosis = verdict_of(airflow(exit_code), **EXITED).diagnosis
    assert '"Too many failed heartbeats"' in diagnosis.remedy
    assert "raise AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS in the task definition" in diagnosis.remedy


@pytest.mark.parametrize(
    ("stop_code", "reason", "summary"),
    [
        ("SpotInterruption", "Your Spot Task was interrupted.", "Spot"),
        ("TerminationNotice", "Your Spot Task was interrupted.", "Spot"),
        (None, "Your Spot Task was interrupted.", "Spot"),
        ("TerminationNotice", "Host EC2 (instance i-1) terminated.", "container instance"),
        ("TerminationNotice", "Host EC2 (instance i-1) stopped.", "container instance"),
        ("UserInitiated", "by me, since the Spot Task was interrupted", "StopTask"),
        ("UserInitiated", "Task stopped by user", "StopTask"),
        ("InfrastructureHealth", "unhealthy", "unhealthy"),
        ("EssentialContainerExited", "Host EC2 (instance i-1) terminated.", "container instance"),
        ("SomethingNew", "Container instance deregistration forced by user", "container instance"),
        (
            "SomethingNew",
            "ECS is performing maintenance on the underlying infrastructure hosting the task",
            "maintenance",
        ),
    ],
)
@pytest.mark.parametrize("ran", [True, False])
def test_a_stop_from_outside_is_explained_and_never_permanent(
    stop_code: str | None, reason: str, summary: str, ran: bool
):
    verdict = verdict_of(airflow(143 if ran else None), ran=ran, stop_code=stop_code, stopped_reason=reason)
    assert summary in verdict.diagnosis.summary
    assert str(verdict.diagnosis).count(reason.rstrip(".")) == 1
    assert (verdict.ran, verdict.permanent) == (ran, False)
    assert verdict.interrupted is (summary == "Spot")


def test_a_termination_notice_without_a_text_is_a_spot_interruption():
    assert verdict_of(airflow(143), stop_code="TerminationNotice").interrupted


@pytest.mark.parametrize(
    ("exit_code", "members", "unexplained"),
    [
        (0, EXITED, True),
        (1, EXITED, True),
        (2, EXITED, True),
        *((code, EXITED, False) for code in (75, 78, 127, 137, 139, 143)),
        (None, EXITED, False),
        (0, {"stop_code": "UserInitiated", "stopped_reason": "by me"}, False),
        (1, {"stop_code": "SpotInterruption", "stopped_reason": "Your Spot Task was interrupted."}, False),
        (1, {**EXITED, "stopped_reason": "Host EC2 (instance i-1) terminated."}, False),
    ],
)
def test_an_end_is_unexplained_if_its_only_sign_is_an_ambiguous_exit_code(
    exit_code: int | None, members: dict[str, Any], unexplained: bool
):
    assert verdict_of(airflow(exit_code), **members).unexplained is unexplained


@pytest.mark.parametrize(
    ("reason", "summary", "permanent"),
    [
        (NO_IMAGE, "registry has no image", True),
        ("CannotPullContainerError: pull access denied, repository does not exist", "has no image, or", True),
        ("CannotPullContainerError: unexpected status code 403 Forbidden", "may not pull", False),
        (NO_REGISTRY, "could not reach", False),
        ("CannotPullContainerError: ... EOF", "could not reach", False),
        (NO_ECR, "could not reach", False),
        (ECR_THROTTLED, "throttled", False),
        (
            "CannotPullContainerError: 123404567890.dkr.ecr.eu-west-1.amazonaws.com/a: no route",
            "could not reach the registry",
            False,
        ),
        (
            "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'",
            "not built for the platform",
            True,
        ),
        (
            "CannotPullContainerError: failed to find a descriptor for platform {linux/amd64}",
            "not built for the platform",
            True,
        ),
        (
            "CannotStartContainerError: OCI runtime create failed: exec: exec format error",
            "another processor",
            True,
        ),
        (
            "CannotPullContainerError: unexpected status code: 429 Too Many Requests: You have reached your pull rate limit",
            "registry limits",
            False,
        ),
        ("CannotPullContainerError: toomanyrequests: Rate exceeded", "ECR limits", False),
        (NO_SECRET, "may not read the secret", False),
        (
            "ResourceInitializationError: failed to validate logger args: The specified log group does not exist",
            "log group of the task definition does not exist",
            True,
        ),
        (
            'CannotStartContainerError: OCI runtime create failed: exec: "python": executable file not found in $PATH',
            "no program python",
            True,
        ),
        (
            'CannotStartContainerError: ResourceInitializationError: exec: "/entrypoint.sh": permission denied',
            "/entrypoint.sh is not executable",
            True,
        ),
        ("ResourceInitializationError: unable to reach the endpoint", "unable to reach", False),
        ("TaskFailedToStart: RESOURCE:CPU", "enough free CPU", False),
        ("TaskFailedToStart: EMPTY CAPACITY PROVIDER", "no active instances", False),
        ("TaskFailedToStart: NO ACTIVE INSTANCES", "no active instances", False),
        ("Capacity is unavailable at this time", "no capacity", False),
        ("InsufficientFreeAddressesInSubnet", "no free IP address", False),
        (
            "Timeout waiting for network interface provisioning to complete",
            "network interface in time",
            False,
        ),
        ("Timeout waiting for EphemeralStorage provisioning to complete", "ephemeral storage in time", False),
        (
            "Unexpected EC2 error while attempting to Create Network Interface: AuthFailure",
            "EC2 did not let ECS",
            False,
        ),
        (
            "Rate limit exceeded while preparing network interface to be attached to instance",
            "EC2 throttled ECS",
            False,
        ),
        ("CannotStartContainerError: failed to create shim", "failed to create shim", False),
        ("ContainerRuntimeTimeoutError: could not transition", "too slow", False),
        ("InternalError: internal", "InternalError: internal", False),
        ("CannotCreateVolumeError: volume", "CannotCreateVolumeError: volume", False),
        ("Something new", "Something new.", False),
        ("", "ECS gives no reason", False),
    ],
)
@pytest.mark.parametrize("where", ["task", "container"])
def test_a_task_that_never_ran_is_judged_by_its_reason(
    reason: str, summary: str, permanent: bool, where: str
):
    of_task, of_container = (reason, None) if where == "task" else ("", reason)
    verdict = verdict_of(airflow(None, of_container), ran=False, stop_code=FAILED, stopped_reason=of_task)
    assert summary in verdict.diagnosis.summary
    assert (verdict.exit_code, verdict.ran, verdict.permanent) == (None, False, permanent)
    assert not reason or str(verdict.diagnosis).count(reason) == 1


def test_exit_code_137_is_blamed_on_memory_only_if_ecs_says_so():
    reason = "OutOfMemoryError: Container killed due to memory usage"
    verdict = verdict_of(airflow(137, reason), **EXITED)
    assert (verdict.exit_code, verdict.permanent) == (137, False)
    assert "more memory than it has" in verdict.diagnosis.summary
    assert "SIGKILL" in verdict_of(airflow(137), **EXITED).diagnosis.summary


OOM = "OutOfMemoryError: Container killed due to memory usage"
NO_ROOM_TO_START = "CannotStartContainerError: container init was OOM-killed (memory limit too low?): unknown"


@pytest.mark.parametrize(
    ("containers", "members", "expected"),
    [
        pytest.param([airflow(137, OOM)], EXITED, True, id="ECS says so"),
        pytest.param([airflow(0, OOM)], EXITED, True, id="Airflow's supervisor lived on"),
        pytest.param([airflow(137)], EXITED, True, id="nobody says why it was killed"),
        pytest.param([airflow(137)], {}, True, id="not even that it exited by itself"),
        pytest.param([airflow(137), Container(name="proxy", exit_code=143)], EXITED, True, id="a sidecar was stopped"),
        pytest.param([airflow(137), Container(name="proxy", exit_code=1)], EXITED, False, id="a sidecar failed"),
        pytest.param([airflow(137), Container(name="proxy", exit_code=1)], {"stop_code": None, "stopped_reason": OOM}, True, id="ECS says so of the task"),
        pytest.param([airflow(0), Container(name="proxy", exit_code=137, reason=OOM)], EXITED, False, id="a sidecar lacked memory"),
        pytest.param([airflow(137)], {"stop_code": "UserInitiated", "stopped_reason": "by hand"}, False, id="StopTask"),
        pytest.param([airflow(137)], {"stop_code": "SpotInterruption", "stopped_reason": ""}, False, id="Spot"),
        pytest.param([airflow(137)], {"stop_code": "TerminationNotice", "stopped_reason": "Host EC2 (instance i-0a1b2c3d) terminated."}, False, id="its host ended"),
        pytest.param([airflow(143)], EXITED, False, id="SIGTERM"),
        pytest.param([airflow(1)], EXITED, False, id="it failed"),
        pytest.param([airflow(0)], EXITED, False, id="it ended"),
    ],
)  # fmt: skip
def test_whether_a_container_was_killed_for_lack_of_memory(
    containers: list[Container], members: dict[str, Any], expected: bool
):
    assert verdict_of(*containers, **members).out_of_memory is expected


def test_a_container_that_lacked_memory_to_start_needs_more_and_a_sidecar_that_did_says_nothing_about_it():
    sidecar = Container(name="proxy", reason=NO_ROOM_TO_START)
    assert verdict_of(airflow(None, NO_ROOM_TO_START), ran=False, stop_code=FAILED).out_of_memory
    assert not verdict_of(airflow(), sidecar, ran=False, stop_code=FAILED).out_of_memory


@pytest.mark.parametrize(
    ("of_container", "of_task", "expected"),
    [
        ("512", "2048", 512),
        (None, "2048", 2048),
        (None, None, None),
        ("0", "1024", 1024),
        ("much", "2 GB", None),
    ],
)
def test_a_container_has_its_own_memory_or_else_its_tasks(
    of_container: str | None, of_task: str | None, expected: int | None
):
    containers = (Container(name="proxy", memory="64"), Container(name="airflow", memory=of_container))
    assert memory_of(stopped(*containers, memory=of_task), "airflow") == expected


def test_only_the_named_container_decides_whatever_a_sidecar_did():
    killed = Container(name="proxy", exit_code=137, reason="OutOfMemoryError: Container killed")
    verdict = verdict_of(killed, airflow(0), **EXITED)
    assert (verdict.exit_code, verdict.ran, verdict.permanent) == (0, True, False)
    assert "exit code 0" in verdict.diagnosis.summary
    assert "container proxy: exit code 137, OutOfMemoryError" in verdict.diagnosis.detail


def test_a_sidecar_is_blamed_if_it_kept_the_task_from_running():
    sidecar = Container(name="proxy", reason=NO_IMAGE)
    verdict = verdict_of(
        airflow(), sidecar, ran=False, stop_code=FAILED, stopped_reason="Task failed to start"
    )
    assert "registry has no image" in verdict.diagnosis.summary
    assert verdict.permanent


def test_a_permanent_reason_is_not_permanent_once_the_task_ran():
    verdict = verdict_of(airflow(None, NO_IMAGE), ran=True, **EXITED)
    assert (verdict.exit_code, verdict.ran, verdict.permanent) == (None, True, False)


def test_a_task_that_ran_but_has_no_exit_code_is_never_a_success():
    verdict = verdict_of(airflow(None), ran=True, **EXITED)
    assert (verdict.exit_code, verdict.ran, verdict.permanent) == (None, True, False)
    assert "no exit code" in verdict.diagnosis.summary


def test_an_exit_code_proves_that_the_task_ran():
    assert verdict_of(airflow(1), ran=False).ran


def test_a_task_without_containers_is_no_success():
    verdict = verdict_of(ran=True, **EXITED)
    assert (verdict.exit_code, verdict.ran, verdict.permanent) == (None, True, False)


@pytest.mark.parametrize("ran", [True, False])
def test_a_task_without_the_named_container_says_which_option_is_wrong(ran: bool):
    verdict = verdict_of(Container(name="main", exit_code=0), ran=ran, **EXITED)
    assert verdict.exit_code is None
    assert "'airflow'" in verdict.diagnosis.summary
    assert "`container_name`" in verdict.diagnosis.remedy
    assert verdict.permanent is (not ran)


def test_a_stopped_task_with_no_other_information_never_ran():
    verdict = judge(Task(task_arn="arn:task/1", last_status="STOPPED"), "airflow")
    assert (verdict.exit_code, verdict.ran, verdict.permanent) == (None, False, False)
    assert verdict.diagnosis.detail == "arn:task/1"


@pytest.mark.parametrize(
    "reason", ["TaskFailedToStart: RESOURCE:MEMORY", "Capacity is unavailable at this time"]
)
def test_only_a_task_that_never_ran_lacked_capacity(reason: str):
    waited = verdict_of(airflow(None, None), ran=False, stop_code=FAILED, stopped_reason=reason)
    ran = verdict_of(airflow(1, None), ran=True, stop_code=FAILED, stopped_reason=reason)
    assert (waited.capacity, ran.capacity) == (True, False)
