"""What the receiver's configuration says: its store, who may send, and which collections its deployment files list."""

from __future__ import annotations

import shlex
import socket
from typing import TYPE_CHECKING, Final

from otel_modeldata.validation.loopback import is_loopback
from otel_modeldata_reader.diagnosis import Finding
from otel_modeldata_reader.diagnosis.environment import about_config
from otel_modeldata_reader.diagnosis.same_store import is_same_store

from ...config.authorization import EVERYTHING, Client
from ...config.receiver import load
from ...deployments.datastores import is_datastore_path
from ...deployments.files import DeploymentFiles
from ...exceptions import ConfigError, ForbiddenError
from ..check.run import check_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata.config import CollectorConfig
    from otel_modeldata_reader.diagnosis import Outcome
    from otel_modeldata_reader.diagnosis.scope import Scope

    from ...config.receiver import ReceiverConfig

__all__ = ["about_configuration", "about_listener", "admin_url"]

_CONNECT_SECONDS: Final = 3.0
_HARMLESS: Final = frozenset({"listen", "store", "tls"})
"""Keys whose warnings are about who may write, and relative paths: neither stops data."""
_ANY: Final = frozenset({"0.0.0.0", "[::]"})  # noqa: S104 (read, not listened on)


def about_configuration(path: Path, scope: Scope) -> Iterator[Finding]:
    """What is wrong with the receiver's configuration, or with the question, by its file; nothing is contacted."""
    run = f"otel-modeldata check {shlex.quote(str(path))}"
    for file in check_files([path], "receiver"):
        for one in file.findings:
            if one.severity == "warning" and one.about.path in _HARMLESS:
                continue
            outcome: Outcome = "stopped" if one.severity == "problem" else "suspect"
            where = f"{path}:{one.line}" if one.line else f"{path}"
            yield _finding(f"configuration_{one.severity}", outcome, f"{where}: {one.sentence}", run)
    try:
        config = load(path, {})
    except ConfigError:  # reported by the check
        return
    if not is_datastore_path(config.store) and not is_same_store(config.store, scope.url):
        sentence = f"the receiver of {path} writes to {config.shown_store}, not to {scope.store}"
        look = shlex.join(["otel-modeldata", "why", *([scope.name] if scope.name else []), config.shown_store])
        yield _finding("receiver_writes_elsewhere", "stopped", sentence, look)
    else:
        yield _finding("receiver_store", "ok", f"the receiver of {path} writes to {config.shown_store}")
    yield from _about_grants(config, scope, run)
    try:
        deployments = DeploymentFiles(config.deployments).read()
    except ConfigError:  # reported by the check
        return
    for deployment in deployments:
        if scope.tenant.lower() == f"{deployment.endpoint}/{deployment.deployment}".lower():
            yield from about_config(deployment, scope, f"the file of {scope.tenant}", step="configuration", run=run)
            yield from _about_places(deployment, scope, path)


def _about_grants(config: ReceiverConfig, scope: Scope, run: str) -> Iterator[Finding]:
    granted = None if config.tls is None else config.tls.clients
    if granted is None or not scope.tenant:
        return
    endpoint, _, deployment = scope.tenant.partition("/")
    for name, grants in granted.items():
        try:
            if EVERYTHING not in grants:
                Client(names=(name,), grants=frozenset(grants)).check(endpoint, deployment)
        except ForbiddenError:
            continue
        yield _finding("granted", "ok", f"tls.clients lets the certificate of {name!r} send for {scope.tenant}")
        return
    sentence = f"tls.clients lets no certificate send for {scope.tenant}: add it there, or correct the name"
    yield _finding("not_granted", "stopped", sentence, run)


def _about_places(deployment: CollectorConfig, scope: Scope, path: Path) -> Iterator[Finding]:
    for name, entry in (deployment.collections or {}).items():
        place = None if entry.data is None else entry.data.path
        if place is None or (scope.collection and name != scope.collection.lower()):
            continue
        if scope.url.lower().startswith(place.lower().rstrip("/")):
            continue
        sentence = f"the file of {scope.tenant} stores {name} in {place}, not below {scope.tenant} of {scope.store}"
        run = shlex.join(["otel-modeldata", "ls", "--store", place, "--config", str(path)])
        yield _finding("other_place", "stopped" if scope.collection else "suspect", sentence, run)


def admin_url(config: ReceiverConfig) -> str | None:
    """The URL of the admin port of a receiver on this machine; None if it has none."""
    if config.admin_listen is None:
        return None
    host, _, port = config.admin_listen.rpartition(":")
    return f"http://{'127.0.0.1' if host in _ANY else host}:{port}"


def about_listener(config: ReceiverConfig) -> Iterator[Finding]:
    """Whether something listens at `listen`: all that can be known of a receiver without an admin port."""
    host, _, port = config.listen.rpartition(":")
    host = "127.0.0.1" if host in _ANY else host.strip("[]")
    try:
        with socket.create_connection((host, int(port)), _CONNECT_SECONDS):
            pass
    except OSError as error:
        outcome: Outcome = "stopped" if is_loopback(host) else "suspect"
        sentence = (
            f"expected a receiver at {config.listen}, got {error.strerror or error}: start it, or run this on its "
            "machine"
        )
        yield Finding(cause="receiver_down", step="receiver", outcome=outcome, sentence=sentence)
        return
    sentence = f"something listens at {config.listen}; admin_listen would show whether it is ready, and its metrics"
    yield Finding(cause="receiver_listens", step="receiver", outcome="not checked", sentence=sentence)


def _finding(cause: str, outcome: Outcome, sentence: str, run: str = "") -> Finding:
    return Finding(cause=cause, step="configuration", outcome=outcome, sentence=sentence, run=(run,) if run else ())
