"""What a user has configured: options of `[aws_ecs_executor]`, a task's `executor_config`, and the cluster's defaults."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

SECTION = "AIRFLOW__AWS_ECS_EXECUTOR__"
BASE = {
    "cluster": "my-cluster",
    "container_name": "airflow",
    "task_definition": "airflow-task",
    "subnets": "subnet-1,subnet-2",
    "region_name": "us-east-1",
}
"""What nearly everybody sets."""


@dataclass(frozen=True)
class Setup:
    """One configuration. Rules never change it; they make another one."""

    options: Mapping[str, str] = field(default_factory=lambda: BASE)
    config: Any = None
    """The task's `executor_config`."""
    strategy_of_cluster: bool = False
    """The cluster has a default capacity provider strategy."""
    callback: bool = False
    """The workload is a callback, not a task."""

    def __hash__(self) -> int:
        """Let functions of configurations be cached; a dict has no hash."""
        return hash(repr(self))

    @property
    def kwargs(self) -> dict[str, Any]:
        """`run_task_kwargs`, if it is an object; a copy."""
        value = self.kwargs_value
        return value if isinstance(value, dict) else {}

    @property
    def kwargs_value(self) -> Any:
        """What `run_task_kwargs` says, as JSON or as Python prints it; None if it is neither."""
        text = self.options.get("run_task_kwargs", "{}")
        for parse in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError):
                return parse(text)
        return None

    @property
    def overlay(self) -> dict[str, Any]:
        """`executor_config`, if it is a dict; a copy."""
        return json.loads(json.dumps(self.config)) if isinstance(self.config, dict) else {}

    @property
    def container(self) -> str:
        return self.options.get("container_name", "")

    def having(self, **options: str | None) -> Setup:
        """Set options; None unsets."""
        merged = {**self.options, **options}
        return replace(self, options={name: value for name, value in merged.items() if value is not None})

    def with_kwargs(self, kwargs: Mapping[str, Any]) -> Setup:
        return self if kwargs == self.kwargs else self.having(run_task_kwargs=json.dumps(kwargs))

    def with_config(self, config: Any) -> Setup:
        return replace(self, config=config)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Set the options as environment variables. Not by `patch.dict`: it writes the whole environment anew."""
        variables = {SECTION + name.upper(): value for name, value in self.options.items()}
        assert not variables.keys() & os.environ.keys()
        os.environ.update(variables)
        try:
            yield
        finally:
            for name in variables:
                del os.environ[name]
