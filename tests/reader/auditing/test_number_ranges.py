"""Compact sets of numbers and ids, compared with Python's own sets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.auditing import number_ranges
from otel_modeldata_reader.auditing.number_ranges import MAX_SEQUENCE, IdSet, NumberRanges

NUMBERS = st.integers(0, 60) | st.integers(0, MAX_SEQUENCE)
BATCHES = st.lists(st.lists(NUMBERS, max_size=12), max_size=12)


def filled(batches: list[list[int]]) -> NumberRanges:
    numbers = NumberRanges()
    for batch in batches:
        numbers.add(batch)
    return numbers


def members(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(BATCHES, st.integers(0, 70))
def test_ranges_contain_the_added_numbers_and_no_others(batches: list[list[int]], number: int) -> None:
    numbers, expected = filled(batches), {one for batch in batches for one in batch}
    assert members(numbers.ranges()) == expected
    assert len(numbers) == len(expected)
    assert numbers.count_from(number) == sum(one >= number for one in expected)


@given(BATCHES)
def test_adjacent_ranges_are_merged(batches: list[list[int]]) -> None:
    ranges = filled(batches).ranges()
    assert all(first <= last for first, last in ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))


@given(st.lists(st.lists(st.integers(0, 60), max_size=12), max_size=12), st.integers(0, 70), st.integers(-1, 70))
def test_holes_are_the_missing_numbers(batches: list[list[int]], first: int, last: int) -> None:
    holes = filled(batches).holes(first, last)
    assert members(holes) == set(range(first, last + 1)) - {one for batch in batches for one in batch}
    assert all(start <= end for start, end in holes)


@given(BATCHES, BATCHES)
def test_a_union_has_the_members_of_all(some: list[list[int]], others: list[list[int]]) -> None:
    union = filled(some).union((filled(others), NumberRanges()))
    assert members(union.ranges()) == members(filled(some + others).ranges())


def test_a_million_events_in_order_are_one_range() -> None:
    numbers = NumberRanges()
    for start in range(0, 1_000_000, 5_000):
        numbers.add(range(start, start + 5_000))
    assert numbers.ranges() == [(0, 999_999)]


def test_alternating_events_of_two_receivers_become_one_range() -> None:
    numbers = NumberRanges()
    for parity in (0, 1):
        for start in range(0, 40_000, 2_000):
            numbers.add(range(start + parity, start + 2_000, 2))
    assert numbers.ranges() == [(0, 39_999)]


@pytest.mark.parametrize("loose", [0, 3, 1024])
def test_the_time_of_the_merge_does_not_matter(loose: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_ranges, "_LOOSE_RANGES", loose)
    numbers = filled([[number] for number in (5, 1, 9, 3, 1, 4, 8, 0)])
    assert numbers.ranges() == [(0, 1), (3, 5), (8, 9)]


@given(st.lists(st.lists(st.integers(-20, 20) | st.integers(-(2**63), 2**63 - 1), max_size=12), max_size=12))
def test_an_id_is_new_exactly_once(batches: list[list[int]]) -> None:
    ids, seen = IdSet(), set[int]()
    for batch in batches:
        expected = []
        for one in batch:
            expected.append(one not in seen)
            seen.add(one)
        assert ids.add(np.array(batch, np.int64)).tolist() == expected


def test_ids_are_kept_in_few_runs() -> None:
    ids = IdSet()
    for start in range(0, 100_000, 100):
        assert ids.add(np.arange(start, start + 100, dtype=np.int64)).all()
    assert len(ids._runs) <= 11  # each is at least twice as long as the next
    assert not ids.add(np.arange(100_000, dtype=np.int64)).any()
