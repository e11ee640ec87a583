"""What there is to say about a deployment YAML beyond what the SDK refuses: what Azure ML makes of it.

Facts about Azure's side: its documentation, the schema of the package azure-ai-ml, and the source of its monitoring.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata.config import ROLLING_RATES, read_deployment
from otel_modeldata.environment import read_environment
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.semconv import PAYLOAD_COLLECTIONS, TRACE_COLLECTION

from ...deployments.datastores import DatastorePath
from ...exceptions import ConfigError as ReceiverConfigError
from .finding import Finding, problem, warning
from .yaml_lines import YamlLines

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata.config import CollectorConfig

__all__ = ["findings", "unknown_datastores"]

_BLOCK: Final = "data_collector"
_MOST_COLLECTIONS: Final = 5
"""Azure's documentation: declare at most five collectors in `init()`. Its SDK does not enforce it."""
_MONITORED: Final = ("model_inputs", "model_outputs")
"""Azure's monitoring takes both for granted (azure-ai-ml, `_schedule_operations.py`)."""
_SECRET_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-functions-key"}
)
_OTHER_RATES: Final = frozenset(rate.lower() for rate in ROLLING_RATES if rate != "Hour")
_TOOL_RATES: Final = frozenset({"minute", "hour", "day"})
"""What azure-ai-ml lets pass: "Value 'Month' passed is not in set ['minute','day','hour']"."""


def findings(path: Path, document: object, lines: YamlLines) -> Iterator[Finding]:
    """Every problem of the file, and whatever else its author should know."""
    config = None
    try:
        config = read_deployment(path)
    except ConfigError as error:
        for sentence in error.problems:
            yield problem(sentence, lines.of_sentence(sentence))
    raw = _mapping(document)
    block = _mapping(raw.get(_BLOCK))
    collections = _mapping(block.get("collections"))
    for sentence in (*_same_names(collections), *_path_problems(collections)):
        yield problem(sentence, lines.of_sentence(sentence))
    yield from _endpoint_problems(raw, lines)
    for sentence in (*_about_names(raw), *_about_rates(block), *_about_collections(collections, config)):
        yield warning(sentence, lines.of_sentence(sentence))
    for sentence in (*_about_assets(collections), *_about_headers(block, collections)):
        yield warning(sentence, lines.of_sentence(sentence))


def unknown_datastores(path: Path, known: Container[str]) -> Iterator[Finding]:
    """Warnings about collections of a file whose data goes to a datastore that is not among the `known`."""
    try:
        config = read_deployment(path)
    except ConfigError:
        return
    lines = YamlLines(path.read_text("utf-8-sig"))
    for name, entry in (config.collections or {}).items():
        if entry.data is None or entry.data.path is None:
            continue
        with contextlib.suppress(ReceiverConfigError):  # told already
            datastore = DatastorePath.parse(entry.data.path)
            if datastore.key.lower() not in known:
                where = f"{_BLOCK}.collections.{name}.data.path"
                yield warning(
                    f"{where}: the datastore {datastore.key!r} is not among those of the receiver's configuration",
                    lines.of(where),
                )


def _mapping(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _same_names(collections: Mapping[str, Any]) -> Iterator[str]:
    first: dict[str, str] = {}
    for name in map(str, collections):
        other = first.setdefault(name.lower(), name)
        if other != name:
            yield (
                f"{_BLOCK}.collections.{name}: expected names that differ in more than case, got this one beside "
                f"{other!r}: only the last of them counts"
            )


def _path_problems(collections: Mapping[str, Any]) -> Iterator[str]:
    for where, entry in _entries(collections).items():
        path = _mapping(entry.get("data")).get("path")
        try:
            if isinstance(path, str):
                DatastorePath.parse(path)
        except ReceiverConfigError as error:
            yield f"{where}.data.path: {error}"


def _endpoint_problems(raw: Mapping[str, Any], lines: YamlLines) -> Iterator[Finding]:
    """The OTLP variables that the file sets for its container."""
    variables = {str(name): str(value) for name, value in _mapping(raw.get("environment_variables")).items()}
    otlp = {name: value for name, value in variables.items() if name.startswith("OTEL_EXPORTER_OTLP_")}
    for sentence in read_environment(otlp).problems:
        about = sentence.split(": ")[1].upper()
        name = next((name for name in otlp if name.endswith(f"_{about}")), "")
        yield problem(f"environment_variables: {sentence}", lines.of(f"environment_variables.{name}"))


def _about_names(raw: Mapping[str, Any]) -> Iterator[str]:
    missing = [key for key in ("endpoint_name", "name") if raw.get(key) is None]
    if missing:
        yield (
            f"{' and '.join(missing)}: expected in this file, got nothing: the folders then take the names from "
            "OTEL_RESOURCE_ATTRIBUTES, else from service.name, else they are 'local' and 'default'"
        )


def _about_rates(block: Mapping[str, Any]) -> Iterator[str]:
    rate = block.get("rolling_rate")
    if isinstance(rate, str) and rate.lower() in _OTHER_RATES:
        also = "" if rate.lower() in _TOOL_RATES else ", and azure-ai-ml refuses this value"
        yield f"{_BLOCK}.rolling_rate: Azure ML's monitors read hour folders only, so they find nothing of {rate}{also}"
    rates = {_BLOCK: block, **_entries(_mapping(block.get("collections")))}
    for where, entry in rates.items():
        if _is_zero(entry.get("sampling_rate")):
            yield f"{where}.sampling_rate: 0 collects nothing here, while Azure's own SDK takes 0 for everything"
        elif where != _BLOCK and "sampling_rate" in entry:
            yield f"{where}.sampling_rate: azure-ai-ml knows one sampling_rate for all, in {_BLOCK}, and refuses this"


def _entries(collections: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {f"{_BLOCK}.collections.{name}": _mapping(entry) for name, entry in collections.items()}


def _is_zero(raw: object) -> bool:
    try:
        return not isinstance(raw, bool) and float(str(raw)) == 0
    except ValueError:
        return False


def _about_collections(collections: Mapping[str, Any], config: CollectorConfig | None) -> Iterator[str]:
    where = f"{_BLOCK}.collections"
    if config is None or config.collections is None:
        return
    names = config.collections.keys()
    if len(collections) > _MOST_COLLECTIONS:
        yield f"{where}: Azure's documentation allows {_MOST_COLLECTIONS} collections, here are {len(collections)}"
    if not any(entry.enabled for entry in config.collections.values()):
        yield f"{where}: none of them is enabled, so nothing is collected"
    frames = names - PAYLOAD_COLLECTIONS
    if not frames:
        yield (
            f"{where}: only payload logging is listed, so 'custom logging is not enabled' and every Collector in "
            "score.py raises; list the collections of score.py, too, if it has any"
        )
    for name in sorted(frames - {*_MONITORED, TRACE_COLLECTION}):
        yield f"{where}.{name}: Azure ML's monitoring recognizes only {' and '.join(_MONITORED)} by themselves"
    present = [name for name in _MONITORED if name in names and config.collections[name].enabled]
    if len(present) == 1:
        yield f"{where}.{present[0]}: Azure ML's default monitor needs {' and '.join(_MONITORED)}, here is one of them"


def _about_assets(collections: Mapping[str, Any]) -> Iterator[str]:
    for where, entry in _entries(collections).items():
        version = _mapping(entry.get("data")).get("version")
        if version is not None and not isinstance(version, str):
            yield f"{where}.data.version: azure-ai-ml takes text only, write '{version}' in quotes"


def _about_headers(block: Mapping[str, Any], collections: Mapping[str, Any]) -> Iterator[str]:
    where = f"{_BLOCK}.request_logging.capture_headers"
    headers = _mapping(block.get("request_logging")).get("capture_headers")
    if not isinstance(headers, list) or not headers:
        return
    for number, header in enumerate(headers):
        if str(header).lower() in _SECRET_HEADERS:
            yield f"{where}[{number}]: {header!r} is a credential, and whoever reads the store will have it"
    if PAYLOAD_COLLECTIONS.isdisjoint(str(name).lower() for name in collections):
        yield f"{where}: headers are captured with request and response, and neither is listed in collections"
