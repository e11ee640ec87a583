"""`join` by examples: columns, names, repeated ids, labels and errors."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from otel_modeldata_reader.exceptions import ReaderError, UnknownNameError
from otel_modeldata_reader.joining import DayCoverage, JoinReport, LabelCounts, Renamed, RepeatedId, join

TIME = pa.timestamp("ns", "UTC")
DAY = 86_400 * 10**9


def table(ids: list[str], times: list[int | None] | None = None, **columns: Any) -> pa.Table:
    """Rows with the envelope: ids like `a_0`."""
    return pa.table(
        {
            "row_id": ids,
            "correlationid": [one.rpartition("_")[0] for one in ids],
            "time": pa.array(times or [0] * len(ids), TIME),
            **columns,
        }
    )


def labels(ids: list[str | None], times: list[int], **columns: Any) -> pa.Table:
    """Labels as they are read: their own row ids are of no request."""
    own = [f"label-{number}_0" for number in range(len(ids))]
    return table(own, times, **{"data.row_id": pa.array(ids, pa.string()), **columns})


def column(joined: pa.Table, name: str) -> list[Any]:
    return joined[name].to_pylist()


def test_a_row_has_the_envelope_once_then_the_columns_of_inputs_and_outputs() -> None:
    about = {"endpoint": ["shop"] * 2, "deployment": ["blue"] * 2, "modelversion": ["7"] * 2}
    inputs = table(["a_0", "a_1"], [5, 5], **about, collection=["model_inputs"] * 2, age=[41, 35])
    outputs = table(["a_1", "a_0"], [6, 6], **about, collection=["model_outputs"] * 2, score=[0.1, 0.7])
    joined = join(inputs, outputs)
    expected = table(["a_0", "a_1"], [5, 5], **about, age=[41, 35], score=[0.7, 0.1])
    assert joined.table.equals(expected)
    assert joined.report == JoinReport(
        inputs=2,
        outputs=2,
        joined=2,
        coverage=(DayCoverage(day=date(1970, 1, 1), inputs=2, outputs=2, joined=2, labeled=0),),
    )


def test_names_are_prefixed_only_where_two_tables_have_them() -> None:
    joined = join(
        table(["a_0"], **{"x": [1], "Score": [2], "inputs.x": [3], "label_time": [4]}),
        table(["a_0"], x=[5], score=[6], y=[7]),
        labels(["a_0"], [9], y=[8], z=[9]),
    )
    assert joined.table.to_pylist() == [
        {
            "row_id": "a_0",
            "correlationid": "a",
            "time": joined.table["time"][0].as_py(),
            "inputs.inputs.x": 1,
            "inputs.Score": 2,
            "inputs.x": 3,
            "inputs.label_time": 4,
            "outputs.x": 5,
            "outputs.score": 6,
            "outputs.y": 7,
            "labels.y": 8,
            "z": 9,
            "label_time": joined.table["label_time"][0].as_py(),
        }
    ]
    assert joined.report.renamed == (
        Renamed(side="inputs", column="x", name="inputs.inputs.x"),
        Renamed(side="inputs", column="Score", name="inputs.Score"),
        Renamed(side="inputs", column="label_time", name="inputs.label_time"),
        Renamed(side="outputs", column="x", name="outputs.x"),
        Renamed(side="outputs", column="score", name="outputs.score"),
        Renamed(side="outputs", column="y", name="outputs.y"),
        Renamed(side="labels", column="y", name="labels.y"),
    )


def test_types_of_columns_and_their_metadata_are_kept() -> None:
    fields = [
        pa.field("small", pa.uint8(), metadata={"dtype": "UInt8"}),
        pa.field("kind", pa.dictionary(pa.int8(), pa.string())),
        pa.field("vector", pa.list_(pa.float32(), 2)),
        pa.field("price", pa.decimal128(38, 9)),
    ]
    columns = [
        pa.array([1, 2, None], pa.uint8()),
        pa.array(["x", None, "x"]).dictionary_encode().cast(fields[1].type),
        pa.array([[0.5, 1.5], None, [2.5, 3.5]], fields[2].type),
        pa.array([None, "1.5", "123456789.123456789"]).cast(fields[3].type),
    ]
    outputs = table(["c_0", "b_0", "a_0"])
    for one, values in zip(fields, columns, strict=True):
        outputs = outputs.append_column(one, values)
    joined = join(table(["a_0", "z_0", "b_0"]), outputs, how="left").table
    order = pa.array([2, None, 1])
    for one, values in zip(fields, columns, strict=True):
        assert joined.schema.field(one.name).equals(one, check_metadata=True)
        assert joined[one.name].combine_chunks().equals(values.take(order))


def test_outputs_without_an_input_bring_their_own_envelope() -> None:
    inputs = table(["a_0"], [1], endpoint=["shop"], x=[1])
    outputs = table(["b_0", "a_0"], [3, 2], endpoint=["shop", "shop"], y=[2, 3], modelversion=["7", "8"])
    inputs = inputs.append_column("traceparent", [pa.nulls(1, pa.string())])
    outputs = outputs.append_column("traceparent", [["of b", "of a"]])
    joined = join(inputs, outputs, how="outer").table
    assert column(joined, "row_id") == ["a_0", "b_0"]
    assert joined["time"].cast(pa.int64()).to_pylist() == [1, 3]
    assert column(joined, "endpoint") == ["shop", "shop"]
    assert column(joined, "traceparent") == [None, "of b"]
    assert column(joined, "modelversion") == ["8", "7"]
    assert (column(joined, "x"), column(joined, "y")) == ([1, None], [3, 2])


def test_coverage_counts_each_day_by_the_time_of_the_input() -> None:
    inputs = table(["a_0", "b_0", "c_0", "d_0"], [0, DAY - 1, DAY, None])
    outputs = table(["b_0", "c_0", "y_0", "z_0"], [DAY, DAY + 1, 3 * DAY, -1])
    found = labels(["a_0", "b_0", "z_0"], [9 * DAY] * 3, label=[1, 0, 1])
    assert join(inputs, outputs, found).report.coverage == (
        DayCoverage(day=None, inputs=1, outputs=0, joined=0, labeled=0),
        DayCoverage(day=date(1969, 12, 31), inputs=0, outputs=1, joined=0, labeled=1),
        DayCoverage(day=date(1970, 1, 1), inputs=2, outputs=1, joined=1, labeled=2),
        DayCoverage(day=date(1970, 1, 2), inputs=1, outputs=1, joined=1, labeled=0),
        DayCoverage(day=date(1970, 1, 4), inputs=0, outputs=1, joined=0, labeled=0),
    )


# One id for many requests.


def test_requests_with_one_id_are_joined_in_order_where_their_times_do_not_overlap() -> None:
    ids = ["test_0", "test_0", "test_1", "test_0"]
    joined = join(table(ids, [10, 20, 20, 30], x=[1, 2, 3, 4]), table(ids, [11, 20, 20, 35], y=[1, 2, 3, 4]))
    assert (column(joined.table, "x"), column(joined.table, "y")) == ([1, 2, 3, 4], [1, 2, 3, 4])
    repeated = RepeatedId(correlationid="test", input_requests=3, output_requests=3, inputs=4, joined=4)
    assert (joined.report.repeated_ids, joined.report.repeated) == (1, (repeated,))
    assert (joined.report.uncertain_inputs, joined.report.uncertain_outputs) == (0, 0)


@pytest.mark.parametrize(
    ("input_times", "output_times"),
    [
        ([10, 20], [15, 19]),  # the second output is before its input
        ([10, 20], [20, 25]),  # the first output may be of either request
        ([10, 20], [9, 21]),  # a window that begins between an input and its output
        ([10, 10], [11, 12]),
        ([10, 20], [11, 11]),
        ([10, 20], [11, None]),
        ([10, 20], [11]),  # an output is lost
        ([10], [11, 12]),
    ],
)
def test_requests_with_one_id_are_not_joined_where_another_order_is_possible(
    input_times: list[int | None], output_times: list[int | None]
) -> None:
    inputs = table(["test_0"] * len(input_times) + ["a_0"], [*input_times, 10])
    outputs = table(["a_0"] + ["test_0"] * len(output_times), [11, *output_times])
    joined = join(inputs, outputs)
    assert column(joined.table, "row_id") == ["a_0"]
    report = joined.report
    assert (report.uncertain_inputs, report.uncertain_outputs) == (len(input_times), len(output_times))
    assert report.repeated == (
        RepeatedId(
            correlationid="test",
            input_requests=len(input_times),
            output_requests=len(output_times),
            inputs=len(input_times),
            joined=0,
        ),
    )


def test_requests_with_one_id_and_other_numbers_of_rows_are_not_joined() -> None:
    inputs = table(["test_0", "test_0", "test_1"], [10, 20, 20])
    outputs = table(["test_0", "test_1", "test_0"], [11, 11, 21])
    assert len(join(inputs, outputs).table) == 0


def test_requests_with_one_id_are_joined_by_trace_also_if_they_overlap_or_an_output_is_lost() -> None:
    def traces(*numbers: int) -> list[str]:
        return [f"00-{number:032x}-{position:016x}-01" for position, number in enumerate(numbers)]

    inputs = table(["test_0"] * 4, [1, 2, 3, 3], traceparent=traces(1, 2, 3, 4), x=[1, 2, 3, 4])
    outputs = table(["test_0"] * 3, [9, 8, 7], traceparent=traces(4, 2, 1), y=[4, 2, 1])
    joined = join(inputs, outputs)
    assert (column(joined.table, "x"), column(joined.table, "y")) == ([1, 2, 4], [1, 2, 4])
    assert (joined.report.uncertain_inputs, joined.report.uncertain_outputs) == (1, 0)


def test_a_mirrored_request_joins_within_its_deployment() -> None:
    places = {"endpoint": ["shop", "shop"], "deployment": ["blue", "green"]}
    inputs = table(["a_0", "a_0"], [1, 1], **places, x=[1, 2])
    outputs = table(["a_0", "a_0"], [1, 1], endpoint=["shop"] * 2, deployment=["green", "blue"], y=[2, 1])
    joined = join(inputs, outputs, labels(["a_0"], [5], label=[7]))
    assert (column(joined.table, "x"), column(joined.table, "y")) == ([1, 2], [1, 2])
    assert column(joined.table, "label") == [7, 7]
    assert joined.report.repeated_ids == 0


def test_two_services_join_by_the_id_that_one_sent_to_the_other() -> None:
    inputs = table(["a_0"], endpoint=["gateway"], deployment=["default"], x=[1])
    outputs = table(["a_0", "b_0"], endpoint=["model"] * 2, deployment=["blue", "green"], y=[1, 2])
    assert column(join(inputs, outputs).table, "y") == [1]


# Labels.


def test_the_last_label_wins_and_the_history_has_all() -> None:
    months = 90 * DAY
    found = labels(
        ["a_0", "b_0", "a_0", "a_0"],
        [months, months, 2 * months, 3 * months],
        label=["fraud", "fine", "fine", None],
        reviewer=["x", None, None, "y"],
    )
    joined = join(table(["a_0", "b_0", "c_0"]), table(["c_0", "a_0", "b_0"]), found, history=True)
    assert column(joined.table, "label") == ["fine", "fine", None]
    assert column(joined.table, "reviewer") == ["y", None, None]
    assert joined.table["label_time"].cast(pa.int64()).to_pylist() == [3 * months, months, None]
    assert [
        one and [(label["label"], label["reviewer"], label["label_time"].value) for label in one]
        for one in column(joined.table, "label_history")
    ] == [
        [("fraud", "x", months), ("fine", None, 2 * months), (None, "y", 3 * months)],
        [("fine", None, months)],
        None,
    ]
    assert joined.report.labels == LabelCounts(read=4, rows=2, superseded=2)
    assert joined.report.labeled == 2


@pytest.mark.parametrize(
    "since",
    [
        pa.array(["1970-01-02", "1970-01-01T23:00:00", "1970-01-02 01:00:00+02:00"]),
        pa.array(["1970-01-02T00:00:00Z", "1970-01-01 23:00", "1970-01-01T23:00:00.000000+0000"]).dictionary_encode(),
        pa.array([24, 23, 23], pa.int64()).cast(pa.int64()),
        pa.array([86_400, 82_800, 82_800], pa.timestamp("s")),
        pa.array([86_400, 82_800, 82_800], pa.timestamp("s", "America/New_York")),
    ],
    ids=["text", "dictionary", "numbers", "without a zone", "another zone"],
)
def test_label_time_says_since_when_a_label_holds(since: pa.Array) -> None:
    found = labels(["a_0", "a_0", "a_0"], [1, 2, 3], label=[1, 2, 3], label_time=since)
    joined = join(table(["a_0"]), table(["a_0"]), found)
    is_number = pa.types.is_integer(since.type)
    assert column(joined.table, "label") == [3 if is_number else 1]
    assert joined.table["label_time"].cast(pa.int64()).to_pylist() == [3 if is_number else DAY]
    assert joined.report.labels.unread_times == (3 if is_number else 0)


def test_a_label_time_that_is_no_time_leaves_that_of_the_event() -> None:
    texts = ["yesterday", "", None, "1970-02-30", "1970-01-01T00:00:00.000000004Z"]
    found = labels(["a_0"] * 5, [1, 2, 3, 5, 1], label=[1, 2, 3, 4, 5], label_time=texts)
    joined = join(table(["a_0"]), table(["a_0"]), found, history=True)
    (history,) = column(joined.table, "label_history")
    assert [one["label"] for one in history] == [1, 2, 3, 5, 4]
    assert joined.report.labels.unread_times == 3


def test_a_label_without_a_row_id_belongs_to_the_row_with_its_own() -> None:
    again = table(["a_0", "a_1"], [7, 7], label=[1, 2])
    by_id = labels(["a_1", None], [8, 8], label=[3, 4])
    both = pa.concat_tables([again, by_id], promote_options="default")
    joined = join(table(["a_0", "a_1"]), table(["a_0", "a_1"]), both)
    assert column(joined.table, "label") == [1, 3]
    assert joined.report.labels == LabelCounts(read=4, rows=3, superseded=1, unknown=1)


def test_labels_of_unknown_and_repeated_rows_are_counted_and_not_joined() -> None:
    inputs = table(["a_0", "test_0", "test_0"], [0, 1, 3])
    outputs = table(["a_0", "test_0", "test_0"], [0, 2, 4])
    found = labels(["test_0", "a_0", "z_0", None, "a_0"], [9] * 5, label=[1, 2, 3, None, None])
    joined = join(inputs, outputs, found)
    assert column(joined.table, "label") == [2, None, None]
    assert joined.report.labels == LabelCounts(read=5, rows=3, unknown=1, ambiguous=1, empty=2)
    assert joined.report.labeled == 1


def test_another_column_may_have_the_row_id() -> None:
    found = table(["q_0", "q_1"], order=["a_0", None], label=[1, 2])
    joined = join(table(["a_0"]), table(["a_0"]), found, label_id="order")
    assert joined.table.column_names == ["row_id", "correlationid", "time", "label", "label_time"]
    assert (column(joined.table, "label"), joined.report.labels.empty) == ([1], 1)


def test_labels_without_a_column_of_their_own_are_empty() -> None:
    joined = join(table(["a_0"]), table(["a_0"]), pa.table({"row_id": ["a_0", "b_0"]}), history=True)
    assert joined.report.labels == LabelCounts(read=2, empty=2)
    assert joined.table.select(["label_time", "label_history"]).to_pylist() == [
        {"label_time": None, "label_history": None}
    ]


def test_labels_need_no_envelope() -> None:
    found = pa.table({"row_id": ["a_0", "a_0"], "label": [1, 2]})
    joined = join(table(["a_0"]), table(["a_0"]), found).table
    assert (column(joined, "label"), column(joined, "label_time")) == ([2], [None])


# Empty tables, and errors.


@pytest.mark.parametrize("how", ["inner", "left", "outer"])
def test_empty_tables_join(how: Any) -> None:
    rows, nothing = table(["a_0"], x=[1]), table([], x=pa.array([], pa.int64()))
    none = labels([], [], label=pa.array([], pa.int64()))
    assert len(join(nothing, nothing, none, how=how, history=True).table) == 0
    assert len(join(rows, nothing, none, how=how, history=True).table) == (how != "inner")
    assert len(join(nothing, rows, none, how=how, history=True).table) == (how == "outer")


def test_a_report_is_json() -> None:
    inputs, outputs = table(["a_0", "a_0"], x=[1, 2]), table(["a_0"], x=[1])
    report = join(inputs, outputs).report.as_dict()
    assert report == {
        "inputs": 2,
        "outputs": 1,
        "joined": 0,
        "inputs_alone": 2,
        "outputs_alone": 1,
        "labeled": 0,
        "labels": dict.fromkeys(["read", "rows", "superseded", "unknown", "ambiguous", "empty", "unread_times"], 0),
        "repeated_ids": 1,
        "repeated": ({"correlationid": "a", "input_requests": 2, "output_requests": 1, "inputs": 2, "joined": 0},),
        "uncertain_inputs": 2,
        "uncertain_outputs": 1,
        "coverage": ({"day": "1970-01-01", "inputs": 2, "outputs": 1, "joined": 0, "labeled": 0},),
        "renamed": (
            {"side": "inputs", "column": "x", "name": "inputs.x"},
            {"side": "outputs", "column": "x", "name": "outputs.x"},
        ),
    }


def test_errors_say_what_was_expected() -> None:
    rows = table(["a_0"], x=[1])
    with pytest.raises(ReaderError) as unknown:
        join(rows, rows, how="right")  # type: ignore[arg-type]
    assert str(unknown.value) == "expected how= one of inner, left, outer, got 'right': choose one of them"
    with pytest.raises(UnknownNameError) as missing:
        join(rows, rows.select(["row_id", "x"]))
    assert str(missing.value) == (
        "expected the columns correlationid, time in the outputs, got row_id, x: read them with the envelope"
    )
    with pytest.raises(UnknownNameError) as no_id:
        join(rows, rows, pa.table({"label": [1]}))
    assert str(no_id.value) == (
        "expected the column row_id in the labels, got label: label_id= names the column of row ids"
    )
    with pytest.raises(UnknownNameError) as other_id:
        join(rows, rows, rows, label_id="order")
    assert str(other_id.value) == (
        "expected a column of row ids in the labels, got no 'order' among row_id, correlationid, time, x: "
        "label_id= names it"
    )


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([["a_0"], None]),
        pa.array([{"id": "a_0"}, None]),
        pa.array([b"\xff", None]),
        pa.array([5, None]),
        pa.array([None, None], pa.null()),
    ],
)
def test_values_that_are_no_texts_name_no_row(ids: pa.Array) -> None:
    found = labels(["a_0", None], [8, 8], label=[1, 2]).set_column(3, "data.row_id", ids)
    joined = join(table(["a_0"]), table(["a_0"]), found)
    assert column(joined.table, "label") == [None]
    assert joined.report.labeled == 0


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize("zone", [None, "Europe/Madrid"])
def test_a_label_time_that_nanoseconds_do_not_hold_leaves_that_of_the_event(unit: str, zone: str | None) -> None:
    seconds = [10, 253_402_214_400, -62_135_596_800, None]
    times = pa.array(seconds, pa.timestamp("s", zone)).cast(pa.timestamp(unit, zone))
    found = labels(["a_0"] * 4, [1, 2, 3, 4], label=[1, 2, 3, 4], label_time=times)
    joined = join(table(["a_0"]), table(["a_0"]), found, history=True)
    (history,) = column(joined.table, "label_history")
    assert [one["label"] for one in history] == [2, 3, 4, 1]
    assert joined.report.labels.unread_times == 2
    dates = pa.array([date(9999, 12, 31), date(1970, 1, 2)])
    found = labels(["a_0"] * 2, [1, 2], label=[1, 2], label_time=dates)
    assert join(table(["a_0"]), table(["a_0"]), found).report.labels.unread_times == 1
