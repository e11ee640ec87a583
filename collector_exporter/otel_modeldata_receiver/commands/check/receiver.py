"""What there is to say about a receiver's configuration beyond what the receiver refuses."""

from __future__ import annotations

import asyncio
import os
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from ...config import receiver as configuration
from ...config.store_access import DatastoreConfig
from ...deployments.watcher import Deployments
from ...exceptions import ConfigError
from ...layout.partition import RollingRate
from .finding import Finding, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...config.receiver import ReceiverConfig, TlsConfig
    from ...deployments.datastores import DatastorePath
    from .yaml_lines import YamlLines

__all__ = ["datastores", "findings", "keys"]

_GATEWAY_BATCH_BYTES: Final = 70 * configuration.MIB
"""The largest request of the gateway in `otel-config/gateway.yaml`."""
_GATEWAY_TIMEOUT_SECONDS: Final = 30.0
"""How long that gateway waits for an answer."""


def keys() -> frozenset[str]:
    """The keys that a receiver's configuration may have."""
    return frozenset(configuration.ReceiverConfig.__struct_fields__)


def findings(path: Path, lines: YamlLines) -> Iterator[Finding]:
    """Every problem of the file, and whatever else its author should know."""
    try:
        config = configuration.load(path, {})
    except ConfigError as error:
        for sentence in str(error).splitlines():
            about = sentence.removeprefix(f"{path}: ")
            yield problem(about, lines.of_sentence(about))
        return
    for sentence in _tls_problems(config.tls):
        yield problem(sentence, lines.of_sentence(sentence))
    yield from _opened(config, lines)
    for sentence in (*_about_network(config), *_about_limits(config), *_about_store(config)):
        yield warning(sentence, lines.of_sentence(sentence))


def datastores(paths: Sequence[Path]) -> frozenset[str] | None:
    """The datastores that receivers' files list, in lower case; None when they cannot be known."""
    known: set[str] = set()
    for path in paths:
        try:
            config = configuration.load(path, {})
        except ConfigError:
            return None
        if config.workspace is not None:
            return None
        known.update(name.lower() for name in config.datastores)
    return frozenset(known) if paths else None


def _tls_problems(tls: TlsConfig | None) -> Iterator[str]:
    files = {} if tls is None else {name: getattr(tls, name) for name in tls.__struct_fields__}
    for name, file in files.items():
        if isinstance(file, str) and not os.access(file, os.R_OK):
            yield f"tls.{name}: expected a PEM file that can be read, got {file!r}: correct the path or its rights"


def _opened(config: ReceiverConfig, lines: YamlLines) -> Iterator[Finding]:
    """What the receiver finds out when it opens its stores and reads the deployment files; nothing is contacted."""
    steps = {"store": msgspec.structs.replace(config, deployments=()), "deployments": config}
    for where, settings in steps.items():
        try:
            asyncio.run(_open(settings))
        except ConfigError as error:
            for sentence in str(error).splitlines():
                kind = warning if "in the environment" in sentence else problem  # the receiver's own may have it
                yield kind(f"{where}: {sentence}", lines.of(where))
            return


async def _open(config: ReceiverConfig) -> None:
    deployments = Deployments(config, ask=_assume if config.workspace is not None else None)
    await deployments.store.close()


def _assume(path: DatastorePath) -> DatastoreConfig:
    """The workspace will know it."""
    return DatastoreConfig(url=f"https://{path.name}.blob.core.windows.net/unknown")


def _about_network(config: ReceiverConfig) -> Iterator[str]:
    if config.tls is None and not _is_loopback(config.host):
        yield (
            f"listen: {config.listen} is open to the network without TLS: whoever reaches it may write; set tls with "
            "client_ca_file, or let only the gateway's network in"
        )
    elif config.tls is not None and config.tls.client_ca_file is None and not _is_loopback(config.host):
        yield "tls: without client_ca_file whoever reaches the port may write"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _about_limits(config: ReceiverConfig) -> Iterator[str]:
    if config.rolling_rate is not None and config.rolling_rate is not RollingRate.HOUR:
        rate = config.rolling_rate.value
        yield f"rolling_rate: Azure ML's monitors read hour folders only, so they find nothing of {rate}"
    if config.max_message_bytes < _GATEWAY_BATCH_BYTES:
        yield (
            f"max_message_bytes: the gateway's configuration sends up to {_GATEWAY_BATCH_BYTES} bytes at once, and "
            f"what is above {config.max_message_bytes} is refused for good"
        )
    if config.deadline_seconds >= _GATEWAY_TIMEOUT_SECONDS:
        yield (
            f"deadline_seconds: the gateway gives up after {_GATEWAY_TIMEOUT_SECONDS:g} s and sends again; stay below, "
            "so that the receiver's answer comes first"
        )


def _about_store(config: ReceiverConfig) -> Iterator[str]:
    if urlsplit(config.store).scheme == "file" or "://" not in config.store:
        path = config.store.removeprefix("file://")
        if not Path(path).is_absolute():
            yield f"store: {path!r} counts from the folder in which the receiver is started; write an absolute path"
