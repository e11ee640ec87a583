"""Bins in SQL are the bins of a report."""

from __future__ import annotations

import duckdb
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.reporting.measures.bins import bin_counts, even_edges, fixed_edges
from otel_modeldata_studio.queries.histograms import bin_of

VALUES = st.lists(
    st.one_of(
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(-20, 20).map(float),
        st.integers(-300, 300).map(lambda one: one / 10),
    ),
    min_size=1,
    max_size=200,
)


@given(baseline=VALUES, window=VALUES)
def test_a_value_is_in_the_bin_that_a_report_has_it_in(baseline: list[float], window: list[float]) -> None:
    of_baseline = np.array(baseline)
    with np.errstate(over="ignore", invalid="ignore"):
        both = even_edges(of_baseline), fixed_edges(of_baseline)
    for edges in both:
        with np.errstate(over="ignore"):
            values = np.concatenate([np.array(window), edges, np.nextafter(edges, -np.inf)])
        values = values[np.isfinite(values)]
        text = bin_of(edges)
        rows = duckdb.execute(
            f"SELECT {text.text}, count(*) FROM (SELECT unnest(?::DOUBLE[]) AS v) GROUP BY 1",
            [*text.parameters, [*values.tolist(), None]],
        ).fetchall()
        assert (None, 1) in rows
        counts = np.zeros(len(edges) + 1, dtype=np.int64)
        for at, count in rows:
            if at is not None:
                counts[at] = count
        assert counts.tolist() == bin_counts(edges, values).tolist()
