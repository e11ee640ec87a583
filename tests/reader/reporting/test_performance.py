"""Measures of performance: equal to scikit-learn, with intervals that contain what they should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from otel_modeldata_reader.reporting.measures.intervals import wilson
from otel_modeldata_reader.reporting.measures.performance import auc, of_classes, of_numbers

CLASSES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def table(labels: list[int], predictions: list[int], size: int = 4) -> np.ndarray:
    found = np.zeros((size, size), dtype=np.int64)
    np.add.at(found, (labels, predictions), 1)
    return found


@given(CLASSES)
def test_measures_of_several_classes_are_the_means_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = ([one[at] for one in pairs] for at in (0, 1))
    found = of_classes(table(labels, predictions), None)
    p, r, f1, _ = metrics.precision_recall_fscore_support(labels, predictions, average="macro", zero_division=0)
    expected = {"accuracy": metrics.accuracy_score(labels, predictions), "precision": p, "recall": r, "f1": f1}
    assert {name: one.value for name, one in found.items()} == pytest.approx(expected, rel=1e-12)
    for one in found.values():
        assert one.interval is not None
        assert 0 <= one.interval[0] <= one.interval[1] <= 1


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60))
def test_measures_of_two_classes_are_those_of_the_positive_one(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = ([one[at] for one in pairs] for at in (0, 1))
    found = of_classes(table(labels, predictions, 2), 1)
    expected = {
        "accuracy": metrics.accuracy_score(labels, predictions),
        "precision": metrics.precision_score(labels, predictions, zero_division=np.nan),
        "recall": metrics.recall_score(labels, predictions, zero_division=np.nan),
        "f1": metrics.f1_score(labels, predictions, zero_division=np.nan),
    }
    values = {name: math.nan if one.value is None else one.value for name, one in found.items()}
    assert values == pytest.approx(expected, rel=1e-12, nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=80))
def test_the_area_under_the_curve_is_that_of_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    scores, is_positive = np.array([one / 9 for one, _ in pairs]), np.array([one for _, one in pairs])
    found = auc(scores, is_positive)
    if is_positive.all() or not is_positive.any():
        assert found.value is None
        return
    assert found.value == pytest.approx(metrics.roc_auc_score(is_positive, scores), rel=1e-12)
    if found.interval is not None:
        assert 0 <= found.interval[0] <= found.value <= found.interval[1] <= 1


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=2, max_size=60))
def test_measures_of_numbers_are_those_of_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    labels, predictions = np.array(pairs).T
    found = {name: one.value for name, one in of_numbers(labels, predictions).items()}
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(labels, predictions), rel=1e-9, abs=1e-12)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(labels, predictions), rel=1e-9, abs=1e-12)
    assert found["bias"] == pytest.approx(float(np.mean(predictions - labels)), rel=1e-9, abs=1e-9)
    if np.ptp(labels) > 1e-3:
        assert found["r2"] == pytest.approx(metrics.r2_score(labels, predictions), rel=1e-9, abs=1e-9)


def test_the_explained_share_of_a_constant_is_not_defined() -> None:
    assert of_numbers(np.array([2.0, 2.0]), np.array([1.0, 3.0]))["r2"].value is None
    assert of_numbers(np.array([]), np.array([]))["mae"].value is None


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (5, 10), (10, 10), (1, 1), (1201, 3030), (3, 10**7)])
def test_the_interval_of_a_share_is_wilsons(successes: int, trials: int) -> None:
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), rel=1e-12, abs=1e-15)


def test_without_trials_there_is_no_interval() -> None:
    assert wilson(0, 0) is None


def test_intervals_contain_the_true_value_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(4)
    hits = {"accuracy": 0, "auc": 0, "mae": 0}
    for _ in range(200):
        labels = random.random(150) < 0.5
        scores = random.normal(size=150) + labels
        found = auc(scores, labels)
        assert found.interval is not None
        hits["auc"] += found.interval[0] <= 0.7602499 <= found.interval[1]  # normal cdf of 1 / sqrt(2)
        right = random.random(150) < 0.8
        accuracy = of_classes(np.array([[right.sum(), 0], [(~right).sum(), 0]]), None)["accuracy"].interval
        assert accuracy is not None
        hits["accuracy"] += accuracy[0] <= 0.8 <= accuracy[1]
        errors = random.normal(size=150)
        mae = of_numbers(np.zeros(150), errors)["mae"].interval
        assert mae is not None
        hits["mae"] += mae[0] <= math.sqrt(2 / math.pi) <= mae[1]
    assert all(0.88 <= count / 200 <= 0.99 for count in hits.values()), hits


def test_intervals_of_many_rows_are_by_blocks_and_the_same_each_time() -> None:
    random = np.random.default_rng(6)
    labels = random.normal(size=200_000)
    first, second = (of_numbers(labels, labels * 0.9)["rmse"] for _ in range(2))
    assert first == second
    assert first.interval is not None
    assert first.value is not None
    assert first.interval[0] < first.value < first.interval[1]
    assert first.interval[1] - first.interval[0] < 0.002
