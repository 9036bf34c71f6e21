"""What options of several commands take, for argparse's `type`."""

from __future__ import annotations

import argparse
import math


def seconds(text: str) -> float:
    """Read a finite number of seconds that is not negative.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def some_seconds(text: str) -> float:
    """Read a number of seconds above zero.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not (value := seconds(text)):
        raise argparse.ArgumentTypeError("it must be more than 0 seconds")
    return value
