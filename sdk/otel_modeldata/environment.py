"""Reads all environment variables of the SDK at once, without raising.

For diagnostic tools (`otel-modeldata check --environment`, `otel-modeldata doctor`). Collectors read the variables with
the same functions. `VARIABLES` lists all of them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from ._delivery import open_transport
from ._settings import settings
from ._settings.otlp_endpoint import Endpoint
from ._settings.settings import Environment, Settings
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

if TYPE_CHECKING:
    from collections.abc import Mapping

SPOOL_VARIABLE: Final = SPOOL.name
STORE_VARIABLE: Final = STORE.name


def read_environment(environ: Mapping[str, str] | None = None, *, is_local: bool = True) -> Environment:
    """Read every variable as `Collector` does, without raising, and without contacting or writing anything.

    Args:
        environ: variables by name; the environment of this process when missing.
        is_local: whether files, folders and stores in the variables are those of this machine, so that they are
            checked.
    """
    read = settings.read_environment(environ, is_local=is_local)
    if read.store is None or not is_local:
        return read
    return dataclasses.replace(read, problems=(*read.problems, *open_transport.store_problems(read.store)))
