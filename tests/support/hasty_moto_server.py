"""Serves moto with threads that are switched at every turn, so that what isn't atomic shows."""

from __future__ import annotations

import sys

from ecs_async_executor.local import moto

if __name__ == "__main__":
    sys.setswitchinterval(1e-6)
    moto.main()
