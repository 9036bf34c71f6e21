"""The outputs of a stack as environment variables: as a text, and as a file that only its owner can read."""

from __future__ import annotations

import json
import os
import re
import shlex
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ecs_async_executor.errors import OperationError

FORMATS = ("shell", "docker", "json")
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def variables(outputs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the variables of DescribeStacks' outputs: an output's description is its variable's name.

    (CloudFormation allows no underscore in an output's own name.)
    """
    found = {str(each.get("Description", "")): str(each["OutputValue"]) for each in outputs}
    return {name: value for name, value in found.items() if _NAME.fullmatch(name)}


def as_text(found: Mapping[str, str], form: str = "shell") -> str:
    """Return the variables in one of `FORMATS`.

    shell: NAME=VALUE, quoted where a shell, docker compose and systemd need it; docker: never quoted, as
    `docker run --env-file` reads it; json: an object.
    """
    if form == "json":
        return json.dumps(found, indent=2) + "\n"
    quote = shlex.quote if form == "shell" else str
    return "".join(f"{name}={quote(value)}\n" for name, value in found.items())


def write(path: Path, text: str) -> None:
    """Write a file that only its owner may read; at no time it is half written, or readable by others.

    Raises:
        OperationError: It can't be written.
    """
    try:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}."
        )  # mkstemp gives it mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OperationError(f"Can't write {path}: {error.strerror}.") from None
