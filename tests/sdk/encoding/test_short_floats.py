from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from otel_modeldata._encoding.short_floats import shortest, shortest_of

Floats = np.ndarray[Any, np.dtype[Any]]


def _printed(values: Floats) -> Floats:
    """What NumPy's printer says, which prints the shortest text of each type."""
    return np.array([float(np.format_float_scientific(value, unique=True)) for value in values.reshape(-1)])


def _check(values: Floats) -> None:
    found = shortest(values)
    assert found.dtype == np.float64
    assert found.shape == values.shape
    np.testing.assert_array_equal(found.reshape(-1), _printed(values))
    assert np.array_equal(np.signbit(found), np.signbit(values))
    finite = found[np.isfinite(found)].reshape(-1)
    read = np.array(json.loads(json.dumps(finite.tolist())), dtype=values.dtype)
    assert np.array_equal(read, values[np.isfinite(values)].reshape(-1))


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f2", ">f4"])
@given(data=st.data())
def test_a_narrow_float_has_the_digits_that_numpy_prints(dtype: str, data: st.DataObject) -> None:
    _check(data.draw(arrays(dtype, array_shapes(max_dims=2, max_side=40))))


@pytest.mark.slow
def test_every_float16_has_its_shortest_text() -> None:
    _check(np.arange(2**16, dtype=np.uint16).view(np.float16))


def test_every_power_of_two_has_its_shortest_text() -> None:
    # Here a value is nearer to its lower neighbor than to its upper one.
    _check(np.float32(2) ** np.arange(-149, 128, dtype=np.float32))
    _check(-np.ldexp(np.float16(1), np.arange(-24, 16)).astype(np.float16))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_random_float32_of_all_sizes_have_their_shortest_text(seed: int) -> None:
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 2**32, 100_000, dtype=np.uint64).astype(np.uint32)
    _check(bits.view(np.float32))
    _check(generator.normal(size=100_000).astype(np.float32))
    _check(np.round(generator.random(100_000) * 1e6, 2).astype(np.float32))


def test_a_block_without_unusual_values_has_the_same_digits_as_with_them() -> None:
    usual = np.array([0.1, 1 / 3, 123456.7, 0.0, -2.5], dtype=np.float32)
    unusual = np.array([np.nan, np.inf, -np.inf, 1e-30, 3e38, 1e-45, 16777217.0, 1e9, -0.0], dtype=np.float32)
    together = shortest(np.concatenate([usual, unusual]))
    np.testing.assert_array_equal(together, np.concatenate([shortest(usual), shortest(unusual)]))
    assert shortest(usual).tolist() == [0.1, 0.33333334, 123456.7, 0.0, -2.5]


@given(st.floats(width=32))
def test_one_value_has_the_digits_of_its_column(value: float) -> None:
    narrow = np.float32(value)
    np.testing.assert_array_equal(shortest_of(narrow), shortest(np.array([narrow]))[0])


def test_printing_options_of_the_application_change_nothing() -> None:
    values = np.array([1 / 3, 1.2345678e-20], dtype=np.float32)
    with np.printoptions(precision=2, suppress=True, legacy="1.13"), np.errstate(all="raise"):
        assert shortest(values).tolist() == [0.33333334, 1.2345678e-20]
        assert shortest_of(values[1]) == 1.2345678e-20
