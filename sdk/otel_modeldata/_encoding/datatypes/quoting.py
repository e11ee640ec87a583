"""Texts in the codes of types, and where a code is left out."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

OTHER: Final = "other"
"""A type that readers cannot restore; its name is the parameter."""


def quoted(text: str) -> str:
    """A parameter, such as the name of a time zone."""
    return quote(text, safe="/+:()")


def quoted_name(text: str) -> str:
    """A name, which ends at the first colon."""
    return quote(text, safe="")


def other(name: str) -> str:
    """The code of a type without a code of its own."""
    return f"{OTHER}[{quoted(name)}]"
