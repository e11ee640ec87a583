"""Checks a deployment YAML: what the SDK refuses, and what Azure ML does differently.

Facts about Azure are from its documentation, the schema of the package azure-ai-ml, and the source of its monitoring.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata.config import ROLLING_RATES, config_warnings, read_deployment
from otel_modeldata.environment import read_environment
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.semconv import PAYLOAD_COLLECTIONS, TRACE_COLLECTION
from otel_modeldata.validation.problems import SAME_NAME, Problem, child, closest, item

from ...deployments.datastores import DatastorePath
from .finding import Finding, problem, warning
from .yaml_lines import YamlLines

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata.config import CollectorConfig

__all__ = ["findings", "unknown_datastores"]

_BLOCK: Final = "data_collector"
_COLLECTIONS: Final = f"{_BLOCK}.collections"
_MOST_COLLECTIONS: Final = 5
"""Azure's documentation: declare at most five collectors in `init()`. Its SDK does not enforce it."""
_MONITORED: Final = ("model_inputs", "model_outputs")
"""Azure's monitoring expects both (azure-ai-ml, `_schedule_operations.py`)."""
_SECRET_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-functions-key"}
)
_OTHER_RATES: Final = frozenset(rate.lower() for rate in ROLLING_RATES if rate != "Hour")
_TOOL_RATES: Final = frozenset({"minute", "hour", "day"})
"""What azure-ai-ml accepts: "Value 'Month' passed is not in set ['minute','day','hour']"."""


def findings(path: Path, document: object, lines: YamlLines) -> Iterator[Finding]:
    """All problems and warnings of the file."""
    config = None
    refused: tuple[Problem, ...] = ()
    try:
        config = read_deployment(path)
    except ConfigError as error:
        refused = error.problems
    raw = _mapping(document)
    block = _mapping(raw.get(_BLOCK))
    collections = _mapping(block.get("collections"))
    endpoint_problems, endpoint_warnings = _about_endpoint(raw)
    for about in (*refused, *_path_problems(collections), *endpoint_problems):
        yield problem(about, lines)
    for about in endpoint_warnings:
        yield warning(about, lines)
    for about in (*_about_names(raw), *_about_rates(block), *_about_collections(collections, config)):
        yield warning(about, lines)
    for about in (*_about_sampling(block), *_about_assets(collections), *_about_headers(block, collections)):
        yield warning(about, lines)


def unknown_datastores(path: Path, known: Container[str]) -> Iterator[Finding]:
    """Warnings about collections of a file whose data is written to a datastore that is not among the `known`."""
    try:
        config = read_deployment(path)
    except ConfigError:
        return
    lines = YamlLines(path.read_text("utf-8-sig"))
    for name, entry in (config.collections or {}).items():
        if entry.data is None or entry.data.path is None:
            continue
        with contextlib.suppress(ConfigError):  # reported already
            datastore = DatastorePath.parse(entry.data.path)
            if datastore.key.lower() not in known:
                message = f"the datastore {datastore.key!r} is not among those of the receiver's configuration"
                yield warning(Problem(f"{child(_COLLECTIONS, name)}.data.path", message), lines)


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _path_problems(collections: Mapping[str, Any]) -> Iterator[Problem]:
    for where, entry in _entries(collections).items():
        path = _mapping(entry.get("data")).get("path")
        try:
            if isinstance(path, str):
                DatastorePath.parse(path)
        except ConfigError as error:
            yield from (replace(about, path=f"{where}.data.path") for about in error.problems)


def _about_endpoint(raw: Mapping[str, Any]) -> tuple[list[Problem], list[Problem]]:
    """Problems and warnings of the OTLP variables that the file sets for its container."""
    variables = {str(name): str(value) for name, value in _mapping(raw.get("environment_variables")).items()}
    otlp = {name: value for name, value in variables.items() if name.startswith("OTEL_EXPORTER_OTLP_")}
    read = read_environment(otlp, is_local=False)
    problems, warnings = (
        [replace(about, path=child("environment_variables", about.path)) for about in found]
        for found in (read.problems, read.warnings)
    )
    return problems, warnings


def _about_names(raw: Mapping[str, Any]) -> Iterator[Problem]:
    for key in ("endpoint_name", "name"):
        if raw.get(key) is None:
            message = (
                "expected in this file, got nothing: the names are then read from OTEL_RESOURCE_ATTRIBUTES, "
                "else from service.name, else they are 'local' and 'default'"
            )
            yield Problem(key, message)


def _about_rates(block: Mapping[str, Any]) -> Iterator[Problem]:
    rate = block.get("rolling_rate")
    if isinstance(rate, str) and rate.lower() in _OTHER_RATES:
        also = "" if rate.lower() in _TOOL_RATES else ", and azure-ai-ml refuses this value"
        message = f"Azure ML's monitors read hour folders only, so they find no blobs at rate {rate}{also}"
        yield Problem(f"{_BLOCK}.rolling_rate", message)
    for where, entry in {_BLOCK: block, **_entries(_mapping(block.get("collections")))}.items():
        path = f"{where}.sampling_rate"
        if _is_zero(entry.get("sampling_rate")):
            yield Problem(path, "0 collects nothing here, but Azure's own SDK treats 0 as everything")
        elif where != _BLOCK and "sampling_rate" in entry:
            yield Problem(path, f"azure-ai-ml has one sampling_rate for all, in {_BLOCK}, and refuses this")


def _about_sampling(block: Mapping[str, Any]) -> Iterator[Problem]:
    """Once for a file: every rate between 0 and 1 has the same condition."""
    for where, entry in {_BLOCK: block, **_entries(_mapping(block.get("collections")))}.items():
        if _is_partial(entry.get("sampling_rate")):
            message = (
                "samples by correlation id, so it needs ids that differ per request: requests that share one are "
                "collected all or not at all"
            )
            yield Problem(f"{where}.sampling_rate", message)
            return


def _entries(collections: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {child(_COLLECTIONS, name): _mapping(entry) for name, entry in collections.items()}


def _is_zero(raw: object) -> bool:
    return _number(raw) == 0


def _is_partial(raw: object) -> bool:
    return 0 < _number(raw) < 1


def _number(raw: object) -> float:
    """A number as the SDK reads it; NaN for anything else."""
    try:
        return math.nan if isinstance(raw, bool) else float(str(raw))
    except ValueError:
        return math.nan


def _about_collections(collections: Mapping[str, Any], config: CollectorConfig | None) -> Iterator[Problem]:
    if config is None or config.collections is None:
        return
    names = config.collections.keys()
    yield from config_warnings(config)
    if len(collections) > _MOST_COLLECTIONS:
        message = f"Azure's documentation allows {_MOST_COLLECTIONS} collections, this file has {len(collections)}"
        yield Problem(_COLLECTIONS, message)
    if not any(entry.enabled for entry in config.collections.values()):
        yield Problem(_COLLECTIONS, "none of them is enabled, so nothing is collected")
    frames = names - PAYLOAD_COLLECTIONS
    if not frames:
        message = (
            "only payload logging is listed, so 'custom logging is not enabled' and every Collector in score.py "
            "raises; list the collections of score.py, too, if it has any"
        )
        yield Problem(_COLLECTIONS, message)
    meant = sorted({*_MONITORED, *PAYLOAD_COLLECTIONS, TRACE_COLLECTION} - names)
    for name in sorted(frames - {*_MONITORED, TRACE_COLLECTION}):
        near = closest(name, meant, cutoff=SAME_NAME)
        message = f"Azure ML's monitoring recognizes only {' and '.join(_MONITORED)} by themselves"
        message = message if near is None else f"did you mean {near!r}? {message}"
        yield Problem(child(_COLLECTIONS, name), message)
    present = [name for name in _MONITORED if name in names and config.collections[name].enabled]
    if len(present) == 1:
        message = f"Azure ML's default monitor needs {' and '.join(_MONITORED)}, this file has only one of them"
        yield Problem(child(_COLLECTIONS, present[0]), message)


def _about_assets(collections: Mapping[str, Any]) -> Iterator[Problem]:
    for where, entry in _entries(collections).items():
        version = _mapping(entry.get("data")).get("version")
        if version is not None and not isinstance(version, str):
            yield Problem(f"{where}.data.version", f"azure-ai-ml accepts text only, write '{version}' in quotes")


def _about_headers(block: Mapping[str, Any], collections: Mapping[str, Any]) -> Iterator[Problem]:
    where = f"{_BLOCK}.request_logging.capture_headers"
    headers = _mapping(block.get("request_logging")).get("capture_headers")
    if not isinstance(headers, list) or not headers:
        return
    for index, header in enumerate(headers):
        if str(header).lower() in _SECRET_HEADERS:
            yield Problem(item(where, index), f"{header!r} is a credential, and every reader of the store can read it")
    if PAYLOAD_COLLECTIONS.isdisjoint(str(name).lower() for name in collections):
        yield Problem(where, "headers are captured with request and response, and neither is listed in collections")
