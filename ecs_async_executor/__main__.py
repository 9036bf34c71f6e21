"""`python -m ecs_async_executor` is `ecs-async`."""

from __future__ import annotations

from ecs_async_executor.cli import main

raise SystemExit(main())
