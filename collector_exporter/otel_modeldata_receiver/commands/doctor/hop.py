"""One step on the way of an event, and what an examination of it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Hop", "failed", "not_checked", "passed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """What was found about one step.

    Attributes:
        name: of the step.
        outcome: `not checked` when it could not be seen, which is neither good nor bad.
        sentence: what was seen; for a failure expected, got and what to do.
    """

    name: str
    outcome: Literal["ok", "failed", "not checked"]
    sentence: str


def passed(name: str, sentence: str) -> Hop:
    """It was seen to work."""
    return Hop(name=name, outcome="ok", sentence=sentence)


def failed(name: str, sentence: str) -> Hop:
    """It was seen not to work."""
    return Hop(name=name, outcome="failed", sentence=sentence)


def not_checked(name: str, sentence: str) -> Hop:
    """It could not be seen, for this reason."""
    return Hop(name=name, outcome="not checked", sentence=sentence)
