from __future__ import annotations

from pathlib import Path

import pytest

from ecs_async_executor.demo.environment import Home, Ports, Secrets, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(
        home=Home(tmp_path / "home"),
        ports=Ports(airflow=8080, ecs=9001, logs=9002, s3=9003),
        secrets=Secrets(
            password="the-password",
            jwt_secret="the-jwt-secret",
            api_secret_key="the-api-secret-key",
            fernet_key="the-fernet-key",
        ),
        parallelism=8,
    )
