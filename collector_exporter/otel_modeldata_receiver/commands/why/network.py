"""Whether the endpoint of a sender takes requests, and its clock is right, by the steps of `doctor`.

An empty request stores nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.diagnosis import Finding

from ...exceptions import ReceiverError
from ..doctor import network
from ..doctor import store as doctor_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata.environment import Endpoint

__all__ = ["about_clock", "about_network"]

_SECONDS: Final = 10.0


def about_network(endpoint: Endpoint) -> Iterator[Finding]:
    """The first step of a connection that fails, or that none does."""
    for hop in network.hops(endpoint, _SECONDS, network.endpoint_variable(os.environ)):
        if hop.outcome == "failed":
            yield Finding(
                cause=f"no_{hop.name.lower()}" if hop.name != "authorized" else "not_authorized",
                step="network",
                outcome="stopped",
                sentence=hop.sentence,
                run=("otel-modeldata doctor",),
            )
            return
    sentence = f"{endpoint.target} takes an empty request of this environment"
    yield Finding(cause="network", step="network", outcome="ok", sentence=sentence)


def about_clock(store: str) -> Iterator[Finding]:
    """Whether this machine's clock is that of the storage service; nothing for a store that has none of its own."""
    try:
        skew = doctor_store.skew(store)
    except (ReceiverError, OSError, ImportError):  # a finding about the store says it
        return
    if skew is not None and skew.matters:
        direction = "ahead of" if skew.seconds > 0 else "behind"
        sentence = (
            f"this machine's clock is {abs(skew.seconds):,.0f} s {direction} the storage service's, so events of this "
            "machine are in the folders of another hour, or in quarantine: synchronize it (NTP)"
        )
        yield Finding(cause="clock", step="environment", outcome="stopped", sentence=sentence, run=("date -u",))
