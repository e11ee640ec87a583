"""Settings that are valid alone but conflict with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_modeldata.validation.loopback import is_loopback
from otel_modeldata.validation.problems import Problem, child

from .store_url import is_store, shown_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .receiver import ReceiverConfig

__all__ = ["conflicts"]


def conflicts(config: ReceiverConfig) -> Iterator[Problem]:
    """The problems of settings that are valid alone but conflict with others."""
    if config.tls is not None and config.tls.clients is not None and config.tls.client_ca_file is None:
        yield Problem(
            "tls.clients", "expected client_ca_file beside it, got none; without it no client shows a certificate"
        )
    yield from _open_doors(config)
    accesses = {"store_access": config.store_access}
    for name, datastore in config.known_datastores.items():
        accesses[child("datastores", name)] = datastore
        if not is_store(datastore.url):
            given = repr(shown_store(datastore.url))
            yield Problem(
                child("datastores", name), f"expected the URL of a store, got {given}; write for example az://c"
            )
    for path, access in accesses.items():
        if len(access.chosen) > 1:
            given = " and ".join(access.chosen)
            yield Problem(path, f"expected one way to open it, got {given}; keep one of them")
    if config.max_in_flight_bytes < config.max_message_bytes:
        yield Problem(
            "max_in_flight_bytes",
            f"expected at least max_message_bytes ({config.max_message_bytes}), got {config.max_in_flight_bytes}; the "
            "largest request would always be refused",
        )


def _open_doors(config: ReceiverConfig) -> Iterator[Problem]:
    """The listeners for data that other machines reach without TLS, unless the settings allow it."""
    if config.allow_insecure:
        return
    doors = {"old_protocol_listen": config.old_protocol_listen}  # this protocol has no TLS
    if config.tls is None:
        doors = {"listen": config.listen, "http_listen": config.http_listen, **doors}
    for setting, address in doors.items():
        if address is not None and not is_loopback(address.rpartition(":")[0]):
            cure = "listen on 127.0.0.1" if setting == "old_protocol_listen" else "set tls, or listen on 127.0.0.1"
            yield Problem(
                setting,
                f"expected an address of this machine only, because there is no TLS, got {address!r}; {cure}, or set "
                "allow_insecure where a network policy admits only known senders",
            )
