"""How long requests took and which failed, in SQL: of the lines of payload logging, else of the spans of servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.window import Window

from ..tables.slices import NEAR_OUTPUTS, slices_near, spans_of
from .scans import scan
from .sql import Sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..tables.deployment_rows import Side
    from ..tables.piece import Piece, Slice

__all__ = ["LATENCY", "STATUS", "key_of_base", "outcomes"]

LATENCY: Final = "latency_ms"
STATUS: Final = "status"
_OPEN: Final = Window()
_TRACE: Final = "split_part({}, '-', 2)"


def key_of_base(side: Side) -> str:
    """What a row has in common with its outcome: its correlation id, or its trace id."""
    return "base._correlationid" if side.role == "response" else _TRACE.format("base._traceparent")


def outcomes(side: Side, base: Sequence[Piece | Slice] | None) -> Sql:
    """The outcome of each request that has one: `_key`, `_time`, `latency_ms`, and `status` as in HTTP.

    Args:
        side: the responses, or the spans.
        base: the rows whose outcomes are wanted, as `base` of the query; None for all.
    """
    near = list(side.pieces) if base is None else slices_near(side.pieces, spans_of(base), NEAR_OUTPUTS)
    rows = _responses(side, near) if side.role == "response" else _spans(side, near)
    keys = "" if base is None else f" WHERE _key IN (SELECT {key_of_base(side)} FROM base)"
    return (
        f"SELECT _key, min(_time) AS _time, any_value({LATENCY}) AS {LATENCY}, max({STATUS}) AS {STATUS} FROM ("
        + rows
        + f"){keys} GROUP BY _key HAVING count(*) = 1"
    )


def _responses(side: Side, near: Sequence[Piece | Slice]) -> Sql:
    names = {name: alias for name, alias in (("latencyms", "k0"), ("statuscode", "k1")) if name in side.columns}
    rows = scan(near, side.columns, names, _OPEN, envelope=("correlationid", "time"))
    latency = "TRY_CAST(k0 AS DOUBLE)" if "latencyms" in names else "CAST(NULL AS DOUBLE)"
    status = "TRY_CAST(k1 AS INTEGER)" if "statuscode" in names else "CAST(NULL AS INTEGER)"
    return f"SELECT _correlationid AS _key, _time, {latency} AS {LATENCY}, {status} AS {STATUS} FROM (" + rows + ")"


def _spans(side: Side, near: Sequence[Piece | Slice]) -> Sql:
    """The spans of servers; a span that failed without a code of HTTP has 500."""
    wanted = ("kind", "start_time", "end_time", "status", "attributes")
    names = {name: f"k{at}" for at, name in enumerate(wanted) if name in side.columns}
    if not {"kind", "start_time", "end_time"} <= names.keys():
        return Sql(f"SELECT NULL AS _key, NULL AS _time, NULL AS {LATENCY}, NULL AS {STATUS} WHERE false")
    rows = scan(near, side.columns, names, _OPEN, envelope=("traceparent", "time"))
    code = f"TRY_CAST({_member(side, names, 'attributes', 'http.response.status_code')} AS INTEGER)"
    failed = f"CASE WHEN {_member(side, names, 'status', 'status_code')} = 'ERROR' THEN 500 END"
    start, end = (f"epoch_us(TRY_CAST({names[name]} AS TIMESTAMPTZ))" for name in ("start_time", "end_time"))
    return (
        f"SELECT {_TRACE.format('_traceparent')} AS _key, _time, ({end} - {start}) / 1000.0 AS {LATENCY}, "
        f"coalesce({code}, {failed}) AS {STATUS} FROM (" + rows + f") WHERE {names['kind']} = 'SpanKind.SERVER'"
    )


def _member(side: Side, names: dict[str, str], column: str, member: str) -> str:
    """A member of an object, which may be read as its JSON text."""
    if column not in names:
        return "NULL"
    alias = names[column]
    text = (
        f"CAST(to_json({alias}) AS VARCHAR)" if side.columns[column].kind == "nested" else f"CAST({alias} AS VARCHAR)"
    )
    return f"CASE WHEN json_valid({text}) THEN json_extract_string({text}, '$.\"{member}\"') END"
