"""On any store, however nasty: `join` equals a slow obvious join, and never multiplies rows as Azure's joiner does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import event, given
from hypothesis import strategies as st
from slow_join import Row, azure_pairs, certain_pairs, last_labels

from otel_modeldata_reader.joining import Joined, JoinReport, join
from otel_modeldata_reader.joining.window_edges import rows_of_window
from otel_modeldata_reader.window import Window

TIME = pa.timestamp("ns", "UTC")
ENVELOPE = pa.schema(
    [
        ("row_id", pa.string()),
        ("correlationid", pa.string()),
        ("time", TIME),
        ("endpoint", pa.string()),
        ("deployment", pa.string()),
        ("traceparent", pa.string()),
    ]
)
START = datetime(2026, 11, 28, 23, 59, 57, tzinfo=UTC)
_NANOSECONDS = int(START.timestamp()) * 10**9

_ids = st.sampled_from(["a", "a_0", "a_0_0", "", None, "b", "c", "d"])
_moments = st.integers(0, 6) | st.none()
_traces = st.sampled_from(["1" * 32, "2" * 32, "3" * 32])


@st.composite
def _stores(draw: st.DrawFn, *, most_deployments: int = 2) -> tuple[list[Row], list[Row]]:
    """Requests with inputs and outputs, some of which are lost, repeated, late, erased or in another place."""
    inputs: list[Row] = []
    outputs: list[Row] = []
    only_one = draw(st.booleans())
    always_traced = draw(st.booleans())
    for at in range(draw(st.integers(0, 7))):
        correlation_id = "test" if only_one else draw(_ids)
        traced = always_traced or draw(st.booleans())
        trace = f"00-{draw(_traces)}-{at:016x}-01" if traced else None
        deployment = draw(st.sampled_from(["blue", "green"][:most_deployments]))
        length = draw(st.integers(1, 3))
        began = draw(st.just(2 * at) | _moments)
        ended = draw(st.just(2 * at + 1) | _moments)
        for rows, moment in ((inputs, began), (outputs, ended)):
            for _ in range(draw(st.sampled_from([1, 1, 1, 1, 0, 2]))):
                event_of = {"correlationid": correlation_id, "deployment": deployment, "traceparent": trace}
                rows.extend(_rows(event_of, moment, draw(st.just(range(length)) | st.just(range(1, 3)))))
    if draw(st.booleans()):
        inputs, outputs = draw(st.permutations(inputs)), draw(st.permutations(outputs))
    return inputs, outputs


def _rows(event_of: Row, moment: int | None, numbers: range) -> list[Row]:
    time = None if moment is None else START + timedelta(seconds=moment)
    stem = event_of["correlationid"]
    ids = [str(number) if stem is None else f"{stem}_{number}" for number in numbers]
    return [event_of | {"row_id": row_id, "time": time, "endpoint": "shop"} for row_id in ids]


def _table(rows: list[Row], marker: str) -> pa.Table:
    table = pa.Table.from_pylist([{name: row[name] for name in ENVELOPE.names} for row in rows], schema=ENVELOPE)
    return table.append_column(marker, pa.array(range(len(rows)), pa.int64()))


def _joined(inputs: list[Row], outputs: list[Row], **options: Any) -> Joined:
    return join(_table(inputs, "input"), _table(outputs, "output"), **options)


def _pairs(joined: Joined) -> list[tuple[int, int]]:
    return list(zip(joined.table["input"].to_pylist(), joined.table["output"].to_pylist(), strict=True))


@given(store=_stores())
def test_rows_are_joined_exactly_where_one_possibility_is_left(store: tuple[list[Row], list[Row]]) -> None:
    expected = certain_pairs(*store)
    joined = _joined(*store)
    event(f"joined: {min(len(expected), 3)}, repeated ids: {min(joined.report.repeated_ids, 2)}")
    assert _pairs(joined) == sorted(expected)


@given(store=_stores(most_deployments=1))
def test_a_row_that_is_joined_is_joined_by_azure_too_and_no_row_is_joined_twice(
    store: tuple[list[Row], list[Row]],
) -> None:
    inputs, outputs = store
    pairs, of_azure = _pairs(_joined(inputs, outputs)), azure_pairs(*([r["row_id"] for r in rows] for rows in store))
    assert set(pairs) <= of_azure
    assert all(len(set(side)) == len(side) for side in zip(*pairs, strict=True))
    if len({row["row_id"] for row in inputs}) == len(inputs) and len({r["row_id"] for r in outputs}) == len(outputs):
        assert set(pairs) == of_azure


@given(store=_stores())
def test_rows_without_a_partner_are_kept_as_asked_and_counted(store: tuple[list[Row], list[Row]]) -> None:
    inputs, outputs = store
    inner, left, outer = (_joined(inputs, outputs, how=how) for how in ("inner", "left", "outer"))
    pairs = dict(_pairs(inner))
    assert _pairs(left) == [(i, pairs.get(i)) for i in range(len(inputs))]
    assert _pairs(outer) == _pairs(left) + [(None, o) for o in range(len(outputs)) if o not in pairs.values()]
    assert inner.report == left.report == outer.report
    report = inner.report
    assert (report.inputs, report.outputs, report.joined) == (len(inputs), len(outputs), len(pairs))
    assert (report.inputs_alone, report.outputs_alone) == (len(inputs) - len(pairs), len(outputs) - len(pairs))
    assert left.table.drop_columns(["input", "output"]).to_pylist() == [
        {name: row[name] for name in ENVELOPE.names} for row in inputs
    ]
    _check_coverage(report, inputs, outputs, pairs)


def _check_coverage(report: JoinReport, inputs: list[Row], outputs: list[Row], pairs: dict[int, int]) -> None:
    days: dict[Any, list[int]] = {}
    input_of = {o: i for i, o in pairs.items()}

    def count(row: Row, column: int) -> None:
        day = row["time"] and row["time"].date()
        days.setdefault(day, [0, 0, 0])[column] += 1

    for number, row in enumerate(inputs):
        count(row, 0)
        if number in pairs:
            count(row, 2)
    for number, row in enumerate(outputs):
        count(inputs[input_of[number]] if number in input_of else row, 1)
    found = {one.day: [one.inputs, one.outputs, one.joined] for one in report.coverage}
    assert found == days
    assert [one.day for one in report.coverage] == sorted(days, key=lambda day: (day is not None, day))


@given(store=_stores(most_deployments=1), bounds=st.tuples(_moments, _moments))
def test_a_window_has_the_joined_rows_of_the_requests_that_begin_in_it(
    store: tuple[list[Row], list[Row]], bounds: tuple[int | None, int | None]
) -> None:
    """The output of a request without inputs counts by its own time. Here no id repeats, and every row has both."""
    tables = [_table(_first_events(rows), name) for rows, name in zip(store, ("input", "output"), strict=True)]
    since, until = (None if one is None else _NANOSECONDS + one * 10**9 for one in bounds)
    window = Window(since=since, until=until)
    began = dict(zip(*(tables[0][name].to_pylist() for name in ("correlationid", "time")), strict=True))
    inside = [
        row
        for row in join(*tables, how="outer").table.to_pylist()
        if window.bounds[0] <= began.get(row["correlationid"], row["time"]).value < window.bounds[1]
    ]
    found = join(*rows_of_window(*tables, window), how="outer").table.to_pylist()
    assert sorted(found, key=str) == sorted(inside, key=str)


def _first_events(rows: list[Row]) -> list[Row]:
    """The rows of the first event of each correlation id, if it has a time."""
    times: dict[str, datetime | None] = {}
    found: dict[str, Row] = {}
    for row in rows:
        if row["correlationid"] is None or times.setdefault(row["correlationid"], row["time"]) != row["time"]:
            continue
        if row["time"] is not None:
            found.setdefault(row["row_id"], row)
    return list(found.values())


_WITH_NUMBERS = pa.schema(
    [
        ("label", pa.int64()),
        ("other", pa.string()),
        ("label_time", pa.int64()),
        (
            "label_history",
            pa.large_list(pa.struct([("label_time", pa.int64()), ("label", pa.int64()), ("other", pa.string())])),
        ),
    ]
)
"""The columns of labels, with times as numbers."""

_LABELS = pa.schema(
    [
        ("row_id", pa.string()),
        ("data.row_id", pa.string()),
        ("time", TIME),
        ("label_time", TIME),
        ("label", pa.int64()),
        ("other", pa.string()),
    ]
)

_labels = st.fixed_dictionaries(
    {
        "row_id": st.sampled_from(["a_0", "a_1", "a_0_0", "b_0", "test_0", "test_1", "unknown_0", "0", None]),
        "label_time": st.none() | st.integers(0, 3),
        "time": st.integers(0, 3),
        "label": st.none() | st.integers(0, 9),
        "other": st.none() | st.sampled_from("xyz"),
    }
)


@given(store=_stores(), labels=st.lists(_labels, max_size=8))
def test_the_last_label_of_each_column_wins_and_all_are_the_history(
    store: tuple[list[Row], list[Row]], labels: list[Row]
) -> None:
    inputs, outputs = store
    table = pa.Table.from_pylist(
        [{**label, "data.row_id": label["row_id"], "row_id": None} for label in labels],
        schema=_LABELS,
    )
    plain, joined = (_joined(inputs, outputs, how="outer", **more) for more in ({}, {"labels": table, "history": True}))
    assert joined.table.select(plain.table.column_names) == plain.table
    last = last_labels(labels, ["label", "other"])
    repeated = _repeated_ids(inputs, outputs, by_deployment=_is_by_deployment(inputs, outputs))
    nothing = dict.fromkeys(["label", "other", "label_time", "label_history"])
    got = joined.table.select(list(nothing)).cast(_WITH_NUMBERS).to_pylist()
    expected = []
    for row in joined.table.to_pylist():
        is_repeated = (row["deployment"] if repeated[0] else None, row["correlationid"]) in repeated[1]
        expected.append(nothing if is_repeated else last.get(row["row_id"], nothing))
    assert got == expected
    counts = joined.report.labels
    known = {row["row_id"] for row in inputs + outputs}
    assert (counts.read, counts.rows, counts.unknown) == (len(labels), len(last), len(last.keys() - known))
    assert counts.superseded == sum(len(one["label_history"]) - 1 for one in last.values())
    assert joined.report.labeled == sum(one["label_time"] is not None for one in got)
    assert joined.report.labeled == sum(day.labeled for day in joined.report.coverage)


def _is_by_deployment(inputs: list[Row], outputs: list[Row]) -> bool:
    mine, theirs = ({row["deployment"] for row in rows} for rows in (inputs, outputs))
    return bool(mine & theirs) and len(mine | theirs) > 1


def _repeated_ids(inputs: list[Row], outputs: list[Row], *, by_deployment: bool) -> tuple[bool, set[Any]]:
    found = set()
    for rows in (inputs, outputs):
        seen = set()
        for row in rows:
            place = row["deployment"] if by_deployment else None
            if (place, row["row_id"]) in seen:
                found.add((place, row["correlationid"]))
            seen.add((place, row["row_id"]))
    return by_deployment, found
