"""The hard limits of a run, and what it may have started. No I/O: the caller passes in the time."""

from __future__ import annotations

from dataclasses import dataclass, field

from ecs_async_executor.conformance.answers import Answer, Call

TASKS = 12
"""ECS tasks that a run may start. It needs fewer, unless ECS accepts what it documents as refused."""
SECONDS = 900.0
"""How long a run may ask; then it cleans up."""
CALLS = 1000
"""Calls that a run may make, beside those of the clean-up and of a burst."""


class LimitError(Exception):
    """A limit is reached; the message says which."""


@dataclass(slots=True)
class Limits:
    """Admits calls until a limit is reached, and remembers what must be stopped."""

    deadline: float
    """Epoch seconds."""
    tasks: int = TASKS
    calls: int = CALLS
    arns: dict[str, None] = field(default_factory=dict)
    """The ARNs of every task that an answer named, in order."""
    labels: dict[str, None] = field(default_factory=dict)
    """Every `startedBy` that was sent: tasks of them may exist even if no answer came."""
    unresolved: set[str] = field(default_factory=set)
    """clientTokens whose RunTask may have started a task that no answer named."""

    def admit(self, call: Call, now: float) -> None:
        """Count a call before it is sent.

        Raises:
            LimitError: It must not be sent.
        """
        if now >= self.deadline:
            raise LimitError("the time limit was reached")
        if self.calls <= 0:
            raise LimitError("the limit of calls was reached")
        self.calls -= 1
        if call.action != "RunTask":
            return
        token = call.params["clientToken"]
        if len(self.arns) + len(self.unresolved - {token}) + call.params.get("count", 1) > self.tasks:
            raise LimitError(f"the limit of {self.tasks} tasks was reached")
        self.labels[call.params["startedBy"]] = None
        self.unresolved.add(token)

    def take_in(self, answer: Answer) -> None:
        """Note what an answer says about tasks of this run."""
        if answer.call.action != "RunTask" or answer.is_unknown:
            return
        self.unresolved.discard(answer.call.params["clientToken"])
        self.arns |= dict.fromkeys([*answer.arns, *answer.body.get("resourceIds", ())])
