"""Keeps workloads' tokens out of texts that others have written: what AWS, a container runtime or a shell prints. Pure."""

from __future__ import annotations

import re

# A JSON Web Token: three parts in base64url; the first is a JSON object, so it begins with `{"`.
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")


def without_tokens(text: str) -> str:
    """Replace JSON Web Tokens by `***`: who can't run a container's command prints it, with its workload's token."""
    return _TOKEN.sub("***", text) if "eyJ" in text else text
