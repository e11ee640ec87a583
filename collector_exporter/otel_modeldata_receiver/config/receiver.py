"""The receiver's settings: defaults, a YAML file and flags, in this order, as one validated object.

`SETTINGS` is the table of all keys; `receive --help` and the documentation are made from it.
"""

from __future__ import annotations

import math
import re
import socket
import uuid
from os import environ
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from otel_modeldata import semconv
from otel_modeldata.validation.decoding import Rule, decode
from otel_modeldata.validation.problems import Problem
from otel_modeldata.validation.repeated_keys import repeated_keys
from otel_modeldata.validation.yaml_text import YamlTextError, read_yaml

from ..exceptions import ConfigError
from ..layout.partition import RollingRate  # noqa: TC001 (decode reads the annotations)
from .authorization import Grants  # noqa: TC001
from .conflicts import conflicts
from .kept_spans import KeptSpans
from .limits import LimitsConfig
from .logs import LogFormat, LogLevel
from .paths import with_meant_paths
from .setting import MIB, Doc, Setting, settings_of, with_overrides
from .store_access import AccessConfig, DatastoreConfig, DatastoreName, WorkspaceConfig
from .store_url import is_store, shown_store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["AZURE_LINGER_SECONDS", "MIB", "SETTINGS", "ReceiverConfig", "TlsConfig", "load", "shown_store"]

AZURE_LINGER_SECONDS: Final = 0.2
"""An append to Azure takes tens of milliseconds and a blob holds 50,000 appends, so lines share appends."""
_LISTEN: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\s\[\]]+):([0-9]{1,5})", re.ASCII)
_INSTANCE_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_INSTANCE_NAMESPACE: Final = uuid.UUID("0d3c5f7e-52f6-5b57-8a2e-3f6d1f0b9a41")
_MAX_LINGER_MS: Final = 60_000
_REMOTE: Final = ("az:", "https:", "http:", "azureml:")

Address = Annotated[
    str,
    Rule(
        expected="HOST:PORT",
        accepts=lambda address: _LISTEN.fullmatch(address) is not None,
        advice="name the interface too: 127.0.0.1:4317 for this machine only, 0.0.0.0:4317 for every network",
    ),
    Rule(
        expected="a port from 0 to 65535",
        accepts=lambda address: int(address.rpartition(":")[2]) <= 65_535,
        advice="choose another",
    ),
]
Name = Annotated[str, Rule(expected=semconv.NAME_RULE, accepts=semconv.is_name)]
InstanceId = Annotated[
    str,
    Rule(
        expected="32 lower-case hex digits",
        accepts=lambda text: _INSTANCE_ID.fullmatch(text) is not None,
        advice="use a uuid without hyphens",
    ),
]
Linger = Annotated[float, Rule(expected=f"0 to {_MAX_LINGER_MS}", accepts=lambda number: 0 <= number <= _MAX_LINGER_MS)]
_ABOVE_ZERO: Final = Rule(expected="a number above 0", accepts=lambda number: 0 < number < math.inf)


class TlsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS of the listening sockets."""

    cert_file: Annotated[str, Doc(unit="file", meaning="PEM file with the server's certificate chain")]
    key_file: Annotated[str, Doc(unit="file", meaning="PEM file with its private key")]
    client_ca_file: Annotated[
        str | None,
        Doc(
            unit="file",
            meaning="PEM file with the authorities of client certificates; when set, clients must present one",
        ),
    ] = None
    clients: Annotated[
        Grants | None,
        Doc(
            unit="{NAME: [DEPLOYMENT]}",
            meaning="what the certificate of each name may send for: endpoint/deployment, endpoint/* or *; a name is "
            "a common name, or a DNS or URI entry. Unset, every certificate may send for everything",
        ),
    ] = None


class OldProtocolConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The deployment of events that arrive by azureml-ai-monitoring's protocol, which does not name it."""

    endpoint: Annotated[
        Name | None,
        Doc(
            unit="name",
            meaning="name of the endpoint; read from deployments when that is one file",
            default="from deployments, else local",
        ),
    ] = None
    deployment: Annotated[
        Name | None,
        Doc(
            unit="name",
            meaning="name of the deployment; read from deployments when that is one file",
            default="from deployments, else default",
        ),
    ] = None
    resource_id: Annotated[
        str | None, Doc(unit="ARM id", meaning="ARM id of the deployment, the source of the lines")
    ] = None


class ReceiverConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The receiver's settings; the keys of the YAML file have the same names."""

    listen: Annotated[
        Address,
        Doc(
            unit="HOST:PORT",
            meaning="address for OTLP/gRPC; port 0 takes a free one. Beside a gateway, which listens on 4317, "
            "use 127.0.0.1:4327",
        ),
    ] = "127.0.0.1:4317"
    store: Annotated[
        str,
        Rule(expected="a folder or a URL", accepts=is_store, advice="name where to store the blobs"),
        Doc(
            unit="URL",
            meaning="where blobs are written: a folder, file:///dir, az://container/prefix, "
            "https://account.blob.core.windows.net/container or azureml://datastores/NAME/paths/PATH with NAME in "
            "datastores",
        ),
    ] = "./modeldata"
    rolling_rate: Annotated[
        RollingRate | None,
        Doc(
            unit="RATE",
            meaning="how long one folder collects lines: Minute, Hour, Day, Month or Year",
            default="that of the deployment, else Hour",
        ),
    ] = None
    instance_id: Annotated[
        InstanceId | None,
        Doc(
            unit="HEX",
            meaning="32 hex digits in every blob's name, the same for a replica after a restart",
            default="from the host's name, listen and store",
        ),
    ] = None
    linger_ms: Annotated[
        Linger | None,
        Doc(
            unit="ms",
            meaning="how long lines wait for others before an append",
            default=f"0, for Azure {AZURE_LINGER_SECONDS * 1000:g}",
        ),
    ] = None
    max_in_flight_bytes: Annotated[
        int,
        Doc(
            unit="bytes",
            meaning="requests are refused above this many bytes that are not stored yet; one deployment may hold four "
            "fifths of them. Up to 16 more requests may be held while they are read",
        ),
    ] = 256 * MIB
    max_message_bytes: Annotated[
        int,
        _ABOVE_ZERO,
        Doc(unit="bytes", meaning="largest request, decompressed: 64 MiB of records and their envelope"),
    ] = 72 * MIB
    deadline_seconds: Annotated[
        float,
        _ABOVE_ZERO,
        Doc(unit="seconds", meaning="how long a call waits for the store; keep it below the gateway's timeout (30 s)"),
    ] = 25.0
    grace_seconds: Annotated[
        float, _ABOVE_ZERO, Doc(unit="seconds", meaning="how long a stop waits for requests in flight")
    ] = 20.0
    create_container: Annotated[
        bool, Doc(unit="true or false", meaning="create the Azure container when it is missing")
    ] = False
    tls: Annotated[TlsConfig | None, Doc(unit="mapping", meaning="serve TLS instead of plain text")] = None
    http_listen: Annotated[
        Address | None,
        Doc(
            unit="HOST:PORT",
            meaning="address for OTLP/HTTP and KServe's logger, usually 127.0.0.1:4318",
            default="off",
        ),
    ] = None
    old_protocol_listen: Annotated[
        Address | None,
        Doc(
            unit="HOST:PORT",
            meaning="address for azureml-ai-monitoring's own protocol, which sends to 127.0.0.1:50011",
            default="off",
        ),
    ] = None
    old_protocol: Annotated[
        OldProtocolConfig, Doc(unit="mapping", meaning="which deployment the events of that protocol belong to")
    ] = OldProtocolConfig()
    admin_listen: Annotated[
        Address | None,
        Doc(
            unit="HOST:PORT",
            meaning="address for /livez, /readyz and Prometheus's /metrics in plain HTTP, usually 127.0.0.1:9464; it "
            "takes no data",
            default="off",
        ),
    ] = None
    allow_insecure: Annotated[
        bool,
        Doc(
            unit="true or false",
            meaning="listen for data without TLS on addresses that other machines reach: every client that reaches "
            "them may write",
        ),
    ] = False
    log_level: Annotated[
        LogLevel, Doc(unit="LEVEL", meaning="least level of what is logged: debug, info, warning or error")
    ] = LogLevel.INFO
    log_format: Annotated[
        LogFormat, Doc(unit="text or json", meaning="format of the log on stderr: text, or one JSON object a line")
    ] = LogFormat.TEXT
    spans: Annotated[
        KeptSpans,
        Doc(
            unit="all or content",
            meaning="which spans become lines: all, or those that carry inputs and outputs",
        ),
    ] = KeptSpans.ALL
    store_access: Annotated[
        AccessConfig,
        Doc(
            unit="mapping", meaning="how the store is opened; at most one of its keys", default="the machine's identity"
        ),
    ] = AccessConfig()
    deployments: Annotated[
        tuple[str, ...],
        Doc(
            unit="[FILE|DIR]",
            meaning="deployment YAMLs, or folders of them: rates, paths and asset names of collections; they are read "
            "again when they change",
        ),
    ] = ()
    datastores: Annotated[
        dict[DatastoreName, str | DatastoreConfig],
        Doc(
            unit="{NAME: URL or mapping}",
            meaning="containers by datastore name (workspaceblobstore) or by "
            "subscription/resourcegroup/workspace/name: a URL, or its url and keys of store_access",
        ),
    ] = {}
    workspace: Annotated[
        WorkspaceConfig | None,
        Doc(
            unit="mapping",
            meaning="Azure ML workspace in which data assets are registered, and which is asked for datastores that "
            "are not listed; needs the extra azureml",
        ),
    ] = None
    assets: Annotated[
        bool,
        Doc(
            unit="true or false",
            meaning="write an MLTable and a data asset file when the first line of a collection is stored",
        ),
    ] = True
    limits: Annotated[LimitsConfig, Doc(unit="mapping", meaning="bounds of one request and of one deployment")] = (
        LimitsConfig()
    )

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
        # A pod of a StatefulSet keeps its name, which Kubernetes sets in HOSTNAME, when it moves to another node.
        host = environ.get("HOSTNAME") or socket.gethostname()
        return uuid.uuid5(_INSTANCE_NAMESPACE, f"{host}|{self.listen}|{self.shown_store}").hex

    @property
    def linger_seconds(self) -> float:
        """How long a first line waits for others."""
        if self.linger_ms is not None:
            return self.linger_ms / 1000
        return AZURE_LINGER_SECONDS if self.store.lower().startswith(_REMOTE) else 0.0


SETTINGS: Final[tuple[Setting, ...]] = tuple(settings_of(ReceiverConfig))
"""Every key of the configuration file."""


def load(path: Path | None, overrides: Mapping[str, object]) -> ReceiverConfig:
    """The settings of the file at `path`, if any, with `overrides` on top.

    Raises:
        ConfigError: the file cannot be read, or settings are wrong; lists all of them.
    """
    given, repeated = _read(path) if path else ({}, ())
    settings = with_overrides(given, overrides)
    settings, wrong_paths = with_meant_paths(settings)
    config, problems = decode(settings, ReceiverConfig)
    problems = (*repeated, *wrong_paths, *problems)
    if config is not None:
        problems += tuple(conflicts(config))
    if config is None or problems:
        raise ConfigError(*problems)
    return config


def _read(path: Path) -> tuple[dict[object, object], tuple[Problem, ...]]:
    """The settings of a file, and its keys that are there twice."""
    try:
        settings, repeated = read_yaml(text := path.read_bytes()), repeated_keys(text)
    except OSError as error:
        raise ConfigError(
            Problem(
                "",
                f"expected a YAML file, got {error.strerror or error}: correct the path, or its permissions",
                str(path),
            )
        ) from None
    except YamlTextError as error:
        raise ConfigError(Problem("", f"expected a YAML file, got {error}", str(path))) from None
    if settings is None:
        return {}, ()
    if not isinstance(settings, dict):
        given = f"a {type(settings).__name__}"
        raise ConfigError(Problem("", f"expected settings as 'key: value', got {given}", str(path)))
    return settings, repeated
