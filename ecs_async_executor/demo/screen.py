"""Shows the demo's progress: redrawn in place on a terminal, a line per change elsewhere."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.live import Live

from ecs_async_executor.demo import display
from ecs_async_executor.demo.display import View
from ecs_async_executor.demo.snapshot import Snapshot


class Screen(AbstractContextManager["Screen"]):
    """Shows views one after another; leaving the context restores the terminal."""

    @abstractmethod
    def show(self, view: View) -> None:
        """Show the current view."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing."""


class LiveScreen(Screen):
    """The live display, which disappears at the end to make room for the summary."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)  # show() redraws: no thread

    def show(self, view: View) -> None:
        """Redraw in the terminal's current size."""
        self._live.start()
        width, height = self._console.size
        self._live.update(display.live(view, width=width, height=height), refresh=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Erase the display and show the cursor again."""
        self._live.stop()


class PlainScreen(Screen):
    """Prints a line per change."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._snapshot = Snapshot(at=0.0)
        self._ready: set[str] = set()

    def show(self, view: View) -> None:
        """Print what has changed since the last view."""
        for component in view.components:
            if component.ready_after is not None and component.name not in self._ready:
                self._ready.add(component.name)
                self._print(view, f"{component.name}: ready")
        for line in display.changes(self._snapshot, view.snapshot):
            self._print(view, line)
        self._snapshot = view.snapshot

    def _print(self, view: View, line: str) -> None:
        self._console.print(f"[{view.elapsed:6.1f} s] {line}", markup=False, highlight=False, soft_wrap=True)
