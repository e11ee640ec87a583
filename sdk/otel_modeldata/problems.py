"""What is wrong with a setting: a value with a path and a message, and the parts that messages share.

Validation makes `Problem`s; a sentence is made of one where a person reads it, and is never parsed back.
"""

from __future__ import annotations

import difflib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Problem", "closest", "is_loopback"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration.

    Attributes:
        path: what it is about: a key with dots and indexes (`collections.a.data.version`), or the name of an
            environment variable; empty where it is about the whole.
        message: what was expected, what was given, and what to do.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def closest(name: object, known: Iterable[str]) -> str | None:
    """The known name that `name` is most likely a misspelling of; None where none is close."""
    return next(iter(difflib.get_close_matches(str(name), list(known), n=1)), None)


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine alone: `localhost`, 127.0.0.0/8 or `::1` (with or without brackets)."""
    name = host.strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
