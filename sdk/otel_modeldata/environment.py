"""Reads all environment variables of the SDK at once, without raising.

For diagnostic tools (`otel-modeldata check --environment`, `otel-modeldata doctor`). Collectors read the variables with
the same functions. `VARIABLES` lists all of them.
"""

from __future__ import annotations

from typing import Final

from ._settings.otlp_endpoint import Endpoint
from ._settings.settings import Environment, Settings, read_environment
from ._settings.variables import SPOOL, STORE, VARIABLES, Variable
from .config import CONFIG_VARIABLE

__all__ = [
    "CONFIG_VARIABLE",
    "SPOOL_VARIABLE",
    "STORE_VARIABLE",
    "VARIABLES",
    "Endpoint",
    "Environment",
    "Settings",
    "Variable",
    "read_environment",
]

SPOOL_VARIABLE: Final = SPOOL.name
STORE_VARIABLE: Final = STORE.name
