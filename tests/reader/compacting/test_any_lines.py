"""Any mixture of lines, in any blobs, that are compacted at any time: every row is read once, with its value."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from compacted_store import TYPES, snapshot, typed_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from read_lines import COLLECTION, HOUR, line

import otel_modeldata_reader as reader

NUMBERS = st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False)
CELLS = st.none() | NUMBERS | st.text(max_size=3)
OTHER_ROWS = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "time"]), CELLS | st.lists(CELLS, max_size=2), max_size=2), max_size=3
)
TIMES = st.sampled_from([{}, {"timens": None}, {"timens": "5"}, {"correlationid": None}])
MOST = 6


@st.composite
def lines(draw: st.DrawFn, number: int) -> bytes:
    """The line of an event."""
    match draw(st.integers(0, 2)):
        case 0:
            return line(draw(OTHER_ROWS), number=number, **draw(TIMES))
        case 1:
            return line([{"a": number, "b": draw(st.text(max_size=3))}], number=number, datatypes="i8,s")
    return line(typed_rows(number, draw(st.integers(0, 3))), number=number, datatypes=TYPES, **draw(TIMES))


EVENTS = st.tuples(*(lines(number) for number in range(MOST)))
FOREIGN = (b"garbage\n", b"\n", b"{}\n")
STEPS = st.lists(
    st.tuples(st.integers(0, 1), st.lists(st.integers(0, MOST + 2), max_size=6), st.booleans(), st.booleans()),
    max_size=4,
)
"""To which blob which lines are appended, some of them twice; whether all is compacted then, and the lines dropped."""


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(map(repr, row.values()))


@pytest.mark.slow
@settings(max_examples=30)
@given(EVENTS, STEPS, st.sampled_from([b"\n", b'{"torn']))
def test_every_row_is_read_once(
    events: tuple[bytes, ...], steps: list[tuple[int, list[int], bool, bool]], tail: bytes
) -> None:
    with TemporaryDirectory() as folder:
        plain, compacted = Path(folder, "plain"), Path(folder, "compacted")
        for step, (replica, some, is_compacted, is_dropped) in enumerate(steps, 1):
            blank = b" " * step + b"\n"  # a blob that begins as a dropped one of its name did would be taken for it
            content = blank + b"".join((*events, *FOREIGN)[number] for number in some)
            for store in (plain, compacted):
                _append(store, replica, content)
            if is_compacted:
                with reader.open(compacted) as opened:
                    opened.compact(drop_lines=is_dropped)
        for store in (plain, compacted):
            _append(store, 0, tail)
        before, after = snapshot(plain), snapshot(compacted)
        names = sorted(before.table.column_names)
        assert sorted(after.table.column_names) == names
        rows = [sorted(one.table.select(names).to_pylist(), key=_key) for one in (before, after)]
        assert list(map(_key, rows[0])) == list(map(_key, rows[1]))
        for name in ("rows", "lines", "duplicates", "foreign", "torn", "misplaced"):
            assert getattr(after.report, name) == getattr(before.report, name)


def _append(store: Path, replica: int, content: bytes) -> None:
    path = store / COLLECTION / HOUR / f"{replica:032x}000000.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(content)
