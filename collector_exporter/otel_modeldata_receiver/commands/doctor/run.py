"""Follows one event, hop by hop, and reports each."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from otel_modeldata.exceptions import ConfigError, ModelDataError

from ...config.receiver import shown_store
from ...exceptions import BadRecordError, ReceiverError
from . import network
from . import store as doctor_store
from .canary import Sender, environment_of_canary
from .hop import Hop, failed, not_checked, passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata.environment import Environment
    from otel_modeldata.validation.problems import Problem

    from .canary import Canary
    from .hop import Announce

__all__ = ["ENDPOINT_FLAG", "Examination", "examine"]

ENDPOINT_FLAG: Final = "--endpoint"
"""What the flag sets: the variable that goes first."""
_CONFIGURATION: Final = "configuration"
_NETWORK: Final = "network"
_NAMES: Final = "folder"
_ACKNOWLEDGED: Final = "acknowledged"
_STORED: Final = "stored"
_CLOCK: Final = "clock"
_LARGE: Final = "large event"
_LARGE_STORED: Final = "large event stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What to check.

    Attributes:
        environment: the environment of the process that sends the events.
        collection: collection of the canary.
        store: where to look for the line; None skips this step.
        timeout: seconds to wait for the acknowledgment, and again for the line.
        large: also send an event of 5 MiB.
        named: where the endpoint is set, for sentences: the flag, or a variable.
        announce: called before each step that may wait.
    """

    environment: Environment
    collection: str
    store: str | None
    timeout: float
    large: bool
    named: str
    announce: Announce = lambda *_: None

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the environment; the endpoint is named as the user has set it."""
        return tuple(
            replace(one, path=self.named)
            if one.path == network.ENDPOINT_VARIABLE and self.named == ENDPOINT_FLAG
            else one
            for one in self.environment.problems
        )


def examine(examination: Examination) -> Iterator[Hop]:
    """Every observable hop, in the order in which an event passes them; stops at a hop that no event can pass."""
    environment = examination.environment
    if examination.problems or environment.config is None:
        yield from (failed(_CONFIGURATION, str(problem)) for problem in examination.problems)
        return
    yield passed(_CONFIGURATION, f"read from {environment.config_origin}")
    if environment.endpoint is None:
        store = shown_store(environment.store or "")
        yield not_checked(_NETWORK, f"not used: OTEL_MODELDATA_STORE writes to {store} in the same process")
    else:
        for hop in network.hops(environment.endpoint, examination.timeout, examination.named, examination.announce):
            yield hop
            if hop.outcome == "failed":
                return
    with ExitStack() as stack:
        stack.enter_context(environment_of_canary(environment.config, examination.collection))
        try:
            sender = stack.enter_context(closing(Sender(examination.collection)))
        except ConfigError as error:
            yield failed(_CONFIGURATION, f"{error}")
            return
        yield from _Journey(examination, sender).hops()


class _Journey:
    """From `collect` to the store."""

    def __init__(self, examination: Examination, sender: Sender) -> None:
        self._examination = examination
        self._sender = sender
        self._folder = ""

    def hops(self) -> Iterator[Hop]:
        try:
            origin = self._sender.origin()
        except ModelDataError as error:
            yield failed(_NAMES, f"{error}")
            return
        except BadRecordError as error:
            yield failed(_NAMES, f"the receiver would put every event into quarantine: {error}")
            return
        self._folder = f"{origin.endpoint}/{origin.deployment}/{self._examination.collection}"
        yield passed(_NAMES, f"events of this process are stored below {origin.endpoint}/{origin.deployment}/")
        canary = self._sent(_ACKNOWLEDGED)
        yield self._acknowledged(_ACKNOWLEDGED, canary)
        yield self._stored(_STORED, canary)
        yield self._clock()
        if not self._examination.large:
            yield not_checked(_LARGE, "--large sends one of 5 MiB")
        elif canary.problem is not None:
            yield not_checked(_LARGE, "the small one was not acknowledged")
        else:
            large = self._sent(_LARGE, large=True)
            yield self._acknowledged(_LARGE, large)
            yield self._stored(_LARGE_STORED, large)

    def _sent(self, name: str, *, large: bool = False) -> Canary:
        timeout = self._examination.timeout
        self._examination.announce(name, "the acknowledgment", timeout)
        return self._sender.send(timeout, large=large)

    def _acknowledged(self, name: str, canary: Canary) -> Hop:
        if canary.problem is None:
            return passed(name, f"after {canary.seconds * 1000:.0f} ms, correlation id {canary.correlation_id}")
        cure = "look at the endpoint's log"
        if canary.reason == "too_large":
            cure = "raise its limit (otlp receiver of a gateway: max_recv_msg_size_mib: 68)"
        return failed(name, f"expected an acknowledgment of the event, got {canary.problem}: {cure}")

    def _stored(self, name: str, canary: Canary) -> Hop:
        examination = self._examination
        if examination.store is None:
            return not_checked(name, "--store URL looks for the line in a store")
        if canary.problem is not None:
            return not_checked(name, "it was not acknowledged")
        shown = shown_store(examination.store)
        moments = (canary.began, canary.ended)
        examination.announce(name, f"the line in {shown}", examination.timeout)
        try:
            stored = doctor_store.find(
                examination.store, self._folder, canary.correlation_id, moments, examination.timeout
            )
        except ReceiverError as error:
            return failed(name, f"{error}")
        if stored is not None:
            beside = ", its rows beside it" if "dataref" in stored.line else ""
            return passed(name, f"in {stored.blob} of {shown}{beside}")
        return failed(
            name,
            f"expected the event below {self._folder} of {shown} within {examination.timeout:g} s, got nothing: it was "
            "acknowledged, so a gateway has it in its queue (is the receiver up? see its log), or routed it elsewhere "
            "(routes use the attribute azureml.collection.name), or the receiver writes to another store",
        )

    def _clock(self) -> Hop:
        if self._examination.store is None:
            return not_checked(_CLOCK, "--store URL of an Azure container has a clock to compare with")
        try:
            skew = doctor_store.skew(self._examination.store)
        except (ReceiverError, OSError) as error:
            return not_checked(_CLOCK, f"the storage service does not report its time: {error}")
        if skew is None:
            return not_checked(_CLOCK, "the store has no clock of its own; folders use this machine's")
        ahead = f"{abs(skew.seconds):.1f} s {'ahead of' if skew.seconds > 0 else 'behind'} the storage service's"
        within = f"this machine's clock is {ahead}, give or take {skew.uncertainty:.1f} s"
        if not skew.matters:
            return passed(_CLOCK, within)
        return failed(
            _CLOCK,
            f"expected clocks that agree within {doctor_store.MOST_SKEW_SECONDS:g} s, got a difference: {within}; "
            "events are stored in the folder of another hour; synchronize this machine (NTP)",
        )
