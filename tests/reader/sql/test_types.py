"""What SQL gives back is what `read` gives: values, dtypes, order and names."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from collected_store import collecting
from hypothesis import given, settings
from hypothesis import strategies as st
from typed_columns import COLUMNS, UNCOMPARED

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata_reader.sql.column_types import restored, stored, stored_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NUMBERS = count()
HELD = ("list_view", "interval", "fixed_size_list", *UNCOMPARED)
COMPARED = [code for code in COLUMNS if not any(word in code for word in HELD)]
"""pandas can hold the others, but not compare them in some releases."""


@pytest.fixture(scope="module")
def store() -> Iterator[tuple[Path, Callable[[], object]]]:
    """A folder that collects one frame for each code, and a function that waits until what was collected is in it."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
        with collecting(Path(folder)) as flush:
            for number, code in enumerate(COMPARED):
                values = COLUMNS[code]
                Collector(name=f"code_{number}").collect(pd.DataFrame({"c": values, "n": range(len(values))}))
            flush()
            yield Path(folder), flush


@pytest.mark.parametrize("code", COMPARED)
def test_every_dtype_passes_through_sql(store: tuple[Path, Callable[[], object]], code: str) -> None:
    name = f"code_{COMPARED.index(code)}"
    opened = reader.open(store[0])
    query = opened.query(f"SELECT * FROM {name}")
    expected = opened.read(f"shop/blue/{name}")
    pd.testing.assert_frame_equal(query.to_pandas(), expected.to_pandas())
    assert query.to_arrow().equals(expected.to_arrow(), check_metadata=True)
    assert query.reports == {f"shop/blue/{name}": expected.report}


FLOATS = st.just(np.nan) | st.floats(allow_nan=False, allow_infinity=False)
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "float64": FLOATS,
    "float32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "str": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "Int64": st.none() | st.integers(-(2**63), 2**63 - 1),
    "category": st.sampled_from(["a", "b", None]),
    "datetime64[ns, UTC]": st.integers(-(2**62), 2**62).map(lambda ns: pd.Timestamp(ns, tz="UTC")),
    "timedelta64[ns]": st.integers(-(2**62), 2**62).map(pd.Timedelta),
}
LAYOUTS = st.dictionaries(
    st.sampled_from(["a", "A", "select", "é", "time", 'q"uoted', "a b", "\u017f", "s"]),
    st.sampled_from(sorted(CELLS)),
    min_size=1,
    max_size=5,
)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 4))
    columns = {}
    for name, dtype in draw(LAYOUTS).items():
        values = draw(st.lists(CELLS[dtype], min_size=rows, max_size=rows))
        columns[name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(columns)


@pytest.mark.slow
@settings(max_examples=60)
@given(frame=frames())
def test_a_frame_of_any_values_and_names_passes_through_sql(
    store: tuple[Path, Callable[[], object]], frame: pd.DataFrame
) -> None:
    folder, flush = store
    name = f"frames_{next(NUMBERS)}"
    Collector(name=name).collect(frame)
    flush()
    opened = reader.open(folder)
    expected = opened.read(f"shop/blue/{name}").to_pandas()
    found = opened.query(f'SELECT * FROM "shop/blue/{name}"').to_pandas()
    if len({column.casefold() for column in expected}) == len(expected.columns):
        pd.testing.assert_frame_equal(found, expected)
    else:  # SQL ignores case, so one of them has a number
        assert len(found.columns) == len(expected.columns)
        pd.testing.assert_frame_equal(found.set_axis(expected.columns, axis=1), expected)


INTERVAL = pa.month_day_nano_interval()


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.float16(), [np.float16(0.5), None]),
        (pa.duration("ns"), [1, None]),
        (INTERVAL, [pa.MonthDayNano([1, 2, 3]), None]),
        (pa.map_(pa.string(), INTERVAL), [[("a", pa.MonthDayNano([1, 2, 3])), ("a", None)], [], None]),
        (pa.list_(pa.struct([("m", pa.map_(pa.string(), pa.int8()))])), [[{"m": [("a", 1), ("a", 2)]}], None]),
        (pa.list_(pa.float16()), [[np.float16(0.5)], None]),
        (pa.struct([("d", pa.duration("ms"))]), [{"d": 5}, None]),
        (pa.null(), [None]),
    ],
    ids=str,
)
def test_types_that_duckdb_does_not_have_come_back(kind: pa.DataType, values: list[Any]) -> None:
    column = pa.chunked_array([pa.array(values, kind)])
    there = stored(column, stored_type(kind))
    assert there.type == stored_type(kind)
    back = restored(there.combine_chunks(), pa.field("c", kind))
    assert back.to_pylist() == column.to_pylist()
    assert back.type == kind
