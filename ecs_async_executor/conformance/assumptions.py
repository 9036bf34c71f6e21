"""The table of assumptions: what the executor relies on and the local ECS imitates. A row is judged by one function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ecs_async_executor.conformance import judges
from ecs_async_executor.conformance.judges import Judge
from ecs_async_executor.conformance.target import SIGTERM_EXIT

_API = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference"
_GUIDE = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide"
_IDEMPOTENCY = f"{_API}/ECS_Idempotency.html"
_RUN, _STOP = f"{_API}/API_RunTask.html", f"{_API}/API_StopTask.html"
_LIST, _DESCRIBE = f"{_API}/API_ListTasks.html", f"{_API}/API_DescribeTasks.html"
_TASK, _CONTAINER = f"{_API}/API_Task.html", f"{_API}/API_Container.html"
_LIFECYCLE = f"{_GUIDE}/task-lifecycle-explanation.html"
_STOPPED = f"{_GUIDE}/stopped-task-error-codes.html"
_FAILURES = f"{_GUIDE}/api_failures_messages.html"
_THROTTLING = f"{_API}/request-throttling.html"
_TAGS = f"{_GUIDE}/ecs-using-tags.html"


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing that ECS is assumed to do."""

    name: str
    says: str
    """What ECS does."""
    use: str
    """What the executor does because of it."""
    source: str
    """AWS's page."""
    probe: str
    """How the suite finds out."""
    judge: Judge


ASSUMPTIONS: Sequence[Assumption] = (
    Assumption(
        "token-replay",
        "RunTask with the same clientToken and the same parameters returns the task of the first call.",
        "If the outcome of a RunTask is unknown, it sends the same bytes again, and so starts one container.",
        _IDEMPOTENCY,
        "Sends one RunTask twice.",
        judges.replay,
    ),
    Assumption(
        "token-conflict",
        "The same clientToken with other parameters is refused with ConflictException, whose resourceIds name the task.",
        "It adopts that task instead of starting another.",
        _IDEMPOTENCY,
        "Sends the same clientToken with another command.",
        judges.conflict,
    ),
    Assumption(
        "token-after-stop",
        "For an hour after the task has stopped, its clientToken still returns it.",
        "It learns that a launch has already run, and doesn't run it again.",
        _IDEMPOTENCY,
        "Sends the RunTask again after the task was seen STOPPED.",
        judges.replay_after_stop,
    ),
    Assumption(
        "token-failures",
        "A clientToken whose RunTask was answered with failures only returns the same failures again.",
        "After failures it launches with the next launch number, and so with a new clientToken.",
        _IDEMPOTENCY,
        "Sends the RunTask again if it was answered with failures only.",
        judges.failures_pinned,
    ),
    Assumption(
        "token-length",
        "A clientToken has up to 64 characters.",
        "Launch ids, its clientTokens, are never longer.",
        _RUN,
        "Sends clientTokens of 64 and 65 characters.",
        judges.token_64,
    ),
    Assumption(
        "started-by-length",
        "startedBy has up to 128 letters, numbers, -, / and _.",
        "It checks at startup that the deployment's name leaves room for run ids.",
        _RUN,
        "Sends a startedBy of 128 and one of 129 characters.",
        judges.started_by_128,
    ),
    Assumption(
        "list-started-by",
        "ListTasks by startedBy lists the tasks that were started with it, and no others.",
        "It finds the task that an earlier send, or an earlier scheduler, may have started.",
        _LIST,
        "Lists by startedBy alone.",
        judges.list_by_started_by,
    ),
    Assumption(
        "list-desired-status",
        "ListTasks takes desiredStatus beside startedBy, although its page says that startedBy must be the only filter.",
        "It sends startedBy alone. The local ECS accepts both.",
        _LIST,
        "Lists a running task with desiredStatus RUNNING and STOPPED.",
        judges.list_by_desired_status,
    ),
    Assumption(
        "list-two-filters",
        "ListTasks refuses startedBy beside another filter, such as family.",
        "It sends startedBy alone.",
        _LIST,
        "Lists by startedBy and family.",
        judges.list_two_filters,
    ),
    Assumption(
        "list-after-stop",
        "ListTasks without desiredStatus leaves out a task that has stopped; with STOPPED it lists it.",
        "A search finds only tasks that nobody has told to stop.",
        _LIST,
        "Lists for 42 seconds after the task was seen STOPPED.",
        judges.list_after_stop,
    ),
    Assumption(
        "describe-visible",
        "DescribeTasks shows a new task within two minutes.",
        "Until missing_grace (120 s) is over it takes MISSING for eventual consistency.",
        _RUN,
        "Describes the task from RunTask's answer on, with growing pauses.",
        judges.describe_visible,
    ),
    Assumption(
        "list-visible",
        "ListTasks lists a new task within two minutes.",
        "A search that finds nothing counts only after missing_grace (120 s).",
        _RUN,
        "Lists by startedBy from RunTask's answer on, with growing pauses.",
        judges.list_visible,
    ),
    Assumption(
        "missing",
        "DescribeTasks answers HTTP 200 with a failure MISSING for an ARN that doesn't exist.",
        "It counts sightings of MISSING, and takes the task for lost only after the grace time.",
        _FAILURES,
        "Describes an ARN that doesn't exist.",
        judges.missing,
    ),
    Assumption(
        "describe-100",
        "DescribeTasks takes 100 ids, and answers for each.",
        "It polls a hundred tasks with each call.",
        _DESCRIBE,
        "Describes 100 ARNs that don't exist.",
        judges.describe_100,
    ),
    Assumption(
        "describe-101",
        "DescribeTasks refuses more than 100 ids.",
        "It never sends more.",
        _DESCRIBE,
        "Describes 101 ARNs that don't exist.",
        judges.describe_101,
    ),
    Assumption(
        "describe-elsewhere",
        "DescribeTasks of an ARN of another account, Region or cluster is refused in words that the executor knows, or "
        "answered MISSING.",
        "It polls such tasks apart from its own, and takes both answers for a task that ECS doesn't show.",
        _DESCRIBE,
        "Describes ARNs of another account, another Region and another cluster.",
        judges.describe_elsewhere,
    ),
    Assumption(
        "stop-unknown",
        'StopTask of an unknown task is refused with InvalidParameterException, "The referenced task was not found."',
        "It stops trying to stop a task that is gone.",
        _STOP,
        "Stops an id that doesn't exist.",
        judges.stop_unknown,
    ),
    Assumption(
        "cluster-unknown",
        "A cluster that doesn't exist is refused with ClusterNotFoundException.",
        "It fails the task at once: sending it again can't help.",
        _LIST,
        "Lists the tasks of a cluster that doesn't exist.",
        judges.cluster_unknown,
    ),
    Assumption(
        "statuses",
        "lastStatus moves from PROVISIONING to STOPPED, and never back.",
        "It polls each task by its status; STOPPED is final.",
        _LIFECYCLE,
        "Looks at all tasks every two seconds.",
        judges.statuses,
    ),
    Assumption(
        "desired-status",
        "desiredStatus is RUNNING until a task is to end, and then STOPPED.",
        "It polls a task that is to end more often.",
        _LIFECYCLE,
        "Looks at a task before and after StopTask, and at one that ended by itself.",
        judges.desired_status,
    ),
    *(
        Assumption(
            f"exit-{code}",
            f"A container that ends with {code} gives stopCode EssentialContainerExited and exitCode {code}.",
            "The main container's exit code decides whether it reports success, if Airflow doesn't know better.",
            _STOPPED,
            f"Runs python -c 'raise SystemExit({code})'.",
            judges.exit_with(f"exit-{code}", code),
        )
        for code in (0, 1, 137)
    ),
    Assumption(
        "cannot-start",
        "A container whose program doesn't exist gives stopCode TaskFailedToStart, and no exitCode.",
        "It knows that no code has run, and may launch again.",
        _STOPPED,
        "Runs a program that doesn't exist.",
        judges.cannot_start,
    ),
    Assumption(
        "cannot-pull",
        "An image that doesn't exist gives stopCode TaskFailedToStart, and a CannotPullContainerError.",
        "It knows that no code has run, and names the image.",
        _STOPPED,
        "Runs the task definition of --broken-task-definition.",
        judges.cannot_pull,
    ),
    Assumption(
        "stop-reason",
        "A task that StopTask ended has stopCode UserInitiated, and StopTask's reason of up to 255 characters.",
        "It says in the reason why it stops a task, and recognizes a stop by others.",
        _STOP,
        "Stops a task with a reason of 255 characters.",
        judges.user_initiated,
    ),
    Assumption(
        "stop-reason-length",
        "StopTask refuses a reason of more than 255 characters.",
        "It sends the first 255. AWS doesn't document this limit any more.",
        _STOP,
        "Stops the stopped task again, with a reason of 256 characters.",
        judges.reason_256,
    ),
    Assumption(
        "stop-again",
        "StopTask of a stopped task succeeds, and changes nothing.",
        "It repeats a StopTask whose answer didn't come.",
        _STOP,
        "Stops the stopped task again.",
        judges.stop_again,
    ),
    Assumption(
        "stop-signal",
        "StopTask sends SIGTERM, and lets the container end by itself.",
        "Airflow's worker ends its task in order.",
        _STOP,
        f"Stops a container that answers SIGTERM with the exit code {SIGTERM_EXIT}.",
        judges.sigterm,
    ),
    Assumption(
        "times",
        "A task that has run shows createdAt, pullStartedAt, pullStoppedAt, startedAt, stoppingAt and stoppedAt, in this order.",
        "startedAt tells that its code may have run; the others tell which phase was slow.",
        _TASK,
        "Looks at a task that ended by itself.",
        judges.times,
    ),
    Assumption(
        "runtime-id",
        "A running container shows its runtimeId.",
        "It doesn't use it. ECS Exec and the console's links to metrics do.",
        _CONTAINER,
        "Looks at a running task.",
        judges.runtime_id,
    ),
    Assumption(
        "tags",
        "RunTask's tags are shown by DescribeTasks, if it includes TAGS.",
        "It sends the tags of its options; it reads none.",
        _TAGS,
        "Starts a task with a tag, and describes it with and without TAGS.",
        judges.tags_shown,
    ),
    Assumption(
        "tags-propagated",
        "propagateTags TASK_DEFINITION gives a task the tags of its task definition.",
        "It passes propagateTags on from its options.",
        _TAGS,
        "Starts a task with propagateTags.",
        judges.tags_propagated,
    ),
    Assumption(
        "tags-after-stop",
        "StopTask deletes the task's tags.",
        "It finds tasks by startedBy, never by a tag.",
        _STOP,
        "Describes the stopped task with TAGS.",
        judges.tags_after_stop,
    ),
    *(
        Assumption(
            f"overrides-{name}",
            f"overrides have up to 8192 characters of compact JSON, {how}.",
            use,
            _RUN,
            f"Sends overrides of 8192 and 8193 characters, most of them {what}; looks for the limit if it is another.",
            judges.overrides(name),
        )
        for name, what, how, use in (
            (
                "plain",
                "letters",
                "the JSON's own characters included",
                "A longer workload goes through S3, or fails.",
            ),
            (
                "quotes",
                "quotes",
                "and an escaped quote counts as two",
                "As overrides-plain: workloads are JSON in a JSON string.",
            ),
            (
                "accents",
                "é",
                "and a letter beyond ASCII counts as one",
                "Workloads go through S3 if their ASCII escapes exceed the limit; others are measured like this.",
            ),
            (
                "emoji",
                "emoji",
                "and a character beyond Unicode's first 65,536 counts as one",
                "As overrides-accents.",
            ),
        )
    ),
    Assumption(
        "throttle",
        "One call too many is refused with HTTP 400, ThrottlingException.",
        "It slows down, and the launch keeps its position.",
        _THROTTLING,
        "With --burst: many DescribeTasks calls at once.",
        judges.throttle_shape,
    ),
    Assumption(
        "vcpu-limit",
        "A RunTask above the account's limit of vCPUs or tasks is refused with words that say so.",
        "It takes the refusal for lack of capacity, which costs no start attempt.",
        _FAILURES,
        "Looks at every refused RunTask.",
        judges.vcpu_limit,
    ),
    Assumption(
        "quotas",
        "Service Quotas gives the limits of Fargate's vCPUs and of a cluster's tasks in PROVISIONING as numbers.",
        "`ecs-async doctor` compares them with parallelism.",
        "https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html",
        "Reads L-3032A538, L-36FBB829 and L-B7718569.",
        judges.quotas,
    ),
    Assumption(
        "policy",
        "The policy of docs/conformance.md, whose ECS actions are those of docs/iam.md, allows every call.",
        "The scheduler's role has the same actions.",
        "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html",
        "Looks for denied calls.",
        judges.policy,
    ),
)
