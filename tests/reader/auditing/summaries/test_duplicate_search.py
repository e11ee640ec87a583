"""Ids that are in several parts are found, in runs of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata_reader.auditing.summaries.duplicate_search import DuplicateSearch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

HASHES = st.sets(st.one_of(st.integers(-4, 4), st.sampled_from([-(2**63), 2**63 - 1])), max_size=6)
PARTS = st.lists(st.tuples(HASHES, HASHES), max_size=6)


def ascending(hashes: set[int]) -> np.ndarray:
    return np.array(sorted(hashes), np.int64)


def expected(parts: Sequence[tuple[set[int], set[int]]], order: list[int]) -> set[tuple[int, int, int]]:
    """Every id that an earlier part has, with the part and the first one that has it."""
    owners: dict[int, int] = {}
    found = set()
    for part in order:
        ids, named = parts[part]
        found |= {(one, part, owners[one]) for one in ids | named if one in owners}
        for one in ids:
            owners.setdefault(one, part)
    return found


@settings(max_examples=200)
@given(PARTS, st.integers(1, 5), st.randoms())
def test_an_id_belongs_to_the_first_part_that_has_it(
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[tuple[set[int], set[int]]],
    most: int,
    chance: object,
) -> None:
    search = DuplicateSearch(tmp_path_factory.mktemp("ids"), most)
    # The ids of a line in its own deployment and in the one that it names are never the same.
    parts = [(ids, named - ids) for ids, named in parts]
    for number, (ids, named) in enumerate(parts):
        search.add(number, ascending(ids), ascending(named))
    order = list(range(len(parts)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    order = order[: max(1, len(order) - 1)]  # the last one is left out
    places = np.full(len(parts), -1, np.int64)
    places[order] = np.arange(len(order))
    found = {
        triple
        for one in search.repeated(places)
        for triple in zip(one.hashes.tolist(), one.parts.tolist(), one.owners.tolist(), strict=True)
    }
    assert found == expected(parts, order)
