"""Value types for argparse that several commands share."""

from __future__ import annotations

import argparse
import math


def seconds(text: str) -> float:
    """Parse a finite, non-negative number of seconds.

    Raises:
        ArgumentTypeError: The text is not such a number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def some_seconds(text: str) -> float:
    """Parse a positive number of seconds.

    Raises:
        ArgumentTypeError: The text is not such a number.
    """
    if not (value := seconds(text)):
        raise argparse.ArgumentTypeError("it must be more than 0 seconds")
    return value
