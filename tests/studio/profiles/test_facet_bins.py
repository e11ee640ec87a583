"""The bins of a facet, as filters, choose the rows that they count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata_reader.reporting.measures.bins import bin_counts, even_edges
from otel_modeldata_studio.profiles.baseline_profiles import profile
from otel_modeldata_studio.profiles.facet import bins_of, facet_of
from otel_modeldata_studio.queries.filters import Filter, condition
from otel_modeldata_studio.queries.histograms import number
from otel_modeldata_studio.queries.joined_rows import OwnColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPES = [
    pa.timestamp("s"),
    pa.timestamp("ms", "UTC"),
    pa.timestamp("us"),
    pa.timestamp("us", "UTC"),
    pa.timestamp("ns"),
    pa.timestamp("ns", "Asia/Kolkata"),
    pa.date32(),
]


def rows_of_bins(table: pa.Table, bins: Sequence[Any], kind: Any) -> list[int]:
    """How many rows the filter of each bin chooses."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("t", table)
        items, parameters = [], ()
        for at, one in enumerate(bins):
            is_last = at == len(bins) - 1
            by = Filter(column="inputs.v", op="between", low=one.low, high=one.high, closed=is_last)
            text = condition(by, "v", kind)
            items.append(f"count(*) FILTER (WHERE {text.text})")
            parameters += text.parameters
        return list(connection.execute(f"SELECT {', '.join(items)} FROM t", parameters).fetchall()[0])


@pytest.mark.parametrize("type_", TYPES, ids=str)
@settings(max_examples=10)
@given(
    start=st.sampled_from([0, -1, 1_700_000_000, 1_764_374_400, 4_000_000_000]) | st.integers(-(10**9), 4 * 10**9),
    steps=st.lists(st.integers(0, 2_000) | st.integers(0, 10**12), min_size=1, max_size=60),
)
def test_each_bin_of_times_has_the_rows_that_it_counts(type_: pa.DataType, start: int, steps: list[int]) -> None:
    parts = 1 / 86_400 if pa.types.is_date(type_) else {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[type_.unit]
    moments = int(start * parts) + np.cumsum(np.minimum(steps, 5_000) if parts <= 1 else steps)
    values = pa.array([*moments.tolist(), None], pa.int32() if parts < 1 else pa.int64()).cast(type_)
    table = pa.table({"v": values})
    own = OwnColumn(name="inputs.v", role="inputs", own="v", kind="time", type=str(type_))
    facet = facet_of(own, profile(table.rename_columns(["inputs.v"]), ["inputs.v"])["inputs.v"], None, 1.0)
    assert sum(one.count for one in facet.bins) == len(steps)
    assert rows_of_bins(table, facet.bins, "time") == [one.count for one in facet.bins]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("t", table)
        rows = connection.execute(f"SELECT {number('v', 'time')} FROM t WHERE v IS NOT NULL").fetchall()
    of_profile = profile(table.rename_columns(["inputs.v"]), ["inputs.v"])["inputs.v"].values
    assert [one for (one,) in rows] == of_profile.tolist()


@settings(max_examples=15)
@given(values=st.lists(st.integers(-50, 300), min_size=1, max_size=80), others=st.lists(st.integers(-50, 300)))
def test_bins_of_numbers_have_the_rows_that_they_count_and_no_edge_below_another(
    values: list[int], others: list[int]
) -> None:
    edges = even_edges(np.array(values, dtype=np.float64))
    for counted in filter(None, (values, others)):
        array = np.array(counted, dtype=np.float64)
        bins = bins_of(edges, bin_counts(edges, array).tolist(), None, (array.min(), array.max()), time=None)
        assert rows_of_bins(pa.table({"v": array}), bins, "number") == [one.count for one in bins]
        assert sum(one.count for one in bins) == len(counted)
        lows = [one.low for one in bins]
        assert lows == sorted(lows)
        assert all(one.low <= one.high for one in bins)
        assert [one.high for one in bins[:-1]] == lows[1:]


def test_edges_at_whole_seconds_are_whole_seconds() -> None:
    days = pa.array([20_000 + day for day in range(5)], pa.int32()).cast(pa.date32())
    own = OwnColumn(name="v", role="inputs", own="v", kind="time", type="date32[day]")
    for type_ in (pa.date32(), pa.timestamp("ms"), pa.timestamp("us", "UTC")):  # no float tells nanoseconds apart
        table = pa.table({"v": days.cast(type_)})
        bins = facet_of(own, profile(table, ["v"])["v"], None, 1.0).bins
        assert bins[0].low == "2024-10-04T00:00:00Z"
        assert bins[-1].high == "2024-10-08T00:00:00Z"
