"""A digest is of values: equal for any form of them, and another one for other values."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.compacted.content_digest import content_digest

VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "integers": (pa.int64(), [1, None, -3, 0]),
    "truths": (pa.bool_(), [True, None, False, True]),
    "floats": (pa.float32(), [0.5, None, float("inf"), 0.0]),
    "texts": (pa.string(), ["a", None, "", "bé"]),
    "bytes": (pa.binary(2), [b"ab", None, b"\0\0", b"cd"]),
    "lists": (pa.list_(pa.int8()), [[1, None], None, [], [2]]),
    "lists of a size": (pa.list_(pa.int8(), 2), [[1, None], None, [0, 0], [2, 3]]),
    "structs": (pa.struct([("x", pa.int8())]), [{"x": 1}, None, {"x": None}, {"x": 2}]),
    "maps": (pa.map_(pa.string(), pa.int8()), [[("k", 1)], None, [], [("k", None), ("l", 2)]]),
    "categories": (pa.dictionary(pa.int8(), pa.string()), ["a", None, "b", "a"]),
    "decimals": (pa.decimal128(9, 2), [None, None, None, None]),
    "nulls": (pa.null(), [None, None, None, None]),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_digest_does_not_depend_on_chunks_slices_and_what_is_beneath_nulls(kind: str) -> None:
    arrow, values = VALUES[kind]
    table = pa.table({"c": pa.array(values, arrow)})
    parts = [pa.table({"c": pa.array(values[:1], arrow)}), pa.table({"c": pa.array(values, arrow)}).slice(1)]
    assert content_digest(pa.concat_tables(parts)) == content_digest(table)
    padded = pa.table({"c": pa.array([*values, *values], arrow)}).slice(4)
    assert content_digest(padded) == content_digest(table)


@pytest.mark.parametrize("kind", sorted(set(VALUES) - {"nulls", "decimals"}))
def test_other_values_have_another_digest(kind: str) -> None:
    arrow, values = VALUES[kind]
    found = {content_digest(pa.table({"c": pa.array(one, arrow)})) for one in (values, values[::-1], values[:3])}
    found.add(content_digest(pa.table({"d": pa.array(values, arrow)})))
    assert len(found) == 4


@given(st.lists(st.none() | st.text(max_size=3), max_size=6), st.lists(st.none() | st.text(max_size=3), max_size=6))
def test_texts_are_equal_if_their_digests_are(first: list[str | None], second: list[str | None]) -> None:
    digests = [content_digest(pa.table({"c": pa.array(one, pa.string())})) for one in (first, second)]
    assert (digests[0] == digests[1]) == (first == second)
