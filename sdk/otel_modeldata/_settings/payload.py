"""Settings of payload logging: which requests are collected, and how much of each body.

If a body is longer, its beginning is kept, and `contentrange` has the full size. A request and its response take at
most twice this limit in memory.

Without `OTEL_MODELDATA_PAYLOAD_PATHS` every request is collected except `OPTIONS`, and `GET` or `HEAD` of paths that
liveness probes, metrics scrapers and browsers use (`is_scoring`).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from .. import semconv
from ..exceptions import ConfigError
from ..validation.problems import may_be_token, shown, shown_choice
from .variables import DEFAULT_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES, PAYLOAD_BYTES, PAYLOAD_PATHS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..config import CollectorConfig


_MAX_DIGITS: Final = 18
_PROBE: Final = re.compile(
    r"/|/health.*|/.+/health/(live|ready)|/(livez?|readyz?|ping|version|metrics|startup)/?"
    r"|/(swagger|openapi)\.json|/(docs|redoc)(/.*)?|/favicon\.ico"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadSettings:
    """What payload logging keeps.

    Attributes:
        max_bytes: kept of each body.
        paths: patterns as in a shell; without any, every request but probes is a scoring request.
    """

    max_bytes: int = DEFAULT_PAYLOAD_BYTES
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
    """The payload collections that a file or variable switches on, with their rates; empty without either."""
    if not config.enabled or config.collections is None:
        return {}
    entries = {name: config.collections.get(name) for name in semconv.PAYLOAD_COLLECTIONS}
    return {name: config.rate_of(name) for name, entry in entries.items() if entry is not None and entry.enabled}


def load_payload_settings(environ: Mapping[str, str] | None = None) -> PayloadSettings:
    """Read the variables of payload logging.

    Raises:
        ConfigError: lists every variable that is wrong.
    """
    env = os.environ if environ is None else environ
    size = env.get(PAYLOAD_BYTES.name) or str(DEFAULT_PAYLOAD_BYTES)
    is_size = size.isascii() and size.isdigit() and len(size) <= _MAX_DIGITS and int(size) <= MAX_PAYLOAD_BYTES
    paths = tuple(filter(None, (path.strip() for path in env.get(PAYLOAD_PATHS.name, "").split(","))))
    problems = (
        *(() if is_size else (PAYLOAD_BYTES.problem(shown_choice(size)),)),
        *(PAYLOAD_PATHS.problem(_shown_path(path)) for path in paths if path[0] not in "/*"),
    )
    if problems:
        raise ConfigError(*problems)
    return PayloadSettings(max_bytes=int(size), paths=paths)


def _shown_path(path: str) -> str:
    return shown_choice(path) if may_be_token(path) else shown(path)
