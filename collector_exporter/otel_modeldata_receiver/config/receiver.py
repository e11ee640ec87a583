"""What the operator sets: defaults, a YAML file, flags, in this order; the outcome is valid or lists what is wrong."""

from __future__ import annotations

import re
import socket
import uuid
from difflib import get_close_matches
from os import environ
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from otel_modeldata import semconv

from ..exceptions import ConfigError
from ..layout.partition import RollingRate
from .authorization import client_problems
from .kept_spans import KeptSpans
from .store_access import (
    AccessConfig,
    DatastoreConfig,
    WorkspaceConfig,
    access_problems,
    datastore_problems,
    shown_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["AZURE_LINGER_SECONDS", "MIB", "ReceiverConfig", "TlsConfig", "load", "shown_store"]

MIB: Final = 1024 * 1024
AZURE_LINGER_SECONDS: Final = 0.2
"""An append to Azure takes tens of milliseconds and a blob takes 50,000: lines of one moment share an append."""
_LISTEN: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\s\[\]]+):([0-9]{1,5})", re.ASCII)
_INSTANCE_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SHAPE: Final = re.compile(r"`([a-z]+(?: \| [a-z]+)*)`")
"""How msgspec names types, and how people do."""
_SHAPES: Final = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "nothing",
    "object": "a mapping",
    "str": "text",
}
_INSTANCE_NAMESPACE: Final = uuid.UUID("0d3c5f7e-52f6-5b57-8a2e-3f6d1f0b9a41")


class TlsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS of the listening socket.

    Attributes:
        cert_file: PEM file with the server's certificate chain.
        key_file: PEM file with its private key.
        client_ca_file: PEM file with the authorities of client certificates; when set, clients must present one.
        clients: what the certificate of each name may send for: `endpoint/deployment`, `endpoint/*` or `*`; a name is
            a common name, or a DNS or URI entry. Unset, every certificate may send for everything.
    """

    cert_file: str
    key_file: str
    client_ca_file: str | None = None
    clients: dict[str, tuple[str, ...]] | None = None


class OldProtocolConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose events come over the old protocol, which does not say.

    Attributes:
        endpoint: its name; unset is that of the only deployment YAML of `deployments`, else `local`.
        deployment: its name; unset likewise, else `default`.
        resource_id: ARM id of the deployment, the `source` of the lines.
    """

    endpoint: str | None = None
    deployment: str | None = None
    resource_id: str | None = None


class ReceiverConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The receiver's settings; the keys of the YAML file have the same names.

    Attributes:
        listen: `HOST:PORT`; port 0 takes a free one. OTLP's own port 4317 belongs to the gateway.
        store: a folder, `file:///dir`, `az://container/prefix`, `https://account.blob.core.windows.net/container` or
            `azureml://datastores/NAME/paths/PATH` with NAME in `datastores`.
        store_access: how that store is opened.
        deployments: deployment YAMLs, or folders of them; they are read again when they change.
        datastores: a URL, or a URL and how it is opened, by datastore name (`workspaceblobstore`) or by
            `subscription/resourcegroup/workspace/name`.
        workspace: registers data assets there and asks it for datastores that are not listed; needs the extra azureml.
        assets: write an `MLTable` and a data asset file beside each collection's first line.
        rolling_rate: Minute, Hour, Day, Month or Year; unset leaves it to each deployment, then to Hour.
        instance_id: 32 hex digits in every blob's name, the same for a replica after a restart; unset derives it from
            host name, `listen` and `store`.
        linger_ms: how long lines wait for others before an append; unset is 0, for Azure 200.
        max_in_flight_bytes: requests are refused above this many bytes that are not resolved yet; one deployment
            alone may hold four fifths of them (`ingest/admission.py`). Up to 16 requests beside them are being read.
        max_message_bytes: the largest request, decompressed; 64 MiB of records and their envelope by default.
        deadline_seconds: how long a call waits for the store; below the timeout of the gateway (30 s).
        grace_seconds: how long a stop waits for what is in flight.
        create_container: create the Azure container when it is missing.
        tls: serve TLS instead of plain text.
        http_listen: `HOST:PORT` for OTLP/HTTP and KServe's logger, 127.0.0.1:4318 by custom; unset is off.
        old_protocol_listen: `HOST:PORT` for azureml-ai-monitoring's own protocol, 127.0.0.1:50011 there; unset is off.
        old_protocol: whose events come that way.
        spans: which spans become lines of `app_traces`: `all`, or `content` for those that carry inputs and outputs.
    """

    listen: str = "127.0.0.1:4327"
    store: str = "./modeldata"
    rolling_rate: RollingRate | None = None
    instance_id: str | None = None
    linger_ms: float | None = None
    max_in_flight_bytes: int = 256 * MIB
    max_message_bytes: int = 72 * MIB
    deadline_seconds: float = 25.0
    grace_seconds: float = 20.0
    create_container: bool = False
    tls: TlsConfig | None = None
    http_listen: str | None = None
    old_protocol_listen: str | None = None
    old_protocol: OldProtocolConfig = OldProtocolConfig()
    spans: KeptSpans = KeptSpans.ALL
    store_access: AccessConfig = AccessConfig()
    deployments: tuple[str, ...] = ()
    datastores: dict[str, str | DatastoreConfig] = {}
    workspace: WorkspaceConfig | None = None
    assets: bool = True

    def __repr__(self) -> str:
        shown = {**msgspec.structs.asdict(self), "store": self.shown_store, "datastores": self.known_datastores}
        return f"ReceiverConfig({', '.join(f'{key}={value!r}' for key, value in shown.items())})"

    @property
    def host(self) -> str:
        """The host part of `listen`."""
        return self.listen.rpartition(":")[0]

    @property
    def shown_store(self) -> str:
        """`store` without what may be a secret: user information and query."""
        return shown_store(self.store)

    @property
    def known_datastores(self) -> dict[str, DatastoreConfig]:
        """`datastores` with every entry in its long form."""
        return {
            name: DatastoreConfig(url=given) if isinstance(given, str) else given
            for name, given in self.datastores.items()
        }

    @property
    def instance(self) -> str:
        """32 hex digits that stay the same for this replica and differ between replicas."""
        if self.instance_id is not None:
            return self.instance_id
        # A StatefulSet's pod keeps its name, which Kubernetes puts into HOSTNAME, when it moves to another node.
        host = environ.get("HOSTNAME") or socket.gethostname()
        return uuid.uuid5(_INSTANCE_NAMESPACE, f"{host}|{self.listen}|{self.shown_store}").hex

    @property
    def linger_seconds(self) -> float:
        """How long a first line waits for others."""
        if self.linger_ms is not None:
            return self.linger_ms / 1000
        return AZURE_LINGER_SECONDS if urlsplit(self.store).scheme in {"az", "https", "azureml"} else 0.0


def load(path: Path | None, overrides: Mapping[str, object]) -> ReceiverConfig:
    """The settings of the file at `path`, if any, with `overrides` on top.

    Raises:
        ConfigError: the file cannot be read, or settings are wrong: the message lists all of them.
    """
    settings = {**(_read(path) if path else {}), **overrides}
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in settings.items():
        try:
            values[key] = _converted(key, value)
        except ConfigError as error:
            problems.append(str(error))
    config = ReceiverConfig(**values)
    problems.extend(_problems(config))
    if problems:
        raise ConfigError("\n".join(problems))
    return config


_TYPES: Final = {field.name: field.type for field in msgspec.structs.fields(ReceiverConfig)}
_CHOICES: Final[dict[str, type[RollingRate | KeptSpans]]] = {"rolling_rate": RollingRate, "spans": KeptSpans}


def _read(path: Path) -> dict[str, object]:
    try:
        settings = msgspec.yaml.decode(path.read_bytes())
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path}: expected a YAML file, got {type(error).__name__}: {_one_line(error)}") from None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: expected settings as 'key: value', got a {type(settings).__name__}")
    return {str(key): value for key, value in settings.items()}


def _converted(key: str, value: object) -> object:
    """`value` in the type of the setting `key`; text is taken for numbers and booleans, as YAML writers quote them."""
    if key not in _TYPES:
        close = get_close_matches(key, _TYPES, 1)
        known = f"{close[0]!r}" if close else f"one of {', '.join(_TYPES)}"
        raise ConfigError(f"{key}: expected {known}, got an unknown key; correct or remove it")
    try:
        return msgspec.convert(value, _TYPES[key], strict=False)
    except msgspec.ValidationError as error:
        if key in _CHOICES:
            words = ", ".join(choice.value for choice in _CHOICES[key])
            raise ConfigError(f"{key}: expected one of {words}, got {value!r}; choose one") from None
        raise ConfigError(f"{key}: {_in_words(_one_line(error))}; correct it") from None


def _problems(config: ReceiverConfig) -> Iterator[str]:
    for name in ("listen", "http_listen", "old_protocol_listen"):
        yield from _listen_problems(name, getattr(config, name))
    for name in ("endpoint", "deployment"):
        value = getattr(config.old_protocol, name)
        if value is not None and not semconv.is_name(value):
            yield f"old_protocol.{name}: expected {semconv.NAME_RULE}, got {value[:80]!r}; correct it"
    if config.instance_id is not None and not _INSTANCE_ID.fullmatch(config.instance_id):
        yield f"instance_id: expected 32 lower-case hex digits, got {config.instance_id!r}; use a uuid without hyphens"
    if not config.store:
        yield "store: expected a folder or a URL, got ''; name a place for the blobs"
    if config.tls is not None:
        yield from client_problems(config.tls.clients, config.tls.client_ca_file)
    yield from access_problems("store_access", config.store_access)
    for name, datastore in config.known_datastores.items():
        yield from datastore_problems(f"datastores.{name}", name, datastore)
    for name in ("max_message_bytes", "deadline_seconds", "grace_seconds"):
        value = getattr(config, name)
        if not 0 < value < float("inf"):
            yield f"{name}: expected a number above 0, got {value!r}; correct it"
    if config.linger_ms is not None and not 0 <= config.linger_ms <= 60_000:
        yield f"linger_ms: expected 0 to 60000, got {config.linger_ms!r}; correct it"
    if config.max_in_flight_bytes < config.max_message_bytes:
        yield (
            f"max_in_flight_bytes: expected at least max_message_bytes ({config.max_message_bytes}), "
            f"got {config.max_in_flight_bytes}; or the largest request could never be taken"
        )


def _listen_problems(name: str, listen: str | None) -> Iterator[str]:
    if listen is None:
        return
    match = _LISTEN.fullmatch(listen)
    if match is None:
        yield (
            f"{name}: expected HOST:PORT, got {listen!r}; name the interface too: 127.0.0.1:4327 for this machine "
            "only, 0.0.0.0:4327 for every network"
        )
    elif int(match[2]) > 65_535:
        yield f"{name}: expected a port from 0 to 65535, got {match[2]}; choose another"


def _in_words(sentence: str) -> str:
    """What msgspec says, without its names of types; the value is left out, it may be a secret."""

    def shapes(found: re.Match[str]) -> str:
        names = found[1].split(" | ")
        return " or ".join(_SHAPES[name] for name in names) if _SHAPES.keys() >= set(names) else found[0]

    said = _SHAPE.sub(shapes, sentence).replace("Expected ", "expected ")
    said = said.replace("Object contains unknown field", "expected a known key, got")
    return said.replace("Object missing required field", "expected the key")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
