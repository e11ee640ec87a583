"""Measures of drift: equal to SciPy, and to the formulas of Azure ML's monitors."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from otel_modeldata_reader.reporting.measures import bins, distances
from otel_modeldata_reader.reporting.measures.chi_square import chi_square, chi_square_survival
from otel_modeldata_reader.reporting.measures.kolmogorov_law import survival
from otel_modeldata_reader.reporting.measures.kolmogorov_smirnov import kolmogorov_smirnov

CLOSE = 1e-12
VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60) | st.lists(
    st.integers(-3, 3).map(float), min_size=1, max_size=60
)
COUNTS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=12).filter(
    lambda found: all(sum(side) for side in zip(*found, strict=True)) and all(map(any, found))
)


@given(VALUES, VALUES)
def test_kolmogorov_smirnov_and_wasserstein_of_small_samples_are_those_of_scipy(
    first: list[float], second: list[float]
) -> None:
    x, y = np.array(first), np.array(second)
    found = kolmogorov_smirnov(x, y)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expected = stats.ks_2samp(x, y)
    assert found.statistic == pytest.approx(expected.statistic, rel=CLOSE, abs=CLOSE)
    # SciPy warns, and is less exact, where rounding takes its p-value of 1 beyond 1.
    assert found.p_value == pytest.approx(1.0 if caught else expected.pvalue, rel=0, abs=CLOSE)
    assert distances.wasserstein(x, y) == pytest.approx(stats.wasserstein_distance(x, y), rel=CLOSE, abs=CLOSE)


@pytest.mark.parametrize("sizes", [(7, 7), (999, 1000), (5000, 5000), (10_000, 37), (10_001, 50), (20_000, 30_000)])
@pytest.mark.parametrize("shift", [0.0, 0.02, 0.1, 1.0])
def test_kolmogorov_smirnov_of_samples_of_any_size_is_that_of_scipy(sizes: tuple[int, int], shift: float) -> None:
    random = np.random.default_rng(5)
    x, y = random.normal(size=sizes[0]), random.normal(size=sizes[1]) + shift
    found, expected = kolmogorov_smirnov(x, y), stats.ks_2samp(x, y)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=0, abs=CLOSE)


@pytest.mark.parametrize("number", [1, 2, 3, 10, 139, 140, 141, 1000, 20_000, 100_001, 500_000])
def test_the_kolmogorov_distribution_is_that_of_scipy(number: int) -> None:
    for scaled in (0.2, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.48, 1.5, 1.9, 2.0, 2.5, 4.0, 20.0):
        statistic = scaled / math.sqrt(number)
        expected = stats.kstwo.sf(min(1.0, statistic), number)
        assert survival(statistic, number) == pytest.approx(expected, rel=0, abs=CLOSE)


@given(COUNTS)
def test_measures_of_counts_are_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    baseline, current = (np.array(side) for side in zip(*pairs, strict=True))
    expected = distance.jensenshannon(baseline, current, base=2)
    assert distances.jensen_shannon(baseline, current) ** 2 == pytest.approx(expected**2, rel=CLOSE, abs=CLOSE)
    test = chi_square(baseline, current)
    with np.errstate(divide="ignore"):
        scipy = stats.chisquare(current, baseline / baseline.sum() * current.sum())
    assert test.p_value == pytest.approx(1.0 if len(pairs) == 1 else scipy.pvalue, rel=0, abs=CLOSE)
    if len(pairs) > 1:
        assert test.statistic == pytest.approx(scipy.statistic, rel=CLOSE, abs=CLOSE)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 10, 99, 100, 1000, 9999])
def test_the_chi_square_distribution_is_that_of_scipy(freedom: int) -> None:
    for statistic in (0.0, 1e-3, 1.0, freedom * 0.5, freedom * 0.9, freedom * 1.0, freedom * 1.1, freedom * 5.0):
        assert chi_square_survival(statistic, freedom) == pytest.approx(
            stats.chi2.sf(statistic, freedom), rel=0, abs=CLOSE
        )


@pytest.mark.parametrize("sizes", [(60, 60), (500, 80), (3000, 1000)])
def test_an_index_by_chance_is_as_likely_as_it_says(sizes: tuple[int, int]) -> None:
    random = np.random.default_rng(9)
    edges = bins.fixed_edges(random.normal(size=10_000))
    likely = []
    for _ in range(400):
        counts = [bins.bin_counts(edges, random.normal(size=size)) for size in sizes]
        likely.append(distances.psi_by_chance(distances.population_stability(*counts), *counts))
    # One is added to each count, so small samples are a little nearer to each other: fewer false alarms, never more.
    assert np.mean(np.array(likely) < 0.01) <= 0.025
    assert np.mean(np.array(likely) < 0.5) <= 0.55
    if min(sizes) >= 1000:
        assert np.mean(np.array(likely) < 0.5) == pytest.approx(0.5, abs=0.1)


def azure_psi(baseline: list[float], production: list[float]) -> float:
    """`_psi_numerical` of azureml-assets, with Spark's histogram written out."""
    number = math.ceil(math.log2(min(len(baseline), len(production))) + 1)
    low, high = min(*baseline, *production), max(*baseline, *production)
    width = (high - low) / number
    edges = [low] + [low + at * width for at in range(1, number + 1)]

    def percents(values: list[float]) -> list[float]:
        counts = [0] * number
        for value in values:
            place = max(at for at in range(number) if edges[at] <= value)
            counts[place] += 1
        return [(count + 1) / (len(values) + number) for count in counts]

    return sum((b - a) * math.log(b / a) for a, b in zip(percents(baseline), percents(production), strict=True))


def test_azures_index_of_numbers_has_its_bins_and_its_smoothing() -> None:
    random = np.random.default_rng(2)
    for _ in range(20):
        x, y = random.normal(size=int(random.integers(2, 300))), random.gamma(2, size=int(random.integers(2, 300)))
        edges = bins.azure_edges(x, y)
        found = distances.population_stability(bins.histogram(edges, x), bins.histogram(edges, y))
        assert found == pytest.approx(azure_psi(x.tolist(), y.tolist()), rel=CLOSE)
    assert bins.azure_edges(np.array([0.0]), np.array([0.0])).tolist() == [-0.005, 0.005]
    assert bins.azure_edges(np.array([-4.0]), np.array([-4.0])).tolist() == [-4.02, -3.98]


def test_azures_index_of_categories_adds_one_to_each_count() -> None:
    baseline, production = Counter("aaab"), Counter("abcc")
    names = sorted(baseline | production)
    found = distances.population_stability([baseline[one] for one in names], [production[one] for one in names])
    of_both = [((baseline[one] + 1) / 7, (production[one] + 1) / 7) for one in names]
    assert found == pytest.approx(sum((q - p) * math.log(q / p) for p, q in of_both), rel=CLOSE)


def test_azures_normalized_distance_divides_by_the_deviation_of_a_sample_or_by_a_thousandth() -> None:
    x, y = np.array([1.0, 2.0, 4.0]), np.array([2.0, 3.0, 5.0])
    assert distances.normalized_wasserstein(x, y) == pytest.approx(1 / np.std([1, 2, 4], ddof=1))
    assert distances.normalized_wasserstein(np.array([1.0]), np.array([2.0])) == 1000.0
    assert distances.normalized_wasserstein(np.array([1.0, 1.0]), np.array([2.0])) == 1000.0


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=80), VALUES)
@settings(max_examples=200)
def test_every_value_is_in_one_of_the_bins_of_a_baseline(baseline: list[float], window: list[float]) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        for edges in (bins.fixed_edges(np.array(baseline)), bins.even_edges(np.array(baseline))):
            assert (np.diff(edges) > 0).all()
            assert bins.bin_counts(edges, np.array([*window, math.nan])).sum() == len(window)


@pytest.mark.parametrize(
    ("baseline", "edges"),
    [
        ([5.0, 5.0], [5.0, np.nextafter(5.0, 9.0)]),  # below, itself, above
        ([0.0, 1.0, 1.0], [0.0, 0.5, np.nextafter(1.0, 9.0)]),
        (list(range(1, 101)), np.quantile(np.arange(1, 101), np.linspace(0.1, 0.9, 9)).tolist()),
    ],
)
def test_the_bins_of_a_baseline_are_its_values_or_its_deciles(baseline: list[float], edges: list[float]) -> None:
    assert bins.fixed_edges(np.array(baseline, dtype=float)).tolist() == pytest.approx(edges, rel=0, abs=1e-12)


@given(
    st.lists(st.floats(-9, 9).map(lambda value: round(value, 2)), min_size=11, max_size=80, unique=True),
    st.lists(st.tuples(st.sampled_from([0.0, 1.0, -3.0, 2.5]), st.integers(1, 200)), min_size=1, max_size=3),
)
def test_a_value_of_a_tenth_of_the_baseline_has_a_bin_of_its_own(
    spread: list[float], repeated: list[tuple[float, int]]
) -> None:
    baseline = np.array([*spread, *(value for value, times in repeated for _ in range(times))])
    edges = bins.fixed_edges(baseline)
    counted = Counter(baseline.tolist())
    counts = bins.bin_counts(edges, baseline)
    assert len(edges) <= 3 * bins.QUANTILE_BINS
    for value, times in counted.items():
        if times * bins.QUANTILE_BINS >= len(baseline):
            assert counts[np.searchsorted(edges, value, side="right")] == times
    if max(counted.values()) * bins.QUANTILE_BINS >= len(baseline):
        assert (counts[1:-1] > 0).all()  # the ends may be empty


def test_a_constant_that_becomes_another_one_has_drifted_in_either_direction() -> None:
    edges = bins.fixed_edges(np.full(100, 3.0))

    def index(values: Any) -> float:
        return distances.population_stability(
            bins.bin_counts(edges, np.full(100, 3.0)), bins.bin_counts(edges, np.array(values))
        )

    assert index([3.0] * 100) == 0.0
    assert index([4.0] * 100) == pytest.approx(index([2.0] * 100))
    assert index([4.0] * 100) > 4.0


def test_bins_of_whole_numbers_have_as_many_of_them_each() -> None:
    edges = bins.even_edges(np.arange(18.0, 91.0))
    assert set(np.diff(edges)) == {4.0}
    assert (edges == np.floor(edges)).all()
