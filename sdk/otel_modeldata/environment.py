"""What the SDK would do in this process: its variables, read all at once and without raising.

For tools that explain (`otel-modeldata check --environment`, `otel-modeldata doctor`); collectors read the same
variables through the same functions.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeVar

from ._delivery.open_transport import STORE_VARIABLE
from ._delivery.otlp_endpoint import Endpoint, load_endpoint
from ._delivery.settings import (
    BATCH_VARIABLE,
    OVERFLOW_VARIABLE,
    QUEUE_BYTES_VARIABLE,
    REPORT_VARIABLE,
    SPOOL_BYTES_VARIABLE,
    SPOOL_VARIABLE,
    load_settings,
)
from ._payload.settings import BYTES_VARIABLE, PATHS_VARIABLE
from .config import AZURE_CONFIG_VARIABLE, CONFIG_VARIABLE, CollectorConfig, load_config
from .exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["CONFIG_VARIABLE", "SPOOL_VARIABLE", "STORE_VARIABLE", "Endpoint", "Environment", "read_environment"]

T = TypeVar("T")

_PREFIX: Final = "OTEL_MODELDATA_"
_STORE_CONFIG_VARIABLE: Final = "OTEL_MODELDATA_STORE_CONFIG"
"""Read by whoever offers the store, not here."""
_VARIABLES: Final = (
    *(CONFIG_VARIABLE, STORE_VARIABLE, _STORE_CONFIG_VARIABLE, SPOOL_VARIABLE, SPOOL_BYTES_VARIABLE),
    *(BATCH_VARIABLE, OVERFLOW_VARIABLE, QUEUE_BYTES_VARIABLE, REPORT_VARIABLE, BYTES_VARIABLE, PATHS_VARIABLE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The variables of a process, read.

    Attributes:
        config: what is collected; None when it cannot be read.
        config_origin: the variable that it comes from, with its value; "defaults" when there is none.
        store: `OTEL_MODELDATA_STORE`, which takes the place of the endpoint.
        endpoint: where records are sent; None with a store, or when the variables are wrong.
        spool: the folder in which records wait; None keeps them in memory.
        problems: what is wrong, one sentence each.
        misspelled: variables that nobody reads and that look like one of ours, one sentence each.
    """

    config: CollectorConfig | None
    config_origin: str
    store: str | None
    endpoint: Endpoint | None
    spool: Path | None
    problems: tuple[str, ...]
    misspelled: tuple[str, ...]


def read_environment(environ: Mapping[str, str] | None = None) -> Environment:
    """Read the variables as the first `Collector` would."""
    env = os.environ if environ is None else environ
    problems: list[str] = []
    store = env.get(STORE_VARIABLE) or None
    settings = _attempt(lambda: load_settings(env), problems)
    return Environment(
        config=_attempt(lambda: load_config(env), problems),
        config_origin=_config_origin(env),
        store=store,
        endpoint=None if store else _attempt(lambda: load_endpoint(env), problems),
        spool=settings.spool.folder if settings is not None and settings.spool is not None else None,
        problems=tuple(problems),
        misspelled=tuple(_misspelled(env)),
    )


def _misspelled(env: Mapping[str, str]) -> Iterator[str]:
    """Only what is close to a name of ours: gateway and agent have variables of this prefix, too."""
    for name in sorted(env):
        close = get_close_matches(name, _VARIABLES, 1, cutoff=0.92) if name.startswith(_PREFIX) else []
        if close and name not in _VARIABLES:
            yield f"{name}: nobody reads this variable; did you mean {close[0]}?"


def _attempt(load: Callable[[], T], problems: list[str]) -> T | None:
    try:
        return load()
    except ConfigError as error:
        origin = str(error).removesuffix("; ".join(error.problems))
        problems.extend(origin + problem for problem in error.problems)
        return None


def _config_origin(env: Mapping[str, str]) -> str:
    for name in (CONFIG_VARIABLE, AZURE_CONFIG_VARIABLE):
        if env.get(name):
            return f"{name}={env[name]}"
    return "AZUREML_MDC_ENABLED" if "AZUREML_MDC_ENABLED" in env else "defaults"
