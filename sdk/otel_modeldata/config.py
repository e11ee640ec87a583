"""Reads and validates the configuration of what is collected: Azure ML's `data_collector` block.

The first of these sources that is present is used:

1. `OTEL_MODELDATA_CONFIG`: path of the deployment YAML, as documented by Azure (`endpoint_name`, `name`,
   `data_collector`), or of a file that holds only the `data_collector` block.
2. `AZUREML_MDC_CONFIG_PATH`: the JSON file that Azure's own host writes. Azure's writers use two names for the sampling
   key; both are read.
3. `AZUREML_MDC_ENABLED` and the other variables of azureml-ai-monitoring's legacy mode.
4. Nothing: every collection is on, at 100 %.

A file decodes into one validated `CollectorConfig`, or into one `ConfigError` that lists every problem. In the first
two, a collection without `enabled` is off, as in Azure ML.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec

from .exceptions import ConfigError
from .semconv import NAME_RULE, PAYLOAD_COLLECTIONS, is_name, without_secrets
from .validation.decoding import Rule, decode
from .validation.path_text import read_path
from .validation.problems import Problem, child, shown
from .validation.repeated_keys import repeated_keys
from .validation.yaml_text import YamlTextError, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CONFIG_VARIABLE = "OTEL_MODELDATA_CONFIG"
AZURE_CONFIG_VARIABLE = "AZUREML_MDC_CONFIG_PATH"
LEGACY_VARIABLE = "AZUREML_MDC_ENABLED"

T = TypeVar("T")

RollingRate = Literal["Minute", "Hour", "Day", "Month", "Year"]
ROLLING_RATES: tuple[RollingRate, ...] = ("Minute", "Hour", "Day", "Month", "Year")


class DataAsset(msgspec.Struct, frozen=True, kw_only=True):
    """Where a collection's data is registered: `data_collector.collections.<name>.data`."""

    name: str | None = None
    path: str | None = None
    version: str | None = None


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `data_collector.collections`.

    Attributes:
        enabled: whether it is collected.
        is_switched: whether the file has `enabled` for it; without, it is off.
        sampling_rate: share of correlation ids to collect; None means the rate of the whole block.
        rolling_rate: how its folders are partitioned; None means the rate of the whole block.
        data: the data asset that it is registered as.
        client_id: of the identity that writes it.
    """

    enabled: bool = True
    is_switched: bool = True
    sampling_rate: float | None = None
    rolling_rate: RollingRate | None = None
    data: DataAsset | None = None
    client_id: str | None = None


class CollectorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The validated configuration of every collector in this process.

    Attributes:
        endpoint: `endpoint_name` of the deployment YAML.
        deployment: `name` of the deployment YAML.
        enabled: the legacy switch for all custom logging.
        collections: by lower-case name; None means that every collection is on.
        sampling_rate: share of correlation ids to collect, 0 to 1.
        rolling_rate: how the receiver partitions folders; None leaves it to the receiver.
        capture_headers: `request_logging.capture_headers`, for payload logging.
        debug: `collect` returns a context with `is_success()` and `get_message()`.
        local_capture: events are printed, not sent.
        queue_capacity: maximum number of events in the queue; None: only the limit in bytes applies.
    """

    endpoint: str | None = None
    deployment: str | None = None
    enabled: bool = True
    collections: dict[str, Collection] | None = None
    sampling_rate: float = 1.0
    rolling_rate: RollingRate | None = None
    capture_headers: tuple[str, ...] = ()
    debug: bool = False
    local_capture: bool = False
    queue_capacity: int | None = None

    def collection(self, name: str) -> Collection | None:
        """The entry of a collection; None when the configuration lists only others."""
        if self.collections is None:
            return Collection()
        return self.collections.get(name.lower())

    def collects_frames(self) -> bool:
        """Whether any collection but Azure's payload logging is listed."""
        return self.enabled and (self.collections is None or bool(self.collections.keys() - PAYLOAD_COLLECTIONS))

    def rate_of(self, name: str) -> float:
        """The share of correlation ids collected for a collection, 0 to 1."""
        entry = self.collection(name)
        return self.sampling_rate if entry is None or entry.sampling_rate is None else entry.sampling_rate


_Name = Annotated[str, Rule(expected=NAME_RULE, accepts=is_name)]
"""A name that may become a folder."""
_Share = Annotated[float, Rule(expected="a number from 0 to 1", accepts=lambda share: 0 <= share <= 1)]
_Capacity = Annotated[int, Rule(expected="a whole number above 0", accepts=lambda count: count > 0)]
_Percentage = Annotated[float, Rule(expected="a number from 0 to 100", accepts=lambda percent: 0 <= percent <= 100)]


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`data` of a collection. The documentation writes `version: 1`, Azure's own validator demands `'1'`."""

    name: str | None = None
    path: str | None = None
    version: str | int | None = None


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of `collections`."""

    enabled: bool | None = None
    sampling_rate: _Share | None = None
    rolling_rate: RollingRate | None = None
    data: _Data | None = None
    client_id: str | None = None


class _RequestLogging(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`request_logging`."""

    capture_headers: tuple[str, ...] | None = None


class _DataCollector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`data_collector`."""

    collections: dict[_Name, _Entry | None]
    sampling_rate: _Share | None = None
    rolling_rate: RollingRate | None = None
    request_logging: _RequestLogging | None = None


class _DeploymentFile(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment YAML; its other keys are for Azure and are ignored."""

    data_collector: _DataCollector
    endpoint_name: _Name | None = None
    name: _Name | None = None


class _AzureEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """An entry of `collections` in the file that Azure's host writes."""

    enabled: bool | None = None
    sample_rate_percentage: _Percentage | None = None
    sampling_percentage: _Percentage | None = msgspec.field(default=None, name="sampling_percentage")
    capture_headers: tuple[str, ...] | None = None


class _AzureFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The file that Azure's host writes."""

    collections: dict[str, _AzureEntry | None]
    run_mode: Literal["cloud", "local"] = "cloud"
    capture_headers: tuple[str, ...] | None = None


class _LegacyVariables(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers among the variables of azureml-ai-monitoring's legacy mode."""

    sample_rate: _Percentage | None = msgspec.field(default=None, name="AZUREML_MDC_SAMPLE_RATE")
    queue_capacity: _Capacity | None = msgspec.field(default=None, name="AZUREML_MDC_QUEUE_CAPACITY")


def load_config(environ: Mapping[str, str] | None = None) -> CollectorConfig:
    """Read the configuration that the environment names.

    Raises:
        ConfigError: a file is missing or wrong; lists every problem in it.
    """
    env = os.environ if environ is None else environ
    debug = _is_true(env.get("AZUREML_MDC_DEBUG"))
    if path := env.get(CONFIG_VARIABLE):
        config = read_deployment(_path(CONFIG_VARIABLE, path), f"{CONFIG_VARIABLE}={path}")
    elif path := env.get(AZURE_CONFIG_VARIABLE):
        config = _read_azure_file(_path(AZURE_CONFIG_VARIABLE, path), f"{AZURE_CONFIG_VARIABLE}={path}")
    elif LEGACY_VARIABLE in env:
        config = _from_legacy_variables(env)
    else:
        config = CollectorConfig()
    return msgspec.structs.replace(config, debug=debug)


def config_origin(environ: Mapping[str, str]) -> str:
    """What `load_config` reads: the variable with its value, or "defaults"."""
    for name in (CONFIG_VARIABLE, AZURE_CONFIG_VARIABLE):
        if environ.get(name):
            return f"{name}={without_secrets(environ[name])}"
    return LEGACY_VARIABLE if LEGACY_VARIABLE in environ else "defaults"


def config_warnings(config: CollectorConfig, origin: str = "") -> tuple[Problem, ...]:
    """What a user should know about a configuration: collections that are off because nothing switches them on.

    Args:
        config: a configuration.
        origin: what it was read from, see `config_origin`; a deployment YAML when missing.
    """
    path, cure = "data_collector.collections", "enabled: 'True'"
    if origin.startswith(f"{AZURE_CONFIG_VARIABLE}="):
        path, cure = "collections", '"enabled": true'
    message = f"expected true or false, got nothing, so this collection is off, as in Azure ML: write {cure}"
    entries = (config.collections or {}).items()
    return tuple(Problem(f"{child(path, name)}.enabled", message) for name, entry in entries if not entry.is_switched)


def _path(variable: str, text: str) -> Path:
    path, wrong = read_path(text)
    if wrong or not path:
        raise ConfigError(Problem(variable, f"expected a file, got {shown(text)}, {wrong or 'an empty path'}"))
    return Path(path)


def read_deployment(path: Path, origin: str | None = None) -> CollectorConfig:
    """Read a deployment YAML, or a file that holds only its `data_collector` block.

    Args:
        path: of the file.
        origin: the file's name in errors; the path when missing.

    Raises:
        ConfigError: the file is missing or wrong; lists every problem in it.
    """
    origin = origin or str(path)
    text = _text_of(path, origin)
    try:
        document = read_yaml(text)
        repeated = repeated_keys(text)
    except YamlTextError as error:
        raise ConfigError(Problem("", f"expected YAML, got {error}", origin)) from None
    file = _checked(document, _DeploymentFile, origin, repeated)
    block = file.data_collector
    logging = block.request_logging or _RequestLogging()
    return CollectorConfig(
        endpoint=file.endpoint_name,
        deployment=file.name,
        collections={name.lower(): _collection(entry or _Entry()) for name, entry in block.collections.items()},
        sampling_rate=1.0 if block.sampling_rate is None else block.sampling_rate,
        rolling_rate=block.rolling_rate,
        capture_headers=_lower(logging.capture_headers),
    )


def _collection(entry: _Entry) -> Collection:
    data = entry.data
    return Collection(
        enabled=entry.enabled is True,
        is_switched=entry.enabled is not None,
        sampling_rate=entry.sampling_rate,
        rolling_rate=entry.rolling_rate,
        client_id=entry.client_id,
        data=None
        if data is None or data == _Data()
        else DataAsset(name=data.name, path=data.path, version=None if data.version is None else str(data.version)),
    )


def _read_azure_file(path: Path, origin: str) -> CollectorConfig:
    try:
        document = json.loads(_text_of(path, origin), object_pairs_hook=_once_each)
    except RecursionError:
        raise ConfigError(Problem("", "expected JSON, got too many nested levels: nest it less", origin)) from None
    except ValueError as error:
        raise ConfigError(Problem("", f"expected JSON, got {error}", origin)) from None
    file = _checked(document, _AzureFile, origin)
    entries = {name.lower(): entry or _AzureEntry() for name, entry in file.collections.items()}
    headers = (file.capture_headers, *(entry.capture_headers for entry in entries.values()))
    return CollectorConfig(
        collections={
            name: Collection(
                enabled=entry.enabled is True,
                is_switched=entry.enabled is not None,
                sampling_rate=_azure_rate(entry),
            )
            for name, entry in entries.items()
        },
        capture_headers=tuple(header for group in headers for header in _lower(group)),
        local_capture=file.run_mode == "local",
    )


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name = next(name for number, (name, _) in enumerate(pairs) if name in dict(pairs[:number]))
        raise ValueError(f"the key {name!r} twice: remove one of them")
    return found


def _azure_rate(entry: _AzureEntry) -> float | None:
    percentage = entry.sampling_percentage if entry.sample_rate_percentage is None else entry.sample_rate_percentage
    return None if percentage is None else percentage / 100


def _from_legacy_variables(env: Mapping[str, str]) -> CollectorConfig:
    given = _checked(dict(env), _LegacyVariables)
    return CollectorConfig(
        enabled=_is_true(env.get(LEGACY_VARIABLE)),
        sampling_rate=1.0 if given.sample_rate is None else given.sample_rate / 100,
        queue_capacity=given.queue_capacity,
        local_capture=_is_true(env.get("AZUREML_MDC_LOCAL_CAPTURE")),
    )


def _checked(document: object, kind: type[T], origin: str = "", also: Iterable[Problem] = ()) -> T:
    value, problems = decode(document, kind)
    problems = (*also, *problems, *_same_names(document))
    if value is None or problems:
        raise ConfigError(*(replace(problem, source=origin) for problem in problems))
    return value


def _same_names(document: object) -> Iterator[Problem]:
    """Collections whose names differ only in case: they are one collection."""
    names = document
    path = ""
    for key in ("data_collector", "collections"):
        if isinstance(names, dict) and key in names:
            names, path = names[key], child(path, key)
    first: dict[str, str] = {}
    for name in map(str, names) if isinstance(names, dict) and path.endswith("collections") else ():
        other = first.setdefault(name.lower(), name)
        if other != name:
            message = f"expected names that differ in more than case, got this one and {other!r}: remove one of them"
            yield Problem(child(path, name), message)


def _lower(headers: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(header.lower() for header in headers or ())


def _text_of(path: Path, origin: str) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}: {path.absolute()}; correct the path, or its permissions"
        raise ConfigError(Problem("", message, origin)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(Problem("", f"cannot be read: {error}; save it as UTF-8", origin)) from None


def _is_true(text: str | None) -> bool:
    return text is not None and text.strip().lower() == "true"
