"""When the certificate of the listeners expires, for a metric."""

from __future__ import annotations

import time
from pathlib import Path

from cryptography import x509

__all__ = ["seconds_until_expiry"]


def seconds_until_expiry(file: str) -> float | None:
    """Seconds until the first certificate of a PEM file expires, negative afterwards; None if it cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificate(Path(file).read_bytes())
    except (OSError, ValueError):  # it is being replaced: the listeners use the previous one
        return None
    return certificate.not_valid_after_utc.timestamp() - time.time()
