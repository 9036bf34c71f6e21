"""Asks this host: names, the execution API, Airflow's database."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping
from datetime import datetime, timezone
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ecs_async_executor.doctor.facts import Absent, Cause, Fact, Kind, Known, Question, Unknown
from ecs_async_executor.doctor.tokens import make_token

HTTP_SECONDS = 5.0
_TOKEN_SECONDS = 60.0
_NO_CONNECTION = frozenset({"AirflowNotFoundException"})
"""Airflow's exception for a connection that isn't there; its module differs between versions."""
KINDS = frozenset({Kind.ADDRESS, Kind.API, Kind.CONNECTION, Kind.POOL, Kind.TOKEN})


def prepare() -> None:
    """Import what the answers need, in one thread: Airflow's models, imported by two at once, wait for each other for ever."""
    import airflow.api_fastapi.auth.tokens  # noqa: PLC0415  seconds of imports
    import airflow.models.pool  # noqa: F401, PLC0415  as above
    from airflow.models import import_all_models  # noqa: PLC0415  as above
    from sqlalchemy.orm import configure_mappers  # noqa: PLC0415  as above

    load: Any = import_all_models
    load()
    configure_mappers()


def answer(question: Question) -> Fact:
    """Answer a question about this host's view; may raise."""
    ask = {
        Kind.ADDRESS: _address,
        Kind.API: _api,
        Kind.CONNECTION: _connection,
        Kind.POOL: _pool,
        Kind.TOKEN: _token,
    }
    return ask[question.kind](question.name)


def _address(host: str) -> Fact:
    try:
        found = socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            return Unknown("The name server doesn't answer.", Cause.NETWORK)
        return Absent(str(error.strerror))
    return Known(tuple(sorted({str(each[4][0]) for each in found})))


def _api(url: str) -> Fact:
    """Return what answers at `<url>/health`: status, whether it is the execution API, and a connection's error.

    `plain HTTP` if the address begins with http:// and the port speaks TLS: servers answer 400 then, or break off.
    """
    status, text, problem = _call(Request(f"{url.rstrip('/')}/health"))  # noqa: S310  the option's address
    healthy = '"healthy"' in text
    if not healthy and problem not in {"refused", "time-out"} and _speaks_tls(url):
        problem = "plain HTTP"
    return Known({"status": status, "healthy": healthy, "problem": problem})


def _speaks_tls(url: str) -> bool:
    """Return whether the port of an address that begins with http:// answers a TLS handshake. No certificate is checked."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        return False
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        where = (parts.hostname or "", parts.port or 80)
        with (
            socket.create_connection(where, HTTP_SECONDS) as made,
            context.wrap_socket(made, server_hostname=where[0]),
        ):
            return True
    except (OSError, ValueError):
        return False


def _token(url: str) -> Fact:
    """Say that a task instance that doesn't exist begins to run: 404 if the token is accepted; it changes nothing."""
    subject, token = make_token(_TOKEN_SECONDS)
    body = {
        "state": "running",
        "hostname": "ecs-async-doctor",
        "unixname": "ecs-async-doctor",
        "pid": 1,
        "start_date": datetime.now(timezone.utc).isoformat(),
    }
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    target = f"{url.rstrip('/')}/task-instances/{subject}/run"
    request = Request(target, json.dumps(body).encode(), headers, method="PATCH")  # noqa: S310  as above
    status, text, problem = _call(request)
    return Known({"status": status, "unknown_task": "not_found" in text, "problem": problem})


def _call(request: Request) -> tuple[int, str, str]:
    """Return status, the answer's beginning, and the error: `refused`, `time-out`, `certificate: ...` or its words."""
    try:
        with urlopen(request, timeout=HTTP_SECONDS) as answered:  # noqa: S310  as above
            return answered.status, answered.read(4096).decode(errors="replace"), ""
    except HTTPError as error:
        with error:
            return error.code, error.read(4096).decode(errors="replace"), ""
    except (URLError, OSError, HTTPException, ValueError) as error:
        return 0, "", _why(error.reason if isinstance(error, URLError) else error)


def _why(error: Any) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason}"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, TimeoutError):
        return "time-out"
    return f"{type(error).__name__}: {error}"


def _connection(conn_id: str) -> Fact:
    """Return whether Airflow has a connection; never what is in it."""
    from airflow.sdk import BaseHook  # noqa: PLC0415  a second of imports

    try:
        BaseHook.get_connection(conn_id)
    except Exception as error:  # noqa: BLE001  a database or a secrets backend may fail in any way
        if type(error).__name__ in _NO_CONNECTION:
            return Absent()
        return Unknown(f"Airflow's connections can't be read ({type(error).__name__}).", Cause.OTHER)
    return Known(value=True)


def _pool(name: str) -> Fact:
    from airflow.models.pool import Pool  # noqa: PLC0415  a second of imports
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  as above

    try:
        pool: Any = Pool.get_pool(name)
    except SQLAlchemyError as error:
        text = f"Airflow's database can't be read ({type(error).__name__})."
        todo = "Run the doctor where the scheduler runs, with its environment; for a new database, run airflow db migrate first."
        return Unknown(text, Cause.OTHER, todo)
    found: Mapping[str, int] | None = {"slots": int(pool.slots)} if pool is not None else None
    return Known(found) if found else Absent()
