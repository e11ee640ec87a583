"""The keys of a quarantine line. Its record is decoded elsewhere (`quarantine_line.py`), with the messages of OTLP."""

from __future__ import annotations

import msgspec

__all__ = ["QuarantinedLine"]


class QuarantinedLine(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a quarantine line that are needed to find its events; see `quarantine.QuarantineLine`."""

    id: str
    record: str = ""
    recordref: str = ""
    resource: str = ""
    resourceref: str = ""
    request: str = ""
    requestref: str = ""
    records: int = 1
    endpoint: str = ""
