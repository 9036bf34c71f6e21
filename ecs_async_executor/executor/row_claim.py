"""A run's claim: its row is to name the standby that serves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(slots=True, eq=False)
class RowClaim:
    """A run's row, which is to show a standby's ARN in place of the run id.

    Three threads share it: the scheduler's makes it and may void it, the engine's calls it, at most once, and the claims' thread
    writes the row.
    """

    run_id: str
    ti_id: Any
    try_number: int
    job_id: Any
    ask: Ask
    arn: str | None = None
    """Set while the row may show it: the scheduler's thread reads this before it decides by the row."""
    is_doubtful: bool = False
    """Set once the database hasn't answered a write of it, which may still be carried out later."""
    is_void: bool = False
    """Set once another scheduler has had the run: it may have sent the launch, though the row shows the run id. Nothing is
    written any more; whether the row shows the ARN already is still answered."""

    def __call__(self, arn: str) -> None:
        """Claim the row for this standby."""
        self.arn = arn
        self.ask(self)


Ask: TypeAlias = Callable[[RowClaim], None]
"""Has a claim made; it doesn't wait."""
