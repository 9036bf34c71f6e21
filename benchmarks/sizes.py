"""How big every benchmark is: in a full run, which takes about half an hour in all, and in a quick one."""

from __future__ import annotations

from benchmarks.command import Size

LAUNCH = {
    "tasks": Size([1000, 10_000], [100, 200], "tasks to launch"),
    "latency": Size([0.02, 0.1, 0.2], [0.02, 0.1], "of every API call, in seconds"),
    "cap": Size(30.0, 3.0, "seconds that AwsEcsExecutor gets for each latency"),
    "minute": Size(60.0, 15.0, "seconds that each executor gets under AWS's default limits"),
}
HEARTBEAT = {
    "live": Size([0, 1000, 10_000, 50_000], [0, 200], "live tasks"),
    "seconds": Size(20.0, 4.0, "how long each state is measured"),
    "latency": Size(0.2, 0.2, "of every API call, in seconds"),
    "pending": Size(1000, 100, "tasks that wait to be launched, in the comparison with AwsEcsExecutor"),
    "cap": Size(30.0, 3.0, "seconds that AwsEcsExecutor gets"),
}
INTERFERENCE = {
    "live": Size(10_000, 200, "live tasks to watch"),
    "pairs": Size(20, 4, "windows of each kind, in turns"),
    "window": Size(1.0, 0.5, "seconds of one window"),
}
LAG = {
    "live": Size([100, 1000, 10_000], [20, 100], "live tasks"),
    "ends": Size(300, 20, "of them, how many end while it is measured (at most half)"),
    "seconds": Size(30.0, 5.0, "during which they end"),
    "latency": Size(0.1, 0.1, "of every API call, in seconds"),
    "many": Size(10_000, 150, "short tasks under AWS's default limits; 0: none"),
    "lives": Size(30.0, 15.0, "seconds that each of the many lives"),
}
MEMORY = {
    "live": Size([10_000, 50_000], [200, 500], "live tasks"),
    "rest": Size(10.0, 1.0, "seconds for all work about them to be done"),
}
