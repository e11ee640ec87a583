"""What is wrong with a setting: a value with a path and a message, and the parts that messages share.

Validation makes `Problem`s; a sentence is made of one where a person reads it, and is never parsed back.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Problem", "child", "closest", "is_loopback", "item", "sentence"]

_PLAIN_KEY: Final = re.compile(r"[\w$/-]+")
_LIKELY: Final = 0.6
"""The cutoff of `difflib`: how similar two names are, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration.

    Attributes:
        path: what it is about: a key with dots and indexes (`collections.a.data.version`), or the name of an
            environment variable; empty where it is about the whole.
        message: what was expected, what was given, and what to do.
        source: the file that `path` is a key of, as the user named it; empty for an environment variable, and where
            there is one file only.
    """

    path: str
    message: str
    source: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, self.path, self.message) if part)


def sentence(problems: Iterable[Problem]) -> str:
    """All problems as one sentence, in which a file is named once for the problems that follow."""
    source = ""
    parts = []
    for problem in problems:
        parts.append(str(replace(problem, source="") if problem.source == source else problem))
        source = problem.source
    return "; ".join(parts)


def child(path: str, key: object) -> str:
    """The path of a key in the mapping at `path`; a key with dots or other signs is quoted: `collections['a.b']`."""
    name = str(key)
    if _PLAIN_KEY.fullmatch(name) is None:
        return f"{path}[{name!r}]"
    return f"{path}.{name}" if path else name


def item(path: str, index: int) -> str:
    """The path of an entry in the list at `path`."""
    return f"{path}[{index}]"


def closest(name: object, known: Iterable[str], *, cutoff: float = _LIKELY) -> str | None:
    """The known name that `name` is most likely a misspelling of; None where none is close.

    Args:
        name: as it was given.
        known: names to choose from.
        cutoff: how similar two names must be, 0 to 1.
    """
    return next(iter(difflib.get_close_matches(str(name), list(known), n=1, cutoff=cutoff)), None)


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine alone: `localhost`, 127.0.0.0/8 or `::1` (with or without brackets)."""
    name = host.strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
