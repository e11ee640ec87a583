"""What the demo has done so far: one frozen value, which a view shows and the next one replaces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Progress", "Step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of the demo.

    Attributes:
        name: one word.
        text: what happens, or what has happened.
        seconds: how long it took; None while it goes on.
    """

    name: str
    text: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The demo at one moment.

    Attributes:
        steps: in their order; only the last ones go on.
        requests: that were answered.
        total: that will be sent.
        accepted: events that the service has collected.
        stored: lines in the store.
        clock: the time of the flight that was scored last.
        delays: the median of the drifting feature by hour of flights, the oldest first.
        labels: that are in the store.
    """

    steps: tuple[Step, ...] = ()
    requests: int = 0
    total: int = 0
    accepted: int = 0
    stored: int = 0
    clock: datetime | None = None
    delays: tuple[float, ...] = ()
    labels: int = 0

    def begin(self, name: str, text: str) -> Progress:
        """With one more step, which goes on."""
        return replace(self, steps=(*self.steps, Step(name=name, text=text)))

    def end(self, name: str, text: str, seconds: float) -> Progress:
        """With the step of this name done."""
        done = Step(name=name, text=text, seconds=seconds)
        return replace(self, steps=tuple(done if step.name == name else step for step in self.steps))
