"""Long texts of any characters take no longer than others: nothing reads a text again from each of its characters.

Only that these tests end is what they test: else they take hours.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.index.line_ids import ids_in_rows
from otel_modeldata_reader.rows.json_table import is_too_wide

if TYPE_CHECKING:
    from pathlib import Path

LONG = 1 << 19
CHARACTERS = ["a", ", ", '\\"', '\\": ', "{["]
"""As JSON has them in a text."""
MANY_ROWS = ", ".join(['{"n": 1}'] * 6000)
"""So many that the reader counts their names."""


def test_rows_with_long_texts_are_read_and_found_and_erased(tmp_path: Path) -> None:
    rows = []
    for character in CHARACTERS:
        text = character * (LONG // len(character))
        rows += [("s", f'{{"t": "{text}"}}'), ("O", f'{{"t": [["{text}"]]}}')]
        rows += [("interval[f8, right]", f'{{"t": "[{text}"}}'), (None, f'{{"t": "{text}"}}, {MANY_ROWS}')]
    lines = [line(raw=f"[{row}]", number=number, datatypes=types) for number, (types, row) in enumerate(rows)]
    write(tmp_path, [*lines, lines[10][:-10]])
    with reader.open(tmp_path) as store:
        count = 20 + 5 * 6000
        assert len(store.read(COLLECTION).to_pandas()) == count
        assert len(store.show("request-2").events) == 1
        assert store.erase(COLLECTION, ids=["event-4"], dry_run=False).rows == 1
        assert len(store.read(COLLECTION).to_arrow()) == count - 1


def texts_of(data: str) -> list[str]:
    """The texts that are values, character by character."""
    found, start = [], data.find('"')
    while start >= 0:
        end = start + 1
        while end < len(data) and data[end] != '"':
            end += 2 if data[end] == "\\" else 1
        if end >= len(data):
            return found
        if end > start + 1 and not data[end + 1 :].lstrip().startswith(":"):
            with suppress(ValueError):
                found.append(json.loads(data[start : end + 1]))
        start = data.find('"', end + 1)
    return found


@given(st.text('a"\\: ,{}[]'))
@example('"a": "b", "\\"c')
@example('"a", "\\')
def test_the_ids_of_a_line_that_may_be_torn_are_its_texts_that_have_an_end(text: str) -> None:
    assert list(ids_in_rows(text.encode())) == texts_of(text)


@pytest.mark.parametrize("character", ['\\"', '\\": '])
def test_names_are_counted_in_rows_with_a_long_text(character: str) -> None:
    text = '"' + character * (LONG // len(character)) + '"'
    assert not is_too_wide(f'{{"data":[{MANY_ROWS}, {{"n": {text}}}]}}\n'.encode())
    own = ", ".join(f'{{"c{number}": {text if number == 0 else 1}}}' for number in range(9000))
    assert is_too_wide(f'{{"data":[{own}]}}\n'.encode())
