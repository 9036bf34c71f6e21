"""AWS's public on-demand prices of Fargate, of one Region on one day (https://aws.amazon.com/fargate/pricing, Linux). Plain data."""

from __future__ import annotations

from collections.abc import Mapping

REGION = "us-east-1"
MONTH = 730.0
"""Hours of a month, as AWS's calculator counts them."""
DATE = "June 2026"
FARGATE: Mapping[str, tuple[float, float]] = {"X86_64": (0.04048, 0.004445), "ARM64": (0.03238, 0.00356)}
"""US dollars for a vCPU-hour and a GB-hour, by processor."""
