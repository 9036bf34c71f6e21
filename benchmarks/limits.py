"""AWS's default limits that results are compared with."""

from __future__ import annotations

LAUNCH_RATE, LAUNCH_BURST = 20.0, 20.0
"""RunTask calls a second, and at once, that AWS allows on Fargate (AWS Fargate throttling quotas)."""
READ_RATE = 20.0
"""DescribeTasks and ListTasks calls a second that AWS allows (Amazon ECS API request throttling)."""
