"""Spans that the receiver stored are a tree again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from stored_spans import TRACE, child, write_spans

import otel_modeldata_reader as reader
from otel_modeldata import semconv
from otel_modeldata_reader import Place
from otel_modeldata_reader.spans import is_of_spans, tree_of

if TYPE_CHECKING:
    from pathlib import Path


def test_the_spans_of_a_trace_are_below_their_parents(tmp_path: Path) -> None:
    write_spans(
        tmp_path,
        child("chat", 3, parent=2, start=4, end=8, failed=True),
        child("predict", 2, parent=1, start=2, end=9),
        child("POST /score", 1, start=0, end=10),
        child("load", 4, parent=1, start=1, end=2),
        child("of another service", 5, parent=99, start=3, end=4),
    )
    found = reader.open(tmp_path).show(TRACE)
    assert [(one.name, one.depth, one.status) for one in found.spans] == [
        ("POST /score", 0, "UNSET"),
        ("load", 1, "UNSET"),
        ("predict", 1, "UNSET"),
        ("chat", 2, "ERROR"),
        ("of another service", 0, "UNSET"),
    ]
    first = found.spans[0]
    assert (first.trace_id, first.parent_id, found.spans[1].parent_id) == (TRACE, None, first.span_id)
    assert first.start == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert (first.end - first.start).total_seconds() == 0.01
    assert first.place.line == 3


def test_the_collections_of_spans_are_those_of_the_receiver() -> None:
    names = ["a/b/app_traces", "a/b/app_spans", "app_spans", "a/b/app_events", "a/b/model_inputs"]
    expected = {semconv.TRACE_COLLECTION, semconv.SPAN_COLLECTION}
    assert [is_of_spans(name) for name in names] == [name.rpartition("/")[2] in expected for name in names]


def row(number: int, parent: int | None, start: str) -> dict[str, Any]:
    return {
        "name": str(number),
        "context": {"trace_id": "0xab", "span_id": f"0x{number:02x}"},
        "parent_id": None if parent is None else f"0x{parent:02x}",
        "start_time": start,
        "end_time": start,
        "status": {"status_code": "OK"},
    }


ROWS = st.builds(row, st.integers(0, 5), st.none() | st.integers(0, 5), st.sampled_from(["2026-11-22T10:00:00Z"]))
FOREIGN = st.sampled_from([None, 7, {}, row(1, 2, "soon"), row(1, 2, "2026-11-22T10:00:00"), {"status": {}}])


@given(st.lists(ROWS | FOREIGN, max_size=8))
def test_every_span_is_there_once_also_where_parents_are_in_a_circle(rows: list[Any]) -> None:
    place = Place(blob="b", line=1)
    found = tree_of((one, place) for one in rows)
    spans = {one["name"] for one in rows if isinstance(one, dict) and "end_time" in one and one["end_time"][-1] == "Z"}
    assert sorted(one.name for one in found) == sorted(spans)
