"""The Airflow plugin: what the UI gets from this package.

Schedulers, Dag processors and workers load plugins, too: keep the import cheap. Airflow asks for `fastapi_apps`
only in the API server, so the app is built there and nowhere else.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from ecs_async_executor.ui.links import LINKS

log = logging.getLogger(__name__)

PREFIX = "/ecs-fleet"


def page_path() -> str:
    """Return the page's path, below that of `[api] base_url`."""
    path = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    return f"{path}{PREFIX}/"


class EcsAsyncPlugin(AirflowPlugin):
    """Adds the entry "ECS fleet" to the menu Browse, and links to the AWS console to every task."""

    name = "ecs_async_executor"
    global_operator_extra_links: list[Any] = list(LINKS)  # noqa: RUF012  as the base class declares it

    def __init__(self) -> None:
        self.external_views = [
            {
                "name": "ECS fleet",
                "href": page_path(),
                "url_route": "ecs-fleet",
                "category": "browse",
                "destination": "nav",
            }
        ]

    @cached_property
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override]  # a list, made when it is first asked for
        """The page's app; none if it can't be made, for the API server must start without it."""
        try:
            from ecs_async_executor.ui.app import make_app  # noqa: PLC0415  only API servers need it

            return [{"app": make_app(), "url_prefix": PREFIX, "name": "ECS fleet"}]
        except Exception:
            log.exception("The ECS fleet page can't be shown.")
            return []
