"""A frame that is encoded later is not reached by later changes, and its size is known."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import MAX_DEFERRED_BYTES, Rows
from otel_modeldata._encoding.snapshot import snapshot_of
from otel_modeldata.exceptions import UnsupportedValueError

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 2048


def _rows(frame: pd.DataFrame) -> Rows:
    return Rows(frame, ColumnNameCache("test"))


def _is_deferred(frame: pd.DataFrame) -> bool:
    return snapshot_of(frame, MAX_DEFERRED_BYTES) is not None


COLUMNS: dict[str, tuple[Any, Any]] = {
    "integers": (np.arange(COUNT), -1),
    "float32": (np.linspace(0, 1, COUNT, dtype="f4"), np.float32(-1)),
    "text": (pd.Series(["a"] * COUNT, dtype=object), "changed"),
    "text with gaps": (pd.Series(["a", None] * (COUNT // 2), dtype=object), "changed"),
    "default text": (pd.Series(["a"] * COUNT), "changed"),
    "string": (pd.array(["a", None] * (COUNT // 2), dtype=pd.StringDtype("python")), "changed"),
    "times": (pd.date_range("2024-01-01", periods=COUNT, freq="s"), pd.Timestamp("2030-01-01")),
    "zoned times": (pd.date_range("2024-01-01", periods=COUNT, tz="UTC"), pd.Timestamp("2030-01-01", tz="UTC")),
    "durations": (pd.timedelta_range("1s", periods=COUNT), pd.Timedelta(5, "D")),
    "periods": (pd.period_range("2024-01-01", periods=COUNT, freq="D"), pd.Period("2030-01-01", freq="D")),
    "Int64": (pd.array([1, None] * (COUNT // 2), dtype="Int64"), 9),
    "Float32": (pd.array([0.1, None] * (COUNT // 2), dtype="Float32"), 0.5),
    "boolean": (pd.array([True, None] * (COUNT // 2), dtype="boolean"), False),
    "categories": (pd.Categorical(["a", None] * (COUNT // 2), categories=["a", "b"]), "b"),
    "categories of integers": (pd.Categorical([1, None] * (COUNT // 2), categories=[1, 2]), 2),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("is_alone", [True, False])
def test_later_changes_of_a_column_are_not_collected(name: str, is_alone: bool) -> None:
    column, other = COLUMNS[name]
    frame = pd.DataFrame({"c": column, **({} if is_alone else {"n": 0.5, "s": "text"})})
    expected = json.loads(_rows(frame.copy(deep=True)).text())
    rows = _rows(frame)
    assert _is_deferred(frame)
    frame.loc[:, "c"] = other
    frame.iat[0, 0] = other
    assert json.loads(rows.text()) == expected
    assert json.loads(_rows(frame).text()) != expected


@pytest.mark.parametrize("count", [1, 3, 64])
def test_many_columns_of_text_without_pyarrow_share_a_part(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["Zürich", None, "x" * 100, "", "\N{GRINNING FACE}"]
    cells = {f"text {n}": [texts[(n + row) % 5] for row in range(count)] for n in range(300)}
    columns: dict[str, Any] = {name: pd.array(column, pd.StringDtype("python")) for name, column in cells.items()}
    frame = pd.DataFrame({"number": range(count), **columns})
    apart = _rows(frame)
    expected = [{"number": row, **{name: cells[name][row] for name in cells}} for row in range(count)]
    monkeypatch.setattr("otel_modeldata._encoding.snapshot._IS_WITHOUT_ARROW", True)
    snapshot, shared = snapshot_of(frame, MAX_DEFERRED_BYTES), _rows(frame)
    assert snapshot is not None
    assert (len(snapshot.kept), snapshot.width()) == (2, 301)
    for array in columns.values():
        array[:] = "changed"
    frame.iloc[:, 1:] = "changed"
    assert json.loads(shared.text()) == json.loads(apart.text()) == expected
    assert shared.types == apart.types != ""


def test_text_without_pyarrow_that_is_not_utf8_is_refused_in_a_frame_of_many_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("otel_modeldata._encoding.snapshot._IS_WITHOUT_ARROW", True)
    columns = {f"text {n}": pd.array(["a", "\ud800" if n == 20 else "b"], pd.StringDtype("python")) for n in range(30)}
    with pytest.raises(UnsupportedValueError, match="column 'text 20', row 1: expected text, got a lone surrogate"):
        _rows(pd.DataFrame(columns))


def test_later_changes_of_an_array_behind_a_frame_are_not_collected() -> None:
    array = np.zeros((COUNT, 2))
    frame = pd.DataFrame(array, copy=False).assign(s="text")
    codes = np.zeros(COUNT, dtype="i1")
    categories = pd.DataFrame({"c": pd.Categorical.from_codes(codes, categories=["a", "b"])})
    held = [(rows, rows.count) for rows in (_rows(frame), _rows(categories))]
    array[:] = 1
    codes[:] = 1
    for rows, count in held:
        first = json.loads(rows.text())[0]
        assert first in ({"0": 0.0, "1": 0.0, "s": "text"}, {"c": "a"})
        assert count == COUNT


def test_cells_that_may_change_or_be_refused_are_encoded_at_once() -> None:
    for cell in (["a"], [1], [[1.0]], {"a": 1}, np.array(["a"]), np.array([None]), b"x", 10**5000, object()):
        column = np.empty(COUNT, dtype=object)
        for row in range(COUNT):
            column[row] = cell
        assert not _is_deferred(pd.DataFrame({"c": pd.Series(column, dtype=object)}))


# --- Every way to change a frame -------------------------------------------------------------------------------------


def _embeddings(count: int) -> pd.Series[Any]:
    return pd.Series([np.full(3, float(row)) for row in range(count)])


def _arrow_text_over(memory: bytearray, count: int) -> Any:
    """Arrow text whose memory the program may write to."""
    pa = pytest.importorskip("pyarrow")
    memory[:] = b"a" * count
    for kind, offset in ((pa.large_string(), "i8"), (pa.string(), "i4")):  # pandas 2.0 has the second one only
        buffers = [None, pa.py_buffer(np.arange(count + 1, dtype=offset)), pa.py_buffer(memory)]
        with contextlib.suppress(ValueError):
            return pd.arrays.ArrowStringArray(pa.Array.from_buffers(kind, count, buffers))
    raise AssertionError


KINDS: dict[str, Callable[[int], Any]] = {
    "integers": np.arange,
    "floats": lambda count: np.arange(count) / 7,
    "float16": lambda count: np.arange(count, dtype="f2"),
    "big endian": lambda count: np.arange(count, dtype=">i4"),
    "truths": lambda count: np.arange(count) % 2 == 0,
    "objects": lambda count: pd.Series([f"é{row}" if row % 3 else None for row in range(count)], dtype=object),
    "scalars": lambda count: pd.Series([1, 2.5, None, True, pd.NA][:count] * (count // 5 + 1), dtype=object)[:count],
    "moments": lambda count: pd.Series([pd.Timestamp("2024-01-01", tz="UTC")] * count, dtype=object),
    "text": lambda count: pd.Series([f"é{row}" for row in range(count)]),
    "string": lambda count: pd.array(["a", None][:count] * (count // 2 + 1), dtype="string")[:count],
    "python string": lambda count: pd.array(["a"] * count, dtype=pd.StringDtype("python")),
    "categories": lambda count: pd.Categorical(["a", "b"][:count] * (count // 2 + 1))[:count],
    "times": lambda count: pd.date_range("2024-01-01", periods=count, freq="s"),
    "zoned times": lambda count: pd.date_range("2024-03-31", periods=count, freq="h", tz="Europe/Berlin"),
    "durations": lambda count: pd.timedelta_range("1s", periods=count),
    "periods": lambda count: pd.period_range("2024-01", periods=count, freq="D"),
    "Int64": lambda count: pd.array([1, None][:count] * (count // 2 + 1), dtype="Int64")[:count],
    "boolean": lambda count: pd.array([True, None][:count] * (count // 2 + 1), dtype="boolean")[:count],
    "embeddings": _embeddings,
    "lists": lambda count: pd.Series([[0.5, None, True] for _ in range(count)]),
    "lists of text": lambda count: pd.Series([["a"] for _ in range(count)]),
    "dicts": lambda count: pd.Series([{"a": [1]} for _ in range(count)]),
}
"""Columns of every type by number of rows; each call makes new memory."""


def _change_by_labels(frame: pd.DataFrame) -> None:
    for name in frame.columns:
        with contextlib.suppress(Exception):  # pandas allows it for some types only
            frame.loc[:, name] = frame[name].iloc[::-1].to_list()
            frame.iloc[0, frame.columns.get_loc(name)] = None


def _change_blocks(frame: pd.DataFrame) -> None:
    for block in frame._mgr.blocks:
        values: Any = block.values
        for part in (values, *(getattr(values, name, None) for name in ("_ndarray", "_data", "_mask"))):
            if isinstance(part, np.ndarray):
                part.setflags(write=True)
                part[...] = np.zeros(1, dtype=part.dtype)[0] if part.dtype.kind != "O" else "changed"


def _change_cells(frame: pd.DataFrame) -> None:
    for cell in (cell for column in frame.columns for cell in frame[column].to_list()):
        if isinstance(cell, np.ndarray):
            cell[...] = -1
        elif isinstance(cell, list):
            cell.append("changed")
        elif isinstance(cell, dict):
            cell["a"].append("changed")


def _change_columns(frame: pd.DataFrame) -> None:
    frame.insert(0, "new", 1)
    del frame[frame.columns[-1]]
    frame.columns = [f"changed {number}" for number in range(frame.shape[1])]


CHANGES: list[Callable[[pd.DataFrame], None]] = [_change_by_labels, _change_blocks, _change_cells, _change_columns]


@given(
    st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=6),
    st.sampled_from([1, 2, 63, 65, 300]),
    st.permutations(CHANGES),
)
def test_no_change_of_a_frame_reaches_its_rows(
    kinds: list[str], count: int, changes: list[Callable[[pd.DataFrame], None]]
) -> None:
    def frame() -> pd.DataFrame:
        return pd.DataFrame({f"{number} {kind}": KINDS[kind](count) for number, kind in enumerate(kinds)}, copy=False)

    expected = bytes(_rows(frame()).text())
    collected = frame()
    rows = _rows(collected)
    for change in changes:
        change(collected)
    assert bytes(rows.text()) == expected


@pytest.mark.parametrize("count", [1, 100, 5000])
def test_memory_that_a_program_wrapped_as_arrow_text_is_shared_as_in_a_deep_copy_of_pandas(count: int) -> None:
    memory = bytearray(count)
    frame = pd.DataFrame({"t": _arrow_text_over(memory, count)})
    rows, copy = _rows(frame), frame.copy(deep=True)
    memory[:] = b"b" * count
    assert json.loads(rows.text()) == copy.to_dict("records") == [{"t": "b"}] * count


def test_the_size_of_a_copy_counts_the_text_of_every_row() -> None:
    for column in (
        pd.Series(["é" * 10] * COUNT, dtype=object),
        pd.Series(["é" * 10] * COUNT),
        pd.array(["é" * 10] * COUNT, dtype=pd.StringDtype("python")),
        pd.Categorical(["é" * 10] * COUNT),
    ):
        nbytes = _rows(pd.DataFrame({"c": column})).nbytes
        assert COUNT * (8 + 20) <= nbytes <= COUNT * (8 + 20) + 8  # Arrow has one offset more than texts


def test_a_few_long_categories_of_many_rows_are_not_taken_for_small() -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["x" * 5000] * COUNT)})
    assert not _is_deferred(frame)
    assert _rows(frame).nbytes == COUNT * len('{"c":"",}' + "x" * 5000) + 1


def test_many_small_numbers_are_encoded_at_once_because_their_text_is_large() -> None:
    frame = pd.DataFrame({"c": np.zeros(MAX_DEFERRED_BYTES // 8 + 1, dtype=bool)})
    assert _rows(frame).nbytes == len('{"c":false},') * len(frame) + 1


def test_a_frame_whose_names_make_its_text_large_is_encoded_at_once() -> None:
    for columns in ({"x" * 10_000: 0.5}, {"x" * 10_000: 0.5, "t": "text"}):
        frame = pd.DataFrame(columns, index=range(5000))
        assert _rows(frame).nbytes == len(_rows(frame).text()) > 5000 * 10_000


# --- What is read from memory as it is -------------------------------------------------------------------------------

TEXTS = ["a", "", None, "é", "日本", "😀", "x" * 70]


@pytest.mark.parametrize("count", [1, 2, 7, 64, 65, 700])
def test_text_of_arrow_is_read_whole_in_pieces_or_as_a_part_of_a_larger_array(count: int) -> None:
    pytest.importorskip("pyarrow")
    texts = (TEXTS * 200)[: 2 * count + 3]
    column = pd.Series(texts, dtype="string[pyarrow]")
    in_pieces = pd.concat([column.iloc[:1], column.iloc[1 : count + 1]])
    for part, expected in (
        (column.iloc[:count], texts[:count]),
        (column.iloc[2 : count + 2], texts[2 : count + 2]),
        (in_pieces, texts[: count + 1]),
        (pd.Series(texts[3 : count + 3], dtype="string[pyarrow]"), texts[3 : count + 3]),
    ):
        frame = part.to_frame("t").reset_index(drop=True)
        assert _is_deferred(frame)
        assert json.loads(_rows(frame).text()) == [{"t": text} for text in expected]


@pytest.mark.parametrize("count", [1, 2, 500])
def test_text_of_arrow_that_ends_within_a_character_is_refused(count: int) -> None:
    pa = pytest.importorskip("pyarrow")
    whole = "é".encode() * count
    offsets = np.array([0, *range(1, 2 * count - 1, 2), 2 * count], dtype="i8") if count > 1 else np.array([0, 1])
    buffers = [None, pa.py_buffer(offsets.astype("i8")), pa.py_buffer(whole)]
    array = pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers)
    with contextlib.suppress(ValueError, TypeError):  # old releases of pandas take 32 bit offsets only
        frame = pd.DataFrame({"t": pd.arrays.ArrowStringArray(array)})
        with pytest.raises(UnsupportedValueError, match=r"column 't', row 0: .* bytes in it that are not UTF-8"):
            _rows(frame).text()


@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "?", ">i4"])
def test_a_block_has_the_same_text_in_every_order_of_its_memory(dtype: str) -> None:
    values = (np.arange(40 * 6) % 7 - 3).reshape(40, 6).astype(dtype)
    expected = _rows(pd.DataFrame(values.copy(order="C"))).text()
    for same in (values.copy(order="F"), np.repeat(values, 2, axis=0)[::2], np.repeat(values, 2, axis=1)[:, ::2]):
        frame = pd.DataFrame(same, copy=False)
        assert _is_deferred(frame)
        assert _rows(frame).text() == expected
    assert _rows(pd.DataFrame(values)[::-1]).text() == _rows(pd.DataFrame(values[::-1].copy())).text()


def test_arrays_in_cells_keep_their_values_in_every_shape_and_type() -> None:
    whole = np.arange(12.0).reshape(3, 4)
    columns: dict[str, list[np.ndarray[Any, Any]]] = {
        "equal": [whole[0], whole[1].copy(), whole[2]],
        "matrices": [whole, whole + 1, whole * 2],
        "in another order": [np.asfortranarray(whole), whole, whole],
        "parts": [whole[:, 1], whole[:, 2], whole[:, 3]],
        "lengths": [whole[0], whole[1, :2], whole[2, :0]],
        "types": [whole[0], whole[1].astype("f4"), whole[2].astype("i2")],
        "single": [np.float32([0.1]), np.float32([0.2]), np.float32([0.3])],
        "empty": [whole[0, :0]] * 3,
    }
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    expected = [{name: np.round(cells[row], 6).tolist() for name, cells in columns.items()} for row in range(3)]
    expected = json.loads(json.dumps(expected).replace("0.10000000149011612", "0.1"))
    for row, number in enumerate((0.1, 0.2, 0.3)):
        expected[row]["single"] = [number]
    for names in ([*columns], ["equal", "matrices"], *([name] for name in columns)):
        assert _is_deferred(frame[names])
        assert json.loads(_rows(frame[names]).text()) == [{name: row[name] for name in names} for row in expected]


def test_columns_with_other_categories_of_the_same_codes_keep_their_values() -> None:
    kinds = [pd.CategoricalDtype(list(labels)) for labels in ("ab", "ba", "éx")] * 30
    for count in (1, 3, 100):
        for kind in kinds:
            labels = kind.categories.tolist()
            cells = ([labels[1], labels[0], None] * count)[:count]
            frame = pd.DataFrame({"c": pd.Categorical(cells, dtype=kind)})
            assert _is_deferred(frame)
            assert json.loads(_rows(frame).text()) == [{"c": cell} for cell in cells]


def test_the_size_of_a_copy_counts_the_digits_of_decimals() -> None:
    long = decimal.Decimal("0." + "1" * 100_000)
    for column in (pd.Series([long] * COUNT, dtype=object), pd.Categorical([long] * COUNT)):
        assert not _is_deferred(pd.DataFrame({"c": column}))
        assert _is_deferred(pd.DataFrame({"c": column[:3]}))


def test_the_size_of_a_copy_counts_the_text_that_was_made_of_times() -> None:
    moments = pd.Series([dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)] * COUNT, dtype=object)
    assert _rows(pd.DataFrame({"c": moments})).nbytes > COUNT * len("2024-01-01T00:00:00+00:00")


def test_a_frame_of_few_cells_whose_names_make_its_text_large_is_encoded_at_once() -> None:
    frame = pd.DataFrame({"x" * 20_000: np.zeros(4096)})
    assert _rows(frame).nbytes == len('{"":0.0},' + "x" * 20_000) * 4096 + 1


def test_long_names_that_share_their_memory_count_for_each_column() -> None:
    frame = pd.concat([pd.DataFrame({"x" * 10_000: np.zeros(100)})] * 200, axis=1)
    assert _rows(frame).nbytes == len(_rows(frame).text()) > 200 * 100 * 10_000


# --- Memory that is held ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 64, 1000])
def test_categories_that_no_row_has_are_not_held(count: int) -> None:
    unused = [f"{number}" + "x" * 8000 for number in range(60 if count <= 64 else 900)]
    frame = pd.DataFrame({"c": pd.Categorical.from_codes([0] * count, categories=["used", *unused])})
    snapshot = snapshot_of(frame, MAX_DEFERRED_BYTES)
    assert snapshot is not None
    held = sum(
        len(cell)
        for _, part in snapshot.kept
        for piece in part
        if isinstance(piece, list)
        for cell in set(piece)
        if isinstance(cell, str)
    )
    assert held <= snapshot.nbytes


def test_a_slice_of_much_text_of_arrow_does_not_hold_all_of_it() -> None:
    pa = pytest.importorskip("pyarrow")
    before = pa.total_allocated_bytes()
    frame = pd.DataFrame({"c": pd.array(["x" * 100] * 100_000, dtype="string[pyarrow]")})
    rows = _rows(frame.iloc[1000:2000])
    del frame
    assert pa.total_allocated_bytes() - before <= 2 * rows.nbytes
    assert json.loads(rows.text()) == [{"c": "x" * 100}] * 1000


# --- Refusals are known at once --------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", dt.timezone(dt.timedelta(hours=14))])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("count", [-(2**63) + 1, 2**63 - 1])
@pytest.mark.parametrize("others", [[], [0, -(2**63)]])
def test_a_time_whose_local_time_is_out_of_range_is_refused_at_once(
    zone: Any, unit: str, count: int, others: list[int]
) -> None:
    moments = np.array([*others, count]).view(f"M8[{unit}]")
    frame = pd.DataFrame({"t": pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(zone)})
    with contextlib.suppress(UnsupportedValueError):  # one of the two ends of the range has a local time
        assert len(json.loads(_rows(frame).text())) == len(frame)


def test_gaps_of_zoned_times_may_wait() -> None:
    moments = pd.Series(pd.to_datetime(["2024-01-01", None], utc=True)).dt.tz_convert("Asia/Tokyo")
    assert _is_deferred(pd.DataFrame({"t": moments}))
    assert _is_deferred(pd.DataFrame({"t": moments[1:]}))


def _arrow_text(count: int, offsets: list[int], memory: bytes) -> Any:
    pa = pytest.importorskip("pyarrow")
    buffers = [None, pa.py_buffer(np.array(offsets)), pa.py_buffer(memory)]
    try:
        return pd.arrays.ArrowStringArray(pa.Array.from_buffers(pa.large_string(), count, buffers))
    except ValueError:
        pytest.skip("this pandas has no large text of Arrow")


def test_a_column_of_arrow_without_rows_may_hold_text() -> None:
    assert _rows(pd.DataFrame({"t": _arrow_text(0, [0], b"x" * 40_000)})).text() == b"[]"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pandas 2 prints some of its errors
def test_times_of_a_zone_that_pandas_cannot_use_are_refused_at_once() -> None:
    zone = pytest.importorskip("dateutil.tz").gettz("America/New_York")  # releases before 3 cannot use some of them
    try:
        times = pd.DatetimeIndex([0], dtype="M8[ns]").tz_localize("UTC").tz_convert(zone)
        frame = pd.DataFrame({"t": times})
        rows = _rows(frame)
    except (AttributeError, UnsupportedValueError):
        return
    assert json.loads(rows.text()) == [{"t": "1969-12-31T19:00:00-05:00"}]


def test_a_frame_that_is_read_between_two_steps_of_a_change_gets_no_text() -> None:
    frame = pd.DataFrame({"a": np.zeros(COUNT), "b": "text"})
    manager: Any = frame._mgr
    manager.axes[0] = pd.Index(["a", "new", "b"])
    manager.blocks[1].mgr_locs = type(manager.blocks[1].mgr_locs)(slice(2, 3))
    rows = _rows(frame)
    with pytest.raises(ValueError, match="got columns of different lengths"):
        rows.text()
