"""The ids of a reading are known exactly, whether they are in the set or in the arrays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.lines.known_ids import KnownIds

IDS = st.integers(0, 40).map(lambda number: f"id-{number}")


@given(st.lists(st.lists(IDS, max_size=8), max_size=30), st.integers(1, 12))
def test_each_id_is_new_once(parts: list[list[str]], most_in_set: int) -> None:
    ids, seen = KnownIds(most_in_set, most_in_generation=10**6), set()
    for part in parts:
        expected = [one not in seen and one not in part[:index] for index, one in enumerate(part)]
        assert ids.are_new(part) == all(expected)
        if not all(expected):
            assert ids.new_ones(part) == expected
        seen.update(part)


def test_the_oldest_ids_are_forgotten_before_memory_grows() -> None:
    ids = KnownIds(most_in_set=10, most_in_generation=100)
    for start in range(0, 1000, 10):
        assert ids.are_new([f"id-{number}" for number in range(start, start + 10)])
    assert not ids.are_new(["id-900"])
    assert ids.are_new(["id-0"])
