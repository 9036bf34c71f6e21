"""An auth manager that asks for a login and lets each user read the Dags that their name says."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

NOT_EVENTS = "without-events"
NOTHING = "nothing"


class DagsByName(SimpleAuthManager):
    """The user `a+b` may read the Dags a and b; `+without-events` takes away the Audit Log."""

    def is_authorized_dag(
        self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None
    ) -> bool:
        names = user.get_id().split("+")
        if method != "GET" or NOTHING in names:
            return False
        if access_entity is DagAccessEntity.AUDIT_LOG and NOT_EVENTS in names:
            return False
        return details is None or details.id is None or details.id in names

    def filter_authorized_dag_ids(self, *, dag_ids: set[str], user: Any, **_: Any) -> set[str]:
        return dag_ids & set(user.get_id().split("+"))
