"""The numbers of rows that a line names as erased: texts, counts, and the rows and ids of the others."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.lines.erased_rows import (
    erased_of,
    kept_numbers,
    ranges_of,
    ranges_text,
    united,
    without_rows,
)


@given(st.integers(0, 40), st.sets(st.integers(0, 60)))
def test_what_is_left_and_its_numbers_are_those_of_the_other_rows(count: int, erased: set[int]) -> None:
    text = ranges_text(united((one, one) for one in erased))
    kept = [number for number in range(count) if number not in erased]
    rows = [{} if number in erased else {"x": number} for number in range(count)]
    assert json.loads(without_rows(json.dumps(rows).encode(), text)) == [{"x": number} for number in kept]
    assert kept_numbers(len(kept), text).tolist() == kept
    assert erased_of(text, count) == count - len(kept)
    assert {number for first, last in ranges_of(text) for number in range(first, last + 1)} == erased


@pytest.mark.parametrize("text", [None, "", "x", "1-", "-1", "1,,2", "1 ,2", "1.5", "9" * 19, "1,2\n", "\u0663"])
def test_a_text_of_another_form_names_no_rows(text: str | None) -> None:
    assert ranges_of(text) == ()
    assert kept_numbers(3, text).tolist() == [0, 1, 2]


def test_reversed_and_overlapping_ranges_are_put_right() -> None:
    assert ranges_of("7-3,5,1-2,2-4") == ((1, 5),)


def test_a_range_of_any_size_takes_no_memory() -> None:
    text = "0-999999999999999999"
    assert erased_of(text, 5) == 5
    assert without_rows(b'[{"a":1}]', text) == b"[]"
    assert np.all(kept_numbers(2, text) >= 0)


def test_data_that_is_no_list_of_rows_stays() -> None:
    assert without_rows(b'{"a":1}', "0") == b'{"a":1}'
    assert without_rows(b"[{", "0") == b"[{"
