"""What is asked of ECS and what comes back: steps, answers, and the record that judges read. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

THROTTLES = frozenset({"ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"})
_DENIALS = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_DISGUISED = re.compile(r"\(ErrorCode: (?:Throttling|RequestLimitExceeded)\)")
"""EC2 has throttled ECS, which reports it as an InvalidParameterException."""
_CREDENTIALS = frozenset({
    "ExpiredTokenException", "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """Ask ECS once, and record the answer under a name."""

    name: str
    action: str
    params: Mapping[str, Any]
    service: str = "ecs"
    """As botocore names it."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Ask the same `times` times at once, as fast as possible, and record every answer."""

    call: Call
    times: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of ECS. Times in `body` are epoch seconds."""

    call: Call
    asked_at: float
    """Epoch seconds."""
    at: float
    """Epoch seconds when the answer was there."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """Of an error: its members, such as `resourceIds`."""
    code: str = ""
    """The error's code; empty for a success, and `-` if no answer came."""
    message: str = ""
    status: int = 200
    """HTTP's."""

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return not self.code

    @property
    def is_unknown(self) -> bool:
        """Whether ECS may have done what it was asked for, although it didn't say so."""
        return self.code == "-" or self.status >= 500

    @property
    def is_throttle(self) -> bool:
        """Whether it was one call too many."""
        return self.code in THROTTLES or self.status == 429 or _DISGUISED.search(self.message) is not None

    @property
    def is_denial(self) -> bool:
        """Whether IAM denied the call."""
        return self.code in _DENIALS

    @property
    def tells_nothing(self) -> bool:
        """Whether it is about the way to ECS or the caller, not about what was asked."""
        return self.is_unknown or self.is_throttle or self.is_denial or self.code in _CREDENTIALS

    @property
    def says(self) -> str:
        """The error as one line."""
        if self.code == "-":
            return self.message
        return f"{self.code}: {self.message}" if self.message else self.code

    @property
    def tasks(self) -> list[Mapping[str, Any]]:
        """The ECS tasks in it."""
        return [*self.body.get("tasks", ())]

    @property
    def failures(self) -> list[Mapping[str, Any]]:
        """The entries of `failures`."""
        return [*self.body.get("failures", ())]

    @property
    def arns(self) -> list[str]:
        """The ARNs of the ECS tasks in it, described or listed."""
        return [*(task["taskArn"] for task in self.tasks), *self.body.get("taskArns", ())]


Step: TypeAlias = Call | Burst | Wait
Probe: TypeAlias = Generator[Step, None, None]
"""A probe yields steps. The answers are in the record when it goes on."""


class NotSeenError(Exception):
    """Nothing was seen that tells whether an assumption holds; the message says why."""


@dataclass(slots=True)
class Record:
    """Every answer, by the name of its call, in order."""

    answers: list[Answer] = field(default_factory=list)
    cut_short: str = ""
    """Why the suite ended before its last call; empty if it didn't."""

    def add(self, answer: Answer) -> None:
        """Record an answer."""
        self.answers.append(answer)

    def all(self, name: str) -> list[Answer]:
        """Return the answers of a name's calls."""
        return [answer for answer in self.answers if answer.call.name == name]

    def answer(self, name: str) -> Answer:
        """Return the last answer that says something about ECS.

        Raises:
            NotSeenError: There is none: not asked, denied, throttled, or broken on the way.
        """
        found = self.all(name)
        if not found:
            raise NotSeenError(f"{name} was not asked" + (f": {self.cut_short}" if self.cut_short else ""))
        last = found[-1]
        if last.tells_nothing:
            raise NotSeenError(f"{last.call.action} failed: {last.says}")
        return last

    def success(self, name: str) -> Answer:
        """Return the last answer, a success.

        Raises:
            NotSeenError: There is none.
        """
        last = self.answer(name)
        if not last.ok:
            raise NotSeenError(f"{last.call.action} was refused: {last.says}")
        return last

    def launched(self, name: str) -> Mapping[str, Any]:
        """Return the one task that a RunTask started, as its answer describes it.

        Raises:
            NotSeenError: It started none.
        """
        answer = self.success(name)
        if not answer.tasks:
            reasons = ", ".join(str(each.get("reason")) for each in answer.failures)
            raise NotSeenError(f"RunTask started no task: {reasons or 'an empty answer'}")
        return answer.tasks[0]

    def arn(self, name: str) -> str:
        """Return the ARN of the task that a RunTask started; raises as `launched`."""
        return str(self.launched(name)["taskArn"])

    def has(self, name: str) -> bool:
        """Tell whether a RunTask has started a task."""
        try:
            self.launched(name)
        except NotSeenError:
            return False
        return True

    def sightings(self, name: str) -> Iterator[tuple[float, Mapping[str, Any]]]:
        """Yield when and how DescribeTasks showed the task that this RunTask started; raises as `launched`."""
        arn = self.arn(name)
        for answer in self.answers:
            if answer.call.action == "DescribeTasks":
                for task in answer.tasks:
                    if task["taskArn"] == arn:
                        yield answer.at, task

    def latest(self, name: str) -> Mapping[str, Any]:
        """Return the task as DescribeTasks showed it last.

        Raises:
            NotSeenError: DescribeTasks never showed it.
        """
        task: Mapping[str, Any] | None = None
        for _, task in self.sightings(name):  # noqa: B007  the last one is what we want
            pass
        if task is None:
            raise NotSeenError("DescribeTasks never showed the task")
        return task

    def stopped_by_us(self, name: str) -> Mapping[str, Any]:
        """Return the task as `ended` does, if it lived until StopTask.

        Raises:
            NotSeenError: StopTask was refused, or the task had ended by itself.
        """
        asked_at = self.success("stop").asked_at
        if any(task.get("lastStatus") == "STOPPED" and at <= asked_at for at, task in self.sightings(name)):
            raise NotSeenError("the task had ended before StopTask")
        return self.ended(name)

    def ended(self, name: str) -> Mapping[str, Any]:
        """Return the task as it was shown when it had stopped.

        Raises:
            NotSeenError: It was never seen STOPPED.
        """
        task = self.latest(name)
        if task.get("lastStatus") != "STOPPED":
            cut = f" ({self.cut_short})" if self.cut_short else ""
            raise NotSeenError(f"the task was last seen {task.get('lastStatus')}{cut}")
        return task


def compact(document: Any) -> str:
    """Return JSON without spaces and escapes that JSON doesn't need: what the executor counts of `overrides`."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def is_too_long(answer: Answer) -> bool:
    """Tell whether ECS refused a request because its overrides are too long."""
    return not answer.ok and re.search(r"length|8192|too long", answer.message, re.IGNORECASE) is not None


def container_of(task: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a task's container by its name, as AWS adds others; empty if it isn't there."""
    found: Mapping[str, Any] = next(
        (each for each in task.get("containers", ()) if each.get("name") == name), {}
    )
    return found
