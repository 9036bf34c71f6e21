"""How big every benchmark is: in a full run, which takes about half an hour in all, and in a quick one."""

from __future__ import annotations

from benchmarks.command import Size

MINUTES = {
    "launch": (6.0, 1.5),
    "heartbeat": (4.5, 1.0),
    "interference": (7.5, 1.0),
    "lag": (12.0, 1.0),
    "memory": (2.5, 0.5),
    "client": (1.0, 0.2),
    "watching": (1.0, 0.2),
}
"""About how long every benchmark takes: in a full run, and in a quick one. All that there are, in the page's order."""

LAUNCH = {
    "tasks": Size(1000, 100, "tasks to launch with every latency"),
    "many": Size(10_000, 200, "tasks to launch with the middle latency, too"),
    "latency": Size([0.02, 0.1, 0.2], [0.02, 0.1], "of every API call, in seconds"),
    "cap": Size(10.0, 3.0, "seconds that AwsEcsExecutor gets for each latency"),
    "minute": Size(60.0, 15.0, "seconds that each executor gets under AWS's default limits"),
}
HEARTBEAT = {
    "live": Size([0, 1000, 10_000], [0, 200], "live tasks"),
    "seconds": Size(10.0, 4.0, "how long each state is measured, with a heartbeat every 50 ms"),
    "slow_seconds": Size(40.0, 3.0, "how long it is measured with a heartbeat each second"),
    "latency": Size(0.2, 0.2, "of every API call, in seconds"),
    "pending": Size(1000, 100, "tasks that wait to be launched, in the comparison with AwsEcsExecutor"),
    "cap": Size(10.0, 3.0, "seconds that AwsEcsExecutor gets"),
}
INTERFERENCE = {
    "live": Size(10_000, 200, "live tasks to watch"),
    "rest": Size(200.0, 3.0, "seconds for them to get old: then they are looked at less often"),
    "pairs": Size(10, 4, "windows of each kind, in turns"),
    "window": Size(1.0, 1.0, "seconds of one window"),
}
LAG = {
    "live": Size([100, 1000, 10_000], [20, 100], "live tasks"),
    "ends": Size(300, 20, "of them, how many end while it is measured (at most half)"),
    "seconds": Size(20.0, 5.0, "during which they end"),
    "latency": Size(0.1, 0.1, "of every API call, in seconds"),
    "many": Size(10_000, 150, "short tasks under AWS's default limits; 0: none"),
    "lives": Size(30.0, 15.0, "seconds that each of the many lives"),
}
MEMORY = {
    "live": Size([10_000], [200, 500], "live tasks"),
    "rest": Size(10.0, 1.0, "seconds for all work about them to be done"),
}
CLIENT = {
    "rounds": Size(9, 2, "times that both clients take turns"),
    "calls": Size(150, 10, "calls of each operation in a round; of DescribeTasks a fifth"),
    "flight": Size(50, 10, "calls in flight when calls a second are counted"),
    "latency": Size(0.02, 0.02, "of the API when calls a second are counted, in seconds"),
}
WATCHING = {
    "live": Size(2000, 300, "tasks of ours"),
    "left": Size(0.05, 0.05, "share of them that has left since the last sweep"),
    "latency": Size(0.1, 0.02, "of the API, in seconds"),
    "sweeps": Size(3, 1, "sweeps of each kind"),
}
