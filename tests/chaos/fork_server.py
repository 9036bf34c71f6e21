"""Starts Airflow's processes quickly: imports all of Airflow once, then forks for each.

A scheduler is ready a second after it was asked for, instead of after five of pure CPU: so that a crash test can afford
dozens of them. What runs in the fork is `airflow scheduler`, from its own entry point.

Reads orders from stdin, a line of JSON each: {"name", "module", "argv", "environment", "log"}. Writes to stdout
{"name", "pid"} when a child was started and {"name", "exit_code"} when it has ended (negative: by that signal).
Ends, and its children with it, when stdin does.
"""

from __future__ import annotations

import faulthandler
import json
import os
import runpy
import select
import signal
import sys
import traceback
from importlib import import_module
from typing import Any

# No database connection and no thread may exist before a fork: only imports.
_IMPORTS = (
    "airflow.__main__",
    "airflow.cli.commands.scheduler_command",
    "airflow.cli.commands.api_server_command",
    "airflow.api_fastapi.execution_api.app",
    "airflow.dag_processing.dagbag",
    "airflow.providers.amazon.aws.hooks.base_aws",
    "aiobotocore.session",
    "ecs_async_executor.executor.executor",
)
_TICK = 0.02  # seconds
_answers = sys.stdout


def main() -> None:
    """Serve until stdin ends."""
    global _answers  # noqa: PLW0603  one process, one pipe
    _answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an import prints is no answer
    for name in _IMPORTS:
        import_module(name)
    _say({"name": "fork-server", "pid": os.getpid()})
    children: dict[int, str] = {}
    while True:
        if select.select([sys.stdin], [], [], _TICK)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            order = json.loads(line)
            pid = os.fork()
            if not pid:
                _live(order)
            children[pid] = order["name"]
            _say({"name": order["name"], "pid": pid})
        _reap(children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _reap(children: dict[int, str]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        name = children.pop(pid, None)
        if name is not None:
            _say({"name": name, "exit_code": os.waitstatus_to_exitcode(status)})


def _say(word: dict[str, Any]) -> None:
    _answers.write(json.dumps(word) + "\n")
    _answers.flush()


def _live(order: dict[str, Any]) -> None:
    """Be the child, as if it had been started by `python -m module argv...`."""
    code = 1
    try:
        _answers.close()
        os.setsid()  # a session of its own: whatever it leaves behind can be found
        log = os.open(order["log"], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        faulthandler.register(signal.SIGUSR1, all_threads=False)
        os.environ.update(order["environment"])
        sys.argv = [order["module"], *order["argv"]]
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # noqa: BLE001  this is the end of the process, as in an interpreter
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
