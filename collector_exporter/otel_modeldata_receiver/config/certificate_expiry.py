"""When the certificates that `tls` names expire: for a metric, for `check`, and for the log."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_modeldata.validation.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .receiver import TlsConfig

__all__ = ["SOON_SECONDS", "expiring", "seconds_until_expiry"]

SOON_SECONDS: Final = 7 * 86_400.0
"""A certificate that expires within this time is reported."""
_RENEW: Final = "renew it; a new file is used without a restart"


def seconds_until_expiry(file: str) -> float | None:
    """Seconds until the first certificate of a PEM file expires, negative afterwards; None if it cannot be read."""
    expiries = _expiries(file)
    return expiries[0] - time.time() if expiries else None


def expiring(tls: TlsConfig) -> Iterator[Problem]:
    """What to report about each file of `tls` whose certificate has expired, or expires within `SOON_SECONDS`."""
    if expiries := _expiries(tls.cert_file):
        yield from _expiring("tls.cert_file", "the certificate", expiries[0], "senders refuse it")
    # An old authority may stand beside its successor, so the last one to expire counts.
    if tls.client_ca_file is not None and (expiries := _expiries(tls.client_ca_file)):
        yield from _expiring("tls.client_ca_file", "the authority", max(expiries), "its certificates are refused")


def _expiring(setting: str, what: str, expiry: float, effect: str) -> Iterator[Problem]:
    moment = datetime.fromtimestamp(expiry, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    left = expiry - time.time()
    if left <= 0:
        yield Problem(setting, f"{what} expired at {moment}, and {effect}: {_RENEW}")
    elif left < SOON_SECONDS:
        yield Problem(setting, f"{what} expires at {moment}: {_RENEW}")


def _expiries(file: str) -> list[float]:
    """When each certificate of a PEM file expires; empty if it cannot be read, or without the extra `receiver`."""
    try:
        from cryptography import x509  # noqa: PLC0415 (`check` needs no extra)

        certificates = x509.load_pem_x509_certificates(Path(file).read_bytes())
    except (ImportError, OSError, ValueError):  # it is being replaced: the listeners use the previous one
        return []
    return [certificate.not_valid_after_utc.timestamp() for certificate in certificates]
