"""Numbers on the command line."""

from __future__ import annotations

import argparse
import math

__all__ = ["number_argument", "number_between"]


def number_between(text: str, least: float, most: float) -> float | None:
    """A finite number from `least` to `most`; None if it is no such number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and least <= value <= most else None


def number_argument(text: str) -> float:
    """A number that is not negative.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    value = number_between(text, 0.0, math.inf)
    if value is None:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r:.40}")
    return value
