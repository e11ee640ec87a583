from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_studio.tables.partners import PartnersOfPiece
from otel_modeldata_studio.tables.piece import Group, Piece, Slice, exact_slices
from otel_modeldata_studio.tables.row_bits import RowBits


def piece(path: str, rows: int) -> Piece:
    """A file with row groups of ten rows."""
    groups = [
        Group(start=start, rows=min(10, rows - start), first=start, last=start + 9) for start in range(0, rows, 10)
    ]
    return Piece(path=path, date="2026/11/22/10", groups=tuple(groups), columns={})


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_rows_that_both_chose_are_counted_by_row_group_and_found_by_their_numbers(
    pairs: list[tuple[bool, bool]],
) -> None:
    mask, other = (list(one) for one in zip(*pairs, strict=True))
    one = piece("a", len(mask))
    bits = RowBits.of({"a": np.array(mask), "b": np.array(mask)}).both(RowBits.of({"a": np.array(other)}))
    numbers = [at for at, both in enumerate(pairs) if all(both)]

    assert set(bits.packed) == {"a"}
    assert bits.counts(one) == [
        sum(group.start <= number < group.start + group.rows for number in numbers) for group in one.groups
    ]
    assert bits.count(one) == len(numbers)
    assert [found.numbers for found in bits.exact([one])] == ([tuple(numbers)] if numbers else [])
    assert bits.count(piece("c", 5)) == 0
    assert bits.exact([piece("c", 5)]) == []


def test_the_chosen_rows_of_a_part_of_a_file_are_those_inside_it() -> None:
    one = piece("a", 30)
    bits = RowBits.of({"a": np.arange(30) % 7 == 0})
    part = Slice(piece=one, start=10, rows=10, first=10, last=19)

    assert bits.count(part) == 1
    assert bits.exact([part]) == [Slice(piece=one, start=14, rows=1, first=10, last=19, numbers=(14,))]


@given(st.lists(st.booleans(), min_size=1, max_size=70), st.data())
def test_the_chosen_rows_of_any_part_are_those_of_the_whole_file(mask: list[bool], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(mask) - 1))
    rows = data.draw(st.integers(0, len(mask) - start))
    one = piece("a", len(mask))
    bits = RowBits.of({"a": np.array(mask)})
    part = Slice(piece=one, start=start, rows=rows, first=0, last=0)
    numbers = tuple(at for at in range(start, start + rows) if mask[at])

    assert bits.of_piece(one).tolist() == mask
    assert bits.count(part) == len(numbers)
    assert [found.numbers for found in bits.exact([part])] == ([numbers] if numbers else [])
    assert [found.start for found in bits.chosen_groups(one)] == [
        group.start for group in one.groups if any(mask[group.start : group.start + group.rows])
    ]


def test_to_count_the_rows_of_a_row_group_unpacks_no_other_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may have hundreds of row groups."""
    unpacked: list[int] = []
    real = np.unpackbits
    monkeypatch.setattr(np, "unpackbits", lambda some, **given: unpacked.append(len(some)) or real(some, **given))
    one = piece("a", 800)
    bits = RowBits.of({"a": np.arange(800) % 3 == 0})
    parts = [
        Slice(piece=one, start=group.start, rows=group.rows, first=group.first, last=group.last) for group in one.groups
    ]
    counts = [bits.count(part) for part in parts]
    assert bits.counts(one) == counts
    assert (sum(counts), len(bits.exact(parts)), len(bits.chosen_groups(one))) == (267, 80, 80)
    assert max(unpacked) <= 3


def test_rows_of_a_file_are_one_slice_with_the_times_of_their_row_groups() -> None:
    first, second = piece("a", 40), piece("b", 10)

    assert exact_slices([(first, 33), (second, 2), (first, 4), (first, 33)]) == [
        Slice(piece=first, start=4, rows=30, first=0, last=39, numbers=(4, 33)),
        Slice(piece=second, start=2, rows=1, first=0, last=9, numbers=(2,)),
    ]


def test_a_partner_is_a_row_of_one_of_the_files_near() -> None:
    first, second = piece("a", 3), piece("b", 2)
    partners = PartnersOfPiece(near=(first, second), rows=np.array([2, 3, -1, 4, 5]))

    assert [partners.of_row(number) for number in range(4)] == [(first, 2), (second, 0), None, (second, 1)]
    with pytest.raises(AssertionError, match="expected a row of 2 files"):
        partners.of_row(4)
