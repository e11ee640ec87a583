"""What `collect` took is what `read` gives: values, dtypes, order and names."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from collected_store import collecting
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typed_columns import COLUMNS, UNCOMPARED

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata_reader.lines import event_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NUMBERS = count()
ROOT = "shop/blue"
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII)
HELD = ("list_view", "interval", "fixed_size_list", *UNCOMPARED)
COMPARED = [code for code in COLUMNS if not any(word in code for word in HELD)]
"""pandas can hold the others, but not compare them in some releases; `types/test_round_trips.py` has them."""


@pytest.fixture(scope="module")
def store() -> Iterator[tuple[Path, Callable[[], object]]]:
    """A folder that collects one frame for each code, and a function that waits until what was collected is in it."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
        with collecting(Path(folder)) as flush:
            for number, code in enumerate(COMPARED):
                Collector(name=f"code_{number}").collect(_frame(code))
            flush()
            yield Path(folder), flush


def _frame(code: str) -> pd.DataFrame:
    return pd.DataFrame({"c": COLUMNS[code], "n": range(len(COLUMNS[code]))})


def read_again(store: tuple[Path, Callable[[], object]], *frames: pd.DataFrame) -> reader.Reading:
    """A reading of a collection with these frames."""
    folder, flush = store
    name = f"frames_{next(NUMBERS)}"
    collector = Collector(name=name)
    for frame in frames:
        collector.collect(frame)
    flush()
    return reader.open(folder).read(f"{ROOT}/{name}", envelope=False)


@pytest.mark.parametrize("code", COMPARED)
def test_every_dtype_comes_back(store: tuple[Path, Callable[[], object]], code: str) -> None:
    reading = reader.open(store[0]).read(f"{ROOT}/code_{COMPARED.index(code)}", envelope=False)
    pd.testing.assert_frame_equal(reading.to_pandas(), _frame(code))
    assert reading.report.is_clean


FLOATS = st.just(np.nan) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
CELLS = {
    "i8": (st.integers(-(2**63), 2**63 - 1), "int64"),
    "u8": (st.integers(0, 2**64 - 1), "uint64"),
    "f8": (FLOATS, "float64"),
    "f4": (st.floats(width=32, allow_nan=False, allow_infinity=False), "float32"),
    "b": (st.booleans(), "bool"),
    "s": (TEXTS, "str"),
    "Int64": (st.none() | st.integers(-(2**63), 2**63 - 1), "Int64"),
    "time": (st.datetimes().map(pd.Timestamp), "datetime64[us]"),
}
COLUMN = st.sampled_from(sorted(CELLS))
LAYOUTS = st.dictionaries(st.sampled_from(["a", "b", "é", "time", "row_id", 'q"']), COLUMN, min_size=1, max_size=4)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 4))
    columns: dict[str, Any] = {}
    for name, code in draw(LAYOUTS).items():
        values, dtype = CELLS[code]
        cells: Any = draw(st.lists(values, min_size=rows, max_size=rows))
        if code == "time":  # pandas 2.0 makes nanoseconds of a list
            cells = np.array(cells, dtype)
        columns[name] = pd.Series(cells, dtype=dtype)
    return pd.DataFrame(columns)


def _has_float32(frames: list[pd.DataFrame]) -> bool:
    return any("float32" in map(str, frame.dtypes) for frame in frames)


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(frames(), min_size=1, max_size=3), st.sampled_from([1, 1 << 22]))
def test_frames_of_one_layout_come_back_equal(
    store: tuple[Path, Callable[[], object]], drawn: list[pd.DataFrame], batch_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_stream, "_BATCH_BYTES", batch_bytes)
        same = [drawn[0], *(frame for frame in drawn[1:] if frame.dtypes.equals(drawn[0].dtypes))]
        reading = read_again(store, *same)
        pd.testing.assert_frame_equal(reading.to_pandas(), pd.concat(same, ignore_index=True))
        assert reading.report.is_clean


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(frames(), min_size=1, max_size=4), st.sampled_from([1, 1 << 22]))
def test_frames_of_any_layouts_keep_every_value(
    store: tuple[Path, Callable[[], object]], drawn: list[pd.DataFrame], batch_bytes: int
) -> None:
    assume(not _has_float32(drawn))  # its text in JSON is shorter than that of the equal float64
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_stream, "_BATCH_BYTES", batch_bytes)
        reading = read_again(store, *drawn)
        table = reading.to_arrow()
        assert [row for batch in reading.batches() for row in batch.to_pylist()] == table.to_pylist()
    rows = [row for frame in drawn for row in frame.astype(object).to_dict("records")]
    assert table.num_rows == len(rows)
    found = sorted(str(sorted(_shown(row).items())) for row in table.to_pylist())
    assert found == sorted(str(sorted(_shown(row).items())) for row in rows)


def _shown(row: dict[str, Any]) -> dict[str, str]:
    """The values of a row that are there, as texts: a column of several types has texts."""
    return {name: text for name, value in row.items() if (text := _text(value)) is not None}


def _text(value: Any) -> str | None:
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 - not a number
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if hasattr(value, "isoformat"):
        return pd.Timestamp(value).isoformat()
    if isinstance(value, (int, float)) or _NUMBER.fullmatch(value):
        return str(Decimal(str(value)).normalize())
    return str(value)
