"""What a look at a file finds: a problem, or a warning about what works here and surprises elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "problem", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence about a file.

    Attributes:
        severity: a problem stops a process from starting, a warning does not.
        sentence: begins with the key it is about.
        line: of that key, from 1; None where it cannot be told.
    """

    severity: Literal["problem", "warning"]
    sentence: str
    line: int | None = None


def problem(sentence: str, line: int | None = None) -> Finding:
    """Something that stops a process from starting."""
    return Finding(severity="problem", sentence=sentence, line=line)


def warning(sentence: str, line: int | None = None) -> Finding:
    """Something that works here, and may not do what its author expects."""
    return Finding(severity="warning", sentence=sentence, line=line)
