"""When a task is looked at next, by what was seen of it. Pure."""

from __future__ import annotations

import heapq

from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Entry, Phase

NOT_YET_RUNNING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})


def phase_of(task: Task) -> Phase:
    """Tell how far a task is that has not stopped."""
    if task.desired_status == "STOPPED":
        return Phase.ENDING
    if task.last_status in NOT_YET_RUNNING:
        return Phase.STARTING
    return Phase.RUNNING if task.last_status == "RUNNING" else Phase.ENDING


def next_poll(phase_age: float, even: float, poll_interval: float) -> float:
    """Seconds until the next look at a task whose phase was first seen `phase_age` seconds ago.

    Soon after it was launched, began to run or to end, and then less and less often: what is seen comes late by a
    tenth of how long it took, up to `poll_interval`. `even` is the interval at which looking at all tasks alike takes
    half of what the watcher may: with many tasks, none is looked at more often, and old ones not even that often.
    """
    shortest, longest = sorted((even, poll_interval))
    return min(max(1.0, shortest, phase_age / 10), longest)


class DueList:
    """Tasks to look at, the longest overdue first.

    A task's date stands in its entry. It tells live items from stale ones, of a task that was discarded or given
    another date; those are dropped when their own time comes.
    """

    def __init__(self) -> None:
        self._heaps: dict[str, list[tuple[float, int, Entry]]] = {}
        """By cluster, since a call is about one."""
        self._items = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __contains__(self, entry: Entry) -> bool:
        return entry.due_at is not None

    def add(self, entry: Entry, due: float) -> None:
        """Look at the task at `due`; an earlier date of the same task is forgotten."""
        self._length += entry.due_at is None
        entry.due_at = due
        self._items += 1
        heapq.heappush(self._heaps.setdefault(entry.cluster, []), (due, self._items, entry))

    def discard(self, entry: Entry) -> None:
        """Forget a task, whether it is on the list or not."""
        self._length -= entry.due_at is not None
        entry.due_at = None

    def next_at(self) -> float | None:
        """When the next task is due; None if none is watched."""
        head = self._head()
        return head[0] if head else None

    def take(self, now: float, *, limit: int) -> list[Entry]:
        """Take up to `limit` tasks of one cluster that are due at `now`: the cluster of the longest overdue."""
        batch: list[Entry] = []
        head = self._head()
        heap = self._heaps[head[2].cluster] if head else []
        while heap and heap[0][0] <= now and len(batch) < limit:
            due, _, entry = heapq.heappop(heap)
            if entry.due_at == due:
                entry.due_at = None
                batch.append(entry)
        self._length -= len(batch)
        return batch

    def _head(self) -> tuple[float, int, Entry] | None:
        for cluster, heap in list(self._heaps.items()):
            _drop_stale(heap)
            if not heap:
                del self._heaps[cluster]
        return min((heap[0] for heap in self._heaps.values()), default=None)


def _drop_stale(heap: list[tuple[float, int, Entry]]) -> None:
    while heap and heap[0][2].due_at != heap[0][0]:
        heapq.heappop(heap)
