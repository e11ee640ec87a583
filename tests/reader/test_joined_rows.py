"""`Store.join` and `Store.label`: what a service collected comes back joined, at the edges of a window too."""

from __future__ import annotations

import datetime as dt
import pickle
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from read_lines import NOON_NS, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import ReaderError, UnknownNameError
from otel_modeldata_reader.joining import LabelCounts

if TYPE_CHECKING:
    from pathlib import Path

UTC = dt.UTC
START_NS = NOON_NS - 7_200_000_000_000
MINUTE = 60 * 10**9


def event(collection: str, request: str, minute: int, *rows: dict[str, Any]) -> bytes:
    """A line, some minutes after ten o'clock."""
    return line(
        list(rows),
        id=f"{collection} of {request} at {minute}",
        correlationid=request,
        timens=str(START_NS + minute * MINUTE),
        type=f"azureml.inference.{collection}",
    )


def write_requests(store: Path, requests: dict[str, tuple[int, int]]) -> None:
    """Requests with the minutes of their input and output, in hours 10 and 11."""
    for hour in (10, 11):
        for collection, at in (("model_inputs", 0), ("model_outputs", 1)):
            lines = [
                event(collection, name, minutes[at], {"xy"[at]: minutes[at]})
                for name, minutes in requests.items()
                if minutes[at] // 60 + 10 == hour
            ]
            write(store, lines, collection=f"shop/blue/{collection}", hour=f"2026/11/22/{hour}")


def test_a_joined_row_has_its_inputs_outputs_and_the_reports_of_their_readings(tmp_path: Path) -> None:
    write_requests(tmp_path, {"a": (0, 1), "b": (2, 3)})
    rows = reader.open(tmp_path).join("shop/blue")
    frame = rows.to_pandas()
    envelope = ["row_id", "correlationid", "time", "endpoint", "deployment", "traceparent", "modelversion", "event_id"]
    assert frame.columns.tolist() == [*envelope, "x", "y"]
    assert frame[["row_id", "x", "y"]].to_numpy().tolist() == [["a_0", 0, 1], ["b_0", 2, 3]]
    pd.testing.assert_frame_equal(rows.to_pandas(), frame)
    assert rows.to_arrow().num_rows == rows.report.joined == 2
    assert (rows.inputs.lines, rows.outputs.lines, rows.labels) == (2, 2, None)


def test_joined_rows_go_to_polars(tmp_path: Path) -> None:
    pytest.importorskip("polars")
    write_requests(tmp_path, {"a": (0, 1)})
    assert reader.open(tmp_path).join("shop/blue").to_polars()["y"].to_list() == [1]


def test_a_window_has_the_requests_that_begin_in_it_with_their_outputs(tmp_path: Path) -> None:
    write_requests(
        tmp_path, {"before": (50, 52), "across": (58, 61), "inside": (62, 63), "later": (66, 70), "after": (71, 72)}
    )
    store = reader.open(tmp_path)
    at_58, at_1108 = (dt.datetime(2026, 11, 22, hour, minute, tzinfo=UTC) for hour, minute in ((10, 58), (11, 8)))
    rows = store.join("shop/blue", at_58, at_1108, how="outer")
    assert rows.table["correlationid"].to_pylist() == ["across", "inside", "later"]
    assert rows.report.outputs_alone == rows.report.inputs_alone == 0
    rows = store.join("shop/blue", "2026-11-22T11:00", at_1108, how="outer")
    assert rows.table["correlationid"].to_pylist() == ["inside", "later"]
    assert rows.report.outputs_alone == rows.report.inputs_alone == 0


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [
        ("0001-01-01", None, 1),
        (None, "9999-12-31", 1),
        ("-99999999d", "9999-12-31", 1),
        ("9999-01-01", None, 0),
        (None, "1600-01-01", 0),
        ("1600-01-01", "1601-01-01", 0),
        ("2262-04-11T23:30", None, 0),
    ],
)
def test_a_window_may_be_of_any_years(tmp_path: Path, since: str | None, until: str | None, count: int) -> None:
    write_requests(tmp_path, {"one": (50, 52)})
    assert reader.open(tmp_path).join("shop/blue", since, until).table.num_rows == count


def test_one_id_for_many_requests_has_the_rows_of_the_window_only(tmp_path: Path) -> None:
    for collection, minutes in (("model_inputs", (0, 10, 70)), ("model_outputs", (1, 11, 71))):
        for hour in (10, 11):
            lines = [event(collection, "test", at, {"x": at}) for at in minutes if at // 60 + 10 == hour]
            write(tmp_path, lines, collection=f"shop/blue/{collection}", hour=f"2026/11/22/{hour}")
    rows = reader.open(tmp_path).join("shop/blue", "2026-11-22T10:00", "2026-11-22T11:00")
    assert rows.table.select(["inputs.x", "outputs.x"]).to_pydict() == {"inputs.x": [0, 10], "outputs.x": [1, 11]}


def test_labels_are_read_from_the_window_on_without_an_end(tmp_path: Path) -> None:
    write_requests(tmp_path, {"a": (0, 1), "b": (2, 3)})
    for month in ("2026/12", "2027/03"):
        moment = pd.Timestamp(f"{month.replace('/', '-')}-01T10:00Z").value
        labels = [{"row_id": "a_0", "label": month}, {"row_id": "z_0", "label": month}]
        late = line(labels, id=f"label of {month}", correlationid=month, timens=str(moment))
        write(tmp_path, [late], collection="shop/blue/ground_truth", hour=f"{month}/01/10")
    rows = reader.open(tmp_path).join("shop/blue", "2026-11-22", "2026-11-23", labels=True)
    assert rows.table["label"].to_pylist() == ["2027/03", None]
    assert rows.report.labels == LabelCounts(read=4, rows=2, superseded=2, unknown=1)
    assert rows.labels is not None
    assert rows.labels.lines == 2


def test_there_may_be_no_labels_yet_but_a_collection_that_is_named_must_be_there(tmp_path: Path) -> None:
    write_requests(tmp_path, {"a": (0, 1)})
    store = reader.open(tmp_path)
    rows = store.join("shop/blue", labels=True, history=True)
    assert rows.table.select(["label_time", "label_history"]).to_pylist() == [
        {"label_time": None, "label_history": None}
    ]
    assert (rows.report.labels, rows.labels) == (LabelCounts(), None)
    with pytest.raises(UnknownNameError, match="truth"):
        store.join("shop/blue", labels="shop/blue/truth")
    with pytest.raises(UnknownNameError, match="shop/green/model_inputs"):
        store.join("shop/green")
    with pytest.raises(ReaderError, match="how="):
        store.join("shop/blue", how="cross")  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_label_is_in_the_store_when_label_returns(tmp_path: Path) -> None:
    write_requests(tmp_path, {"a": (0, 1), "b": (2, 3)})
    with reader.open(tmp_path) as store:
        store.label("a_0", "fraud")
        store.label("a_0", {"label": "fine", "by": "me"}, at=dt.datetime(2020, 1, 1, tzinfo=UTC))
        assert store.label_all({"a_0": "fine", "b_0": "fraud"}, deployment="shop/blue") == 2
        again = pickle.loads(pickle.dumps(store))
        rows = again.join("shop/blue", labels=True)
        assert rows.table.select(["row_id", "label", "by"]).to_pydict() == {
            "row_id": ["a_0", "b_0"],
            "label": ["fine", "fraud"],
            "by": ["me", None],
        }


def test_a_label_needs_a_deployment_where_the_store_has_several(tmp_path: Path) -> None:
    write_requests(tmp_path, {"a": (0, 1)})
    write(tmp_path, [line()], collection="shop/green/model_inputs")
    with pytest.raises(UnknownNameError) as refused:
        reader.open(tmp_path).label("a_0", 1)
    assert str(refused.value) == (
        f"expected one deployment in {tmp_path}, got shop/blue, shop/green: name one as deployment, or by --deployment"
    )
    with pytest.raises(UnknownNameError) as unknown:
        reader.open(tmp_path).label("a_0", 1, deployment="shop/gren")
    assert str(unknown.value) == (f"expected a deployment of {tmp_path}, got 'shop/gren': did you mean 'shop/green'?")


def test_joined_rows_are_shown_in_one_line(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    write(tmp_path, [line()], collection="shop/blue/model_outputs")
    assert repr(reader.open(tmp_path).join("shop/blue")) == f"JoinedRows(1 of 'shop/blue' of {str(tmp_path)!r})"
