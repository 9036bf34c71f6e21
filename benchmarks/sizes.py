"""The size of every benchmark: in a full run, about an hour and a half in all, and in a quick one."""

from __future__ import annotations

from benchmarks.command import Size

MANY = 100_000
"""Maximum number of tasks: ten times the targets'."""
LONG = 1.0
"""Maximum API latency in seconds: launches get slow, but no call times out."""

MINUTES = {
    "launch": (6.0, 1.5),
    "heartbeat": (5.0, 1.5),
    "interference": (7.5, 1.0),
    "lag": (12.0, 1.0),
    "memory": (2.5, 0.5),
    "client": (1.0, 0.2),
    "watching": (1.0, 0.2),
    "scarce": (45.0, 4.0),
    "warm": (15.0, 4.0),
}
"""About how long each benchmark takes, in a full run and in a quick one. All benchmarks, in the page's order."""

LAUNCH = {
    "tasks": Size(1000, 100, "tasks to launch at each latency", 1, MANY),
    "many": Size(10_000, 200, "tasks to launch at the middle latency, in addition", 1, MANY),
    "latency": Size([0.02, 0.1, 0.2], [0.02, 0.1], "latency of every API call, in seconds", 0, LONG),
    "cap": Size(10.0, 3.0, "seconds that AwsEcsExecutor gets for each latency", 0.1),
    "minute": Size(60.0, 15.0, "seconds that each executor gets under AWS's default limits", 1),
}
HEARTBEAT = {
    "live": Size([0, 1000, 10_000], [0, 200], "live tasks", 0, MANY),
    "seconds": Size(10.0, 4.0, "how long each state is measured, with a heartbeat every 50 ms", 0.1),
    "slow_seconds": Size(40.0, 3.0, "how long it is measured with a heartbeat each second", 0.1),
    "latency": Size(0.2, 0.2, "latency of every API call, in seconds", 0, LONG),
    "pending": Size(
        1000, 100, "tasks waiting to be launched, in the comparison with AwsEcsExecutor", 1, MANY
    ),
    "cap": Size(10.0, 3.0, "seconds that AwsEcsExecutor gets", 0.1),
}
INTERFERENCE = {
    "live": Size(10_000, 200, "live tasks to watch", 0, MANY),
    "rest": Size(200.0, 3.0, "seconds that they age: older tasks are polled less often"),
    "pairs": Size(10, 4, "windows of each kind, taking turns", 1),
    "window": Size(1.0, 1.0, "length of one window, in seconds", 0.1, 60),
}
LAG = {
    "live": Size([100, 1000, 10_000], [20, 100], "live tasks", 2, MANY),
    "ends": Size(300, 20, "how many of them end during the measurement (at most half)", 1, MANY),
    "seconds": Size(20.0, 5.0, "seconds during which they end", 1),
    "latency": Size(0.1, 0.1, "latency of every API call, in seconds", 0, LONG),
    "many": Size(10_000, 150, "short tasks under AWS's default limits; 0: none", 0, MANY),
    "lives": Size(30.0, 15.0, "seconds that each of the short tasks lives", 5),
}
MEMORY = {
    "live": Size([10_000], [200, 500], "live tasks", 1, MANY),
    "rest": Size(10.0, 1.0, "seconds to let all work on them finish"),
}
CLIENT = {
    "rounds": Size(9, 2, "how often the two clients take turns", 1),
    "calls": Size(150, 10, "calls of each operation per round; a fifth of it for DescribeTasks", 1, MANY),
    "flight": Size(50, 10, "calls in flight when calls per second are counted", 1, 1000),
    "latency": Size(0.02, 0.02, "latency of the API when calls per second are counted, in seconds", 0, LONG),
}
WATCHING = {
    "live": Size(2000, 300, "tasks of ours", 1, MANY),
    "left": Size(0.05, 0.05, "share of them that has left since the last sweep", 0, 1),
    "latency": Size(0.1, 0.02, "latency of the API, in seconds", 0, LONG),
    "sweeps": Size(3, 1, "sweeps of each kind", 1, 100),
}
SCARCE = {
    "tasks": Size(1000, 30, "tasks to run through the room", 1, MANY),
    "room": Size(50, 10, "tasks that fit at once; twice as many when room is back", 2, 1000),
    "seconds": Size(10.0, 5.0, "seconds that each of them runs", 3),
    "period": Size(30.0, 5.0, "seconds for which another client holds half of the room, and frees it", 1),
    "cap": Size(120.0, 10.0, "seconds that AwsEcsExecutor gets in each case", 0.1),
    "dark": Size(600.0, 10.0, "seconds without room before it is back", 1),
    "waiting": Size(10_000, 200, "runs that wait for room while heartbeats are measured", 0, MANY),
    "watch": Size(30.0, 3.0, "how long heartbeats are measured, with a heartbeat every 50 ms", 0.1),
    "parts": Size(12, 12, "parts to measure, each an executor in one case: the first ones", 1, 12),
}
WARM = {
    "start": Size(30.0, 4.0, "seconds that a container takes to start", 0, 600),
    "standbys": Size(12, 3, "standbys, and warm tasks at once", 1, 100),
    "rounds": Size(1, 1, "how often so many are started at once", 1, 100),
    "warm": Size(50, 3, "warm tasks, one after another", 1, 1000),
    "cold": Size(10, 2, "tasks that each executor starts cold, one after another", 1, 1000),
    "every": Size(6.0, 4.0, "seconds between two tasks: standbys are replaced meanwhile", 0),
    "burst": Size(100, 10, "tasks at once, with simulated containers", 1, 1000),
    "launches": Size(50, 10, "cold launches beside each pool that can't serve them", 1, 1000),
    "parts": Size(10, 10, "parts to measure: the first ones", 1, 10),
}
FAULTS = {
    "tasks": Size(60, 10, "tasks in each case", 1, 1000),
    "limit": Size(90.0, 90.0, "seconds that a case may take", 1),
}
