"""Makes a token as the executor makes a workload's, for a task instance that doesn't exist."""

from __future__ import annotations

import uuid
from typing import Any


def make_token(lifetime: float) -> tuple[str, str]:
    """Return the id of a task instance that doesn't exist, and a workload's token for it, valid for `lifetime` seconds.

    Raises what Airflow raises if there is no key.
    """
    # As `BaseExecutor.jwt_generator` makes it.
    from airflow.api_fastapi.auth.tokens import JWTGenerator, get_signing_args  # noqa: PLC0415  a second of imports
    from airflow.configuration import conf  # noqa: PLC0415  as above

    options: Any = conf
    generator: Any = JWTGenerator(
        valid_for=lifetime,
        audience=options.get_mandatory_list_value("execution_api", "jwt_audience")[0],
        issuer=options.get("api_auth", "jwt_issuer", fallback=None),
        **get_signing_args(make_secret_key_if_needed=False),
    )
    subject = str(uuid.uuid4())
    token: str = generator.generate(extras={"sub": subject, "scope": "workload"}, valid_for=lifetime)
    return subject, token
