"""The intervals of measures are those of the rows, whatever their order."""

from __future__ import annotations

import numpy as np
import pytest

from otel_modeldata_reader.reporting.measures.performance import of_numbers


@pytest.mark.parametrize("count", [50, 5_000])
def test_the_same_rows_in_another_order_have_the_same_intervals(count: int) -> None:
    random = np.random.default_rng(1)
    labels = random.normal(10, 3, count).round(1)
    predictions = labels + random.normal(0, 1, count).round(1)
    expected = of_numbers(labels, predictions)
    for _ in range(3):
        order = random.permutation(count)
        found = of_numbers(labels[order], predictions[order])
        for name, one in expected.items():
            assert found[name].interval == pytest.approx(one.interval, rel=1e-12)
            assert found[name].value == pytest.approx(one.value, rel=1e-12)
