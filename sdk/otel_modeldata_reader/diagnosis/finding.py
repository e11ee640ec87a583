"""What was found about one step of a record's path, and all findings of a diagnosis, the most likely cause first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from ..printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = ["Diagnosis", "Finding", "Outcome", "Step", "likeliest_first", "stops"]

Step: TypeAlias = Literal[
    "environment",
    "network",
    "gateway",
    "configuration",
    "receiver",
    "quarantine",
    "parked",
    "store",
    "collection",
    "vanished",
    "sequence",
]
"""The steps in the order in which a record passes them; `sequence` compares the numbers of the events."""
Outcome: TypeAlias = Literal["stopped", "suspect", "missing", "not checked", "ok"]
"""How likely a finding is the cause, the most likely one first.

- `stopped`: no record, or none of those that are set aside, gets beyond this step.
- `suspect`: it stops some records, or may stop them.
- `missing`: what is not there. It is no cause, but says where and since when.
- `not checked`: it could not be observed.
- `ok`: records pass this step.
"""
_STEPS: Final = {step: place for place, step in enumerate(get_args(Step))}
_OUTCOMES: Final = {outcome: place for place, outcome in enumerate(get_args(Outcome))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found about one step.

    Attributes:
        cause: the name of what was found, which stays the same between versions, such as `collection_off`.
        step: where in a record's path.
        outcome: how likely it is the cause.
        sentence: what was expected, what was found, and what to do.
        run: commands that tell more, or that mend it.
    """

    cause: str
    step: Step
    outcome: Outcome
    sentence: str
    run: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The answer to the question why there is no data.

    Attributes:
        name: the collection or deployment that was asked for; empty for the whole store.
        store: URL of the store, without secrets.
        since: the beginning of the window, in UTC; None is open.
        until: the first moment after it.
        has_data: whether the store has lines of the window; None if the store cannot be read.
        is_known: whether the store has lines of it at all, at any time, also parked or in quarantine.
        findings: the most likely cause first.
    """

    name: str
    store: str
    since: datetime | None
    until: datetime | None
    has_data: bool | None
    is_known: bool
    findings: tuple[Finding, ...]

    @property
    def is_stopped(self) -> bool:
        """Whether a step stops records, or the data is missing."""
        return any(one.outcome in {"stopped", "missing"} for one in self.findings)

    @property
    def headline(self) -> str:
        """Whether there is data, in one sentence."""
        what = f"data of {self.name}" if self.name else "data"
        if self.has_data is None:
            return f"it is not known whether there is {what} in {self.store}"
        return f"there is {'' if self.has_data else 'no '}{what} in {self.store}{self._window}"

    @property
    def _window(self) -> str:
        """The window in a sentence: without it `since` could mean when the data began."""
        since, until = (None if one is None else f"{one:%Y-%m-%d %H:%M:%S}" for one in (self.since, self.until))
        if since and until:
            return f" with times from {since} to {until} UTC"
        return f" with times from {since} UTC on" if since else f" with times before {until} UTC" if until else ""

    def with_findings(self, more: Iterable[Finding]) -> Diagnosis:
        """The same with further findings, each at its place."""
        return replace(self, findings=likeliest_first([*self.findings, *more], has_data=bool(self.has_data)))

    def __str__(self) -> str:
        shown = [f"{one.outcome}: {one.step}: {one.sentence}" for one in self.findings if one.outcome != "ok"]
        return "\n".join(map(printable, [self.headline, *shown]))


def stops(*, has_data: bool) -> Outcome:
    """The outcome of a step that sets records aside: it is not the cause where others pass it."""
    return "suspect" if has_data else "stopped"


def likeliest_first(findings: Iterable[Finding], *, has_data: bool) -> tuple[Finding, ...]:
    """The findings by outcome; those of one outcome in the order in which a record passes the steps.

    Before all others are those that say that the data is elsewhere: below another name, folder or hour. Where data
    arrives, what could not be checked is no cause, and comes last.

    Args:
        findings: in any order.
        has_data: whether the store has lines of the window.
    """

    def place(one: Finding) -> tuple[bool, int, bool, int]:
        is_elsewhere = one.outcome == "stopped" and one.step in {"store", "collection"}
        is_idle = has_data and one.outcome == "not checked"
        return is_idle, _OUTCOMES[one.outcome], not is_elsewhere, _STEPS[one.step]

    return tuple(sorted(findings, key=place))
