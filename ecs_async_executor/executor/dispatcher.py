"""The runs as the engine has them, or shall have them: orders given, orders to come, and all again for a new engine."""

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

    def __init__(self, orders: OrderFactory, submit: Callable[[Iterable[Order]], None]) -> None:
        self._order_factory = orders
        self._submit = submit
        self._pending: dict[str, Run] = {}
        """Runs that the engine does not have yet: adopted ones, and those to be launched again."""
        self._stopping: dict[str, tuple[Run, Stop]] = {}
        """Dropped runs whose task is to be stopped, until the engine says that it has ended."""

    def is_stopping(self, run_id: str) -> bool:
        """Tell whether a run was dropped, and its task is still to be stopped."""
        return run_id in self._stopping

    def nothing_lives(self, run: Run) -> bool:
        """Tell whether all launches of a run are over, and the next one is to come."""
        return self.is_pending(run) and run.recovery is Recovery.NONE

    def order(self, run: Run) -> Order:
        """Give the order for a run: to launch it, or to watch its task."""
        return (
            self._order_factory.launch(run)
            if run.launched is None
            else self._order_factory.watch(run, run.launched)
        )

    def submit(self, runs: Iterable[Run]) -> None:
        """Have runs launched or watched now."""
        orders = []
        for run in runs:
            self._pending.pop(run.run_id, None)
            orders.append(self.order(run))
        self._submit(orders)

    def postpone(self, run: Run) -> None:
        """Have a run launched later."""
        self._pending[run.run_id] = run

    def is_pending(self, run: Run) -> bool:
        """Tell whether the engine does not have a run yet."""
        return run.run_id in self._pending

    def settle(self, run: Run) -> None:
        """Order nothing more for a run that has ended."""
        self._pending.pop(run.run_id, None)

    def stop(self, run: Run, reason: str) -> None:
        """Have a run's task stopped; its end will be reported."""
        run.stop = Stop(run.run_id, reason)
        self._submit([run.stop])

    def drop(self, run: Run, *, stop: str | None = None) -> None:
        """Let a run go: leave its task alone, or have it stopped without a report."""
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
        """Take in what the engine says of a run that was dropped: only its end matters."""
        run_id = getattr(report, "run_id", "")
        if isinstance(report, Launched) and run_id in self._stopping:
            self._stopping[run_id][0].launched = report
        elif isinstance(report, (LaunchFailed, Stopped, Cancelled)):
            self._stopping.pop(run_id, None)

    def live_orders(self, runs: Iterable[Run]) -> Iterator[Order]:
        """Order again all that is live, from a new engine."""
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
