"""Serves moto with a moment between its look for a key and its write, so that what isn't atomic shows at once."""

from __future__ import annotations

import time
from typing import Any

from ecs_async_executor.local import moto

_MOMENT = 0.02  # seconds

if __name__ == "__main__":
    from moto.s3.models import S3Backend  # importing moto patches botocore, so only in this process

    put_object = S3Backend.put_object

    def put_later(*arguments: Any, **more: Any) -> Any:
        """Write after a moment."""
        time.sleep(_MOMENT)
        return put_object(*arguments, **more)

    S3Backend.put_object = put_later  # type: ignore[method-assign]  # on purpose
    moto.main()
