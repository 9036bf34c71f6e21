"""A Dag whose task writes down all that it can see of its process, as JSON, to the file in STATE_FILE."""

from __future__ import annotations

import atexit
import faulthandler
import gc
import json
import locale
import logging
import multiprocessing
import multiprocessing.spawn
import os
import re
import resource
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import psutil
from airflow.sdk import DAG, task

_PLAIN = (str, bytes, int, float, complex, bool, type(None))


def plain(value: object, depth: int = 4) -> object:
    """Give a value as it would be shown, and of everything else the type."""
    if type(value) in _PLAIN:
        return repr(value)
    if depth and type(value) in {list, tuple}:
        return [plain(each, depth - 1) for each in value]  # type: ignore[attr-defined]  # it is one of them
    if depth and type(value) in {set, frozenset}:
        return sorted(str(plain(each, depth - 1)) for each in value)  # type: ignore[attr-defined]  # it is one of them
    if depth and type(value) is dict:
        return {str(plain(key, 1)): plain(each, depth - 1) for key, each in value.items()}
    return f"{type(value).__module__}.{type(value).__qualname__}"


def files_of(pid: int) -> dict[str, str]:
    """Give what each file descriptor is: a path, or a kind."""
    found = {}
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found[each.name] = re.sub(r":\[\d+\]", "", str(each.readlink()))
        except FileNotFoundError:  # the listing's own
            continue
    return found


def loggers() -> dict[str, object]:
    """Give each logger's level, handlers and filters."""
    every = {"": logging.getLogger(), **logging.Logger.manager.loggerDict}
    return {
        name: [
            each.level,
            each.propagate,
            each.disabled,
            [(type(h).__name__, h.level) for h in each.handlers],
            len(each.filters),
        ]
        for name, each in every.items()
        if isinstance(each, logging.Logger)
    }


def modules() -> dict[str, object]:
    """Give every global of every module."""
    return {
        name: {key: plain(value) for key, value in list(vars(module).items()) if key != "__builtins__"}
        for name, module in list(sys.modules.items())
        if hasattr(module, "__dict__")
    }


def state() -> dict[str, Any]:
    """Give everything, by kind."""
    main, supervisor = sys.modules["__main__"], psutil.Process(os.getppid())
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    every_signal = sorted(signal.valid_signals())
    umask = os.umask(0)
    os.umask(umask)
    return {
        "environment": dict(os.environ),
        "files": files_of(os.getpid()),
        "files of the supervisor": files_of(supervisor.pid),
        "signal handlers": {int(each): repr(plain(signal.getsignal(each))) for each in every_signal},
        "signals": {key: status[key].strip() for key in ("SigBlk", "SigIgn", "SigCgt")},
        "umask": umask,
        "directory": str(Path.cwd()),
        "root": str(Path("/proc/self/root").readlink()),
        "user": [os.getresuid(), os.getresgid(), os.getgroups()],
        "leads its group, session": [os.getpgrp() == supervisor.pid, os.getsid(0) == supervisor.pid],
        "children of the supervisor": [
            each.pid - os.getpid() for each in supervisor.children(recursive=True)
        ],
        "connections": len(psutil.Process().net_connections()),
        "stack": [f"{Path(each.filename).name} {each.name}" for each in traceback.extract_stack()],
        "threads": [(each.name, each.daemon) for each in threading.enumerate()],
        "threads of the supervisor": supervisor.num_threads(),
        "kernel's threads": int(status["Threads"]),
        "limits": {
            each: resource.getrlimit(getattr(resource, each))
            for each in dir(resource)
            if each.startswith("RLIMIT")
        },
        "niceness": [
            os.nice(0),
            sorted(os.sched_getaffinity(0)),
            Path("/proc/self/oom_score_adj").read_text(),
        ],
        "path": sys.path,
        "arguments": sys.argv,
        "original arguments": sys.orig_argv[1:],
        "command line": [Path("/proc/self/cmdline").read_text(), Path("/proc/self/comm").read_text()],
        "flags": [repr(sys.flags), sys.warnoptions, dict(sys._xoptions)],
        "main module": {key: plain(value) for key, value in vars(main).items()},
        "main module's spec": [
            main.__spec__.name if main.__spec__ else None,
            main.__spec__.origin if main.__spec__ else None,
        ],
        "what a spawned process gets": plain(
            {**multiprocessing.spawn.get_preparation_data("one"), "authkey": None}
        ),
        "start method": multiprocessing.get_start_method(allow_none=True),
        "time zone": [time.tzname, time.timezone, time.daylight],
        "locale": [
            locale.setlocale(locale.LC_ALL),
            locale.getpreferredencoding(),
            sys.getfilesystemencoding(),
        ],
        "standard files": [
            (plain(each.name), each.encoding, each.errors, each.line_buffering)
            for each in (sys.stdin, sys.stdout, sys.stderr)
        ],
        "loggers": loggers(),
        "warnings": [repr(each) for each in warnings.filters],
        "finders": [plain(sys.meta_path), len(sys.path_hooks), sorted(sys.path_importer_cache)],
        "hooks": [
            plain(each)
            for each in (sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook)
        ],
        "exit functions": atexit._ncallbacks(),
        "collector": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()],
        "interpreter": [
            sys.getrecursionlimit(),
            sys.getswitchinterval(),
            sys.dont_write_bytecode,
            faulthandler.is_enabled(),
        ],
        "tracing": [sys.gettrace() is None, sys.getprofile() is None],
        "sockets": socket.getdefaulttimeout(),
        "modules": modules(),
    }


with DAG("state", schedule=None):

    @task(task_id="task")
    def write_state() -> None:
        Path(os.environ["STATE_FILE"]).write_text(json.dumps(state(), default=repr))

    write_state()
