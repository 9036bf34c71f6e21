"""When to poll each task next, judging by its phase and how long it has been in it. Sans-I/O."""

from __future__ import annotations

import heapq

from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Entry, Phase, Place

NOT_YET_RUNNING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})


def phase_of(task: Task) -> Phase:
    """Return the phase of a task that hasn't stopped."""
    if task.desired_status == "STOPPED":
        return Phase.ENDING
    if task.last_status in NOT_YET_RUNNING:
        return Phase.STARTING
    return Phase.RUNNING if task.last_status == "RUNNING" else Phase.ENDING


def next_poll(phase_age: float, uniform_interval: float, poll_interval: float) -> float:
    """Return the seconds until the next poll of a task that entered its phase `phase_age` seconds ago.

    Polls are frequent just after a task is launched, starts to run or starts to end, and then become rarer: a change is
    noticed late by a tenth of the time it took to come. `uniform_interval` is the interval at which polling all tasks
    equally often would use half of the watcher's rate: the more tasks, the longer. No task is polled more often than the
    shorter of the two intervals allows, and none less often than the longer one.
    """
    shortest, longest = sorted((uniform_interval, poll_interval))
    return min(max(1.0, shortest, phase_age / 10), longest)


class PollSchedule:
    """The tasks to poll, the longest overdue first.

    An entry's `due_at` holds its task's due time. A heap item with any other time is stale: its task was discarded or
    rescheduled. Stale items are dropped when they reach the top of their heap.
    """

    def __init__(self) -> None:
        self._heaps: dict[Place, list[tuple[float, int, Entry]]] = {}
        """By place, because ECS refuses a DescribeTasks call in which one ARN is of another place."""
        self._items = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __contains__(self, entry: Entry) -> bool:
        return entry.due_at is not None

    def add(self, entry: Entry, due: float) -> None:
        """Schedule the task's poll for `due`, in place of any time it was scheduled for before."""
        self._length += entry.due_at is None
        entry.due_at = due
        self._items += 1
        heapq.heappush(self._heaps.setdefault(entry.place, []), (due, self._items, entry))

    def discard(self, entry: Entry) -> None:
        """Remove a task; it needn't be scheduled."""
        self._length -= entry.due_at is not None
        entry.due_at = None

    def next_at(self) -> float | None:
        """Return when the next task is due; None if none is scheduled."""
        head = self._head()
        return head[0] if head else None

    def take(self, now: float, *, limit: int) -> list[Entry]:
        """Take up to `limit` tasks due at `now`, all in one place: that of the longest overdue task."""
        batch: list[Entry] = []
        head = self._head()
        heap = self._heaps[head[2].place] if head else []
        while heap and heap[0][0] <= now and len(batch) < limit:
            due, _, entry = heapq.heappop(heap)
            if entry.due_at == due:
                entry.due_at = None
                batch.append(entry)
        self._length -= len(batch)
        return batch

    def _head(self) -> tuple[float, int, Entry] | None:
        for place, heap in list(self._heaps.items()):
            _drop_stale(heap)
            if not heap:
                del self._heaps[place]
        return min((heap[0] for heap in self._heaps.values()), default=None)


def _drop_stale(heap: list[tuple[float, int, Entry]]) -> None:
    while heap and heap[0][2].due_at != heap[0][0]:
        heapq.heappop(heap)
