"""Gives the engine its orders, and knows what to order again from a new engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from ecs_async_executor.executor.order_factory import OrderFactory
from ecs_async_executor.executor.run_state import WITH_ENGINE, RunState
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.messages import AnyRunReport, Forget, Launched, Order, Recovery, Stop, Terminal

Submit: TypeAlias = Callable[[Iterable[Order]], None]
"""Passes orders to the engine."""


class Dispatcher:
    """Gives orders, and moves each run to the state that its order puts it in."""

    def __init__(self, order_factory: OrderFactory, submit: Submit) -> None:
        self._order_factory = order_factory
        self._submit = submit
        self._stopping: dict[str, tuple[Run, Stop]] = {}
        """Dropped runs, until the engine reports the end of their task."""

    def is_stopping(self, run_id: str) -> bool:
        """Return whether a dropped run's task is still being stopped."""
        return run_id in self._stopping

    def order(self, run: Run) -> Order:
        """Make a run's order: to launch it, or to watch its task."""
        if run.launched is None:
            return self._order_factory.launch(run)
        return self._order_factory.watch(run, run.launched)

    def submit(self, runs: Iterable[Run], now: float) -> None:
        """Order pending runs to be launched or watched now, in one batch."""
        self.give([(run, self.order(run)) for run in runs], now)

    def give(self, ordered: Sequence[tuple[Run, Order]], now: float) -> None:
        """Give the engine these orders of pending runs, in one batch."""
        self._submit(order for _, order in ordered)
        for run, _ in ordered:
            self._stopping.pop(run.run_id, None)  # its end is reported to this run now
            if run.launched is None:
                run.move(RunState.ORDERED, run.recovery.value, now)
            else:
                run.move(RunState.LIVE, "adopted by its ARN", now)

    def watch(self, run: Run) -> None:
        """Order a launched run to be watched; it changes nothing if the engine watches it already."""
        self._submit([self.order(run)])

    def stop(self, run: Run, reason: str) -> None:
        """Order a run's task to be stopped; the engine will report its end."""
        run.stop = Stop(run.run_id, reason)
        self._submit([run.stop])

    def drop(self, run: Run, why: str, now: float, *, stop: bool) -> None:
        """Forget a run; with `stop`, order its task to be stopped first, for the reason in `why`."""
        before = run.state
        if before not in WITH_ENGINE and (before is not RunState.PENDING or run.nothing_lives):
            run.move(RunState.DONE, why, now)
        elif not stop:
            run.move(RunState.DONE, why, now)
            self._submit([Forget(run.run_id)])
        else:
            run.move(RunState.DROPPED, why, now)
            order = Stop(run.run_id, why)
            self._stopping[run.run_id] = run, order
            self._submit([self.order(run), order] if before is RunState.PENDING else [order])

    def note(self, report: AnyRunReport, now: float) -> Run | None:
        """Handle a report about a dropped run: only its ARN and its end matter. Returns that run, if there is one."""
        run, _ = self._stopping.get(report.run_id, (None, None))
        if run is None:
            return None
        if isinstance(report, Launched):
            run.launched = report
        elif isinstance(report, Terminal):
            del self._stopping[report.run_id]
            run.move(RunState.DONE, type(report).__name__, now)
        return run

    def live_orders(self, runs: Iterable[Run]) -> Iterator[Order]:
        """Make the orders for all live runs again, for a new engine."""
        for run in runs:
            if run.state in WITH_ENGINE:
                yield self._order_again(run)
                if run.stop is not None:
                    yield run.stop
        for run, stop in self._stopping.values():
            yield from (self._order_again(run), stop)

    def _order_again(self, run: Run) -> Order:
        if run.launched is None and run.number == 1 and run.claimed is not None:
            # Its row may name the standby, which may have its workload: whether it has, only S3 can tell.
            return self._order_factory.watch_standby(run, run.claimed)
        if run.launched is None and run.recovery is Recovery.NONE:
            return self._order_factory.launch(run, recovery=Recovery.REPLAY)
        return self.order(run)
