"""Checks a receiver's configuration for problems and warnings."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata.validation.folder_access import WITHOUT_ACCESS, obstacle
from otel_modeldata.validation.loopback import is_loopback
from otel_modeldata.validation.problems import Problem

from ...config import receiver as configuration
from ...config.certificate_expiry import expiring
from ...config.store_access import DatastoreConfig
from ...config.store_url import is_azure, meant_store
from ...config.unused_secret import unused_secret
from ...deployments.watcher import Deployments
from ...exceptions import ConfigError, MissingVariableError
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
    """All problems and warnings of the file."""
    try:
        config = configuration.load(path, {})
    except ConfigError as error:
        yield from (problem(about, lines) for about in error.problems)
        return
    yield from (problem(about, lines) for about in _tls_problems(config.tls))
    yield from _opened(config, lines)
    yield from _folder(config, lines)
    for about in (
        *_about_network(config),
        *(() if config.tls is None else expiring(config.tls)),
        *_about_limits(config),
        *_about_store(config),
        *unused_secret(config),
    ):
        yield warning(about, lines)


def datastores(paths: Sequence[Path]) -> frozenset[str] | None:
    """The datastores listed in receiver files, in lower case; None when they cannot be determined."""
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


def _tls_problems(tls: TlsConfig | None) -> Iterator[Problem]:
    files = {} if tls is None else {name: getattr(tls, name) for name in tls.__struct_fields__}
    for name, file in files.items():
        if isinstance(file, str) and not os.access(file, os.R_OK):
            message = f"expected a PEM file that can be read, got {file!r}: correct the path or its rights"
            yield Problem(f"tls.{name}", message)


def _opened(config: ReceiverConfig, lines: YamlLines) -> Iterator[Finding]:
    """The problems in opening the stores and reading the deployment files; nothing is contacted."""
    steps = {"store": msgspec.structs.replace(config, deployments=()), "deployments": config}
    for where, settings in steps.items():
        try:
            asyncio.run(_open(settings))
        except ConfigError as error:
            # The receiver's own environment may have the variable.
            kind = warning if isinstance(error, MissingVariableError) else problem
            yield from (kind(Problem(where, str(about)), lines) for about in error.problems)
            return


def _folder(config: ReceiverConfig, lines: YamlLines) -> Iterator[Finding]:
    """What is known to prevent the folder of the store; it is not made."""
    try:
        store = meant_store(config.store)
    except ConfigError:  # reported already, or a datastore path
        return
    if not is_azure(store) and (wrong := obstacle(Path(store).absolute())):
        # The receiver may run as another user.
        kind = warning if wrong == WITHOUT_ACCESS else problem
        yield kind(
            Problem("store", f"expected to write into {store!r}, got {wrong}: correct it or choose another"), lines
        )


async def _open(config: ReceiverConfig) -> None:
    deployments = Deployments(config, ask=_assume if config.workspace is not None else None)
    await deployments.store.close()


def _assume(path: DatastorePath) -> DatastoreConfig:
    """A placeholder for any datastore: the receiver looks it up in the workspace when it runs."""
    return DatastoreConfig(url=f"https://{path.name}.blob.core.windows.net/unknown")


def _about_network(config: ReceiverConfig) -> Iterator[Problem]:
    if is_loopback(config.host):
        return
    if config.tls is None:
        yield Problem(
            "listen",
            f"{config.listen} is open to the network without TLS: every client that reaches it may write; set tls "
            "with client_ca_file, or admit only the gateway's network",
        )
    elif config.tls.client_ca_file is None:
        yield Problem("tls", "without client_ca_file every client that reaches the port may write")


def _about_limits(config: ReceiverConfig) -> Iterator[Problem]:
    if config.rolling_rate is not None and config.rolling_rate is not RollingRate.HOUR:
        message = (
            f"Azure ML's monitors read hour folders only, so they find no blobs at rate {config.rolling_rate.value}"
        )
        yield Problem("rolling_rate", message)
    if config.max_message_bytes < _GATEWAY_BATCH_BYTES:
        yield Problem(
            "max_message_bytes",
            f"the gateway's configuration sends up to {_GATEWAY_BATCH_BYTES} bytes at once, and requests above "
            f"{config.max_message_bytes} are refused permanently",
        )
    if config.deadline_seconds >= _GATEWAY_TIMEOUT_SECONDS:
        yield Problem(
            "deadline_seconds",
            f"the gateway gives up after {_GATEWAY_TIMEOUT_SECONDS:g} s and sends again; use a lower value, so that "
            "the receiver's answer comes first",
        )


def _about_store(config: ReceiverConfig) -> Iterator[Problem]:
    try:
        store = meant_store(config.store)
    except ConfigError:  # reported already, or a datastore path
        return
    if not is_azure(store) and not Path(store).is_absolute():
        message = f"{store!r} is relative to the folder in which the receiver is started; write an absolute path"
        yield Problem("store", message)
