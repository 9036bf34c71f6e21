"""What a failed launch step does to its run: docs/architecture.md's table of failure classes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from typing_extensions import assert_never

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.entry import FAULTS, Entry
from ecs_async_executor.messages import Recovery

PUTS = 12
"""Failed PutObject calls after which a launch is over; with the waits between them, that takes four minutes."""


class Reaction(Enum):
    """What happens to the launch."""

    REPEAT = "after a back-off, the same token and body are sent again, because the outcome is unknown"
    KEEP = "it keeps its position, and is sent as soon as rate limits and circuit breaker allow"
    UPLOAD_AGAIN = "after a back-off, its payload is uploaded again, a limited number of times"
    END = "it is over, and has definitely started nothing"


@dataclass(frozen=True, slots=True)
class FailureRule:
    """How the ledger treats one kind of failure."""

    reaction: Reaction
    permanent: bool = False
    """If it ends the launch: launching again can't help."""
    costs_attempt: bool = True
    """If it ends the launch: one of the run's start attempts is used."""


FAILURE_RULES: Mapping[Kind, FailureRule] = {
    Kind.THROTTLE: FailureRule(Reaction.KEEP),
    Kind.CREDENTIALS: FailureRule(Reaction.KEEP),
    Kind.NETWORK: FailureRule(Reaction.KEEP),
    Kind.UNKNOWN: FailureRule(Reaction.REPEAT),
    Kind.FAULT: FailureRule(Reaction.REPEAT, permanent=True),
    Kind.PAYLOAD: FailureRule(Reaction.UPLOAD_AGAIN, costs_attempt=False),
    Kind.CAPACITY: FailureRule(Reaction.END, costs_attempt=False),
    Kind.EXISTS: FailureRule(Reaction.END, costs_attempt=False),
    Kind.START: FailureRule(Reaction.END),
    Kind.DENIED: FailureRule(Reaction.END),
    Kind.NOT_FOUND: FailureRule(Reaction.END),
    Kind.CONFIGURATION: FailureRule(Reaction.END, permanent=True),
}


def delay_after(
    entry: Entry, failure: Failure, now: float, options: EngineOptions, random: Random
) -> float | None:
    """Return the seconds until a launch is tried again, after `LaunchRecord.note`; None if it is over."""
    launch = entry.launch
    reaction = FAILURE_RULES[failure.kind].reaction
    match reaction:
        case Reaction.REPEAT:
            if failure.kind is Kind.FAULT and _is_given_up(entry, now, options):
                return None
            return backoff(launch.unknown_sends, base=1.0, cap=30.0, random=random)
        case Reaction.KEEP:
            delay = 0.0
        case Reaction.UPLOAD_AGAIN:
            # Until the grace time is over, ListTasks may miss a task that exists.
            may_exist = launch.unknown_sends > 0 and now - launch.maybe_sent_at < options.missing_grace
            if launch.failed_puts >= PUTS and not may_exist:
                return None
            delay = backoff(launch.failed_puts, base=1.0, cap=30.0, random=random)
        case Reaction.END:
            return None
        case _:
            assert_never(reaction)
    return None if entry.stop_reason is not None and not launch.unknown_sends else delay


def _is_given_up(entry: Entry, now: float, options: EngineOptions) -> bool:
    """Return whether to give up a launch whose calls raise in this process.

    The launcher first replays the launch, and then only searches for its task.
    """
    launch = entry.launch
    # If the task may be running, or must be stopped, the launcher searches for as long as ECS remembers tasks.
    is_urgent = launch.recovery is not Recovery.SEARCH_ONLY and entry.stop_reason is None
    patience = options.missing_grace if is_urgent else options.list_timeout
    return launch.faults > FAULTS and now - launch.maybe_sent_at >= patience
