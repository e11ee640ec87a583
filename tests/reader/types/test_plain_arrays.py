from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.types.plain_arrays import (
    floats_of,
    numbers_array,
    numbers_of,
    text_scalar,
    texts_array,
    truths_array,
    truths_of,
)

_TEXTS = st.lists(st.none() | st.text(max_size=5))
_NULLABLE = st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), st.booleans()))


@given(_TEXTS)
def test_texts_are_those_of_pyarrow(texts: list[str | None]) -> None:
    found = texts_array(texts)

    found.validate(full=True)
    assert found.equals(pa.array(texts, pa.string()))


@pytest.mark.parametrize("texts", [[], [""], [None], ["a\0b"], ["\0"], ["", None, "é", ""]])
def test_empty_texts_and_texts_with_a_zero_are_kept(texts: list[str | None]) -> None:
    assert texts_array(texts).to_pylist() == texts


def test_a_lone_surrogate_is_refused_as_by_pyarrow() -> None:
    for make in (texts_array, lambda texts: pa.array(texts, pa.string())):
        with pytest.raises(UnicodeEncodeError):
            make(["a", "\ud800"])


def test_a_text_is_the_same_scalar() -> None:
    assert text_scalar("_").equals(pa.scalar("_", pa.string()))


@given(_NULLABLE, st.sampled_from(["int32", "int64", "float64"]))
def test_numbers_are_those_of_pyarrow(cells: list[tuple[int, bool]], dtype: str) -> None:
    values = np.array([value for value, _ in cells], dtype)
    nulls = np.array([is_null for _, is_null in cells], np.bool_)
    found = numbers_array(values, nulls)

    found.validate(full=True)
    assert found.equals(pa.array(values, mask=nulls))
    assert numbers_array(values).equals(pa.array(values))


@given(_NULLABLE)
def test_truths_are_those_of_pyarrow(cells: list[tuple[int, bool]]) -> None:
    values = np.array([value > 0 for value, _ in cells], np.bool_)
    nulls = np.array([is_null for _, is_null in cells], np.bool_)
    found = truths_array(values, nulls)

    found.validate(full=True)
    assert found.equals(pa.array(values, pa.bool_(), mask=nulls))


@given(st.lists(st.lists(st.integers(0, 2**31 - 1))), st.sampled_from(["int32", "int64", "uint64", "float64"]))
def test_numbers_come_back_from_chunks_and_slices(chunks: list[list[int]], dtype: str) -> None:
    kind: Any = pa.from_numpy_dtype(np.dtype(dtype))
    column = pa.chunked_array([pa.array(one, kind).slice(len(one) // 3) for one in chunks], kind)

    found = numbers_of(column)
    assert found.dtype == np.dtype(dtype)
    assert found.tolist() == column.to_pylist()


@given(st.lists(st.lists(st.none() | st.floats(width=64))))
def test_floats_have_nan_for_null_as_with_pyarrow(chunks: list[list[float | None]]) -> None:
    column = pa.chunked_array([pa.array(one, pa.float64()).slice(len(one) // 3) for one in chunks], pa.float64())

    np.testing.assert_array_equal(floats_of(column), column.to_numpy())
    for chunk in column.chunks:
        np.testing.assert_array_equal(floats_of(chunk), chunk.to_numpy(zero_copy_only=False))


@given(st.lists(st.lists(st.booleans())))
def test_truths_come_back_from_chunks_and_slices(chunks: list[list[bool]]) -> None:
    column = pa.chunked_array([pa.array(one, pa.bool_()).slice(len(one) // 3) for one in chunks], pa.bool_())

    assert truths_of(column).tolist() == column.to_pylist()


def test_a_slice_unpacks_its_own_bits_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading has thousands of slices of one large array."""
    unpacked: list[int] = []
    real = np.unpackbits
    monkeypatch.setattr(np, "unpackbits", lambda some, **given: unpacked.append(len(some)) or real(some, **given))
    whole = pa.array([None if at % 7 == 0 else float(at) for at in range(1_003)], pa.float64())
    parts = pa.chunked_array([whole[start : start + 17] for start in range(0, len(whole), 17)])

    np.testing.assert_array_equal(floats_of(parts), whole.to_numpy(zero_copy_only=False))
    assert len(unpacked) == len(parts.chunks)
    assert max(unpacked) <= 4


def test_none_of_these_imports_pandas() -> None:
    script = (
        "import sys, numpy as np, pyarrow as pa\n"
        "from otel_modeldata_reader.types.plain_arrays import *\n"
        "numbers_of(numbers_array(np.arange(3), np.array([False] * 3)))\n"
        "floats_of(numbers_array(np.array([1.0, 2.0]), np.array([False, True])))\n"
        "truths_of(truths_array(np.array([True, False]))), texts_array(['a', None]), text_scalar('_')\n"
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
