"""Figures of columns with gaps, of every kind of type, equal to SciPy on the values that are there."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from otel_modeldata_reader.reporting.profiles.comparison import column_figures, edges_of
from otel_modeldata_reader.reporting.profiles.row_sample import RowSample, rows_for
from otel_modeldata_reader.reporting.profiles.table_profile import profile_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata_reader.reporting.figures.column import ColumnFigures
    from otel_modeldata_reader.reporting.profiles.table_profile import TableProfile

UTC = dt.UTC


def batches(column: pa.Array, size: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(column), size):
        yield pa.record_batch([column.slice(start, size)], ["x"])


def profiled(column: pa.Array, edges: Any = None, size: int = 7, most: int | None = None) -> TableProfile:
    schema = pa.schema([("x", column.type)])
    return profile_of(batches(column, size), schema, ["x"], {} if edges is None else {"x": edges}, most)


def compared(baseline: pa.Array, window: pa.Array) -> ColumnFigures:
    before = profiled(baseline).columns["x"]
    return column_figures("x", profiled(window, edges_of(before)).columns["x"], before)


def with_gaps(values: list[Any]) -> list[Any]:
    return [None if at % 5 == 3 else one for at, one in enumerate(values)]


RANDOM = np.random.default_rng(8)
FIRST, SECOND = RANDOM.normal(50, 9, 300), RANDOM.normal(55, 12, 200)
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=UTC)


def _as(kind: Any, value: float) -> Any:
    return kind(value)


@pytest.mark.parametrize(
    ("data_type", "of_float"),
    [
        (pa.int8(), round),
        (pa.int64(), round),
        (pa.uint64(), round),
        (pa.float32(), lambda value: float(np.float32(value))),
        (pa.float64(), float),
        (pa.decimal128(12, 3), lambda value: Decimal(f"{value:.3f}")),
        (pa.duration("ms"), lambda value: dt.timedelta(seconds=round(value))),
        (pa.timestamp("ns", "UTC"), lambda value: NOON + dt.timedelta(seconds=round(value))),
        (pa.date32(), lambda value: dt.date(2026, 1, 1) + dt.timedelta(days=round(value))),
    ],
)
def test_drift_of_numbers_and_times_with_gaps_is_that_of_scipy(data_type: pa.DataType, of_float: Any) -> None:
    sides = [with_gaps([of_float(one) for one in values]) for values in (FIRST, SECOND)]
    found = compared(*(pa.array(values, data_type) for values in sides))

    def seconds(value: Any) -> float:
        if isinstance(value, dt.timedelta):
            return value.total_seconds()
        if isinstance(value, dt.datetime):
            return value.timestamp()
        return (value - dt.date(1970, 1, 1)).days * 86_400.0 if isinstance(value, dt.date) else float(value)

    x, y = (np.array([seconds(one) for one in values if one is not None]) for values in sides)
    test = stats.ks_2samp(x, y)
    assert found.drift is not None
    assert found.drift.ks_statistic == pytest.approx(test.statistic, abs=1e-12)
    assert found.drift.ks_p_value == pytest.approx(test.pvalue, abs=1e-12)
    distance = stats.wasserstein_distance(x, y)
    assert found.drift.wasserstein == pytest.approx(distance, rel=1e-12)
    assert found.drift.normalized_wasserstein == pytest.approx(distance / np.std(x, ddof=1), rel=1e-12)
    assert found.window is not None
    summary = (found.window.nulls, found.window.rows, found.window.least, found.window.largest)
    assert summary == (len(SECOND) - len(y), len(SECOND), y.min(), y.max())
    assert (found.window.mean, found.window.deviation) == pytest.approx((y.mean(), y.std(ddof=1)), rel=1e-12)
    assert found.histogram is not None
    assert (sum(found.histogram.window), sum(found.histogram.baseline or ())) == (len(y), len(x))


@pytest.mark.parametrize(
    "of_index",
    [lambda at: "abc"[at % 3], lambda at: at % 3 == 0, lambda at: "a" * 500 + str(at % 4)],
    ids=["texts", "truth", "long texts"],
)
def test_drift_of_categories_with_gaps_is_that_of_scipy(of_index: Any) -> None:
    sides = with_gaps([of_index(at) for at in range(120)]), with_gaps([of_index(at * at) for at in range(90)])
    found = compared(*map(pa.array, sides))
    counts = [[side.count(one) for one in sorted({*sides[0], *sides[1]} - {None})] for side in sides]
    expected = np.array(counts[0]) / sum(counts[0]) * sum(counts[1])
    assert found.drift is not None
    assert found.drift.chi_square_p_value == pytest.approx(stats.chisquare(counts[1], expected).pvalue, abs=1e-12)
    assert found.drift.azure["PearsonsChiSquaredTest"] == found.drift.chi_square_p_value
    assert (found.kind, found.new_categories, found.window.nulls if found.window else 0) == ("category", 0, 18)


def test_a_dictionary_is_the_same_as_its_values() -> None:
    values = pa.array(["a", "b", None, "a"])
    assert compared(values, values.dictionary_encode()).drift == compared(values, values).drift
    numbers = pa.array([1, 2, None, 1]).dictionary_encode()
    assert [one.value for one in compared(numbers, numbers).categories] == ["1", "2"]


def test_infinities_and_nan_are_counted_as_nulls_and_compared_with_nothing() -> None:
    values = [1.0, 2.0, math.inf, -math.inf, math.nan, None]
    found = compared(pa.array([1.0, 2.0, 2.0]), pa.array(values, from_pandas=False))
    assert found.window is not None
    assert found.drift is not None
    counted = (found.window.rows, found.window.nulls, found.window.infinite, found.drift.window_values)
    assert counted == (6, 4, 2, 2)
    assert (found.window.least, found.window.largest, found.window.mean) == (1.0, 2.0, 1.5)
    assert found.drift.wasserstein == pytest.approx(stats.wasserstein_distance([1, 2, 2], [1, 2]))


def test_an_infinity_of_a_file_is_the_null_that_a_line_has_for_it() -> None:
    of_file = pa.array([1.0, 2.0, math.inf, -math.inf] * 50)
    found = compared(of_file, pa.array([1.0, 2.0, None, None] * 50))
    assert found.window is not None
    assert found.baseline is not None
    assert (found.window.null_share, found.baseline.null_share) == (0.5, 0.5)
    assert found.drift is not None
    assert found.drift.psi == 0.0


BIG = 2**60


@pytest.mark.parametrize(
    "values",
    [
        pa.array([BIG + at for at in range(50)]),
        pa.array([BIG + at for at in range(50)], pa.uint64()),
        pa.array([-BIG - at for at in range(50)]),
        pa.array([Decimal(f"0.{10**25 + at}") for at in range(50)], pa.decimal128(30, 28)),
    ],
)
def test_numbers_that_floats_do_not_hold_apart_are_not_compared(values: pa.Array) -> None:
    for sides in ((values, values), (pa.array([1.0, 2.0]), values), (values, pa.array([1.0, 2.0]))):
        found = compared(*sides)
        assert found.drift is None
        assert (
            found.note == "numbers with more digits than a float has, so that different ones are the same: not compared"
        )


def test_large_whole_numbers_that_floats_hold_apart_are_compared_as_scipy_does() -> None:
    random = np.random.default_rng(4)
    start = 1_795_348_800_000_000_000
    sides = [start + random.integers(0, 86_400 * 10**9, 300) + shift for shift in (0, 10**13)]
    found = compared(*map(pa.array, sides))
    assert found.drift is not None
    assert found.drift.ks_statistic == pytest.approx(stats.ks_2samp(*sides).statistic, abs=1e-12)
    assert found.note is None


def test_nested_values_and_their_json_are_no_change_of_type() -> None:
    nested = pa.array([{"a": 1}, {"a": 2}])
    found = compared(nested, pa.array(['{"a": 1}', '{"a": 2}']))
    assert (found.type_change, found.drift) == (None, None)
    assert found.note == "nested values, of which the window has the JSON: not compared"
    assert compared(nested, pa.array(["red", "blue"])).type_change is not None
    assert compared(pa.array([b"x"]), pa.array(['{"a": 1}'])).type_change is not None


def test_a_share_of_zeros_that_changes_is_drift() -> None:
    random = np.random.default_rng(6)

    def amounts(zeros: float, count: int) -> np.ndarray[Any, Any]:
        return np.where(random.random(count) < zeros, 0.0, random.exponential(10, count))

    baseline, window = amounts(0.95, 5000), amounts(0.4, 2000)
    found = compared(pa.array(baseline), pa.array(window)).drift
    assert found is not None
    p, q = (
        [(1 + n) / (len(values) + 3) for n in (0, (values == 0).sum(), (values > 0).sum())]
        for values in (baseline, window)
    )
    assert found.psi == pytest.approx(sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True)), rel=1e-12)
    assert found.psi > 1.5
    assert found.jensen_shannon is not None
    assert found.jensen_shannon > 0.4


@pytest.mark.parametrize(
    ("baseline", "window"),
    [
        (pa.nulls(3), pa.array([1, 2])),
        (pa.array([1, 2]), pa.nulls(3)),
        (pa.array([None, None], pa.float64()), pa.array([1.0])),
        (pa.array(["a"]), pa.array([None], pa.string())),
        (pa.nulls(2), pa.nulls(2)),
        (pa.array([[1]]), pa.array([[2]])),
        (pa.array([b"x"]), pa.array([b"y"])),
    ],
)
def test_where_one_side_has_no_values_to_compare_there_is_no_drift(baseline: pa.Array, window: pa.Array) -> None:
    found = compared(baseline, window)
    assert (found.drift, found.type_change) == (None, None)
    assert found.window is not None
    assert found.window.nulls == window.null_count


@pytest.mark.parametrize(
    ("baseline", "window", "sentence"),
    [
        ([1, 2], ["1", "2"], "texts (string), but numbers (int64) in the baseline"),
        ([True], [1], "numbers (int64), but texts (bool) in the baseline"),
        (["x"], [NOON], "times (timestamp[us, tz=UTC]), but texts (string) in the baseline"),
    ],
)
def test_another_kind_of_values_is_a_change_of_type(baseline: list[Any], window: list[Any], sentence: str) -> None:
    found = compared(pa.array(baseline), pa.array(window))
    assert (found.drift, found.type_change) == (None, sentence)


def test_one_row_on_each_side_and_a_constant_are_compared() -> None:
    one = compared(pa.array([1.0]), pa.array([3.0])).drift
    assert one is not None
    assert (one.ks_statistic, one.ks_p_value, one.wasserstein, one.normalized_wasserstein) == (1.0, 1.0, 2.0, 2000.0)
    same = compared(pa.array([7] * 10), pa.array([7] * 4)).drift
    assert same is not None
    assert (same.ks_statistic, same.wasserstein, same.jensen_shannon) == (0.0, 0.0, 0.0)
    assert same.psi == pytest.approx(0.0, abs=0.2)  # what the one that is added to each count leaves


def test_numbers_near_the_largest_float_are_no_error() -> None:
    found = compared(pa.array([1.7e308, -1.7e308, 3.0]), pa.array([-1.7e308, 1.0])).drift
    assert found is not None
    assert found.ks_statistic == pytest.approx(stats.ks_2samp([1.7e308, -1.7e308, 3.0], [-1.7e308, 1.0]).statistic)


def test_new_categories_are_counted_with_their_rows_and_named() -> None:
    found = compared(pa.array(["a", "a", "b"]), pa.array(["a", "c", "c", "d", None]))
    assert (found.new_categories, found.new_category_rows, found.new_examples) == (2, 3, ("c", "d"))
    shown = [(one.value, one.window, one.baseline) for one in found.categories]
    assert shown == [("a", 1, 2), ("c", 2, 0), ("b", 0, 1), ("d", 1, 0)]
    many = compared(pa.array(["a"] * 3000), pa.array([f"n{at:02}" for at in range(50)] * 60))
    assert many.other_categories is not None
    assert (many.other_categories.value, many.other_categories.window) == ("31 others", 31 * 60)


@pytest.mark.parametrize("different", [101, 10_001])
def test_a_column_of_ids_is_text(different: int) -> None:
    ids = pa.array([f"id-{at}" for at in range(different)] * (1 if different == 101 else 20))
    found = compared(pa.array(["a", "b"]), ids)
    assert (found.kind, found.drift, found.new_categories) == ("text", None, 0)


def test_the_same_rows_have_the_same_figures_wherever_batches_end() -> None:
    values = pa.array(with_gaps([round(one, 2) for one in FIRST]))
    first, second = (profiled(values, size=size, most=50) for size in (3, 100))
    assert first.columns["x"].values.tolist() == second.columns["x"].values.tolist()
    assert first.columns["x"].summary.nulls == second.columns["x"].summary.nulls
    assert (first.rows, first.sampled, second.sampled) == (300, 50, 50)


def test_a_sample_is_all_rows_until_it_is_full_and_is_even_afterwards() -> None:
    sample = RowSample(1, most=1000)
    sample.add([np.arange(600.0)], 600)
    assert sample.is_complete
    assert sample.columns()[0].tolist() == list(range(600))
    for start in range(600, 100_000, 700):
        stop = min(start + 700, 100_000)
        sample.add([np.arange(start, stop, dtype=float)], stop - start)
    (values,) = sample.columns()
    assert (sample.seen, sample.rows, len(values), len(set(values.tolist()))) == (100_000, 1000, 1000, 1000)
    assert stats.kstest(values, stats.uniform(0, 100_000).cdf).pvalue > 0.001
    assert (rows_for(1), rows_for(16), rows_for(160), rows_for(10**9)) == (1_000_000, 1_000_000, 100_000, 1)


def test_counts_in_the_bins_of_the_baseline_are_of_all_rows_also_beyond_the_sample() -> None:
    baseline = profiled(pa.array(np.arange(1000.0))).columns["x"]
    edges = edges_of(baseline)
    window = profiled(pa.array(np.arange(5000.0)), edges, size=500, most=10)
    assert (window.sampled, int(window.columns["x"].binned[0].sum())) == (10, 5000)
    assert window.columns["x"].binned[0].tolist() == [100] * 9 + [4100]
