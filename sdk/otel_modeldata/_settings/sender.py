"""Who sends: the OpenTelemetry resource of this process, and the names of its endpoint and deployment.

The names become folders. `endpoint_name` and `name` of the deployment YAML, `azureml.endpoint.name` and
`azureml.deployment.name` are chosen for folders: an illegal one is an error. `service.name` is chosen for traces, often
by another team: it is made legal (`semconv.legal_name`), which a warning says.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from .. import semconv
from ..exceptions import ConfigError
from ..validation.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..config import CollectorConfig

logger = logging.getLogger(__name__)

Attributes = Mapping[str, "str | bool | int | float"]

_ATTRIBUTES: Final = "OTEL_RESOURCE_ATTRIBUTES"
_SERVICE: Final = "OTEL_SERVICE_NAME"
_DETECTORS: Final = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"
_ORIGIN: Final = f"OpenTelemetry resource ({_SERVICE}, {_ATTRIBUTES})"
_UNKNOWN_SERVICE: Final = "unknown_service"
"""OTel's default for a missing name, "unknown_service:python", is not an endpoint."""
_MAX_INT: Final = 2**63
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The resource of a process.

    Attributes:
        attributes: of the resource, with legal names of endpoint and deployment, and values that OTLP can carry.
        pid: the process whose attributes OpenTelemetry found; None before it has looked for them.
        warnings: what a user should know: a changed name, and text that is not an attribute.
    """

    attributes: Attributes
    pid: int | None = dataclasses.field(default=None, compare=False, repr=False)
    warnings: tuple[Problem, ...] = dataclasses.field(default=(), compare=False)

    @property
    def endpoint(self) -> str:
        """The endpoint's name, the first folder."""
        return str(self.attributes[semconv.AZUREML_ENDPOINT_NAME])

    @property
    def deployment(self) -> str:
        """The deployment's name, the second folder."""
        return str(self.attributes[semconv.AZUREML_DEPLOYMENT_NAME])

    def of_this_process(self) -> Sender:
        """The same names with the attributes of this process: in a forked child, detectors run again.

        What they found in `init()` is used if they fail here.
        """
        if self.pid == os.getpid():
            return self
        try:
            detected = _detected(*_key(os.environ), os.getpid())
        except RuntimeError:  # OpenTelemetry starts threads, which an interpreter that is ending refuses
            return self
        except Exception as error:  # noqa: BLE001 - a detector of another package must not stop a collect
            logger.warning("the attributes of the resource are those of init(), for detectors failed now: %s", error)
            return self
        return Sender(attributes={**detected, **self._chosen()}, pid=os.getpid())

    def _chosen(self) -> Attributes:
        keys = (semconv.AZUREML_ENDPOINT_NAME, semconv.AZUREML_DEPLOYMENT_NAME, semconv.AZUREML_ROLLING_RATE)
        return {key: self.attributes[key] for key in keys if key in self.attributes}


def load_sender(config: CollectorConfig, environ: Mapping[str, str] | None = None) -> Sender:
    """The resource of this process.

    Args:
        config: its names take precedence.
        environ: variables by name; detectors run only for the environment of this process. Without detectors, which may
            name the service, OpenTelemetry reads two variables, so its SDK is not loaded here.

    Raises:
        ConfigError: a name that was chosen for a folder cannot be one, or the resource cannot be read.
    """
    env = os.environ if environ is None else environ
    runs_detectors = env is os.environ and bool(env.get(_DETECTORS))
    try:
        found = _detected(*_key(env), os.getpid()) if runs_detectors else _clean(_of_variables(env))
    except RuntimeError:  # OpenTelemetry starts threads, which an interpreter that is ending refuses
        found = _clean(_of_variables(env))
    except Exception as error:  # of a detector in another package, which the variable names
        message = f"expected resource detectors that work, got {type(error).__name__}: correct or unset it"
        raise ConfigError(Problem(_DETECTORS, message)) from error
    given = {
        semconv.AZUREML_ENDPOINT_NAME: config.endpoint,
        semconv.AZUREML_DEPLOYMENT_NAME: config.deployment,
        semconv.AZUREML_ROLLING_RATE: config.rolling_rate,
    }
    attributes = {**found, **{key: value for key, value in given.items() if value is not None}}
    service = _service(attributes)
    of_service = semconv.legal_name(service) or semconv.DEFAULT_ENDPOINT
    endpoint = attributes.get(semconv.AZUREML_ENDPOINT_NAME)
    deployment = attributes.get(semconv.AZUREML_DEPLOYMENT_NAME)
    names = {
        semconv.AZUREML_ENDPOINT_NAME: str(endpoint or of_service),
        semconv.AZUREML_DEPLOYMENT_NAME: str(deployment or semconv.DEFAULT_DEPLOYMENT),
    }
    problems = [
        Problem(key, f"expected {semconv.NAME_RULE}, got {name!r}", _ORIGIN)
        for key, name in names.items()
        if not semconv.is_name(name)
    ]
    if problems:
        raise ConfigError(*problems)
    is_changed = bool(service) and not endpoint
    return Sender(
        attributes={**attributes, **names},
        pid=os.getpid() if runs_detectors else None,
        warnings=_warnings(service if is_changed else "", of_service if is_changed else "", env),
    )


def _warnings(service: str, endpoint: str, env: Mapping[str, str]) -> tuple[Problem, ...]:
    found = []
    if endpoint != service:
        message = (
            f"{service!r} cannot be a folder, so events are stored below {endpoint!r}: to choose another name, set "
            f"azureml.endpoint.name in {_ATTRIBUTES}, or endpoint_name in the deployment YAML"
        )
        found.append(Problem(semconv.SERVICE_NAME, message))
    unread = sum("=" not in item for item in env.get(_ATTRIBUTES, "").split(",") if item.strip())
    if unread:
        message = f"expected name=value pairs separated by commas, got {unread} of another form, which are not sent"
        found.append(Problem(_ATTRIBUTES, message))
    return tuple(found)


def _service(attributes: Attributes) -> str:
    service = str(attributes.get(semconv.SERVICE_NAME, ""))
    return "" if service.startswith(_UNKNOWN_SERVICE) else service.strip()


def _key(env: Mapping[str, str]) -> tuple[str, str, str]:
    return env.get(_ATTRIBUTES, ""), env.get(_SERVICE, ""), env.get(_DETECTORS, "")


@lru_cache(maxsize=4)
def _detected(*_: object) -> Attributes:
    """The attributes that OpenTelemetry finds for this process; detectors may take seconds, so once per environment."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - not with the package

    with _without_secrets():
        return _clean(Resource.create().attributes)


def _of_variables(env: Mapping[str, str]) -> dict[str, str]:
    """What OpenTelemetry reads from the two variables."""
    pairs = (item.partition("=") for item in env.get(_ATTRIBUTES, "").split(","))
    found = {key.strip(): unquote(value.strip()) for key, equals, value in pairs if equals}
    return {**found, semconv.SERVICE_NAME: env[_SERVICE]} if env.get(_SERVICE) else found


def _clean(attributes: Mapping[str, object]) -> Attributes:
    """The attributes that OTLP can carry: valid Unicode, and integers of 64 bits."""
    found: dict[str, str | bool | int | float] = {}
    for key, value in attributes.items():
        if isinstance(value, str):
            found[_text(key)] = _text(value)
        elif isinstance(value, (bool, float)):
            found[_text(key)] = value
        elif isinstance(value, int):
            found[_text(key)] = value if -_MAX_INT <= value < _MAX_INT else str(value)
    return found


def _text(text: str) -> str:
    """`text` without the lone surrogates that stand for bytes of a variable that are not UTF-8."""
    return _SURROGATE.sub("\ufffd", text)


@contextmanager
def _without_secrets() -> Iterator[None]:
    """OpenTelemetry logs text of the variable that it cannot read, which may be a secret; a warning replaces it."""
    other = logging.getLogger("opentelemetry.sdk.resources")

    def is_harmless(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("Invalid key value resource attribute pair")

    other.addFilter(is_harmless)
    try:
        yield
    finally:
        other.removeFilter(is_harmless)
