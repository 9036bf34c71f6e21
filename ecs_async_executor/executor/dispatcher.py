"""Tracks which runs the engine has, which come later, and what to order again from a new engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ecs_async_executor.executor.order_factory import OrderFactory
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.messages import (
    Cancelled,
    Forget,
    Launched,
    LaunchFailed,
    Order,
    Recovery,
    Report,
    Stop,
    Stopped,
)


class Dispatcher:
    """Gives the engine its orders."""

    def __init__(self, order_factory: OrderFactory, submit: Callable[[Iterable[Order]], None]) -> None:
        self._order_factory = order_factory
        self._submit = submit
        self._pending: dict[str, Run] = {}
        """Runs that the engine doesn't have yet: adopted runs, and runs that wait for their next launch."""
        self._stopping: dict[str, tuple[Run, Stop]] = {}
        """Dropped runs whose task is being stopped, until the engine reports its end."""

    def is_stopping(self, run_id: str) -> bool:
        """Return whether a dropped run's task is still being stopped."""
        return run_id in self._stopping

    def nothing_lives(self, run: Run) -> bool:
        """Return whether all launches so far of a run are over and it waits for its next one."""
        return self.is_pending(run) and run.recovery is Recovery.NONE

    def order(self, run: Run) -> Order:
        """Make a run's order: to launch it, or to watch its task."""
        return (
            self._order_factory.launch(run)
            if run.launched is None
            else self._order_factory.watch(run, run.launched)
        )

    def submit(self, runs: Iterable[Run]) -> None:
        """Order runs to be launched or watched now."""
        orders = []
        for run in runs:
            self._pending.pop(run.run_id, None)
            orders.append(self.order(run))
        self._submit(orders)

    def postpone(self, run: Run) -> None:
        """Keep a run for a later launch."""
        self._pending[run.run_id] = run

    def is_pending(self, run: Run) -> bool:
        """Return whether the engine doesn't have a run yet."""
        return run.run_id in self._pending

    def discard_pending(self, run: Run) -> None:
        """Don't order a run that has ended."""
        self._pending.pop(run.run_id, None)

    def stop(self, run: Run, reason: str) -> None:
        """Order a run's task to be stopped; the engine will report its end."""
        run.stop = Stop(run.run_id, reason)
        self._submit([run.stop])

    def drop(self, run: Run, *, stop: str | None = None) -> None:
        """Forget a run and its task; if `stop` gives a reason, order the task to be stopped first."""
        over = run.ended is not None or self.nothing_lives(run)
        pending = self._pending.pop(run.run_id, None) is not None
        if over:
            return
        if stop is None:
            self._submit([Forget(run.run_id)])
            return
        order = Stop(run.run_id, stop)
        self._stopping[run.run_id] = run, order
        self._submit([self.order(run), order] if pending else [order])

    def note(self, report: Report) -> None:
        """Handle a report about a dropped run: only its ARN and its end matter."""
        run_id = getattr(report, "run_id", "")
        if isinstance(report, Launched) and run_id in self._stopping:
            self._stopping[run_id][0].launched = report
        elif isinstance(report, (LaunchFailed, Stopped, Cancelled)):
            self._stopping.pop(run_id, None)

    def live_orders(self, runs: Iterable[Run]) -> Iterator[Order]:
        """Make the orders for all live runs again, for a new engine."""
        for run in runs:
            if run.ended is None and not self.is_pending(run):
                yield self._order_again(run)
                if run.stop is not None:
                    yield run.stop
        for run, stop in self._stopping.values():
            yield from (self._order_again(run), stop)

    def _order_again(self, run: Run) -> Order:
        if run.launched is None and run.recovery is Recovery.NONE:
            return self._order_factory.launch(run, recovery=Recovery.REPLAY)
        return self.order(run)
