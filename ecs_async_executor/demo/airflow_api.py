"""The few calls to Airflow's public REST API that the demo makes."""

from __future__ import annotations

from typing import Any

import httpx
from typing_extensions import Self

_TIMEOUT = 60.0  # seconds; the API server shares two cores with everything else, maybe with other builds


class AirflowApi:
    """A client of Airflow's REST API that logs in through the simple auth manager."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT, trust_env=False)
        self._login = {"username": user, "password": password}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def health(self) -> dict[str, bool]:
        """Return which of metadatabase, scheduler, triggerer and dag_processor are healthy; empty until the API answers."""
        try:
            answer = self._http.get("/api/v2/monitor/health")
        except httpx.TransportError:
            return {}
        if not answer.is_success:
            return {}
        return {name: part.get("status") == "healthy" for name, part in answer.json().items()}

    def warm_up(self) -> None:
        """Call the Execution API once, because its first response takes seconds. Raises httpx.HTTPError."""
        self._http.get("/execution/health").raise_for_status()

    def dag_ids(self) -> set[str]:
        """Return the Dags that the Dag processor has delivered. Raises httpx.HTTPError."""
        return {dag["dag_id"] for dag in self._request("GET", "/api/v2/dags")["dags"]}

    def import_errors(self) -> list[str]:
        """Return a text per Dag file that Airflow can't import. Raises httpx.HTTPError."""
        errors = self._request("GET", "/api/v2/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in errors]

    def trigger(self, dag_id: str) -> str:
        """Start a run of the Dag and return its id. Raises httpx.HTTPError."""
        run = self._request("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})
        return str(run["dag_run_id"])

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if "Authorization" not in self._http.headers:
            answer = self._http.post("/auth/token", json=self._login).raise_for_status()
            self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        result: dict[str, Any] = self._http.request(method, path, json=body).raise_for_status().json()
        return result
