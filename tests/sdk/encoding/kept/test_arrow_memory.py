"""The size of Arrow text is that of its cells, and its memory that of what it keeps, whatever a frame was made from."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_modeldata import Collector
from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import MAX_DEFERRED_BYTES, MAX_JOINED_BYTES, Rows
from otel_modeldata._encoding.kept import arrow_memory
from otel_modeldata._encoding.kept.arrow_memory import watch
from otel_modeldata._encoding.kept.arrow_text import shared_lists
from otel_modeldata._encoding.snapshot import Snapshot, snapshot_of
from otel_modeldata.exceptions import RecordTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recording_backend import RecordingBackend

pa = pytest.importorskip("pyarrow")
if not hasattr(pd.Series(["a"], dtype="string[pyarrow]").array, "_pa_array"):
    pytest.skip("this pandas has another name for the memory of text", allow_module_level=True)

TEXTS = ["a", "", None, "é", "日本", "😀", "x" * 70, "y" * 3000]
SLACK = 256
"""Bytes for the alignment of buffers."""


@pytest.fixture(autouse=True)
def _every_frame_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "left", 0)
    monkeypatch.setattr(watch, "is_found", True)


def _frame(texts: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame({"t": pd.array(texts, dtype="string[pyarrow]")})


def _rows(frame: pd.DataFrame) -> Rows:
    return Rows(frame, ColumnNameCache("test"))


def _from_ipc(frame: pd.DataFrame, others: int = 50) -> pd.DataFrame:
    """A frame whose text is a part of a message, beside other columns."""
    text = pa.chunked_array(frame["t"].array._pa_array).combine_chunks()
    table = pa.table({"t": text, **{f"n{n}": pa.array([0.5] * len(text)) for n in range(others)}})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    read = pa.ipc.open_stream(sink.getvalue()).read_all()["t"]
    return pd.DataFrame({"t": pd.arrays.ArrowStringArray(read)})


WAYS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "repeated": lambda frame: pd.concat([frame] * 3, ignore_index=True),
    "repeated often": lambda frame: pd.concat([frame] * 30, ignore_index=True),
    "the first rows": lambda frame: frame.iloc[: len(frame) // 2],
    "the last rows": lambda frame: frame.iloc[len(frame) // 3 :],
    "one row": lambda frame: frame.iloc[len(frame) // 2 :][:1],
    "every second row": lambda frame: frame.iloc[::2],
    "taken": lambda frame: frame.take([row for row in (0, 0, 2, 1, 1) if row < len(frame)]),
    "masked": lambda frame: frame.loc[pd.array([row % 3 == 0 for row in range(len(frame))], dtype="bool")],
    "from a message": _from_ipc,
    "from a small message": lambda frame: _from_ipc(frame, 1),
    "without rows": lambda frame: frame.iloc[:0],
    "gaps": lambda frame: frame.assign(t=pd.array([None] * len(frame), dtype="string[pyarrow]")),
}


def _roots(snapshot: Snapshot) -> dict[int, int]:
    """The memory that the arrays of a snapshot keep."""
    found: dict[int, int] = {}
    arrays = [array for _, part in snapshot.kept if part[1] is shared_lists for array in part[2]]
    for array in arrays:
        for chunk in getattr(array, "chunks", [array]):
            for buffer in filter(None, chunk.buffers()):
                assert buffer.parent is None
                found[buffer.address] = buffer.size
    return found


def _check(frame: pd.DataFrame) -> None:
    snapshot = snapshot_of(frame, MAX_DEFERRED_BYTES)
    cells = [None if cell is pd.NA else cell for cell in frame["t"]]
    assert snapshot is not None
    assert snapshot.nbytes >= sum(len((cell or "").encode()) for cell in cells)
    assert snapshot.memory + SLACK >= sum(_roots(snapshot).values())
    assert json.loads(_rows(frame).text()) == [{"t": cell} for cell in cells]


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=120), st.lists(st.sampled_from(sorted(WAYS)), max_size=4))
@example(["a"] * 8 + [None], ["repeated", "repeated often", "repeated often"])
def test_the_size_is_at_least_that_of_all_cells_and_the_memory_that_of_what_is_kept(
    texts: list[str | None], ways: list[str]
) -> None:
    frame = _frame(texts)
    for way in ways:
        if sum(len(cell) for cell in frame["t"].dropna()) * 30 < MAX_DEFERRED_BYTES // 8:
            frame = WAYS[way](frame)
    _check(frame)


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary"])
@pytest.mark.parametrize("way", WAYS)
def test_text_of_every_type_of_arrow_has_its_size(kind: str, way: str) -> None:
    if not hasattr(pa, kind):
        pytest.skip("this pyarrow has no such type")
    array = pa.array(TEXTS * 20, pa.string())
    array = array.dictionary_encode() if kind == "dictionary" else array.cast(getattr(pa, kind)())
    try:
        column = pd.arrays.ArrowStringArray(pa.chunked_array([array]))
    except ValueError:
        pytest.skip("this pandas refuses it")
    _check(WAYS[way](pd.DataFrame({"t": column})))


def test_a_text_that_repeats_counts_for_each_row_and_is_not_deferred_if_it_is_too_large() -> None:
    one = _frame(["x" * 60_000])
    for count in (2, 16, 17, 100):
        rows = _rows(pd.concat([one] * count, ignore_index=True))
        assert count * 60_000 <= rows.nbytes <= count * 60_408 + 8
        assert not rows.may_join(rows, MAX_JOINED_BYTES - count * 60_000)
    assert snapshot_of(pd.concat([one] * 150, ignore_index=True), MAX_DEFERRED_BYTES) is None


def test_collect_refuses_a_frame_whose_repeated_text_is_too_large(backend: RecordingBackend) -> None:
    frame = pd.concat([_frame(["x" * 600_000])] * 150, ignore_index=True)
    with pytest.raises(RecordTooLargeError):
        Collector(name="prompts").collect(frame)
    assert not backend.records()


@pytest.mark.parametrize("count", [1, 64, 65, 1000])
def test_a_small_part_of_a_message_does_not_keep_all_of_it(count: int) -> None:
    frame = _from_ipc(_frame([f"text {row}" for row in range(count)]), 500)
    snapshot = snapshot_of(frame, MAX_DEFERRED_BYTES)
    assert snapshot is not None
    assert sum(_roots(snapshot).values()) <= snapshot.memory + SLACK < count * 500 * 8


@pytest.mark.parametrize("count", [1, 3, 64, 65, 5000])
def test_a_file_that_is_mapped_into_memory_may_change_afterwards(count: int, tmp_path: Path) -> None:
    feather = pytest.importorskip("pyarrow.feather")
    texts = [f"{row}".rjust(60, "a") for row in range(count)]
    path = str(tmp_path / "chunk.feather")
    feather.write_feather(_frame(texts), path, compression="uncompressed")
    table = feather.read_table(path, memory_map=True)
    rows = _rows(pd.DataFrame({"t": pd.arrays.ArrowStringArray(table["t"].cast(pa.large_string()))}))
    os.truncate(path, 0)  # to read what is mapped ends the process now
    assert json.loads(rows.text()) == [{"t": text} for text in texts]


def test_the_first_frames_are_looked_at_and_some_later_ones_until_a_part_of_a_message_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "is_found", False)
    monkeypatch.setattr(watch, "looks", 0)
    monkeypatch.setattr(watch, "since", math.inf)
    own, read = _frame(["text"] * 3), _from_ipc(_frame(["text"] * 3), 500)
    frames = [pd.concat([own, read], axis="columns"), own]
    for _ in range(16):
        assert (watch.left, watch.is_found) == (0, False)
        snapshot_of(own, MAX_DEFERRED_BYTES)
    for _ in range(40):
        for frame in frames:
            snapshot_of(frame, MAX_DEFERRED_BYTES)
        if watch.is_found:
            break
    assert watch.is_found
    for frame in (read, own, read):
        _check(frame)


def test_while_nothing_is_delivered_every_frame_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames wait then: what they keep beside their text would be held, and not be counted."""
    seconds = 100.0
    monkeypatch.setattr(arrow_memory, "monotonic", lambda: seconds)
    for name, value in {"is_found": False, "is_encoded": False, "looks": 16, "since": -math.inf}.items():
        monkeypatch.setattr(watch, name, value)
    own = _frame(["text"] * 3)

    def skipped(count: int) -> int:
        """Of some frames that are collected, how many are not looked at."""
        looks = watch.looks
        for _ in range(count):
            snapshot_of(own, MAX_DEFERRED_BYTES)
        return count - watch.looks + looks

    assert skipped(50) == 0  # nothing was delivered yet
    _rows(own).text()  # encoded as for delivery
    assert skipped(200) > 100
    seconds += 1.9
    assert skipped(200) > 100
    seconds += 0.2
    assert skipped(200) <= 31
    assert skipped(200) == 0
    _rows(own).text()
    assert skipped(200) > 100
    assert not watch.is_found


def test_the_delivery_thread_looks_at_what_was_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    read = _from_ipc(_frame(["text"] * 3), 500)
    monkeypatch.setattr(watch, "is_found", False)
    monkeypatch.setattr(watch, "left", 1)
    rows = _rows(read)
    assert not watch.is_found
    assert json.loads(rows.text()) == [{"t": "text"}] * 3
    assert (watch.is_found, watch.left) == (True, 0)


def test_imported_memory_is_copied() -> None:
    """It has no parent, but keeps all columns and rows that were imported together."""
    batch = pa.record_batch({"t": pa.array(["text"] * 3, pa.large_string()), "n": pa.array([0.5] * 3)})
    imported = pa.RecordBatch._import_from_c_capsule(*batch.__arrow_c_array__())
    text = pa.chunked_array([imported.column("t")])
    rows = _rows(pd.DataFrame({"t": pd.arrays.ArrowStringArray(text)}))
    snapshot = rows._source
    assert isinstance(snapshot, Snapshot)
    assert not snapshot.is_unchecked()
    assert json.loads(rows.text()) == [{"t": "text"}] * 3


def test_the_numbers_of_the_application_s_generator_stay_the_same() -> None:
    script = (
        "import random; random.seed(1); before = random.getstate();"
        "import otel_modeldata._encoding.kept.arrow_memory; print(random.getstate() == before)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "True\n"


def test_a_process_that_gets_all_frames_from_messages_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "is_found", False)
    for _ in range(100):
        _check(_from_ipc(_frame(["text"] * 3), 500))
