"""Writes docs/failures.md from the table of causes. Run by `make format`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ecs_async_executor.engine.diagnosis.causes import exit_codes
from ecs_async_executor.engine.diagnosis.causes.cause import Cause, Outlook
from ecs_async_executor.engine.diagnosis.causes.table import SUBJECTS

PAGE = Path(__file__).with_name("failures.md")
_HEAD = """\
# Failures

Search this page for the words of ECS that you see: in the Audit Log, in the scheduler's log, or as the stopped reason in
the ECS console. The executor's own message names your image, secret or subnet; this page has the same advice without names.

*Starts again by itself?*

- **yes**: the executor starts the task again, up to `max_run_task_attempts` times.
- **waits**: it starts the task again and again until there is room, up to `capacity_timeout` seconds.
- **no**: another start would fail the same way, so the task fails at once.
- **pauses**: nothing was started. The executor repeats the call until AWS takes it; no task fails.

Once a task has run, Airflow's `retries` decide, whatever stands here. What is not on this page is shown in AWS's own words,
and is started again.
"""
_OWN_HEAD = """\
## The executor's own words

| the executor says | that means |
|---|---|"""
OWN_WORDS = (
    (
        "before Airflow had started the task",
        (
            "The container ran, and ended before Airflow in it could tell the API server. Its last "
            "lines are in the try's log, and say why: a library that can't be imported, an API server that can't be reached, another "
            "`[api_auth] jwt_secret`, Dags that can't be set up."
        ),
    ),
    ("Airflow never started in the container", "The entry point of the image swallows the command."),
    (
        "The container has no Dag",
        (
            "Airflow in the container looked for the Dag and didn't find it: the container has other Dags than the "
            "Dag processor."
        ),
    ),
    (
        "did not run within",
        "The task was not RUNNING within `launch_timeout`, so it was stopped, and starts again.",
    ),
    ("has not started after", "A notice, not a failure: the task takes much longer to start than usual."),
    (
        "AWS throttles RunTask, so launches are slow.",
        "A notice: the launches wait for AWS's rate. See [rates.md](rates.md).",
    ),
    (
        "More launches wait than RunTask's rate allows at once.",
        "A notice: they go in turn, at the rate of `run_task_rate`.",
    ),
    (
        "ECS gives no usable answer to any call.",
        (
            "Time-outs (ReadTimeoutError, ConnectTimeoutError) or internal errors for half a minute. "
            "Nothing is lost: the executor asks again."
        ),
    ),
    (
        "The call to ECS got no usable answer.",
        "One call timed out or was cut off. The executor repeats it under the same `clientToken`.",
    ),
    (
        "The standby ended before it had a workload.",
        "It was not needed, was too old, or its scheduler has ended. A run that it was given starts cold, at no cost.",
    ),
    (
        "The standby can't read its lease in S3.",
        "The task role lacks `s3:GetObject` on `payload_bucket`, or the task's subnets have no way to S3. Runs start cold.",
    ),
    (
        "The standby can't import Airflow or botocore.",
        "The image is broken, or has no Amazon provider. Runs start cold, and fail if Airflow is what is missing.",
    ),
    (
        "ECS is asked about a task of another account, Region or cluster.",
        (
            "Its ARN in Airflow's database is from before this Airflow moved, or the connection leads to the wrong account or Region. "
            "For an hour it counts as running; then its heartbeats decide."
        ),
    ),
    ("ECS does not show the task.", "ECS has forgotten the task, or is asked in another account or Region."),
)
"""Parts of our own texts, each as the code has it, and what they mean."""
_FOOT = "\nThis page is written by `make format` from `ecs_async_executor/engine/diagnosis/causes/`: edit the table there.\n"
_AGAIN = {
    Outlook.AGAIN: "yes",
    Outlook.CAPACITY: "waits",
    Outlook.USELESS: "no",
    Outlook.PAUSE: "pauses",
}
_OPTIONAL = re.compile(r"\[[^\[\]]*\{\w+\}[^\[\]]*\]")
_UNNAMED = re.compile(r": (?:it says ?)?\{words\}|: it takes up to\{\w+\} characters")
"""Ends of summaries that say nothing without the thing that they name."""
_START, _END = 100, 180
"""Characters that are shown of a long wording: its category stands first, its reason last."""


def failures_page() -> str:
    """Return the page."""
    parts = [_HEAD.rstrip()]
    for subject in SUBJECTS:
        parts += [f"\n## {subject.TITLE}", *(part for cause in subject.CAUSES for part in _entry(cause))]
    parts += [f"\n## {exit_codes.TITLE}\n", *_exit_codes()]
    parts += [f"\n{_OWN_HEAD}", *(f"| {text} | {meaning} |" for text, meaning in OWN_WORDS)]
    return "".join(f"{part}\n" for part in parts) + _FOOT


def _entry(cause: Cause) -> Iterator[str]:
    yield f"\n### {_title(cause)}\n"
    yield "```text"
    yield from map(_quoted, cause.wordings)
    yield "```"
    yield f"\n{_plain(cause.remedy, ' NAME')}"
    yield f"Starts again by itself: **{_AGAIN[cause.outlook]}**. [Source]({cause.source})."


def _title(cause: Cause) -> str:
    if cause.summary.startswith("{words}"):  # AWS's category is all that is known
        category = cause.wordings[0].partition(":")[0].rstrip(".")
        return f"{category}, for any other reason ({cause.name})"
    return _plain(_UNNAMED.sub("", _OPTIONAL.sub("", cause.summary)), "").rstrip(".")


def _plain(template: str, unnamed: str) -> str:
    return re.sub(r"\{[a-z_]+\}", unnamed, template)


def _quoted(wording: str) -> str:
    if len(wording) <= _START + _END:
        return wording
    return f"{wording[:_START].rpartition(' ')[0]} ... {wording[-_END:].partition(' ')[2]}"


def _exit_codes() -> Iterator[str]:
    yield "| code | what it means | what to do |"
    yield "|---|---|---|"
    for code, meaning in sorted(exit_codes.EXIT_CODES.items()):
        yield f"| {code} | {meaning.summary} | {meaning.remedy} |"


if __name__ == "__main__":
    PAGE.write_text(failures_page(), "utf-8")
