"""One form for all spellings of a name: camelCase, snake_case, in any case. Pure."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(1000)
def _fold_text(key: str) -> str:
    return key.replace("_", "").lower()


def fold(key: object) -> str:
    """Return the form that all spellings of a name share; empty if the key is not text."""
    return _fold_text(key) if isinstance(key, str) else ""
