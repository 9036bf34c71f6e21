"""What a standby's container runs: it imports Airflow, waits for one workload, and becomes Airflow's usual process.

`command.py` makes this module's text the container's command (`python -c`), so it needs nothing of ours in the image. It
must stay short, because ECS counts its characters, and must run on every Python that Airflow runs on. Therefore: no
f-string (newer Pythons quote in them what older ones can't read), and imports of what the image brings inside functions.

A forked process does the waiting. So the process that runs the task has never held a connection, credentials or a thread
of an AWS client, nor a line of botocore: it is what a cold start has, with its imports done.
"""

from __future__ import annotations

import email.utils
import os
import random
import runpy
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

LEFT, NO_ACCESS, BROKEN = 76, 77, 70
"""Exit codes without a workload: it left; its lease can't be read at the start; a module can't be imported.

Airflow's process exits with none of them, nor does the image's entrypoint (75, 78).
"""
MODULE = "airflow.sdk.execution_time.execute_workload"
WARM_UP = "airflow.executors.base_executor"
"""Brings all but some ten of the modules (1,300 in Airflow 3.2.2, 1,500 in 3.3.2) that a cold start imports until its task runs."""


def say(text: str) -> None:
    """Write a line to the container's log, even if a signal has interrupted another write."""
    os.write(2, b"Standby: %s\n" % text.encode())


def look(s3: Any, url: str) -> tuple[int, Any]:
    """GET an object: its HTTP status (0: no answer), and the answer, or the error."""
    bucket, key = url[5:].split("/", 1)
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
        answer["Body"] = answer["Body"].read()
    except s3.exceptions.ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error
    except Exception as error:  # noqa: BLE001  whatever it is, the next look may succeed
        return 0, error
    return 200, answer


def wait(  # noqa: PLR0913, PLR0917  options would be longer
    s3: Any,
    lease: str,
    own: str,
    max_age: str,
    parent: int,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> tuple[int, bytes]:
    """Return 0 and the workload, or an exit code. Look once more before leaving by itself.

    `max_age` is in seconds; `parent` is the process that wants the workload. An error at the start may last for ten seconds.
    S3 answers 403 for a missing object to those who may not list (API reference: GetObject).
    """
    code, why, seen = 0, "", False
    start = due = clock()
    while True:
        now = clock()
        if now >= due:
            status, answer = look(s3, lease)
            if status == 200:
                seen, due = True, now + 30
                date = email.utils.parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
                if (date - answer["LastModified"]).total_seconds() > 180:  # both by S3's own clock
                    code, why = LEFT, "its scheduler is gone"
            elif status in {403, 404} or (not seen and now > start + 10):
                code, why = LEFT if seen else NO_ACCESS, "no lease: %s" % answer  # noqa: UP031  no f-string
        if now > start + int(max_age) or os.getppid() != parent:
            code, why = LEFT, "too old"
        status, answer = look(s3, own)
        if status == 200:
            if answer["Body"]:
                say("has a workload")
                return 0, answer["Body"]
            code, why = LEFT, "not needed"
        if code:
            say("leaves, " + why)
            return code, b""
        sleep(0.5 + random.random())  # noqa: S311  it spreads the looks of many standbys


def become_airflow(workload: str) -> None:
    """Go on as `python -m airflow.… --json-string WORKLOAD` does from here, in its main module."""
    sys.argv[2] = workload
    sys.orig_argv[1:] = ["-m", MODULE, *sys.argv[1:]]
    run, module = runpy._run_module_as_main, MODULE  # type: ignore[attr-defined]  # noqa: SLF001  as `python -m` does
    for name in [*globals()]:
        if name[0] != "_":
            del globals()[name]
    run(module)


def main() -> None:
    """Wait, and run what comes."""
    region, max_age, lease, own = sys.argv[1:]
    refresh = os.environ.pop("ECS_ASYNC_REFRESH", "")  # from the image's entrypoint: fetches the Dags again
    # As `python -m` has them, for whatever looks at them while it is imported.
    sys.argv = ["-m", "--json-string", ""]
    if sys.path[:1] == [""]:
        sys.path[0] = os.getcwd()  # noqa: PTH109  no import more than needed
    parent, child = os.getpid(), 0

    def leave(code: int) -> None:
        if child:
            os.kill(child, 9)  # SIGKILL
        os._exit(code)  # at once, whatever Airflow wants done at exit

    def stop(*_: object) -> None:
        say("leaves, SIGTERM")
        leave(LEFT)

    say("waits in " + own.rpartition("/")[0])
    before = signal.signal(signal.SIGTERM, stop)
    source, sink = os.pipe()
    child = os.fork()
    try:
        if not child:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            boto: Any = __import__("botocore.session")
            config = boto.config.Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
            s3 = boto.session.Session().create_client("s3", region or None, config=config)
            code, workload = wait(s3, lease, own, max_age, parent, time.monotonic, time.sleep)
            with open(sink, "wb") as file:  # noqa: PTH123  it has no path
                file.write(workload)
            os._exit(code)
        os.close(sink)
        __import__(WARM_UP)
        with open(source, "rb") as pipe:  # noqa: PTH123  it has no path
            workload = pipe.read()
        signal.signal(signal.SIGTERM, before)
        status = os.waitpid(child, 0)[1]
    except BaseException:  # noqa: BLE001  also what exits, and nothing may leave the child
        sys.excepthook(*sys.exc_info())
        leave(BROKEN)
    if status or (refresh and os.system(refresh)):  # noqa: S605  the image's own command
        os._exit(status >> 8 or LEFT)  # its exit code, unless a signal ended it
    become_airflow(workload.decode())


if __name__ == "__main__":
    main()
