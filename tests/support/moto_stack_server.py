"""Serves moto with `moto_stack`'s additions, like `ecs_async_executor.local.moto`.

moto wants its models in a module with a name, so this is a file of its own.
"""

from __future__ import annotations

from ecs_async_executor.local import moto
from tests.support.moto_stack import add_to_moto

if __name__ == "__main__":
    add_to_moto()
    moto.main()
