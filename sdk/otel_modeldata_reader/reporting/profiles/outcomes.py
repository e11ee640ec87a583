"""How long requests took and which failed: from the lines of payload logging, else from the spans of the requests."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..figures.report import Errors, Latency
from ..measures.bins import bin_counts
from ..measures.intervals import wilson
from .row_sample import RowSample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ...lines.event_stream import Events
    from ..measures.bins import Floats

__all__ = ["Outcomes", "latency_of", "of_responses", "of_spans"]

_SHOWN_KINDS: Final = 8
_SHOWN_BINS: Final = 30
_SERVER: Final = "SpanKind.SERVER"
SPAN_COLUMNS: Final = ("kind", "parent_id", "start_time", "end_time", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What one source says.

    Attributes:
        latency: None where it has no durations.
        errors: None where it has no outcomes.
    """

    latency: Latency | None = None
    errors: Errors | None = None


def of_responses(batches: Iterable[Events]) -> Outcomes:
    """The outcomes in the lines of the collection `response`: status codes, and milliseconds until the end of each."""
    sample = RowSample(1)
    statuses: Counter[str] = Counter()
    for events in batches:
        statuses.update(one.statuscode for one in events.envelopes if one.statuscode and one.statuscode.isascii())
        found = [_milliseconds(one.latencyms) for one in events.envelopes if one.latencyms]
        durations = np.array([one for one in found if one is not None])
        sample.add([durations], len(durations))
    codes = {code: count for code, count in statuses.items() if len(code) == 3 and code.isdigit()}
    failed = {code: count for code, count in codes.items() if code >= "400"}
    errors = None
    if codes:
        errors = _errors(
            "status codes of the collection response: 500 and above is an error",
            sum(codes.values()),
            sum(count for code, count in codes.items() if code >= "500"),
            failed,
        )
    return Outcomes(latency=latency_of("latency in the collection response", sample), errors=errors)


def of_spans(batches: Iterable[pa.RecordBatch]) -> Outcomes:
    """The outcomes of the spans of servers; of spans without a parent if there is none of a server.

    Args:
        batches: with the columns `SPAN_COLUMNS`.
    """
    samples = {True: RowSample(1), False: RowSample(1)}
    failed: Counter[bool] = Counter()
    counted: Counter[bool] = Counter()
    for batch in batches:
        is_server = _equals(batch.column("kind"), _SERVER)
        is_root = batch.column("parent_id").is_null().to_numpy(zero_copy_only=False)
        durations = _durations(batch.column("start_time"), batch.column("end_time"))
        is_error = _equals(_field(batch.column("status"), "status_code"), "ERROR")
        for kind, chosen in ((True, is_server), (False, is_root)):
            counted[kind] += int(chosen.sum())
            failed[kind] += int((chosen & is_error).sum())
            known = durations[chosen & np.isfinite(durations) & (durations >= 0)]
            samples[kind].add([known], len(known))
    kind = counted[True] > 0
    if not counted[kind]:
        return Outcomes()
    source = "spans of servers" if kind else "spans without a parent"
    errors = _errors(f"status of the {source}", counted[kind], failed[kind], {})
    return Outcomes(latency=latency_of(f"duration of the {source}", samples[kind]), errors=errors)


def latency_of(source: str, sample: RowSample) -> Latency | None:
    """The figures of durations in milliseconds; None without one."""
    (durations,) = sample.columns()
    if not len(durations):
        return None
    p50, p90, p99, largest = (float(one) for one in np.quantile(durations, [0.5, 0.9, 0.99, 1.0]))
    edges = _log_edges(durations)
    return Latency(
        source=source,
        requests=sample.seen,
        p50=p50,
        p90=p90,
        p99=p99,
        largest=largest,
        edges=tuple(edges.tolist()),
        counts=tuple(bin_counts(edges, durations).tolist()),
    )


def _log_edges(durations: Floats) -> Floats:
    """Bins of equal width on a logarithmic scale, over the middle 99 %."""
    positive = durations[durations > 0]
    if not len(positive):
        return np.array([0.0])
    low, high = np.quantile(positive, [0.005, 0.995])
    return np.unique(np.geomspace(low, max(high, low * 1.01), _SHOWN_BINS - 1))


def _errors(source: str, requests: int, failed: int, kinds: Mapping[str, int]) -> Errors:
    shown = sorted(kinds.items(), key=lambda one: (-one[1], one[0]))[:_SHOWN_KINDS]
    return Errors(
        source=source, requests=requests, failed=failed, interval=wilson(failed, requests), kinds=tuple(shown)
    )


def _milliseconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _equals(column: Any, text: str) -> Any:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return np.zeros(len(column), dtype=np.bool_)
    return pc.fill_null(pc.equal(column, text), False).to_numpy(zero_copy_only=False)


def _field(column: Any, name: str) -> Any:
    if not pa.types.is_struct(column.type) or column.type.get_field_index(name) < 0:
        return pa.nulls(len(column), pa.string())
    return pc.struct_field(column, name)


def _durations(starts: Any, ends: Any) -> Floats:
    """Milliseconds; NaN where one of them is no time."""
    first, last = _times(starts), _times(ends)
    return np.asarray((last - first) / 1e3)


def _times(column: Any) -> Floats:
    """Microseconds since 1970, which a float64 holds exactly; NaN for no time."""
    if pa.types.is_string(column.type):
        # Not a cast of all: one text of a stranger that is no time would be an error.
        texts = pc.if_else(pc.match_substring_regex(column, _ISO), column, pa.scalar(None, pa.string()))
        try:
            column = texts.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        except pa.ArrowInvalid:  # 2026-13-45
            return np.array([_time(one) for one in texts.to_pylist()], dtype=np.float64)
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())
    else:
        return np.full(len(column), np.nan)
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))


_ISO: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$"


def _time(text: str | None) -> float:
    try:
        return math.nan if text is None else pa.scalar(text).cast(pa.timestamp("us", "UTC")).value
    except pa.ArrowInvalid:
        return math.nan
