"""Texts that resemble those of another cause, and must not be taken for it."""

from __future__ import annotations

import pytest

from ecs_async_executor.engine.diagnosis.call_failures import Kind, classify, classify_run_task_failure
from ecs_async_executor.engine.diagnosis.causes.cause import Cause, Outlook, find
from ecs_async_executor.engine.diagnosis.causes.table import STOPS
from ecs_async_executor.engine.diagnosis.stopped_tasks import Verdict, judge
from ecs_async_executor.engine.responses import Container, Task, TaskFailure
from tests.support.engine import error

RUNC = (
    "CannotStartContainerError: Error response from daemon: failed to create task for container: failed to create shim task:"
    " OCI runtime create failed: runc create failed: unable to start container process:"
)
SECRETS = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
    " retrieve ecr registry auth: service call has been retried 1 time(s):"
)
FILES = "ResourceInitializationError: failed to download env files: file download command: non empty error stream:"
INTERFACE = "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment"


def never_ran(*containers: Container, reason: str = "") -> Verdict:
    task = Task(
        task_arn="arn:task/1",
        last_status="STOPPED",
        stop_code="TaskFailedToStart",
        stopped_reason=reason,
        containers=containers or (Container(name="airflow"),),
    )
    return judge(task, "airflow")


# --- a host's fault is not the image's ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"{RUNC} error during container init: write /proc/self/attr/keycreate: permission denied: unknown",
        f"{RUNC} error during container init: write /proc/self/attr/apparmor/exec: permission denied: unknown",
        f"{RUNC} open /dev/fuse: permission denied: unknown",
        f"{RUNC} error during container init: open /proc/self/fd: permission denied: unknown",
        (
            f"{RUNC} unable to apply cgroup configuration: error adding pid 123 to cgroups: failed to write 123: open"
            " /sys/fs/cgroup/systemd/ecs/a1b2/cgroup.procs: no such file or directory: unknown"
        ),
        (
            f"{RUNC} error setting cgroup config for procHooks process: open"
            " /sys/fs/cgroup/memory/ecs/a1b2/memory.limit_in_bytes: no such file or directory: unknown"
        ),
        f"{RUNC} error during container init: open /proc/sys/net/core/somaxconn: no such file or directory: unknown",
        f"{RUNC} fork/exec /proc/self/exe: permission denied: unknown",
        f"{RUNC} can't get final child's PID from pipe: EOF: unknown",
        (
            "CannotStartContainerError: Error response from daemon: OCI runtime create failed: container_linux.go:349: starting"
            ' container process caused "process_linux.go:319: getting the final child\'s pid from pipe caused "EOF"": unknown'
        ),
        f"{RUNC} fork/exec /usr/bin/runc: resource temporarily unavailable: unknown",
        f'{RUNC} exec: "docker-init": executable file not found in $PATH: unknown',
        f'{RUNC} exec: "nvidia-container-runtime": executable file not found in $PATH: unknown',
        f"{RUNC} something new: permission denied: unknown",
        f"{RUNC} something new: no such file or directory: unknown",
    ],
)
def test_a_fault_of_the_host_is_started_again_elsewhere_and_not_blamed_on_the_program(text: str) -> None:
    verdict = never_ran(reason=text)
    assert not verdict.permanent
    assert "program" not in verdict.diagnosis.summary


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        (
            f'{RUNC} exec: "/entrypoint.sh": permission denied: unknown',
            "The image's program /entrypoint.sh is not executable.",
        ),
        (
            f'{RUNC} exec: "/run.sh": stat /run.sh: no such file or directory: unknown',
            "The image has no program /run.sh, or the interpreter that the program names.",
        ),
        (
            f'{RUNC} exec: "airflow": executable file not found in $PATH: unknown',
            "The image has no program airflow, or the interpreter that the program names.",
        ),
        (
            "CannotStartContainerError: exec /entrypoint.sh: no such file or directory",
            "The image has no program /entrypoint.sh, or the interpreter that the program names.",
        ),
        (
            'CannotStartContainerError: starting container process caused "exec: \\"/x\\": permission denied": unknown',
            "The image's program /x is not executable.",
        ),
    ],
)
def test_a_program_that_the_runtime_names_right_before_the_reason_is_the_images(
    text: str, summary: str
) -> None:
    verdict = never_ran(reason=text)
    assert verdict.permanent
    assert verdict.diagnosis.summary == summary


@pytest.mark.parametrize("reason", ["no space left on device", "cannot allocate memory"])
def test_control_groups_that_are_used_up_are_not_taken_for_a_full_disk(reason: str) -> None:
    verdict = never_ran(
        reason=f"CannotStartContainerError: Error response from daemon: mkdir /sys/fs/cgroup/memory/ecs/a1: {reason}"
    )
    assert verdict.diagnosis.summary == "The host has no control group left for the container."


# --- whose text counts --------------------------------------------------------------------------------------

LOGGING = "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: dial timeout: i/o timeout"
KILLED = "OutOfMemoryError: Container killed due to memory usage"


@pytest.mark.parametrize("of_task", ["Task failed to start", "Essential container in task exited"])
def test_the_deciders_own_reason_comes_before_a_sidecars(of_task: str) -> None:
    airflow = Container(name="airflow", reason=LOGGING)
    sidecar = Container(name="proxy", exit_code=137, reason=KILLED)
    assert "log" in never_ran(sidecar, airflow, reason=of_task).diagnosis.summary
    assert "more memory" not in never_ran(sidecar, airflow, reason=of_task).diagnosis.summary


def test_a_sidecars_reason_counts_where_the_deciders_says_little() -> None:
    airflow = Container(name="airflow", reason="CannotStartContainerError: Error response from dae")
    sidecar = Container(name="proxy", exit_code=137, reason=KILLED)
    assert "more memory" in never_ran(sidecar, airflow).diagnosis.summary
    assert "more memory" in never_ran(sidecar, Container(name="airflow")).diagnosis.summary


def test_a_sidecars_reason_that_says_as_little_does_not_replace_the_deciders() -> None:
    airflow = Container(name="airflow", reason="CannotStartContainerError: mine")
    sidecar = Container(name="proxy", reason="CannotStartContainerError: theirs")
    assert never_ran(sidecar, airflow).diagnosis.summary == "CannotStartContainerError: mine."
    told = never_ran(Container(name="proxy", reason="Something new"), airflow).diagnosis.summary
    assert told == "CannotStartContainerError: mine."


# --- a full subnet ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "capacity"),
    [
        (f"{INTERFACE} enabled in subnet 'subnet-1'", True),
        (f"{INTERFACE} enabled in subnet 'subnet-1': null", True),
        (f"{INTERFACE} enabled in subnet 'subnet-1': InternalError", False),
        (f"{INTERFACE} disabled in subnet 'subnet-1': InternalError", False),
        (f"{INTERFACE} disabled in subnet 'subnet-1'", False),
    ],
)
def test_an_interface_error_is_lack_of_addresses_only_for_public_ones_and_without_a_reason(
    text: str, capacity: bool
) -> None:
    assert never_ran(reason=text).capacity is capacity
    assert (classify_run_task_failure(TaskFailure(reason=text)).kind is Kind.CAPACITY) is capacity


# --- wordings that came out in general terms ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "outlook"),
    [
        ("DependencyError: dependency [init - SUCCESS] failed: exit 1", "dependency", Outlook.AGAIN),
        ("Dependency container 'init' exited with code 1: failed", "dependency", Outlook.AGAIN),
        ("CannotPullContainerError: KmsException: KMS key is disabled", "image-key", Outlook.AGAIN),
        (
            f"{SECRETS} UnrecognizedClientException: The security token included in the request is invalid",
            "secrets-credentials",
            Outlook.AGAIN,
        ),
        (
            "ResourceInitializationError: registry auth: could not assume execution role",
            "role",
            Outlook.AGAIN,
        ),
        (
            f"{FILES} PermanentRedirect: The bucket is in this region: us-east-1",
            "env-file-region",
            Outlook.USELESS,
        ),
        (
            f"{FILES} NoSuchBucket: The specified bucket does not exist",
            "env-file-bucket",
            Outlook.USELESS,
        ),
        (
            "CannotPullContainerError: AccessDeniedException: ECR pull-through cache rule: upstream credentials are invalid",
            "image-pull-through-cache",
            Outlook.AGAIN,
        ),
        (f'{RUNC} exec: "/x": argument list too long: unknown', "arguments-too-long", Outlook.USELESS),
        (f"{RUNC} setenv: invalid argument: unknown", "environment", Outlook.USELESS),
        (
            "CannotStartContainerError: no available IPv4 addresses on this network's address pools: bridge (a1)",
            "docker-network",
            Outlook.AGAIN,
        ),
        ("CannotStartContainerError: network airflow_1 not found", "docker-network", Outlook.AGAIN),
        ("CannotStartContainerError: could not get docker client", "runtime-daemon", Outlook.AGAIN),
        (
            "CannotCreateContainerError: The container operating system does not match the host operating system.",
            "image-platform",
            Outlook.USELESS,
        ),
        ("CannotCreateContainerError: CPU-CFS quota is not supported", "kernel", Outlook.AGAIN),
        (
            "ResourceInitializationError: failed to validate logger args: Invalid log group name",
            "log-options",
            Outlook.USELESS,
        ),
        ("HealthCheckError: container unhealthy", "health-check", Outlook.AGAIN),
        ("Host EC2 (instance i-0a1b2c3d) agent disconnected", "agent-lost", Outlook.AGAIN),
        ("Host EC2 (instance i-0a1b2c3d) terminated.", "host-gone", Outlook.AGAIN),
    ],
)
def test_a_stopped_tasks_text_finds_its_own_row(text: str, name: str, outlook: Outlook) -> None:
    found = find(STOPS, text)
    assert found is not None
    assert (found.cause.name, found.cause.outlook) == (name, outlook)


def test_the_container_that_failed_its_dependents_is_named() -> None:
    text = (
        "dependency graph: failed to resolve container ordering dependency [init] for target [airflow] as dependency did not"
        " exit successfully."
    )
    assert never_ran(reason=text).diagnosis.summary == "The container init, which others depend on, failed."


@pytest.mark.parametrize(
    ("message", "members", "remedy"),
    [
        (
            "Cannot specify both launchType and capacityProviderStrategy",
            ("launchType", "capacityProviderStrategy"),
            "Set either",
        ),
        ("cpu override 100 is invalid", ("overrides", "taskDefinition"), "`cpu`"),
        (
            "Task definition requires compatibilities EC2 but launch type FARGATE given",
            ("launchType", "capacityProviderStrategy", "taskDefinition"),
            "requiresCompatibilities",
        ),
        (
            "No default capacity provider strategy is set for the cluster",
            ("capacityProviderStrategy", "launchType", "cluster"),
            "`launch_type`",
        ),
        (
            "EFS is supported for Fargate platform version 1.4.0.",
            ("platformVersion", "taskDefinition"),
            "1.4.0",
        ),
        (
            "Execute command needs the SSM agent: a task role must be provided",
            ("enableExecuteCommand", "taskDefinition"),
            "taskRoleArn",
        ),
        (
            "ECS Managed Tags can't be used with old ARN format",
            ("tags", "propagateTags", "enableECSManagedTags"),
            "taskLongArnFormat",
        ),
        (
            "The new ARN and resource ID format must be enabled to propagate tags. Opt in to the new format and try again.",
            ("tags", "propagateTags", "enableECSManagedTags"),
            "taskLongArnFormat",
        ),
    ],
)
def test_a_refusal_says_what_to_correct_and_not_that_ecs_refused(
    message: str, members: tuple[str, ...], remedy: str
) -> None:
    failure = classify(error("InvalidParameterException", message))
    assert failure.kind is Kind.CONFIGURATION
    assert failure.members == members
    assert remedy in failure.diagnosis.remedy
    assert not failure.diagnosis.summary.startswith("ECS refused")


@pytest.mark.parametrize(
    ("message", "summary"),
    [
        (
            "The specified capacity provider 'MYCP' was not found.",
            "The cluster has no capacity provider MYCP.",
        ),
        ("Capacity provider MYCP was not found", "The cluster has no capacity provider MYCP."),
        ("The capacity provider 'AGENT' was not found", "The cluster has no capacity provider AGENT."),
    ],
)
def test_a_capacity_provider_that_the_cluster_does_not_have_is_named(message: str, summary: str) -> None:
    assert classify(error("InvalidParameterException", message)).diagnosis.summary == summary


def test_a_refusal_without_a_message_is_still_a_sentence() -> None:
    said = classify(error("UnknownOperationException", "")).diagnosis.summary
    assert said == "The service at the endpoint did not understand the request."
    assert (
        classify(error("LimitExceededException", "")).diagnosis.summary
        == "A quota of the account is used up."
    )


@pytest.mark.parametrize(
    "message", ["Access denied: blocked by SCP", "Denied by a service control policy of the organization."]
)
def test_a_denial_by_the_organization_is_not_answered_with_an_allow(message: str) -> None:
    failure = classify(error("AccessDeniedException", message))
    assert failure.kind is Kind.DENIED
    assert "service control policy must allow it" in failure.diagnosis.remedy
    assert '"Effect": "Allow"' not in failure.diagnosis.remedy


def test_a_name_that_reads_like_an_interruption_or_a_policy_is_only_a_name() -> None:
    verdict = never_ran(
        reason="CannotPullContainerError: failed to resolve ref acme/SpotInterruptionError:SCP: not found"
    )
    assert not verdict.interrupted
    assert "Push it" in verdict.diagnosis.remedy


# --- what is certain ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["ATTRIBUTE", "LOCATION", "MemberOf placement constraint unsatisfied."])
def test_an_instance_that_fits_may_still_come_so_the_task_waits_for_it(text: str) -> None:
    assert never_ran(reason=f"TaskFailedToStart: {text}").capacity
    assert classify_run_task_failure(TaskFailure(reason=text)).kind is Kind.CAPACITY


@pytest.mark.parametrize(
    "cause", [cause for cause in STOPS if cause.name.endswith("-denied")], ids=lambda c: c.name
)
def test_what_iam_denies_is_started_again_since_a_change_takes_seconds_to_spread(cause: Cause) -> None:
    is_iams = cause.name != "program-denied"
    assert (cause.outlook is Outlook.AGAIN) is is_iams
