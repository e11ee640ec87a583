"""The bounds of one request and of one deployment: the settings under `limits`.

The defaults suit one team: they refuse nothing that a well-meant sender sends. A receiver for many teams sets the rates
too. Each refusal names its bound and its setting.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Final

import msgspec

from otel_modeldata.validation.decoding import Rule

from .setting import MIB, Doc

__all__ = ["LimitsConfig"]

_TENANT: Final = re.compile(r"\*|[^/*\s]+/([^/*\s]+|\*)")
_POSITIVE: Final = Rule(expected="a number above 0", accepts=lambda number: 0 < number < math.inf)
_NOT_NEGATIVE: Final = Rule(expected="0 or more", accepts=lambda number: 0 <= number < math.inf)

TenantPattern = Annotated[
    str,
    Rule(
        expected="endpoint/deployment, endpoint/* or *",
        accepts=lambda text: _TENANT.fullmatch(text) is not None,
        advice="name the deployments",
    ),
]


class LimitsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of a request and of a deployment."""

    max_event_age_days: Annotated[
        float,
        _POSITIVE,
        Doc(
            unit="days",
            meaning="events that are older when they arrive go to quarantine; longer than the longest outage after "
            "which senders deliver what they kept",
        ),
    ] = 31.0
    max_event_future_seconds: Annotated[
        float,
        _NOT_NEGATIVE,
        Doc(unit="seconds", meaning="events that are further in the future when they arrive go to quarantine"),
    ] = 600.0
    backfill: Annotated[
        tuple[TenantPattern, ...],
        Doc(
            unit="[DEPLOYMENT]",
            meaning="deployments whose events may have any time, for as long as old data is loaded: "
            "endpoint/deployment, endpoint/* or *",
        ),
    ] = ()
    max_growth: Annotated[
        float,
        Rule(expected="2 or more", accepts=lambda number: 2 <= number < math.inf),
        Doc(
            unit="times",
            meaning="how many times its bytes in a request the lines of a deployment may take, and 64 KiB more; the "
            "records beyond it are kept once, together, in quarantine",
        ),
    ] = 32.0
    max_request_line_bytes: Annotated[
        int,
        _POSITIVE,
        Doc(unit="bytes", meaning="the same as a fixed number of bytes for each deployment in one request"),
    ] = 256 * MIB
    max_request_records: Annotated[
        int,
        _POSITIVE,
        Doc(
            unit="records",
            meaning="most records of a deployment in one request; those beyond it are kept once, together, in "
            "quarantine",
        ),
    ] = 131_072
    max_request_parts: Annotated[
        int,
        _POSITIVE,
        Doc(
            unit="parts",
            meaning="most resources and scopes in one request; those beyond it are kept once, together, in quarantine",
        ),
    ] = 16_384
    max_record_values: Annotated[
        int,
        _POSITIVE,
        Doc(
            unit="values",
            meaning="most attributes, events, links and values of a structured body in one record; a record with more "
            "goes to quarantine. JSON text in a body counts as one",
        ),
    ] = 100_000
    max_json_bytes: Annotated[
        int,
        _POSITIVE,
        Doc(
            unit="bytes",
            meaning="largest request in OTLP/JSON, decompressed, and largest batch of CloudEvents: JSON takes "
            "far more time and memory than Protocol Buffers",
        ),
    ] = 8 * MIB
    records_per_second: Annotated[
        int | None,
        _POSITIVE,
        Doc(unit="records", meaning="most records of a deployment in a second, averaged over ten", default="off"),
    ] = None
    bytes_per_second: Annotated[
        int | None,
        _POSITIVE,
        Doc(
            unit="bytes",
            meaning="most bytes of the requests of a deployment in a second, averaged over ten, decompressed",
            default="off",
        ),
    ] = None
    stored_bytes_per_hour: Annotated[
        int | None,
        _POSITIVE,
        Doc(unit="bytes", meaning="most bytes of lines of a deployment in an hour", default="off"),
    ] = None
    quarantine_bytes_per_hour: Annotated[
        int | None,
        _POSITIVE,
        Doc(
            unit="bytes",
            meaning="most bytes of a deployment that are kept in quarantine in an hour; what is rejected beyond it is "
            "answered as rejected, counted, and not kept",
        ),
    ] = 1024 * MIB
    folders_per_request: Annotated[
        int,
        _POSITIVE,
        Doc(
            unit="folders",
            meaning="most folders, one for each collection and hour, that the lines of a deployment in one request "
            "may have; the records beyond it are kept once, together, in quarantine. A backfill of a year by the hour "
            "has 8,760 for each collection",
        ),
    ] = 10_000
