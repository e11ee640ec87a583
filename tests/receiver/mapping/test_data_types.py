"""The line key `datatypes` is what the sender says, if a line can hold it; it never rejects an event."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from template_records import by_both_ways, ordinary

from otel_modeldata import semconv

LONGEST = semconv.MAX_DATA_TYPES_CHARS


def lines(value: object) -> list[dict[str, Any]]:
    """The lines of three records, of which the last is made by a template if there is one."""
    raw = [ordinary({semconv.AZUREML_DATA_TYPES: value}).SerializeToString()] * 3
    fast, plain = by_both_ways(raw)
    assert fast == plain
    return [msgspec.json.decode(line.data) for group in plain.lines.values() for line in group]


@pytest.mark.parametrize("text", ["f8*15,i8*4,s,c", "datetime64[ns, UTC]", "c[s|%C3%A9<a]", "x" * 3000, "x" * LONGEST])
def test_the_types_of_a_record_are_in_its_line_before_the_span(text: str) -> None:
    for line in lines(text):
        assert line["datatypes"] == text
        assert list(line)[-2:] == ["producersequence", "datatypes"] or "traceparent" in line


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "f8 ",
        " f8",
        "é",
        '"',
        "\\",
        "\n",
        "\0",
        "f8\x7f",
        "x" * (LONGEST + 1),
        7,
        0.5,
        True,
        b"f8",
        ["f8"],
        {"f8": 1},
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_cannot_be_types_is_left_out_and_the_event_is_stored(value: object) -> None:
    stored = lines(value)
    assert len(stored) == 3
    assert all("datatypes" not in line for line in stored)


@given(st.text(max_size=12))
def test_types_are_in_the_line_exactly_if_they_are_allowed(text: str) -> None:
    for line in lines(text):
        assert line.get("datatypes") == (text if semconv.is_data_types(text) else None)
