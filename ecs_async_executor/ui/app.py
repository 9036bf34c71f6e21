"""The fleet page's app, which the API server mounts: the page, its files, and the JSON that it shows.

The page and its files hold no data, and the JSON only what its user may read. Who that is, Airflow's auth
manager decides, by the same questions that Airflow's own lists of task instances and events ask it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.fleet.costs import Costs
from ecs_async_executor.fleet.executors import NOT_OURS, find_our_executors
from ecs_async_executor.fleet.live import Fleet
from ecs_async_executor.fleet.queries import read_costs, read_events, read_fleet
from ecs_async_executor.fleet.view import Filters, choose_failures, make_view
from ecs_async_executor.task_arn import TaskArn
from ecs_async_executor.ui.console import configured_endpoint, is_aws_endpoint, task_url
from ecs_async_executor.ui.plugin import PREFIX, page_path
from ecs_async_executor.ui.shared_fleet import BusyError, SharedRead

log = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "page"
COSTS_FRESH_FOR = 60.0
"""Seconds for which a read of costs serves everybody: it may be of many rows, and they change slowly."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",  # asks whether it has changed: after an upgrade nobody sees an old page
}
FORBIDDEN = "This page shows task instances, and your role in Airflow may not read them."
UNREADABLE = "Airflow's metadata database can't be read now. The API server's log says why."
ANOTHER_EXECUTOR = f"{NOT_OURS} Give the API server the scheduler's `[core] executor`."
BUSY = "Airflow's metadata database is slow: others already wait for this page."


def make_app() -> FastAPI:
    """Make the app. It reads nothing until somebody asks for the JSON."""
    app = FastAPI(title="ECS fleet", openapi_url=None, docs_url=None, redoc_url=None)
    shared, costs = SharedRead(_read), SharedRead(_read_costs, fresh_for=lambda: COSTS_FRESH_FOR)
    app.middleware("http")(_add_headers)
    app.exception_handler(HTTPException)(_to_login)
    app.mount("/static", StaticFiles(directory=PAGE), name="static")

    @app.get("/", dependencies=[Depends(get_user)])
    def page() -> Response:
        return FileResponse(PAGE / "fleet.html", media_type="text/html")

    @app.get("/fleet.json")
    def fleet(user: GetUserDep, filters: Annotated[Filters, Depends(_filters)]) -> Response:
        return JSONResponse(_view(shared, costs, user, filters), headers={"Cache-Control": "no-store"})

    return app


def _filters(  # noqa: PLR0913, PLR0917  the query's parameters
    text: Annotated[str, Query(max_length=250)] = "",
    phase: Annotated[str, Query(max_length=20)] = "",
    queue: Annotated[str, Query(max_length=256)] = "",
    sort: Annotated[str, Query(max_length=20)] = "phase",
    descending: bool = False,  # noqa: FBT001, FBT002  as above
    page: Annotated[int, Query(ge=0, le=10_000)] = 0,
) -> Filters:
    return Filters(text, phase, queue, sort, descending, page)


def _view(shared: SharedRead[Fleet], costs: SharedRead[Costs], user: Any, filters: Filters) -> dict[str, Any]:
    auth_manager = get_auth_manager()

    def may_read(what: DagAccessEntity) -> bool:
        return auth_manager.is_authorized_dag(method="GET", access_entity=what, user=user)

    if not may_read(DagAccessEntity.TASK_INSTANCE):
        raise HTTPException(403, FORBIDDEN)
    events = may_read(DagAccessEntity.AUDIT_LOG)
    try:
        readable = frozenset(auth_manager.get_authorized_dag_ids(user=user, method="GET"))
        found = shared.get()
        failures = []
        if events and (ids := choose_failures(found, readable)):
            with create_session(scoped=False) as session:
                failures = [event for event in read_events(session, ids) if event.dag_id in readable]
    except BusyError:
        raise HTTPException(503, BUSY) from None
    except ConfigurationError as error:
        raise HTTPException(503, str(error)) from None
    except SQLAlchemyError:
        log.exception("The ECS fleet page can't read the database.")
        raise HTTPException(503, UNREADABLE) from None
    return make_view(
        found,
        readable,
        time.time(),
        filters,
        failures,
        events=events,
        console_url=_console_url(),
        costs=_costs(costs) if events else None,
    )


def _costs(costs: SharedRead[Costs]) -> Costs | None:
    """Return the costs; None if they can't be read now: the rest of the page matters more."""
    try:
        return costs.get()
    except BusyError:
        return None
    except SQLAlchemyError:
        log.exception("The ECS fleet page can't read costs from the database.")
        return None


def _console_url() -> Callable[[str], str | None]:
    """Return what makes the AWS console's address of an ARN: nothing if the ECS isn't AWS's own."""
    if not is_aws_endpoint(configured_endpoint()):
        return lambda _: None
    return lambda arn: task_url(parsed) if (parsed := TaskArn.parse(arn)) is not None else None


def _read() -> Fleet:
    """Read the fleet; raises `ConfigurationError` if no row here can be this executor's: zeros would look like an idle fleet."""
    ours = find_our_executors()
    if not ours.names:
        raise ConfigurationError(ANOTHER_EXECUTOR)
    with create_session(scoped=False) as session:
        return read_fleet(session, ours, time.time())


def _read_costs() -> Costs:
    with create_session(scoped=False) as session:
        return read_costs(session, time.time())


async def _to_login(request: Request, error: Exception) -> Response:
    """Answer 401 with a redirect to Airflow's login if a person opens the page, as Airflow's UI does."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 401 and request.url.path.endswith(f"{PREFIX}/"):
        # By `[api] base_url`, not by the request: a proxy may take its prefix away.
        path = page_path()
        login = f"{path.removesuffix(PREFIX.removeprefix('/') + '/')}api/v2/auth/login"
        return RedirectResponse(f"{login}?next={quote(path, safe='')}")
    return await http_exception_handler(request, error)


async def _add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
