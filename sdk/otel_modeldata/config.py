"""What is collected: Azure ML's `data_collector` block, strictly read.

Sources, the first one present wins (design section 4):

1. `OTEL_MODELDATA_CONFIG`: path of the deployment YAML, as documented by Azure (`endpoint_name`, `name`,
   `data_collector`), or of a file that holds only the `data_collector` block.
2. `AZUREML_MDC_CONFIG_PATH`: the JSON file Azure's own host writes. Two of its writers disagree about the name of the
   sampling key, so both are read (facts: azure-consumer.md section 4).
3. `AZUREML_MDC_ENABLED` and the other variables of azureml-ai-monitoring's legacy mode.
4. Nothing: every collection is on, at 100 %.

A file decodes into one validated `CollectorConfig`, or into one `ConfigError` that lists every problem.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from .exceptions import ConfigError
from .semconv import NAME_RULE, PAYLOAD_COLLECTIONS, is_name

CONFIG_VARIABLE = "OTEL_MODELDATA_CONFIG"
AZURE_CONFIG_VARIABLE = "AZUREML_MDC_CONFIG_PATH"

RollingRate = Literal["Minute", "Hour", "Day", "Month", "Year"]
ROLLING_RATES: tuple[RollingRate, ...] = ("Minute", "Hour", "Day", "Month", "Year")


class DataAsset(msgspec.Struct, frozen=True, kw_only=True):
    """Where a collection's data is registered: `data_collector.collections.<name>.data`."""

    name: str | None = None
    path: str | None = None
    version: str | None = None


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `data_collector.collections`."""

    enabled: bool = True
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
        debug: `collect` returns a context that answers `is_success()` and `get_message()`.
        local_capture: events are printed, not sent.
        queue_capacity: bound of the queue in events; None leaves only the bound in bytes.
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
        """The entry of a collection; None when the configuration lists others only."""
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


def load_config(environ: Mapping[str, str] | None = None) -> CollectorConfig:
    """Read the configuration that the environment names.

    Raises:
        ConfigError: a file is missing or wrong; lists every problem in it.
    """
    env = os.environ if environ is None else environ
    debug = _is_true(env.get("AZUREML_MDC_DEBUG"))
    if path := env.get(CONFIG_VARIABLE):
        config = read_deployment(Path(path), f"{CONFIG_VARIABLE}={path}")
    elif path := env.get(AZURE_CONFIG_VARIABLE):
        config = _read_azure_file(Path(path), f"{AZURE_CONFIG_VARIABLE}={path}")
    elif "AZUREML_MDC_ENABLED" in env:
        config = _from_legacy_variables(env)
    else:
        config = CollectorConfig()
    return msgspec.structs.replace(config, debug=debug)


def read_deployment(path: Path, origin: str | None = None) -> CollectorConfig:
    """Read a deployment YAML, or a file that holds only its `data_collector` block.

    Args:
        path: of the file.
        origin: what errors call it; the path when missing.

    Raises:
        ConfigError: the file is missing or wrong; lists every problem in it.
    """
    import yaml  # noqa: PLC0415 - only processes that have a YAML pay for its parser

    origin = origin or str(path)
    try:
        document = yaml.safe_load(_text_of(path, origin))
    except yaml.YAMLError as error:
        raise ConfigError(origin, [f"expected YAML, got {str(error).replace(chr(10), ' ')}"]) from None
    problems = _Problems()
    whole = problems.mapping(document, "the file")
    block = problems.mapping(whole.get("data_collector"), "data_collector", required=True)
    config = CollectorConfig(
        endpoint=problems.name(whole.get("endpoint_name"), "endpoint_name"),
        deployment=problems.name(whole.get("name"), "name"),
        **_data_collector(block, problems),
    )
    problems.raise_any(origin)
    return config


def _data_collector(block: Mapping[str, Any], problems: _Problems) -> dict[str, Any]:
    where = "data_collector"
    problems.unknown_keys(block, where, ("collections", "sampling_rate", "rolling_rate", "request_logging"))
    logging = problems.mapping(block.get("request_logging"), f"{where}.request_logging")
    problems.unknown_keys(logging, f"{where}.request_logging", ("capture_headers",))
    headers = problems.value(logging, "capture_headers", tuple[str, ...], f"{where}.request_logging", ())
    return {
        "collections": _collections(block.get("collections"), f"{where}.collections", problems),
        "sampling_rate": problems.rate(block, "sampling_rate", where, 1.0, 1.0),
        "rolling_rate": _rolling_rate(block.get("rolling_rate"), f"{where}.rolling_rate", problems),
        "capture_headers": tuple(header.lower() for header in headers or ()),
    }


def _collections(raw: object, where: str, problems: _Problems) -> dict[str, Collection]:
    entries = problems.mapping(raw, where, required=True)
    found: dict[str, Collection] = {}
    for name, entry in entries.items():
        key = problems.name(name, f"a name in {where}")
        if key is not None:
            found[key.lower()] = _collection(problems.mapping(entry, f"{where}.{name}"), f"{where}.{name}", problems)
    return found


def _collection(entry: Mapping[str, Any], where: str, problems: _Problems) -> Collection:
    problems.unknown_keys(entry, where, ("enabled", "sampling_rate", "rolling_rate", "data", "client_id"))
    asset = problems.mapping(entry.get("data"), f"{where}.data")
    problems.unknown_keys(asset, f"{where}.data", ("name", "path", "version"))
    version = asset.get("version")
    return Collection(
        enabled=problems.value(entry, "enabled", bool, where, default=True),
        sampling_rate=problems.rate(entry, "sampling_rate", where, 1.0, None),
        rolling_rate=_rolling_rate(entry.get("rolling_rate"), f"{where}.rolling_rate", problems),
        client_id=problems.value(entry, "client_id", str, where, None),
        data=DataAsset(
            name=problems.value(asset, "name", str, f"{where}.data", None),
            path=problems.value(asset, "path", str, f"{where}.data", None),
            # The documentation writes `version: 1`, Azure's own validator demands `'1'`: both mean the same.
            version=str(version) if isinstance(version, int) else problems.value(asset, "version", str, where, None),
        )
        if asset
        else None,
    )


def _rolling_rate(raw: object, where: str, problems: _Problems) -> RollingRate | None:
    for rate in ROLLING_RATES:
        if isinstance(raw, str) and raw.lower() == rate.lower():
            return rate
    if raw is not None:
        problems.add(f"{where}: expected one of {', '.join(ROLLING_RATES)}, got {raw!r}")
    return None


def _read_azure_file(path: Path, origin: str) -> CollectorConfig:
    try:
        document = json.loads(_text_of(path, origin))
    except json.JSONDecodeError as error:
        raise ConfigError(origin, [f"expected JSON, got {error}"]) from None
    problems = _Problems()
    whole = problems.mapping(document, "the file")
    problems.unknown_keys(whole, "the file", ("collections", "runMode", "captureHeaders"))
    mode = whole.get("runMode", "cloud")
    if mode not in ("cloud", "local"):
        problems.add(f"runMode: expected cloud or local, got {mode!r}")
    collections = {}
    headers = problems.value(whole, "captureHeaders", list[str], "", None) or []
    for name, raw in problems.mapping(whole.get("collections"), "collections", required=True).items():
        where = f"collections.{name}"
        entry = problems.mapping(raw, where)
        headers += problems.value(entry, "captureHeaders", list[str], where, None) or []
        known = ("enabled", "sampleRatePercentage", "sampling_percentage", "captureHeaders")
        problems.unknown_keys(entry, where, known)
        key = "sampleRatePercentage" if "sampleRatePercentage" in entry else "sampling_percentage"
        collections[str(name).lower()] = Collection(
            enabled=problems.value(entry, "enabled", bool, where, default=False),
            sampling_rate=problems.rate(entry, key, where, 100.0, None),
        )
    problems.raise_any(origin)
    capture_headers = tuple(header.lower() for header in headers)
    return CollectorConfig(collections=collections, capture_headers=capture_headers, local_capture=mode == "local")


def _from_legacy_variables(env: Mapping[str, str]) -> CollectorConfig:
    problems = _Problems()
    config = CollectorConfig(
        enabled=_is_true(env.get("AZUREML_MDC_ENABLED")),
        sampling_rate=problems.rate(env, "AZUREML_MDC_SAMPLE_RATE", "", 100.0, 1.0),
        queue_capacity=problems.value(env, "AZUREML_MDC_QUEUE_CAPACITY", int, "", None),
        local_capture=_is_true(env.get("AZUREML_MDC_LOCAL_CAPTURE")),
    )
    problems.raise_any("environment")
    return config


def _text_of(path: Path, origin: str) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(origin, [f"cannot be read: {error}"]) from None


def _is_true(text: str | None) -> bool:
    return text is not None and text.strip().lower() == "true"


T = TypeVar("T")


class _Problems:
    """Gathers one sentence per problem, so that a file is mended in one go."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, sentence: str) -> None:
        self.found.append(sentence)

    def raise_any(self, origin: str) -> None:
        if self.found:
            raise ConfigError(origin, self.found)

    def mapping(self, raw: object, where: str, *, required: bool = False) -> Mapping[str, Any]:
        if isinstance(raw, Mapping):
            return raw
        if raw is not None or required:
            self.add(f"{where}: expected a mapping, got {'nothing' if raw is None else repr(raw)}")
        return {}

    def unknown_keys(self, raw: Mapping[str, Any], where: str, known: tuple[str, ...]) -> None:
        for key in raw:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f", did you mean {close[0]!r}?" if close else f": expected one of {', '.join(known)}"
                self.add(f"{where}: unknown key {key!r}{hint}")

    def value(self, raw: Mapping[str, Any], key: str, kind: type[T], where: str, default: T | None) -> Any:
        """`raw[key]` as `kind`; strings such as 'True' and '1' count, as Azure's YAML and variables write them."""
        if raw.get(key) is None:
            return default
        given = raw[key].strip().lower() if kind is bool and isinstance(raw[key], str) else raw[key]
        try:
            return msgspec.convert(given, kind, strict=False)
        except msgspec.ValidationError:
            expected = "true or false" if kind is bool else getattr(kind, "__name__", str(kind))
            self.add(f"{_join(where, key)}: expected {expected}, got {raw[key]!r}")
            return default

    def rate(self, raw: Mapping[str, Any], key: str, where: str, whole: float, default: float | None) -> Any:
        """`raw[key]` as a share of `whole`, 0 to 1 (`whole` is 100 where the source writes percentages)."""
        given = self.value(raw, key, float, where, None)
        if given is None:
            return default
        if 0 <= given <= whole:
            return given / whole
        self.add(f"{_join(where, key)}: expected a number from 0 to {whole:g}, got {raw[key]!r}")
        return default

    def name(self, raw: object, where: str) -> str | None:
        """A name that may become a folder."""
        if raw is None or (isinstance(raw, str) and is_name(raw)):
            return raw
        self.add(f"{where}: expected {NAME_RULE}, got {raw!r}")
        return None


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
