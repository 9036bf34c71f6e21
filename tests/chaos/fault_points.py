"""Where something may happen to a scheduler."""

from __future__ import annotations

PLACES = {
    # Core has committed QUEUED with the run id; the executor does not know of it yet, or does.
    "queue_workload.before": 8,
    "queue_workload.after": 8,
    "process_workloads.before": 3,
    "process_workloads.after": 3,
    # In the engine thread: before a call was sent, while it is on its way, after its answer came.
    "run_task.before": 6,
    "run_task.during": 6,
    "run_task.after": 6,
    "list_tasks.before": 2,
    "list_tasks.after": 2,
    "sync.before": 40,
    # Reports were drained, nothing was decided.
    "decide.before": 40,
    # In the database's thread: a row is to show an ARN, or shows it, and nobody has heard of that.
    "publish.before": 3,
    "publish.after": 3,
    # The same with the number of a launch that follows a failed one.
    "relaunch.after": 2,
    # In the claims' thread: a row is to name a standby, or names it, and the engine doesn't know.
    "claim.before": 2,
    "claim.after": 2,
    # A standby is to get its workload (or to leave, if nobody knows whether it has one); its answer is lost.
    "hand_over.before": 2,
    "hand_over.during": 2,
    "hand_over.after": 2,
    "leave.before": 1,
    "leave.after": 1,
    # Told to the executor's event buffer, not to core.
    "sync.after": 1,
    # The event buffer was flushed; core has not processed it.
    "get_event_buffer.after": 1,
    # The rows of a dead scheduler are locked; then they are adopted, but core has not committed it.
    "adopt.before": 1,
    "adopt.after": 1,
}
"""Where, and at which visit at the latest: a life shall last a few seconds."""

OF_STANDBYS = (
    "claim.before",
    "claim.after",
    "hand_over.before",
    "hand_over.during",
    "hand_over.after",
    "leave.before",
    "leave.after",
)
"""A scheduler gets there only once its standbys are ready, and so lives longer before it is struck."""

DANGEROUS = (
    "run_task.during",
    "run_task.after",
    "publish.after",
    "relaunch.after",
    "claim.after",
    "hand_over.during",
    "hand_over.after",
    "get_event_buffer.after",
)
"""Something has been launched, or has ended, and only this scheduler knows: these come twice as often."""
