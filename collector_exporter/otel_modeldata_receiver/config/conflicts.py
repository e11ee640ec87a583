"""Settings that are valid alone but conflict with others."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

from otel_modeldata.validation.loopback import is_loopback
from otel_modeldata.validation.problems import Problem, child

from .store_url import is_store, shown_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .receiver import ReceiverConfig

__all__ = ["conflicts"]

_EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "[::]"})  # noqa: S104 (compared, not listened on)


def conflicts(config: ReceiverConfig) -> Iterator[Problem]:
    """The problems of settings that are valid alone but conflict with others."""
    if config.tls is not None and config.tls.clients is not None and config.tls.client_ca_file is None:
        yield Problem(
            "tls.clients", "expected client_ca_file beside it, got none; without it no client shows a certificate"
        )
    yield from _open_doors(config)
    yield from _same_addresses(config)
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


def _same_addresses(config: ReceiverConfig) -> Iterator[Problem]:
    """The listeners that cannot listen, because another one takes their port of the same address."""
    given = {name: getattr(config, name) for name in ("listen", "http_listen", "old_protocol_listen", "admin_listen")}
    doors = {name: address.rpartition(":") for name, address in given.items() if address is not None}
    for (first, (host, _, port)), (second, (other, _, its_port)) in combinations(doors.items(), 2):
        if port == its_port != "0" and (host == other or not _EVERY_ADDRESS.isdisjoint({host, other})):
            message = (
                f"expected an address that is free, got {given[second]!r}, the port of {first}; choose another port"
            )
            yield Problem(second, message)
