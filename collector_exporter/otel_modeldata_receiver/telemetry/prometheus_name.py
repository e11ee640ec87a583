"""Names of metrics and attributes in Prometheus, by OpenTelemetry's rules; the documentation lists them too."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["family_name", "label_name"]

_UNITS: Final = {"By": "bytes", "s": "seconds"}
_OTHER_CHARACTER: Final = re.compile(r"[^a-zA-Z0-9_]")


def family_name(name: str, unit: str) -> str:
    """The name of a metric without the `_total` of a counter: `otel_modeldata.in_flight` in `By` ends with `_bytes`."""
    text = _OTHER_CHARACTER.sub("_", name)
    suffix = _UNITS.get(unit, "")
    return text if not suffix or text.endswith(f"_{suffix}") else f"{text}_{suffix}"


def label_name(key: str) -> str:
    """The name of an attribute; the format allows no digit at the beginning, and reserves two underscores there."""
    name = _OTHER_CHARACTER.sub("_", key)
    if name[:1].isdigit() or not name:
        return f"key_{name}"
    return f"key{name}" if name.startswith("__") else name
