"""What the SDK does in this process, by its environment variables: read all at once, and without raising.

For tools that explain (`otel-modeldata check --environment`, `otel-modeldata doctor`); collectors read the same
variables through the same functions. `VARIABLES` is the table of all of them.
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
