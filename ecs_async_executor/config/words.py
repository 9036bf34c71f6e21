"""Puts pydantic's errors into words, without showing a value. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WORDS = {
    "bool_parsing": "it is neither true nor false",
    "bool_type": "it is neither true nor false",
    "dict_type": "it is not an object",
    "finite_number": "it is not a finite number",
    "float_parsing": "it is not a number",
    "float_type": "it is not a number",
    "greater_than": "it must be more than {gt:g}",
    "greater_than_equal": "it must be at least {ge:g}",
    "int_from_float": "it is not a whole number",
    "int_parsing": "it is not a whole number",
    "int_type": "it is not a whole number",
    "less_than_equal": "it must be at most {le:g}",
    "list_type": "it is not a list",
    "literal_error": "it is not {expected}",
    "missing": "it is required, but not set",
    "string_pattern_mismatch": "it has characters that aren't allowed, or too many",
    "string_too_short": "it is empty",
    "string_type": "it is not text",
    "too_long": "it has {actual_length} items; at most {max_length} are allowed",
    "tuple_type": "it is not a list",
}


def in_words(error: ErrorDetails) -> str:
    """Describe the problem, worded to follow a name and a colon."""
    words = _WORDS.get(error["type"])
    if words is None:  # our own, raised in `parsing`
        return error["msg"].removeprefix("Value error, ").removesuffix(".")
    return words.format(**error.get("ctx", {}))


def sentence(text: str) -> str:
    """End a text with a full stop, unless it ends with a question."""
    return text if text.endswith("?") else f"{text}."
