"""Whether the endpoint of a sender takes requests, by the steps of `doctor`; an empty request stores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.diagnosis import Finding

from ..doctor import network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata.environment import Endpoint

__all__ = ["about_network"]

_SECONDS: Final = 10.0


def about_network(endpoint: Endpoint) -> Iterator[Finding]:
    """The first step of a connection that fails, or that none does."""
    for hop in network.hops(endpoint, _SECONDS):
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
