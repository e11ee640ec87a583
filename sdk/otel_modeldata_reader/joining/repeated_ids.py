"""Joins rows whose correlation id came with more than one request.

Their row ids repeat, so a row id does not say which row is meant. Rows are joined only where one possibility is left:

1. by trace, if every row of the id has one: the rows of one trace, if no row id repeats there;
2. by time and order: as many requests in the inputs as in the outputs, the n-th ones with the same row ids, and the
   outputs of each request not before its inputs and before the inputs of the next one.

Two requests at the same time are never certain. What is not certain is not joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .columns import TIME, TRACEPARENT
from .row_keys import encode

if TYPE_CHECKING:
    from typing import Any

    from .row_keys import Codes, Mask

NO_TIME: Final = np.iinfo(np.int64).min
"""The time of a row that has none."""
_NS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a table whose correlation id repeats, an array of each.

    Attributes:
        number: their numbers in the table.
        key: what identifies the row id.
        group: what identifies the correlation id.
        time: ns since 1970.
        trace: the trace id as a text; null without one.
    """

    number: Codes
    key: Codes
    group: Codes
    time: Codes
    trace: Any

    @classmethod
    def of(cls, table: pa.Table, mask: Mask, keys: Codes, groups: Codes) -> Rows:
        """The rows of a table where `mask` is true."""
        number = np.flatnonzero(mask & (keys >= 0))
        chosen = table.select([name for name in (TIME, TRACEPARENT) if name in table.column_names]).take(number)
        # The trace id is the second part of a traceparent (W3C Trace Context, 3.2).
        traces = (
            pc.utf8_slice_codeunits(chosen[TRACEPARENT].cast(pa.large_string()), 3, 35)
            if TRACEPARENT in chosen.column_names
            else pa.nulls(len(number), pa.large_string())
        )
        return cls(
            number=number,
            key=keys[number],
            group=groups[number],
            time=nanoseconds(chosen[TIME]),
            trace=pc.if_else(pc.equal(pc.utf8_length(traces), 32), traces, pa.scalar(None, pa.large_string())),
        )


def certain_partners(inputs: Rows, outputs: Rows) -> tuple[Codes, Codes]:
    """The numbers of the rows that are certainly of one request, one array for each table."""
    requests_in, requests_out = _by_trace(inputs, outputs)
    count = 1 + max(int(one.max(initial=-1)) for one in (requests_in, requests_out))
    single = np.ones(count, dtype=np.bool_)
    for rows, requests in ((inputs, requests_in), (outputs, requests_out)):
        single[most_of_key(rows.key, requests, count) > 1] = False
    simple = _same_row_id(inputs, outputs, requests_in, requests_out, single)
    ordered = _in_order(inputs, outputs, requests_in, requests_out, ~single)
    return tuple(
        rows.number[np.concatenate([a, b])] for rows, a, b in zip((inputs, outputs), simple, ordered, strict=True)
    )


def _by_trace(inputs: Rows, outputs: Rows) -> tuple[Codes, Codes]:
    """A number for each row: the correlation id, and the trace where every row of the id has one."""
    (trace_in, trace_out), traces = encode([inputs.trace, outputs.trace])
    groups = np.concatenate([inputs.group, outputs.group])
    of_rows = np.concatenate([trace_in, trace_out])
    untraced = np.zeros(int(groups.max(initial=-1)) + 1, dtype=np.bool_)
    untraced[groups[of_rows < 0]] = True
    of_rows = np.where(untraced[groups], 0, of_rows + 1)
    requests = np.unique(groups * (traces + 1) + of_rows, return_inverse=True)[1].astype(np.int64)
    return requests[: len(inputs.group)], requests[len(inputs.group) :]


def _same_row_id(
    inputs: Rows, outputs: Rows, requests_in: Codes, requests_out: Codes, chosen: Mask
) -> tuple[Codes, Codes]:
    """Positions of the rows with equal row ids in the chosen requests, where no row id repeats."""
    at_in, at_out = np.flatnonzero(chosen[requests_in]), np.flatnonzero(chosen[requests_out])
    keys = 1 + max(int(rows.key.max(initial=-1)) for rows in (inputs, outputs))
    of_in = requests_in[at_in] * keys + inputs.key[at_in]
    of_out = requests_out[at_out] * keys + outputs.key[at_out]
    _, from_in, from_out = np.intersect1d(of_in, of_out, assume_unique=True, return_indices=True)
    return at_in[from_in], at_out[from_out]


def _in_order(
    inputs: Rows, outputs: Rows, requests_in: Codes, requests_out: Codes, chosen: Mask
) -> tuple[Codes, Codes]:
    """Positions of the rows that times and order leave one possibility for, in the chosen groups of requests."""
    count = len(chosen)
    sizes = [np.bincount(requests, minlength=count) for requests in (requests_in, requests_out)]
    chosen = chosen & (sizes[0] == sizes[1])
    at_in = _sorted(inputs, requests_in, chosen)
    at_out = _sorted(outputs, requests_out, chosen)
    # Groups are of equal sizes and sorted, so the n-th rows of both sides are of the same group.
    group, began, ended = requests_in[at_in], inputs.time[at_in], outputs.time[at_out]
    same_group = group[1:] == group[:-1]
    next_in = same_group & (began[1:] != began[:-1])
    next_out = same_group & (ended[1:] != ended[:-1])
    key = inputs.key[at_in]
    doubted = (key != outputs.key[at_out]) | (began > ended) | (began == NO_TIME)
    doubted[1:] |= next_in != next_out
    doubted[1:] |= same_group & ~next_in & (key[1:] == key[:-1])
    doubted[1:] |= next_in & (ended[:-1] >= began[1:])
    chosen[group[doubted]] = False
    certain = chosen[group]
    return at_in[certain], at_out[certain]


def _sorted(rows: Rows, requests: Codes, chosen: Mask) -> Codes:
    """Positions of the rows of chosen groups by group, time and row id."""
    at = np.flatnonzero(chosen[requests])
    order: Codes = np.lexsort((rows.key[at], rows.time[at], requests[at]))
    return at[order]


def most_of_key(keys: Codes, groups: Codes, count: int) -> Codes:
    """For each group of rows, how often the key is in it that is in it most; `count` groups."""
    width = int(keys.max(initial=0)) + 1
    pairs, times = np.unique(groups * width + keys, return_counts=True)
    most = np.zeros(count, dtype=np.int64)
    np.maximum.at(most, pairs // width, times)
    return most


def nanoseconds(times: Any) -> Codes:
    """Times as ns since 1970; NO_TIME for null, and for a time before 1677 or after 2262."""
    kind = pa.timestamp("ns", "UTC")
    try:
        as_numbers = times.cast(kind).cast(pa.int64())
    except pa.ArrowInvalid:
        if not pa.types.is_timestamp(times.type):
            raise
        counts = times.cast(pa.int64())
        limit = int(NO_TIME) // -_NS[times.type.unit] - 1
        is_held = pc.and_(pc.greater(counts, -limit), pc.less(counts, limit))
        as_numbers = pc.if_else(is_held, times, pa.scalar(None, times.type)).cast(kind).cast(pa.int64())
    found: Codes = pc.fill_null(as_numbers, int(NO_TIME)).to_numpy(zero_copy_only=False)
    return found
