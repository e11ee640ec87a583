"""Reads the credential files of an endpoint again: certificates are renewed and tokens rotate while a process lives.

The contents are compared, not times of change: a file may be replaced within one tick of the clock, and Kubernetes
swaps a link above the files. They have a few KiB, and a try to send is rare.

A renewal in progress, or one that went wrong, changes nothing: the previous credentials stay until the files fit
together.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING

from ..exceptions import ConfigError
from ..log_throttle import LogThrottle

if TYPE_CHECKING:
    from collections.abc import Callable

    from .otlp_endpoint import Endpoint

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 10.0
"""How long files may be unusable, as in the middle of a renewal, before a line says so."""


class CredentialRenewal:
    """Follows the files of one endpoint.

    Args:
        endpoint: with the credentials that were read when the process started.
        clock: a monotonic clock in seconds.
    """

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._files = endpoint.files()
        self._clock = clock
        self._unusable_since: float | None = None
        self._throttle = LogThrottle(logger, clock=clock)

    def renewed(self) -> Endpoint | None:
        """The endpoint with other credentials; None if they did not change, or cannot be used."""
        if not self._files:
            return None
        try:
            is_same = self._files.hold(self._endpoint.credentials)
            credentials = self._endpoint.credentials if is_same else self._files.read()
        except ConfigError as error:
            self._report(error)
            return None
        self._unusable_since = None
        if is_same:
            return None
        self._endpoint = dataclasses.replace(self._endpoint, credentials=credentials)
        return self._endpoint

    def _report(self, error: ConfigError) -> None:
        now = self._clock()
        since = self._unusable_since = now if self._unusable_since is None else self._unusable_since
        if now - since >= PATIENCE_SECONDS:
            message = "the credential files changed and cannot be used, so the previous credentials are used: %s"
            self._throttle.log(logging.WARNING, "unusable", message, error)
