"""What happened to a task's launches that later launches depend on, as the Audit Log keeps it. Pure.

A task's next try may be another scheduler's. All schedulers share is the database, and of it the Audit Log is where an
executor may write. So a setback's text is written for people and read back by schedulers: `parse` undoes `str`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ecs_async_executor.config.profiles import Profile
from ecs_async_executor.event_names import EventName
from ecs_async_executor.messages import Stopped

# The other places that speak of a lack of memory: engine/diagnosis/causes/containers.py names them.
_TEXTS = {
    EventName.INTERRUPTED: "AWS reclaimed its capacity",
    EventName.OUT_OF_MEMORY: "Its container was killed for lack of memory",
}
_FORM = re.compile(
    r"(?: at (?P<memory>\d{1,10}) MiB)?\. \((?:queue (?P<profile>.+), )?(?P<arn>arn:\S+)\)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Setback:
    """AWS reclaimed the capacity of a task's launch, or its container was killed for lack of memory."""

    event: EventName
    """`INTERRUPTED` or `OUT_OF_MEMORY`."""
    try_number: int
    arn: str
    """The ECS task. Two schedulers may report the end of one."""
    profile: str = ""
    """The name of the profile that it was launched with; empty for the default."""
    memory: int | None = None
    """The MiB that its container had, if ECS shows it."""

    def __str__(self) -> str:
        """Return the text that the Audit Log keeps."""
        size = f" at {self.memory} MiB" if self.memory is not None else ""
        profile = f"queue {self.profile}, " if self.profile else ""
        return f"{_TEXTS[self.event]}{size}. ({profile}{self.arn})"


def parse(event: str, try_number: int, text: str | None) -> Setback | None:
    """Read a setback from the Audit Log; None if it is none of ours."""
    try:
        name = EventName(event)
        begin = _TEXTS[name]
    except (ValueError, KeyError):
        return None
    if text is None or not text.startswith(begin) or not (found := _FORM.fullmatch(text, len(begin))):
        return None
    memory = found["memory"]
    return Setback(name, try_number, found["arn"], found["profile"] or "", int(memory) if memory else None)


def setbacks_of(ended: Stopped, try_number: int, profile: Profile) -> list[Setback]:
    """Return what a launch's end may mean for its task's later launches."""
    found = []
    if ended.interrupted:
        found.append(Setback(EventName.INTERRUPTED, try_number, ended.arn, profile.name))
    if ended.out_of_memory:
        memory = ended.memory if ended.memory is not None else profile.memory
        found.append(Setback(EventName.OUT_OF_MEMORY, try_number, ended.arn, profile.name, memory))
    return found
