"""How much of a body payload logging keeps, and of which requests: its variables.

| variable | values | default |
|---|---|---|
| `OTEL_MODELDATA_PAYLOAD_BYTES` | bytes kept of each body, 0 to 60 MiB; 0 keeps none | 10 MiB |
| `OTEL_MODELDATA_PAYLOAD_PATHS` | paths whose requests are collected, e.g. `/score,/v1/models/*` | all but probes |

Of a longer body the beginning is kept, and `contentrange` tells how long it was. A request that is answered needs at
most twice these bytes, and only while it is.

Without paths every request is collected but those that no model answers: `OPTIONS`, and `GET` or `HEAD` of what
liveness probes, metrics scrapers and browsers ask for (`is_scoring`).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from .. import semconv
from ..exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..config import CollectorConfig

BYTES_VARIABLE: Final = "OTEL_MODELDATA_PAYLOAD_BYTES"
PATHS_VARIABLE: Final = "OTEL_MODELDATA_PAYLOAD_PATHS"

DEFAULT_BYTES: Final = 10 * 2**20
MAX_BYTES: Final = 60 * 2**20
"""One record may hold 64 MiB (`DeliveryLimits.record_bytes`), its attributes included."""

_PROBE: Final = re.compile(
    r"/|/health.*|/.+/health/(live|ready)|/(livez?|readyz?|ping|version|metrics|startup)/?"
    r"|/(swagger|openapi)\.json|/(docs|redoc)(/.*)?|/favicon\.ico"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadSettings:
    """What the environment says about payload logging.

    Attributes:
        max_bytes: kept of each body.
        paths: patterns as of a shell; empty takes every request for a scoring request but probes.
    """

    max_bytes: int = DEFAULT_BYTES
    paths: tuple[str, ...] = ()

    def is_scoring(self, method: str, path: str) -> bool:
        """Whether a request is collected.

        Args:
            method: in capitals.
            path: without the query.
        """
        if self.paths:
            return any(fnmatchcase(path, pattern) for pattern in self.paths)
        if method in ("GET", "HEAD"):
            return _PROBE.fullmatch(path) is None
        return method != "OPTIONS"


def collected_rates(config: CollectorConfig) -> dict[str, float]:
    """The payload collections that a file or variable switches on, with their rates; without any, none are."""
    if not config.enabled or config.collections is None:
        return {}
    entries = {name: config.collections.get(name) for name in semconv.PAYLOAD_COLLECTIONS}
    return {name: config.rate_of(name) for name, entry in entries.items() if entry is not None and entry.enabled}


def load_payload_settings(environ: Mapping[str, str] | None = None) -> PayloadSettings:
    """Read the variables above.

    Raises:
        ConfigError: lists every variable that is wrong.
    """
    env = os.environ if environ is None else environ
    problems: list[str] = []
    size = env.get(BYTES_VARIABLE) or str(DEFAULT_BYTES)
    if not (size.isascii() and size.isdigit() and int(size) <= MAX_BYTES):
        problems.append(f"{BYTES_VARIABLE}: expected bytes from 0 to {MAX_BYTES}, got {size!r}")
    paths = tuple(filter(None, (path.strip() for path in env.get(PATHS_VARIABLE, "").split(","))))
    problems += [
        f"{PATHS_VARIABLE}: expected paths that begin with / or *, separated by commas, got {path!r}"
        for path in paths
        if path[0] not in "/*"
    ]
    if problems:
        raise ConfigError("environment", problems)
    return PayloadSettings(max_bytes=int(size), paths=paths)
