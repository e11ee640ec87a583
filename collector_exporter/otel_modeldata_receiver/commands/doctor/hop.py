"""One step of an event from the collector to the store, with the result of its check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["Announce", "Hop", "failed", "not_checked", "passed"]


class Announce(Protocol):
    """Called before a step that may wait."""

    def __call__(self, name: str, awaited: str, seconds: float, /) -> object:
        """Say that the step `name` waits for something, at most so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """The result of one step.

    Attributes:
        name: name of the step.
        outcome: `not checked` when it could not be observed, which is neither good nor bad.
        sentence: what was observed; for a failure: what was expected, what was observed and what to do.
    """

    name: str
    outcome: Literal["ok", "failed", "not checked"]
    sentence: str


def passed(name: str, sentence: str) -> Hop:
    """The step works."""
    return Hop(name=name, outcome="ok", sentence=sentence)


def failed(name: str, sentence: str) -> Hop:
    """The step fails."""
    return Hop(name=name, outcome="failed", sentence=sentence)


def not_checked(name: str, sentence: str) -> Hop:
    """The step could not be observed, for this reason."""
    return Hop(name=name, outcome="not checked", sentence=sentence)
